/** @file Topics of the device API, as ThingsBoard has them. */
#include "as/core/device_api/topics.h"
#include "proto/mqtt/mqtt_topic.h"

#define ME "v1/devices/me/"

/** Those that end with a slash are followed by the number of a request. A longer one stands before its own beginning. */
static const struct {
	const char *name;
	enum device_topic topic;
	unsigned family;
} said[] = {
	{ ME "telemetry", TOPIC_TELEMETRY, 0 },
	{ ME "attributes", TOPIC_ATTRIBUTES, 0 },
	{ ME "attributes/request/", TOPIC_ATTRIBUTES_REQUEST, 0 },
	{ ME "rpc/response/", TOPIC_RPC_RESPONSE, 0 },
	{ ME "rpc/request/", TOPIC_RPC_REQUEST, 0 },
	{ ME "claim", TOPIC_CLAIM, 0 },
	{ "/provision/request", TOPIC_PROVISION, 0 },
	{ "/provision", TOPIC_PROVISION, 0 },
	{ "v2/t", TOPIC_TELEMETRY, 1 },
	{ "v2/t/j", TOPIC_TELEMETRY, 2 },
	{ "v2/a", TOPIC_ATTRIBUTES, 1 },
	{ "v2/a/j", TOPIC_ATTRIBUTES, 2 },
	{ "v2/a/req/j/", TOPIC_ATTRIBUTES_REQUEST, 2 },
	{ "v2/a/req/", TOPIC_ATTRIBUTES_REQUEST, 1 },
	{ "v2/r/res/j/", TOPIC_RPC_RESPONSE, 2 },
	{ "v2/r/res/", TOPIC_RPC_RESPONSE, 1 },
	{ "v2/r/req/j/", TOPIC_RPC_REQUEST, 2 },
	{ "v2/r/req/", TOPIC_RPC_REQUEST, 1 },
};

static const char *const answers[ANSWERS][DEVICE_FAMILIES] = {
	[ANSWER_ATTRIBUTES] = { ME "attributes", "v2/a", "v2/a/j" },
	[ANSWER_ATTRIBUTES_RESPONSE] = { ME "attributes/response/", "v2/a/res/", "v2/a/res/j/" },
	[ANSWER_RPC_REQUEST] = { ME "rpc/request/", "v2/r/req/", "v2/r/req/j/" },
	[ANSWER_RPC_RESPONSE] = { ME "rpc/response/", "v2/r/res/", "v2/r/res/j/" },
};

static bool takes_number(struct str name)
{
	return name.p[name.n - 1] == '/';
}

int device_topic_read(struct str topic, struct device_said *ret)
{
	*ret = (struct device_said){ .topic = TOPIC_OTHER };
	for (size_t i = 0; i < COUNT(said); i++) {
		struct str name = str_of(said[i].name);
		bool has_number = takes_number(name);
		if (has_number ? !str_starts(topic, said[i].name) : !str_eq(topic, name))
			continue;
		uint64_t id = 0;
		if (has_number && (num_u64((struct str){ topic.p + name.n, topic.n - name.n }, &id) || id > INT32_MAX))
			return -EINVAL;
		*ret = (struct device_said){ said[i].topic, said[i].family, (int32_t)id };
		return 0;
	}
	return 0;
}

void device_topic_answer(struct text *t, enum device_answer answer, unsigned family, int32_t id)
{
	const char *name = answers[answer][family];
	text_puts(t, name);
	if (takes_number(str_of(name)))
		text_u64(t, (uint64_t)id);
}

bool device_filter_is_own(struct str filter)
{
	for (size_t a = 0; a < ANSWERS; a++)
		for (size_t f = 0; f < DEVICE_FAMILIES; f++) {
			struct str name = str_of(answers[a][f]);
			char one[DEVICE_TOPIC_MAX];
			struct text t = text_fixed(one, sizeof one);
			device_topic_answer(&t, (enum device_answer)a, (unsigned)f, 1);
			if (str_eq(filter, name) || mqtt_topic_match(filter, text_str(&t)) || (takes_number(name) && str_starts(filter, answers[a][f])))
				return true;
		}
	return false;
}

bool device_filter_is_provision(struct str filter)
{
	return mqtt_topic_match(filter, STR(PROVISION_RESPONSE));
}

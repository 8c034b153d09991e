/** @file Fuzzes what a Pub/Sub integration reads of others: its settings, topics, kept messages and their correlation ids. */
#include "as/core/integration/body.h"
#include "as/core/integration/pubsub.h"
#include "as/core/integration/spool.h"
#include "common/core/json_out.h"
#include "proto/mqtt/mqtt_topic.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct field_mask all;

static void show(struct text *t, const struct pubsub *p)
{
	json_open(t, '{');
	pubsub_json_write(t, p);
	json_close(t, '}');
	assert(!t->failed);
}

/** What was taken is kept and shown the same ever after. */
static void settings(struct str s)
{
	static struct json_tok tok[4096];
	static struct envelope e = { .kek = { { 1 } } };
	struct problem problem;
	struct json j;
	if (!e.crypto)
		e.crypto = crypto_new();
	if (!utf8_valid(s) || json_parse(s, tok, COUNT(tok), &j, NULL))
		return;
	AUTO(pubsub_free) struct pubsub *p = pubsub_new(), *back = pubsub_new();
	AUTO(text_done) struct text kept = text_growing(1 << 20), one = text_growing(1 << 20), two = text_growing(1 << 20);
	if (pubsub_json_read(p, &all, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = &problem }))
		return;
	show(&one, p);
	assert(pubsub_json_store(&kept, p, &e) == 0);
	assert(pubsub_load(back, text_str(&kept), &e) == 0);
	show(&two, back);
	assert(str_eq(text_str(&one), text_str(&two)));
	assert(!strcmp(pubsub_get(p, PUBSUB_PASSWORD), pubsub_get(back, PUBSUB_PASSWORD)));
	assert(!strcmp(pubsub_get(p, PUBSUB_KEY), pubsub_get(back, PUBSUB_KEY)));
	if (pubsub_check(p, &problem))
		assert(*problem.message);
	else
		assert(pubsub_kinds(p) < KIND_BIT(KIND_N));
}

/** Base, sub-topic, device and a topic, with line feeds between. */
static void topics(struct str s)
{
	char base[300], sub[300], buf[PUBSUB_TOPIC_MAX + 1], why[400];
	struct str one, two, device;
	struct text t = text_fixed(buf, sizeof buf), w = text_fixed(why, sizeof why);
	s = str_cut(s, '\n', &one);
	s = str_cut(s, '\n', &two);
	s = str_cut(s, '\n', &device);
	if (str_copy(one, base, sizeof base) || str_copy(two, sub, sizeof sub) || device.n > SPOOL_DEVICE_MAX)
		return;
	struct pubsub_place place;
	bool is_filter = !pubsub_topic_check(base, sub, true, &w), is_topic = !pubsub_topic_check(base, sub, false, &w);
	assert(is_topic || !is_filter);
	(void)pubsub_topic_place(base, sub, "app1", s, &place);
	if (!is_topic)
		return;
	pubsub_topic(&t, base, sub, &(struct pubsub_names){ .application_id = "app1", .device_id = device });
	if (t.failed || !t.len)
		return;
	assert(mqtt_string_valid(text_str(&t)));
	/* What is published to a place is found there again. */
	if (is_filter && device.n && mqtt_topic_valid(text_str(&t)) && *buf != '$')
		assert(pubsub_topic_place(base, sub, "app1", text_str(&t), &place));
}

static void messages(struct slice s)
{
	struct spool_message m;
	struct body_cids cids;
	enum spool_state state;
	if (!spool_read(s, &m, &state)) {
		assert(m.kind < KIND_N && m.device_id.n <= SPOOL_DEVICE_MAX);
		body_cids(m.body, &cids);
	}
	body_cids((struct str){ (const char *)s.p, s.n }, &cids);
	assert(cids.len <= BODY_CIDS && cids.own_n <= sizeof cids.own && (!cids.own_n || !cids.own[cids.own_n - 1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!n)
		return 0;
	struct str s = { (const char *)data + 1, n - 1 };
	if (data[0] == 's')
		settings(s);
	else if (data[0] == 't')
		topics(s);
	else
		messages((struct slice){ data + 1, n - 1 });
	return 0;
}

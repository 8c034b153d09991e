/** @file Calls from devices: those that wait for the application, a minute each. */
#include "as/device_api/asks.h"
#include "as/core/registry/json_copy.h"
#include "as/device_api/rooms.h"
#include "as/store.h"
#include "common/core/heap.h"
#include "common/core/json_out.h"
#include <stdlib.h>

enum { ASKS_PER_LOGIN = 100, ASKS_MAX = 10000, ANSWER_MAX = 64 << 10 };
#define ASK_US (60 * SEC_US)

struct ask {
	struct ask *prev, *next;
	uint64_t login, device;
	unsigned family;
	int32_t request;
	struct heap_node due;
};

struct asks {
	struct as *as;
	struct ask *newest; /* one may look through them all: they are few */
	size_t n;
	struct heap due;
	struct loop_timer *timer;
};

static void forget(struct asks *x, struct ask *a)
{
	*(a->prev ? &a->prev->next : &x->newest) = a->next;
	if (a->next)
		a->next->prev = a->prev;
	heap_remove(&x->due, &a->due);
	x->n--;
	free(a);
}

static void answer(struct as *as, uint64_t login, unsigned family, int32_t request, struct str json)
{
	char topic[DEVICE_TOPIC_MAX];
	struct text t = text_fixed(topic, sizeof topic);
	device_topic_answer(&t, ANSWER_RPC_RESPONSE, family, request);
	(void)device_door_answer(as, login, topic, json);
}

static void on_due(void *ctx)
{
	struct asks *x = ctx;
	struct heap_node *n;
	while ((n = heap_pop_due(&x->due, loop_now(x->as->loop)->mono_us))) {
		struct ask *a = CONTAINER_OF(n, struct ask, due);
		answer(x->as, a->login, a->family, a->request, STR("{\"error\":\"timeout\"}"));
		forget(x, a);
	}
	loop_timer_at(x->timer, heap_deadline(&x->due));
}

int asks_answer(struct as *as, const struct device *d, int32_t request, struct str json)
{
	for (struct ask *a = as->asks->newest; a; a = a->next)
		if (a->device == d->entry.uid && a->request == request) {
			answer(as, a->login, a->family, request, json);
			forget(as->asks, a);
			return 0;
		}
	return -ENOENT;
}

/* ---- the application's answer over MQTT ---- */

struct answer_topic {
	struct str app, device, number;
};

/** @return 0; -EINVAL */
static int answer_topic_read(struct str topic, struct answer_topic *ret)
{
	struct str root, devices, rpc, response;
	struct str rest = str_cut(topic, '/', &root);
	rest = str_cut(rest, '/', &ret->app);
	rest = str_cut(rest, '/', &devices);
	rest = str_cut(rest, '/', &ret->device);
	rest = str_cut(rest, '/', &rpc);
	ret->number = str_cut(rest, '/', &response);
	return str_is(root, "v3") && str_is(devices, "devices") && str_is(rpc, "rpc") && str_is(response, "response") ? 0 : -EINVAL;
}

bool asks_is_answer(struct str topic)
{
	struct answer_topic t;
	return answer_topic_read(topic, &t) == 0;
}

int asks_take_answer(struct as *as, const struct app *a, struct str topic, struct str body)
{
	struct lenient *l = &device_rooms_readings(as)->json;
	struct answer_topic t;
	uint64_t number;
	if (answer_topic_read(topic, &t) || registry_app(&as->registry, t.app) != a || num_u64(t.number, &number) || number > INT32_MAX)
		return -EINVAL;
	const struct device *d = registry_device(&as->registry, a, t.device);
	if (lenient_read(l, body, NULL))
		return -EBADMSG;
	return d ? asks_answer(as, d, (int32_t)number, text_str(&l->strict)) : -ENOENT;
}

/* ---- what is answered here ---- */

static void write_limits(struct text *t, const char *name, const char *limits)
{
	if (!*limits)
		return;
	json_name(t, name);
	json_puts(t, limits);
}

/** As ThingsBoard's own clients ask for it after each connection. */
static void get_session_limits(struct as *as, struct text *t)
{
	const struct mqtt_limits l = mqtt_limits_of_device();
	json_open(t, '{');
	json_name(t, "maxPayloadSize");
	json_unum(t, l.packet_bytes);
	json_name(t, "maxInflightMessages");
	json_unum(t, l.receive_max);
	json_name(t, "rateLimits");
	json_open(t, '{');
	write_limits(t, "messages", as->settings->device_message_rate);
	write_limits(t, "telemetryMessages", as->settings->device_telemetry_rate);
	write_limits(t, "telemetryDataPoints", as->settings->device_point_rate);
	json_close(t, '}');
	json_close(t, '}');
}

static void get_current_time(struct as *as, struct text *t)
{
	text_u64(t, loop_now(as->loop)->unix_us / MS_US);
}

static const struct {
	const char *method;
	void (*fn)(struct as *as, struct text *t);
} own[] = {
	{ "getCurrentTime", get_current_time },
	{ "getSessionLimits", get_session_limits },
};

/** @return whether it is one that is answered here */
static bool answer_own(struct as *as, const struct device_message *m, const char *method)
{
	char buf[512];
	struct text t = text_fixed(buf, sizeof buf);
	for (size_t i = 0; i < COUNT(own); i++)
		if (str_is(str_of(own[i].method), method)) {
			own[i].fn(as, &t);
			answer(as, m->login->number, m->said.family, m->said.id, text_str(&t));
			return true;
		}
	return false;
}

/* ---- what the application answers ---- */

/** What the application is told: `rpc-request`. @return 0; -errno */
static int publish(struct as *as, const struct device_message *m, const struct json *j, const char *method)
{
	AUTO(text_done) struct text t = text_growing(4 * ANSWER_MAX);
	json_val params = json_get(j, json_root(j), "params");
	json_open(&t, '{');
	json_name(&t, "request_id");
	json_num(&t, m->said.id);
	json_name(&t, "method");
	json_puts(&t, method);
	if (params >= 0) {
		json_name(&t, "params");
		json_copy(&t, j, params);
	}
	json_close(&t, '}');
	return t.failed ? -ENOMEM : device_publish_service(as, m->device, "rpc-request", t.p);
}

static size_t count_of(const struct asks *x, uint64_t login)
{
	size_t n = 0;
	for (const struct ask *a = x->newest; a; a = a->next)
		n += a->login == login;
	return n;
}

static int expect(struct asks *x, const struct device_message *m)
{
	struct ask *a = calloc(1, sizeof *a);
	if (!a || heap_set(&x->due, &a->due, loop_now(x->as->loop)->mono_us + ASK_US)) {
		free(a);
		return -ENOMEM;
	}
	a->login = m->login->number;
	a->device = m->device->entry.uid;
	a->family = m->said.family;
	a->request = m->said.id;
	a->next = x->newest;
	if (a->next)
		a->next->prev = a;
	x->newest = a;
	x->n++;
	loop_timer_at(x->timer, heap_deadline(&x->due));
	return 0;
}

enum mqtt_verdict rpc_request_take(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	struct lenient *l = &device_rooms_readings(as)->json;
	char method[256];
	int r = lenient_read(l, m->body, NULL);
	if (r || json_type(&l->json, json_root(&l->json)) != JSON_OBJECT ||
		json_string(&l->json, json_get(&l->json, json_root(&l->json), "method"), method, sizeof method))
		return device_refuse(as, m, r == -ENOMEM ? r : -EBADMSG, "a call is an object with a method and params", ret_reason);
	if (answer_own(as, m, method))
		return MQTT_TAKEN;
	if (as->asks->n >= ASKS_MAX || count_of(as->asks, m->login->number) >= ASKS_PER_LOGIN)
		return device_drop(as, m, DEVICE_DROP_RATE, "too many calls wait for their answers", ret_reason);
	if (store_failing(as->store) || expect(as->asks, m) || publish(as, m, &l->json, method))
		return device_unavailable(as, m, ret_reason);
	return device_taken(as, m);
}

int asks_start(struct as *as, struct text *err)
{
	struct asks *x = as->asks = calloc(1, sizeof *x);
	(void)err;
	if (!x)
		return -ENOMEM;
	x->as = as;
	x->timer = loop_timer_new(as->loop, on_due, x);
	return x->timer ? 0 : -ENOMEM;
}

void asks_stop(struct as *as)
{
	struct asks *x = as->asks;
	if (!x)
		return;
	while (x->newest)
		forget(x, x->newest);
	heap_done(&x->due);
	loop_timer_free(x->timer);
	free(x);
	as->asks = NULL;
}

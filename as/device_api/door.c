/** @file Logins of devices that speak IP, and their messages on their way to the rooms that take them. */
#include "as/device_api/door.h"
#include "as/applications.h"
#include "as/device_api/rooms.h"
#include "as/doors.h"
#include "as/mqtt_events.h"
#include "as/mqtt_listener.h"
#include "as/store.h"
#include "as/tls.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

/** Numbers of these logins have it; those of applications count from 1. */
#define DEVICE_LOGIN (UINT64_C(1) << 63)
enum {
	REASON_NOT_AUTHORIZED = 0x87, REASON_TOPIC_INVALID = 0x90, REASON_RATE = 0x96, REASON_PAYLOAD_INVALID = 0x99,
	ANSWER_QOS = 1, /**< of an answer that nobody subscribed to */
	TELL_QOS = 2,   /**< of what was subscribed to: as granted */
	SHOWN_MAX = 120
};

struct device_door {
	struct as *as;
	struct device_login *logins, *by_device, *arrived;
	struct device_meters *meters; /**< of each device that was here since the start */
	struct loop_timer *arrivals;
	struct rate_limits messages, telemetry, points;
	uint64_t next;
};

/** A message that waits for its commit before it is acknowledged. */
struct pending {
	struct as *as;
	uint64_t ticket;
};

bool device_door_owns(uint64_t login)
{
	return login & DEVICE_LOGIN;
}

static struct device_login *login_find(const struct device_door *d, uint64_t number)
{
	struct device_login *l;
	HASH_FIND(hh, d->logins, &number, sizeof number, l);
	return l;
}

static struct device_login *login_of(const struct device_door *d, uint64_t device)
{
	struct device_login *l;
	HASH_FIND(by_device, d->by_device, &device, sizeof device, l);
	return l;
}

/* ---- connecting ---- */

static bool asks_for_credentials(const struct mqtt_login_request *rq)
{
	return (rq->user.is_present && str_is(rq->user.s, "provision")) || str_is(rq->client_id, "provision");
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/** A device's own bounds, where the operator's are not narrower. */
static struct mqtt_limits limits_of_device(struct mqtt_limits all)
{
	struct mqtt_limits l = mqtt_limits_of_device();
	l.packet_bytes = least(l.packet_bytes, all.packet_bytes);
	l.topic_bytes = least(l.topic_bytes, all.topic_bytes);
	l.topic_levels = least(l.topic_levels, all.topic_levels);
	l.topic_aliases = least(l.topic_aliases, all.topic_aliases);
	l.queue_messages = least(l.queue_messages, all.queue_messages);
	l.queue_bytes = least(l.queue_bytes, all.queue_bytes);
	l.inflight = least(l.inflight, all.inflight);
	l.receive_max = least(l.receive_max, all.receive_max);
	l.subscriptions = least(l.subscriptions, all.subscriptions);
	l.filters = least(l.filters, all.filters);
	l.client_id_bytes = all.client_id_bytes;
	l.session_expiry_s = least(l.session_expiry_s, all.session_expiry_s);
	return l;
}

/** A device's newest login is the one that it is spoken to by. */
static int become_current(struct device_door *door, struct device_login *l)
{
	struct device_login *was = login_of(door, l->device);
	if (was) {
		HASH_DELETE(by_device, door->by_device, was);
		was->is_current = false;
	}
	HASH_ADD(by_device, door->by_device, device, sizeof l->device, l);
	l->is_current = l->by_device.tbl != NULL;
	return l->is_current ? 0 : -ENOMEM;
}

/** Its session may have subscriptions already: look, once the engine has let it in. */
static void expect(struct device_door *door, struct device_login *l)
{
	l->has_arrived = true;
	l->next_arrived = door->arrived;
	door->arrived = l;
	loop_timer_in(door->arrivals, 0);
}

static void forget_arrival(struct device_door *door, const struct device_login *l)
{
	for (struct device_login **at = &door->arrived; l->has_arrived && *at; at = &(*at)->next_arrived)
		if (*at == l) {
			*at = l->next_arrived;
			return;
		}
}

static void on_arrivals(void *ctx)
{
	struct device_door *door = ctx;
	while (door->arrived) {
		struct device_login *l = door->arrived;
		door->arrived = l->next_arrived;
		l->has_arrived = false;
		struct device *d = registry_device_by_uid(&door->as->registry, l->device);
		if (d && l->is_current)
			device_rooms_online(door->as, d);
	}
}

static void owner_of(struct text *t, const struct device *d)
{
	text_printf(t, "dev:%s", d->path);
}

/** @return NULL: no memory */
static struct device_meters *meters_of(struct device_door *door, const struct device *d)
{
	struct device_meters *m = NULL;
	if (d)
		HASH_FIND(hh, door->meters, &d->entry.uid, sizeof d->entry.uid, m);
	if (m)
		return m;
	m = calloc(1, sizeof *m);
	if (!m || !d) {
		if (m)
			m->is_gone = true;
		return m;
	}
	m->device = d->entry.uid;
	HASH_ADD(hh, door->meters, device, sizeof m->device, m);
	if (m->hh.tbl)
		return m;
	free(m);
	return NULL;
}

static void login_free(struct device_login *l)
{
	if (--l->meters->logins == 0 && l->meters->is_gone)
		free(l->meters);
	free(l);
}

/** @param d  NULL: it asks for credentials */
static enum mqtt_connack_code login_begin(struct device_door *door, const struct mqtt_login_request *rq, const struct device *d,
	struct mqtt_login *ret)
{
	struct device_login *l = calloc(1, sizeof *l);
	struct text owner = text_fixed(ret->owner, sizeof ret->owner);
	if (!l || !(l->meters = meters_of(door, d))) {
		free(l);
		return MQTT_REFUSED_UNAVAILABLE;
	}
	l->meters->logins++;
	l->number = ++door->next | DEVICE_LOGIN;
	l->peer = rq->peer;
	ret->login = l->number;
	ret->limits = limits_of_device(ret->limits);
	ret->keep_alive_max_s = (uint16_t)(door->as->settings->mqtt_keep_alive_max / SEC_US);
	if (d) {
		l->device = d->entry.uid;
		owner_of(&owner, d);
	} else {
		ret->limits.session_expiry_s = 0;
		text_printf(&owner, "provision:%llu", (unsigned long long)l->number);
	}
	HASH_ADD(hh, door->logins, number, sizeof l->number, l);
	if (!l->hh.tbl || (d && become_current(door, l))) {
		if (l->hh.tbl)
			HASH_DEL(door->logins, l);
		login_free(l);
		return MQTT_REFUSED_UNAVAILABLE;
	}
	if (d && (!rq->is_clean || rq->level == MQTT_5))
		expect(door, l);
	if (d)
		traces_add(door->as, EVENT_AS_DEVICE_CONNECT, d, NULL, 0, "");
	return MQTT_ACCEPTED;
}

static enum mqtt_connack_code refuse(struct device_door *door, enum mqtt_connack_code code, const char *why, struct text *ret_why)
{
	/* A token is a user name: it is written nowhere. */
	mqtt_events_refused(door->as, NULL, STR("(device)"), why);
	text_puts(ret_why, why);
	return code;
}

static enum mqtt_connack_code on_connect(void *ctx, const struct mqtt_login_request *rq, struct mqtt_login *ret_login, struct text *ret_why)
{
	struct device_door *door = ctx;
	const struct mqtt_peer *peer = rq->peer;
	struct as *as = door->as;
	struct tls_client shown;
	struct credentials_shown c = { .client_id = rq->client_id,
		.user = rq->user.is_present ? rq->user.s : STR(""), .password = rq->password.is_present ? rq->password.s : STR("") };
	uint64_t uid = 0;
	char locked[100];
	struct text wait = text_fixed(locked, sizeof locked);
	if (!doors_may_try(as, rq, &wait))
		return refuse(door, MQTT_REFUSED_RIGHTS, locked, ret_why);
	if (asks_for_credentials(rq))
		return login_begin(door, rq, NULL, ret_login);
	if (tls_client(peer->tls, &shown) == 0)
		c.certificate = shown.sha256;
	int r = credentials_judge(&as->credentials, &c, &uid);
	const struct device *d = r ? NULL : registry_device_by_uid(&as->registry, uid);
	doors_tried(as, rq, d != NULL);
	if (d)
		return login_begin(door, rq, d, ret_login);
	if (r == -EINVAL)
		return refuse(door, MQTT_REFUSED_CREDENTIALS,
			c.user.n ? "wrong password" : "no user name, and no device is known by this client id", ret_why);
	return refuse(door, MQTT_REFUSED_RIGHTS, "no application and no device has this user name", ret_why);
}

/* ---- what it may do ---- */

static uint8_t on_filter(void *ctx, uint64_t login, struct str filter, struct text *ret_narrowed)
{
	struct device_door *door = ctx;
	const struct device_login *l = login_find(door, login);
	(void)ret_narrowed;
	if (l && (l->device ? device_filter_is_own(filter) : device_filter_is_provision(filter)))
		return 0;
	mqtt_engine_explain(applications_engine(door->as), l && l->device
		? STR("a device subscribes to v1/devices/me/attributes, attributes/response/+, rpc/request/+ and rpc/response/+")
		: STR("before it has credentials, a device subscribes to " PROVISION_RESPONSE));
	return REASON_NOT_AUTHORIZED;
}

static bool on_may_read(void *ctx, uint64_t login)
{
	struct device_door *door = ctx;
	const struct device_login *l = login_find(door, login);
	return l && (!l->device || registry_device_by_uid(&door->as->registry, l->device));
}

static void on_subscribed(void *ctx, uint64_t login, struct str filter, uint8_t qos)
{
	struct device_door *door = ctx;
	const struct device_login *l = login_find(door, login);
	struct device *d = l && l->is_current ? registry_device_by_uid(&door->as->registry, l->device) : NULL;
	(void)filter, (void)qos;
	if (d)
		device_rooms_online(door->as, d);
}

static void on_acknowledged(void *ctx, uint64_t login, uint64_t cookie)
{
	struct device_door *door = ctx;
	const struct device_login *l = login_find(door, login);
	if (l && l->device)
		device_rooms_told(door->as, l->device, cookie);
}

static void on_disconnected(void *ctx, uint64_t login, uint8_t reason)
{
	struct device_door *door = ctx;
	struct device_login *l = login_find(door, login);
	if (!l)
		return;
	l->peer = NULL;
	forget_arrival(door, l);
	l->has_arrived = false;
	struct device *d = registry_device_by_uid(&door->as->registry, l->device);
	if (!l->is_current)
		return;
	HASH_DELETE(by_device, door->by_device, l);
	l->is_current = false;
	shared_offline(door->as, l->device);
	if (d) {
		char data[200];
		struct text t = text_fixed(data, sizeof data);
		json_open(&t, '{');
		json_name(&t, "message");
		json_puts(&t, reason ? mqtt_reason_text(reason) : "it said goodbye");
		json_close(&t, '}');
		traces_add(door->as, EVENT_AS_DEVICE_DISCONNECT, d, NULL, 0, data);
	}
}

static void on_released(void *ctx, uint64_t login)
{
	struct device_door *door = ctx;
	struct device_login *l = login_find(door, login);
	if (!l)
		return;
	on_disconnected(door, login, 0);
	HASH_DEL(door->logins, l);
	login_free(l);
}

/* ---- messages ---- */

enum mqtt_verdict device_drop(struct as *as, const struct device_message *m, enum device_drop why, const char *words, uint8_t *ret_reason)
{
	char data[300];
	struct text t = text_fixed(data, sizeof data);
	struct str topic = { m->pub->topic.p, m->pub->topic.n < SHOWN_MAX ? m->pub->topic.n : SHOWN_MAX };
	as->metrics.device_drops[why]++;
	json_open(&t, '{');
	json_name(&t, "reason");
	json_puts(&t, device_drop_label(why));
	json_name(&t, "topic");
	json_str(&t, topic);
	json_name(&t, "message");
	json_puts(&t, words);
	json_close(&t, '}');
	LOG(LOG_INFO, "device_message_dropped", KV_Z("device", m->device ? m->device->path : ""), KV_STR("topic", topic), KV_Z("reason", words));
	if (m->device)
		traces_add(as, EVENT_AS_UP_DATA_DROP, m->device, NULL, 0, t.failed ? "" : data);
	mqtt_engine_explain(applications_engine(as), str_of(words));
	*ret_reason = why == DEVICE_DROP_TOPIC ? REASON_TOPIC_INVALID : REASON_PAYLOAD_INVALID;
	return MQTT_DROP;
}

enum mqtt_verdict device_exceeded(struct as *as, const struct device_message *m, uint8_t *ret_reason)
{
	(void)device_drop(as, m, DEVICE_DROP_RATE, "it sends more than as.device-message-rate and its like let it", ret_reason);
	*ret_reason = REASON_RATE;
	return MQTT_CLOSE;
}

static bool may_send(struct device_door *door, const struct device_message *m)
{
	uint64_t now_us = loop_now(door->as->loop)->mono_us;
	struct device_meters *of = m->login->meters;
	return rate_take(&door->messages, &of->messages, 1, now_us) &&
	       (m->said.topic != TOPIC_TELEMETRY || rate_take(&door->telemetry, &of->telemetry, 1, now_us));
}

bool device_may_send_points(struct as *as, struct device_login *l, uint32_t n)
{
	struct device_door *door = as->device_door;
	return rate_take(&door->points, &l->meters->points, n, loop_now(as->loop)->mono_us);
}

static enum mqtt_verdict take(struct as *as, struct device_message *m, int read, uint8_t *ret_reason)
{
	if (read)
		return device_drop(as, m, DEVICE_DROP_PAYLOAD, "the number of a request is 0 to 2147483647", ret_reason);
	if (!m->login->device)
		return device_rooms_provision(as, m, ret_reason);
	if (!m->device)
		return MQTT_DROP;
	as->metrics.device_messages++;
	return device_rooms_take(as, m, ret_reason);
}

static enum mqtt_verdict on_publish(void *ctx, const struct mqtt_publication *pub, uint8_t *ret_reason)
{
	struct device_door *door = ctx;
	struct as *as = door->as;
	struct device_login *l = login_find(door, pub->login);
	if (!l)
		return MQTT_DROP;
	struct device_message m = { .login = l, .pub = pub, .body = { (const char *)pub->payload.p, pub->payload.n },
		.device = l->device ? registry_device_by_uid(&as->registry, l->device) : NULL };
	int read = device_topic_read(pub->topic, &m.said);
	if (!may_send(door, &m))
		return device_exceeded(as, &m, ret_reason);
	return take(as, &m, read, ret_reason);
}

static void durable(void *ctx)
{
	struct pending *p = ctx;
	mqtt_engine_taken(applications_engine(p->as), p->ticket, 0, loop_now(p->as->loop));
	free(p);
}

enum mqtt_verdict device_taken(struct as *as, const struct device_message *m)
{
	struct pending *p = m->pub->qos && !m->pub->is_will ? malloc(sizeof *p) : NULL;
	if (!p)
		return MQTT_TAKEN;
	*p = (struct pending){ as, m->pub->ticket };
	if (!store_after(as->store, durable, p))
		return MQTT_TAKEN_LATER;
	free(p);
	return MQTT_TAKEN;
}

/* ---- the way down ---- */

uint64_t device_door_login(const struct as *as, uint64_t device)
{
	const struct device_login *l = login_of(as->device_door, device);
	return l ? l->number : 0;
}

bool device_door_listens(const struct as *as, uint64_t device, enum device_answer a)
{
	const struct device_login *l = login_of(as->device_door, device);
	for (unsigned family = 0; l && family < DEVICE_FAMILIES; family++) {
		char topic[DEVICE_TOPIC_MAX];
		struct text t = text_fixed(topic, sizeof topic);
		device_topic_answer(&t, a, family, 1);
		if (mqtt_engine_listens(applications_engine(as->device_door->as), l->number, text_str(&t)))
			return true;
	}
	return false;
}

bool device_door_tell(struct as *as, uint64_t device, enum device_answer a, int32_t id, struct str json, uint64_t cookie)
{
	const struct device_login *l = login_of(as->device_door, device);
	struct mqtt_engine *e = applications_engine(as);
	for (unsigned family = 0; l && family < DEVICE_FAMILIES; family++) {
		char topic[DEVICE_TOPIC_MAX];
		struct text t = text_fixed(topic, sizeof topic);
		device_topic_answer(&t, a, family, id);
		const struct mqtt_message m = { .topic = text_str(&t), .payload = { (const uint8_t *)json.p, json.n }, .qos = TELL_QOS, .cookie = cookie };
		if (mqtt_engine_listens(e, l->number, m.topic))
			return mqtt_engine_answer(e, l->number, &m, loop_now(as->loop));
	}
	return false;
}

bool device_door_answer(struct as *as, uint64_t login, const char *topic, struct str json)
{
	const struct mqtt_message m = { .topic = str_of(topic), .payload = { (const uint8_t *)json.p, json.n }, .qos = ANSWER_QOS };
	return mqtt_engine_answer(applications_engine(as), login, &m, loop_now(as->loop));
}

/* ---- ends ---- */

static bool is_login(const void *arg, uint64_t login)
{
	return *(const uint64_t *)arg == login;
}

/** It has other credentials now: whoever came in with the old ones leaves. */
static void on_credentials(void *ctx, uint64_t device)
{
	struct device_door *door = ctx;
	const struct device_login *l = login_of(door, device);
	if (!l)
		return;
	const uint64_t number = l->number;
	mqtt_engine_kick(applications_engine(door->as), is_login, &number, REASON_NOT_AUTHORIZED, loop_now(door->as->loop));
}

static void meters_free(struct device_door *door, struct device_meters *m)
{
	HASH_DEL(door->meters, m);
	m->is_gone = true;
	if (m->logins == 0)
		free(m);
}

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct device_door *door = ctx;
	char owner[MQTT_OWNER_BYTES];
	struct text t = text_fixed(owner, sizeof owner);
	struct device_meters *m;
	if (c != CHANGE_DELETED)
		return;
	HASH_FIND(hh, door->meters, &d->entry.uid, sizeof d->entry.uid, m);
	if (m)
		meters_free(door, m);
	owner_of(&t, d);
	mqtt_engine_forget(applications_engine(door->as), text_str(&t), loop_now(door->as->loop));
}

static int read_rates(const struct as *as, struct device_door *door, struct text *err)
{
	const struct {
		const char *key, *value;
		struct rate_limits *ret;
	} rows[] = {
		{ "as.device-message-rate", as->settings->device_message_rate, &door->messages },
		{ "as.device-telemetry-rate", as->settings->device_telemetry_rate, &door->telemetry },
		{ "as.device-point-rate", as->settings->device_point_rate, &door->points },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rate_limits_parse(str_of(rows[i].value), rows[i].ret) == 0)
			continue;
		daemon_where(as->daemon, err, rows[i].key);
		text_printf(err, ": \"%s\" is no list of at most %d limits such as 200:1,6000:60 (200 in a second and 6000 in a minute)", rows[i].value, RATES_MAX);
		return -EINVAL;
	}
	return 0;
}

struct mqtt_policy device_door_policy(struct as *as)
{
	return (struct mqtt_policy){ .ctx = as->device_door, .connect = on_connect, .filter = on_filter, .publish = on_publish,
		.may_read = on_may_read, .disconnected = on_disconnected, .released = on_released, .subscribed = on_subscribed,
		.acknowledged = on_acknowledged };
}

int device_door_start(struct as *as, struct text *err)
{
	struct device_door *door = as->device_door = calloc(1, sizeof *door);
	if (!door)
		return -ENOMEM;
	door->as = as;
	door->arrivals = loop_timer_new(as->loop, on_arrivals, door);
	if (!door->arrivals)
		return -ENOMEM;
	TRY(read_rates(as, door, err));
	as->credentials.watch.fn = on_credentials;
	as->credentials.watch.ctx = door;
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = door });
	return 0;
}

void device_door_stop(struct as *as)
{
	struct device_door *door = as->device_door;
	struct device_login *l, *next;
	if (!door)
		return;
	as->credentials.watch.fn = NULL;
	HASH_CLEAR(by_device, door->by_device);
	HASH_ITER(hh, door->logins, l, next) {
		HASH_DEL(door->logins, l);
		login_free(l);
	}
	while (door->meters)
		meters_free(door, door->meters);
	loop_timer_free(door->arrivals);
	free(door);
	as->device_door = NULL;
}

/** @file What applications may do over MQTT. Topics are The Things Stack's:
 * v3/{application}/devices/{device}/….
 *
 * {application} is what the client gave as its user name: "app1", "app1@tenant1", or "app1@DEFAULT"
 * (as.default-tenant) for an application without a tenant, whose messages are published under both names.
 * Each name is an owner to the engine.
 */
#include "as/applications.h"
#include "as/callers.h"
#include "as/device_api/asks.h"
#include "as/device_api/door.h"
#include "as/doors.h"
#include "as/downlinks.h"
#include "as/mqtt_events.h"
#include "as/store.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC_ROOT "v3/"
enum {
	REASON_NOT_AUTHORIZED = 0x87,
	REASON_UNAVAILABLE = 0x88,
	REASON_TOPIC_INVALID = 0x90,
	REASON_PAYLOAD_INVALID = 0x99,
	QOS_MAX = 2,
	DEVICE_NAME_MAX = 100, /**< longer than any device id: what is wrong with one is answered, too */
};

/** One connection of an application. */
struct login {
	uint64_t number;
	char app[APP_KEY_TEXT];  /**< key of the application */
	char name[APP_KEY_TEXT]; /**< as in its topics */
	char key_id[API_KEY_ID + 1];
	uint64_t rights; /**< that it has had since it began, or since they last grew */
	UT_hash_handle hh;
};

struct applications {
	struct as *as;
	struct mqtt_engine *engine;
	struct mqtt_keep keep;
	struct callers callers;
	struct login *logins;
	uint64_t next_login;
	struct loop_timer *expiry; /**< of the first key of a login to end */
	uint64_t expiry_unix_us;   /**< UINT64_MAX: none does */
};

/** A push that waits for its commit before it is acknowledged. */
struct pending_push {
	struct as *as;
	uint64_t ticket;
	uint8_t reason;
};

static struct login *login_find(const struct applications *m, uint64_t number)
{
	struct login *l;
	HASH_FIND(hh, m->logins, &number, sizeof number, l);
	return l;
}

/** The rights of a login at this moment; 0 when its key or application has gone. */
static uint64_t rights_now(const struct applications *m, const struct login *l)
{
	const struct api_key *k = keyring_find(&m->as->keyring, str_of(l->key_id));
	const struct app *a = registry_app(&m->as->registry, str_of(l->app));
	if (!k || !a || (k->expires_unix_us && k->expires_unix_us <= loop_now(m->as->loop)->unix_us))
		return 0;
	return rights_expand(rights_on_app(k, a));
}

static bool has_right(const struct applications *m, const struct login *l, enum right r)
{
	return rights_now(m, l) & RIGHT_BIT(r);
}

static void expect_expiry(struct applications *m, const struct api_key *k)
{
	const struct now *now = loop_now(m->as->loop);
	if (!k->expires_unix_us || k->expires_unix_us >= m->expiry_unix_us)
		return;
	m->expiry_unix_us = k->expires_unix_us;
	loop_timer_in(m->expiry, k->expires_unix_us > now->unix_us ? k->expires_unix_us - now->unix_us : 0);
}

static bool has_expired(const void *arg, uint64_t login)
{
	const struct applications *m = arg;
	const struct login *l = login_find(m, login);
	const struct api_key *k = l ? keyring_find(&m->as->keyring, str_of(l->key_id)) : NULL;
	return k && k->expires_unix_us && k->expires_unix_us <= loop_now(m->as->loop)->unix_us;
}

/** A key that has ended ends what was begun with it, as one that is deleted does. */
static void expire(void *ctx)
{
	struct applications *m = ctx;
	m->expiry_unix_us = UINT64_MAX;
	mqtt_engine_kick(m->engine, has_expired, m, REASON_NOT_AUTHORIZED, loop_now(m->as->loop));
	for (const struct login *l = m->logins; l; l = l->hh.next) {
		const struct api_key *k = keyring_find(&m->as->keyring, str_of(l->key_id));
		if (k && !has_expired(m, l->number))
			expect_expiry(m, k);
	}
}

/** The key that lets a login in. @return NULL: nobody is let in, and why */
static const struct api_key *login_judge(
	struct as *as, const struct app *a, const struct mqtt_login_request *rq, struct problem *ret_why)
{
	struct str user = rq->user.is_present ? rq->user.s : STR(""),
		   password = rq->password.is_present ? rq->password.s : STR("");
	const struct api_key *key;
	if (!a)
		problem_say(ret_why, 0, "", "application %.*s not found", STR_ARG(user));
	else if (rights_check(&as->keyring, password, loop_now(as->loop), &key, ret_why))
		return NULL;
	else if (rights_on_app(key, a))
		return key;
	else
		problem_say(ret_why, 0, "", "api key with id %s has no right on application %s", key->id, a->key);
	return NULL;
}

static enum mqtt_connack_code login_begin(struct applications *m, struct str user, const struct app *a, const struct api_key *key,
	struct mqtt_login *ret_login)
{
	struct login *l = calloc(1, sizeof *l);
	if (!l || str_copy(user, l->name, sizeof l->name)) {
		free(l);
		return MQTT_REFUSED_UNAVAILABLE;
	}
	l->number = ++m->next_login;
	str_copy(str_of(a->key), l->app, sizeof l->app);
	str_copy(str_of(key->id), l->key_id, sizeof l->key_id);
	HASH_ADD(hh, m->logins, number, sizeof l->number, l);
	l->rights = rights_now(m, l);
	expect_expiry(m, key);
	ret_login->login = l->number;
	ret_login->keep_alive_max_s = (uint16_t)(m->as->settings->mqtt_keep_alive_max / SEC_US);
	struct text owner = text_fixed(ret_login->owner, sizeof ret_login->owner);
	text_printf(&owner, "app:%s", l->name);
	return MQTT_ACCEPTED;
}

static enum mqtt_connack_code on_connect(
	void *ctx, const struct mqtt_login_request *rq, struct mqtt_login *ret_login, struct text *ret_why)
{
	struct applications *m = ctx;
	struct as *as = m->as;
	struct str user = rq->user.is_present ? rq->user.s : STR("");
	const struct app *a = user.n ? registry_app(&as->registry, user) : NULL;
	struct problem why;
	char locked[100];
	struct text wait = text_fixed(locked, sizeof locked);
	if (!doors_may_try(as, rq, &wait)) {
		mqtt_events_refused(as, a, user, locked);
		text_puts(ret_why, locked);
		return MQTT_REFUSED_RIGHTS;
	}
	const struct api_key *key = login_judge(as, a, rq, &why);
	doors_tried(as, rq, key != NULL);
	if (key)
		return login_begin(m, user, a, key, ret_login);
	mqtt_events_refused(as, a, user, why.message);
	text_puts(ret_why, why.message);
	return MQTT_REFUSED_RIGHTS;
}

static uint8_t filter_refuse(struct applications *m, const char *why)
{
	mqtt_engine_explain(m->engine, str_of(why));
	return REASON_NOT_AUTHORIZED;
}

/** `#`, `v3/#` and `v3/+/…` mean the client's own application. */
static uint8_t on_filter(void *ctx, uint64_t login, struct str filter, struct text *ret_narrowed)
{
	struct applications *m = ctx;
	struct login *l = login_find(m, login);
	struct str first, second, rest;
	if (!l || !has_right(m, l, RIGHT_APPLICATION_TRAFFIC_READ))
		return filter_refuse(m, "the api key lacks RIGHT_APPLICATION_TRAFFIC_READ");
	if (str_is(filter, "#") || str_is(filter, TOPIC_ROOT "#")) {
		text_printf(ret_narrowed, TOPIC_ROOT "%s/#", l->name);
		return 0;
	}
	rest = str_cut(filter, '/', &first);
	if (!str_is(first, "v3") || !rest.n)
		return filter_refuse(m, "subscribe to v3/{application id}/devices/{device id}/... of your own application");
	struct str below = str_cut(rest, '/', &second);
	bool has_more = second.n < rest.n;
	if (!has_more || !(str_is(second, "+") || str_is(second, l->name)))
		return filter_refuse(m, "subscribe to v3/{application id}/devices/{device id}/... of your own application");
	text_printf(ret_narrowed, TOPIC_ROOT "%s/%.*s", l->name, STR_ARG(below));
	return 0;
}

/** Is this a name of the login's application? Its own is; so is the other one that as.default-tenant gives.
 */
static bool is_name_of(const struct applications *m, const struct login *l, struct str name)
{
	const struct app *a = registry_app(&m->as->registry, name);
	return a && !strcmp(a->key, l->app);
}

/** "v3/{name}/devices/{device}/down/push": the device, which need not exist, and whether it is a replace. */
static bool parse_push(const struct applications *m, const struct login *l, struct str topic,
	struct str *ret_device, bool *ret_replace)
{
	struct str root, name, devices, down, verb;
	struct str rest = str_cut(topic, '/', &root);
	rest = str_cut(rest, '/', &name);
	rest = str_cut(rest, '/', &devices);
	rest = str_cut(rest, '/', ret_device);
	rest = str_cut(rest, '/', &down);
	verb = rest;
	*ret_replace = str_is(verb, "replace");
	return str_is(root, "v3") && is_name_of(m, l, name) && str_is(devices, "devices") && ret_device->n &&
	       ret_device->n <= DEVICE_NAME_MAX && str_is(down, "down") &&
	       (*ret_replace || str_is(verb, "push"));
}

static void drop(struct applications *m, const struct login *l, struct str topic, const char *why)
{
	char data[300];
	struct text t = text_fixed(data, sizeof data);
	struct str shown = { topic.p, topic.n < 120 ? topic.n : 120 };
	json_open(&t, '{');
	json_name(&t, "topic");
	json_str(&t, shown);
	json_name(&t, "error");
	json_puts(&t, why);
	json_close(&t, '}');
	LOG(LOG_INFO, "publish_dropped", KV_Z("application", l->app), KV_STR("topic", shown),
		KV_Z("reason", why));
	mqtt_engine_explain(m->engine, str_of(why));
	traces_add_app(m->as, EVENT_AS_DOWN_DATA_DROP, registry_app(&m->as->registry, str_of(l->app)), data);
}

static void push_durable(void *ctx)
{
	struct pending_push *p = ctx;
	mqtt_engine_taken(p->as->applications->engine, p->ticket, p->reason, loop_now(p->as->loop));
	free(p);
}

/** Acknowledge once all that was written so far is on disk. */
static enum mqtt_verdict taken_when_durable(struct as *as, uint64_t ticket, uint8_t reason)
{
	struct pending_push *p = malloc(sizeof *p);
	if (!p)
		return MQTT_TAKEN;
	*p = (struct pending_push){as, ticket, reason};
	if (!store_after(as->store, push_durable, p))
		return MQTT_TAKEN_LATER;
	free(p);
	return MQTT_TAKEN;
}

static enum mqtt_verdict take_push(struct applications *m, const struct login *l,
	const struct mqtt_publication *pub, struct str device, bool is_replace, uint8_t *ret_reason)
{
	const struct app *a = registry_app(&m->as->registry, str_of(l->app));
	bool is_acknowledged = pub->qos && !pub->is_will;
	struct str body = { (const char *)pub->payload.p, pub->payload.n };
	struct downlinks_result result;
	char device_id[DEVICE_NAME_MAX + 1];
	if (!a || str_copy(device, device_id, sizeof device_id))
		return MQTT_DROP;
	int r = downlinks_request(m->as, a, device_id, body, is_replace, NULL, &result);
	if (r < 0) {
		LOG(LOG_ERROR, "push_not_taken", KV_Z("application", a->key), KV_Z("device", device_id),
			KV_Z("error", strerror(-r)));
		*ret_reason = REASON_UNAVAILABLE;
		/* Not acknowledged: the client keeps it, and sends it again when it connects again. */
		if (is_acknowledged)
			return MQTT_CLOSE;
		downlinks_refuse(m->as, a, device_id, "store_unavailable");
		return MQTT_DROP;
	}
	if (result.error)
		*ret_reason = REASON_PAYLOAD_INVALID;
	return is_acknowledged ? taken_when_durable(m->as, pub->ticket, *ret_reason) : MQTT_TAKEN;
}

/** The answer to a call that a device has made. */
static enum mqtt_verdict take_answer(struct applications *m, const struct login *l, const struct mqtt_publication *pub, uint8_t *ret_reason)
{
	const struct app *a = registry_app(&m->as->registry, str_of(l->app));
	int r = a ? asks_take_answer(m->as, a, pub->topic, (struct str){ (const char *)pub->payload.p, pub->payload.n }) : -EINVAL;
	if (!r)
		return MQTT_TAKEN;
	drop(m, l, pub->topic, r == -EBADMSG ? "an answer to a device is JSON" : "no device of the application waits for this answer");
	*ret_reason = r == -EBADMSG ? REASON_PAYLOAD_INVALID : REASON_TOPIC_INVALID;
	return MQTT_DROP;
}

static enum mqtt_verdict on_publish(void *ctx, const struct mqtt_publication *pub, uint8_t *ret_reason)
{
	struct applications *m = ctx;
	struct login *l = login_find(m, pub->login);
	struct str device;
	bool is_replace;
	if (!l)
		return MQTT_DROP;
	bool is_answer = asks_is_answer(pub->topic);
	if (!is_answer && !parse_push(m, l, pub->topic, &device, &is_replace)) {
		drop(m, l, pub->topic,
			"publish to v3/{application id}/devices/{device id}/down/push or down/replace of "
			"your own application");
		*ret_reason = REASON_TOPIC_INVALID;
		return MQTT_DROP;
	}
	if (!has_right(m, l, RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE)) {
		drop(m, l, pub->topic, "the api key lacks RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE");
		*ret_reason = REASON_NOT_AUTHORIZED;
		return MQTT_DROP;
	}
	return is_answer ? take_answer(m, l, pub, ret_reason) : take_push(m, l, pub, device, is_replace, ret_reason);
}

static bool on_may_read(void *ctx, uint64_t login)
{
	struct applications *m = ctx;
	struct login *l = login_find(m, login);
	return l && has_right(m, l, RIGHT_APPLICATION_TRAFFIC_READ);
}

static void on_disconnected(void *ctx, uint64_t login, uint8_t reason)
{
	(void)ctx;
	LOG(LOG_DEBUG, "mqtt_disconnected", KV_U("login", login), KV_U("reason", reason));
}

static void on_released(void *ctx, uint64_t login)
{
	struct applications *m = ctx;
	struct login *l = login_find(m, login);
	if (!l)
		return;
	HASH_DEL(m->logins, l);
	free(l);
}

static void on_lost(void *ctx, const struct mqtt_loss *loss)
{
	mqtt_events_lost(((struct applications *)ctx)->as, loss);
}

struct kick {
	const struct applications *m;
	const char *key_id;
};

/** Does a login with this key have less than before? Rights that were taken away also end what is going on; the client comes back
 * with what is left. */
static bool is_narrowed(const void *arg, uint64_t login)
{
	const struct kick *k = arg;
	const struct login *l = login_find(k->m, login);
	return l && !strcmp(l->key_id, k->key_id) && l->rights & ~rights_now(k->m, l);
}

static void on_key(void *ctx, const struct api_key *k, enum change c)
{
	struct applications *m = ctx;
	if (c == CHANGE_CREATED)
		return;
	mqtt_engine_kick(m->engine, is_narrowed, &(struct kick){ m, k->id }, REASON_NOT_AUTHORIZED, loop_now(m->as->loop));
	if (c == CHANGE_DELETED)
		return;
	for (struct login *l = m->logins; l; l = l->hh.next)
		if (!strcmp(l->key_id, k->id))
			l->rights = rights_now(m, l);
	expect_expiry(m, k);
}

/** Both names of an application, the second only where no application has it as its own. */
static void for_each_name(
	struct as *as, const struct app *a, void (*fn)(struct as *as, struct str name, void *ctx), void *ctx)
{
	char alias[APP_KEY_TEXT + ID_MAX + 2];
	fn(as, str_of(a->key), ctx);
	if (a->tenant[0] || !as->settings->default_tenant[0])
		return;
	snprintf(alias, sizeof alias, "%s@%s", a->id, as->settings->default_tenant);
	if (registry_app(&as->registry, str_of(alias)) == a)
		fn(as, str_of(alias), ctx);
}

static void forget_name(struct as *as, struct str name, void *ctx)
{
	char owner[MQTT_OWNER_BYTES];
	struct text t = text_fixed(owner, sizeof owner);
	(void)ctx;
	text_printf(&t, "app:%.*s", STR_ARG(name));
	mqtt_engine_forget(as->applications->engine, text_str(&t), loop_now(as->loop));
}

static void on_app(void *ctx, struct app *a, enum change c)
{
	struct applications *m = ctx;
	if (c == CHANGE_DELETED)
		for_each_name(m->as, a, forget_name, NULL);
}

struct publication {
	struct str tail, json;
	size_t taken;
};

static void publish_under(struct as *as, struct str name, void *ctx)
{
	char owner[MQTT_OWNER_BYTES], topic[320];
	struct text o = text_fixed(owner, sizeof owner), t = text_fixed(topic, sizeof topic);
	struct publication *p = ctx;
	text_printf(&o, "app:%.*s", STR_ARG(name));
	text_printf(&t, TOPIC_ROOT "%.*s%.*s", STR_ARG(name), STR_ARG(p->tail));
	struct mqtt_message m = {
		.topic = text_str(&t), .payload = { (const uint8_t *)p->json.p, p->json.n }, .qos = QOS_MAX
	};
	if (!t.failed && !o.failed)
		p->taken +=
			mqtt_engine_publish(as->applications->engine, text_str(&o), &m, loop_now(as->loop));
}

size_t applications_publish(struct as *as, const struct app *a, struct str tail, struct str json)
{
	struct publication p = { tail, json, 0 };
	(void)applications_reach(as); /* what clients published meanwhile */
	for_each_name(as, a, publish_under, &p);
	return p.taken;
}

struct mqtt_reach applications_reach(struct as *as)
{
	return mqtt_engine_reach(as->applications->engine);
}

/* ---- sessions that outlive this process ---- */

enum { MQTT_KEY_MAX = 33 };

struct head_count {
	uint32_t there, away;
};

static void count_under(struct as *as, struct str name, void *ctx)
{
	char owner[MQTT_OWNER_BYTES];
	struct text o = text_fixed(owner, sizeof owner);
	struct head_count *n = ctx;
	uint32_t there, away;
	text_printf(&o, "app:%.*s", STR_ARG(name));
	mqtt_engine_count(as->applications->engine, text_str(&o), &there, &away);
	n->there += there;
	n->away += away;
}

void applications_count(struct as *as, const struct app *a, uint32_t *ret_there, uint32_t *ret_away)
{
	struct head_count n = { 0 };
	for_each_name(as, a, count_under, &n);
	*ret_there = n.there;
	*ret_away = n.away;
}

static struct slice mqtt_key(uint8_t buf[MQTT_KEY_MAX], struct slice key)
{
	struct writer w = writer_of(buf, MQTT_KEY_MAX);
	writer_u8(&w, TABLE_MQTT);
	writer_put(&w, key.p, key.n);
	return (struct slice){ buf, w.len };
}

static void keep_put(void *ctx, struct slice key, struct slice value)
{
	struct as *as = ctx;
	uint8_t buf[MQTT_KEY_MAX];
	int r = as->store ? store_put(as->store, mqtt_key(buf, key), value) : -ENODEV;
	if (r)
		LOG(LOG_ERROR, "mqtt_session_not_stored", KV_Z("error", strerror(-r)));
}

static void keep_del(void *ctx, struct slice key)
{
	struct as *as = ctx;
	uint8_t buf[MQTT_KEY_MAX];
	int r = as->store ? store_del(as->store, mqtt_key(buf, key)) : -ENODEV;
	if (r)
		LOG(LOG_ERROR, "mqtt_session_not_stored", KV_Z("error", strerror(-r)));
}

static int load_session(void *ctx, struct slice key, struct slice value)
{
	struct as *as = ctx;
	return mqtt_engine_load(
		as->applications->engine, (struct slice){ key.p + 1, key.n - 1 }, value, loop_now(as->loop));
}

static int start_engine(struct as *as, struct text *err)
{
	static const uint8_t prefix[] = { TABLE_MQTT };
	struct applications *m = as->applications;
	m->keep = (struct mqtt_keep){ as, keep_put, keep_del };
	m->callers = (struct callers){ as,
		.application = { .ctx = m,
			.connect = on_connect,
			.filter = on_filter,
			.publish = on_publish,
			.may_read = on_may_read,
			.disconnected = on_disconnected,
			.released = on_released,
			.lost = on_lost },
		.device = device_door_policy(as) };
	struct mqtt_engine_options o = {
		.policy = callers_policy(&m->callers),
		.keep = &m->keep,
		.limits = mqtt_limits_default(),
		.seed = rng_u64(&as->rng),
	};
	o.limits.retained_messages = 0; /* the retain flag is accepted and ignored */
	doors_fit(as, &o);
	m->engine = mqtt_engine_new(&o);
	if (!m->engine)
		return -ENOMEM;
	int r = store_scan(as->store, (struct slice){ prefix, 1 }, (struct slice){ 0 }, load_session, as);
	if (r)
		text_printf(err, "the store's MQTT sessions cannot be read: %s", strerror(-r));
	return r;
}

int applications_start(struct as *as, struct text *err)
{
	struct applications *m = as->applications = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	m->as = as;
	m->expiry_unix_us = UINT64_MAX;
	m->expiry = loop_timer_new(as->loop, expire, m);
	if (!m->expiry)
		return -ENOMEM;
	TRY(start_engine(as, err));
	registry_watch(&as->registry, &(struct registry_watch){ .app = on_app, .ctx = m });
	keyring_watch(&as->keyring, on_key, m);
	return doors_open(as, m->engine, err);
}

struct mqtt_engine *applications_engine(struct as *as)
{
	return as->applications->engine;
}

const struct mqtt_stats *applications_mqtt(struct as *as)
{
	return mqtt_engine_stats(as->applications->engine);
}

void applications_end(struct as *as)
{
	if (!as->applications || !as->applications->engine)
		return;
	doors_close(as);
	mqtt_engine_shutdown(as->applications->engine, loop_now(as->loop));
}

void applications_stop(struct as *as)
{
	struct applications *m = as->applications;
	struct login *l, *next;
	if (!m)
		return;
	if (m->engine)
		mqtt_engine_free(m->engine);
	loop_timer_free(m->expiry);
	HASH_ITER(hh, m->logins, l, next) {
		HASH_DEL(m->logins, l);
		free(l);
	}
	free(m);
	as->applications = NULL;
}

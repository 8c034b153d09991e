/** @file Messages of Pub/Sub integrations: what waits goes to the broker, what the broker asks for becomes downlinks. */
#include "as/core/integration/body.h"
#include "as/downlinks.h"
#include "as/integrations/pubsubs_inside.h"
#include "as/store.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { INBOX_KEY = 11, NO_LIMIT = 1 << 20, DROPS_A_TURN = 500 };

static uint64_t now_us(const struct pubsub_own *own)
{
	return loop_now(own->i->as->loop)->mono_us;
}

static struct pubsub_own *own_of(struct as *as, uint64_t number)
{
	struct integration *i = as->integrations ? integrations_by_number(as, number) : NULL;
	return i ? i->own : NULL;
}

/* ---- to the broker ---- */

/** @return the sub-topic of this kind of message; NULL: it is not sent any more */
static const char *sub_of(const struct pubsub_own *own, enum message_kind kind)
{
	return own->settings->v[PUBSUB_UP + kind];
}

static void topic_of(struct text *t, const struct pubsub_own *own, const struct spool_message *m)
{
	const struct app *a = registry_app(&own->i->as->registry, str_of(own->i->app));
	pubsub_topic(t, pubsub_get(own->settings, PUBSUB_BASE), sub_of(own, m->kind),
		&(struct pubsub_names){ a ? a->id : "", m->device_id, m->has_dev_eui, m->dev_eui });
}

/** @return as mqtt_client_send, or -ENOENT: it is gone */
static int send_one(struct pubsub_own *own, const struct spool_entry *e)
{
	struct integration *i = own->i;
	struct spool_message m;
	char buf[PUBSUB_TOPIC_MAX + 1], why[200];
	struct text topic = text_fixed(buf, sizeof buf), t = text_fixed(why, sizeof why);
	struct mqtt_item item = { .number = e->seq, .state = MQTT_ITEM_RECEIVED, .qos = 2 };
	if (e->state == SPOOL_WAITING) {
		int r = integrations_read(i, item.number, &m);
		if (r)
			return r;
		if (!sub_of(own, m.kind)) {
			integrations_drop(i, item.number, "no_topic");
			return -ENOENT;
		}
		topic_of(&topic, own, &m);
		item = (struct mqtt_item){ item.number, MQTT_ITEM_WAITING, own->settings->publish_qos, text_str(&topic), { (const uint8_t *)m.body.p, m.body.n } };
	}
	int r = mqtt_client_send(mqtt_link_client(own->link), &item, now_us(own), &t);
	if (r == MQTT_CLIENT_E_NEVER) {
		integrations_warn(i, why);
		integrations_drop(i, item.number, "refused");
		return -ENOENT;
	}
	if (r == 0 && item.number > own->offered)
		own->offered = item.number;
	return r;
}

void pubsub_offer(struct pubsub_own *own)
{
	const struct spool_entry *e;
	size_t dropped = 0;
	while (own->link && !own->is_settling && mqtt_client_is_connected(mqtt_link_client(own->link)) && (e = spool_next(&own->i->spool, NO_LIMIT))) {
		uint64_t seq = e->seq;
		int r = send_one(own, e);
		/* A kind that is not sent any more may fill the whole spool. */
		if (r == -ENOENT && ++dropped == DROPS_A_TURN) {
			integrations_wake_soon(own->i);
			break;
		}
		if (r == 0 || r == -ENOENT)
			continue;
		spool_return(&own->i->spool, seq);
		if (r < 0)
			LOG(LOG_ERROR, "pubsub_not_sent", KV_Z("application", own->i->app), KV_Z("id", own->i->id), KV_Z("error", strerror(-r)));
		break;
	}
}

/** The broker has taken it: said in the trace of the message. */
static void tell_forward(struct pubsub_own *own, uint64_t seq)
{
	struct as *as = own->i->as;
	struct spool_message m;
	struct body_cids cids;
	char data[TRACES_DATA_MAX], buf[PUBSUB_TOPIC_MAX + 1];
	struct text t = text_fixed(data, sizeof data), topic = text_fixed(buf, sizeof buf);
	const struct app *a = registry_app(&as->registry, str_of(own->i->app));
	char device_id[SPOOL_DEVICE_MAX + 1];
	if (!a || !traces_wants(as, EVENT_AS_PUBSUB_FORWARD, NULL) || integrations_read(own->i, seq, &m) || !m.body.n || !sub_of(own, m.kind))
		return;
	str_copy(m.device_id, device_id, sizeof device_id);
	body_cids(m.body, &cids);
	topic_of(&topic, own, &m);
	json_open(&t, '{');
	json_name(&t, "integration_id");
	json_puts(&t, own->i->id);
	json_name(&t, "topic");
	json_puts(&t, buf);
	json_name(&t, "qos");
	json_unum(&t, own->settings->publish_qos);
	json_name(&t, "duration_us");
	json_unum(&t, us_since(m.unix_us, loop_now(as->loop)->unix_us));
	json_close(&t, '}');
	traces_note(as, EVENT_AS_PUBSUB_FORWARD, &(struct traces_of){ registry_device(&as->registry, a, str_of(device_id)), a, cids.own, cids.own_n },
		cids.v, cids.len, t.failed ? "" : data);
}

static void received_durable(struct as *as, uint64_t number, uint64_t seq)
{
	struct pubsub_own *own = own_of(as, number);
	if (own && own->link)
		mqtt_client_stored(mqtt_link_client(own->link), seq, now_us(own));
}

static void on_outcome(void *ctx, uint64_t number, enum mqtt_outcome what, struct str words)
{
	struct pubsub_own *own = ctx;
	char why[INTEGRATION_ERROR_MAX];
	struct text t = text_fixed(why, sizeof why);
	switch (what) {
	case MQTT_OUTCOME_RECEIVED:
		tell_forward(own, number);
		if (integrations_received(own->i, number, received_durable))
			LOG(LOG_ERROR, "integration_not_stored", KV_Z("application", own->i->app), KV_Z("id", own->i->id));
		break;
	case MQTT_OUTCOME_DONE:
		tell_forward(own, number);
		integrations_sent(own->i, number);
		break;
	case MQTT_OUTCOME_REFUSED:
		text_put(&t, words);
		integrations_warn(own->i, why);
		integrations_drop(own->i, number, "refused");
		break;
	}
}

static void on_room(void *ctx)
{
	pubsub_offer(ctx);
}

/* ---- ids of QoS 2 that the broker has not released ---- */

static struct slice inbox_key(uint8_t buf[INBOX_KEY], const struct integration *i, uint16_t id)
{
	struct writer w = writer_of(buf, INBOX_KEY);
	writer_u8(&w, TABLE_INBOX);
	writer_be64(&w, i->number);
	writer_be16(&w, id);
	return (struct slice){ buf, w.len };
}

static int remember_one(void *ctx, struct slice key, struct slice value)
{
	struct pubsub_own *own = ctx;
	struct reader r = reader_of(key.p, key.n);
	(void)value;
	reader_take(&r, UID_KEY);
	uint16_t id = reader_be16(&r);
	/* More than it can hold: those that are left out may come twice. */
	return !r.failed && mqtt_client_remember(mqtt_link_client(own->link), id) ? 1 : 0;
}

int pubsub_remember(struct pubsub_own *own)
{
	uint8_t prefix[UID_KEY];
	int r = store_scan(own->i->as->store, as_store_uid_key(prefix, TABLE_INBOX, own->i->number), (struct slice){ 0 }, remember_one, own);
	return r < 0 ? r : 0;
}

struct settling {
	struct as *as;
	uint64_t number, connected_us;
};

static void begin(struct pubsub_own *own)
{
	own->is_settling = false;
	spool_return_all(&own->i->spool);
	pubsub_offer(own);
}

static void on_settled(void *ctx)
{
	struct settling s = *(struct settling *)ctx;
	free(ctx);
	struct pubsub_own *own = own_of(s.as, s.number);
	if (own && own->connected_us == s.connected_us)
		begin(own);
}

/** What an earlier connection was told of messages (PUBREC) must be on disk before this one goes on from there: a PUBREL that leaves
 * sooner lets a crash send the message a second time. Without memory that is risked. */
static void settle(struct pubsub_own *own)
{
	struct settling *s = malloc(sizeof *s);
	if (s)
		*s = (struct settling){ own->i->as, own->i->number, own->connected_us };
	own->is_settling = true;
	if (!s || store_after(own->i->as->store, on_settled, s)) {
		free(s);
		begin(own);
	}
}

static void on_connected(void *ctx, bool has_session)
{
	struct pubsub_own *own = ctx;
	uint8_t prefix[UID_KEY];
	own->connected_us = now_us(own);
	integrations_connected(own->i);
	if (!has_session)
		(void)as_store_forget(own->i->as->store, as_store_uid_key(prefix, TABLE_INBOX, own->i->number));
	settle(own);
}

/* ---- from the broker ---- */

/** A message that is to be acknowledged once what it changed, and had published, is on disk. */
struct acceptance {
	struct as *as;
	uint64_t number, serial, token;
};

static void accept_durable(void *ctx)
{
	struct acceptance *a = ctx;
	struct pubsub_own *own = own_of(a->as, a->number);
	if (own && own->link && own->serial == a->serial)
		mqtt_client_accept(mqtt_link_client(own->link), a->token, now_us(own));
	free(a);
}

static void accept_later(struct pubsub_own *own, uint64_t token)
{
	struct acceptance *a = malloc(sizeof *a);
	if (a) {
		*a = (struct acceptance){ own->i->as, own->i->number, own->serial, token };
		if (!store_after(own->i->as->store, accept_durable, a))
			return;
	}
	free(a);
	mqtt_client_accept(mqtt_link_client(own->link), token, now_us(own));
}

/** Whose queue, and why not. */
struct addressee {
	char device_id[SPOOL_DEVICE_MAX + 1];
	const char *error;
};

static void name_device(struct addressee *to, struct str id)
{
	char wish[sizeof to->device_id];
	if (str_copy(id, wish, sizeof wish))
		to->error = "the device's id is too long";
	else if (to->device_id[0] && strcmp(to->device_id, wish))
		to->error = "the topic names another device than the message";
	else
		memcpy(to->device_id, wish, sizeof wish);
}

/** An EUI in a topic: that of a device, or the id of one that has none. */
static void name_by_eui(struct addressee *to, const struct app *a, struct str s)
{
	uint64_t eui;
	if (hex_eui(s, &eui) == 0)
		for (const struct device *d = a->devices; d; d = d->next_of_app)
			if (d->has_dev_eui && d->dev_eui == eui) {
				name_device(to, str_of(d->id));
				return;
			}
	name_device(to, s);
}

/** What the body says of application and device; one that is no JSON says nothing. */
static void read_body(struct addressee *to, const struct app *a, struct str body)
{
	size_t max = body.n / 2 + 16;
	struct json_tok *tok = calloc(max, sizeof *tok);
	char app[APP_KEY_TEXT] = "", device[APP_KEY_TEXT] = "";
	struct json j;
	if (!tok) {
		to->error = "there is no memory for it";
		return;
	}
	bool is_json = !json_parse_first(body, tok, max, &j, NULL);
	if (is_json && tts_request_device(&j, app, device, sizeof app))
		to->error = "end_device_ids cannot be read";
	else if (*app && strcmp(app, a->id) && strcmp(app, a->key))
		to->error = "it is for another application";
	else if (*device)
		name_device(to, str_of(device));
	free(tok);
}

/** @return the queue, or why there is none */
static struct addressee find_addressee(const struct pubsub_own *own, const struct app *a, enum pubsub_down down, const struct mqtt_incoming *m)
{
	struct addressee to = { .error = NULL };
	struct pubsub_place at;
	struct str body = { (const char *)m->payload.p, m->payload.n };
	if (m->is_retained) {
		to.error = "it is a retained message, which the broker sends again at every connection: publish downlinks without retain";
		return to;
	}
	pubsub_topic_place(pubsub_get(own->settings, PUBSUB_BASE), pubsub_get(own->settings, PUBSUB_DOWN + down), a->id, m->topic, &at);
	if (at.device_id.n)
		name_device(&to, at.device_id);
	if (!to.error && at.dev_eui.n)
		name_by_eui(&to, a, at.dev_eui);
	if (!to.error)
		read_body(&to, a, body);
	if (!to.error && !to.device_id[0])
		to.error = "it names no device: {\"end_device_ids\":{\"device_id\":…,\"application_ids\":{\"application_id\":…}},\"downlinks\":[…]}";
	return to;
}

static void tell_refused(struct pubsub_own *own, const struct app *a, const struct mqtt_incoming *m, const char *why)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	struct str topic = { m->topic.p, m->topic.n < 120 ? m->topic.n : 120 };
	LOG(LOG_WARN, "pubsub_refused", KV_Z("application", own->i->app), KV_Z("id", own->i->id), KV_STR("topic", topic), KV_Z("reason", why));
	json_open(&t, '{');
	json_name(&t, "integration_id");
	json_puts(&t, own->i->id);
	json_name(&t, "topic");
	json_str(&t, topic);
	json_name(&t, "error");
	json_puts(&t, why);
	json_close(&t, '}');
	traces_add_app(own->i->as, EVENT_AS_PUBSUB_REFUSE, a, t.failed ? "" : data);
}

static void take(struct pubsub_own *own, const struct mqtt_incoming *m)
{
	struct as *as = own->i->as;
	const struct app *a = registry_app(&as->registry, str_of(own->i->app));
	enum pubsub_down down = m->filter < own->n_downs ? own->downs[m->filter] : PUBSUB_PUSH;
	struct downlinks_result result;
	own->i->received++;
	as->metrics.integrations_received[INTEGRATION_PUBSUB]++;
	if (!a)
		return;
	struct addressee to = find_addressee(own, a, down, m);
	if (to.error) {
		tell_refused(own, a, m, to.error);
		return;
	}
	int r = downlinks_request(as, a, to.device_id, (struct str){ (const char *)m->payload.p, m->payload.n }, down == PUBSUB_REPLACE, NULL, &result);
	if (r < 0) {
		downlinks_refuse(as, a, to.device_id, "store_unavailable");
		tell_refused(own, a, m, "the store cannot take it now");
	}
}

static void on_message(void *ctx, const struct mqtt_incoming *m)
{
	struct pubsub_own *own = ctx;
	uint8_t key[INBOX_KEY];
	take(own, m);
	if (m->qos == 2)
		(void)store_put(own->i->as->store, inbox_key(key, own->i, m->id), (struct slice){ key, 0 });
	if (m->qos)
		accept_later(own, m->token);
}

static void on_released(void *ctx, uint16_t id, uint64_t token)
{
	struct pubsub_own *own = ctx;
	uint8_t key[INBOX_KEY];
	(void)store_del(own->i->as->store, inbox_key(key, own->i, id));
	accept_later(own, token);
}

static void on_warning(void *ctx, struct str words)
{
	struct pubsub_own *own = ctx;
	char why[INTEGRATION_ERROR_MAX];
	struct text t = text_fixed(why, sizeof why);
	text_put(&t, words);
	integrations_warn(own->i, why);
}

const struct mqtt_client_user pubsub_traffic = {
	.connected = on_connected,
	.room = on_room,
	.outcome = on_outcome,
	.message = on_message,
	.released = on_released,
	.warning = on_warning,
};

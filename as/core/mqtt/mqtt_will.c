/** @file Wills: messages that a lost connection leaves behind [MQTT311 3.1.2.5; MQTT5 3.1.3.2.2]. */
#include "as/core/mqtt/mqtt_inside.h"
#include <stdlib.h>
#include <string.h>

struct mqtt_will *mqtt_will_new(struct mqtt_engine *e, const struct mqtt_connect *p, const struct mqtt_session *s, uint64_t login)
{
	struct str owner = mqtt_owner_name(s->owner), client = mqtt_session_client(s);
	struct mqtt_will *w = malloc(sizeof *w + owner.n + client.n);
	struct mqtt_msg *m = mqtt_message_new(e, p->will_topic, p->will_payload, p->will_props.raw, p->will_qos);
	if (!w || !m) {
		mqtt_message_free(e, m);
		free(w);
		return NULL;
	}
	*w = (struct mqtt_will){ .msg = m, .login = login, .delay_s = mqtt_props_u(&p->will_props, MQTT_PROP_WILL_DELAY, 0),
		.retained_max = s->limits.retained_messages, .level = p->level, .retain = p->will_retain,
		.has_expiry = mqtt_props_has(&p->will_props, MQTT_PROP_MESSAGE_EXPIRY),
		.expiry_s = mqtt_props_u(&p->will_props, MQTT_PROP_MESSAGE_EXPIRY, 0), .owner_n = owner.n, .client_n = client.n };
	if (owner.n)
		memcpy(w->text, owner.p, owner.n);
	if (client.n)
		memcpy(w->text + owner.n, client.p, client.n);
	return w;
}

void mqtt_will_free(struct mqtt_engine *e, struct mqtt_will *w)
{
	if (!w)
		return;
	mqtt_message_free(e, w->msg);
	free(w);
}

void mqtt_will_cancel(struct mqtt_engine *e, struct mqtt_session *s)
{
	struct mqtt_will *w = TAKE(s->will);
	heap_remove(&e->wills, &s->will_due);
	if (!w)
		return;
	uint64_t login = w->login;
	mqtt_will_free(e, w);
	if (e->policy.released)
		e->policy.released(e->policy.ctx, login);
}

static void will_route(struct mqtt_engine *e, const struct mqtt_will *w, struct str owner, const struct now *now)
{
	struct mqtt_owner *o = w->msg->bytes[2] == '$' ? NULL : mqtt_owner_get(e, owner);
	if (!o)
		return;
	w->msg->expiry_unix_us = w->has_expiry ? now->unix_us + w->expiry_s * SEC_US : 0;
	if (w->retain)
		mqtt_retain_set(e, o, w->msg, w->retained_max);
	(void)mqtt_deliver_fan_out(e, o, w->msg, w->retain, NULL, now);
}

void mqtt_will_publish(struct mqtt_engine *e, struct mqtt_will *w, const struct now *now)
{
	if (!w)
		return;
	struct str owner = { w->text, w->owner_n }, client = { w->text + w->owner_n, w->client_n };
	const struct mqtt_publication pub = { .login = w->login, .owner = owner, .client_id = client, .topic = mqtt_message_topic(w->msg),
		.payload = mqtt_message_payload(w->msg), .level = w->level, .qos = w->msg->qos, .retain = w->retain, .is_will = true };
	uint8_t reason = 0;
	if (e->policy.publish(e->policy.ctx, &pub, &reason) == MQTT_ROUTE)
		will_route(e, w, owner, now);
	struct mqtt_owner *o = mqtt_owner_find(e, owner); /* its last session may have left this will */
	if (o)
		mqtt_owner_settle(e, o);
	mqtt_will_free(e, w);
}

/** @file Retained messages: the last one of each topic of an owner, for subscribers yet to come [MQTT311 3.3.1.3]. */
#include "as/core/mqtt/mqtt_inside.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>

struct mqtt_retained {
	struct mqtt_map_node by_topic;
	struct mqtt_retained *prev, *next; /* in the owner */
	struct mqtt_owner *owner;
	struct mqtt_msg *msg;
	uint64_t number;
};

static struct mqtt_retained *retained_find(struct mqtt_engine *e, struct mqtt_owner *o, struct str topic, uint64_t hash)
{
	for (struct mqtt_map_node *n = mqtt_map_find(&e->topics, hash); n; n = mqtt_map_next(n)) {
		struct mqtt_retained *r = CONTAINER_OF(n, struct mqtt_retained, by_topic);
		if (r->owner == o && str_eq(mqtt_message_topic(r->msg), topic))
			return r;
	}
	return NULL;
}

static void retained_free(struct mqtt_engine *e, struct mqtt_retained *r, bool forget)
{
	if (forget)
		mqtt_keep_retained_gone(e, r->number);
	mqtt_map_remove(&e->topics, &r->by_topic);
	if (r->next)
		r->next->prev = r->prev;
	if (r->prev)
		r->prev->next = r->next;
	else
		r->owner->retained = r->next;
	r->owner->retained_n--;
	e->stats.retained--;
	mqtt_message_free(e, r->msg);
	free(r);
}

int mqtt_retain_add(struct mqtt_engine *e, struct mqtt_owner *o, struct mqtt_msg *m, uint64_t number)
{
	struct str topic = mqtt_message_topic(m);
	struct mqtt_retained *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	if (mqtt_map_add(&e->topics, &r->by_topic, mqtt_map_hash(&e->topics, (uintptr_t)o, topic.p, topic.n))) {
		free(r);
		return -ENOMEM;
	}
	r->owner = o;
	r->msg = mqtt_message_ref(m);
	r->number = number;
	r->next = o->retained;
	if (r->next)
		r->next->prev = r;
	o->retained = r;
	o->retained_n++;
	e->stats.retained++;
	if (number >= e->next_retained)
		e->next_retained = number + 1;
	return 0;
}

void mqtt_retain_set(struct mqtt_engine *e, struct mqtt_owner *o, struct mqtt_msg *m, uint32_t max)
{
	struct str topic = mqtt_message_topic(m);
	struct mqtt_retained *old = retained_find(e, o, topic, mqtt_map_hash(&e->topics, (uintptr_t)o, topic.p, topic.n));
	if (old)
		retained_free(e, old, true);
	if (m->payload_n == 0 || max == 0)
		return;
	if (o->retained_n >= max || e->stats.message_bytes > e->total_bytes) {
		e->stats.dropped_queue++;
		return;
	}
	uint64_t number = e->next_retained;
	if (mqtt_retain_add(e, o, m, number) == 0)
		mqtt_keep_retained(e, o, m, number);
}

void mqtt_retain_replay(struct mqtt_engine *e, struct mqtt_sub *sub, const struct now *now)
{
	for (struct mqtt_retained *r = sub->session->owner->retained, *next; r; r = next) {
		next = r->next;
		if (r->msg->expiry_unix_us && r->msg->expiry_unix_us <= now->unix_us) {
			retained_free(e, r, true);
			continue;
		}
		if (mqtt_topic_match(mqtt_sub_filter(sub), mqtt_message_topic(r->msg)))
			(void)mqtt_deliver_to(e, sub->session, r->msg, r->msg->qos < sub->qos ? r->msg->qos : sub->qos, true, sub, now);
	}
}

void mqtt_retain_clear(struct mqtt_engine *e, struct mqtt_owner *o, bool forget)
{
	while (o->retained)
		retained_free(e, o->retained, forget);
}

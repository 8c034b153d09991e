/** @file What waits for a session and what is in flight to it: order, bounds, packet ids. */
#include "as/core/mqtt/mqtt_inside.h"
#include "as/core/mqtt/mqtt_loss.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>

static size_t sub_ids_match(const struct mqtt_session *s, struct str topic, uint32_t *ids)
{
	size_t n = 0;
	for (const struct mqtt_sub *sub = s->sub_ids_n ? s->subs : NULL; sub; sub = sub->next)
		if (sub->sub_id && !sub->share && !(sub->no_local && s->hit_is_own) && mqtt_topic_match(mqtt_sub_filter(sub), topic)) {
			if (ids)
				ids[n] = sub->sub_id;
			n++;
		}
	return n;
}

struct mqtt_out *mqtt_queue_new(struct mqtt_session *s, struct mqtt_msg *m, uint8_t qos, bool retain, const struct mqtt_sub *only)
{
	size_t n = only ? only->sub_id != 0 : sub_ids_match(s, mqtt_message_topic(m), NULL);
	struct mqtt_out *out = malloc(sizeof *out + n * sizeof out->sub_ids[0]);
	if (!out)
		return NULL;
	*out = (struct mqtt_out){ .msg = mqtt_message_ref(m), .seq = s->next_seq++, .qos = qos, .retain = retain, .sub_ids_n = n };
	if (only && n)
		out->sub_ids[0] = only->sub_id;
	else if (n)
		(void)sub_ids_match(s, mqtt_message_topic(m), out->sub_ids);
	return out;
}

void mqtt_queue_free(struct mqtt_engine *e, struct mqtt_out *out)
{
	if (!out)
		return;
	mqtt_message_free(e, out->msg);
	free(out);
}

void mqtt_queue_append(struct mqtt_outs *q, struct mqtt_out *out)
{
	if (!q->first)
		q->last = &q->first;
	out->next = NULL;
	*q->last = out;
	q->last = &out->next;
	q->n++;
}

void mqtt_queue_remove(struct mqtt_outs *q, struct mqtt_out *out)
{
	struct mqtt_out **at = &q->first;
	while (*at && *at != out)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = out->next;
	if (!*at)
		q->last = at;
	q->n--;
}

void mqtt_queue_land(struct mqtt_session *s, struct mqtt_out *out)
{
	mqtt_queue_remove(&s->inflight, out);
	s->unsent_n -= out->is_unsent;
	out->is_unsent = false;
}

struct mqtt_out *mqtt_queue_find(struct mqtt_session *s, uint16_t id)
{
	struct mqtt_out *out = s->inflight.first;
	while (out && out->id != id)
		out = out->next;
	return out;
}

void mqtt_queue_unwait(struct mqtt_session *s, struct mqtt_out *out)
{
	mqtt_queue_remove(&s->queue, out);
	s->queue_bytes -= out->msg->cost;
	s->queue_qos0 -= out->qos == 0;
}

static void victim_drop(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_out *out)
{
	mqtt_queue_unwait(s, out);
	if (out->qos)
		mqtt_loss_add(e, s);
	else
		e->stats.dropped_qos0++;
	mqtt_keep_out_gone(e, s, out);
	mqtt_queue_free(e, out);
}

/* Who gives way: the oldest QoS 0, else, for something better than QoS 0, the oldest of all. NULL: the newcomer itself. */
static struct mqtt_out *victim_find(struct mqtt_session *s, const struct mqtt_out *newcomer)
{
	struct mqtt_out *out = s->queue.first;
	if (s->queue_qos0 == 0)
		return newcomer->qos ? out : NULL;
	while (out && out->qos)
		out = out->next;
	return out;
}

bool mqtt_queue_push(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_out *out)
{
	size_t cost = out->msg->cost;
	while (s->queue.n >= s->limits.queue_messages || s->queue_bytes + cost > s->limits.queue_bytes ||
		e->stats.message_bytes > e->total_bytes) {
		struct mqtt_out *victim = e->stats.message_bytes > e->total_bytes ? NULL : victim_find(s, out);
		if (!victim) {
			if (out->qos)
				mqtt_loss_add(e, s);
			else
				e->stats.dropped_qos0++;
			mqtt_queue_free(e, out);
			return false;
		}
		victim_drop(e, s, victim);
	}
	out->state = OUT_WAITS;
	mqtt_queue_append(&s->queue, out);
	s->queue_bytes += cost;
	s->queue_qos0 += out->qos == 0;
	mqtt_keep_out(e, s, out);
	return true;
}

struct mqtt_out *mqtt_queue_pop(struct mqtt_session *s)
{
	struct mqtt_out *out = s->queue.first;
	if (out)
		mqtt_queue_unwait(s, out);
	return out;
}

uint16_t mqtt_queue_id(struct mqtt_session *s)
{
	do
		s->next_id = s->next_id == UINT16_MAX ? 1 : (uint16_t)(s->next_id + 1);
	while (mqtt_queue_find(s, s->next_id));
	return s->next_id;
}

void mqtt_queue_clear(struct mqtt_engine *e, struct mqtt_session *s)
{
	for (struct mqtt_out *out; (out = mqtt_queue_pop(s));) {
		mqtt_keep_out_gone(e, s, out);
		mqtt_queue_free(e, out);
	}
}

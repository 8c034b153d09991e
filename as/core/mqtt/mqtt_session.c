/** @file Sessions: what the server remembers of a client, with or without a connection [MQTT311 4.1]. */
#include "as/core/mqtt/mqtt_inside.h"
#include <stdlib.h>
#include <string.h>

enum { RECEIVED_BYTES = 65536 / 8 };

struct str mqtt_session_client(const struct mqtt_session *s)
{
	return (struct str){ s->client, s->client_n };
}

static uint64_t client_hash(struct mqtt_engine *e, const struct mqtt_owner *o, struct str client)
{
	return mqtt_map_hash(&e->clients, (uintptr_t)o, client.p, client.n);
}

struct mqtt_session *mqtt_session_find(struct mqtt_engine *e, struct mqtt_owner *o, struct str client)
{
	struct mqtt_map_node *n = mqtt_map_find(&e->clients, client_hash(e, o, client));
	for (; n; n = mqtt_map_next(n)) {
		struct mqtt_session *s = CONTAINER_OF(n, struct mqtt_session, by_client);
		if (s->owner == o && str_eq(mqtt_session_client(s), client))
			return s;
	}
	return NULL;
}

int mqtt_session_new(struct mqtt_engine *e, struct mqtt_owner *o, struct str client, struct mqtt_session **ret)
{
	TRY(mqtt_conn_room(&e->ends, e->stats.sessions + 1));
	TRY(mqtt_conn_room(&e->wills, e->stats.sessions + 1));
	TRY(mqtt_conn_room(&e->losses, e->stats.sessions + 1));
	struct mqtt_session *s = calloc(1, sizeof *s + client.n);
	if (!s)
		return -ENOMEM;
	s->owner = o;
	s->limits = e->limits;
	s->client_n = client.n;
	if (client.n)
		memcpy(s->client, client.p, client.n);
	if (mqtt_map_add(&e->clients, &s->by_client, client_hash(e, o, client))) {
		free(s);
		return -ENOMEM;
	}
	s->number = e->next_session++;
	s->next = o->sessions;
	if (o->sessions)
		o->sessions->prev = s;
	o->sessions = s;
	o->sessions_n++;
	e->stats.sessions++;
	*ret = s;
	return 0;
}

static void flights_free(struct mqtt_engine *e, struct mqtt_session *s)
{
	for (struct mqtt_out *out; (out = s->inflight.first);) {
		mqtt_queue_remove(&s->inflight, out);
		mqtt_queue_free(e, out);
	}
	for (struct mqtt_out *out; (out = mqtt_queue_pop(s));)
		mqtt_queue_free(e, out);
}

void mqtt_session_free(struct mqtt_engine *e, struct mqtt_session *s, bool forget)
{
	if (forget)
		mqtt_keep_session_gone(e, s);
	mqtt_flow_forget(e, s);
	if (e->loaded == s)
		e->loaded = NULL;
	while (s->subs)
		mqtt_sub_free(e, s->subs);
	flights_free(e, s);
	heap_remove(&e->ends, &s->ends);
	heap_remove(&e->wills, &s->will_due);
	heap_remove(&e->losses, &s->loss_due);
	mqtt_map_remove(&e->clients, &s->by_client);
	struct mqtt_owner *o = s->owner;
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		o->sessions = s->next;
	o->sessions_n--;
	e->stats.sessions--;
	mqtt_will_free(e, s->will);
	free(s->received);
	free(s);
}

/* The connection is over. The session stays for a while, or goes now. */
void mqtt_session_offline(struct mqtt_engine *e, struct mqtt_session *s, const struct now *now)
{
	s->conn = NULL;
	s->owner->connected_n--;
	if (s->expiry_s == 0) {
		mqtt_session_free(e, s, true);
		return;
	}
	/* QoS 0 does not wait for absent clients. */
	for (struct mqtt_out *out = s->queue.first, *next; s->queue_qos0 && out; out = next) {
		next = out->next;
		if (out->qos)
			continue;
		mqtt_queue_unwait(s, out);
		e->stats.dropped_qos0++;
		mqtt_queue_free(e, out);
	}
	if (s->received && s->received_n == 0) {
		free(s->received);
		s->received = NULL;
	}
	(void)heap_set(&e->ends, &s->ends, now->mono_us + s->expiry_s * SEC_US);
	mqtt_keep_session(e, s, now);
}

bool mqtt_session_has_received(const struct mqtt_session *s, uint16_t id)
{
	return s->received && s->received[id / 8] >> (id % 8) & 1;
}

int mqtt_session_receive(struct mqtt_engine *e, struct mqtt_session *s, uint16_t id)
{
	if (!s->received)
		s->received = calloc(1, RECEIVED_BYTES);
	if (!s->received)
		return -ENOMEM;
	s->received[id / 8] |= (uint8_t)(1U << (id % 8));
	s->received_n++;
	mqtt_keep_received(e, s, id, true);
	return 0;
}

bool mqtt_session_release(struct mqtt_engine *e, struct mqtt_session *s, uint16_t id)
{
	if (!mqtt_session_has_received(s, id))
		return false;
	s->received[id / 8] &= (uint8_t)~(1U << (id % 8));
	s->received_n--;
	mqtt_keep_received(e, s, id, false);
	return true;
}

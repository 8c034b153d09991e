/** @file Sessions and retained messages as records, and back. Keys: 0, session number (8), kind (1), what tells records of one kind
 * apart; so that in byte order a session comes first, then all that belongs to it. Retained messages: 1, number (8). */
#include "as/core/mqtt/mqtt_inside.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>

enum kind { KEEP_SESSION, KEEP_SUB, KEEP_RECEIVED, KEEP_OUT, KEEP_FLIGHT, KEEP_RETAINED };
enum group { GROUP_SESSIONS, GROUP_RETAINED };
enum { KEY_BYTES = 32 };

struct key_bytes {
	uint8_t b[KEY_BYTES];
	size_t n;
};

static struct key_bytes key_of(enum kind kind, uint64_t number, unsigned bytes, uint64_t rest)
{
	struct key_bytes k;
	struct writer w = writer_of(k.b, sizeof k.b);
	writer_u8(&w, kind == KEEP_RETAINED ? GROUP_RETAINED : GROUP_SESSIONS);
	writer_be64(&w, number);
	if (kind != KEEP_RETAINED)
		writer_u8(&w, (uint8_t)kind);
	if (bytes == 2)
		writer_be16(&w, (uint16_t)rest);
	else if (bytes == 8)
		writer_be64(&w, rest);
	k.n = w.len;
	return k;
}

static void put(struct mqtt_engine *e, const struct key_bytes *k, const struct writer *w)
{
	e->kept++;
	if (!w->failed && !e->is_loading)
		e->keep->put(e->keep->ctx, (struct slice){ k->b, k->n }, (struct slice){ w->p, w->len });
}

static void del(struct mqtt_engine *e, const struct key_bytes *k)
{
	if (!e->is_loading)
		e->keep->del(e->keep->ctx, (struct slice){ k->b, k->n });
}

void mqtt_keep_session(struct mqtt_engine *e, const struct mqtt_session *s, const struct now *now)
{
	if (!s->is_kept)
		return;
	struct str owner = mqtt_owner_name(s->owner);
	size_t room = 32 + owner.n + s->client_n;
	uint8_t *b = malloc(room);
	if (!b)
		return;
	struct writer w = writer_of(b, room);
	writer_be32(&w, s->expiry_s);
	writer_be64(&w, s->conn ? 0 : now->unix_us);
	writer_be32(&w, s->limits.queue_messages);
	writer_be32(&w, s->limits.queue_bytes);
	mqtt_str_write(&w, owner);
	mqtt_str_write(&w, mqtt_session_client(s));
	struct key_bytes k = key_of(KEEP_SESSION, s->number, 0, 0);
	put(e, &k, &w);
	free(b);
}

void mqtt_keep_session_gone(struct mqtt_engine *e, const struct mqtt_session *s)
{
	if (!s->is_kept)
		return;
	struct key_bytes k = key_of(KEEP_SESSION, s->number, 0, 0);
	del(e, &k);
	for (const struct mqtt_sub *sub = s->subs; sub; sub = sub->next)
		mqtt_keep_sub_gone(e, sub);
	for (const struct mqtt_out *out = s->inflight.first; out; out = out->next)
		mqtt_keep_out_gone(e, s, out);
	for (const struct mqtt_out *out = s->queue.first; out; out = out->next)
		mqtt_keep_out_gone(e, s, out);
	for (uint32_t id = 1; s->received_n && id <= UINT16_MAX; id++)
		if (mqtt_session_has_received(s, (uint16_t)id))
			mqtt_keep_received(e, s, (uint16_t)id, false);
}

void mqtt_keep_sub(struct mqtt_engine *e, const struct mqtt_sub *sub)
{
	if (!sub->session->is_kept)
		return;
	size_t room = 16U + sub->own_n + sub->narrowed_n;
	uint8_t *b = malloc(room);
	if (!b)
		return;
	struct writer w = writer_of(b, room);
	writer_u8(&w, sub->qos);
	writer_u8(&w, (uint8_t)((sub->no_local ? 1 : 0) | (sub->retain_as_published ? 2 : 0)));
	writer_be32(&w, sub->sub_id);
	mqtt_str_write(&w, mqtt_sub_own(sub));
	mqtt_str_write(&w, mqtt_sub_filter(sub));
	struct key_bytes k = key_of(KEEP_SUB, sub->session->number, 8, sub->number);
	put(e, &k, &w);
	free(b);
}

void mqtt_keep_sub_gone(struct mqtt_engine *e, const struct mqtt_sub *sub)
{
	struct key_bytes k = key_of(KEEP_SUB, sub->session->number, 8, sub->number);
	if (sub->session->is_kept)
		del(e, &k);
}

void mqtt_keep_received(struct mqtt_engine *e, const struct mqtt_session *s, uint16_t id, bool is_there)
{
	struct key_bytes k = key_of(KEEP_RECEIVED, s->number, 2, id);
	uint8_t one = 1;
	struct writer w = { .p = &one, .len = 1, .cap = 1 };
	if (s->is_kept && is_there)
		put(e, &k, &w);
	else if (s->is_kept)
		del(e, &k);
}

static void message_write(struct writer *w, const struct mqtt_msg *m)
{
	struct slice payload = mqtt_message_payload(m), props = mqtt_message_props(m);
	writer_u8(w, m->qos);
	writer_be64(w, m->expiry_unix_us);
	writer_be64(w, m->cookie);
	mqtt_str_write(w, mqtt_message_topic(m));
	writer_be32(w, (uint32_t)payload.n);
	writer_put(w, payload.p, payload.n);
	writer_be32(w, (uint32_t)props.n);
	writer_put(w, props.p, props.n);
}

static struct mqtt_msg *message_read(struct mqtt_engine *e, struct reader *r)
{
	uint8_t qos = reader_u8(r);
	uint64_t expiry_unix_us = reader_be64(r), cookie = reader_be64(r);
	struct str topic = mqtt_str_read(r);
	struct slice payload = reader_take(r, reader_be32(r));
	struct slice props = reader_take(r, reader_be32(r));
	if (r->failed || qos > 2 || !mqtt_topic_valid(topic))
		return NULL;
	struct mqtt_msg *m = mqtt_message_new(e, topic, payload, props, qos);
	if (m) {
		m->expiry_unix_us = expiry_unix_us;
		m->cookie = cookie;
	}
	return m;
}

void mqtt_keep_out(struct mqtt_engine *e, const struct mqtt_session *s, const struct mqtt_out *out)
{
	if (!s->is_kept || out->qos == 0)
		return;
	size_t room = out->msg->cost + 64 + out->sub_ids_n * 4;
	uint8_t *b = malloc(room);
	if (!b)
		return;
	struct writer w = writer_of(b, room);
	writer_u8(&w, out->qos);
	writer_u8(&w, out->retain);
	message_write(&w, out->msg);
	writer_be16(&w, (uint16_t)out->sub_ids_n);
	for (size_t i = 0; i < out->sub_ids_n; i++)
		writer_be32(&w, out->sub_ids[i]);
	struct key_bytes k = key_of(KEEP_OUT, s->number, 8, out->seq);
	put(e, &k, &w);
	free(b);
}

void mqtt_keep_out_state(struct mqtt_engine *e, const struct mqtt_session *s, const struct mqtt_out *out)
{
	if (!s->is_kept)
		return;
	uint8_t b[3];
	struct writer w = writer_of(b, sizeof b);
	writer_be16(&w, out->id);
	writer_u8(&w, out->state);
	struct key_bytes k = key_of(KEEP_FLIGHT, s->number, 8, out->seq);
	put(e, &k, &w);
}

void mqtt_keep_out_gone(struct mqtt_engine *e, const struct mqtt_session *s, const struct mqtt_out *out)
{
	if (!s->is_kept || out->qos == 0)
		return;
	struct key_bytes k = key_of(KEEP_OUT, s->number, 8, out->seq);
	del(e, &k);
	k = key_of(KEEP_FLIGHT, s->number, 8, out->seq);
	if (out->id)
		del(e, &k);
}

void mqtt_keep_retained(struct mqtt_engine *e, const struct mqtt_owner *o, const struct mqtt_msg *m, uint64_t number)
{
	size_t room = m->cost + 64 + o->name_n;
	uint8_t *b = e->keep ? malloc(room) : NULL;
	if (!b)
		return;
	struct writer w = writer_of(b, room);
	mqtt_str_write(&w, mqtt_owner_name(o));
	message_write(&w, m);
	struct key_bytes k = key_of(KEEP_RETAINED, number, 0, 0);
	put(e, &k, &w);
	free(b);
}

void mqtt_keep_retained_gone(struct mqtt_engine *e, uint64_t number)
{
	struct key_bytes k = key_of(KEEP_RETAINED, number, 0, 0);
	if (e->keep)
		del(e, &k);
}

/* And back. */

static int session_load(struct mqtt_engine *e, uint64_t number, struct reader *r, const struct now *now)
{
	uint32_t expiry_s = reader_be32(r);
	uint64_t since_unix_us = reader_be64(r);
	uint32_t queue_messages = reader_be32(r), queue_bytes = reader_be32(r);
	struct str name = mqtt_str_read(r), client = mqtt_str_read(r);
	if (r->failed || number == 0)
		return -EPROTO;
	struct mqtt_owner *o = mqtt_owner_get(e, name);
	struct mqtt_session *s;
	if (!o)
		return -ENOMEM;
	int rc = mqtt_session_new(e, o, client, &s);
	if (rc) {
		mqtt_owner_settle(e, o);
		return rc;
	}
	e->loaded = s;
	s->number = number;
	if (number >= e->next_session)
		e->next_session = number + 1;
	s->is_kept = true;
	s->expiry_s = expiry_s;
	s->limits.queue_messages = queue_messages;
	s->limits.queue_bytes = queue_bytes;
	uint64_t gone_us = since_unix_us && since_unix_us < now->unix_us ? now->unix_us - since_unix_us : 0;
	uint64_t whole_us = expiry_s * SEC_US;
	return heap_set(&e->ends, &s->ends, now->mono_us + (whole_us > gone_us ? whole_us - gone_us : 0));
}

static int sub_load(struct mqtt_engine *e, struct mqtt_session *s, uint64_t sub_number, struct reader *r)
{
	struct mqtt_filter f = { .qos = reader_u8(r) & 3 };
	uint8_t options = reader_u8(r);
	uint32_t sub_id = reader_be32(r);
	f.filter = mqtt_str_read(r);
	struct str narrowed = mqtt_str_read(r);
	if (r->failed || f.filter.n == 0 || !mqtt_filter_valid(narrowed))
		return -EPROTO;
	f.no_local = options & 1;
	f.retain_as_published = options & 2;
	struct mqtt_sub *sub;
	TRY(mqtt_sub_put(e, s, &f, narrowed, sub_id, &sub, &(bool){ false }));
	sub->number = (uint32_t)sub_number;
	if (sub->number >= s->next_sub)
		s->next_sub = sub->number + 1;
	return 0;
}

static int out_load(struct mqtt_engine *e, struct mqtt_session *s, uint64_t seq, struct reader *r)
{
	uint8_t qos = reader_u8(r) & 3;
	bool retain = reader_u8(r);
	struct mqtt_msg *m = message_read(e, r);
	if (!m)
		return -EPROTO;
	size_t n = reader_be16(r);
	struct mqtt_out *out = calloc(1, sizeof *out + n * sizeof out->sub_ids[0]);
	if (!out || reader_left(r) < n * 4) {
		free(out);
		mqtt_message_free(e, m);
		return out ? -EPROTO : -ENOMEM;
	}
	out->msg = m;
	out->seq = seq;
	out->qos = qos;
	out->retain = retain;
	out->sub_ids_n = n;
	for (size_t i = 0; i < n; i++)
		out->sub_ids[i] = reader_be32(r);
	mqtt_queue_append(&s->queue, out);
	s->queue_bytes += m->cost;
	if (seq >= s->next_seq)
		s->next_seq = seq + 1;
	return 0;
}

/* It was in flight: it goes before what waits. */
static int flight_load(struct mqtt_session *s, uint64_t seq, struct reader *r)
{
	uint16_t id = reader_be16(r);
	uint8_t state = reader_u8(r);
	struct mqtt_out *out = s->queue.first;
	while (out && out->seq != seq)
		out = out->next;
	if (r->failed || !out || id == 0 || (state != OUT_SENT && state != OUT_RECEIVED))
		return -EPROTO;
	mqtt_queue_unwait(s, out);
	out->id = id;
	out->state = state;
	mqtt_queue_append(&s->inflight, out);
	s->next_id = id;
	return 0;
}

static int retained_load(struct mqtt_engine *e, uint64_t number, struct reader *r)
{
	struct mqtt_owner *o = mqtt_owner_get(e, mqtt_str_read(r));
	if (!o)
		return -ENOMEM;
	struct mqtt_msg *m = message_read(e, r);
	int rc = m ? mqtt_retain_add(e, o, m, number) : -EPROTO;
	mqtt_message_free(e, m);
	mqtt_owner_settle(e, o);
	return rc;
}

static int part_load(struct mqtt_engine *e, struct mqtt_session *s, struct reader *k, struct reader *r)
{
	uint8_t kind = reader_u8(k);
	uint64_t rest = kind == KEEP_RECEIVED ? reader_be16(k) : reader_be64(k);
	if (k->failed)
		return -EPROTO;
	switch (kind) {
	case KEEP_SUB: return sub_load(e, s, rest, r);
	case KEEP_RECEIVED: return mqtt_session_receive(e, s, (uint16_t)rest);
	case KEEP_OUT: return out_load(e, s, rest, r);
	case KEEP_FLIGHT: return flight_load(s, rest, r);
	default: return -EPROTO;
	}
}

static int record_load(struct mqtt_engine *e, struct slice key, struct slice value, const struct now *now)
{
	struct reader k = reader_of(key.p, key.n), r = reader_of(value.p, value.n);
	uint8_t group = reader_u8(&k);
	uint64_t number = reader_be64(&k);
	if (k.failed || group > GROUP_RETAINED)
		return -EPROTO;
	if (group == GROUP_RETAINED)
		return retained_load(e, number, &r);
	if (reader_left(&k) == 1 && *k.p == KEEP_SESSION)
		return session_load(e, number, &r, now);
	struct mqtt_session *s = e->loaded;
	return s && s->number == number ? part_load(e, s, &k, &r) : -EPROTO;
}

int mqtt_engine_load(struct mqtt_engine *e, struct slice key, struct slice value, const struct now *now)
{
	e->is_loading = true;
	int rc = record_load(e, key, value, now);
	e->is_loading = false;
	return rc;
}

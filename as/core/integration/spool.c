/** @file The outbox of one integration. */
#include "as/core/integration/spool.h"
#include <stdlib.h>
#include <string.h>

enum { RECORD_VERSION = 1, FLAG_DEV_EUI = 1, HEAD_MAX = 24, MARK_BYTES = 8, CAP_MIN = 16, ENTRY_COST = sizeof(struct spool_entry) };
#define CLOCK_IS_SET_US (UINT64_C(1577836800) * SEC_US) /* 2020: a wall clock before that was never set */

/* ---- records ---- */

/** Everything but the body. */
static void write_head(struct writer *w, const struct spool_message *m, enum spool_state state)
{
	writer_u8(w, RECORD_VERSION);
	writer_u8(w, (uint8_t)state);
	writer_u8(w, (uint8_t)m->kind);
	writer_u8(w, m->has_dev_eui ? FLAG_DEV_EUI : 0);
	writer_be64(w, m->unix_us);
	if (m->has_dev_eui)
		writer_be64(w, m->dev_eui);
	writer_u8(w, (uint8_t)m->device_id.n);
	writer_put(w, m->device_id.p, m->device_id.n);
}

int spool_read(struct slice record, struct spool_message *ret, enum spool_state *ret_state)
{
	struct reader r = reader_of(record.p, record.n);
	uint8_t version = reader_u8(&r), state = reader_u8(&r), kind = reader_u8(&r), flags = reader_u8(&r);
	struct spool_message m = { .unix_us = reader_be64(&r), .has_dev_eui = flags & FLAG_DEV_EUI };
	if (m.has_dev_eui)
		m.dev_eui = reader_be64(&r);
	uint8_t id_n = reader_u8(&r);
	struct slice id = reader_take(&r, id_n), body = reader_take(&r, reader_left(&r));
	if (r.failed || version != RECORD_VERSION || state > SPOOL_RECEIVED || kind >= KIND_N || id_n > SPOOL_DEVICE_MAX)
		return -EPROTO;
	m.kind = kind;
	m.device_id = (struct str){ (const char *)id.p, id.n };
	m.body = (struct str){ (const char *)body.p, body.n };
	*ret = m;
	*ret_state = state;
	return 0;
}

/* ---- entries, in order of their numbers ---- */

void spool_init(struct spool *o, uint64_t number)
{
	*o = (struct spool){ .number = number, .next = 1, .reserved = 1 };
}

void spool_done(struct spool *o)
{
	free(o->v);
	o->v = NULL;
	o->n = o->head = o->cap = o->n_out = 0;
	o->bytes = 0;
}

/** @return where the first stands whose number is not below seq */
static size_t lower_bound(const struct spool *o, uint64_t seq)
{
	size_t low = o->head, high = o->head + o->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (o->v[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct spool_entry *find(const struct spool *o, uint64_t seq)
{
	size_t at = lower_bound(o, seq);
	return at < o->head + o->n && o->v[at].seq == seq ? &o->v[at] : NULL;
}

const struct spool_entry *spool_find(const struct spool *o, uint64_t seq)
{
	return find(o, seq);
}

/** Room for one more at the end. @return 0; -ENOMEM */
static int make_room(struct spool *o)
{
	if (o->head + o->n < o->cap)
		return 0;
	if (o->head > o->cap / 2) {
		memmove(o->v, o->v + o->head, o->n * sizeof *o->v);
		o->head = 0;
		return 0;
	}
	size_t cap = o->cap ? o->cap * 2 : CAP_MIN;
	struct spool_entry *v = reallocarray(o->v, cap, sizeof *v);
	if (!v)
		return -ENOMEM;
	o->v = v;
	o->cap = cap;
	return 0;
}

static uint32_t cost(size_t record)
{
	return (uint32_t)(record + ENTRY_COST);
}

static void append(struct spool *o, const struct spool_entry *e)
{
	o->v[o->head + o->n++] = *e;
	o->bytes += e->size;
	o->next = e->seq + 1;
}

/** Take an entry out; near the front, where it usually is, that is cheap. */
static void take_out(struct spool *o, struct spool_entry *e)
{
	size_t at = (size_t)(e - o->v), before = at - o->head, behind = o->n - before - 1;
	o->bytes -= e->size;
	o->n_out -= e->is_out;
	o->n--;
	if (before <= behind) {
		memmove(&o->v[o->head + 1], &o->v[o->head], before * sizeof *o->v);
		o->head++;
	} else {
		memmove(e, e + 1, behind * sizeof *o->v);
	}
	if (o->n == 0)
		o->head = 0;
}

/* ---- in and out of the store ---- */

int spool_load(struct spool *o, uint64_t seq, struct slice record, uint64_t age_max_us, const struct now *now)
{
	struct spool_message m;
	enum spool_state state;
	if (seq == 0) {
		struct reader r = reader_of(record.p, record.n);
		uint64_t reserved = reader_be64(&r);
		if (r.failed || record.n != MARK_BYTES)
			return -EPROTO;
		o->next = o->reserved = o->durable = reserved;
		return 0;
	}
	TRY(spool_read(record, &m, &state));
	if (o->n && seq <= o->v[o->head + o->n - 1].seq)
		return -EPROTO;
	TRY(make_room(o));
	bool has_age = m.unix_us >= CLOCK_IS_SET_US && now->unix_us > m.unix_us;
	uint64_t age_us = has_age ? now->unix_us - m.unix_us : 0, next = o->next;
	append(o, &(struct spool_entry){ .seq = seq, .size = cost(record.n), .state = (uint8_t)state,
		.kind = (uint8_t)m.kind,
		.expires_us = now->mono_us + (age_us < age_max_us ? age_max_us - age_us : 0) });
	/* What the last process may have given stays behind, also where nothing of it is left. */
	if (o->next < next)
		o->next = next;
	if (o->reserved < o->next)
		o->reserved = o->next;
	o->loaded = seq;
	o->durable = o->next;
	return 0;
}

static int reserve(struct spool *o, const struct spool_sink *s)
{
	uint8_t mark[MARK_BYTES];
	struct writer w = writer_of(mark, sizeof mark);
	if (o->next < o->reserved)
		return 0;
	writer_be64(&w, o->next + SPOOL_BLOCK);
	TRY(s->put(s->ctx, o->number, 0, (struct slice){ mark, sizeof mark }));
	o->reserved = o->next + SPOOL_BLOCK;
	return 0;
}

static int put(struct spool *o, const struct spool_sink *s, const struct spool_message *m, uint32_t *ret_size)
{
	uint8_t head[HEAD_MAX + SPOOL_DEVICE_MAX];
	struct writer w = writer_of(head, sizeof head);
	write_head(&w, m, SPOOL_WAITING);
	if (w.failed || m->body.n > UINT32_MAX / 2)
		return -EINVAL;
	size_t n = w.len + m->body.n;
	uint8_t *record = malloc(n);
	if (!record)
		return -ENOMEM;
	memcpy(record, head, w.len);
	memcpy(record + w.len, m->body.p, m->body.n);
	int r = s->put(s->ctx, o->number, o->next, (struct slice){ record, n });
	free(record);
	*ret_size = cost(n);
	return r;
}

int spool_add(struct spool *o, const struct spool_sink *s, const struct spool_message *m, const struct spool_limits *l, uint64_t mono_us)
{
	uint32_t size;
	if (m->device_id.n > SPOOL_DEVICE_MAX)
		return -EINVAL;
	TRY(make_room(o));
	TRY(reserve(o, s));
	TRY(put(o, s, m, &size));
	append(o, &(struct spool_entry){ .seq = o->next, .size = size, .kind = (uint8_t)m->kind, .expires_us = mono_us + l->age_us });
	return 0;
}

void spool_take_back(struct spool *o, const struct spool_sink *s)
{
	if (o->n)
		(void)spool_delete(o, s, o->v[o->head + o->n - 1].seq);
}

/* ---- bounds ---- */

/** The oldest that may be dropped; NULL: none. Those that may not are few, and stand in front. */
static struct spool_entry *droppable(const struct spool *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct spool_entry *e = &o->v[o->head + i];
		if (!e->is_out && e->state == SPOOL_WAITING)
			return e;
	}
	return NULL;
}

size_t spool_trim(struct spool *o, const struct spool_sink *s, const struct spool_limits *l, uint64_t mono_us)
{
	size_t dropped = 0;
	struct spool_entry *e;
	while ((e = droppable(o)) && (o->bytes > l->bytes || e->expires_us <= mono_us)) {
		if (s->del(s->ctx, o->number, e->seq))
			break;
		take_out(o, e);
		dropped++;
	}
	return dropped;
}

uint64_t spool_deadline(const struct spool *o)
{
	const struct spool_entry *e = droppable(o);
	return e ? e->expires_us : UINT64_MAX;
}

uint64_t spool_age_us(const struct spool *o, const struct spool_limits *l, uint64_t mono_us)
{
	uint64_t end_us = mono_us + l->age_us;
	return o->n && end_us > o->v[o->head].expires_us ? end_us - o->v[o->head].expires_us : 0;
}

/* ---- sending ---- */

const struct spool_entry *spool_next(struct spool *o, size_t max_out)
{
	uint64_t first = UINT64_MAX;
	if (o->n_out >= max_out)
		return NULL;
	for (size_t i = 0; i < o->n; i++) {
		struct spool_entry *e = &o->v[o->head + i];
		if (e->seq >= o->durable)
			return NULL;
		if (!e->is_out && first != UINT64_MAX && e->seq - first >= SPOOL_SPAN)
			return NULL;
		if (!e->is_out) {
			e->is_out = true;
			o->n_out++;
			return e;
		}
		if (first == UINT64_MAX)
			first = e->seq;
	}
	return NULL;
}

void spool_return(struct spool *o, uint64_t seq)
{
	struct spool_entry *e = find(o, seq);
	if (!e)
		return;
	o->n_out -= e->is_out;
	e->is_out = false;
}

void spool_return_all(struct spool *o)
{
	for (size_t i = 0; i < o->n && o->n_out; i++)
		spool_return(o, o->v[o->head + i].seq);
}

int spool_received(struct spool *o, const struct spool_sink *s, uint64_t seq)
{
	struct spool_entry *e = find(o, seq);
	uint8_t head[HEAD_MAX];
	struct writer w = writer_of(head, sizeof head);
	if (!e || e->state == SPOOL_RECEIVED)
		return 0;
	/* The peer answers for the message from here on: what is left is its number. */
	write_head(&w, &(struct spool_message){ .kind = e->kind }, SPOOL_RECEIVED);
	TRY(s->put(s->ctx, o->number, seq, (struct slice){ head, w.len }));
	o->bytes -= e->size;
	e->size = cost(w.len);
	o->bytes += e->size;
	e->state = SPOOL_RECEIVED;
	return 0;
}

int spool_delete(struct spool *o, const struct spool_sink *s, uint64_t seq)
{
	struct spool_entry *e = find(o, seq);
	if (!e)
		return 0;
	TRY(s->del(s->ctx, o->number, seq));
	take_out(o, e);
	return 0;
}

int spool_clear(struct spool *o, const struct spool_sink *s)
{
	while (o->n)
		TRY(spool_delete(o, s, o->v[o->head].seq));
	return s->del(s->ctx, o->number, 0);
}

uint64_t backoff_us(unsigned n, uint64_t least_us, uint64_t most_us, uint64_t chance)
{
	uint64_t us = least_us;
	for (unsigned i = 1; i < n && us < most_us; i++)
		us *= 2;
	if (us > most_us)
		us = most_us;
	return us - (us / 2 ? chance % (us / 2 + 1) : 0);
}

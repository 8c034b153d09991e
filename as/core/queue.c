/** @file The downlink queue of each device. */
#include "as/core/queue.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* An item without its octets: what an attempt changes. */
enum { ITEM_HEAD = offsetof(struct item, bytes) };
enum { RECORD_VERSION = 2, RECORD_WITHOUT_DECODED = 1 };
enum { FLAG_CONFIRMED = 1, FLAG_RECALLED = 2, FLAG_SENT = 4, FLAG_OFFERED = 8 };
enum { OFFER_BEFORE = 1 }; /* number of offers that were on disk at the start */
enum { RECORD_MAX = 68 + TTS_PAYLOAD_MAX + TTS_OWN_CIDS * (TTS_OWN_CID + 1) + TTS_CLASS_B_C_MAX + 1 + QUEUE_DECODED_MAX + 1 +
		    QUEUE_WARNINGS_MAX + 1 };

/** How long the parts of an item are that stand one behind another. */
struct parts {
	size_t payload_n, cids_n, class_n, decoded_n, warnings_n;
};

static size_t parts_n(const struct parts *p)
{
	return p->payload_n + p->cids_n + p->class_n + p->decoded_n + p->warnings_n;
}

struct slice item_payload(const struct item *i)
{
	return (struct slice){ i->bytes, i->payload_n };
}

const char *item_own_cids(const struct item *i)
{
	return (const char *)i->bytes + i->payload_n;
}

const char *item_class_b_c(const struct item *i)
{
	return i->class_b_c_n ? (const char *)i->bytes + i->payload_n + i->own_cids_n : NULL;
}

const char *item_decoded(const struct item *i)
{
	return i->decoded_n ? (const char *)i->bytes + i->payload_n + i->own_cids_n + i->class_b_c_n : NULL;
}

const char *item_warnings(const struct item *i)
{
	return i->warnings_n ? (const char *)i->bytes + i->payload_n + i->own_cids_n + i->class_b_c_n + i->decoded_n : NULL;
}

struct tts_downlink item_show(const struct item *i, bool as_sent)
{
	return (struct tts_downlink){
		.has_session = as_sent, .has_f_cnt = as_sent, .session_key_id = i->session_key_id, .f_cnt = i->f_cnt, .f_port = i->f_port,
		.priority = i->priority, .payload = item_payload(i), .confirmed = i->confirmed, .attempt = i->attempt,
		.max_attempts = i->max_attempts, .class_b_c = item_class_b_c(i), .item = &i->id, .own_cids = item_own_cids(i),
		.own_cids_n = i->own_cids_n, .decoded_payload = item_decoded(i), .decoded_warnings = item_warnings(i),
	};
}

void item_free(struct item *i)
{
	free(i);
}

static struct item *item_new(const struct parts *p)
{
	struct item *i = calloc(1, sizeof *i + parts_n(p));
	if (i) {
		i->payload_n = (uint8_t)p->payload_n;
		i->own_cids_n = (uint16_t)p->cids_n;
		i->class_b_c_n = (uint16_t)p->class_n;
		i->decoded_n = (uint16_t)p->decoded_n;
		i->warnings_n = (uint16_t)p->warnings_n;
	}
	return i;
}

static struct parts parts_of(const struct item *i)
{
	return (struct parts){ i->payload_n, i->own_cids_n, i->class_b_c_n, i->decoded_n, i->warnings_n };
}

static void read_place(struct item *i)
{
	struct tts_class_b_c c;
	if (!i->class_b_c_n || tts_class_b_c_read(item_class_b_c(i), &c))
		return;
	i->at_unix_us = c.at_unix_us;
	i->is_placed = c.n > 0;
}

static int save(const struct queue_sink *sink, uint64_t uid, const struct item *i)
{
	uint8_t record[RECORD_MAX];
	struct writer w = writer_of(record, sizeof record);
	struct parts p = parts_of(i);
	bool has_decoded = p.decoded_n || p.warnings_n;
	writer_u8(&w, has_decoded ? RECORD_VERSION : RECORD_WITHOUT_DECODED);
	writer_u8(&w, i->state);
	writer_u8(&w, (uint8_t)((i->confirmed ? FLAG_CONFIRMED : 0) | (i->is_recalled ? FLAG_RECALLED : 0) | (i->was_sent ? FLAG_SENT : 0) |
		(i->offer ? FLAG_OFFERED : 0)));
	writer_u8(&w, i->f_port);
	writer_u8(&w, i->priority);
	writer_u8(&w, i->attempt);
	writer_u8(&w, i->max_attempts);
	writer_u8(&w, i->misses);
	writer_put(&w, i->id.b, sizeof i->id.b);
	writer_put(&w, i->session_key_id.b, sizeof i->session_key_id.b);
	writer_be32(&w, i->f_cnt);
	writer_be64(&w, i->queued_unix_us);
	writer_u8(&w, i->payload_n);
	writer_be16(&w, i->own_cids_n);
	writer_be16(&w, i->class_b_c_n);
	if (has_decoded) {
		writer_be16(&w, i->decoded_n);
		writer_be16(&w, i->warnings_n);
	}
	writer_put(&w, i->bytes, parts_n(&p));
	return w.failed ? -ENOSPC : sink->put(sink->ctx, uid, i->seq, (struct slice){ record, w.len });
}

/** The item that one of this priority and age stands behind; NULL: it is the first. */
static struct item *item_before(const struct queue *q, const struct item *i)
{
	struct item *at = NULL;
	for (unsigned p = i->priority; p < QUEUE_PRIORITIES && !at; p++)
		at = q->last[p];
	while (at && at->priority == i->priority && at->seq > i->seq)
		at = at->prev;
	return at;
}

static void insert(struct queue *q, struct item *i)
{
	struct item *before = item_before(q, i), *after = before ? before->next : q->first;
	i->prev = before;
	i->next = after;
	if (before)
		before->next = i;
	else
		q->first = i;
	if (after)
		after->prev = i;
	if (!after || after->priority != i->priority)
		q->last[i->priority] = i;
	if (q->n++ == 0 && q->list)
		LIST_INSERT_HEAD(q->list, q, in_list);
}

static void take_out(struct queue *q, struct item *i)
{
	if (i->prev)
		i->prev->next = i->next;
	else
		q->first = i->next;
	if (i->next)
		i->next->prev = i->prev;
	if (q->last[i->priority] == i)
		q->last[i->priority] = i->prev && i->prev->priority == i->priority ? i->prev : NULL;
	i->next = i->prev = NULL;
	if (--q->n == 0 && q->list)
		LIST_REMOVE(q, in_list);
}

/** Is every member within the bounds that a push keeps? */
static bool is_sound(const struct item *head, const struct parts *p)
{
	return head->state <= ITEM_AWAITED && head->priority < QUEUE_PRIORITIES && head->f_port >= 1 &&
	       head->f_port <= TTS_PORT_MAX && p->payload_n <= TTS_PAYLOAD_MAX &&
	       p->cids_n <= TTS_OWN_CIDS * (TTS_OWN_CID + 1) && p->class_n <= TTS_CLASS_B_C_MAX + 1 &&
	       p->decoded_n <= QUEUE_DECODED_MAX + 1 && p->warnings_n <= QUEUE_WARNINGS_MAX + 1;
}

/** Is each text terminated? */
static bool are_whole(struct slice bytes, const struct parts *p)
{
	size_t texts[] = { p->cids_n, p->class_n, p->decoded_n, p->warnings_n }, at = p->payload_n;
	for (size_t k = 0; k < COUNT(texts); k++) {
		at += texts[k];
		if (texts[k] && bytes.p[at - 1])
			return false;
	}
	return true;
}

/** What stands before the texts. @return the flags */
static uint8_t read_head(struct reader *r, struct item *ret)
{
	ret->state = reader_u8(r);
	uint8_t flags = reader_u8(r);
	ret->f_port = reader_u8(r);
	ret->priority = reader_u8(r);
	ret->attempt = reader_u8(r);
	ret->max_attempts = reader_u8(r);
	ret->misses = reader_u8(r);
	struct slice id = reader_take(r, sizeof ret->id.b), session = reader_take(r, sizeof ret->session_key_id.b);
	ret->f_cnt = reader_be32(r);
	ret->queued_unix_us = reader_be64(r);
	if (r->failed)
		return 0;
	memcpy(ret->id.b, id.p, id.n);
	memcpy(ret->session_key_id.b, session.p, session.n);
	return flags;
}

static void take_flags(struct item *i, uint8_t flags)
{
	i->confirmed = flags & FLAG_CONFIRMED;
	i->is_recalled = flags & FLAG_RECALLED;
	i->was_sent = flags & FLAG_SENT;
	i->is_doubtful = flags & FLAG_OFFERED && i->state == ITEM_WAITING;
	i->offer = i->is_doubtful ? OFFER_BEFORE : 0;
}

int queue_load(struct queue *q, uint64_t seq, struct slice record)
{
	struct reader r = reader_of(record.p, record.n);
	struct item head = { .seq = seq };
	uint8_t version = reader_u8(&r), flags = read_head(&r, &head);
	struct parts p = { .payload_n = reader_u8(&r) };
	p.cids_n = reader_be16(&r);
	p.class_n = reader_be16(&r);
	if (version == RECORD_VERSION) {
		p.decoded_n = reader_be16(&r);
		p.warnings_n = reader_be16(&r);
	} else if (version != RECORD_WITHOUT_DECODED) {
		return -EPROTO;
	}
	struct slice bytes = reader_take(&r, parts_n(&p));
	if (r.failed || !is_sound(&head, &p) || !are_whole(bytes, &p))
		return -EPROTO;
	struct item *i = item_new(&p);
	if (!i)
		return -ENOMEM;
	take_flags(&head, flags);
	head.payload_n = i->payload_n;
	head.own_cids_n = i->own_cids_n;
	head.class_b_c_n = i->class_b_c_n;
	head.decoded_n = i->decoded_n;
	head.warnings_n = i->warnings_n;
	memcpy(i, &head, ITEM_HEAD);
	if (bytes.n)
		memcpy(i->bytes, bytes.p, bytes.n);
	read_place(i);
	insert(q, i);
	return 0;
}

void queue_done(struct queue *q)
{
	for (struct item *i = q->first, *next; i; i = next) {
		next = i->next;
		item_free(i);
	}
	if (q->n && q->list)
		LIST_REMOVE(q, in_list);
	*q = (struct queue){ .list = q->list };
}

/** With its terminator, if it is no longer than `max`; 0: it is not kept. */
static size_t kept_n(const char *json, size_t max)
{
	size_t n = json ? strlen(json) : 0;
	return n && n <= max ? n + 1 : 0;
}

static struct item *item_of_wish(const struct tts_item *wish)
{
	struct parts p = { .payload_n = wish->payload_n, .cids_n = wish->own_cids_n,
		.class_n = wish->has_class_b_c ? strlen(wish->class_b_c) + 1 : 0,
		.decoded_n = kept_n(wish->decoded_payload, QUEUE_DECODED_MAX),
		.warnings_n = kept_n(wish->decoded_warnings, QUEUE_WARNINGS_MAX) };
	const void *const from[] = { wish->payload, wish->own_cids, wish->class_b_c, wish->decoded_payload, wish->decoded_warnings };
	const size_t n[] = { p.payload_n, p.cids_n, p.class_n, p.decoded_n, p.warnings_n };
	struct item *i = item_new(&p);
	for (size_t k = 0, at = 0; i && k < COUNT(n); at += n[k++])
		if (n[k])
			memcpy(i->bytes + at, from[k], n[k]);
	return i;
}

int queue_push(struct queue *q, const struct queue_sink *sink, uint64_t uid, uint64_t seq, const struct tts_item *wish, struct ulid id,
	const struct now *now, const struct item **ret)
{
	if (q->n >= QUEUE_MAX)
		return QUEUE_E_FULL;
	struct item *i = item_of_wish(wish);
	if (!i)
		return -ENOMEM;
	i->seq = seq;
	i->id = id;
	i->queued_unix_us = now->unix_us;
	i->f_port = wish->f_port;
	i->priority = wish->priority;
	i->confirmed = wish->confirmed;
	i->attempt = wish->confirmed ? 1 : 0;
	i->max_attempts = wish->max_attempts;
	read_place(i);
	int r = save(sink, uid, i);
	if (r < 0) {
		item_free(i);
		return r;
	}
	insert(q, i);
	*ret = i;
	return 0;
}

int queue_clear(struct queue *q, const struct queue_sink *sink, uint64_t uid)
{
	for (struct item *i = q->first, *next; i; i = next) {
		next = i->next;
		if (i->state != ITEM_WAITING) {
			i->is_recalled = true;
			TRY(save(sink, uid, i));
			continue;
		}
		TRY(sink->del(sink->ctx, uid, i->seq));
		take_out(q, i);
		item_free(i);
	}
	return 0;
}

const struct item *queue_next(const struct queue *q)
{
	return q->first && q->first->state == ITEM_WAITING ? q->first : NULL;
}

uint64_t queue_oldest_unix_us(const struct queue *q)
{
	uint64_t oldest = UINT64_MAX;
	/* The first of each priority is the oldest of it. */
	for (const struct item *i = q->first; i; i = q->last[i->priority]->next)
		oldest = i->queued_unix_us < oldest ? i->queued_unix_us : oldest;
	return oldest;
}

size_t queue_waiting(const struct queue *q)
{
	size_t n = 0;
	for (const struct item *i = q->first; i; i = i->next)
		n += i->state == ITEM_WAITING;
	return n;
}

/** The item that is out for this counter; NULL: none. */
static struct item *out_for(const struct queue *q, const struct ulid *session_key_id, uint32_t f_cnt)
{
	for (struct item *i = q->first; i; i = i->next)
		if (i->state == ITEM_FLYING && i->f_cnt == f_cnt && ulid_eq(&i->session_key_id, session_key_id))
			return i;
	return NULL;
}

int queue_offer(struct queue *q, const struct queue_sink *sink, uint64_t uid, uint64_t number, const struct now *now)
{
	struct item *i = q->first;
	if (!i || i->state != ITEM_WAITING)
		return 0;
	i->flying_us = now->mono_us;
	if (i->offer)
		return 0;
	i->offer = number;
	int r = save(sink, uid, i);
	if (r)
		i->offer = 0;
	return r ? r : 1;
}

int queue_withdraw(const struct queue_sink *sink, uint64_t uid, struct item *i)
{
	i->offer = 0;
	i->is_doubtful = false;
	return save(sink, uid, i);
}

static bool more_than(const struct queue *q, const struct item *taken)
{
	for (const struct item *i = q->first; i; i = i->next)
		if (i != taken && i->state == ITEM_WAITING)
			return true;
	return false;
}

/** A window is too small for the first item. @return 0, *ret_too_long set if that was once too often; -errno
 * of the sink */
static int miss(const struct queue_sink *sink, const struct pull *p, struct item *i, struct item **ret_too_long)
{
	if (i->payload_n > p->room_max || i->misses + 1 >= QUEUE_WINDOWS) {
		*ret_too_long = i;
		return 0;
	}
	i->misses++;
	int r = save(sink, p->device, i);
	if (r < 0)
		i->misses--;
	return r;
}

/** Hand an item out. @return 0; -errno of the sink: it stays where it is */
static int let_fly(const struct queue_sink *sink, const struct pull *p, const struct now *now, struct item *i)
{
	struct item before;
	memcpy(&before, i, ITEM_HEAD);
	i->state = ITEM_FLYING;
	i->f_cnt = p->f_cnt;
	i->session_key_id = p->session_key_id;
	i->flying_us = now->mono_us;
	i->is_repeat = false;
	i->offer = 0;
	i->is_doubtful = false;
	int r = save(sink, p->device, i);
	if (r < 0)
		memcpy(i, &before, ITEM_HEAD);
	return r;
}

int queue_pull(struct queue *q, const struct queue_sink *sink, const struct pull *p, uint64_t durable, const struct now *now,
	struct item **ret, struct item **ret_too_long, bool *ret_more)
{
	struct item *i = out_for(q, &p->session_key_id, p->f_cnt);
	*ret = *ret_too_long = NULL;
	if (i) {
		i->is_repeat = true;
		*ret = i;
		*ret_more = more_than(q, i);
		return 0;
	}
	/* One that is out and awaits its outcome may come back: nothing behind it overtakes it. */
	i = q->first;
	bool is_waiting = i && i->state == ITEM_WAITING && i->offer && i->offer <= durable;
	if (is_waiting && i->payload_n > p->room) {
		TRY(miss(sink, p, i, ret_too_long));
	} else if (is_waiting) {
		TRY(let_fly(sink, p, now, i));
		*ret = i;
	}
	*ret_more = more_than(q, *ret);
	return 0;
}

static unsigned attempts_of(const struct item *i)
{
	return i->max_attempts ? i->max_attempts : QUEUE_ATTEMPTS;
}

/** What an outcome does to an item: its next state, or that it is gone. */
static enum queue_news settle(struct item *i, const struct up_outcome *o, bool *ret_gone)
{
	*ret_gone = false;
	i->offer = 0;
	i->is_doubtful = false;
	switch (o->outcome) {
	case OUTCOME_RETURNED:
		*ret_gone = i->is_recalled;
		i->state = ITEM_WAITING;
		return NEWS_NONE;
	case OUTCOME_SENT:
		*ret_gone = !i->confirmed;
		i->state = ITEM_AWAITED;
		i->was_sent = true;
		return NEWS_SENT;
	case OUTCOME_AWAITED:
		i->state = ITEM_AWAITED;
		return NEWS_NONE;
	case OUTCOME_ACK:
		*ret_gone = true;
		return NEWS_ACK;
	case OUTCOME_NACK:
		i->attempt++;
		*ret_gone = i->attempt > attempts_of(i) || i->is_recalled;
		i->state = ITEM_WAITING;
		return *ret_gone && !i->is_recalled ? NEWS_NACK_LAST : NEWS_NACK;
	default:
		*ret_gone = true;
		return NEWS_FAILED;
	}
}

/** Which item an outcome is of; NULL: none that is known. */
static struct item *item_of(const struct queue *q, const struct up_outcome *o)
{
	if (ulid_is_none(&o->item))
		return out_for(q, &o->session_key_id, o->f_cnt);
	struct item *i = q->first;
	while (i && !ulid_eq(&i->id, &o->item))
		i = i->next;
	return i;
}

int queue_outcome(struct queue *q, const struct queue_sink *sink, uint64_t uid, const struct up_outcome *o,
	const struct queue_teller *teller, struct item **ret, bool *ret_gone)
{
	struct item *i = *ret = item_of(q, o);
	*ret_gone = false;
	if (!i)
		return 0;
	struct item before;
	memcpy(&before, i, ITEM_HEAD);
	/* What the ns says it was sent with counts, also where a crash lost our note of the pull. */
	i->f_cnt = o->f_cnt;
	i->session_key_id = o->session_key_id;
	enum queue_news news = settle(i, o, ret_gone);
	int r = teller && news != NEWS_NONE ? teller->tell(teller->ctx, i, news) : 0;
	if (!r)
		r = *ret_gone ? sink->del(sink->ctx, uid, i->seq) : save(sink, uid, i);
	if (r < 0) {
		memcpy(i, &before, ITEM_HEAD);
		*ret = NULL;
		*ret_gone = false;
	} else if (*ret_gone) {
		take_out(q, i);
	}
	return r;
}

struct item *queue_stranded(const struct queue *q, const struct ulid *session_key_id)
{
	for (struct item *i = q->first; i; i = i->next)
		if (i->state == ITEM_AWAITED && !ulid_eq(&i->session_key_id, session_key_id))
			return i;
	return NULL;
}

void queue_leases_renew(struct queue *q, bool is_long, uint64_t mono_us)
{
	for (struct item *i = q->first; i; i = i->next)
		if (i->state == ITEM_FLYING || i->is_doubtful) {
			i->flying_us = mono_us;
			i->is_long = is_long;
		}
}

struct item *queue_outdated(const struct queue *q, uint64_t unix_us)
{
	struct item *i = q->first;
	while (i && (i->state != ITEM_WAITING || !i->at_unix_us || i->at_unix_us > unix_us))
		i = i->next;
	return i;
}

uint64_t queue_first_time(const struct queue *q)
{
	uint64_t first = UINT64_MAX;
	for (const struct item *i = q->first; i; i = i->next)
		if (i->state == ITEM_WAITING && i->at_unix_us && i->at_unix_us < first)
			first = i->at_unix_us;
	return first;
}

int queue_remove(struct queue *q, const struct queue_sink *sink, uint64_t uid, struct item *i)
{
	TRY(sink->del(sink->ctx, uid, i->seq));
	take_out(q, i);
	return 0;
}

struct item *queue_doubtful(const struct queue *q)
{
	struct item *i = q->first;
	while (i && i->state != ITEM_FLYING && !i->is_doubtful)
		i = i->next;
	return i;
}

/** When its lease or offer is over; UINT64_MAX: it has none. */
static uint64_t over_us(const struct item *i)
{
	if (i->state == ITEM_FLYING || i->is_doubtful)
		return i->flying_us + (i->is_long ? QUEUE_LEASE_LONG_US : QUEUE_LEASE_US);
	return i->state == ITEM_WAITING && i->offer ? i->flying_us + QUEUE_OFFER_US : UINT64_MAX;
}

struct item *queue_expired(const struct queue *q, uint64_t mono_us)
{
	for (struct item *i = q->first; i; i = i->next)
		if (mono_us >= over_us(i))
			return i;
	return NULL;
}

uint64_t queue_deadline(const struct queue *q)
{
	uint64_t first = UINT64_MAX;
	for (const struct item *i = q->first; i; i = i->next)
		if (over_us(i) < first)
			first = over_us(i);
	return first;
}

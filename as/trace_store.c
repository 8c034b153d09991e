/** @file Chunks of events on disk, or in memory where there is no disk for them. */
#include "as/trace_store.h"
#include "as/store.h"
#include "common/log.h"
#include "common/store_probe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CLOSE_BYTES = 16 << 10,       /**< a chunk of so many octets is not written again */
	PAGE = 4096,                  /**< LMDB's */
	INLINE_BYTES = 2000,          /**< larger values take whole pages of their own */
	RECORD_BYTES = 48,            /**< of a record, beside its value */
	TRIM_AT_ONCE = 256,           /**< chunks that are deleted in one go */
	WAITING_MAX_BYTES = 8 << 20,  /**< for the disk; in a small store an eighth of it */
	GATHER_BYTES = 4 << 20,       /**< where less may wait for the disk, commits do not wait for more */
	MEMORY_CHUNKS = 128,          /**< where there is no disk: 8 MiB */
	RESERVE_BYTES = 1 << 20,      /**< the least that a store takes beyond its map size, and a ninth of both otherwise */
	KEY_BYTES = UID_KEY,
	TRACE_SCHEMA = 2
};
#define FLUSH_US    (1 * SEC_US)
#define COMMIT_EVERY_US (SEC_US / 10) /* full chunks go to the disk together: a commit for each was most of what they cost */
#define SPAN_MAX_US (3600 * SEC_US) /* of a chunk: its oldest event goes with its newest */
#define TRIM_US     (60 * SEC_US)
#define LOST_SAID_US (60 * SEC_US)
#define AFRESH_US   (600 * SEC_US)  /* what is damaged while it is used is thrown away no more often */

struct in_memory {
	uint64_t number; /* 0: none */
	uint8_t *octets; /* the chunk, then its index */
	size_t chunk_n, index_n;
};

struct trace_store {
	struct loop *loop;
	struct store *store; /* NULL: in memory */
	char dir[4096];
	uint64_t age_us;
	struct shelf shelf;
	uint64_t map_size, limit, waiting_max; /* of the store; of what is kept; of what waits for the disk */
	uint64_t first, open;                  /* numbers of chunks; the open one is in `chunk` */
	struct chunk chunk;
	uint64_t open_bytes, open_events; /* of it, as it was written last */
	uint64_t bytes, events;           /* of all that is written */
	uint64_t afresh_us;               /* when it was thrown away last */
	uint64_t lost[TRACE_PROCESSES], damaged;
	struct loop_timer *timer;
	bool is_soon;   /* the timer is set to write the open chunk */
	uint64_t lost_said, lost_said_us; /* of this process, and when */
	struct in_memory memory[MEMORY_CHUNKS];
	uint8_t index[CHUNK_INDEX_MAX], value[CHUNK_KEPT_MAX]; /* scratch: of the open chunk, as they are written */
	uint8_t opened[CHUNK_MAX];                             /* scratch: events of the chunk that is read */
};

/* ---- records ---- */

static struct slice key_of(uint8_t buf[KEY_BYTES], enum as_table table, uint64_t number)
{
	return as_store_uid_key(buf, table, number);
}

/** What a value takes of the file. */
static uint64_t bytes_of(struct slice value)
{
	return value.n > INLINE_BYTES ? (value.n + RECORD_BYTES + PAGE - 1) / PAGE * PAGE + RECORD_BYTES : value.n + RECORD_BYTES;
}

/** @return 0; -ENOENT; -EBADMSG it cannot be read */
static int get(struct trace_store *s, enum as_table table, uint64_t number, struct slice *ret)
{
	uint8_t key[KEY_BYTES];
	if (s->store) {
		int r = store_get(s->store, key_of(key, table, number), ret);
		return r == STORE_E_NONE ? -ENOENT : r ? -EBADMSG : 0;
	}
	const struct in_memory *m = &s->memory[number % MEMORY_CHUNKS];
	if (m->number != number)
		return -ENOENT;
	*ret = table == TABLE_TRACE_CHUNKS ? (struct slice){ m->octets, m->chunk_n }
					   : (struct slice){ m->octets + m->chunk_n, m->index_n };
	return 0;
}

static int put_in_memory(struct trace_store *s, struct slice chunk, struct slice index)
{
	struct in_memory *m = &s->memory[s->open % MEMORY_CHUNKS];
	uint8_t *octets = realloc(m->octets, chunk.n + index.n);
	if (!octets)
		return -ENOMEM;
	memcpy(octets, chunk.p, chunk.n);
	memcpy(octets + chunk.n, index.p, index.n);
	*m = (struct in_memory){ s->open, octets, chunk.n, index.n };
	return 0;
}

/** @return 0; -errno (-ENOBUFS: so much waits for the disk already) */
static int put(struct trace_store *s, struct slice chunk, struct slice index)
{
	uint8_t key[KEY_BYTES];
	struct store_stats stats;
	if (!s->store)
		return put_in_memory(s, chunk, index);
	store_stats(s->store, &stats);
	if (stats.pending_bytes + chunk.n + index.n > s->waiting_max)
		return -ENOBUFS;
	TRY(store_put(s->store, key_of(key, TABLE_TRACE_CHUNKS, s->open), chunk));
	return store_put(s->store, key_of(key, TABLE_TRACE_INDEX, s->open), index);
}

static void del(struct trace_store *s, uint64_t number)
{
	static const enum as_table tables[] = { TABLE_TRACE_INDEX, TABLE_TRACE_CHUNKS };
	struct in_memory *m = &s->memory[number % MEMORY_CHUNKS];
	uint8_t key[KEY_BYTES];
	for (size_t i = 0; s->store && i < COUNT(tables); i++)
		(void)store_del(s->store, key_of(key, tables[i], number)); /* no memory: it goes at the next start */
	if (!s->store && m->number == number) {
		free(m->octets);
		*m = (struct in_memory){ .number = 0 };
	}
}

/* ---- the shelf ---- */

static void range(void *ctx, uint64_t *ret_first, uint64_t *ret_open)
{
	const struct trace_store *s = ctx;
	*ret_first = s->first;
	*ret_open = s->open;
}

static int get_index(void *ctx, uint64_t number, struct chunk_index *ret)
{
	struct slice value;
	TRY(get(ctx, TABLE_TRACE_INDEX, number, &value));
	return chunk_index_read(value, ret);
}

static int get_records(void *ctx, uint64_t number, struct slice *ret)
{
	struct trace_store *s = ctx;
	struct slice value;
	if (number == s->open) {
		*ret = chunk_records(&s->chunk);
		return 0;
	}
	TRY(get(s, TABLE_TRACE_CHUNKS, number, &value));
	return chunk_open(value, s->opened, ret);
}

const struct shelf *trace_store_shelf(const struct trace_store *s)
{
	return &s->shelf;
}

/* ---- bounds ---- */

/** What a chunk takes, and how many events it has (as far as that can be read). */
static void size_of(struct trace_store *s, uint64_t number, uint64_t *ret_bytes, uint64_t *ret_events)
{
	struct slice chunk, index;
	struct chunk_index i;
	*ret_bytes = *ret_events = 0;
	if (!get(s, TABLE_TRACE_CHUNKS, number, &chunk))
		*ret_bytes += bytes_of(chunk);
	if (get(s, TABLE_TRACE_INDEX, number, &index))
		return;
	*ret_bytes += bytes_of(index);
	if (!chunk_index_read(index, &i))
		*ret_events = i.events;
}

static void drop_first(struct trace_store *s)
{
	uint64_t bytes, events;
	size_of(s, s->first, &bytes, &events);
	s->bytes -= bytes < s->bytes ? bytes : s->bytes;
	s->events -= events < s->events ? events : s->events;
	del(s, s->first++);
}

/** Must the oldest chunk go? One that cannot be read goes too: nobody finds anything in it. */
static bool is_over(struct trace_store *s)
{
	struct chunk_index i;
	uint64_t now_us = loop_now(s->loop)->unix_us;
	int r;
	if (s->first == s->open)
		return false;
	if (s->store ? s->bytes > s->limit : s->open - s->first >= MEMORY_CHUNKS)
		return true;
	r = get_index(s, s->first, &i);
	s->damaged += r == -EBADMSG;
	return r || (i.last_us < now_us && now_us - i.last_us > s->age_us);
}

static void trim(struct trace_store *s)
{
	for (int i = 0; i < TRIM_AT_ONCE && is_over(s); i++)
		drop_first(s);
}

/* ---- opening ---- */

static void throw_away(struct trace_store *s, const char *why)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char path[sizeof s->dir + 16];
	LOG(LOG_WARN, "traces_afresh", KV_Z("dir", s->dir), KV_Z("why", why));
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof path, "%s/%s", s->dir, files[i]);
		(void)unlink(path);
	}
}

struct loading {
	struct trace_store *s;
	uint64_t last;
};

static int load_one(void *ctx, struct slice key, struct slice value)
{
	struct loading *l = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	struct chunk_index i;
	uint64_t number = reader_be64(&r), bytes, events;
	if (r.failed || !number)
		return -EIO;
	l->s->damaged += chunk_index_read(value, &i) != 0;
	size_of(l->s, number, &bytes, &events);
	l->s->bytes += bytes;
	l->s->events += events;
	if (!l->last)
		l->s->first = number;
	l->last = number;
	return 0;
}

/** @return 0; -errno: what is there is good for nothing */
static int load(struct trace_store *s)
{
	static const uint8_t table = TABLE_TRACE_INDEX;
	struct loading l = { .s = s };
	struct store_stats stats;
	store_stats(s->store, &stats);
	s->bytes = s->events = 0;
	s->first = 1;
	if (stats.used_bytes > s->map_size + s->map_size / 8 + RESERVE_BYTES)
		return -EFBIG; /* as.trace-size is smaller now, and such a file never shrinks */
	TRY(store_scan(s->store, (struct slice){ &table, 1 }, (struct slice){ NULL, 0 }, load_one, &l));
	s->open = l.last + 1;
	if (!l.last)
		s->first = s->open;
	return 0;
}

static int open_and_load(struct trace_store *s, struct text *err)
{
	struct store_options o = { .dir = s->dir, .map_size = s->map_size, .schema = TRACE_SCHEMA, .is_lazy = true,
		.commit_delay_us = s->waiting_max < GATHER_BYTES ? 0 : COMMIT_EVERY_US };
	int r = store_open(s->loop, &o, &s->store, err);
	if (!r)
		r = load(s);
	if (!r || !s->store)
		return r;
	text_reset(err);
	text_puts(err, r == -EFBIG ? "it is larger than as.trace-size" : "it cannot be read");
	store_close(s->store);
	s->store = NULL;
	return r;
}

/** Open the store; one that cannot be used makes room for a new one; and if there can be none, do without. */
static void open_store(struct trace_store *s)
{
	char why[256];
	struct text err = text_fixed(why, sizeof why);
	int r = store_probe(s->dir);
	if (r)
		text_puts(&err, "it is damaged");
	else
		r = open_and_load(s, &err);
	if (r == -EMEDIUMTYPE || r == -EPROTO || r == -EIO || r == -EFBIG || r == -EINVAL) {
		throw_away(s, why);
		text_reset(&err);
		r = open_and_load(s, &err);
	}
	if (!r)
		return;
	LOG(LOG_ERROR, "traces_in_memory", KV_Z("dir", s->dir), KV_Z("why", why));
	s->first = s->open = s->open ? s->open : 1;
	s->bytes = s->events = 0;
}

/** What the disk no longer takes: make room where it is full, or begin anew where it is damaged. */
static void heal(struct trace_store *s)
{
	struct store_stats stats;
	uint64_t now_us = loop_now(s->loop)->mono_us;
	if (!s->store)
		return;
	store_stats(s->store, &stats);
	if (stats.error == -ENOSPC && stats.used_bytes >= s->map_size && s->limit > s->map_size / 4)
		s->limit -= s->map_size / 16;
	if ((stats.error != -EIO && stats.error != -EMEDIUMTYPE) || (s->afresh_us && now_us - s->afresh_us < AFRESH_US))
		return;
	uint64_t open = s->open;
	s->afresh_us = now_us;
	store_close(s->store);
	s->store = NULL;
	throw_away(s, strerror(-stats.error));
	open_store(s);
	s->first = s->open = open; /* searches go on, and find nothing older */
	s->open_bytes = s->open_events = 0;
}

/* ---- coming in ---- */

static void lose(struct trace_store *s, uint32_t process, uint64_t n)
{
	s->lost[process < TRACE_PROCESSES ? process : TRACE_PROCESSES - 1] += n;
}

/** Write the open chunk. @return 0; -errno, and it is not */
static int write_open(struct trace_store *s)
{
	if (s->chunk.events == s->open_events)
		return 0;
	struct slice chunk = { s->value, chunk_value(&s->chunk, s->value) }, index = { s->index, chunk_index(&s->chunk, s->index) };
	TRY(put(s, chunk, index));
	uint64_t bytes = bytes_of(chunk) + bytes_of(index);
	s->bytes += bytes - s->open_bytes;
	s->events += s->chunk.events - s->open_events;
	s->open_bytes = bytes;
	s->open_events = s->chunk.events;
	return 0;
}

/** What of the open chunk was not written is lost; it is said at once, and then once a minute. */
static void lose_open(struct trace_store *s, int error)
{
	uint64_t now_us = loop_now(s->loop)->mono_us, *lost = &s->lost[TRACE_PROCESSES - 1];
	*lost += s->chunk.events - s->open_events;
	if (s->lost_said_us && now_us - s->lost_said_us < LOST_SAID_US)
		return;
	LOG(LOG_WARN, "traces_lost", KV_U("events", *lost - s->lost_said),
		KV_Z("why", error == -ENOBUFS ? "the disk is too slow, or takes nothing" : strerror(-error)));
	s->lost_said = *lost;
	s->lost_said_us = now_us;
}

/** Begin another chunk. */
static void close_chunk(struct trace_store *s)
{
	int r = write_open(s);
	if (r)
		lose_open(s, r);
	chunk_init(&s->chunk);
	s->open++;
	s->open_bytes = s->open_events = 0;
	trim(s);
}

static void on_timer(void *ctx)
{
	struct trace_store *s = ctx;
	uint64_t now_us = loop_now(s->loop)->unix_us;
	s->is_soon = false;
	heal(s);
	bool is_old = s->chunk.events && s->chunk.first_us + SPAN_MAX_US < now_us;
	if (!write_open(s) && (s->chunk.len >= CLOSE_BYTES || is_old))
		close_chunk(s);
	trim(s);
	s->is_soon = s->chunk.events != s->open_events;
	loop_timer_in(s->timer, s->is_soon ? FLUSH_US : TRIM_US);
}

void trace_store_add(struct trace_store *s, const struct trace_event *e, const char *app, struct slice packed)
{
	int r = chunk_add(&s->chunk, e, app, packed);
	if (r == CHUNK_E_FULL) {
		close_chunk(s);
		r = chunk_add(&s->chunk, e, app, packed);
	}
	if (r)
		lose(s, e->process, 1);
	if (r || s->is_soon)
		return;
	s->is_soon = true;
	loop_timer_in(s->timer, FLUSH_US);
}

void trace_store_missed(struct trace_store *s, uint32_t process, uint64_t n)
{
	lose(s, process, n);
}

void trace_store_damaged(struct trace_store *s, uint64_t n)
{
	s->damaged += n;
}

static uint64_t oldest_us(struct trace_store *s)
{
	struct chunk_index i;
	uint64_t now_us = loop_now(s->loop)->unix_us, first_us = now_us;
	if (s->first < s->open && !get_index(s, s->first, &i))
		first_us = i.first_us;
	else if (s->first == s->open && s->chunk.events)
		first_us = s->chunk.first_us;
	return first_us < now_us ? now_us - first_us : 0;
}

void trace_store_stats(struct trace_store *s, struct trace_store_stats *ret)
{
	*ret = (struct trace_store_stats){ .events = s->events + s->chunk.events - s->open_events,
		.chunks = s->open - s->first + (s->chunk.events > 0), .bytes = s->bytes, .oldest_us = oldest_us(s),
		.damaged = s->damaged, .is_on_disk = s->store != NULL };
	memcpy(ret->lost, s->lost, sizeof ret->lost);
	if (!s->store)
		return;
	struct store_stats stats;
	store_stats(s->store, &stats);
	ret->waiting_bytes = stats.pending_bytes + (s->chunk.events != s->open_events ? s->chunk.len : 0);
}

/** How the file's octets are divided: a store takes some beyond its map size; and a commit takes new pages for all that it
 * writes, before those of what it deletes are free. */
static void set_bounds(struct trace_store *s, uint64_t size)
{
	uint64_t reserve = size / 9 > RESERVE_BYTES ? size / 9 : RESERVE_BYTES;
	s->map_size = size > reserve ? size - reserve : 0;
	s->waiting_max = s->map_size / 8 < WAITING_MAX_BYTES ? s->map_size / 8 : WAITING_MAX_BYTES;
	s->limit = s->map_size - s->waiting_max - s->map_size / 16;
}

struct trace_store *trace_store_new(struct loop *l, const struct trace_store_options *o)
{
	struct trace_store *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->loop = l;
	s->age_us = o->age_us;
	s->shelf = (struct shelf){ s, range, get_index, get_records };
	s->first = s->open = 1;
	chunk_init(&s->chunk);
	s->timer = loop_timer_new(l, on_timer, s);
	if (!s->timer) {
		free(s);
		return NULL;
	}
	set_bounds(s, o->size);
	if (o->size && !str_copy(str_of(o->dir), s->dir, sizeof s->dir))
		open_store(s);
	loop_timer_in(s->timer, TRIM_US);
	return s;
}

void trace_store_free(struct trace_store *s)
{
	if (!s)
		return;
	(void)write_open(s); /* what does not fit any more is lost with the process */
	store_close(s->store);
	loop_timer_free(s->timer);
	for (size_t i = 0; i < COUNT(s->memory); i++)
		free(s->memory[i].octets);
	free(s);
}

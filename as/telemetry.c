/** @file Time series in the store: which key is whose record, and what goes for age and size. */
#include "as/telemetry.h"
#include "as/core/series/lorawan.h"
#include "as/store.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_KEY = UID_KEY + 8,
	SWEEP = 100,         /* devices that are looked at in one go */
	TRIM_AT_ONCE = 64,   /* chunks of a device */
	FOUND = 1,
	PART = 10,           /* so much of its span is given up at a time, while there is too much of all */
};
#define SWEEP_US      (1 * SEC_US)
#define SWEEP_SOON_US (20 * MS_US)
#define SPAN_MAX_MS   (INT64_C(36500) * 86400000)
#define SPAN_MIN_MS   (INT64_C(3600) * 1000)
#define SAID_US       (600 * SEC_US)

struct telemetry {
	struct as *as;
	struct series series;
	struct readings readings; /* of decoded payloads */
	uint64_t size;            /* most octets of all chunks */
	int64_t span_ms;          /* what is older goes */
	uint64_t swept;           /* the last device that was looked at; 0: none in this round */
	uint64_t said_us;         /* when it was said last that there is too much */
	struct loop_timer *timer;
};

struct series *telemetry_series(struct as *as)
{
	return &as->telemetry->series;
}

/* ---- records ---- */

/** Later times have smaller keys, so that a scan that goes forward goes back in time. */
static struct slice chunk_key(uint8_t buf[CHUNK_KEY], uint64_t uid, int64_t first_ms)
{
	struct writer w = writer_of(buf, CHUNK_KEY);
	writer_u8(&w, TABLE_SERIES);
	writer_be64(&w, uid);
	writer_be64(&w, ~(uint64_t)first_ms);
	return (struct slice){ buf, w.len };
}

struct sought {
	struct slice chunk;
	int64_t first_ms;
};

static int found_chunk(void *ctx, struct slice key, struct slice value)
{
	struct sought *s = ctx;
	struct reader r = reader_of(key.p + UID_KEY, key.n - UID_KEY);
	s->first_ms = (int64_t)~reader_be64(&r);
	s->chunk = value;
	return r.failed || s->first_ms < 0 ? -EBADMSG : FOUND;
}

static int seek(void *ctx, uint64_t uid, int64_t at_ms, int64_t *ret_first_ms, struct slice *ret)
{
	struct as *as = ctx;
	struct sought s;
	uint8_t key[CHUNK_KEY];
	struct slice from = chunk_key(key, uid, at_ms);
	int r = store_scan(as->store, (struct slice){ key, UID_KEY }, from, found_chunk, &s);
	if (r != FOUND)
		return r ? r : SERIES_E_NONE;
	*ret_first_ms = s.first_ms;
	*ret = s.chunk;
	return 0;
}

static int put(void *ctx, uint64_t uid, int64_t first_ms, struct slice chunk)
{
	struct as *as = ctx;
	uint8_t key[CHUNK_KEY];
	return store_put(as->store, chunk_key(key, uid, first_ms), chunk);
}

static int del(void *ctx, uint64_t uid, int64_t first_ms)
{
	struct as *as = ctx;
	uint8_t key[CHUNK_KEY];
	return store_del(as->store, chunk_key(key, uid, first_ms));
}

static int head(void *ctx, uint64_t uid, struct slice *ret)
{
	struct as *as = ctx;
	uint8_t key[UID_KEY];
	_Static_assert((int)STORE_E_NONE == (int)SERIES_E_NONE, "handed on as it is");
	return store_get(as->store, as_store_uid_key(key, TABLE_SERIES_HEADS, uid), ret);
}

static int put_head(void *ctx, uint64_t uid, struct slice value)
{
	struct as *as = ctx;
	uint8_t key[UID_KEY];
	return store_put(as->store, as_store_uid_key(key, TABLE_SERIES_HEADS, uid), value);
}

static int del_head(void *ctx, uint64_t uid)
{
	struct as *as = ctx;
	uint8_t key[UID_KEY];
	return store_del(as->store, as_store_uid_key(key, TABLE_SERIES_HEADS, uid));
}

/* ---- keeping ---- */

/** There is so much that what is old does not go fast enough. */
static bool is_over(struct telemetry *t, const struct device *d)
{
	uint64_t now_us = loop_now(t->as->loop)->mono_us;
	if (t->series.bytes <= t->size + t->size / PART)
		return false;
	if (!t->said_us || now_us - t->said_us >= SAID_US)
		LOG(LOG_ERROR, "telemetry_full", KV_U("bytes", t->series.bytes), KV_U("size", t->size), KV_Z("device", d->path));
	t->said_us = now_us;
	return true;
}

int telemetry_keep(struct as *as, const struct device *d, int64_t ts_ms, const struct reading *v, size_t n)
{
	struct telemetry *t = as->telemetry;
	if (!t->size)
		return 0;
	int r = is_over(t, d) ? SERIES_E_LARGE : series_add(&t->series, d->entry.uid, ts_ms, v, n);
	if (r < 0)
		return r;
	as->metrics.telemetry_values += n;
	as->metrics.telemetry_left_out += r != 0;
	return 0;
}

int telemetry_keep_all(struct as *as, const struct device *d, const struct readings *r)
{
	for (size_t i = 0; i < r->n_records; i++)
		TRY(telemetry_keep(as, d, r->records[i].ts_ms, r->v + r->records[i].first, r->records[i].n));
	return 0;
}

static int64_t ms_of(struct as *as, uint64_t unix_us)
{
	return (int64_t)((unix_us ? unix_us : loop_now(as->loop)->unix_us) / 1000);
}

int telemetry_keep_uplink(struct as *as, const struct device *d, const struct up_data *up, const char *decoded)
{
	struct reading v[LORAWAN_READINGS_MAX];
	char words[LORAWAN_WORDS];
	struct readings *r = &as->telemetry->readings;
	int64_t ts_ms = ms_of(as, up->received_unix_us);
	if (!as->settings->lorawan_telemetry)
		return 0;
	TRY(telemetry_keep(as, d, ts_ms, v, lorawan_uplink(up, words, v)));
	if (!decoded || !*decoded || readings_flat(r, str_of(decoded), &(struct value_rules){ 0 }, ts_ms))
		return 0;
	return telemetry_keep_all(as, d, r);
}

int telemetry_keep_status(struct as *as, const struct device *d, const struct up_status *s)
{
	struct reading v[LORAWAN_READINGS_MAX];
	if (!as->settings->lorawan_telemetry)
		return 0;
	return telemetry_keep(as, d, ms_of(as, MSG_HAS(s, received_unix_us) ? s->received_unix_us : 0), v, lorawan_status(s, v));
}

void telemetry_measure(struct as *as)
{
	as->metrics.telemetry_bytes = as->telemetry->series.bytes;
	as->metrics.telemetry_damaged = as->telemetry->series.damaged;
}

/* ---- what goes ---- */

struct swept {
	uint64_t uid[SWEEP];
	size_t n;
};

static int take_uid(void *ctx, struct slice key, struct slice value)
{
	struct swept *s = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	(void)value;
	s->uid[s->n++] = reader_be64(&r);
	return s->n == COUNT(s->uid) ? FOUND : 0;
}

/** After all devices: does less have to be kept, or may more be? @return whether there is still too much */
static bool end_round(struct telemetry *t)
{
	int64_t age_ms = (int64_t)(t->as->settings->telemetry_age / MS_US), most_ms = age_ms ? age_ms : SPAN_MAX_MS;
	bool is_too_much = t->series.bytes > t->size;
	if (is_too_much && t->span_ms > SPAN_MIN_MS)
		t->span_ms -= t->span_ms / PART;
	else if (t->series.bytes < t->size - t->size / PART * 2)
		t->span_ms += t->span_ms / PART;
	t->span_ms = t->span_ms > most_ms ? most_ms : t->span_ms;
	return is_too_much && t->span_ms > SPAN_MIN_MS;
}

/** @return whether there is more to do at once; -errno */
static int sweep_some(struct telemetry *t)
{
	struct swept s = { .n = 0 };
	uint8_t key[UID_KEY];
	bool is_more = false;
	struct slice from = as_store_uid_key(key, TABLE_SERIES_HEADS, t->swept + 1);
	int r = store_scan(t->as->store, (struct slice){ key, 1 }, from, take_uid, &s);
	if (r < 0)
		return r;
	int64_t before_ms = (int64_t)(loop_now(t->as->loop)->unix_us / 1000) - t->span_ms;
	for (size_t i = 0; i < s.n && before_ms > 0; i++) {
		int n = series_trim(&t->series, s.uid[i], before_ms, TRIM_AT_ONCE);
		if (n < 0)
			return n;
		is_more = is_more || n == TRIM_AT_ONCE;
	}
	if (r == FOUND) {
		t->swept = s.uid[s.n - 1];
		return is_more || t->series.bytes > t->size;
	}
	t->swept = 0;
	return end_round(t) || is_more;
}

static void sweep(void *ctx)
{
	struct telemetry *t = ctx;
	int r = store_failing(t->as->store) ? 0 : sweep_some(t);
	if (r < 0)
		LOG(LOG_ERROR, "telemetry_not_swept", KV_Z("error", strerror(-r)));
	loop_timer_in(t->timer, r > 0 ? SWEEP_SOON_US : SWEEP_US);
}

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct as *as = ctx;
	int r = c == CHANGE_DELETED ? series_forget(&as->telemetry->series, d->entry.uid) : 0;
	if (r)
		LOG(LOG_ERROR, "telemetry_left", KV_Z("device", d->path), KV_Z("error", strerror(-r)));
}

/* ---- the room ---- */

static int add_up(void *ctx, struct slice key, struct slice value)
{
	struct telemetry *t = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	uint64_t bytes, uid = reader_be64(&r);
	if (series_head_read(value, &bytes))
		LOG(LOG_ERROR, "record_damaged", KV_Z("what", "telemetry"), KV_U("device", uid));
	else
		t->series.bytes += bytes;
	return 0;
}

/** Half of the store is for the rest. */
static uint64_t size_of(const struct as *as)
{
	struct store_stats s;
	store_stats(as->store, &s);
	uint64_t size = as->settings->telemetry_size;
	return size < s.map_bytes / 2 ? size : s.map_bytes / 2;
}

int telemetry_start(struct as *as, struct text *err)
{
	const struct series_shelf shelf = { as, seek, put, del, head, put_head, del_head };
	const struct series_limits limits = { as->settings->telemetry_keys, as->settings->telemetry_device_size };
	static const uint8_t prefix = TABLE_SERIES_HEADS;
	struct telemetry *t = calloc(1, sizeof *t);
	as->telemetry = t;
	if (!t)
		return -ENOMEM;
	*t = (struct telemetry){ .as = as, .size = size_of(as), .span_ms = SPAN_MAX_MS };
	TRY(series_init(&t->series, &shelf, &limits));
	if (store_scan(as->store, (struct slice){ &prefix, 1 }, (struct slice){ 0 }, add_up, t)) {
		text_puts(err, "the store's telemetry cannot be read");
		return -EIO;
	}
	int64_t age_ms = (int64_t)(as->settings->telemetry_age / MS_US);
	t->span_ms = age_ms ? age_ms : t->span_ms;
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = as });
	t->timer = loop_timer_new(as->loop, sweep, t);
	if (!t->timer)
		return -ENOMEM;
	loop_timer_in(t->timer, SWEEP_US);
	return 0;
}

void telemetry_stop(struct as *as)
{
	struct telemetry *t = as->telemetry;
	if (!t)
		return;
	loop_timer_free(t->timer);
	readings_done(&t->readings);
	series_done(&t->series);
	free(t);
	as->telemetry = NULL;
}

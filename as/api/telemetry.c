/** @file Telemetry over HTTP: what devices said is asked for, in slices that hold up nobody, and may be said for them. */
#include "as/telemetry.h"
#include "as/attributes.h"
#include "as/api/api.h"
#include "as/api/routes.h"
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 32 << 20, LIMIT_DEFAULT = 100, QUESTIONS_MAX = 32, KEYS_MAX = 2000 };
#define SLICE_US (2 * MS_US)

/** One question. */
struct question {
	struct as *as;
	struct http_request *request;
	struct loop_timer *timer;
	struct asking *asking;
	struct text *values; /* of each key that is asked for, without the brackets */
	size_t n, octets;
	struct text out;
};
static size_t questions; /* at a time */

static void question_free(struct question *q)
{
	for (size_t i = 0; i < q->n; i++)
		text_done(&q->values[i]);
	free(q->values);
	asking_free(q->asking);
	loop_timer_free(q->timer);
	text_done(&q->out);
	free(q);
	questions--;
}

/** The asker is gone. */
static void abandoned(void *ctx)
{
	question_free(ctx);
}

static void write_value(struct text *t, int64_t ts_ms, const struct value *v)
{
	json_open(t, '{');
	json_name(t, "ts");
	json_num(t, ts_ms);
	json_name(t, "value");
	value_json(t, v);
	json_close(t, '}');
}

static void tell(void *ctx, size_t key, int64_t ts_ms, const struct value *v)
{
	struct question *q = ctx;
	size_t before = q->values[key].len;
	if (q->octets > ANSWER_MAX)
		return;
	write_value(&q->values[key], ts_ms, v);
	q->octets += q->values[key].len - before;
}

static void write_key(struct text *t, struct str key, struct str values)
{
	json_str(t, key);
	text_puts(t, ":[");
	text_put(t, values);
	text_putc(t, ']');
}

static void finish(struct question *q, int e)
{
	struct http_request *r = q->request;
	http_on_close(r, NULL, NULL);
	for (size_t i = 0; i < q->n; i++)
		if (q->values[i].len)
			write_key(&q->out, asking_key(q->asking, i), text_str(&q->values[i]));
	json_close(&q->out, '}');
	if (e)
		http_reply_error(r, 503, "the store cannot be read");
	else if (q->octets > ANSWER_MAX || q->out.failed)
		http_reply_error(r, 400, "limit: the answer is too large: ask for fewer values, or for a shorter time");
	else
		http_reply_json(r, 200, text_str(&q->out));
	question_free(q);
}

static void go_on(void *ctx)
{
	struct question *q = ctx;
	uint64_t until_us = loop_measure_us() + SLICE_US;
	int r;
	do
		r = asking_step(q->asking, telemetry_series(q->as));
	while (r > 0 && q->octets <= ANSWER_MAX && loop_measure_us() < until_us);
	if (r > 0 && q->octets <= ANSWER_MAX)
		loop_timer_in(q->timer, 0);
	else
		finish(q, r < 0 ? r : 0);
}

/* ---- what is asked ---- */

/** Milliseconds, or RFC 3339. @return 0; else it has answered */
static int read_time(struct api_call *c, const char *name, int64_t *ret_ms)
{
	const char *z = http_query(c->r, name);
	uint64_t unix_ns;
	if (!z || !*z)
		return 0;
	if (!num_i64(str_of(z), ret_ms) && *ret_ms >= 0)
		return 0;
	if (clock_parse_rfc3339(str_of(z), &unix_ns)) {
		api_error(c, 400, name, "must be milliseconds of unix time, or RFC 3339: 2026-03-01T12:00:00Z");
		return -EINVAL;
	}
	*ret_ms = (int64_t)(unix_ns / 1000000);
	return 0;
}

static int read_aggregate(struct api_call *c, struct ask *a)
{
	const char *name = http_query(c->r, "aggregate"), *interval = http_query(c->r, "interval");
	uint64_t us;
	a->interval_ms = INT64_MAX;
	if (name && *name && ask_aggregate_of(str_of(name), &a->aggregate)) {
		api_error(c, 400, "aggregate", "must be none, min, max, avg, sum or count");
		return -EINVAL;
	}
	if (!interval || !*interval)
		return 0;
	if (num_duration_us(str_of(interval), &us) || us < MS_US) {
		api_error(c, 400, "interval", "must be a duration of at least 1ms: 15m, 1h, 1d");
		return -EINVAL;
	}
	a->interval_ms = (int64_t)(us / MS_US);
	return 0;
}

static int read_ask(struct api_call *c, struct ask *a)
{
	const char *limit = http_query(c->r, "limit");
	uint64_t n = LIMIT_DEFAULT;
	*a = (struct ask){ .uid = c->device->entry.uid, .to_ms = INT64_MAX, .tell = tell };
	if (limit && *limit && num_u64(str_of(limit), &n)) {
		api_error(c, 400, "limit", "must be a whole number; 0: all");
		return -EINVAL;
	}
	a->limit = n ? (size_t)n : SIZE_MAX;
	int r = read_time(c, "from", &a->from_ms);
	r = r ? r : read_time(c, "to", &a->to_ms);
	return r ? r : read_aggregate(c, a);
}

/** The keys that are asked for and there are, in *ret of KEYS_MAX; of the latest ones those that the head has are written to *out instead.
 * @return 0; -errno */
static int choose_keys(struct api_call *c, bool is_latest, struct text *out, struct str *ret, size_t *ret_n)
{
	const char *keys = http_query(c->r, "keys");
	struct series_head head;
	int r = series_head(telemetry_series(c->as), c->device->entry.uid, &head);
	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < head.newest->n && *ret_n < KEYS_MAX; i++) {
		const struct named *n = &head.newest->v[i];
		__attribute__((cleanup(text_done_auto))) struct text one = text_growing(ANSWER_MAX);
		if (keys && *keys && !attributes_among(keys, n->name))
			continue;
		if (!is_latest || n->value.kind == VALUE_KIND_N) {
			ret[(*ret_n)++] = n->name;
			continue;
		}
		write_value(&one, n->ts_ms, &n->value);
		write_key(out, n->name, text_str(&one));
	}
	return 0;
}

static int ask(struct api_call *c, struct question *q, struct ask *a)
{
	const char *latest = http_query(c->r, "latest");
	bool is_latest = latest && !strcmp(latest, "true");
	struct str *keys = calloc(KEYS_MAX, sizeof *keys);
	size_t n = 0;
	if (is_latest)
		*a = (struct ask){ .uid = a->uid, .to_ms = INT64_MAX, .limit = 1, .tell = tell };
	a->ctx = q;
	int r = keys ? choose_keys(c, is_latest, &q->out, keys, &n) : -ENOMEM;
	if (!r) {
		q->asking = asking_new(a, keys, n);
		q->values = calloc(n ? n : 1, sizeof *q->values);
		q->timer = loop_timer_new(c->as->loop, go_on, q);
		r = q->asking && q->values && q->timer ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !r && i < n; i++, q->n++)
		q->values[i] = text_growing(2 * ANSWER_MAX);
	free(keys);
	return r;
}

static void get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { .what = API_APP | API_DEVICE, .right = RIGHT_APPLICATION_TRAFFIC_READ };
	struct api_call c;
	struct ask a;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct question *q = NULL;
	if (questions >= QUESTIONS_MAX) {
		api_error(&c, 429, "", "so many are asking for telemetry that it would take long: ask again");
	} else if (!read_ask(&c, &a)) {
		q = calloc(1, sizeof *q);
		if (q) {
			questions++;
			*q = (struct question){ .as = c.as, .request = r, .out = text_growing(2 * ANSWER_MAX) };
			json_open(&q->out, '{');
		}
		int e = q ? ask(&c, q, &a) : -ENOMEM;
		if (e) {
			if (q)
				question_free(q);
			q = NULL;
			api_fail(&c, e);
		}
	}
	api_done(&c);
	if (q) {
		http_on_close(r, abandoned, q);
		go_on(q);
	}
}

static void say(void *ctx, struct http_request *r)
{
	static const struct api_need need = { .what = API_APP | API_DEVICE | API_CHANGE, .right = RIGHT_APPLICATION_TRAFFIC_UP_WRITE };
	struct api_call c;
	struct readings readings = { 0 };
	if (api_begin(&c, ctx, r, &need))
		return;
	int64_t now_ms = (int64_t)(loop_now(c.as->loop)->unix_us / 1000);
	int e = readings_telemetry(&readings, http_body(r), &(struct value_rules){ 0 }, now_ms);
	if (e) {
		api_error(&c, 400, "", "%s", readings.problem);
	} else {
		e = telemetry_keep_all(c.as, c.device, &readings);
		text_puts(&c.out, "{}");
		if (e)
			api_fail(&c, e);
		else
			api_commit(&c);
	}
	readings_done(&readings);
	api_done(&c);
}

#define PATH "/api/v3/as/applications/{application_id}/devices/{device_id}/telemetry"
const struct api_route api_telemetry_routes[] = {
	{ HTTP_GET, PATH, get,
		"APPLICATION_TRAFFIC_READ", "Ask for a device's telemetry", "", "@Telemetry", "keys from to limit latest aggregate interval" },
	{ HTTP_POST, PATH, say,
		"APPLICATION_TRAFFIC_UP_WRITE", "Keep telemetry of a device, in the forms in which devices send it", "any", "@Empty", "" },
	{ .path = NULL },
};

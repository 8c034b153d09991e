/** @file Pushes and their payload formatters. */
#include "as/formatters/encode.h"
#include "as/core/formatters/cayenne.h"
#include "as/core/formatters/formatter.h"
#include "as/core/registry/json_copy.h"
#include "as/formatters/lines.h"
#include "as/scripts/pool.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	PART_MAX = 16384, /* octets of the items of a part; an item that is longer is a part by itself */
	WORDS_MAX = 256,
	RECORD_VERSION = 1, RECORD_HEAD = 10,
	FLAG_REPLACE = 1, FLAG_FIRST = 2, FLAG_LAST = 4
};

/** Who waits for what a request comes to. */
struct waits {
	STAILQ_ENTRY(waits) next;
	uint64_t number; /**< of its last part */
	struct downlinks_waiter waiter;
};

/** A device for which something waits, or is at work. */
struct encoding {
	struct as *as;
	uint64_t uid;
	STAILQ_HEAD(waits_head, waits) waiting;
	struct downlinks_result result; /**< of the request that is at work */
	/* Its part: */
	uint64_t number;          /**< in the line */
	bool is_open;             /**< the rest is set */
	uint8_t flags;
	uint64_t received_unix_us;
	char *body;
	struct json_tok *tok;
	struct json j;
	struct downlinks_part part;
	json_val at;              /**< the item that is looked at */
	size_t n, next;           /**< how many there are; which it is */
	struct made **made;
	enum script_call call;
	uint64_t ticket;          /**< of the script that is asked; 0: none */
	UT_hash_handle hh;
};

struct encode {
	struct as *as;
	struct encoding *by_uid;
};

/* ---- what an item needs ---- */

static struct formatter formatter_of(const struct device *d)
{
	struct formatters f;
	formatters_of(d->app, d, &f);
	return f.down;
}

/** Does it come as octets alone? */
static bool is_octets(const struct json *j, json_val item)
{
	json_val decoded = json_get(j, item, "decoded_payload");
	return json_type(j, item) == JSON_OBJECT && (decoded < 0 || json_type(j, decoded) == JSON_NULL) &&
		json_raw(j, json_get(j, item, "frm_payload")).n;
}

/** Only a script that names the function may have it: most have none, and are not asked. */
static bool has_decoder(const struct formatter *f)
{
	static const char name[] = "decodeDownlink";
	return memmem(f->script->text, f->script->n, name, sizeof name - 1) != NULL;
}

static bool needs_script(const struct json *j, json_val item, bool decodes, enum script_call *ret)
{
	json_val values = json_type(j, item) == JSON_OBJECT ? tts_request_values(j, item) : -1;
	*ret = values >= 0 ? SCRIPT_ENCODE_DOWNLINK : SCRIPT_DECODE_DOWNLINK;
	return values >= 0 ? json_type(j, values) == JSON_OBJECT : decodes && is_octets(j, item);
}

bool encode_must_wait(const struct as *as, const struct device *d, const struct json *j, json_val items)
{
	struct formatter f = formatter_of(d);
	enum script_call call;
	if (lines_waits(as, LINE_DOWN, d->entry.uid))
		return true;
	if (f.kind != FORMATTER_JAVASCRIPT || !scripts_available(as))
		return false;
	bool decodes = has_decoder(&f);
	for (json_val v = json_first(j, items); v >= 0; v = json_next(j, v))
		if (needs_script(j, v, decodes, &call))
			return true;
	return false;
}

/** Its values as strict JSON. @return NULL; else why a formatter cannot be given them */
static const char *copy_values(const struct json *j, json_val values, struct text *ret)
{
	if (json_type(j, values) != JSON_OBJECT)
		return "it is not an object";
	json_copy(ret, j, values);
	if (ret->failed || ret->len > SCRIPT_JSON_MAX)
		return "it is longer than 16384 octets";
	return utf8_valid(text_str(ret)) ? NULL : "it is not UTF-8";
}

static struct made *cayenne_of_values(const struct json *j, json_val item)
{
	AUTO(text_done) struct text values = text_growing(SCRIPT_JSON_MAX + 1);
	uint8_t octets[CAYENNE_BYTES_MAX];
	char words[WORDS_MAX];
	struct text why = text_fixed(words, sizeof words);
	size_t n;
	const char *wrong = copy_values(j, tts_request_values(j, item), &values);
	if (wrong)
		return made_refusal("invalid_decoded_payload", wrong);
	int r = cayenne_encode(text_str(&values), octets, &n, &why);
	if (r < 0)
		return NULL;
	return r ? made_failure(SCRIPT_ENCODE_DOWNLINK, "values", 0, text_str(&why)) : made_of_bytes((struct slice){ octets, n });
}

static struct made *cayenne_of_octets(const struct json *j, json_val item)
{
	AUTO(text_done) struct text values = text_growing(SCRIPT_JSON_MAX);
	uint8_t octets[SCRIPT_BYTES_MAX];
	char words[WORDS_MAX];
	struct text why = text_fixed(words, sizeof words);
	size_t n;
	if (json_base64(j, json_get(j, item, "frm_payload"), octets, sizeof octets, &n))
		return made_of_values((struct str){ 0 }); /* it is refused for that */
	int r = cayenne_decode_down(&values, (struct slice){ octets, n }, &why);
	if (r < 0)
		return NULL;
	return r ? made_failure(SCRIPT_DECODE_DOWNLINK, "octets", 0, text_str(&why)) : made_of_values(text_str(&values));
}

int encode_now(const struct device *d, const struct json *j, json_val item, struct made **ret)
{
	enum formatter_kind kind = formatter_of(d).kind;
	bool has_values = json_type(j, item) == JSON_OBJECT && tts_request_values(j, item) >= 0;
	*ret = NULL;
	if (kind == FORMATTER_NONE || !(has_values || (kind == FORMATTER_CAYENNELPP && is_octets(j, item))))
		return 0;
	if (kind == FORMATTER_REPOSITORY)
		*ret = made_refusal("no_encoder", "there is no device repository here: set the maker's codec as FORMATTER_JAVASCRIPT");
	else if (kind == FORMATTER_GRPC_SERVICE)
		*ret = made_refusal("no_encoder", "FORMATTER_GRPC_SERVICE is not served");
	else if (kind == FORMATTER_CAYENNELPP)
		*ret = has_values ? cayenne_of_values(j, item) : cayenne_of_octets(j, item);
	else if (json_type(j, tts_request_values(j, item)) == JSON_OBJECT) /* else the script is asked */
		*ret = made_failure(SCRIPT_ENCODE_DOWNLINK, "unavailable", 0, STR("scripts do not run on this host, or are turned off: as.script-processes"));
	else
		*ret = made_refusal("invalid_decoded_payload", "it is not an object");
	return *ret ? 0 : -ENOMEM;
}

/* ---- devices ---- */

static struct encoding *find(const struct encode *all, uint64_t uid)
{
	struct encoding *e;
	HASH_FIND(hh, all->by_uid, &uid, sizeof uid, e);
	return e;
}

static struct encoding *find_or_add(struct as *as, uint64_t uid)
{
	struct encoding *e = find(as->encode, uid);
	if (e || !(e = calloc(1, sizeof *e)))
		return e;
	e->as = as;
	e->uid = uid;
	STAILQ_INIT(&e->waiting);
	HASH_ADD(hh, as->encode->by_uid, uid, sizeof e->uid, e);
	if (e->hh.tbl)
		return e;
	free(e);
	return NULL;
}

/** Let go of the part that is at work. */
static void close_part(struct encoding *e)
{
	if (e->ticket)
		scripts_cancel(e->as, e->ticket);
	for (size_t i = 0; e->made && i < e->n; i++)
		free(e->made[i]);
	free(e->made);
	free(e->tok);
	free(e->body);
	e->ticket = 0;
	e->made = NULL;
	e->tok = NULL;
	e->body = NULL;
	e->is_open = false;
}

/** Tell who waits for a request of which this part is the last. */
static void tell(struct encoding *e, uint64_t number, int r)
{
	struct waits *w;
	while ((w = STAILQ_FIRST(&e->waiting)) && w->number <= number) {
		STAILQ_REMOVE_HEAD(&e->waiting, next);
		w->waiter.done(w->waiter.ctx, r, &e->result);
		free(w);
	}
}

/** @param r  for who waits */
static void forget(struct encode *all, struct encoding *e, int r)
{
	close_part(e);
	tell(e, UINT64_MAX, r);
	HASH_DEL(all->by_uid, e);
	free(e);
}

/** Forget a device of which nothing waits. */
static void tidy(struct encoding *e)
{
	if (!e->is_open && STAILQ_EMPTY(&e->waiting) && !lines_waits(e->as, LINE_DOWN, e->uid))
		forget(e->as->encode, e, 0);
}

/* ---- a request becomes parts ---- */

/** @return 0; LINES_E_FULL; -errno */
static int add_part(struct as *as, const struct device *d, struct text *items, unsigned flags, uint64_t *ret_number)
{
	text_puts(items, "]}");
	if (items->failed)
		return -ENOMEM;
	uint8_t *head = (uint8_t *)items->p;
	struct writer w = writer_of(head, RECORD_HEAD);
	writer_u8(&w, RECORD_VERSION);
	writer_u8(&w, (uint8_t)flags);
	writer_be64(&w, loop_now(as->loop)->unix_us);
	return lines_add(as, LINE_DOWN, d, (struct slice){ head, items->len }, ret_number);
}

static void begin_part(struct text *t)
{
	text_reset(t);
	text_put(t, (struct str){ "0123456789", RECORD_HEAD }); /* its head comes there */
	text_puts(t, "{\"downlinks\":[");
}

/** @param ret_number  of the last part */
static int add_parts(struct as *as, const struct device *d, const struct json *j, json_val items, bool is_replace, struct text *t, uint64_t *ret_number)
{
	unsigned flags = FLAG_FIRST | (is_replace ? FLAG_REPLACE : 0);
	bool is_empty = true;
	begin_part(t);
	for (json_val v = json_first(j, items); v >= 0; v = json_next(j, v)) {
		struct str item = json_whole(j, v);
		if (!is_empty && t->len + item.n > PART_MAX) {
			int r = add_part(as, d, t, flags, ret_number);
			if (r)
				return r;
			flags = 0;
			is_empty = true;
			begin_part(t);
		}
		text_puts(t, is_empty ? "" : ",");
		text_put(t, item);
		is_empty = false;
	}
	return add_part(as, d, t, flags | FLAG_LAST, ret_number);
}

int encode_later(struct as *as, const struct device *d, const struct json *j, json_val items, bool is_replace, const struct downlinks_waiter *w)
{
	AUTO(text_done) struct text t = text_growing(2 << 20);
	struct waits *it = w ? malloc(sizeof *it) : NULL;
	struct encoding *e = find_or_add(as, d->entry.uid);
	uint64_t number = 0;
	int r = !e || (w && !it) ? -ENOMEM : add_parts(as, d, j, items, is_replace, &t, &number);
	if (r || !w) {
		free(it);
		if (e)
			tidy(e);
		return r;
	}
	*it = (struct waits){ .number = number, .waiter = *w };
	STAILQ_INSERT_TAIL(&e->waiting, it, next);
	return 0;
}

/* ---- its turn ---- */

/** Read the record of a turn. @return 0; -EPROTO; -ENOMEM */
static int open_part(struct encoding *e, const struct line_turn *turn)
{
	struct reader r = reader_of(turn->record.p, turn->record.n);
	uint8_t version = reader_u8(&r);
	const char *reason;
	e->flags = reader_u8(&r);
	e->received_unix_us = reader_be64(&r);
	size_t n = turn->record.n - (r.failed ? 0 : RECORD_HEAD), max = n / 2 + 16;
	if (r.failed || version != RECORD_VERSION)
		return -EPROTO;
	e->body = malloc(n + 1);
	e->tok = calloc(max, sizeof *e->tok);
	if (!e->body || !e->tok)
		return -ENOMEM;
	memcpy(e->body, turn->record.p + RECORD_HEAD, n);
	int rc = json_parse((struct str){ e->body, n }, e->tok, max, &e->j, NULL);
	json_val items = rc ? -1 : tts_request_items(&e->j, &reason);
	if (items < 0)
		return -EPROTO;
	e->n = json_count(&e->j, items);
	e->made = calloc(e->n + 1, sizeof *e->made);
	if (!e->made)
		return -ENOMEM;
	e->number = turn->number;
	e->is_open = true;
	e->at = json_first(&e->j, items);
	e->next = 0;
	e->part = (struct downlinks_part){ .j = &e->j, .items = items, .made = e->made, .is_replace = e->flags & FLAG_REPLACE,
		.is_last = e->flags & FLAG_LAST };
	if (e->flags & FLAG_FIRST)
		e->result = (struct downlinks_result){ 0 };
	return 0;
}

static void made_next(struct encoding *e, struct made *m)
{
	e->made[e->next++] = m;
	e->at = json_next(&e->j, e->at);
}

static int go_on(struct encoding *e, struct device *d);

static void answered(void *ctx, const struct script_result *r)
{
	struct encoding *e = ctx;
	struct device *d = registry_device_by_uid(&e->as->registry, e->uid);
	e->ticket = 0;
	struct made *m = made_of_script(e->call, r);
	if (m)
		made_next(e, m);
	if (!d || !m || go_on(e, d))
		lines_again(e->as, LINE_DOWN, e->uid);
}

/** Ask the script of an item. @return 0, e->ticket set, or the item is refused; -errno */
static int ask(struct encoding *e, const struct device *d, struct script *script)
{
	AUTO(text_done) struct text values = text_growing(SCRIPT_JSON_MAX + 1);
	uint8_t octets[SCRIPT_BYTES_MAX];
	struct script_job job = { .call = e->call, .script = script, .whose = d->app->key,
		.f_port = (uint8_t)tts_request_f_port(&e->j, e->at),
		.received_unix_us = e->received_unix_us, .done = answered, .ctx = e };
	if (e->call == SCRIPT_ENCODE_DOWNLINK) {
		const char *wrong = copy_values(&e->j, tts_request_values(&e->j, e->at), &values);
		if (wrong) {
			struct made *m = made_refusal("invalid_decoded_payload", wrong);
			if (m)
				made_next(e, m);
			return m ? 0 : -ENOMEM;
		}
		job.data = text_str(&values);
	} else if (json_base64(&e->j, json_get(&e->j, e->at, "frm_payload"), octets, sizeof octets, &job.bytes.n)) {
		made_next(e, NULL); /* which is refused for that */
		return 0;
	}
	job.bytes.p = octets;
	e->ticket = scripts_start(e->as, &job);
	return e->ticket ? 0 : -EAGAIN;
}

/** All items of the part are seen to: queue them. @return 0, the part is done; -errno */
static int finish(struct encoding *e, struct device *d)
{
	const struct now *now = loop_now(e->as->loop);
	uint64_t waited_us = now->unix_us > e->received_unix_us ? now->unix_us - e->received_unix_us : 0, number = e->number;
	e->part.since_us = waited_us < now->mono_us ? now->mono_us - waited_us : 0;
	TRY(downlinks_take(e->as, d, &e->part, &e->result));
	TRY(lines_done(e->as, LINE_DOWN, e->uid));
	close_part(e);
	if (e->flags & FLAG_LAST)
		tell(e, number, 0);
	tidy(e);
	return 0;
}

/** Look at items until a script is asked, or all are seen to. @return 0; -errno: it is to be tried again, from where it is */
static int go_on(struct encoding *e, struct device *d)
{
	struct formatter f = formatter_of(d);
	bool runs = f.kind == FORMATTER_JAVASCRIPT && scripts_available(e->as), decodes = runs && has_decoder(&f);
	while (e->next < e->n) {
		struct made *m;
		if (runs && needs_script(&e->j, e->at, decodes, &e->call)) {
			TRY(ask(e, d, f.script));
			if (e->ticket)
				return 0;
			continue;
		}
		TRY(encode_now(d, &e->j, e->at, &m));
		made_next(e, m);
	}
	return finish(e, d);
}

static int begin(struct as *as, const struct line_turn *turn, void **ret_work)
{
	struct device *d = registry_device_by_uid(&as->registry, turn->uid);
	struct encoding *e = find_or_add(as, turn->uid);
	uint64_t uid = turn->uid, number = turn->number;
	if (!e || !d)
		return -EAGAIN;
	if (e->is_open && e->number != number)
		close_part(e);
	int r = e->is_open ? 0 : open_part(e, turn);
	if (r == -EPROTO) {
		LOG(LOG_ERROR, "record_damaged", KV_Z("what", "push"), KV_U("device", uid));
		close_part(e);
		tell(e, number, 0);
		return lines_done(as, LINE_DOWN, uid);
	}
	if (r) {
		close_part(e);
		return r;
	}
	TRY(go_on(e, d));
	e = find(as->encode, uid);
	*ret_work = e && e->ticket ? e : NULL;
	return 0;
}

static void cancel(struct as *as, void *work)
{
	if (as->encode)
		close_part(work);
}

/* ---- the room ---- */

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct encode *all = ctx;
	struct encoding *e = c == CHANGE_DELETED ? find(all, d->entry.uid) : NULL;
	if (e)
		forget(all, e, -ENODEV);
}

int encode_start(struct as *as, struct text *err)
{
	static const struct line_handler handler = { begin, cancel, NULL };
	struct encode *all = as->encode = calloc(1, sizeof *all);
	(void)err;
	if (!all)
		return -ENOMEM;
	all->as = as;
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = all });
	lines_handle(as, LINE_DOWN, &handler);
	return 0;
}

void encode_stop(struct as *as)
{
	struct encode *all = as->encode;
	struct encoding *e, *next;
	if (!all)
		return;
	HASH_ITER(hh, all->by_uid, e, next)
		forget(all, e, -ESHUTDOWN);
	free(all);
	as->encode = NULL;
}

/** @file Uplinks and their payload formatters. */
#include "as/formatters/decode.h"
#include "as/core/formatters/cayenne.h"
#include "as/formatters/lines.h"
#include "as/formatters/publish.h"
#include "as/formatters/told.h"
#include "as/scripts/pool.h"
#include "common/log.h"
#include <stdlib.h>

/** A script was asked. */
struct asked {
	struct as *as;
	uint64_t uid, ticket;
};

enum { WORDS = 2, WORDS_MAX = 1 << 17, WHY_MAX = 512 };

struct decode {
	struct ns_up m;           /**< scratch: of a record that was read */
	uint8_t record[KEPT_MAX]; /**< likewise: of one that is written */
	struct text words[WORDS]; /**< likewise: results, terminated */
	struct normalized normalized;
	struct tts_location location;
};

/** Is there a payload that a formatter may look at? With FPort 0 and none there are MAC commands. */
static bool is_payload(const struct kept *k)
{
	const struct up_data *up = &k->m->data;
	return MSG_HAS(k->m, data) && MSG_HAS(up, f_port) && up->f_port && !*k->decoded;
}

static struct formatter formatter_of(const struct device *d)
{
	struct formatters f;
	formatters_of(d->app, d, &f);
	return f.up;
}

static struct slice payload_of(const struct kept *k)
{
	const struct up_data *up = &k->m->data;
	return (struct slice){ up->frm.p, MSG_HAS(up, frm) ? up->frm.len : 0 };
}

/** What stands in what was decoded: a location. @return its text, terminated */
static const char *take_payload(struct as *as, struct str payload, struct decoded *ret)
{
	struct text *t = &as->decode->words[0];
	if (location_find(payload, &as->decode->location))
		ret->location = &as->decode->location;
	return t->failed || !payload.n ? "" : t->p;
}

/* ---- without asking anybody ---- */

static void take_cayenne(struct as *as, const struct device *d, const struct kept *k, struct decoded *ret)
{
	struct text *t = &as->decode->words[0];
	char words[WHY_MAX];
	struct text why = text_fixed(words, sizeof words);
	text_reset(t);
	if (cayenne_decode(t, payload_of(k), &why))
		told_undecoded(as, d, k, "cayenne", 0, text_str(&why));
	else
		ret->payload = take_payload(as, text_str(t), ret);
}

/** Publish it with what can be said of it at once. @return 0; -errno of the store */
static int publish_now(struct as *as, const struct device *d, struct kept *k)
{
	struct decoded x = { .payload = k->decoded };
	int r = publish_decrypt(as, d, k);
	if (r) {
		publish_undecrypted(as, d, k, r);
		return 0;
	}
	enum formatter_kind kind = is_payload(k) ? formatter_of(d).kind : FORMATTER_NONE;
	if (kind == FORMATTER_CAYENNELPP)
		take_cayenne(as, d, k, &x);
	else
		told_unserved(as, d, k, kind, (struct str){ 0 });
	return publish_kept(as, d, k, &x);
}

static bool asks_script(struct as *as, const struct device *d, const struct kept *k)
{
	return is_payload(k) && formatter_of(d).kind == FORMATTER_JAVASCRIPT && scripts_available(as);
}

int decode_take(struct as *as, const struct device *d, struct kept *k)
{
	size_t n;
	publish_received(as, d, k);
	if (!asks_script(as, d, k) && !lines_waits(as, LINE_UP, d->entry.uid))
		return publish_now(as, d, k);
	TRY(kept_pack(k, as->decode->record, &n));
	return lines_add(as, LINE_UP, d, (struct slice){ as->decode->record, n }, NULL);
}

/* ---- results of scripts ---- */

static const char *terminated(struct text *t, struct str s)
{
	text_reset(t);
	text_put(t, s);
	return t->failed || !s.n ? "" : t->p;
}

/** Without normalizeUplink, data that happen to be measurements count as such. */
static void take_normalized(struct as *as, const struct device *d, const struct kept *k, const struct script_result *r, struct decoded *ret)
{
	struct normalized *n = &as->decode->normalized;
	char words[WHY_MAX];
	struct text why = text_fixed(words, sizeof words);
	if (r->normalized_error.n)
		told_undecoded(as, d, k, "normalize", 0, r->normalized_error);
	else if (!r->normalized.n)
		return;
	else if (!normalized_check(n, r->normalized, r->normalized_warnings, &why))
		ret->normalized = n;
	else if (r->has_normalizer)
		told_undecoded(as, d, k, "normalize", 0, text_str(&why));
}

static void take_result(struct as *as, const struct device *d, const struct kept *k, const struct script_result *r, struct decoded *ret)
{
	struct text *w = as->decode->words;
	*ret = (struct decoded){ 0 };
	if (r->outcome == SCRIPT_UNAVAILABLE) {
		told_unserved(as, d, k, FORMATTER_JAVASCRIPT, r->message);
		return;
	}
	if (r->outcome != SCRIPT_OK) {
		told_undecoded(as, d, k, script_outcome_word(r->outcome), r->line, r->message);
		return;
	}
	(void)terminated(&w[0], r->data);
	ret->payload = take_payload(as, r->data, ret);
	ret->warnings = terminated(&w[1], r->warnings);
	told_warnings(as, d, k, r->warnings);
	take_normalized(as, d, k, r, ret);
}

/** The record that is at work, plain. @return 0; -errno, -EPROTO there is none that can be read */
static int read_again(struct as *as, const struct device *d, uint64_t uid, struct kept *ret)
{
	struct line_turn turn;
	TRY(lines_first(as, LINE_UP, uid, &turn));
	TRY(kept_unpack(turn.record, &as->decode->m, ret));
	return publish_decrypt(as, d, ret);
}

static void answered(void *ctx, const struct script_result *result)
{
	struct asked a = *(struct asked *)ctx;
	struct kept k;
	struct decoded x;
	free(ctx);
	const struct device *d = registry_device_by_uid(&a.as->registry, a.uid);
	int r = d ? read_again(a.as, d, a.uid, &k) : 0;
	if (d && !r) {
		take_result(a.as, d, &k, result, &x);
		r = publish_kept(a.as, d, &k, &x);
	}
	if (!r)
		r = lines_done(a.as, LINE_UP, a.uid);
	if (r)
		lines_again(a.as, LINE_UP, a.uid);
}

/* ---- turns ---- */

/** @return 0; -EAGAIN */
static int ask(struct as *as, const struct device *d, const struct kept *k, void **ret_work)
{
	struct asked *a = calloc(1, sizeof *a);
	if (!a)
		return -EAGAIN;
	*a = (struct asked){ .as = as, .uid = d->entry.uid };
	struct script_job job = { .call = SCRIPT_DECODE_UPLINK, .script = formatter_of(d).script, .whose = d->app->key,
		.f_port = (uint8_t)k->m->data.f_port, .received_unix_us = k->m->data.received_unix_us, .bytes = payload_of(k),
		.done = answered, .ctx = a };
	a->ticket = scripts_start(as, &job);
	if (!a->ticket) {
		free(a);
		return -EAGAIN;
	}
	*ret_work = a;
	return 0;
}

static int damaged(struct as *as, const struct line_turn *turn)
{
	LOG(LOG_ERROR, "record_damaged", KV_Z("what", "uplink"), KV_U("device", turn->uid));
	return lines_done(as, LINE_UP, turn->uid);
}

static int begin(struct as *as, const struct line_turn *turn, void **ret_work)
{
	const struct device *d = registry_device_by_uid(&as->registry, turn->uid);
	uint64_t uid = turn->uid;
	struct kept k;
	if (!d || kept_unpack(turn->record, &as->decode->m, &k))
		return damaged(as, turn);
	if (asks_script(as, d, &k) && !publish_decrypt(as, d, &k))
		return ask(as, d, &k, ret_work);
	TRY(publish_now(as, d, &k));
	return lines_done(as, LINE_UP, uid);
}

static void cancel(struct as *as, void *work)
{
	struct asked *a = work;
	scripts_cancel(as, a->ticket);
	free(a);
}

static int let_out(struct as *as, const struct line_turn *turn)
{
	const struct device *d = registry_device_by_uid(&as->registry, turn->uid);
	struct kept k;
	if (!d || kept_unpack(turn->record, &as->decode->m, &k))
		return 0;
	int r = publish_decrypt(as, d, &k);
	if (r) {
		publish_undecrypted(as, d, &k, r);
		return 0;
	}
	if (asks_script(as, d, &k))
		told_undecoded(as, d, &k, "too_many_wait", 0, STR("too many uplinks wait for their formatters: as.formatter-messages, as.formatter-size"));
	return publish_kept(as, d, &k, &(struct decoded){ .payload = k.decoded });
}

int decode_start(struct as *as, struct text *err)
{
	static const struct line_handler handler = { begin, cancel, let_out };
	(void)err;
	as->decode = calloc(1, sizeof *as->decode);
	if (!as->decode)
		return -ENOMEM;
	for (size_t i = 0; i < WORDS; i++)
		as->decode->words[i] = text_growing(WORDS_MAX);
	lines_handle(as, LINE_UP, &handler);
	return 0;
}

void decode_stop(struct as *as)
{
	if (!as->decode)
		return;
	for (size_t i = 0; i < WORDS; i++)
		text_done(&as->decode->words[i]);
	normalized_done(&as->decode->normalized);
	free(as->decode);
	as->decode = NULL;
}

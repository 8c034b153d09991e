/** @file Uplinks and their payload formatters. */
#include "as/formatters/decode.h"
#include "as/formatters/lines.h"
#include "as/formatters/publish.h"
#include "as/formatters/told.h"
#include "as/scripts/pool.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

/** A script was asked. */
struct asked {
	struct as *as;
	uint64_t uid, ticket;
};

enum { WORDS = 4, WORDS_MAX = 1 << 17 };

struct decode {
	struct ns_up m;           /**< scratch: of a record that was read */
	uint8_t record[KEPT_MAX]; /**< likewise: of one that is written */
	struct text words[WORDS]; /**< likewise: results, terminated */
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

/* ---- without asking anybody ---- */

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
	if (kind != FORMATTER_CAYENNELPP)
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
	return t->failed ? "" : t->p;
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
	ret->payload = terminated(&w[0], r->data);
	ret->warnings = terminated(&w[1], r->warnings);
	told_warnings(as, d, k, r->warnings);
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

static uint64_t lane_of(const struct device *d)
{
	unsigned lane;
	HASH_FUNCTION(d->app->key, strlen(d->app->key), lane);
	return lane;
}

/** @return 0; -EAGAIN */
static int ask(struct as *as, const struct device *d, const struct kept *k, void **ret_work)
{
	struct asked *a = calloc(1, sizeof *a);
	if (!a)
		return -EAGAIN;
	*a = (struct asked){ .as = as, .uid = d->entry.uid };
	struct script_job job = { .call = SCRIPT_DECODE_UPLINK, .script = formatter_of(d).script, .lane = lane_of(d),
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
	free(as->decode);
	as->decode = NULL;
}

/** @file The words in braces of why.def's answers and advice. */
#include "as/core/why/case.h"
#include "common/core/clock.h"
#include "proto/tables.h"
#include <inttypes.h>
#include <string.h>

void why_span(struct text *t, uint64_t us)
{
	static const struct { uint64_t s; const char *unit; } units[] = { { 86400, "day" }, { 3600, "h" }, { 60, "min" } };
	uint64_t s = us / SEC_US;
	for (size_t i = 0; i < COUNT(units); i++)
		if (s >= 2 * units[i].s) {
			uint64_t n = s / units[i].s;
			text_printf(t, "%" PRIu64 " %s%s", n, units[i].unit, i ? "" : "s");
			return;
		}
	text_printf(t, "%" PRIu64 " s", s);
}

/** "12 s ago" */
static bool ago(const struct why_case *c, struct text *t, uint64_t unix_us)
{
	if (!unix_us)
		return false;
	why_span(t, c->f->now_us > unix_us ? c->f->now_us - unix_us : 0);
	text_puts(t, " ago");
	return true;
}

static const struct why_sight *sight(const struct why_case *c)
{
	static const struct why_sight none = { .event = EVENT_N };
	return c->n_sights ? c->sight[0] : &none;
}

static bool text_of(struct text *t, const char *z)
{
	text_puts(t, z);
	return *z;
}
static bool hex(struct text *t, uint64_t v, int digits)
{
	text_printf(t, "%0*" PRIX64, digits, v);
	return true;
}
static bool count(struct text *t, uint64_t v)
{
	text_u64(t, v);
	return true;
}
static bool member(const struct why_case *c, struct text *t, const char *name)
{
	char buf[256];
	return !why_string(sight(c), name, buf, sizeof buf) && text_of(t, buf);
}

static bool w_app(const struct why_case *c, struct text *t) { return text_of(t, c->f->app); }
static bool w_dev(const struct why_case *c, struct text *t) { return text_of(t, c->f->dev); }
static bool w_dev_eui(const struct why_case *c, struct text *t) { return c->f->has_dev_eui && hex(t, c->f->dev_eui, 16); }
static bool w_backwards(const struct why_case *c, struct text *t) { return count(t, c->f->backwards); }
static bool w_turned_eui(const struct why_case *c, struct text *t) { return hex(t, __builtin_bswap64(c->f->dev_eui), 16); }
static bool w_join_eui(const struct why_case *c, struct text *t) { return hex(t, c->f->join_eui, 16); }
static bool w_dev_addr(const struct why_case *c, struct text *t) { return c->f->has_session && hex(t, c->f->dev_addr, 8); }
static bool w_seen_addr(const struct why_case *c, struct text *t) { return hex(t, sight(c)->dev_addr, 8); }
static bool w_plan(const struct why_case *c, struct text *t) { return text_of(t, c->f->plan); }
static bool w_version(const struct why_case *c, struct text *t) { return text_of(t, c->f->version); }
static bool w_twin(const struct why_case *c, struct text *t) { return text_of(t, c->f->twin); }
static bool w_count(const struct why_case *c, struct text *t) { return count(t, sight(c)->count); }
static bool w_recent(const struct why_case *c, struct text *t) { return count(t, sight(c)->recent); }
static bool several(struct text *t, uint32_t n, const char *what)
{
	text_printf(t, "%" PRIu32 " %s%s", n, what, n == 1 ? "" : "s");
	return true;
}
static bool w_requests(const struct why_case *c, struct text *t) { return several(t, sight(c)->recent, "join-request"); }
static bool w_frames(const struct why_case *c, struct text *t) { return several(t, sight(c)->recent, "frame"); }
static bool w_items(const struct why_case *c, struct text *t) { return several(t, c->f->queued, "downlink"); }
static bool w_last(const struct why_case *c, struct text *t) { return ago(c, t, sight(c)->last_us); }
static bool w_word(const struct why_case *c, struct text *t) { return text_of(t, sight(c)->word); }
static bool w_since(const struct why_case *c, struct text *t)
{
	if (c->f->since_us)
		why_span(t, c->f->now_us > c->f->since_us ? c->f->now_us - c->f->since_us : 0);
	return c->f->since_us;
}
static bool w_heard(const struct why_case *c, struct text *t) { return ago(c, t, c->f->heard_us); }
static bool w_any(const struct why_case *c, struct text *t) { return ago(c, t, c->f->any_uplink_us); }
static bool w_connected(const struct why_case *c, struct text *t) { return count(t, c->f->connected); }
static bool w_sending(const struct why_case *c, struct text *t) { return count(t, c->f->sending); }
static bool w_known(const struct why_case *c, struct text *t) { return count(t, c->f->known); }
static bool w_away(const struct why_case *c, struct text *t) { return count(t, c->f->away); }
static bool w_keys_expired(const struct why_case *c, struct text *t) { return count(t, c->f->keys_expired); }
static bool w_size(const struct why_case *c, struct text *t) { return count(t, c->f->head.size); }
static bool w_misses(const struct why_case *c, struct text *t) { return count(t, c->f->head.misses); }
static bool w_attempts(const struct why_case *c, struct text *t) { return count(t, c->f->head.attempt); }
static bool w_waits(const struct why_case *c, struct text *t)
{
	uint64_t at = c->f->head.queued_us;
	if (at)
		why_span(t, c->f->now_us > at ? c->f->now_us - at : 0);
	return at;
}
static bool w_until(const struct why_case *c, struct text *t)
{
	if (c->f->head.at_us)
		why_span(t, c->f->head.at_us > c->f->now_us ? c->f->head.at_us - c->f->now_us : 0);
	return c->f->head.at_us;
}
static bool w_f_cnt(const struct why_case *c, struct text *t) { return member(c, t, "f_cnt"); }
static bool w_next_f_cnt(const struct why_case *c, struct text *t) { return member(c, t, "next_f_cnt"); }
static bool w_message(const struct why_case *c, struct text *t) { return member(c, t, "message"); }
static bool w_unserved(const struct why_case *c, struct text *t) { return text_of(t, c->f->unserved); }
static bool w_heard_join_eui(const struct why_case *c, struct text *t) { return c->f->is_operator && member(c, t, "join_eui"); }
static bool w_duty(const struct why_case *c, struct text *t) { return count(t, UINT64_C(1) << c->f->duty_cycle_exponent); }
static bool w_down(const struct why_case *c, struct text *t) { return count(t, c->f->last_f_cnt_down); }
static bool w_radio(const struct why_case *c, struct text *t) { return text_of(t, c->f->radio.gateway_id); }
static bool w_hearers(const struct why_case *c, struct text *t) { return count(t, c->f->radio.gateways); }
static bool w_margin(const struct why_case *c, struct text *t)
{
	int32_t m;
	if (why_margin(c->f, &m))
		return false;
	text_decimal(t, m, 1);
	return true;
}
/** What the sight's word means: of an emission, or of a downlink's error. */
static bool w_meaning(const struct why_case *c, struct text *t)
{
	for (uint32_t i = 0; i < 64; i++) {
		const struct tx_result_info *r = tx_result_info(i);
		if (!strcmp(r->name, sight(c)->word))
			return text_of(t, r->meaning);
	}
	return text_of(t, sight(c)->word);
}
static bool w_gateway(const struct why_case *c, struct text *t)
{
	return text_of(t, c->gateway ? c->gateway->id : sight(c)->is_stranger && !c->f->is_operator ? "" : sight(c)->gateway_id);
}
static bool w_gateway_eui(const struct why_case *c, struct text *t) { return c->gateway && hex(t, c->gateway->eui, 16); }
static bool w_gateway_plan(const struct why_case *c, struct text *t) { return text_of(t, c->gateway ? c->gateway->plan : ""); }
static bool w_gone(const struct why_case *c, struct text *t) { return c->gateway && ago(c, t, c->gateway->disconnected_us); }
static bool w_gateway_heard(const struct why_case *c, struct text *t) { return c->gateway && ago(c, t, c->gateway->last_uplink_us); }
static bool w_here(const struct why_case *c, struct text *t) { return c->gateway && ago(c, t, c->gateway->connected_us); }
static bool w_used(const struct why_case *c, struct text *t)
{
	if (!c->gateway || !c->gateway->limit_ppm)
		return false;
	text_printf(t, "%" PRIu64 " %%", (uint64_t)c->gateway->used_ppm * 100 / c->gateway->limit_ppm);
	return true;
}
static bool w_band(const struct why_case *c, struct text *t)
{
	if (!c->gateway || !c->gateway->band_max_hz)
		return false;
	text_decimal(t, c->gateway->band_min_hz, 6);
	text_puts(t, " to ");
	text_decimal(t, c->gateway->band_max_hz, 6);
	text_puts(t, " MHz");
	return true;
}
static bool w_path(const struct why_case *c, struct text *t) { return c->gateway && count(t, c->gateway->path_us / MS_US); }

static const struct {
	const char *name;
	bool (*put)(const struct why_case *c, struct text *t);
} words[] = {
#define WORD(name) { #name, w_##name }
	WORD(app), WORD(dev), WORD(dev_eui), WORD(join_eui), WORD(dev_addr), WORD(seen_addr), WORD(plan), WORD(version), WORD(twin),
	WORD(count), WORD(recent), WORD(last), WORD(word), WORD(since), WORD(heard), WORD(any), WORD(connected), WORD(sending),
	WORD(known), WORD(requests), WORD(frames), WORD(items), WORD(away), WORD(keys_expired), WORD(size), WORD(misses), WORD(attempts), WORD(waits), WORD(until),
	WORD(f_cnt), WORD(next_f_cnt), WORD(message), WORD(unserved), WORD(heard_join_eui), WORD(duty), WORD(down), WORD(radio), WORD(hearers),
	WORD(margin), WORD(meaning), WORD(gateway), WORD(gateway_eui), WORD(gateway_plan), WORD(gone), WORD(gateway_heard), WORD(here),
	WORD(used), WORD(band), WORD(path), WORD(backwards), WORD(turned_eui),
#undef WORD
};

bool why_has_word(struct str name)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_is(name, words[i].name))
			return true;
	return false;
}

static bool put_word(const struct why_case *c, struct str name, struct text *out)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_is(name, words[i].name))
			return words[i].put(c, out);
	return false;
}

/** The text up to `end`: one alternative; a word of which nothing is known makes it void. */
static bool put_run(const struct why_case *c, struct str s, struct text *out)
{
	bool is_whole = true;
	while (s.n) {
		struct str head, name;
		s = str_cut(s, '{', &head);
		text_put(out, head);
		if (!s.n)
			break;
		s = str_cut(s, '}', &name);
		is_whole &= put_word(c, name, out);
	}
	return is_whole;
}

/* Parts in brackets are left out where nothing is known of one of their words. */
bool why_words(const struct why_case *c, const char *text, struct text *out)
{
	struct str s = str_of(text);
	bool is_whole = true;
	while (s.n) {
		struct str head, option;
		char buf[512];
		struct text part = text_fixed(buf, sizeof buf);
		s = str_cut(s, '[', &head);
		is_whole &= put_run(c, head, out);
		s = str_cut(s, ']', &option);
		if (option.n && put_run(c, option, &part))
			text_put(out, text_str(&part));
	}
	return is_whole;
}

/** @file The data of an event in words: by the kinds of proto/events.def, and a few by name. */
#include "as/cli/show/cell.h"
#include "as/cli/show/width.h"
#include "as/cli/story/story.h"
#include "common/core/clock.h"
#include <inttypes.h>
#include <string.h>

enum { VALUE = 512 };

const char *story_text(const struct story *s, const struct step *e, const char *path, char *dst, size_t cap)
{
	if (json_string(s->j, cell_at(s->j, e->event, str_of(path)), dst, cap))
		*dst = '\0';
	return dst;
}

int story_number(const struct story *s, const struct step *e, const char *path, int64_t *ret)
{
	return json_i64(s->j, cell_at(s->j, e->event, str_of(path)), ret) ? -ENOENT : 0;
}

const char *story_window(int64_t window)
{
	return window == 1 ? "RX1" : window == 2 ? "RX2" : "class C";
}

void story_ms(struct text *t, int64_t us)
{
	text_printf(t, "%s%" PRIi64 ".%" PRIi64 " ms", us < 0 ? "-" : "", (us < 0 ? -us : us) / 1000, (us < 0 ? -us : us) / 100 % 10);
}

static bool is_word_of(const char *name, const char *words)
{
	struct str rest = str_of(words), one;
	while (rest.n) {
		rest = str_cut(rest, ' ', &one);
		if (str_is(one, name))
			return true;
	}
	return false;
}

/** Members that need no words, and those that the step before told. */
static bool is_skipped(enum event_id id, const char *name)
{
	static const struct { enum event_id id; const char *members; } told[] = {
		{ EVENT_GS_DOWN_HOLD, "frequency eirp due airtime_us size" }, { EVENT_GS_DOWN_SEND, "frequency eirp due airtime_us size" },
		{ EVENT_GS_DOWN_TX_SUCCESS, "frequency" }, { EVENT_GS_DOWN_TX_FAIL, "frequency" }, { EVENT_GS_TXACK_RECEIVE, "frequency" },
		{ EVENT_NS_DOWN_TRANSMISSION_SUCCESS, "frequency data_rate_index" }, { EVENT_NS_DOWN_TRANSMISSION_FAIL, "frequency data_rate_index" },
	};
	for (size_t i = 0; i < COUNT(told); i++)
		if (told[i].id == id && is_word_of(name, told[i].members))
			return true;
	return is_word_of(name, "codr tmst tmms gps_ms considered_count skipped_count qos_0 qos_1 qos_2");
}

/** What a number is called where its kind says nothing: "18 octets" */
struct noun {
	const char *name, *before, *after, *many;
};
static const struct noun *noun_of(const char *name)
{
	static const struct noun nouns[] = {
		{ "gateways", "", " gateway", "s" }, { "subscribers", "", " subscriber", "s" }, { "stored", "", " stored", "" },
		{ "dropped", "", " dropped", "" }, { "waiting", "", " in the queue", "" }, { "f_port", "port ", "", "" },
		{ "data_rate_index", "DR", "", "" }, { "lead_us", "", " ahead", "" }, { "margin_us", "", " to spare", "" },
		{ "airtime_us", "", " on air", "" }, { "duration_us", "took ", "", "" }, { "due", "due at ", "", "" },
		{ "next_f_cnt", "expected ", "", "" }, { "frequency", "", "", "" }, { "rssi", "", "", "" }, { "snr", "", "", "" },
		{ "eirp", "", "", "" }, { "size", "", "", "" }, { "f_cnt", "f_cnt ", "", "" },
	};
	for (size_t i = 0; i < COUNT(nouns); i++)
		if (!strcmp(name, nouns[i].name))
			return &nouns[i];
	return NULL;
}

static void put_time(struct text *t, const struct story *s, const char *value)
{
	uint64_t ns;
	if (!clock_parse_rfc3339(str_of(value), &ns))
		story_ms(t, (int64_t)(ns / 1000) - (int64_t)s->start_us);
}

/** A number in its unit. */
static void put_quantity(struct text *t, const struct story *s, const char *kind, json_val v, const char *value)
{
	int64_t n;
	if (!strcmp(kind, "time")) {
		put_time(t, s, value);
	} else if (!strcmp(kind, "us") && !json_i64(s->j, v, &n)) {
		story_ms(t, n);
	} else if (!strcmp(kind, "Hz") && !json_i64(s->j, v, &n)) {
		text_decimal(t, n, 6);
		text_puts(t, " MHz");
	} else {
		width_safe(t, str_of(value));
		if (!strcmp(kind, "dBm") || !strcmp(kind, "dB") || !strcmp(kind, "octets"))
			text_printf(t, " %s", kind);
	}
}

/** Gateways that were passed over, with the reason. */
static void put_skipped(struct text *t, const struct story *s, json_val list)
{
	size_t n = 0;
	for (json_val v = json_first(s->j, list); v >= 0; v = json_next(s->j, v)) {
		char id[64] = "", reason[64] = "";
		json_string(s->j, json_get(s->j, v, "gateway_id"), id, sizeof id);
		json_string(s->j, json_get(s->j, v, "reason"), reason, sizeof reason);
		text_puts(t, n++ ? ", " : "");
		width_safe(t, str_of(id));
		text_puts(t, ": ");
		width_safe(t, str_of(reason));
	}
}

/** Others that could have sent it: of one alone nothing is to be said. */
static void put_considered(struct text *t, const struct story *s, json_val list)
{
	size_t n = 0;
	for (json_val v = json_count(s->j, list) > 1 ? json_first(s->j, list) : -1; v >= 0; v = json_next(s->j, v)) {
		char id[64] = "";
		json_string(s->j, v, id, sizeof id);
		text_puts(t, n++ ? ", " : "could send: ");
		width_safe(t, str_of(id));
	}
}

static void put_list(struct text *t, const struct story *s, const char *name, json_val list)
{
	size_t n = 0;
	if (!strcmp(name, "skipped")) {
		put_skipped(t, s, list);
	} else if (!strcmp(name, "considered")) {
		put_considered(t, s, list);
	} else {
		for (json_val v = json_first(s->j, list); v >= 0; v = json_next(s->j, v)) {
			char one[VALUE] = "";
			json_string(s->j, v, one, sizeof one);
			text_puts(t, n++ ? ", " : "");
			width_safe(t, str_of(one));
		}
	}
}

/** Words stand for themselves, other values behind what they are called. */
static void put_plain(struct text *t, const struct story *s, const char *name, json_val v)
{
	const struct event_data_info *info = events_data_info(str_of(name));
	const struct noun *noun = noun_of(name);
	const char *kind = info ? info->kind : "";
	char value[VALUE] = "";
	bool truth;
	json_string(s->j, v, value, sizeof value);
	if (!json_bool(s->j, v, &truth) && json_type(s->j, v) == JSON_BOOL) {
		text_puts(t, !strcmp(name, "item") ? truth ? "an item" : "nothing" : truth ? name : "");
	} else if (!strcmp(name, "window")) {
		text_puts(t, story_window(*value - '0'));
	} else if (noun) {
		text_puts(t, noun->before);
		put_quantity(t, s, kind, v, value);
		text_puts(t, noun->after);
		text_puts(t, strcmp(value, "1") ? noun->many : "");
	} else if (!strcmp(kind, "word") || !strcmp(kind, "text") || !strcmp(kind, "id")) {
		bool is_told = strcmp(value, "LORA") && strcmp(value, "SUCCESS");
		width_safe(t, str_of(is_told ? value : ""));
	} else {
		width_safe(t, str_of(name));
		text_putc(t, ' ');
		put_quantity(t, s, kind, v, value);
	}
}

void story_data(struct text *t, const struct story *s, const struct step *e)
{
	json_val data = json_get(s->j, e->event, "data");
	if (e->is_on_air || json_type(s->j, data) != JSON_OBJECT)
		return;
	char before[VALUE * 4] = "";
	for (json_val m = json_first(s->j, data); m >= 0; m = json_next(s->j, m)) {
		char name[64] = "", buf[VALUE * 4];
		struct text one = text_fixed(buf, sizeof buf);
		json_val v = json_member_value(s->j, m);
		json_string(s->j, m, name, sizeof name);
		if (is_skipped(e->id, name))
			continue;
		if (json_type(s->j, v) == JSON_ARRAY)
			put_list(&one, s, name, v);
		else if (json_type(s->j, v) != JSON_OBJECT)
			put_plain(&one, s, name, v);
		/* The gateway's own word and ours are mostly the same. */
		if (one.len && strcmp(buf, before)) {
			text_puts(t, t->len ? "  " : "");
			text_put(t, text_str(&one));
			memcpy(before, buf, sizeof before);
		}
	}
}

/** @file Log lines, as logfmt or JSON, each in one write to stderr. */
#include "common/log.h"
#include "common/core/json_out.h"
#include "common/core/limiter.h"
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, TAIL_BYTES = 32 };
/* The same of the same device, gateway or client; and the same of anybody. */
enum { SAME_MOST = 20, WORD_MOST = 500, SAME_PERIOD_US = 10 * 1000 * 1000 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* The one state of a process that is not handed around: where its lines go must be known even where everything failed. */
static struct {
	enum log_format format;
	enum log_level level, set; /**< now; as the settings say */
	const char *process;
	struct limiter limiter;
} log_state = { .format = LOG_LOGFMT, .level = LOG_INFO, .set = LOG_INFO, .process = "" };

void log_setup(enum log_format format, enum log_level level, const char *process)
{
	log_state.format = format;
	log_state.level = log_state.set = level;
	log_state.process = process;
}

void log_level_of_process(int level)
{
	log_state.level = level >= LOG_ERROR && level <= LOG_DEBUG ? (enum log_level)level : log_state.set;
}

bool log_on(enum log_level level)
{
	return level <= log_state.level;
}

static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
			return true;
	}
	return s.n == 0 || !utf8_valid(s);
}

/** With the escapes of a JSON string, so that a line stays a line. */
static void put_quoted(struct text *t, struct str s)
{
	bool is_text = utf8_valid(s);
	text_putc(t, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"' || c == '\\')
			text_printf(t, "\\%c", c);
		else if (c == '\n')
			text_puts(t, "\\n");
		else if (c < ' ' || c == 0x7f)
			text_printf(t, "\\u%04x", c);
		else if (c >= 0x80 && !is_text)
			text_puts(t, "\xef\xbf\xbd");
		else
			text_putc(t, (char)c);
	}
	text_putc(t, '"');
}

static void put_value(struct text *t, struct str s)
{
	if (log_state.format == LOG_JSON)
		json_str(t, s);
	else if (needs_quotes(s))
		put_quoted(t, s);
	else
		text_put(t, s);
}

static void put_name(struct text *t, const char *name)
{
	if (log_state.format == LOG_JSON) {
		json_name(t, name);
		return;
	}
	if (t->len)
		text_putc(t, ' ');
	text_puts(t, name);
	text_putc(t, '=');
}

/** A number; in JSON through json_raw_out, which separates it from what stands before. */
static void put_number(struct text *t, uint64_t magnitude, bool is_negative)
{
	char digits[24];
	struct text d = text_fixed(digits, sizeof digits);
	if (is_negative)
		text_putc(&d, '-');
	text_u64(&d, magnitude);
	if (log_state.format == LOG_JSON)
		json_raw_out(t, text_str(&d));
	else
		text_put(t, text_str(&d));
}

static void put_hex(struct text *t, uint64_t v, int digits)
{
	char hex[24];
	struct text h = text_fixed(hex, sizeof hex);
	text_printf(&h, "%0*" PRIx64, digits, v);
	put_value(t, text_str(&h));
}

static void put_kv(struct text *t, const struct kv *kv)
{
	put_name(t, kv->name);
	switch (kv->kind) {
	case KV_KIND_TEXT:
		put_value(t, str_of(kv->z));
		break;
	case KV_KIND_STR:
		put_value(t, kv->s);
		break;
	case KV_KIND_U:
		put_number(t, kv->u, false);
		break;
	case KV_KIND_I:
		put_number(t, kv->i < 0 ? 0 - (uint64_t)kv->i : (uint64_t)kv->i, kv->i < 0);
		break;
	case KV_KIND_EUI:
		put_hex(t, kv->u, 16);
		break;
	case KV_KIND_HEX32:
		put_hex(t, kv->u, 8);
		break;
	case KV_END:
		break;
	}
}

/** Milliseconds always, so that the lines stay aligned. */
static void put_time(struct text *t)
{
	struct timespec now;
	struct tm utc;
	char stamp[48];
	struct text s = text_fixed(stamp, sizeof stamp);
	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &utc))
		return;
	text_printf(&s, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
		utc.tm_min, utc.tm_sec, (int)(now.tv_nsec / 1000000));
	put_name(t, "time");
	put_value(t, text_str(&s));
}

static void put_line(struct text *t, enum log_level level, const char *word, const struct kv *kv, uint32_t held)
{
	if (log_state.format == LOG_JSON)
		json_open(t, '{');
	put_time(t);
	put_kv(t, &KV_Z("level", level_names[level]));
	put_kv(t, &KV_Z("process", log_state.process));
	put_kv(t, &KV_Z("msg", word));
	if (held)
		put_kv(t, &KV_U("suppressed", held));
	for (; kv->kind != KV_END; kv++) {
		size_t before = t->len;
		put_kv(t, kv);
		if (!t->failed)
			continue;
		/* A value that does not fit is left out whole, and the line says so in the room kept for it. */
		t->len = before;
		t->p[before] = '\0';
		t->failed = false;
		t->cap += TAIL_BYTES;
		put_kv(t, &KV_U("truncated", 1));
		break;
	}
	if (log_state.format == LOG_JSON)
		json_close(t, '}');
}

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

/** What a line is about: its first member that is no correlation id, which are all different. */
static uint64_t mix_subject(uint64_t h, const struct kv *kv)
{
	while (kv->kind != KV_END && !strcmp(kv->name, "cid"))
		kv++;
	if (kv->kind == KV_KIND_TEXT && kv->z)
		return mix(h, kv->z, strlen(kv->z));
	if (kv->kind == KV_KIND_STR)
		return mix(h, kv->s.p, kv->s.n);
	return kv->kind == KV_END ? h : mix(mix(h, &kv->u, sizeof kv->u), &kv->i, sizeof kv->i);
}

/** Lines do not come at the rate of traffic, but for those that somebody asked for. */
static bool may_write(enum log_level level, const char *word, const struct kv *kv, uint32_t *ret_held)
{
	struct timespec now;
	uint64_t h = mix(UINT64_C(0xcbf29ce484222325), word, strlen(word));
	*ret_held = 0;
	if (level == LOG_DEBUG)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	uint32_t of_word;
	if (!limiter_may(&log_state.limiter, mix_subject(h * 31, kv), SAME_MOST, SAME_PERIOD_US, now_us, ret_held))
		return false;
	if (!limiter_may(&log_state.limiter, h, WORD_MOST, SAME_PERIOD_US, now_us, &of_word))
		return false;
	*ret_held += of_word;
	return true;
}

void log_write(enum log_level level, const char *word, const struct kv *kv)
{
	char line[LINE_MAX_BYTES];
	struct text t = text_fixed(line, sizeof line - 2 * TAIL_BYTES);
	int saved = errno;
	uint32_t held;
	if (!may_write(level, word, kv, &held))
		return;
	put_line(&t, level, word, kv, held);
	t.cap = sizeof line;
	t.failed = false;
	text_putc(&t, '\n');
	/* One write, so that lines of several processes on one pipe do not mix. What a full pipe refuses is lost. */
	ssize_t wrote = write(STDERR_FILENO, t.p, t.len);
	(void)wrote;
	errno = saved;
}

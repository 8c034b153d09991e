/** @file Measurements in common names: each value checked against its row of normalized.def. */
#include "as/core/formatters/normalized.h"
#include "common/core/clock.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>

enum { VALID_MAX = 65536, PATH_SIZE = 64, DIGITS = 9 };

#define NUMBER(path_, min_, max_, below_, about_) \
	{ .path = path_, .type = NORMALIZED_NUMBER, .min = min_, .max = max_, .below = below_, .words = "", .about = about_ },
#define OTHER(path_, type_, words_, about_) \
	{ .path = path_, .type = type_, .min = "", .max = "", .below = "", .words = words_, .about = about_ },
#define TIME(path_, about_)          OTHER(path_, NORMALIZED_TIME, "", about_)
#define TRUTH(path_, about_)         OTHER(path_, NORMALIZED_TRUTH, "", about_)
#define WORD(path_, words_, about_)  OTHER(path_, NORMALIZED_WORD, words_, about_)
#define TRUTH_OR_TEXT(path_, about_) OTHER(path_, NORMALIZED_TRUTH_OR_TEXT, "", about_)
const struct normalized_field normalized_fields[] = {
#include "as/core/formatters/normalized.def"
};
const size_t normalized_fields_n = COUNT(normalized_fields);

/** What is being checked. */
struct checking {
	const struct json *j;
	size_t number;           /**< of the measurement, from 1 */
	struct text *valid;
	struct text *warnings;
	struct text *why;
};

static const struct normalized_field *field_at(struct str path)
{
	for (size_t i = 0; i < COUNT(normalized_fields); i++)
		if (str_is(path, normalized_fields[i].path))
			return &normalized_fields[i];
	return NULL;
}

/** Are there fields below it? */
static bool is_group(struct str path)
{
	for (size_t i = 0; i < COUNT(normalized_fields); i++) {
		const char *p = normalized_fields[i].path;
		if (strlen(p) > path.n && !memcmp(p, path.p, path.n) && p[path.n] == '.')
			return true;
	}
	return false;
}

static int invalid(struct checking *c, const char *what, struct str path)
{
	text_puts(c->why, what);
	text_puts(c->why, " `");
	text_put(c->why, path);
	text_putc(c->why, '`');
	return NORMALIZED_E_INVALID;
}

static void warn(struct checking *c, const char *path, const char *should, const char *bound)
{
	char room[256];
	struct text t = text_fixed(room, sizeof room);
	text_printf(&t, "measurement %zu: `%s` should be %s `%s`", c->number, path, should, bound);
	json_str(c->warnings, text_str(&t));
}

/** Beyond a bound? A number that is too large for our decimals is beyond every bound on its side. */
static bool is_beyond(const struct checking *c, json_val v, const char *bound, int side, bool or_at)
{
	int64_t n, b;
	if (!*bound || num_decimal(str_of(bound), DIGITS, &b))
		return false;
	int e = json_decimal(c->j, v, DIGITS, &n);
	if (e)
		return (json_raw(c->j, v).p[0] == '-') == (side < 0);
	return side < 0 ? n < b : n > b || (or_at && n == b);
}

/** @return whether it may stay */
static bool check_number(struct checking *c, const struct normalized_field *f, json_val v)
{
	bool low = is_beyond(c, v, f->min, -1, false), high = is_beyond(c, v, f->max, 1, false),
	     reaches = is_beyond(c, v, f->below, 1, true);
	if (low)
		warn(c, f->path, "equal or greater than", f->min);
	if (high)
		warn(c, f->path, "equal or less than", f->max);
	if (reaches)
		warn(c, f->path, "less than", f->below);
	return !low && !high && !reaches;
}

static bool check_word(struct checking *c, const struct normalized_field *f, json_val v)
{
	struct str word, rest = str_of(f->words), own = json_raw(c->j, v);
	while (rest.n) {
		rest = str_cut(rest, ' ', &word);
		if (str_eq(word, own))
			return true;
	}
	warn(c, f->path, "one of", f->words);
	return false;
}

static bool is_time(const struct json *j, json_val v)
{
	char text[64];
	uint64_t ns;
	return !json_string(j, v, text, sizeof text) && !clock_parse_rfc3339(str_of(text), &ns);
}

/** @return 0: *ret_stays; NORMALIZED_E_INVALID */
static int check_value(struct checking *c, const struct normalized_field *f, json_val v, bool *ret_stays)
{
	enum json_type type = json_type(c->j, v);
	bool ok;
	*ret_stays = true;
	switch (f->type) {
	case NORMALIZED_TIME:
		if (type == JSON_STRING && !is_time(c->j, v))
			return invalid(c, "not a time such as 2026-03-02T10:15:30Z:", str_of(f->path));
		ok = type == JSON_STRING;
		break;
	case NORMALIZED_NUMBER:
		ok = type == JSON_NUMBER;
		*ret_stays = ok && check_number(c, f, v);
		break;
	case NORMALIZED_WORD:
		ok = type == JSON_STRING;
		*ret_stays = ok && check_word(c, f, v);
		break;
	case NORMALIZED_TRUTH:
		ok = type == JSON_BOOL;
		break;
	default:
		ok = type == JSON_BOOL || type == JSON_STRING;
	}
	return ok ? 0 : invalid(c, "invalid field type of", str_of(f->path));
}

static void take_back(struct text *t, size_t len)
{
	if (t->len > len) {
		t->len = len;
		t->p[len] = '\0';
	}
}

static int check_object(struct checking *c, json_val object, struct str prefix);

/** Append a member if it is valid. */
static int check_member(struct checking *c, json_val name, struct str prefix)
{
	json_val v = json_member_value(c->j, name);
	char room[PATH_SIZE], word[PATH_SIZE];
	struct text path = text_fixed(room, sizeof room);
	size_t before = c->valid->len;
	bool stays = true;
	text_put(&path, prefix);
	text_put(&path, json_raw(c->j, name));
	bool is_name = !path.failed && !str_copy(json_raw(c->j, name), word, sizeof word) && !strchr(word, '.');
	const struct normalized_field *f = is_name ? field_at(text_str(&path)) : NULL;
	if (!f && (!is_name || !is_group(text_str(&path))))
		return invalid(c, "unknown field", text_str(&path));
	if (f) {
		int e = check_value(c, f, v, &stays);
		if (e || !stays)
			return e;
		json_name(c->valid, f->path + prefix.n);
		json_raw_out(c->valid, json_whole(c->j, v));
		return 0;
	}
	if (json_type(c->j, v) != JSON_OBJECT)
		return invalid(c, "invalid field type of", text_str(&path));
	json_name(c->valid, word);
	text_putc(&path, '.');
	int e = check_object(c, v, text_str(&path));
	if (c->valid->len >= 2 && !memcmp(c->valid->p + c->valid->len - 2, "{}", 2))
		take_back(c->valid, before);
	return e;
}

/** Append the object of its valid members, "{}" if it has none. It goes no deeper than the table. */
static int check_object(struct checking *c, json_val object, struct str prefix)
{
	json_open(c->valid, '{');
	for (json_val m = json_first(c->j, object); m >= 0; m = json_next(c->j, m)) {
		int e = check_member(c, m, prefix);
		if (e)
			return e;
	}
	json_close(c->valid, '}');
	return 0;
}

static int check_measurement(struct normalized *ret, struct checking *c, json_val v)
{
	if (json_type(c->j, v) != JSON_OBJECT)
		return invalid(c, "not an object:", STR("normalized payload"));
	size_t before = ret->valid.len, at = before + (ret->n ? 1 : 0);
	int e = check_object(c, v, STR(""));
	if (e)
		return e;
	if (ret->valid.len - at <= 2) {
		take_back(&ret->valid, before);
	} else {
		ret->v[ret->n].at = at;
		ret->v[ret->n++].n = ret->valid.len - at;
	}
	return 0;
}

/** One object is an array of one. */
static int check_all(struct normalized *ret, const struct json *j, struct text *why)
{
	json_val root = json_root(j);
	bool is_array = json_type(j, root) == JSON_ARRAY;
	struct checking c = { .j = j, .valid = &ret->valid, .warnings = &ret->warnings, .why = why };
	for (json_val v = is_array ? json_first(j, root) : root; v >= 0; v = is_array ? json_next(j, v) : -1) {
		if (c.number++ == NORMALIZED_MAX) {
			char room[128];
			struct text t = text_fixed(room, sizeof room);
			text_printf(&t, "measurement %zu and those after it are left out", c.number);
			json_str(&ret->warnings, text_str(&t));
			break;
		}
		int e = check_measurement(ret, &c, v);
		if (e)
			return e;
	}
	return 0;
}

/** Begin with the warnings of the script: an array, still open. */
static void begin_warnings(struct text *t, struct str given)
{
	json_open(t, '[');
	if (given.n > 2 && given.p[0] == '[' && given.p[given.n - 1] == ']')
		text_put(t, (struct str){ given.p + 1, given.n - 2 });
}

/** Close an array, or take it away if nothing is in it. */
static void end_array(struct text *t)
{
	if (t->len == 1)
		take_back(t, 0);
	else
		json_close(t, ']');
}

int normalized_check(struct normalized *ret, struct str measurements, struct str warnings, struct text *why)
{
	size_t max = measurements.n / 2 + 2;
	struct json_tok *tok = reallocarray(NULL, max, sizeof *tok);
	struct json j;
	normalized_done(ret);
	ret->valid = text_growing(VALID_MAX);
	ret->warnings = text_growing(VALID_MAX);
	if (!tok)
		return -ENOMEM;
	begin_warnings(&ret->warnings, warnings);
	json_open(&ret->valid, '[');
	int e = NORMALIZED_E_INVALID;
	if (json_parse(measurements, tok, max, &j, NULL))
		text_puts(why, "normalized payload is not JSON");
	else
		e = check_all(ret, &j, why);
	end_array(&ret->valid);
	end_array(&ret->warnings);
	free(tok);
	if (!e && (ret->valid.failed || ret->warnings.failed))
		e = -ENOMEM;
	if (e)
		normalized_done(ret);
	return e;
}

struct str normalized_at(const struct normalized *n, size_t i)
{
	return i < n->n ? (struct str){ n->valid.p + n->v[i].at, n->v[i].n } : STR("");
}

void normalized_done(struct normalized *n)
{
	text_done(&n->valid);
	text_done(&n->warnings);
	n->valid = n->warnings = (struct text){ 0 };
	n->n = 0;
}

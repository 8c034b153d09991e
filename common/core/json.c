/** @file JSON documents as jsmn's tokens: parsing, walking, finding.
 *
 * jsmn is the tokeniser and not the judge: alone it takes `{"a" "b"}` for JSON, so json_check looks first.
 */
#include "common/core/json.h"
#include <limits.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS /* without them every `,` and `]` searches back through its siblings */
#include <jsmn.h>

_Static_assert(sizeof(struct json_tok) == sizeof(jsmntok_t) && _Alignof(struct json_tok) == _Alignof(jsmntok_t) &&
	offsetof(struct json_tok, type) == offsetof(jsmntok_t, type) &&
	offsetof(struct json_tok, start) == offsetof(jsmntok_t, start) &&
	offsetof(struct json_tok, end) == offsetof(jsmntok_t, end) &&
	offsetof(struct json_tok, size) == offsetof(jsmntok_t, size) &&
	offsetof(struct json_tok, parent) == offsetof(jsmntok_t, parent), "a json_tok is a jsmntok_t");

/** Tokens of text, which json_check approved. */
static int tokenise(struct str text, struct json_tok *tok, size_t max, struct json *ret, size_t *ret_err)
{
	jsmn_parser parser;
	jsmn_init(&parser);
	int n = max ? jsmn_parse(&parser, text.p, text.n, (jsmntok_t *)tok, max < INT_MAX ? (unsigned)max : INT_MAX)
		    : JSMN_ERROR_NOMEM;
	if (n <= 0) {
		*ret_err = parser.pos;
		return n == JSMN_ERROR_NOMEM ? -ENOSPC : -EBADMSG;
	}
	*ret = (struct json){ text.p, tok, n };
	return 0;
}

static int parse(struct str text, bool alone, struct json_tok *tok, size_t max, struct json *ret, size_t *ret_err)
{
	size_t end;
	*ret_err = 0;
	if (text.n > INT_MAX)
		return -E2BIG;
	TRY(json_check(text, &end, ret_err));
	struct str rest = { text.p + end, text.n - end };
	if (alone && str_trim(rest).n) {
		*ret_err = (size_t)(str_trim(rest).p - text.p);
		return -EBADMSG;
	}
	return tokenise((struct str){ text.p, end }, tok, max, ret, ret_err);
}

int json_parse(struct str text, struct json_tok *tok, size_t max, struct json *ret, size_t *ret_err)
{
	size_t unwanted;
	return parse(text, true, tok, max, ret, ret_err ? ret_err : &unwanted);
}

int json_parse_first(struct str text, struct json_tok *tok, size_t max, struct json *ret, size_t *ret_err)
{
	size_t unwanted;
	return parse(text, false, tok, max, ret, ret_err ? ret_err : &unwanted);
}

json_val json_root(const struct json *j)
{
	return j->n > 0 ? 0 : -1;
}

enum json_type json_type(const struct json *j, json_val v)
{
	if (v < 0 || v >= j->n)
		return JSON_NONE;
	switch (j->tok[v].type) {
	case JSMN_OBJECT: return JSON_OBJECT;
	case JSMN_ARRAY: return JSON_ARRAY;
	case JSMN_STRING: return JSON_STRING;
	default: break;
	}
	switch (j->text[j->tok[v].start]) {
	case 't':
	case 'f': return JSON_BOOL;
	case 'n': return JSON_NULL;
	default: return JSON_NUMBER;
	}
}

/** The token after v and all that v holds; may be past the end. */
static int after(const struct json *j, json_val v)
{
	int end = j->tok[v].end, i = v + 1;
	while (i < j->n && j->tok[i].start < end)
		i++;
	return i;
}

static bool is_name(const struct json *j, json_val v)
{
	return json_type(j, v) == JSON_STRING && json_type(j, j->tok[v].parent) == JSON_OBJECT;
}

json_val json_first(const struct json *j, json_val container)
{
	return json_count(j, container) ? container + 1 : -1;
}

json_val json_next(const struct json *j, json_val v)
{
	if (json_type(j, v) == JSON_NONE)
		return -1;
	enum json_type holder = json_type(j, j->tok[v].parent);
	if (holder != JSON_OBJECT && holder != JSON_ARRAY)
		return -1;
	int next = after(j, holder == JSON_OBJECT ? v + 1 : v);
	return next < j->n && j->tok[next].parent == j->tok[v].parent ? next : -1;
}

json_val json_member_value(const struct json *j, json_val name)
{
	return is_name(j, name) ? name + 1 : -1;
}

size_t json_count(const struct json *j, json_val container)
{
	enum json_type type = json_type(j, container);
	return type == JSON_OBJECT || type == JSON_ARRAY ? (size_t)j->tok[container].size : 0;
}

/** Is s the name, or its camelCase spelling (f_port: fPort)? */
static bool is_spelling(struct str s, const char *name)
{
	if (str_is(s, name))
		return true;
	size_t i = 0;
	for (; *name; name++, i++) {
		char c = *name;
		if (c == '_' && name[1]) {
			c = *++name;
			c = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
		}
		if (i >= s.n || s.p[i] != c)
			return false;
	}
	return i == s.n;
}

/** The longest name that is looked for in its escaped form. */
enum { KEY_MAX = 128 };

json_val json_get(const struct json *j, json_val object, const char *name)
{
	json_val found = -1;
	if (json_type(j, object) != JSON_OBJECT)
		return -1;
	for (json_val v = json_first(j, object); v >= 0; v = json_next(j, v)) {
		char plain[KEY_MAX];
		struct str s = json_raw(j, v);
		if (s.n && memchr(s.p, '\\', s.n)) {
			if (json_string(j, v, plain, sizeof plain))
				continue;
			s = str_of(plain);
		}
		if (is_spelling(s, name))
			found = json_member_value(j, v);
	}
	return found;
}

struct str json_raw(const struct json *j, json_val v)
{
	if (json_type(j, v) == JSON_NONE)
		return STR("");
	const struct json_tok *t = &j->tok[v];
	return (struct str){ j->text + t->start, (size_t)(t->end - t->start) };
}

struct str json_whole(const struct json *j, json_val v)
{
	struct str s = json_raw(j, v);
	return json_type(j, v) == JSON_STRING ? (struct str){ s.p - 1, s.n + 2 } : s;
}

/** @file Reading JSON with jsmn, without allocation, into the caller's tokens.
 *
 * Lenient where The Things Stack and its users are: trailing commas, numbers as strings and strings as numbers,
 * bytes after the value ignored on request. Unquoted words, comments and control characters in strings are refused.
 * Never recursive; nesting is bounded by JSON_DEPTH.
 */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH = 32 };
enum json_type { JSON_NONE, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_OBJECT, JSON_ARRAY };

/** One token; opaque but for its size. jsmn fills it as its own type, hence may_alias. */
struct __attribute__((may_alias)) json_tok {
	int type, start, end, size, parent;
};

struct json {
	const char *text;
	const struct json_tok *tok;
	int n;
};
/** A value inside a document: its token's number; negative: absent. Every reader accepts an absent value. */
typedef int json_val;

/** Parse text, one value with nothing but blanks around it, into at most `max` tokens: one for each value and one for
 * each name of a member. The time taken grows with the length of the text and no faster.
 * @param tok      the caller's memory, borrowed by *ret as `text` is
 * @param ret_err  where it went wrong, in characters from the start; may be NULL
 * @return 0; -EBADMSG not JSON; -ENOSPC more tokens than max; -E2BIG nested deeper than JSON_DEPTH, or over 2 GiB */
int json_parse(struct str text, struct json_tok *tok, size_t max, struct json *ret, size_t *ret_err);
/** As json_parse, but whatever follows the first value is ignored. */
int json_parse_first(struct str text, struct json_tok *tok, size_t max, struct json *ret, size_t *ret_err);
/** The grammar alone: is there a value at the beginning of text (after blanks), and how long is it?
 * @param ret_end  characters up to the end of the value, set on 0
 * @param ret_err  where it went wrong, set on failure
 * @return 0; -EBADMSG; -E2BIG nested deeper than JSON_DEPTH */
int json_check(struct str text, size_t *ret_end, size_t *ret_err);

json_val json_root(const struct json *j);
enum json_type json_type(const struct json *j, json_val v);
/** Member of an object; also found under the camelCase spelling of a snake_case name. Of several,
 * the last counts. Absent: negative. */
json_val json_get(const struct json *j, json_val object, const char *name);
/** Walk an array or object: first element (an object's first name), then the next sibling; negative at the end.
 * For an object, json_member_value(v) is the value that goes with the name v. */
json_val json_first(const struct json *j, json_val container);
json_val json_next(const struct json *j, json_val v);
json_val json_member_value(const struct json *j, json_val name);
size_t json_count(const struct json *j, json_val container);

/** The text of the value as it stands: inside the quotes for a string, unescaped by nobody. */
struct str json_raw(const struct json *j, json_val v);
/** The same, but a string with its quotes: what json_raw_out takes. */
struct str json_whole(const struct json *j, json_val v);
/** A string, unescaped (with \uXXXX and surrogate pairs) into dst with terminator. A number is taken as its text.
 * @return 0; -ENOENT absent or null; -EINVAL other type, half a surrogate pair, or U+0000;
 * -ENOSPC */
int json_string(const struct json *j, json_val v, char *dst, size_t cap);
/** Like json_string, but borrowing from the document; -EINVAL if it holds an escape. */
int json_plain(const struct json *j, json_val v, struct str *ret);
/** Whole numbers, also as strings ("868100000") and with an integral fraction (1.0, 1e3).
 * @return 0; -ENOENT absent or null; -EINVAL; -ERANGE */
int json_u64(const struct json *j, json_val v, uint64_t *ret);
int json_i64(const struct json *j, json_val v, int64_t *ret);
/** A decimal times 10^digits, see num_decimal. */
int json_decimal(const struct json *j, json_val v, unsigned digits, int64_t *ret);
/** true and false, also as strings. */
int json_bool(const struct json *j, json_val v, bool *ret);
/** Base64 text to octets. @return as base64_decode, and -ENOENT */
int json_base64(const struct json *j, json_val v, void *out, size_t cap, size_t *ret_n);

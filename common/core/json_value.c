/** @file What the values of a JSON document are worth in C. */
#include "common/core/json.h"
#include <string.h>

/** The four hex digits at p, which json_check has seen. */
static uint32_t hex4(const char *p)
{
	uint32_t v = 0;
	hex_u32((struct str){ p, 4 }, 4, &v);
	return v;
}

/** \uXXXX, or two of them if the first is the high half of a pair; s begins at the `u`. */
static int take_unicode(struct str *s, char ret[4])
{
	enum { ONE = 5, PAIR = 11 };
	uint32_t code = hex4(s->p + 1);
	size_t n = ONE;
	if (code >= 0xd800 && code <= 0xdbff && s->n >= PAIR && s->p[ONE] == '\\' && s->p[ONE + 1] == 'u') {
		uint32_t low = hex4(s->p + ONE + 2);
		if (low < 0xdc00 || low > 0xdfff)
			return -EINVAL;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		n = PAIR;
	}
	if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
		return -EINVAL;
	s->p += n;
	s->n -= n;
	return (int)utf8_encode(code, ret);
}

/** Take one character of a string's text. @return octets of it in ret, 1 to 4; -EINVAL */
static int take_char(struct str *s, char ret[4])
{
	char c = *s->p++;
	s->n--;
	if (c == '\\') {
		c = *s->p;
		if (c == 'u')
			return take_unicode(s, ret);
		static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
		const char *at = strchr(from, c);
		c = at ? to[at - from] : c;
		s->p++;
		s->n--;
	}
	ret[0] = c;
	return 1;
}

/** The text of a string or number. @return 0; -ENOENT absent or null; -EINVAL other type */
static int scalar(const struct json *j, json_val v, struct str *ret)
{
	switch (json_type(j, v)) {
	case JSON_STRING:
	case JSON_NUMBER:
		*ret = json_raw(j, v);
		return 0;
	case JSON_NONE:
	case JSON_NULL:
		return -ENOENT;
	default:
		return -EINVAL;
	}
}

int json_string(const struct json *j, json_val v, char *dst, size_t cap)
{
	struct str s;
	size_t n = 0;
	TRY(scalar(j, v, &s));
	while (s.n) {
		char c[4];
		int len = take_char(&s, c);
		if (len < 0)
			return len;
		if (cap <= n + (size_t)len)
			return -ENOSPC;
		memcpy(dst + n, c, (size_t)len);
		n += (size_t)len;
	}
	if (n >= cap)
		return -ENOSPC;
	dst[n] = '\0';
	return 0;
}

int json_plain(const struct json *j, json_val v, struct str *ret)
{
	struct str s;
	TRY(scalar(j, v, &s));
	if (s.n && memchr(s.p, '\\', s.n))
		return -EINVAL;
	*ret = s;
	return 0;
}

int json_u64(const struct json *j, json_val v, uint64_t *ret)
{
	struct str s;
	bool is_negative;
	uint64_t m;
	TRY(scalar(j, v, &s));
	TRY(num_whole(s, &is_negative, &m));
	if (is_negative)
		return -ERANGE;
	*ret = m;
	return 0;
}

int json_i64(const struct json *j, json_val v, int64_t *ret)
{
	struct str s;
	bool is_negative;
	uint64_t m;
	TRY(scalar(j, v, &s));
	TRY(num_whole(s, &is_negative, &m));
	if (m > (uint64_t)INT64_MAX + is_negative)
		return -ERANGE;
	*ret = is_negative ? (int64_t)-m : (int64_t)m;
	return 0;
}

int json_decimal(const struct json *j, json_val v, unsigned digits, int64_t *ret)
{
	struct str s;
	TRY(scalar(j, v, &s));
	return num_decimal(s, digits, ret);
}

int json_bool(const struct json *j, json_val v, bool *ret)
{
	enum json_type type = json_type(j, v);
	struct str s = json_raw(j, v);
	if (type == JSON_NONE || type == JSON_NULL)
		return -ENOENT;
	if ((type != JSON_BOOL && type != JSON_STRING) || (!str_is(s, "true") && !str_is(s, "false")))
		return -EINVAL;
	*ret = *s.p == 't';
	return 0;
}

/** Base64 of which some characters are escaped (`\/`, `+`): unescaped in pieces of whole groups. */
static int escaped_base64(struct str s, uint8_t *out, size_t cap, size_t *ret_n)
{
	size_t done = 0;
	while (s.n) {
		char piece[512], c[4];
		size_t n = 0, got;
		while (s.n && n < sizeof piece) {
			if (take_char(&s, c) != 1)
				return -EINVAL;
			piece[n++] = c[0];
		}
		if (s.n && memchr(piece, '=', n))
			return -EINVAL;
		TRY(base64_decode((struct str){ piece, n }, out + done, cap - done, &got));
		done += got;
	}
	*ret_n = done;
	return 0;
}

int json_base64(const struct json *j, json_val v, void *out, size_t cap, size_t *ret_n)
{
	struct str s;
	TRY(scalar(j, v, &s));
	if (s.n && memchr(s.p, '\\', s.n))
		return escaped_base64(s, out, cap, ret_n);
	return base64_decode(s, out, cap, ret_n);
}

/** @file Tables of JSON members. */
#include "proto/semtech/member.h"
#include "common/core/err.h"
#include <string.h>

enum { BASE64_TEXT = 4 * ((255 + 2) / 3) + 1, ESCAPED_MAX = 2 * BASE64_TEXT };

static const struct member *member_find(const struct member *table, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].len == name.n && table[i].name[0] == name.p[0] &&
			!memcmp(table[i].name, name.p, name.n))
			return &table[i];
	return NULL;
}

static bool member_store(const struct json *j, json_val v, const struct member *m, void *dst)
{
	char *at = (char *)dst + m->off;
	uint64_t u;
	int64_t i;
	switch (m->kind) {
	case MEMBER_U32:
		if (json_u64(j, v, &u) || u > UINT32_MAX)
			return false;
		*(uint32_t *)(void *)at = (uint32_t)u;
		return true;
	case MEMBER_U64: return !json_u64(j, v, (uint64_t *)(void *)at);
	case MEMBER_I32:
		if (json_decimal(j, v, m->digits, &i) || i < INT32_MIN || i > INT32_MAX)
			return false;
		*(int32_t *)(void *)at = (int32_t)i;
		return true;
	default: *(json_val *)(void *)at = v; return json_type(j, v) != JSON_NULL;
	}
}

uint32_t member_read(const struct json *j, json_val object, const struct member *table, size_t n, void *dst)
{
	uint32_t has = 0;
	if (json_type(j, object) != JSON_OBJECT)
		return 0;
	for (json_val name = json_first(j, object); name >= 0; name = json_next(j, name)) {
		struct str text = json_raw(j, name);
		const struct member *m = text.n ? member_find(table, n, text) : NULL;
		if (m && member_store(j, json_member_value(j, name), m, dst))
			has |= m->has;
	}
	return has;
}

int member_text(const struct json *j, json_val v, char *buf, size_t cap, struct str *ret)
{
	if (!json_plain(j, v, ret))
		return 0;
	TRY(json_string(j, v, buf, cap));
	*ret = str_of(buf);
	return 0;
}

int member_base64(const struct json *j, json_val v, void *out, size_t cap, size_t *ret_n)
{
	char buf[ESCAPED_MAX];
	struct str text;
	if (v < 0 || json_type(j, v) != JSON_STRING)
		return -ENOENT;
	TRY(member_text(j, v, buf, sizeof buf, &text));
	return base64_decode(text, out, cap, ret_n);
}

/** @file Reading msgpack one head at a time. */
#include "proto/mp.h"

static uint64_t be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static void set_number(struct mp *m, uint64_t u, bool negative)
{
	m->kind = negative ? MP_INT : MP_UINT;
	m->u = u;
}

static void set_body(struct mp *m, enum mp_kind kind, uint64_t n)
{
	m->kind = kind;
	m->body = (uint32_t)n;
}

static void set_children(struct mp *m, enum mp_kind kind, uint64_t n)
{
	m->kind = kind;
	m->u = n;
	m->children = kind == MP_MAP ? 2 * n : n;
}

/** The forms that fit into one octet. */
static void head_fix(uint8_t c, struct mp *m)
{
	if (c <= 0x7f)
		set_number(m, c, false);
	else if (c >= 0xe0)
		set_number(m, (uint64_t)(int64_t)(int8_t)c, true);
	else if (c <= 0x8f)
		set_children(m, MP_MAP, c & 15);
	else if (c <= 0x9f)
		set_children(m, MP_ARRAY, c & 15);
	else
		set_body(m, MP_STR, c & 31);
}

/** Octets behind the first that the head takes, for 0xc0 to 0xdf. The type octet of an extension counts to its body. */
static const uint8_t extra[32] = {
	0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 1, 2, 4, 8, /* nil - false true, bin, ext, float, uint */
	1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4, /* int, fixext, str, array, map */
};

static void head_wide(uint8_t c, uint64_t v, struct mp *m)
{
	switch (c) {
	case 0xc0: m->kind = MP_NIL; break;
	case 0xc2: case 0xc3: m->kind = MP_BOOL; m->u = c & 1; break;
	case 0xc4: case 0xc5: case 0xc6: set_body(m, MP_BIN, v); break;
	/* A body of 2^32 - 1 octets and a type would not fit `body`, and no frame is that long: one less is as far away. */
	case 0xc7: case 0xc8: case 0xc9: set_body(m, MP_OTHER, v < UINT32_MAX ? v + 1 : v); break;
	case 0xca: set_body(m, MP_OTHER, 4); break;
	case 0xcb: set_body(m, MP_OTHER, 8); break;
	case 0xcc: case 0xcd: case 0xce: case 0xcf: set_number(m, v, false); break;
	case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: set_body(m, MP_OTHER, 1 + (UINT64_C(1) << (c - 0xd4))); break;
	case 0xd9: case 0xda: case 0xdb: set_body(m, MP_STR, v); break;
	case 0xdc: case 0xdd: set_children(m, MP_ARRAY, v); break;
	case 0xde: case 0xdf: set_children(m, MP_MAP, v); break;
	default: break;
	}
}

static void head_signed(uint8_t c, uint64_t v, struct mp *m)
{
	int64_t i = c == 0xd0 ? (int8_t)v : c == 0xd1 ? (int16_t)v : c == 0xd2 ? (int32_t)v : (int64_t)v;
	set_number(m, (uint64_t)i, i < 0);
}

int mp_head(const uint8_t *p, size_t n, struct mp *ret)
{
	if (!n)
		return 0;
	uint8_t c = p[0];
	*ret = (struct mp){ 0 };
	if (c < 0xc0 || c >= 0xe0) {
		head_fix(c, ret);
		return 1;
	}
	size_t more = extra[c - 0xc0];
	if (c == 0xc1)
		return -EBADMSG;
	if (n < 1 + more)
		return 0;
	uint64_t v = be(p + 1, more);
	if (c >= 0xd0 && c <= 0xd3)
		head_signed(c, v, ret);
	else
		head_wide(c, v, ret);
	return (int)(1 + more);
}

int mp_next(struct reader *r, struct mp *ret, struct slice *ret_body)
{
	int len = mp_head(r->p, (size_t)(r->end - r->p), ret);
	if (len <= 0 || ret->body > (size_t)(r->end - r->p) - (size_t)len)
		return -EBADMSG;
	if (ret->body && !ret_body)
		return -EBADMSG;
	r->p += len;
	if (ret_body)
		*ret_body = (struct slice){ r->p, ret->body };
	r->p += ret->body;
	return 0;
}

int mp_skip(struct reader *r)
{
	struct slice body;
	struct mp m;
	/* Each value takes an octet at least, so the loop ends where the bytes do, whatever was claimed. */
	for (uint64_t todo = 1; todo; todo += m.children - 1) {
		TRY(mp_next(r, &m, &body));
		if (m.children > (size_t)(r->end - r->p))
			return -EBADMSG;
	}
	return 0;
}

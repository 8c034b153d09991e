/** @file Descriptor tables of the bus messages, and the one encoder and decoder that walk them. */
#include "proto/schema.h"
#include "proto/mp.h"
#include <msgpack.h>
#include <string.h>

enum { REQ = false, OPT = true };

/* Each message is a function so that a field's line needs no struct name: T_ is it. */
#define MSG(t, doc) \
	const struct schema *t##_schema(void) { \
	typedef struct t T_; \
	static const char name_[] = #t, doc_[] = doc; \
	static const struct field f_[] = {
#define END_MSG(t) \
	}; \
	static const struct schema s_ = { name_, doc_, sizeof(T_), f_, COUNT(f_) }; \
	_Static_assert(COUNT(f_) <= 64, "has holds 64 bits"); \
	return &s_; }
#define F_(m, o, j, d, sub, off_v, elem, max, id, kind) \
	{ #m, j, d, sub, offsetof(T_, m), off_v, elem, max, id, kind, o },
#define U32(m, id, o, j, d)          F_(m, o, j, d, NULL, 0, 0, 0, id, FIELD_U32)
#define U64(m, id, o, j, d)          F_(m, o, j, d, NULL, 0, 0, 0, id, FIELD_U64)
#define I32(m, id, o, j, d)          F_(m, o, j, d, NULL, 0, 0, 0, id, FIELD_I32)
#define BOOL(m, id, o, j, d)         F_(m, o, j, d, NULL, 0, 0, 0, id, FIELD_BOOL)
#define TEXT(m, max, id, o, j, d)    F_(m, o, j, d, NULL, 0, 0, max, id, FIELD_TEXT)
#define BYTES(m, max, id, o, j, d)   F_(m, o, j, d, NULL, offsetof(T_, m.p), 1, max, id, FIELD_BYTES)
#define ULID(m, id, o, j, d)         F_(m, o, j, d, NULL, 0, 0, 0, id, FIELD_ULID)
#define KEY(m, id, o, j, d)          F_(m, o, j, d, NULL, 0, 0, 0, id, FIELD_KEY)
#define SUB(t, m, id, o, j, d)       F_(m, o, j, d, t##_schema, 0, 0, 0, id, FIELD_SUB)
#define LIST(t, m, max, id, o, j, d) \
	F_(m, o, j, d, t##_schema, offsetof(T_, m.v), sizeof(struct t), max, id, FIELD_LIST)
#define METHOD(...)
#include "proto/messages.def"
#include "proto/undef.h"

#define MSG(t, doc) t##_schema,
#define END_MSG(t)
#define U32(...)
#define U64(...)
#define I32(...)
#define BOOL(...)
#define TEXT(...)
#define BYTES(...)
#define ULID(...)
#define KEY(...)
#define SUB(...)
#define LIST(...)
#define METHOD(...)
const struct schema *(*const schema_all[])(void) = {
#include "proto/messages.def"
};
const size_t schema_all_n = COUNT(schema_all);
#undef MSG
#undef METHOD

#define MSG(t, doc)
#define none_schema NULL
#define METHOD(symbol, name, request, reply, way) [symbol] = { name, request##_schema, reply##_schema, way },
static const struct method_info methods[METHOD_N] = {
#include "proto/messages.def"
};
#undef none_schema
#include "proto/undef.h"

const struct method_info *method_info(enum method m)
{
	return &methods[m];
}

int method_find(struct str name, enum method *ret)
{
	for (unsigned i = 0; i < METHOD_N; i++)
		if (strlen(methods[i].name) == name.n && !memcmp(methods[i].name, name.p, name.n)) {
			*ret = (enum method)i;
			return 0;
		}
	return -ENOENT;
}

/* ---- encode ---- */

static int pack_write(void *ctx, const char *p, size_t n)
{
	struct writer *w = ctx;
	if (n > w->cap - w->len)
		return -ENOSPC;
	memcpy(w->p + w->len, p, n);
	w->len += n;
	return 0;
}

static int encode_message(msgpack_packer *pk, const struct schema *s, const uint8_t *m);

static int encode_str(msgpack_packer *pk, const char *z, size_t max)
{
	size_t n = strnlen(z, max);
	TRY(msgpack_pack_str(pk, n));
	return n ? msgpack_pack_str_body(pk, z, n) : 0;
}

static int encode_bin(msgpack_packer *pk, const uint8_t *p, size_t n)
{
	TRY(msgpack_pack_bin(pk, n));
	return n ? msgpack_pack_bin_body(pk, p, n) : 0;
}

static int encode_many(msgpack_packer *pk, const struct field *f, const uint8_t *m)
{
	const void *p = m + f->off;
	unsigned len = *(const uint16_t *)p;
	if (len > f->max)
		return -EINVAL;
	if (f->kind == FIELD_BYTES)
		return encode_bin(pk, m + f->off_v, len);
	TRY(msgpack_pack_array(pk, len));
	const struct schema *s = f->sub();
	for (unsigned i = 0; i < len; i++)
		TRY(encode_message(pk, s, m + f->off_v + (size_t)i * f->elem));
	return 0;
}

static int encode_value(msgpack_packer *pk, const struct field *f, const uint8_t *m)
{
	const void *p = m + f->off;
	switch ((enum field_kind)f->kind) {
	case FIELD_U32:  return msgpack_pack_uint32(pk, *(const uint32_t *)p);
	case FIELD_U64:  return msgpack_pack_uint64(pk, *(const uint64_t *)p);
	case FIELD_I32:  return msgpack_pack_int32(pk, *(const int32_t *)p);
	case FIELD_BOOL: return *(const bool *)p ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
	case FIELD_TEXT: return encode_str(pk, p, f->max);
	case FIELD_ULID: return encode_bin(pk, p, sizeof(struct ulid));
	case FIELD_KEY:  return encode_bin(pk, p, sizeof(struct key));
	case FIELD_SUB:  return encode_message(pk, f->sub(), p);
	case FIELD_BYTES: case FIELD_LIST: return encode_many(pk, f, m);
	case FIELD_KIND_N: break;
	}
	return -EINVAL;
}

static bool is_present(const struct schema *s, const uint8_t *m, unsigned i)
{
	const void *has = m;
	return !s->f[i].opt || (*(const uint64_t *)has >> i & 1);
}

/** Nests as deep as the page does: nothing on the wire decides that. */
static int encode_message(msgpack_packer *pk, const struct schema *s, const uint8_t *m)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->n; i++)
		n += is_present(s, m, i);
	TRY(msgpack_pack_map(pk, n));
	for (unsigned i = 0; i < s->n; i++)
		if (is_present(s, m, i)) {
			TRY(msgpack_pack_uint8(pk, s->f[i].id));
			TRY(encode_value(pk, &s->f[i], m));
		}
	return 0;
}

int msg_encode(const struct schema *s, const void *m, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w = { .p = buf, .cap = cap };
	msgpack_packer pk;
	msgpack_packer_init(&pk, &w, pack_write);
	TRY(encode_message(&pk, s, m));
	*ret_len = w.len;
	return 0;
}

/* ---- decode ---- */

static int decode_fields(struct reader *r, const struct schema *s, uint8_t *m);
static void clear_message(const struct schema *s, uint8_t *m);

static int decode_number(struct reader *r, const struct field *f, void *p)
{
	struct mp v;
	TRY(mp_next(r, &v, NULL));
	bool is_small = f->kind == FIELD_BOOL ? v.kind == MP_BOOL : v.kind == MP_UINT;
	if (f->kind == FIELD_I32) {
		int64_t i = (int64_t)v.u;
		if (!(v.kind == MP_UINT && v.u <= INT32_MAX) && !(v.kind == MP_INT && i >= INT32_MIN))
			return -EBADMSG;
		*(int32_t *)p = (int32_t)i;
		return 0;
	}
	if (!is_small || (f->kind == FIELD_U32 && v.u > UINT32_MAX))
		return -EBADMSG;
	if (f->kind == FIELD_U64)
		*(uint64_t *)p = v.u;
	else if (f->kind == FIELD_U32)
		*(uint32_t *)p = (uint32_t)v.u;
	else
		*(bool *)p = v.u;
	return 0;
}

/** Text, octets, ULIDs and keys. A NUL would cut a text short, so it is none. */
static int decode_octets(struct reader *r, const struct field *f, uint8_t *m)
{
	struct mp v;
	struct slice body;
	TRY(mp_next(r, &v, &body));
	if (v.kind != (f->kind == FIELD_TEXT ? MP_STR : MP_BIN))
		return -EBADMSG;
	switch ((enum field_kind)f->kind) {
	case FIELD_TEXT:
		if (body.n > f->max || memchr(body.p, 0, body.n))
			return -EBADMSG;
		memcpy(m + f->off, body.p, body.n);
		return 0;
	case FIELD_BYTES: {
		if (body.n > f->max)
			return -EBADMSG;
		void *len = m + f->off;
		*(uint16_t *)len = (uint16_t)body.n;
		memcpy(m + f->off_v, body.p, body.n);
		return 0;
	}
	default:
		if (body.n != sizeof(struct ulid))
			return -EBADMSG;
		memcpy(m + f->off, body.p, body.n);
		return 0;
	}
}

static int decode_list(struct reader *r, const struct field *f, uint8_t *m)
{
	struct mp v;
	TRY(mp_next(r, &v, NULL));
	if (v.kind != MP_ARRAY || v.u > f->max)
		return -EBADMSG;
	const struct schema *s = f->sub();
	for (unsigned i = 0; i < v.u; i++) {
		uint8_t *element = m + f->off_v + (size_t)i * f->elem;
		clear_message(s, element);
		TRY(decode_fields(r, s, element));
	}
	void *len = m + f->off;
	*(uint16_t *)len = (uint16_t)v.u;
	return 0;
}

static int decode_value(struct reader *r, const struct field *f, uint8_t *m)
{
	switch ((enum field_kind)f->kind) {
	case FIELD_U32: case FIELD_U64: case FIELD_I32: case FIELD_BOOL:
		return decode_number(r, f, m + f->off);
	case FIELD_TEXT: case FIELD_BYTES: case FIELD_ULID: case FIELD_KEY:
		return decode_octets(r, f, m);
	case FIELD_SUB:
		return decode_fields(r, f->sub(), m + f->off);
	case FIELD_LIST:
		return decode_list(r, f, m);
	case FIELD_KIND_N: break;
	}
	return -EINVAL;
}

/** The field that an id names; s->n: none. `expected` is where it usually stands. */
static unsigned find_field(const struct schema *s, const struct mp *id, unsigned expected)
{
	if (id->kind != MP_UINT)
		return s->n;
	if (expected < s->n && s->f[expected].id == id->u)
		return expected;
	unsigned i = 0;
	while (i < s->n && s->f[i].id != id->u)
		i++;
	return i;
}

/** Zero all but the elements of lists; what is below SUB too. */
static void clear_message(const struct schema *s, uint8_t *m)
{
	size_t from = 0;
	for (unsigned i = 0; i < s->n; i++) {
		const struct field *f = &s->f[i];
		if (f->kind == FIELD_LIST) {
			memset(m + from, 0, f->off_v - from);
			from = f->off_v + (size_t)f->max * f->elem;
		} else if (f->kind == FIELD_SUB) {
			const struct schema *sub = f->sub();
			memset(m + from, 0, f->off - from);
			clear_message(sub, m + f->off);
			from = f->off + sub->size;
		}
	}
	memset(m + from, 0, s->size - from);
}

/** The fields of one map, into memory that is cleared. Nests as deep as the page does. */
static int decode_fields(struct reader *r, const struct schema *s, uint8_t *m)
{
	struct mp map, id;
	struct slice body;
	uint64_t seen = 0;
	TRY(mp_next(r, &map, NULL));
	if (map.kind != MP_MAP)
		return -EBADMSG;
	unsigned at = 0;
	for (uint64_t i = 0; i < map.u; i++, at++) {
		const uint8_t *start = r->p;
		TRY(mp_next(r, &id, &body));
		at = find_field(s, &id, at);
		if (at == s->n) {
			r->p = start;
			TRY(mp_skip(r));
			TRY(mp_skip(r));
			continue;
		}
		if (seen >> at & 1)
			return -EBADMSG;
		seen |= UINT64_C(1) << at;
		TRY(decode_value(r, &s->f[at], m));
	}
	for (unsigned i = 0; i < s->n; i++)
		if (!s->f[i].opt && !(seen >> i & 1))
			return -EBADMSG;
	void *has = m;
	*(uint64_t *)has = seen;
	return 0;
}

int msg_decode(const struct schema *s, const void *p, size_t n, void *ret_m)
{
	struct reader r = { .p = p, .end = (const uint8_t *)p + n };
	clear_message(s, ret_m);
	TRY(decode_fields(&r, s, ret_m));
	return r.p == r.end ? 0 : -EBADMSG;
}

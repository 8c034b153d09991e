/** @file Frames of msgpack-RPC. */
#include "proto/bus/rpc.h"
#include "proto/mp.h"
#include <string.h>

/** One head is complete. */
static int scan_value(struct rpc_scan *s, const struct mp *m, size_t head_len)
{
	bool is_first = s->len == 0;
	if (is_first && (m->kind != MP_ARRAY || m->u < 3 || m->u > 4))
		return -EBADMSG;
	s->todo = (is_first ? 0 : s->todo - 1) + m->children;
	s->skip = m->body;
	s->len += head_len;
	/* Each value to come takes an octet at least, so that a claim can be refused before it is waited for. */
	if (s->len + s->skip > RPC_FRAME_MAX || s->todo > RPC_FRAME_MAX - s->len - s->skip)
		return -EMSGSIZE;
	return 0;
}

/** Read one head, which the last piece may have begun. *ret_taken counts octets of p. */
static int scan_head(struct rpc_scan *s, const uint8_t *p, size_t n, size_t *ret_taken)
{
	struct mp m;
	size_t before = s->n_head;
	if (!before) {
		int len = mp_head(p, n, &m);
		if (len < 0)
			return len;
		if (len) {
			*ret_taken = (size_t)len;
			return scan_value(s, &m, (size_t)len);
		}
	}
	size_t room = sizeof s->head - before, add = n < room ? n : room;
	memcpy(s->head + before, p, add);
	int len = mp_head(s->head, before + add, &m);
	if (len < 0)
		return len;
	if (!len) {
		s->n_head = (uint8_t)(before + add);
		*ret_taken = add;
		return RPC_E_MORE;
	}
	s->n_head = 0;
	*ret_taken = (size_t)len - before;
	return scan_value(s, &m, (size_t)len);
}

int rpc_scan(struct rpc_scan *s, const uint8_t *p, size_t n, size_t *ret_taken)
{
	size_t at = 0;
	while (at < n) {
		size_t step;
		if (s->skip) {
			step = s->skip < n - at ? (size_t)s->skip : n - at;
			s->skip -= step;
			s->len += step;
		} else {
			int r = scan_head(s, p + at, n - at, &step);
			if (r < 0)
				return r;
		}
		at += step;
		if (!s->skip && !s->todo && !s->n_head) {
			*s = (struct rpc_scan){ 0 };
			*ret_taken = at;
			return 0;
		}
	}
	*ret_taken = n;
	return RPC_E_MORE;
}

static int take_value(struct reader *r, struct slice *ret)
{
	const uint8_t *start = r->p;
	TRY(mp_skip(r));
	*ret = (struct slice){ start, (size_t)(r->p - start) };
	return 0;
}

static int take_id(struct reader *r, uint32_t *ret)
{
	struct mp m;
	TRY(mp_next(r, &m, NULL));
	if (m.kind != MP_UINT || m.u > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)m.u;
	return 0;
}

static int take_call(struct reader *r, struct rpc_frame *f)
{
	struct mp m;
	struct slice name, more;
	TRY(mp_next(r, &m, &name));
	if (m.kind != MP_STR)
		return -EBADMSG;
	f->method = (struct str){ (const char *)name.p, name.n };
	TRY(mp_next(r, &m, NULL));
	if (m.kind != MP_ARRAY || !m.u)
		return -EBADMSG;
	TRY(take_value(r, &f->message));
	for (uint64_t i = 1; i < m.u; i++)
		TRY(take_value(r, &more));
	return 0;
}

static int take_answer(struct reader *r, struct rpc_frame *f)
{
	struct slice error, result;
	TRY(take_value(r, &error));
	TRY(take_value(r, &result));
	f->is_error = error.p[0] != RPC_NIL;
	f->message = f->is_error ? error : result;
	return 0;
}

int rpc_parse(struct slice frame, struct rpc_frame *ret)
{
	struct reader r = { .p = frame.p, .end = frame.p + frame.n };
	struct rpc_frame f = { 0 };
	struct mp array, type;
	TRY(mp_next(&r, &array, NULL));
	TRY(mp_next(&r, &type, NULL));
	if (array.kind != MP_ARRAY || type.kind != MP_UINT || type.u > RPC_NOTIFY || array.u != (type.u == RPC_NOTIFY ? 3 : 4))
		return -EBADMSG;
	f.type = (enum rpc_type)type.u;
	if (f.type != RPC_NOTIFY)
		TRY(take_id(&r, &f.id));
	if (f.type == RPC_RESPONSE)
		TRY(take_answer(&r, &f));
	else
		TRY(take_call(&r, &f));
	if (r.p != r.end)
		return -EBADMSG;
	*ret = f;
	return 0;
}

static void put_id(struct writer *w, uint32_t id)
{
	if (id < 0x80) {
		writer_u8(w, (uint8_t)id);
	} else if (id <= UINT8_MAX) {
		writer_u8(w, 0xcc);
		writer_u8(w, (uint8_t)id);
	} else if (id <= UINT16_MAX) {
		writer_u8(w, 0xcd);
		writer_be16(w, (uint16_t)id);
	} else {
		writer_u8(w, 0xce);
		writer_be32(w, id);
	}
}

static void put_method(struct writer *w, const char *method)
{
	size_t n = strnlen(method, 64);
	if (n < 32) {
		writer_u8(w, (uint8_t)(0xa0 | n));
	} else {
		writer_u8(w, 0xd9);
		writer_u8(w, (uint8_t)n);
	}
	writer_put(w, method, n);
	writer_u8(w, 0x91); /* params: an array of the one message */
}

size_t rpc_put_request(uint8_t *buf, uint32_t id, const char *method)
{
	struct writer w = writer_of(buf, RPC_HEAD_MAX);
	writer_u8(&w, 0x94);
	writer_u8(&w, RPC_REQUEST);
	put_id(&w, id);
	put_method(&w, method);
	return w.len;
}

size_t rpc_put_notify(uint8_t *buf, const char *method)
{
	struct writer w = writer_of(buf, RPC_HEAD_MAX);
	writer_u8(&w, 0x93);
	writer_u8(&w, RPC_NOTIFY);
	put_method(&w, method);
	return w.len;
}

size_t rpc_put_error(uint8_t *buf, uint32_t id)
{
	struct writer w = writer_of(buf, RPC_HEAD_MAX);
	writer_u8(&w, 0x94);
	writer_u8(&w, RPC_RESPONSE);
	put_id(&w, id);
	return w.len;
}

size_t rpc_put_result(uint8_t *buf, uint32_t id)
{
	size_t n = rpc_put_error(buf, id);
	buf[n] = RPC_NIL;
	return n + 1;
}

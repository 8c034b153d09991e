/** @file Frames between the application server and a child. */
#include "as/scripts/wire.h"

static const struct str nothing = { "", 0 };

static struct slice rest_of(const struct wire *m)
{
	struct str s = m->text;
	if (m->kind == WIRE_QUESTION) {
		if (m->question.call != SCRIPT_ENCODE_DOWNLINK)
			return m->question.bytes;
		s = m->question.data;
	}
	return (struct slice){ (const uint8_t *)s.p, s.n };
}

size_t wire_head(const struct wire *m, uint8_t ret_head[WIRE_HEAD_MAX], struct slice *ret_rest)
{
	struct writer w = writer_of(ret_head + WIRE_LENGTH, WIRE_HEAD_MAX - WIRE_LENGTH);
	struct writer length = writer_of(ret_head, WIRE_LENGTH);
	*ret_rest = rest_of(m);
	writer_u8(&w, (uint8_t)m->kind);
	if (m->kind == WIRE_SCRIPT || m->kind == WIRE_QUESTION)
		writer_u8(&w, (uint8_t)m->slot);
	if (m->kind == WIRE_QUESTION) {
		writer_u8(&w, (uint8_t)m->question.call);
		writer_u8(&w, m->question.f_port);
		writer_be64(&w, m->question.received_unix_us);
	}
	if (m->kind == WIRE_HELLO)
		writer_u8(&w, m->runs);
	if (m->kind == WIRE_ANSWER)
		writer_be64(&w, m->cpu_us);
	writer_be32(&length, (uint32_t)(w.len + ret_rest->n));
	return WIRE_LENGTH + w.len;
}

int wire_frame(const uint8_t *p, size_t n, struct slice *ret_frame)
{
	struct reader r = reader_of(p, n);
	if (n < WIRE_LENGTH)
		return -EAGAIN;
	size_t length = reader_be32(&r);
	if (length > WIRE_MAX - WIRE_LENGTH)
		return -EBADMSG;
	if (reader_left(&r) < length)
		return -EAGAIN;
	*ret_frame = reader_take(&r, length);
	return 0;
}

static int read_question(struct reader *r, struct script_question *q)
{
	uint8_t call = reader_u8(r);
	q->f_port = reader_u8(r);
	q->received_unix_us = reader_be64(r);
	if (r->failed || call >= SCRIPT_CALL_N)
		return -EBADMSG;
	q->call = call;
	struct slice rest = reader_take(r, reader_left(r));
	bool encodes = q->call == SCRIPT_ENCODE_DOWNLINK;
	if (rest.n > (encodes ? (size_t)SCRIPT_JSON_MAX : (size_t)SCRIPT_BYTES_MAX))
		return -EBADMSG;
	if (encodes)
		q->data = (struct str){ (const char *)rest.p, rest.n };
	else
		q->bytes = rest;
	return 0;
}

int wire_read(struct slice frame, struct wire *ret)
{
	struct reader r = reader_of(frame.p, frame.n);
	*ret = (struct wire){ .kind = reader_u8(&r), .text = nothing };
	switch (ret->kind) {
	case WIRE_SCRIPT:
	case WIRE_QUESTION:
		ret->slot = reader_u8(&r);
		if (ret->slot >= WORKER_SLOTS)
			return -EBADMSG;
		if (ret->kind == WIRE_QUESTION)
			return read_question(&r, &ret->question);
		break;
	case WIRE_HELLO:
		ret->runs = reader_u8(&r);
		break;
	case WIRE_ANSWER:
		ret->cpu_us = reader_be64(&r);
		break;
	default:
		return -EBADMSG;
	}
	struct slice rest = reader_take(&r, reader_left(&r));
	ret->text = (struct str){ (const char *)rest.p, rest.n };
	if (r.failed || (ret->kind == WIRE_SCRIPT && rest.n > SCRIPT_TEXT_MAX))
		return -EBADMSG;
	return 0;
}

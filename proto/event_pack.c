/** @file Events one after another. */
#include "proto/event_pack.h"
#include "common/core/err.h"

enum { LENGTH = 2 };
_Static_assert(sizeof(struct trace_event) + 256 <= EVENT_PACKED_MAX && 2 * EVENT_PACKED_MAX <= sizeof((struct trace_events){0}.events.p), "a batch has room for one and a word of what was lost");

int events_pack(struct writer *w, const struct trace_event *e)
{
	size_t n, left = w->cap - w->len;
	if (w->failed || left < LENGTH)
		return -ENOSPC;
	TRY(msg_encode(trace_event_schema(), e, w->p + w->len + LENGTH, left - LENGTH, &n));
	if (n > UINT16_MAX)
		return -EINVAL;
	writer_be16(w, (uint16_t)n);
	w->len += n;
	return 0;
}

static int next_record(struct reader *r, struct slice *ret)
{
	const uint8_t *start = r->p;
	if (!reader_left(r))
		return -ENOENT;
	reader_take(r, reader_be16(r));
	if (r->failed) {
		r->p = r->end;
		return -EBADMSG;
	}
	*ret = (struct slice){ start, (size_t)(r->p - start) };
	return 0;
}

int events_unpack(struct reader *r, struct trace_event *ret_e, struct slice *ret_record)
{
	struct slice one;
	TRY(next_record(r, &one));
	if (ret_record)
		*ret_record = one;
	return msg_decode(trace_event_schema(), one.p + LENGTH, one.n - LENGTH, ret_e) ? -EBADMSG : 0;
}

size_t events_in(const struct trace_events *batch)
{
	struct reader r = reader_of(batch->events.p, batch->events.len);
	struct slice one;
	size_t n = 0;
	while (!next_record(&r, &one))
		n++;
	return n;
}

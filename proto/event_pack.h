/** @file Events one after another, as they travel in a batch and as they are kept: each a trace_event as in messages.def behind its
 * length in two octets, big endian. Who passes them on, or keeps them, copies octets. Pure. */
#pragma once
#include "proto/schema.h"

/** The most that one takes: its texts, and what stands around them. */
enum { EVENT_PACKED_MAX = 2048 };

/** Append an event. @return 0; -ENOSPC there is no room; -EINVAL it cannot be encoded. On failure nothing was appended. */
int events_pack(struct writer *w, const struct trace_event *e);
/** Read the next event.
 * @param ret_e        undefined on failure
 * @param ret_record   its octets with the length before them, borrowed; NULL: not wanted
 * @return 0; -ENOENT there are no more; -EBADMSG this one is damaged (*r is behind it; at the end where no more can be read) */
int events_unpack(struct reader *r, struct trace_event *ret_e, struct slice *ret_record);
/** How many a batch has; nothing but their lengths is looked at. */
size_t events_in(const struct trace_events *batch);

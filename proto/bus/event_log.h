/** @file Events as lines of the log: failures at info, steps at debug, and those of a device or gateway that is watched. */
#pragma once
#include "proto/cids.h"
#include "proto/events.h"
#include "proto/log_watch.h"

/** The id by which people know a message, of all it has, as text: that of its first reception, else of the downlink.
 * @return ret; "" where it has none */
const char *event_log_cid(const struct cid *v, size_t n, char ret[CID_TEXT_MAX]);
/** Could an event be a line, before it is composed? @param w  borrowed; NULL: nobody is watched
 * @param device  registry number, 0: of none, or not known here; gateway_id "": of none */
bool event_log_wants(const struct log_watch *w, enum event_id id, uint64_t device, const char *gateway_id);
/** Write it, if it is one. */
void event_log(const struct log_watch *w, enum event_id id, const struct trace_event *e);

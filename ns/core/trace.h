/** @file Events of the trace: composed in place, sent in batches, dropped and counted when nobody can take them. */
#pragma once
#include "common/core/json_out.h"
#include "ns/core/device.h"
#include "ns/core/gateway.h"
#include "proto/events.h"

struct ns;

struct trace {
	struct trace_events batch;
	struct trace_event scratch; /**< of an event that nobody will see */
	struct text data;
	uint64_t lost;
};

/** What an event is about; members may be left out. */
struct about {
	const struct cid_list *cids;
	const struct dev *dev;
	const struct gateway *gateway;
	uint64_t dev_eui;
	uint32_t dev_addr;
	bool has_dev_eui, has_dev_addr;
	bool has_f_cnt;      /**< of a frame whose counter is why: what it has, what was expected, and what would let it pass */
	uint32_t f_cnt;
	uint64_t next_f_cnt;
	const char *hint;    /**< NULL: nothing would */
};

/** Begin an event; add members to its data object with json_name and its sisters, then end it. */
struct text *trace_begin(struct ns *ns, enum event_id event, const struct about *a);
void trace_end(struct ns *ns);
/** An event without data. */
void trace_add(struct ns *ns, enum event_id event, const struct about *a);
/** An event whose data is one reason. */
void trace_reason(struct ns *ns, enum event_id event, const struct about *a, const char *reason);
/** Send what is gathered. */
void trace_flush(struct ns *ns);

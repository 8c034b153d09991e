/** @file Events of the trace: composed in place, sent in batches, dropped and counted when nobody can take them. */
#pragma once
#include "common/core/json_out.h"
#include "ns/core/device.h"
#include "ns/core/gateway.h"
#include "proto/events.h"

struct ns;

struct trace {
	struct trace_events batch;
	struct trace_event event; /**< that is being composed */
	struct text data;
	enum event_id id;       /**< of the event that is being composed */
	bool is_told, is_logged;
	uint64_t lost;
};

/** What an event is about; members may be left out. */
struct about {
	const struct cid_list *cids;
	const struct dev *dev;
	const struct gateway *gateway;
	const struct ulid *transmission; /**< one more id, of an emission */
	uint64_t dev_eui;
	uint32_t dev_addr;
	uint64_t join_eui;
	bool has_dev_eui, has_dev_addr;
	bool has_join_eui;   /**< of a join-request of no device: what it asks for */
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
/** A member of the event's data that is a number. */
void trace_num(struct text *t, const char *name, uint64_t v);
/** How long the step took that ends with this event. @param since_us  monotonic; 0: not known, and left out */
void trace_duration(struct ns *ns, struct text *t, uint64_t since_us);
/** Send what is gathered. */
void trace_flush(struct ns *ns);

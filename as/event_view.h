/** @file What of the events somebody wants to see, and may; and what an event looks like to them. */
#pragma once
#include "as/as.h"
#include "as/core/event_names.h"
#include "as/core/trace/chunk.h"

enum { EVENT_SCOPES_MAX = 20 };

/** Events of all that is named at once. */
struct event_scope {
	uint64_t device;        /**< 0: any */
	char app[APP_KEY_TEXT]; /**< "": any, gateways' and unknown devices' too */
	char gateway[ID_MAX + 1];
	bool is_of_gateway_alone; /**< not what belongs to an application */
};

/** What is in any of the scopes, has any of the names, and is young enough. */
struct event_view {
	struct event_scope scopes[EVENT_SCOPES_MAX];
	size_t n_scopes; /**< 0: nothing is seen */
	struct event_names names;
	bool has_names; /**< else whatever its name */
	uint64_t after_unix_us;  /**< later than this */
	uint64_t before_unix_us; /**< and earlier than this; 0: any */
	uint8_t processes;       /**< a bit for each that may have told it; 0: any */
};

bool event_view_sees(struct as *as, const struct event_view *v, const struct trace_event *e);
/** May the chunk with this index have something that the view sees? */
bool event_view_may_be_in(const struct event_view *v, const struct chunk_index *i);
/** Is it the view of somebody to whom an application's messages belong, with all that is said of them? */
bool event_view_is_of_app(const struct event_view *v);
/** {"name","time","process","identifiers","correlation_ids","data"} */
void event_json_write(struct as *as, struct text *t, const struct trace_event *e);

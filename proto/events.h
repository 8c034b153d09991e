/** @file The events of the trace, from events.def: numbers, names, whether one tells of a failure, what its data hold. */
#pragma once
#include "common/core/text.h"

enum event_id {
#define EVENT(symbol, name, process, outcome, meaning, data) EVENT_##symbol,
#define EVENT_DATA(name, kind, meaning)
#include "proto/events.def"
#undef EVENT
#undef EVENT_DATA
	EVENT_N
};

/** As trace_event.process. */
enum event_process { EVENT_PROCESS_GS, EVENT_PROCESS_NS, EVENT_PROCESS_AS };
enum event_outcome { EVENT_OUTCOME_STEP, EVENT_OUTCOME_FAIL, EVENT_OUTCOME_STATE };
/** The setting trace.events. */
enum event_level { EVENT_LEVEL_OFF, EVENT_LEVEL_FAILURES, EVENT_LEVEL_ALL };

struct event_info {
	const char *name; /**< "gs.up.receive" */
	enum event_process process;
	enum event_outcome outcome;
	const char *meaning;
	const char *data; /**< names of the members of its data, between spaces; "*": the data are somebody else's object */
};
struct event_data_info {
	const char *name, *kind, *meaning;
};

/** A row of the table. @param e  less than EVENT_N */
const struct event_info *events_info(enum event_id e);
/** @return 0; -ENOENT no event is called so (a newer peer's) */
int events_find(struct str name, enum event_id *ret);
/** Does an event of this name tell of a failure? One that is not in the table does where its last words say so. */
bool events_is_failure(struct str name);
/** Is it told at this level? At `failures`, all but steps. */
bool events_is_told(enum event_id e, enum event_level level);
/** What a member of data means; NULL: no event has it. */
const struct event_data_info *events_data_info(struct str name);
/** Has the event such a member? */
bool events_has_data(enum event_id e, struct str member);
/** "all", "failures", "off". @return 0; -EINVAL */
int events_level_parse(struct str s, enum event_level *ret);
/** All of the table as a Markdown page. */
void events_print_doc(struct text *t);

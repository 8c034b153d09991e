/** @file What holds for every event, whoever tells it: name, process and data are as events.def says. */
#pragma once
#include "common/core/json.h"
#include "proto/events.h"
#include "proto/schema.h"
#include <stdio.h>
#include <string.h>

/** NULL, or what is wrong with it. */
static inline const char *events_problem(const struct trace_event *e)
{
	static char problem[256];
	struct json_tok tok[256];
	struct json j;
	enum event_id id;
	snprintf(problem, sizeof problem, "%s: ", e->name);
	char *why = problem + strlen(problem);
	size_t room = (size_t)(problem + sizeof problem - why);
	if (events_find(str_of(e->name), &id))
		snprintf(why, room, "is not in the table");
	else if (e->process != (uint32_t)events_info(id)->process || !e->time_unix_us)
		snprintf(why, room, "process %u at %llu", e->process, (unsigned long long)e->time_unix_us);
	else if (MSG_HAS(e, data) && json_parse(str_of(e->data), tok, 256, &j, NULL))
		snprintf(why, room, "its data are not JSON: %.150s", e->data);
	else
		*why = '\0';
	if (*why)
		return problem;
	for (json_val m = MSG_HAS(e, data) ? json_first(&j, json_root(&j)) : -1; m >= 0; m = json_next(&j, m)) {
		struct str name = json_raw(&j, m);
		if (!events_has_data(id, name)) {
			snprintf(why, room, "%.*s is not among its data", (int)name.n, name.p);
			return problem;
		}
	}
	return NULL;
}

/** @file Lists of events over HTTP: what is kept, as one answer. */
#pragma once
#include "as/api/api.h"
#include "as/event_view.h"

/** Answer with the newest of what is kept and seen, oldest first, once it has been found: {"events":[…],"lost":…}.
 * @param take_view       from malloc; taken
 * @param correlation_id  the story of one message; NULL: all
 * @param max             at most so many; 0: none */
void event_list(struct api_call *c, struct event_view *take_view, const char *correlation_id, size_t max);

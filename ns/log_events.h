/** @file The core's events as lines of the log. */
#pragma once
#include "proto/schema.h"

/** One line each; what is frequent and in order only at the level debug. */
void log_events(const struct trace_events *m);

/** @file godwit-ns --restored: the store was put back from a copy, and is made safe to go on from. */
#pragma once
#include "ns/process.h"

/** For daemon_program: prints the sessions whose counters were raised, as a JSON array. */
int process_restored(struct daemon *d, const void *settings, struct text *err);

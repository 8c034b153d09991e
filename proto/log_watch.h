/** @file Whose lines are logged at another level for a while: at most as many rules as a message of the bus holds. */
#pragma once
#include "proto/schema.h"

/** Rules as they were told last, each with its end on this process's clock. */
struct log_watch {
	struct {
		struct log_rule rule;
		uint64_t until_us; /**< monotonic */
	} v[COUNT(((struct log_rules *)0)->v.v)];
	size_t n;
};

/** What a line is about; members may be left out (0, "", NULL). */
struct log_subject {
	uint64_t device; /**< registry number */
	const char *gateway_id;
	const struct trace_event *event; /**< for those who know a device only as it is heard; NULL */
};

/** Take a new list in place of the old one. */
void log_watch_take(struct log_watch *w, const struct log_rules *m, uint64_t now_us);
/** Add a rule, in place of the one about the same. @param until_us  its end; left_us is not looked at. @return 0; -ENOSPC */
int log_watch_set(struct log_watch *w, const struct log_rule *r, uint64_t until_us);
uint64_t log_watch_next(const struct log_watch *w); /**< when the first rule ends; UINT64_MAX: there is none */
/** Forget what has ended. @return whether anything has */
bool log_watch_expire(struct log_watch *w, uint64_t now_us);
/** The same rules as a message, each with the time that is left. */
void log_watch_give(const struct log_watch *w, uint64_t now_us, struct log_rules *ret);
/** The highest level that a rule gives to such a line (0 error to 3 debug); -1: no rule is about it. */
int log_watch_level(const struct log_watch *w, const struct log_subject *s);
/** The level that a rule gives to all of a process (0 gs, 1 ns, 2 as); -1: none. */
int log_watch_process(const struct log_watch *w, uint32_t process);
/** Is there a rule about devices? Then who knows them only as they are heard has to look at every event. */
bool log_watch_has_devices(const struct log_watch *w);

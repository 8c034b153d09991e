/** @file What happened, one JSON object a line on stdout. */
#pragma once
#include "common/core/json_out.h"
#include "test/sim/sim.h"

struct report {
	char buf[2048];
	struct text t;
};

/** Begin a line: {"event":…,"t":… (us since the start). */
void report_begin(struct report *r, const struct sim *s, const char *event);
void report_num(struct report *r, const char *name, int64_t v);
void report_flag(struct report *r, const char *name, bool v);
void report_word(struct report *r, const char *name, const char *word);
void report_eui(struct report *r, const char *name, uint64_t eui);
void report_addr(struct report *r, const char *name, uint32_t addr);
void report_hex(struct report *r, const char *name, const void *p, size_t n);
void report_end(struct report *r);
/** The totals as the last line. */
void report_totals(const struct sim *s);

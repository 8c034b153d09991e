/** @file What the store says of itself. */
#include "common/metrics.h"
#include "common/store.h"

struct shown {
	struct store_stats s;
	uint64_t is_failing;
};

static const struct metric rows[] = {
	METRIC_ROW(struct shown, s.commits, COUNTER, "godwit_store_commits_total", "Commits of the store")
	METRIC_ROW(struct shown, s.failures, COUNTER, "godwit_store_commit_failures_total", "Commits that failed, each to be tried again")
	METRIC_ROW(struct shown, s.ops, COUNTER, "godwit_store_writes_total", "Values written and deleted by commits")
	METRIC_ROW(struct shown, s.commit, HISTOGRAM, "godwit_store_commit_seconds", "How long commits took")
	METRIC_ROW(struct shown, s.pending_ops, GAUGE, "godwit_store_pending_writes", "Writes that are not on disk yet")
	METRIC_ROW(struct shown, s.used_bytes, GAUGE, "godwit_store_used_bytes", "Octets that the store holds")
	METRIC_ROW(struct shown, s.map_bytes, GAUGE, "godwit_store_max_bytes", "Octets that it may hold (store-max-size)")
	METRIC_ROW(struct shown, is_failing, GAUGE, "godwit_store_failing", "1 while the last commit failed or the store is full: new work is refused")
};

void store_metrics(const struct store *s, struct text *t, const char *process)
{
	struct shown v = { .is_failing = store_failing(s) };
	store_stats(s, &v.s);
	metrics_render(t, rows, COUNT(rows), &v, process);
}

/** @file Metrics as Prometheus reads them. */
#include "common/metrics.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

struct sample {
	uint64_t up, by_reason[3], age;
	struct histogram took, by_kind[2];
};

static const char *reason(unsigned i)
{
	static const char *const words[] = { NULL, "mic", "say \"x\"\\" };
	return words[i];
}

static const char *kind(unsigned i)
{
	return i ? "b" : "a";
}

START_TEST(help_and_type_stand_once_before_all_samples_of_a_name)
{
	static const struct metric rows[] = {
		METRIC_ROW(struct sample, up, COUNTER, "gs_up_total", "Uplinks")
		METRIC_ROW_BY(struct sample, by_reason, 3, COUNTER, "ns_drops_total", "reason", reason, "Dropped \\ why\nso")
		METRIC_ROW(struct sample, age, SECONDS, "ns_age_seconds", "Age")
	};
	const struct sample values = { .up = 1, .by_reason = { 7, UINT64_MAX, 3 }, .age = 1500000 };
	AUTO(text_done) struct text t = text_growing(4096);
	metrics_render(&t, rows, COUNT(rows), &values, NULL);
	ck_assert_str_eq(t.p, "# HELP gs_up_total Uplinks\n# TYPE gs_up_total counter\ngs_up_total 1\n"
		"# HELP ns_drops_total Dropped \\\\ why\\nso\n# TYPE ns_drops_total counter\n"
		"ns_drops_total{reason=\"mic\"} 18446744073709551615\nns_drops_total{reason=\"say \\\"x\\\"\\\\\"} 3\n"
		"# HELP ns_age_seconds Age\n# TYPE ns_age_seconds gauge\nns_age_seconds 1.5\n");
}
END_TEST

START_TEST(what_several_processes_have_says_whose_it_is)
{
	static const struct metric rows[] = {
		METRIC_ROW(struct sample, up, GAUGE, "godwit_up", "Up")
		METRIC_ROW_BY(struct sample, by_reason, 2, COUNTER, "godwit_drops_total", "reason", reason, "Dropped")
	};
	const struct sample values = { .up = 1, .by_reason = { 7, 2, 3 } };
	AUTO(text_done) struct text t = text_growing(4096);
	metrics_render(&t, rows, COUNT(rows), &values, "gs");
	ck_assert_str_eq(t.p, "# HELP godwit_up Up\n# TYPE godwit_up gauge\ngodwit_up{process=\"gs\"} 1\n"
		"# HELP godwit_drops_total Dropped\n# TYPE godwit_drops_total counter\ngodwit_drops_total{process=\"gs\",reason=\"mic\"} 2\n");
}
END_TEST

static uint64_t number_behind(const struct text *t, const char *name)
{
	const char *at = strstr(t->p, name);
	ck_assert_msg(at && (at == t->p || at[-1] == '\n'), "%s is not there", name);
	return strtoull(at + strlen(name), NULL, 10);
}

START_TEST(a_bucket_counts_all_that_took_no_longer_and_the_last_counts_all)
{
	static const struct metric rows[] = { METRIC_ROW(struct sample, took, HISTOGRAM, "took_seconds", "Time") };
	struct sample values = { .up = 0 };
	AUTO(text_done) struct text t = text_growing(4096);
	histogram_add(&values.took, 0);
	histogram_add(&values.took, 100);      /* a bound belongs to its bucket */
	histogram_add(&values.took, 101);
	histogram_add(&values.took, 2000000);
	histogram_add(&values.took, 10000001); /* longer than all bounds */
	metrics_render(&t, rows, COUNT(rows), &values, "as");
	ck_assert_ptr_nonnull(strstr(t.p, "# TYPE took_seconds histogram\n"));
	ck_assert_uint_eq(number_behind(&t, "took_seconds_bucket{process=\"as\",le=\"0.0001\"} "), 2);
	ck_assert_uint_eq(number_behind(&t, "took_seconds_bucket{process=\"as\",le=\"0.00025\"} "), 3);
	ck_assert_uint_eq(number_behind(&t, "took_seconds_bucket{process=\"as\",le=\"1\"} "), 3);
	ck_assert_uint_eq(number_behind(&t, "took_seconds_bucket{process=\"as\",le=\"2.5\"} "), 4);
	ck_assert_uint_eq(number_behind(&t, "took_seconds_bucket{process=\"as\",le=\"10\"} "), 4);
	ck_assert_uint_eq(number_behind(&t, "took_seconds_bucket{process=\"as\",le=\"+Inf\"} "), 5);
	ck_assert_uint_eq(number_behind(&t, "took_seconds_count{process=\"as\"} "), 5);
	ck_assert_ptr_nonnull(strstr(t.p, "took_seconds_sum{process=\"as\"} 12.000202\n"));
}
END_TEST

START_TEST(bounds_rise_and_end_beyond_every_window)
{
	for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
		ck_assert_uint_gt(histogram_bounds_us[i], histogram_bounds_us[i - 1]);
	ck_assert_uint_ge(histogram_bounds_us[HISTOGRAM_BOUNDS - 1], 6000000); /* JOIN_ACCEPT_DELAY2 */
}
END_TEST

START_TEST(histograms_stand_beside_each_other_by_label)
{
	static const struct metric rows[] = { METRIC_ROW_BY(struct sample, by_kind, 2, HISTOGRAM, "call_seconds", "kind", kind, "Time") };
	struct sample values = { .up = 0 };
	AUTO(text_done) struct text t = text_growing(8192);
	histogram_add(&values.by_kind[1], 700);
	metrics_render(&t, rows, COUNT(rows), &values, NULL);
	ck_assert_uint_eq(number_behind(&t, "call_seconds_count{kind=\"a\"} "), 0);
	ck_assert_uint_eq(number_behind(&t, "call_seconds_bucket{kind=\"b\",le=\"0.0005\"} "), 0);
	ck_assert_uint_eq(number_behind(&t, "call_seconds_bucket{kind=\"b\",le=\"0.001\"} "), 1);
	ck_assert_ptr_nonnull(strstr(t.p, "call_seconds_sum{kind=\"b\"} 0.0007\n"));
}
END_TEST

START_TEST(a_moment_that_lies_ahead_is_no_time_ago)
{
	ck_assert_uint_eq(us_since(5, 7), 2);
	ck_assert_uint_eq(us_since(7, 5), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metrics");
	TCase *c = tcase_create("text");
	tcase_add_test(c, help_and_type_stand_once_before_all_samples_of_a_name);
	tcase_add_test(c, what_several_processes_have_says_whose_it_is);
	tcase_add_test(c, a_bucket_counts_all_that_took_no_longer_and_the_last_counts_all);
	tcase_add_test(c, bounds_rise_and_end_beyond_every_window);
	tcase_add_test(c, histograms_stand_beside_each_other_by_label);
	tcase_add_test(c, a_moment_that_lies_ahead_is_no_time_ago);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

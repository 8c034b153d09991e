/** @file Metrics as Prometheus reads them. */
#include "common/metrics.h"
#include <check.h>
#include <stdlib.h>

struct sample {
	uint64_t up, mic, late, open;
};

START_TEST(help_and_type_stand_once_before_all_samples_of_a_name)
{
	static const struct metric rows[] = {
		{ "gs_up_total", "", "Uplinks", offsetof(struct sample, up), METRIC_COUNTER },
		{ "ns_drop_total", "reason=\"mic\"", "Dropped \\ why\nso", offsetof(struct sample, mic), METRIC_COUNTER },
		{ "gs_open", "", "Open", offsetof(struct sample, open), METRIC_GAUGE },
		{ "ns_drop_total", "reason=\"late\"", "Dropped", offsetof(struct sample, late), METRIC_COUNTER },
	};
	const struct sample values = { 1, UINT64_MAX, 3, 4 };
	AUTO(text_done) struct text t = text_growing(4096);
	metrics_render(&t, rows, COUNT(rows), &values);
	ck_assert_str_eq(t.p, "# HELP gs_up_total Uplinks\n# TYPE gs_up_total counter\ngs_up_total 1\n"
		"# HELP ns_drop_total Dropped \\\\ why\\nso\n# TYPE ns_drop_total counter\n"
		"ns_drop_total{reason=\"mic\"} 18446744073709551615\nns_drop_total{reason=\"late\"} 3\n"
		"# HELP gs_open Open\n# TYPE gs_open gauge\ngs_open 4\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metrics");
	TCase *c = tcase_create("text");
	tcase_add_test(c, help_and_type_stand_once_before_all_samples_of_a_name);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file Telemetry without times of its own, as applications get it. */
#include "as/core/device_api/merge.h"
#include <check.h>

static char out[4096];

static const char *merged(const char *json)
{
	static struct readings v;
	struct text t = text_fixed(out, sizeof out);
	ck_assert_int_eq(readings_telemetry(&v, str_of(json), &(struct value_rules){ .casts = true }, 1), 0);
	int r = merge_untimed(&t, &v);
	return r == MERGE_E_NONE ? "nothing" : r ? "failed" : out;
}

START_TEST(telemetry_without_times_is_one_object)
{
	ck_assert_str_eq(merged("{\"key1\":\"value1\", \"key2\":\"value2\"}"), "{\"key1\":\"value1\",\"key2\":\"value2\"}");
	ck_assert_str_eq(merged("[{\"key1\":\"value1\"}, {\"key2\":\"value2\"}]"), "{\"key1\":\"value1\",\"key2\":\"value2\"}");
	ck_assert_str_eq(merged("[{\"a\":1},{\"ts\":5,\"values\":{\"a\":2}},{\"a\":3}]"), "{\"a\":3}");
	ck_assert_str_eq(merged("{\"ts\":1451649600512, \"values\":{\"key1\":\"value1\"}}"), "nothing");
	ck_assert_str_eq(merged("[]"), "nothing");
	ck_assert_str_eq(merged("{}"), "nothing");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("device_merge");
	TCase *c = tcase_create("device_merge");
	suite_add_tcase(s, c);
	tcase_add_test(c, telemetry_without_times_is_one_object);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

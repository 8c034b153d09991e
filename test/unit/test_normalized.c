/** @file Normalized payloads and locations, against the cases of The Things Stack's own tests. */
#include "as/core/formatters/location.h"
#include "as/core/formatters/normalized.h"
#include "common/core/json.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct normalized n;
static char words[256];

static void teardown(void)
{
	normalized_done(&n);
}

static int check(const char *json, const char *warnings)
{
	struct text why = text_fixed(words, sizeof words);
	return normalized_check(&n, str_of(json), str_of(warnings), &why);
}

#define SHOULD(path, what) "[\"measurement 1: `" path "` should be " what "\"]"
static const struct {
	const char *json, *valid, *warnings;
} taken[] = {
	{ "[{\"battery\":3.59}]", "[{\"battery\":3.59}]", "" },
	{ "[{\"battery\":-100}]", "", SHOULD("battery", "equal or greater than `0`") },
	{ "[{\"air\":{\"location\":\"somewhere\"}}]", "", SHOULD("air.location", "one of `indoor outdoor`") },
	{ "[{\"air\":{\"location\":\"indoor\"}}]", "[{\"air\":{\"location\":\"indoor\"}}]", "" },
	{ "[{\"water\":{\"leak\":true}}]", "[{\"water\":{\"leak\":true}}]", "" },
	{ "[{\"action\":{\"motion\":{\"detected\":true,\"count\":5.0},\"contactState\":\"open\"}}]",
		"[{\"action\":{\"motion\":{\"detected\":true,\"count\":5.0},\"contactState\":\"open\"}}]", "" },
	{ "[{\"action\":{\"contactState\":\"INVALID\"}}]", "", SHOULD("action.contactState", "one of `open closed`") },
	{ "[{\"position\":{\"latitude\":-91.0}}]", "", SHOULD("position.latitude", "equal or greater than `-90`") },
	{ "[{\"position\":{\"longitude\":180.1}}]", "", SHOULD("position.longitude", "equal or less than `180`") },
	{ "[{\"position\":{\"latitude\":42.184983,\"longitude\":-4.123223}}]", "[{\"position\":{\"latitude\":42.184983,\"longitude\":-4.123223}}]", "" },
	{ "[{\"time\":\"2022-08-23T17:13:42Z\"}]", "[{\"time\":\"2022-08-23T17:13:42Z\"}]", "" },
	{ "[{\"soil\":{\"n\":999999.99}}]", "[{\"soil\":{\"n\":999999.99}}]", "" },
	{ "[{\"air\":{\"temperature\":20.42}},{\"air\":{\"temperature\":19.61}}]", "[{\"air\":{\"temperature\":20.42}},{\"air\":{\"temperature\":19.61}}]", "" },
	{ "[{}]", "", "" },
	{ "[]", "", "" },
	{ "[{\"soil\":{\"moisture\":120}}]", "", SHOULD("soil.moisture", "equal or less than `100`") },
	{ "[{\"air\":{\"temperature\":-300}}]", "", SHOULD("air.temperature", "equal or greater than `-273.15`") },
	{ "[{\"wind\":{\"direction\":360}}]", "", SHOULD("wind.direction", "less than `360`") },
	/* Theirs end here. */
	{ "{\"air\":{\"temperature\":-273.15,\"relativeHumidity\":100}}", "[{\"air\":{\"temperature\":-273.15,\"relativeHumidity\":100}}]", "" },
	{ "[{\"wind\":{\"direction\":359.999999999,\"speed\":1e300}}]", "[{\"wind\":{\"direction\":359.999999999,\"speed\":1e300}}]", "" },
	{ "[{\"air\":{\"temperature\":-1e300,\"co2\":400}}]", "[{\"air\":{\"co2\":400}}]", SHOULD("air.temperature", "equal or greater than `-273.15`") },
	{ "[{\"metering\":{\"water\":{\"total\":1e22}},\"water\":{\"temperature\":{\"current\":-300}}}]", "[{\"metering\":{\"water\":{\"total\":1e22}}}]",
		SHOULD("water.temperature.current", "equal or greater than `-273.15`") },
	{ "[{\"air\":{}},{\"battery\":1},{\"action\":{\"motion\":{}}}]", "[{\"battery\":1}]", "" },
	{ "[{\"rain\":{\"intensity\":2.5,\"cumulative\":10}}]", "[{\"rain\":{\"intensity\":2.5,\"cumulative\":10}}]", "" },
};

START_TEST(what_is_valid_stays_and_the_rest_is_a_warning)
{
	ck_assert_msg(check(taken[_i].json, "") == 0, "%s: %s", taken[_i].json, words);
	ck_assert_str_eq(n.valid.len ? n.valid.p : "", taken[_i].valid);
	ck_assert_str_eq(n.warnings.len ? n.warnings.p : "", taken[_i].warnings);
}
END_TEST

static const struct {
	const char *json, *why;
} refused[] = {
	{ "[{\"air\":{\"temperature\":\"test\"}}]", "invalid field type of `air.temperature`" },
	{ "[{\"air\":{\"unknown\":\"test\"}}]", "unknown field `air.unknown`" },
	{ "[{\"air\":5}]", "invalid field type of `air`" },
	{ "[{\"temperature\":5}]", "unknown field `temperature`" },
	{ "[{\"battery\":null}]", "invalid field type of `battery`" },
	{ "[{\"battery\":{}}]", "invalid field type of `battery`" },
	{ "[{\"air.temperature\":5}]", "unknown field `air.temperature`" },
	{ "[{\"air\":{\"\":5}}]", "unknown field `air.`" },
	{ "[{\"\":5}]", "unknown field ``" },
	{ "[{\"action\":{\"motion\":{\"detected\":1}}}]", "invalid field type of `action.motion.detected`" },
	{ "[{\"air\":{\"location\":true}}]", "invalid field type of `air.location`" },
	{ "[{\"time\":5}]", "invalid field type of `time`" },
	{ "[{\"time\":\"yesterday\"}]", "not a time such as 2026-03-02T10:15:30Z: `time`" },
	{ "[5]", "not an object: `normalized payload`" },
	{ "[{\"battery\":1},[]]", "not an object: `normalized payload`" },
	{ "\"x\"", "not an object: `normalized payload`" },
	{ "[{\"battery\":1}", "normalized payload is not JSON" },
	{ "", "normalized payload is not JSON" },
};

START_TEST(what_is_no_measurement_is_refused)
{
	ck_assert_msg(check(refused[_i].json, "") == NORMALIZED_E_INVALID, "%s", refused[_i].json);
	ck_assert_str_eq(words, refused[_i].why);
	ck_assert_uint_eq(n.n, 0);
}
END_TEST

START_TEST(measurements_are_had_one_by_one_and_warnings_go_along)
{
	ck_assert_int_eq(check("[{\"battery\":1},{\"soil\":{\"pH\":15}},{\"air\":{\"co2\":400,\"pressure\":1}}]", "[\"low, \\\"really\\\"\",\"b\"]"), 0);
	ck_assert_uint_eq(n.n, 2);
	ck_assert(str_is(normalized_at(&n, 0), "{\"battery\":1}"));
	ck_assert(str_is(normalized_at(&n, 1), "{\"air\":{\"co2\":400}}"));
	ck_assert_str_eq(n.warnings.p, "[\"low, \\\"really\\\"\",\"b\",\"measurement 2: `soil.pH` should be equal or less than `14`\","
		"\"measurement 3: `air.pressure` should be equal or greater than `900`\"]");
	ck_assert_int_eq(check("[]", "[]"), 0);
	ck_assert_uint_eq(n.warnings.len, 0);
}
END_TEST

START_TEST(more_measurements_than_an_uplink_may_have_are_left_out)
{
	struct text t = text_growing(65536);
	text_putc(&t, '[');
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%s{\"battery\":%d}", i ? "," : "", i);
	text_putc(&t, ']');
	ck_assert_int_eq(check(t.p, ""), 0);
	ck_assert_uint_eq(n.n, NORMALIZED_MAX);
	ck_assert(str_is(normalized_at(&n, NORMALIZED_MAX - 1), "{\"battery\":127}"));
	ck_assert_str_eq(n.warnings.p, "[\"measurement 129 and those after it are left out\"]");
	text_done(&t);
}
END_TEST

/* ---- locations ---- */

static const struct {
	const char *json, *location;
} places[] = {
	{ "{\"gps_5\":{\"latitude\":1,\"longitude\":2,\"altitude\":3}}", "{\"latitude\":1,\"longitude\":2,\"altitude\":3,\"source\":\"SOURCE_GPS\"}" },
	{ "{\"lat\":1,\"longitudeDeg\":2}", NULL },
	{ "{\"lat\":\"1\",\"lon\":\"2\"}", NULL },
	{ "{\"lat\":1,\"lon\":2}", "{\"latitude\":1,\"longitude\":2,\"source\":\"SOURCE_GPS\"}" },
	{ "{\"latitude\":1,\"longitude\":2,\"altitude\":3,\"accuracy\":4}", "{\"latitude\":1,\"longitude\":2,\"altitude\":3,\"accuracy\":4,\"source\":\"SOURCE_GPS\"}" },
	/* Theirs end here. */
	{ "{\"Latitude\":-33.856784123,\"Longitude\":151.215297,\"Altitude\":-3.9,\"hdop\":1.4}",
		"{\"latitude\":-33.856784123,\"longitude\":151.215297,\"altitude\":-3,\"accuracy\":1,\"source\":\"SOURCE_GPS\"}" },
	{ "{\"lat\":0,\"lon\":0,\"gps_lat\":0,\"gps_lng\":2.5,\"gpsalt\":9,\"acc\":1e12}", "{\"longitude\":2.5,\"altitude\":9,\"source\":\"SOURCE_GPS\"}" },
	{ "{\"latitudeDeg\":1,\"longitudeDeg\":2,\"height\":12}", "{\"latitude\":1,\"longitude\":2,\"altitude\":12,\"source\":\"SOURCE_GPS\"}" },
	{ "{\"lat\":1,\"lng\":2,\"alt\":\"high\"}", "{\"latitude\":1,\"longitude\":2,\"source\":\"SOURCE_GPS\"}" },
	{ "{\"lat\":90,\"long\":-180}", "{\"latitude\":90,\"longitude\":-180,\"source\":\"SOURCE_GPS\"}" },
	{ "{\"lat\":0,\"lon\":0}", NULL },
	{ "{\"gps_1\":{\"latitude\":0,\"longitude\":0}}", NULL },
	{ "{\"lat\":90.1,\"lon\":0}", NULL },
	{ "{\"lat\":1,\"lon\":1e300}", NULL },
	{ "{\"gps_\":{\"latitude\":1,\"longitude\":2}}", NULL },
	{ "{\"gps_1\":5,\"gps_x\":{\"latitude\":1,\"longitude\":2}}", NULL },
	{ "{\"position\":{\"lat\":1,\"lon\":2}}", NULL },
	{ "[1]", NULL },
	{ "", NULL },
};

START_TEST(locations_are_found_where_they_look_for_them)
{
	struct tts_location l;
	char room[300];
	struct text t = text_fixed(room, sizeof room);
	bool found = location_find(str_of(places[_i].json), &l);
	ck_assert_msg(found == (places[_i].location != NULL), "%s", places[_i].json);
	if (found) {
		tts_location_object(&t, &l);
		ck_assert_str_eq(room, places[_i].location);
	}
}
END_TEST

START_TEST(a_location_joins_the_others_of_its_device)
{
	struct tts_location l = { .latitude_e9 = 1500000000, .longitude_e9 = -2000000000, .altitude_m = 3 };
	char room[500];
	struct text t = text_fixed(room, sizeof room);
	ck_assert_int_eq(locations_with(&t, STR(""), &l), 0);
	ck_assert_str_eq(room, "{\"frm-payload\":{\"latitude\":1.5,\"longitude\":-2,\"altitude\":3,\"source\":\"SOURCE_GPS\"}}");
	text_reset(&t);
	ck_assert_int_eq(locations_with(&t, STR("{\"user\":{\"latitude\":5},\"frm-payload\":{\"latitude\":9}}"), &l), 0);
	ck_assert_str_eq(room, "{\"user\":{\"latitude\":5},\"frm-payload\":{\"latitude\":1.5,\"longitude\":-2,\"altitude\":3,\"source\":\"SOURCE_GPS\"}}");
	ck_assert_int_eq(locations_with(&t, STR("{"), &l), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("normalized");
	TCase *t = tcase_create("normalized"), *l = tcase_create("location");
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, what_is_valid_stays_and_the_rest_is_a_warning, 0, COUNT(taken));
	tcase_add_loop_test(t, what_is_no_measurement_is_refused, 0, COUNT(refused));
	tcase_add_test(t, measurements_are_had_one_by_one_and_warnings_go_along);
	tcase_add_test(t, more_measurements_than_an_uplink_may_have_are_left_out);
	tcase_add_loop_test(l, locations_are_found_where_they_look_for_them, 0, COUNT(places));
	tcase_add_test(l, a_location_joins_the_others_of_its_device);
	suite_add_tcase(s, t);
	suite_add_tcase(s, l);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

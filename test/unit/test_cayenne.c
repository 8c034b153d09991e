/** @file CayenneLPP, against what others encode and decode. */
#include "as/core/formatters/cayenne.h"
#include "test/unit/vec_lines.h"
#include <check.h>

static char out[8192], words[512];

static int decode(const char *hex, int (*fn)(struct text *, struct slice, struct text *))
{
	uint8_t b[300];
	size_t n;
	struct text t = text_fixed(out, sizeof out), why = text_fixed(words, sizeof words);
	ck_assert_msg(hex_decode(str_of(hex), b, sizeof b, &n) == 0, "%s", hex);
	return fn(&t, (struct slice){ b, n }, &why);
}

/** @return as cayenne_encode; `out` has the octets in hex */
static int encode(const char *json)
{
	uint8_t b[CAYENNE_BYTES_MAX];
	size_t n = 0;
	struct text t = text_fixed(out, sizeof out), why = text_fixed(words, sizeof words);
	int e = cayenne_encode(str_of(json), b, &n, &why);
	text_hex(&t, b, e ? 0 : n, false);
	return e;
}

START_TEST(the_vectors_decode_and_encode)
{
	struct vectors v = vectors_open("formatters/cayenne.txt");
	size_t n = 0;
	while (vectors_next(&v)) {
		char hex[600], json[2000];
		ck_assert(!str_copy(vec_get(&v, "hex"), hex, sizeof hex) && !str_copy(vec_get(&v, "json"), json, sizeof json));
		ck_assert_msg(decode(hex, cayenne_decode) == 0, "line %d: %s", v.number, words);
		ck_assert_str_eq(out, json);
		ck_assert_msg(encode(json) == 0, "line %d: %s", v.number, words);
		ck_assert_str_eq(out, hex);
		n++;
	}
	ck_assert_uint_gt(n, 60);
}
END_TEST

START_TEST(what_is_no_cayenne_is_named_with_its_place)
{
	static const struct {
		const char *hex, *why;
	} rows[] = {
		{ "01", "octet 1: a channel without a type" },
		{ "0167ffd705", "octet 5: a channel without a type" },
		{ "01ffff", "octet 2: type 255 is none of CayenneLPP" },
		{ "0167ffd70105", "octet 6: type 5 is none of CayenneLPP" },
		{ "0c8807fd8700be", "octet 3: gps takes 9 octets, 5 are left" },
		{ "0100", "octet 3: digital_in takes 1 octets, 0 are left" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(decode(rows[i].hex, cayenne_decode), CAYENNE_E_BAD);
		ck_assert_str_eq(words, rows[i].why);
		ck_assert_str_eq(out, "");
	}
	char hex[520];
	memset(hex, '0', 512);
	hex[512] = '\0';
	ck_assert_int_eq(decode(hex, cayenne_decode), CAYENNE_E_BAD);
	ck_assert_str_eq(words, "256 octets; at most 255 are a payload");
}
END_TEST

START_TEST(of_two_values_of_a_channel_the_later_counts)
{
	ck_assert_int_eq(decode("0167001002670020016700ff", cayenne_decode), 0);
	ck_assert_str_eq(out, "{\"temperature_1\":25.5,\"temperature_2\":3.2}");
	ck_assert_int_eq(decode("", cayenne_decode), 0);
	ck_assert_str_eq(out, "{}");
}
END_TEST

/* The first two are those of The Things Stack's and go-cayenne-lib's tests. */
START_TEST(downlinks_for_actuators_are_values_of_channels)
{
	ck_assert_int_eq(encode("{\"value_2\":-50.51}"), 0);
	ck_assert_str_eq(out, "02ec45");
	ck_assert_int_eq(decode("01006402eab6ff", cayenne_decode_down), 0);
	ck_assert_str_eq(out, "{\"value_1\":1,\"value_2\":-54.5}");
	ck_assert_int_eq(decode("0c01", cayenne_decode_down), CAYENNE_E_BAD);
	ck_assert_str_eq(words, "octet 2: a value takes 2 octets, 1 are left");
	ck_assert_int_eq(encode("{\"value_1\":true}"), 0);
	ck_assert_str_eq(out, "010064");
	ck_assert_int_eq(encode("{\"value_1\":1.00,\"value_255\":327.67,\"name\":\"pump\",\"custom_5\":5,\"value_x\":1,\"value_256\":1,\"_1\":3}"), 0);
	ck_assert_str_eq(out, "010064ff7fff");
}
END_TEST

START_TEST(what_cannot_be_encoded_is_named)
{
	static const struct {
		const char *json, *why;
	} rows[] = {
		{ "{\"value_1\":\"on\"}", "value_1 must be a number" },
		{ "{\"value_1\":null}", "value_1 must be a number" },
		{ "{\"value_1\":327.68}", "value_1 must be from -327.68 to 327.67" },
		{ "{\"value_1\":-1e300}", "value_1 must be from -327.68 to 327.67" },
		{ "{\"digital_out_3\":256}", "digital_out_3 must be from 0 to 255" },
		{ "{\"relative_humidity_3\":-0.5}", "relative_humidity_3 must be from 0 to 127.5" },
		{ "{\"relative_humidity_3\":1e40}", "relative_humidity_3 must be from 0 to 127.5" },
		{ "{\"temperature_1\":3276.8}", "temperature_1 must be from -3276.8 to 3276.7" },
		{ "{\"gps_1\":5}", "gps_1 must be an object" },
		{ "{\"gps_1\":{\"latitude\":1,\"longitude\":2}}", "gps_1.altitude must be a number" },
		{ "{\"value_1\":1,\"digital_out_2\":1}", "decoded_payload has both value_<channel>, for actuators, and values with types" },
		{ "{\"custom\":8}", "decoded_payload has nothing that CayenneLPP can send: name a value value_<channel>, or as in uplinks" },
		{ "{}", "decoded_payload has nothing that CayenneLPP can send: name a value value_<channel>, or as in uplinks" },
		{ "[1]", "decoded_payload must be an object" },
		{ "{", "decoded_payload is not JSON" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_msg(encode(rows[i].json) == CAYENNE_E_BAD, "%s", rows[i].json);
		ck_assert_str_eq(words, rows[i].why);
	}
	struct text t = text_growing(4096);
	text_puts(&t, "{\"x\":0");
	for (int i = 0; i < 86; i++)
		text_printf(&t, ",\"value_%d\":1", i);
	text_putc(&t, '}');
	ck_assert_int_eq(encode(t.p), CAYENNE_E_BAD);
	ck_assert_str_eq(words, "more than 255 octets");
	text_done(&t);
}
END_TEST

START_TEST(truth_is_one_and_numbers_are_rounded_to_the_nearest_step)
{
	ck_assert_int_eq(encode("{\"digital_out_3\":true,\"switch_4\":false}"), 0);
	ck_assert_str_eq(out, "030101048e00");
	ck_assert_int_eq(encode("{\"temperature_1\":21.46,\"relative_humidity_1\":40.3}"), 0);
	ck_assert_str_eq(out, "016700d7016851");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cayenne");
	TCase *t = tcase_create("cayenne");
	tcase_add_test(t, the_vectors_decode_and_encode);
	tcase_add_test(t, what_is_no_cayenne_is_named_with_its_place);
	tcase_add_test(t, of_two_values_of_a_channel_the_later_counts);
	tcase_add_test(t, downlinks_for_actuators_are_values_of_channels);
	tcase_add_test(t, what_cannot_be_encoded_is_named);
	tcase_add_test(t, truth_is_one_and_numbers_are_rounded_to_the_nearest_step);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file URLs of brokers: what they mean, and what is said of those that mean nothing. */
#include "as/core/integration/broker_url.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct broker_url u;
static char words[256];

static int parse(const char *url, bool wants_tls)
{
	struct text t = text_fixed(words, sizeof words);
	return broker_url_parse(str_of(url), wants_tls, &u, &t);
}

static void is(const char *url, bool wants_tls, const struct broker_url *want)
{
	ck_assert_msg(parse(url, wants_tls) == 0, "%s: %s", url, words);
	ck_assert_int_eq(u.is_tls, want->is_tls);
	ck_assert_int_eq(u.is_websocket, want->is_websocket);
	ck_assert_str_eq(u.host, want->host);
	ck_assert_uint_eq(u.port, want->port);
	ck_assert_str_eq(u.path, want->path);
}

START_TEST(schemes_say_what_is_spoken_and_on_which_port)
{
	is("mqtt://broker.example.com", false, &(struct broker_url){ false, false, "broker.example.com", 1883, "" });
	is("tcp://broker.example.com", false, &(struct broker_url){ false, false, "broker.example.com", 1883, "" });
	is("mqtts://broker.example.com", false, &(struct broker_url){ true, false, "broker.example.com", 8883, "" });
	is("ssl://broker.example.com:443", false, &(struct broker_url){ true, false, "broker.example.com", 443, "" });
	is("mqtt://broker.example.com", true, &(struct broker_url){ true, false, "broker.example.com", 8883, "" });
	is("mqtt://broker.example.com:1884/", true, &(struct broker_url){ true, false, "broker.example.com", 1884, "" });
	is("ws://b/", false, &(struct broker_url){ false, true, "b", 80, "/" });
	is("ws://b", true, &(struct broker_url){ true, true, "b", 443, "/mqtt" });
	is("wss://b:8084/a/b?c=d", false, &(struct broker_url){ true, true, "b", 8084, "/a/b?c=d" });
}
END_TEST

START_TEST(addresses_of_both_families_are_hosts)
{
	is("mqtt://192.0.2.1:1", false, &(struct broker_url){ false, false, "192.0.2.1", 1, "" });
	is("mqtt://[2001:db8::1]", false, &(struct broker_url){ false, false, "2001:db8::1", 1883, "" });
	is("mqtts://[::1]:65535/", false, &(struct broker_url){ true, false, "::1", 65535, "" });
}
END_TEST

START_TEST(what_is_no_url_is_told_what_is_wrong)
{
	static const struct { const char *url, *said; } rows[] = {
		{ "", "should begin with mqtt://" }, { "broker:1883", "should begin with" }, { "http://b", "should begin with" },
		{ "mqtt:b", "should begin with" }, { "nats://b", "should begin with" }, { "mqtt://", "names no host" }, { "mqtt://:1883", "names no host" },
		{ "mqtt://b:", "names no host" }, { "mqtt://::1", "in brackets" }, { "mqtt://[::1", "in brackets" }, { "mqtt://[::1]x", "in brackets" },
		{ "mqtt://[::1]:", "in brackets" }, { "mqtt://b:0", "not a port" }, { "mqtt://b:65536", "not a port" }, { "mqtt://b:mqtt", "not a port" },
		{ "mqtt://u:p@b", "do not belong" }, { "mqtt://b/topic", "have a path" }, { "mqtt://b ", "a blank" }, { "mqtt://b\n", "a blank" },
		{ "mqtt://b\xc3\xa9", "a blank" }, { "ws://b?x", "without a path" }, { "ws://b/#x", "fragment" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_msg(parse(rows[i].url, false) == -EINVAL, "%s", rows[i].url);
		ck_assert_msg(strstr(words, rows[i].said) != NULL, "%s: %s", rows[i].url, words);
	}
}
END_TEST

START_TEST(what_is_too_long_is_refused)
{
	char url[600] = "ws://";
	memset(url + 5, 'a', 300);
	ck_assert_int_eq(parse(url, false), -EINVAL);
	strcpy(url, "ws://b/");
	memset(url + 7, 'a', 300);
	ck_assert_int_eq(parse(url, false), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_url");
	TCase *c = tcase_create("urls");
	tcase_add_test(c, schemes_say_what_is_spoken_and_on_which_port);
	tcase_add_test(c, addresses_of_both_families_are_hosts);
	tcase_add_test(c, what_is_no_url_is_told_what_is_wrong);
	tcase_add_test(c, what_is_too_long_is_refused);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

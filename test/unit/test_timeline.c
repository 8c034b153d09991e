/** @file The time line of a story, and the prose of `godwit why`: what a person reads. */
#include "as/cli/story/prose.h"
#include "as/cli/story/timeline.h"
#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char out[1 << 16];
static const struct timeline_style plain = { .width = SIZE_MAX };

static struct json *read_json(const char *z)
{
	static struct json_tok tok[4096];
	static struct json j;
	size_t at = 0;
	ck_assert_msg(!json_parse(str_of(z), tok, COUNT(tok), &j, &at), "%.60s", z + at);
	return &j;
}

static const char *draw(const char *events, const struct timeline_style *style)
{
	struct text t = text_fixed(out, sizeof out);
	ck_assert_int_eq(timeline_write(&t, read_json(events), style), 0);
	ck_assert(!t.failed);
	return out;
}

static void is(const char *got, const char *want)
{
	if (strcmp(got, want))
		fprintf(stderr, "is:\n%s\nmust be:\n%s\n", got, want);
	ck_assert_int_eq(strcmp(got, want), 0);
}

static void ends(const char *events, const char *want)
{
	const char *got = draw(events, &plain);
	size_t n = strlen(got), m = strlen(want);
	ck_assert_msg(n >= m && !strcmp(got + n - m, want), "%s\ndoes not end with %s", got, want);
}

#define IDS(more)  "\"identifiers\":{\"application_id\":\"app1\",\"device_id\":\"dev1\"" more "},"
#define GTW(id)    "\"identifiers\":{\"gateway_id\":\"" id "\"},"
#define AT(second) "\"time\":\"2026-11-28T10:00:" second "Z\","
#define HEARD(second, gtw) \
	"{\"name\":\"gs.up.receive\"," AT(second) "\"process\":\"gs\"," GTW(gtw) \
	"\"data\":{\"frequency\":868100000,\"modu\":\"LORA\",\"datr\":\"SF7BW125\",\"codr\":\"4/5\",\"rssi\":-57,\"snr\":9.2,\"tmst\":1,\"size\":18}}"
#define PROCESSED(second) \
	"{\"name\":\"ns.up.data.process\"," AT(second) "\"process\":\"ns\"," IDS("") "\"data\":{\"f_cnt\":17,\"gateways\":2,\"duration_us\":200000}}"
#define PUBLISHED(second) "{\"name\":\"as.up.data.forward\"," AT(second) "\"process\":\"as\"," IDS("") "\"data\":{\"subscribers\":1,\"qos_0\":1}}"
#define ATTEMPT(second, window, due) \
	"{\"name\":\"ns.down.data.schedule.attempt\"," AT(second) "\"process\":\"ns\"," IDS(",\"gateway_id\":\"gtw1\"") "\"data\":{\"window\":" window \
	",\"f_cnt\":3,\"frequency\":869525000,\"data_rate_index\":0,\"eirp\":27,\"due\":\"2026-11-28T10:00:" due "Z\",\"lead_us\":142400,\"margin_us\":89700," \
	"\"airtime_us\":46336,\"considered\":[\"gtw1\",\"gtw2\"]}}"
#define ACK(second, result) \
	"{\"name\":\"gs.txack.receive\"," AT(second) "\"process\":\"gs\"," GTW("gtw1") "\"data\":{\"result\":\"" result "\"}},"
#define SENT(second) \
	ACK(second, "SUCCESS") "{\"name\":\"gs.down.tx.success\"," AT(second) "\"process\":\"gs\"," GTW("gtw1") "\"data\":{\"result\":\"SUCCESS\",\"duration_us\":1500}}," \
	"{\"name\":\"ns.down.transmission.success\"," AT(second) "\"process\":\"ns\"," IDS(",\"gateway_id\":\"gtw1\"") "\"data\":{\"result\":\"SUCCESS\"}}"
#define REFUSED(second) \
	ACK(second, "TOO_LATE") "{\"name\":\"gs.down.tx.fail\"," AT(second) "\"process\":\"gs\"," GTW("gtw1") "\"data\":{\"result\":\"TOO_LATE\",\"error\":\"TOO_LATE\"}}," \
	"{\"name\":\"ns.down.transmission.fail\"," AT(second) "\"process\":\"ns\"," IDS(",\"gateway_id\":\"gtw1\"") "\"data\":{\"result\":\"TOO_LATE\",\"window\":1}}"
#define QUEUED(second) \
	"{\"name\":\"as.down.data.receive\"," AT(second) "\"process\":\"as\"," IDS("") "\"data\":{\"correlation_ids\":[\"my-1\"],\"f_port\":15,\"size\":2,\"confirmed\":true}}"
#define TOLD(second, what, data) "{\"name\":\"as.down.data." what ".forward\"," AT(second) "\"process\":\"as\"," IDS("") "\"data\":{" data "}}"

START_TEST(an_uplink_is_drawn_to_the_letter)
{
	is(draw("[" HEARD("00", "gtw1") "," HEARD("00.004", "gtw2") "," PROCESSED("00.2001") "," PUBLISHED("00.214") ","
		ATTEMPT("04.8576", "1", "05") "," SENT("04.8586") "]", &plain),
		"0 is 2026-11-28T10:00:00Z; marked with ! is what failed\n"
		"    ms        step            gateway\n"
		"   0.0    gs  heard           gtw1     868.1 MHz  SF7BW125  -57 dBm  9.2 dB  18 octets\n"
		"   4.0    gs  heard           gtw2     868.1 MHz  SF7BW125  -57 dBm  9.2 dB  18 octets\n"
		" 200.1    ns  copies merged            f_cnt 17  2 gateways  took 200.0 ms\n"
		" 214.0    as  published                1 subscriber\n"
		"4857.6    ns  window chosen   gtw1     RX1  f_cnt 3  869.525 MHz  DR0  27 dBm  due at 5000.0 ms  142.4 ms ahead  89.7 ms to spare  46.3 ms on air  "
		"could send: gtw1, gtw2\n"
		"4858.6    gs  TX_ACK: taken   gtw1     took 1.5 ms\n"
		"4858.6    ns  counts as sent  gtw1\n"
		"5000.0        on air          gtw1     RX1  for 46.3 ms\n"
		"uplink 17 of app1/dev1: published 214.0 ms after it was heard by 2 gateways; answered in RX1 by gtw1.\n");
}
END_TEST

START_TEST(a_downlink_tells_what_failed_before_it_was_sent)
{
	const char *got = draw("[" QUEUED("00") "," ATTEMPT("01", "1", "01.1") "," REFUSED("01.01") "," ATTEMPT("02", "2", "02.1") "," SENT("02.002") ","
		TOLD("02.003", "sent", "\"f_cnt\":3") "," TOLD("08", "ack", "\"f_cnt\":3") "]", &plain);
	ck_assert_ptr_nonnull(strstr(got, "1010.0 !  gs  TX_ACK: refused     gtw1     TOO_LATE\n"));
	ck_assert_ptr_nonnull(strstr(got, "my-1  port 15  2 octets  confirmed\n"));
	ck_assert_ptr_nonnull(strstr(got, "2100.0        on air              gtw1     RX2  for 46.3 ms\n"));
	ck_assert_ptr_null(strstr(got, "1100.0        on air"));
	ck_assert_ptr_nonnull(strstr(got, "downlink of app1/dev1: sent 2003.0 ms after it was queued, in RX2 by gtw1 after 1 attempt that failed (TOO_LATE); "
		"acknowledged 8000.0 ms after it was queued.\n"));
}
END_TEST

START_TEST(each_end_has_its_sentence)
{
	ends("[]", "nothing is known of this id: it never was, or its events are not kept any more.\n");
	ends("[" QUEUED("00") "]", "downlink of app1/dev1: queued; not sent yet.\n");
	ends("[" QUEUED("00") "," TOLD("59", "failed", "\"error\":\"duty_cycle\"") "]", "downlink of app1/dev1: failed (duty_cycle).\n");
	ends("[" QUEUED("00") "," TOLD("59", "sent", "") "," TOLD("59", "nack", "") "]",
		"downlink of app1/dev1: sent 59 s after it was queued; not acknowledged.\n");
	ends("[{\"name\":\"as.down.data.drop\"," AT("00") "\"process\":\"as\"," IDS("") "\"data\":{\"error\":\"invalid_f_port\"}}]",
		"downlink of app1/dev1: refused (invalid_f_port).\n");
	ends("[" HEARD("00", "gtw1") ",{\"name\":\"ns.up.data.drop\"," AT("00") "\"process\":\"ns\"," IDS("") "\"data\":{\"reason\":\"f_cnt\"}}]",
		"uplink of app1/dev1: dropped (f_cnt).\n");
	ends("[" HEARD("00", "gtw1") ",{\"name\":\"ns.up.join.drop\"," AT("00") "\"process\":\"ns\",\"identifiers\":{},\"data\":{\"reason\":\"device_not_found\"}}]",
		"join: heard by gtw1; refused (device_not_found).\n");
	ends("[" HEARD("00", "gtw1") ",{\"name\":\"js.join.reject\"," AT("00") "\"process\":\"as\"," IDS("") "\"data\":{\"reason\":\"mic\"}}]",
		"join of app1/dev1: heard by gtw1; refused (mic).\n");
	ends("[{\"name\":\"gs.gateway.connect\"," AT("00") "\"process\":\"gs\"," GTW("gtw1") "\"data\":{}}]", "1 events.\n");
	ends("[" HEARD("00", "gtw1") "," PROCESSED("00.2") ",{\"name\":\"as.up.data.wait\"," AT("01") "\"process\":\"as\"," IDS("")
		"\"data\":{\"reason\":\"not_linked\"}}]", "uplink 17 of app1/dev1: waits to be published (not_linked).\n");
	ends("[" HEARD("00", "gtw1") "," PROCESSED("00.2") "," PUBLISHED("00.3") ",{\"name\":\"ns.down.data.schedule.fail\"," AT("05") "\"process\":\"ns\"," IDS("")
		"\"data\":{\"reason\":\"no_downlink_path\"}}]",
		"uplink 17 of app1/dev1: published 300.0 ms after it was heard by gtw1; the answer could not be sent (no_downlink_path).\n");
}
END_TEST

START_TEST(a_narrow_terminal_breaks_the_data_between_words)
{
	const struct timeline_style narrow = { .width = 72 };
	is(draw("[" HEARD("00", "gtw1") "]", &narrow),
		"0 is 2026-11-28T10:00:00Z; marked with ! is what failed\n"
		" ms        step   gateway\n"
		"0.0    gs  heard  gtw1     868.1 MHz  SF7BW125  -57 dBm  9.2 dB\n"
		"                           18 octets\n"
		"uplink: heard by gtw1.\n");
}
END_TEST

START_TEST(failures_are_red_on_a_terminal_only)
{
	const struct timeline_style colored = { .width = SIZE_MAX, .is_colored = true };
	static const char event[] = "[{\"name\":\"gs.down.tx.fail\"," AT("00") "\"process\":\"gs\"," GTW("gtw1") "\"data\":{}}]";
	ck_assert_ptr_null(strchr(draw(event, &plain), '\033'));
	ck_assert_ptr_nonnull(strstr(draw(event, &colored), "\033[31m0.0 !  gs  TX_ACK: refused  gtw1\033[0m\n"));
}
END_TEST

START_TEST(what_others_wrote_cannot_steer_the_terminal)
{
	const char *got = draw("[{\"name\":\"new.\\u001b[2J\"," AT("00") "\"process\":\"gs\",\"identifiers\":{\"gateway_id\":\"\\u001b]0;x\\u0007\"},"
		"\"data\":{\"reason\":\"a\\nb\",\"other\":{\"x\":1},\"list\":[\"\\u202e\"],\"n\":5,\"correlation_ids\":[\"\\u001b[1m\"]}}]", &plain);
	ck_assert_ptr_null(strchr(got, '\033'));
	ck_assert_ptr_null(strchr(got, '\007'));
	ck_assert_ptr_nonnull(strstr(got, "a\\nb"));
	ck_assert_ptr_nonnull(strstr(got, "n 5"));
	ck_assert_ptr_nonnull(strstr(draw("[{\"name\":\"ns.mac.link_adr.answer.accept\"," AT("00") "\"process\":\"ns\"}]", &plain), "MAC link_adr answer accept"));
}
END_TEST

START_TEST(odd_events_are_drawn_all_the_same)
{
	draw("[{},{\"name\":5,\"time\":\"x\",\"data\":[]},{\"time\":\"2026-11-28T10:00:00Z\",\"data\":{\"due\":\"never\",\"window\":\"\",\"considered\":[{}],"
	     "\"skipped\":[1,{}]}},{\"name\":\"ns.down.data.schedule.attempt\",\"data\":{\"due\":5}}]", &plain);
}
END_TEST

#define STEP(event, words) { EVENT_##event, words },
START_TEST(every_step_has_a_few_words)
{
	static const struct { enum event_id event; const char *words; } steps[] = {
#include "as/cli/story/steps.def"
	};
	bool has[EVENT_N] = { false };
	for (size_t i = 0; i < COUNT(steps); i++) {
		ck_assert_uint_le(strlen(steps[i].words), 31);
		has[steps[i].event] = true;
	}
	for (int i = 0; i < EVENT_N; i++) {
		const char *name = events_info((enum event_id)i)->name;
		ck_assert_msg(has[i] || str_starts(str_of(name), "ns.mac."), "%s has no words in as/cli/story/steps.def", name);
	}
}
END_TEST
#undef STEP

START_TEST(findings_are_told_in_words)
{
	struct text t = text_fixed(out, sizeof out);
	prose_write(&t, read_json("[{\"question\":\"Why does it not join?\",\"finding\":\"join_mic\",\"kind\":\"problem\",\"answer\":\"The AppKey is wrong.\","
		"\"evidence\":[{\"time\":\"2026-11-28T10:00:05Z\",\"event\":\"js.join.reject\",\"count\":3,\"first_time\":\"2026-11-28T09:00:00Z\",\"gateway_id\":\"gtw1\","
		"\"data\":{\"reason\":\"mic\",\"message\":\"MIC mismatch\"}},{\"state\":\"device\",\"data\":{\"supports_join\":true,\"head\":{\"size\":2}}}],"
		"\"advice\":[\"compare the key\",\"set it\"]},"
		"{\"question\":\"Why does it not join?\",\"finding\":\"join_done\",\"kind\":\"fine\",\"answer\":\"It has joined.\",\"evidence\":[],\"advice\":[]},"
		"{\"question\":\"Why is it not heard?\",\"finding\":\"heard_weak\",\"kind\":\"note\",\"answer\":\"Just so.\",\"evidence\":[],\"advice\":[]}]"), &plain);
	is(out, "Why does it not join?\n"
		"  ! The AppKey is wrong. [join_mic]\n"
		"    found by  2026-11-28 10:00:05  js.join.reject  3 times since 2026-11-28 09:00:00  gtw1  mic  MIC mismatch\n"
		"              device: supports_join yes, head (size 2)\n"
		"    do        compare the key\n"
		"              set it\n"
		"  + It has joined. [join_done]\n"
		"\n"
		"Why is it not heard?\n"
		"  - Just so. [heard_weak]\n");
}
END_TEST

START_TEST(prose_keeps_to_the_terminal)
{
	struct text t = text_fixed(out, sizeof out);
	const struct timeline_style narrow = { .width = 50 };
	prose_write(&t, read_json("[{\"question\":\"Why?\",\"finding\":\"x\",\"kind\":\"problem\",\"answer\":\"One two three four five six seven eight nine ten eleven twelve.\","
		"\"evidence\":[],\"advice\":[\"a b c d e f g h i j k l m n o p q r s t u v w x y z and so on and on\"]}]"), &narrow);
	for (const char *p = out; *p; p = strchr(p, '\n') + 1)
		ck_assert_msg(strcspn(p, "\n") <= 50, "%s", p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timeline");
	TCase *c = tcase_create("timeline");
	setlocale(LC_CTYPE, "C.UTF-8");
	tcase_add_test(c, an_uplink_is_drawn_to_the_letter);
	tcase_add_test(c, a_downlink_tells_what_failed_before_it_was_sent);
	tcase_add_test(c, each_end_has_its_sentence);
	tcase_add_test(c, a_narrow_terminal_breaks_the_data_between_words);
	tcase_add_test(c, failures_are_red_on_a_terminal_only);
	tcase_add_test(c, what_others_wrote_cannot_steer_the_terminal);
	tcase_add_test(c, odd_events_are_drawn_all_the_same);
	tcase_add_test(c, every_step_has_a_few_words);
	tcase_add_test(c, findings_are_told_in_words);
	tcase_add_test(c, prose_keeps_to_the_terminal);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int n = srunner_ntests_failed(r);
	srunner_free(r);
	return n ? EXIT_FAILURE : EXIT_SUCCESS;
}

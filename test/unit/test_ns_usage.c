/** @file The airtime that gateways used, as Prometheus reads it: all of a few, the fullest of many. */
#include "ns/usage.h"
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static struct text page;

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	w_add_gateway(w, "far");
	dev = w_add_device(w, "dev", false);
	w_run(w, SEC_US);
	page = text_growing(USAGE_MAX_BYTES);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	text_done(&page);
	w_free(w);
}

static void render(void)
{
	text_reset(&page);
	usage_render(&page, w->ns, &w->now);
	text_putc(&page, '\0');
	ck_assert(!page.failed);
}

static unsigned count(const char *what)
{
	unsigned n = 0;
	for (const char *p = page.p; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void strangers(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct gateway_status m = { .gateway_eui = 0xbb0000 + i, .connected = true, .can_send = true };
		snprintf(m.gateway_id, sizeof(m.gateway_id), "eui-%016x", 0xbb0000 + i);
		str_copy(str_of(w->plan->id), m.plan, sizeof(m.plan));
		MSG_MARK(&m, plan);
		ns_gs_status(w->ns, &w->now, 1, &m);
	}
}

START_TEST(each_sub_band_of_each_gateway_has_its_use_and_its_limit)
{
	/* An ACK of 12 octets at SF7 takes 41.2 ms, which is 11 millionths of an hour; the limits are those of ERC 70-03. */
	w_uplink(w, dev, &(struct w_say){ .port = 1, .text = "sure", .confirmed = true }, 1);
	w_rest(w);
	render();
	ck_assert(strstr(page.p, "\nns_sub_band_utilization{gateway_id=\"near\",min_frequency=\"868000000\",max_frequency=\"868600000\"} 0.000011\n"));
	ck_assert(strstr(page.p, "\nns_sub_band_utilization{gateway_id=\"far\",min_frequency=\"868000000\",max_frequency=\"868600000\"} 0\n"));
	ck_assert(strstr(page.p, "\nns_sub_band_utilization_limit{gateway_id=\"near\",min_frequency=\"868000000\",max_frequency=\"868600000\"} 0.01\n"));
	ck_assert(strstr(page.p, "\nns_sub_band_utilization_limit{gateway_id=\"far\",min_frequency=\"869400000\",max_frequency=\"869650000\"} 0.1\n"));
	ck_assert(strstr(page.p, "\nns_sub_band_gateways_left_out 0\n"));
	ck_assert(count("# HELP ") == 3 && count("# TYPE ") == 3);
	ck_assert(strstr(page.p, "\"near\"") < strstr(page.p, "\"far\"")); /* the fullest first */
	w_run(w, 3700 * SEC_US);
	render();
	ck_assert(strstr(page.p, "\nns_sub_band_utilization{gateway_id=\"near\",min_frequency=\"868000000\",max_frequency=\"868600000\"} 0\n"));
}
END_TEST

START_TEST(of_ten_thousand_gateways_the_fullest_thousand_are_listed)
{
	strangers(10000);
	w_uplink(w, dev, &(struct w_say){ .port = 1, .text = "sure", .confirmed = true }, 1);
	w_rest(w);
	render();
	unsigned bands = count("ns_sub_band_utilization{gateway_id=\"near\"");
	ck_assert_uint_ge(bands, 5);
	ck_assert_uint_eq(count("ns_sub_band_utilization{"), USAGE_GATEWAYS * bands);
	ck_assert_uint_eq(count("ns_sub_band_utilization_limit{"), USAGE_GATEWAYS * bands);
	ck_assert(strstr(page.p, "\nns_sub_band_gateways_left_out 9002\n"));
	ck_assert(strstr(page.p, "\"near\"") < strstr(page.p, "\"eui-"));
	ck_assert_uint_lt(page.len, USAGE_MAX_BYTES / 2);
}
END_TEST

START_TEST(a_gateway_that_has_gone_stays_as_long_as_its_airtime_counts)
{
	w_uplink(w, dev, &(struct w_say){ .port = 1, .text = "sure", .confirmed = true }, 2);
	w_rest(w);
	ns_gs_down(w->ns, &w->now, 1);
	render();
	ck_assert(count("\"near\"") > 0 && count("\"far\"") == 0);
	w_run(w, 3700 * SEC_US);
	render();
	ck_assert_uint_eq(count("\"near\""), 0);
}
END_TEST

START_TEST(of_each_gateway_it_is_said_whether_it_is_there)
{
	struct gateway_status m = { .gateway_eui = w->gw[0].eui, .connected = true, .can_send = true };
	str_copy(STR("near"), m.gateway_id, sizeof(m.gateway_id));
	MSG_SET(&m, uplinks, 7);
	MSG_SET(&m, rtt_count, 3);
	MSG_SET(&m, rtt_median_us, 12000);
	MSG_SET(&m, rtt_max_us, 250000);
	ns_gs_status(w->ns, &w->now, 1, &m);
	text_reset(&page);
	usage_gateways_render(&page, w->ns);
	ck_assert(!page.failed);
	ck_assert(strstr(page.p, "\nns_gateway_connected{gateway_id=\"near\"} 1\n") && strstr(page.p, "\nns_gateway_connected{gateway_id=\"far\"} 1\n"));
	ck_assert(strstr(page.p, "\nns_gateway_uplinks_total{gateway_id=\"near\"} 7\n"));
	ck_assert(strstr(page.p, "\nns_gateway_round_trip_median_seconds{gateway_id=\"near\"} 0.012\n"));
	ck_assert(strstr(page.p, "\nns_gateway_round_trip_max_seconds{gateway_id=\"near\"} 0.25\n"));
	ck_assert_uint_eq(count("ns_gateway_round_trip_max_seconds{"), 1); /* of the other there is none yet */
	/* Strangers that leave are not missed. */
	ns_gs_down(w->ns, &w->now, 1);
	text_reset(&page);
	usage_gateways_render(&page, w->ns);
	ck_assert_uint_eq(count("gateway_id="), 0);
	ck_assert(strstr(page.p, "\nns_gateways_left_out 0\n"));
}
END_TEST

START_TEST(of_ten_thousand_gateways_a_thousand_are_named_those_first_that_are_missed)
{
	struct sync s = { .first = true, .last = true, .store_id = { { 1 } }, .revision = 9 };
	MSG_MARK(&s, first);
	MSG_MARK(&s, last);
	struct sync_entry *e = &s.v.v[s.v.len++];
	*e = (struct sync_entry){ .revision = 9 };
	MSG_SET(e, gateway, 4711);
	MSG_MARK(e, gtw);
	e->gtw.gateway_eui = 1;
	str_copy(STR("missed"), e->gtw.gateway_id, sizeof(e->gtw.gateway_id));
	strangers(10000);
	ns_as_sync(w->ns, &w->now, 0, &s);
	text_reset(&page);
	usage_gateways_render(&page, w->ns);
	ck_assert(!page.failed);
	ck_assert_uint_eq(count("ns_gateway_connected{"), USAGE_GATEWAYS);
	const char *first = strstr(page.p, "ns_gateway_connected{");
	ck_assert_int_eq(strncmp(first, "ns_gateway_connected{gateway_id=\"missed\"} 0\n", 44), 0);
	ck_assert(strstr(page.p, "\nns_gateways_left_out 9003\n"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_usage");
	TCase *t = tcase_create("ns_usage");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, each_sub_band_of_each_gateway_has_its_use_and_its_limit);
	tcase_add_test(t, of_ten_thousand_gateways_the_fullest_thousand_are_listed);
	tcase_add_test(t, a_gateway_that_has_gone_stays_as_long_as_its_airtime_counts);
	tcase_add_test(t, of_each_gateway_it_is_said_whether_it_is_there);
	tcase_add_test(t, of_ten_thousand_gateways_a_thousand_are_named_those_first_that_are_missed);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

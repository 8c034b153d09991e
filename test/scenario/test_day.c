/** @file A day of a town by chance. `make check` plays some hours of small ones; with options this is the whole day:
 * test_day --seed 7 --plan AS_923 --devices 1000 --gateways 10 --hours 24 --crashes 20 --period 600 (see test/scenario/day). */
#include "test/scenario/town.h"
#include <check.h>
#include <time.h>

static int play(const struct town_options *opt, bool is_told)
{
	struct town *t = town_new(opt);
	unsigned long link_adr = 0;
	clock_t begin = clock();
	town_live(t);
	for (unsigned i = 0; i < opt->devices; i++)
		link_adr += t->house[i].n_link_adr;
	printf("seed %" PRIu64 ", %s: %u devices, %u gateways, %.1f hours: %lu transmissions, %lu heard, %lu uplinks delivered; %lu emissions, %lu downlinks heard, "
	       "%lu joins, %lu of them rejoins; %lu answers owed, %lu excused by airtime, gateways or crashes; %lu items (%lu of class C and multicast), %lu done, "
	       "%lu of them failed, heard %lu times; %lu class C frames; %lu LinkADRReq; %lu crashes; %.1f s of processor\n",
		opt->seed, opt->plan ? opt->plan : "several plans", opt->devices, opt->gateways, (double)opt->day_us / 3.6e9, t->n_sent, t->n_heard, t->n_delivered,
		t->n_emissions, t->n_down_heard, t->n_joins, t->n_rejoins, t->n_answers, t->n_excused, t->n_items, t->n_class_c, t->n_items_done, t->n_items_failed,
		t->n_items_heard, t->n_casts, link_adr, t->n_crashes, (double)(clock() - begin) / CLOCKS_PER_SEC);
	int rc = t->broken[0] != 0;
	if (rc)
		printf("seed %" PRIu64 ": broken at %.6f s: %s\n", opt->seed, (double)t->now.mono_us / 1e6 - 1000, t->broken);
	if (!is_told && !rc) {
		ck_assert_uint_gt(t->n_delivered, 8ul * opt->devices);
		ck_assert_uint_gt(t->n_down_heard, opt->devices);
		ck_assert_uint_gt(t->n_casts, opt->devices / 10);
	}
	town_free(t);
	return rc;
}

/* Every second one has more to say than the air can carry. */
START_TEST(some_hours_of_a_town)
{
	unsigned is_loud = (unsigned)_i % 2, devices = is_loud ? 200 : 120, hours = is_loud ? 2 : 4, period_s = is_loud ? 100 : 400;
	struct town_options opt = { .seed = (uint64_t)_i + 1, .devices = devices, .gateways = 10, .crashes = 6, .day_us = hours * 3600 * SEC_US,
		.period_us = period_s * SEC_US, .push_us = 900 * SEC_US };
	ck_assert_msg(play(&opt, false) == 0, "seed %d: a law is broken; test_day --seed %d --devices %u --hours %u --crashes 6 --period %u --push 900", _i + 1, _i + 1,
		devices, hours, period_s);
}
END_TEST

static const char *const regions[] = { "EU_863_870", "US_902_928_FSB_2", "AU_915_928_FSB_2", "AS_923", "AS_923_DT", "AS_923_2", "AS_923_3", "AS_923_4",
	"KR_920_923_TTN", "IN_865_867", "RU_864_870_TTN", "EU_433", "CN_470_510_FSB_11", "CN_470_510_20_A", "CN_470_510_26_B", "CN_779_787", "ISM_2400_3CH_DRAFT2" };

START_TEST(a_town_of_each_region)
{
	struct town_options opt = { .seed = 100 + (uint64_t)_i, .devices = 60, .gateways = 4, .crashes = 3, .day_us = 2 * 3600 * SEC_US, .period_us = 240 * SEC_US,
		.push_us = 600 * SEC_US, .plan = regions[_i] };
	ck_assert_msg(play(&opt, false) == 0, "a law is broken; test_day --seed %d --plan %s --devices 60 --gateways 4 --hours 2 --crashes 3 --period 240 --push 600",
		100 + _i, regions[_i]);
}
END_TEST

static int by_hand(int argc, char **argv)
{
	struct town_options opt = { .seed = 1, .devices = 1000, .gateways = 10, .crashes = 20, .day_us = 24 * 3600 * SEC_US, .period_us = 600 * SEC_US,
		.push_us = 3600 * SEC_US };
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t v = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--seed") == 0)
			opt.seed = v;
		else if (strcmp(argv[i], "--devices") == 0)
			opt.devices = (unsigned)v;
		else if (strcmp(argv[i], "--gateways") == 0)
			opt.gateways = (unsigned)(v < TOWN_GATEWAYS ? v : TOWN_GATEWAYS);
		else if (strcmp(argv[i], "--crashes") == 0)
			opt.crashes = (unsigned)v;
		else if (strcmp(argv[i], "--hours") == 0)
			opt.day_us = v * 3600 * SEC_US;
		else if (strcmp(argv[i], "--period") == 0)
			opt.period_us = v * SEC_US;
		else if (strcmp(argv[i], "--push") == 0)
			opt.push_us = v * SEC_US;
		else if (strcmp(argv[i], "--plan") == 0)
			opt.plan = argv[i + 1];
	}
	if (opt.plan && !plan_find(str_of(opt.plan))) {
		fprintf(stderr, "test_day: no such frequency plan: %s\n", opt.plan);
		return 2;
	}
	return play(&opt, true);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return by_hand(argc, argv);
	Suite *s = suite_create("a day");
	TCase *t = tcase_create("hours");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, some_hours_of_a_town, 0, 4);
	tcase_add_loop_test(t, a_town_of_each_region, 0, COUNT(regions));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

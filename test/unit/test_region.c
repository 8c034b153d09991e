/** @file Every region against the numbers that other implementations agree on (test/vectors/region). */
#include "common/core/err.h"
#include "proto/region/region.h"
#include "test/unit/vec_lines.h"
#include <check.h>
#include <limits.h>

static const struct plan *plan;

static enum phy_version phy_of(const struct vectors *v, const char *name)
{
	enum phy_version phy = RP_002_1_0_4;
	if (vec_has(v, name))
		ck_assert_int_eq(phy_version_parse(vec_get(v, name), &phy), 0);
	return phy;
}

/** The i-th number of a list with commas; false: there is none. */
static bool item(struct str list, size_t i, uint64_t *ret)
{
	struct str cell;
	for (size_t k = 0; list.n; k++) {
		list = str_cut(list, ',', &cell);
		if (k == i)
			return num_u64(cell, ret) == 0;
	}
	return false;
}

static void dr_matches(const struct vectors *v)
{
	struct modu m;
	unsigned dr = (unsigned)vec_num(v, "dr");
	bool is_up = vec_is(v, "dir", "up");
	ck_assert_int_eq(modu_parse(vec_get(v, "datr"), &m), 0);
	if (vec_has(v, "codr"))
		ck_assert_int_eq(modu_parse_codr(vec_get(v, "codr"), &m), 0);
	ck_assert_msg(region_dr(plan->region, RP_002_1_0_4, is_up, &m) == (int)dr, "%s", v->line);
	ck_assert(modu_eq(region_modu(plan->region, is_up, dr), &m));
	if (vec_has(v, "since")) {
		enum phy_version since = phy_of(v, "since");
		ck_assert_int_eq(region_dr(plan->region, since, is_up, &m), (int)dr);
		ck_assert_int_eq(region_dr(plan->region, since - 1, is_up, &m), -1);
		ck_assert_uint_eq(region_max_payload(plan->region, since - 1, is_up, dr, DWELL_OFF), 0);
	} else {
		ck_assert_int_eq(region_dr(plan->region, RP_1_0_0, is_up, &m), (int)dr);
	}
}

static void limit_matches(const struct vectors *v)
{
	enum phy_version phy = phy_of(v, "phy");
	unsigned dr = (unsigned)vec_num(v, "dr"), n = 0;
	for (unsigned is_up = 0; is_up < 2; is_up++) {
		if (!region_modu(plan->region, is_up, dr))
			continue;
		enum region_dwell dwell = vec_num(v, "dwell");
		unsigned m = vec_num(v, "repeater") ? region_max_payload_repeater(plan->region, phy, is_up, dr, dwell)
						    : region_max_payload(plan->region, phy, is_up, dr, dwell);
		ck_assert_msg(m == vec_num(v, "m"), "%s %s: %s: %u", plan->id, is_up ? "up" : "down", v->line, m);
		n++;
	}
	ck_assert_uint_gt(n, 0);
}

static void rx1_matches(const struct vectors *v)
{
	const struct region *r = plan->region;
	unsigned up = (unsigned)vec_num(v, "up"), offset = 0;
	bool is_both = vec_is(v, "dwell", "both");
	for (uint64_t dr; item(vec_get(v, "rx1"), offset, &dr); offset++)
		for (enum region_dwell d = DWELL_OFF; d <= DWELL_ON; d++)
			if (is_both || vec_num(v, "dwell") == d)
				ck_assert_msg(region_rx1_dr(r, RP_002_1_0_4, up, offset, d) == (int)dr, "%s: %s", plan->id, v->line);
	ck_assert_uint_eq(offset, r->rx1_offset_max + 1U);
	ck_assert_int_eq(region_rx1_dr(r, RP_002_1_0_4, up, offset, DWELL_OFF), -1);
}

static void band_matches(const struct vectors *v)
{
	const struct region *r = plan->region;
	uint32_t min = (uint32_t)vec_num(v, "band_min"), max = (uint32_t)vec_num(v, "band_max");
	const struct region_band *b = region_band(r, min);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_eq(b, region_band(r, max - 1));
	if (vec_num(v, "exact")) {
		ck_assert_ptr_ne(b, region_band(r, max));
		ck_assert_ptr_ne(b, region_band(r, min - 1));
	}
	ck_assert_uint_eq(b->duty_ppm, vec_num(v, "duty_ppm"));
	ck_assert_int_eq(b->max_eirp_ddbm, (int)vec_num(v, "eirp_cdbm") / 10);
	ck_assert_int_eq(region_down_eirp_dbm(r, min), (int)vec_num(v, "eirp_cdbm") / 100);
}

static void channel_matches(const struct vectors *v)
{
	uint32_t hz;
	uint8_t min, max;
	unsigned i = (unsigned)vec_num(v, "channel");
	ck_assert(plan_channel(plan, i, &hz, &min, &max));
	ck_assert_uint_eq(hz, vec_num(v, "hz"));
	ck_assert_uint_eq(min, vec_num(v, "min"));
	ck_assert_uint_eq(max, vec_num(v, "max"));
	ck_assert_int_eq(plan_channel_index(plan, hz, max), (int)i);
	for (size_t k = 0; vec_has(v, "join_min") && k < plan->region->n_runs; k++) {
		const struct region_run *run = &plan->region->runs[k];
		if (i < run->first || i >= run->first + run->n)
			continue;
		ck_assert_uint_eq(run->join_min_dr, vec_num(v, "join_min"));
		ck_assert_uint_eq(run->join_max_dr, vec_num(v, "join_max"));
	}
}

/** What devices may be told to use by ADR: the ends of what the default channels have. */
static void range_matches(const struct vectors *v)
{
	const struct region *r = plan->region;
	uint8_t min = r->runs[0].min_dr, max = 0;
	for (size_t k = 0; k < r->n_runs; k++)
		max = r->runs[k].max_dr > max ? r->runs[k].max_dr : max;
	ck_assert_uint_eq(min, vec_num(v, "range_min"));
	ck_assert_uint_eq(max, vec_num(v, "range_max"));
	ck_assert(r->adr_min_dr >= min && r->adr_max_dr <= max);
}

static void hop_matches(const struct vectors *v, const struct region_hop *h, const char *list, const char *dr)
{
	uint64_t hz;
	size_t n = 0;
	for (; item(vec_get(v, list), n, &hz); n++) {
		ck_assert_uint_eq(region_hop_hz(h, (uint32_t)(128 * n), 0), hz);
		ck_assert_uint_eq(region_hop_hz(h, 128 * 16, (uint32_t)n), hz);
	}
	ck_assert_uint_eq(n, h->n);
	ck_assert_uint_eq(h->dr, vec_num(v, dr));
}

static void class_b_matches(const struct vectors *v)
{
	if (vec_has(v, "ping_hz")) {
		hop_matches(v, &plan->region->ping_slot, "ping_hz", "ping_dr");
		return;
	}
	hop_matches(v, &plan->region->beacon, "beacon_hz", "beacon_dr");
	ck_assert_uint_eq(plan->region->beacon_bytes, vec_num(v, "beacon_bytes"));
}

static void join_matches(const struct vectors *v)
{
	const struct region_join *j = region_join(plan->region, (uint32_t)vec_num(v, "join_hz"));
	ck_assert_ptr_nonnull(j);
	ck_assert_uint_eq(j->rx1_hz, vec_num(v, "rx1_hz"));
	ck_assert_uint_eq(j->rx2_hz, vec_num(v, "join_rx2_hz"));
	ck_assert_int_ge(plan_channel_index(plan, j->up_hz, 5), 0);
}

static void cf_list_matches(const struct vectors *v)
{
	const struct region *r = plan->region;
	uint8_t list[16];
	if (!vec_num(v, "cf_list_type")) {
		ck_assert_int_eq(r->cf_list, CF_LIST_FREQUENCIES);
		ck_assert_uint_eq(r->runs[r->n_runs - 1].first + r->runs[r->n_runs - 1].n, vec_num(v, "first"));
		return;
	}
	ck_assert_int_eq(r->cf_list, CF_LIST_MASKS);
	ck_assert(plan_cf_list(plan, phy_of(v, "since"), list));
	ck_assert(!plan_cf_list(plan, phy_of(v, "since") - 1, list));
}

static void valid_matches(const struct vectors *v)
{
	const struct region *r = plan->region;
	uint32_t min = (uint32_t)vec_num(v, "valid_min"), max = (uint32_t)vec_num(v, "valid_max");
	ck_assert(region_freq_ok(r, min) && region_freq_ok(r, max));
	ck_assert(!region_freq_ok(r, min - 1) && !region_freq_ok(r, max + 1));
	ck_assert_uint_eq(region_freq_step_hz(r), vec_num(v, "step_hz"));
}

static void power_matches(const struct vectors *v)
{
	ck_assert_int_eq(region_max_eirp_ddbm(plan->region, phy_of(v, "phy")), (int)vec_num(v, "max_eirp_cdbm") / 10);
	ck_assert_uint_eq(region_max_power_index(plan->region, phy_of(v, "phy")), vec_num(v, "power_index"));
}

static void delay_matches(const struct vectors *v)
{
	ck_assert_uint_eq(plan->region->rx1_delay_s, vec_num(v, "delay_rx1"));
	ck_assert_uint_eq(plan->region->join_delay_s, vec_num(v, "delay_join"));
	ck_assert_uint_eq(plan->region->adr_ack_limit, vec_num(v, "ack_limit"));
	ck_assert_uint_eq(plan->region->adr_ack_delay, vec_num(v, "ack_delay"));
}

static void rx1_of_matches(const struct vectors *v)
{
	uint32_t hz;
	uint8_t min, max;
	unsigned i = (unsigned)vec_num(v, "rx1_of");
	ck_assert(plan_channel(plan, i, &hz, &min, &max));
	ck_assert_uint_eq(region_rx1_hz(plan->region, hz, i), vec_num(v, "hz"));
}

static void rx2_matches(const struct vectors *v)
{
	ck_assert_uint_eq(plan_rx2_hz(plan), vec_num(v, "rx2_hz"));
	ck_assert_uint_eq(plan_rx2_dr(plan), vec_num(v, "rx2_dr"));
}

static void gap_matches(const struct vectors *v)
{
	ck_assert_ptr_null(region_band(plan->region, (uint32_t)vec_num(v, "gap_hz")));
	ck_assert_int_eq(region_down_eirp_dbm(plan->region, (uint32_t)vec_num(v, "gap_hz")), INT_MIN);
}

static void plan_is(const struct vectors *v)
{
	plan = plan_find(vec_get(v, "plan"));
	ck_assert_msg(plan != NULL, "%s", v->line);
}

static void offset_max_matches(const struct vectors *v)
{
	ck_assert_uint_eq(plan->region->rx1_offset_max, vec_num(v, "offset_max"));
}

static void channels_max_matches(const struct vectors *v)
{
	ck_assert_uint_eq(plan->region->max_channels, vec_num(v, "channels_max"));
}

static void tx_param_setup_matches(const struct vectors *v)
{
	ck_assert(region_has_tx_param_setup(plan->region, RP_002_1_0_4) == (bool)vec_num(v, "tx_param_setup"));
}

static void up_dwell_matches(const struct vectors *v)
{
	ck_assert_uint_eq(plan->region->up_dwell_ms, vec_num(v, "up_dwell_ms"));
}

static void backoff_matches(const struct vectors *v)
{
	int lower = vec_is(v, "lower", "-1") ? -1 : (int)vec_num(v, "lower");
	ck_assert_msg(region_backoff_dr(plan->region, (unsigned)vec_num(v, "backoff")) == lower, "%s: %s", plan->id, v->line);
}

/* A line is what its first name says. */
static const struct {
	const char *name;
	void (*matches)(const struct vectors *);
} kinds[] = {
	{ "plan", plan_is },
	{ "dr", dr_matches },
	{ "m", limit_matches },
	{ "rx1", rx1_matches },
	{ "offset_max", offset_max_matches },
	{ "channel", channel_matches },
	{ "rx1_of", rx1_of_matches },
	{ "band_min", band_matches },
	{ "gap_hz", gap_matches },
	{ "join_hz", join_matches },
	{ "rx2_hz", rx2_matches },
	{ "range_min", range_matches },
	{ "max_eirp_cdbm", power_matches },
	{ "valid_min", valid_matches },
	{ "delay_rx1", delay_matches },
	{ "channels_max", channels_max_matches },
	{ "beacon_hz", class_b_matches },
	{ "ping_hz", class_b_matches },
	{ "tx_param_setup", tx_param_setup_matches },
	{ "up_dwell_ms", up_dwell_matches },
	{ "backoff", backoff_matches },
	{ "cf_list_type", cf_list_matches },
};

static void line_matches(const struct vectors *v)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		size_t n = strlen(kinds[i].name);
		if (strncmp(v->line, kinds[i].name, n) == 0 && v->line[n] == '=') {
			kinds[i].matches(v);
			return;
		}
	}
	ck_abort_msg("%s", v->line);
}

static const struct {
	const char *file;
	int lines;
} files[] = {
	{ "eu868", 111 }, { "eu433", 80 }, { "us915", 177 }, { "au915", 226 }, { "as923-1", 119 }, { "as923-2", 119 },
	{ "as923-3", 119 }, { "as923-4", 119 }, { "kr920", 64 }, { "in865", 72 }, { "ru864", 81 }, { "cn470", 241 },
	{ "cn470-20a", 182 }, { "cn470-20b", 176 }, { "cn470-26a", 148 }, { "cn470-26b", 148 }, { "cn779", 72 },
	{ "ism2400", 71 },
};

START_TEST(a_region_is_what_the_others_say)
{
	char name[40];
	snprintf(name, sizeof name, "region/%s.txt", files[_i].file);
	struct vectors v = vectors_open(name);
	int n = 0;
	for (; vectors_next(&v); n++)
		line_matches(&v);
	ck_assert_int_eq(n, files[_i].lines);
}
END_TEST

static void channels_of_plan_match(const struct vectors *v)
{
	uint64_t expected;
	uint32_t hz;
	uint8_t min, max;
	unsigned i = 0;
	for (; item(vec_get(v, "up"), i, &expected); i++) {
		ck_assert_msg(plan_channel(plan, i, &hz, &min, &max) && hz == expected, "%s: %u", v->line, i);
		ck_assert_ptr_nonnull(region_band(plan->region, hz));
		/* All gateways of a plan listen to these, and a device has them after a join but what has no room in a CFList. */
		struct channels wanted, start;
		plan_wanted(plan, &wanted);
		plan_start(plan, true, &start);
		ck_assert(channels_has(&wanted, i));
		ck_assert(channels_has(&start, i) == (i < plan->region->runs[plan->region->n_runs - 1].first +
			plan->region->runs[plan->region->n_runs - 1].n + 5U));
	}
	ck_assert(!plan_channel(plan, i, &hz, &min, &max));
}

static void mask_of_plan_matches(const struct vectors *v)
{
	struct channels wanted, start;
	struct str list = vec_get(v, "wanted"), cell;
	uint32_t hz;
	uint8_t min, max;
	plan_wanted(plan, &wanted);
	for (size_t bank = 0; list.n; bank++) {
		list = str_cut(list, ',', &cell);
		ck_assert_msg(strtoul(cell.p, NULL, 16) == wanted.bank[bank], "%s: bank %zu", v->line, bank);
	}
	unsigned first = 0, wide = 64;
	while (!channels_has(&wanted, first))
		first++;
	ck_assert(plan_channel(plan, first, &hz, &min, &max));
	ck_assert_uint_eq(hz, vec_num(v, "first"));
	while (wide < 71 && !channels_has(&wanted, wide))
		wide++;
	if (vec_has(v, "wide")) {
		ck_assert(plan_channel(plan, wide, &hz, &min, &max));
		ck_assert_uint_eq(hz, vec_num(v, "wide"));
	}
	plan_start(plan, true, &start);
	ck_assert(channels_eq(&start, &wanted));
	plan_start(plan, false, &start);
	ck_assert_uint_eq(channels_count(&start), plan->region->max_channels);
}

START_TEST(a_plan_is_what_the_things_network_lists)
{
	struct vectors v = vectors_open("region/plans.txt");
	uint8_t expected[16], list[16];
	int n = 0;
	for (; vectors_next(&v); n++) {
		plan_is(&v);
		ck_assert(str_is(vec_get(&v, "band"), plan->region->id));
		if (vec_has(&v, "up"))
			channels_of_plan_match(&v);
		if (vec_has(&v, "wanted"))
			mask_of_plan_matches(&v);
		if (vec_has(&v, "rx2_dr"))
			rx2_matches(&v);
		char dwell[3] = { plan_dwell(plan, true) ? '1' : '0', plan_dwell(plan, false) ? '1' : '0', 0 };
		ck_assert_msg(vec_is(&v, "dwell", dwell), "%s: %s", v.line, dwell);
		if (vec_has(&v, "eirp_dbm"))
			ck_assert_int_eq(region_down_eirp_dbm(plan->region, 923200000), (int)vec_num(&v, "eirp_dbm"));
		if (vec_has(&v, "duty_ppm"))
			ck_assert_uint_eq(region_band(plan->region, plan_rx2_hz(plan))->duty_ppm, vec_num(&v, "duty_ppm"));
		if (!vec_has(&v, "cf_list"))
			continue;
		ck_assert_uint_eq(vec_bytes(&v, "cf_list", expected, sizeof expected), 16);
		ck_assert(plan_cf_list(plan, RP_1_0_3_A, list));
		ck_assert_msg(memcmp(list, expected, sizeof list) == 0, "%s", v.line);
	}
	ck_assert_int_eq(n, 60);
}
END_TEST

START_TEST(the_plan_of_the_things_network_differs_in_rx2_only)
{
	const struct plan *a = plan_find(STR("EU_863_870")), *b = plan_find(STR("EU_863_870_TTN"));
	ck_assert_uint_eq(plan_rx2_dr(b), 3);
	ck_assert_uint_eq(plan_rx2_hz(b), plan_rx2_hz(a));
	ck_assert(memcmp(a->extra_hz, b->extra_hz, sizeof a->extra_hz) == 0);
	ck_assert_ptr_eq(a->region, b->region);
	ck_assert_ptr_null(plan_find(STR("EU_863")));
	ck_assert_ptr_eq(plan_at(0), a);
}
END_TEST

START_TEST(channels_are_found_by_frequency_and_data_rate)
{
	const struct plan *p = plan_find(STR("EU_863_870")), *us = plan_find(STR("US_902_928_FSB_2"));
	ck_assert_int_eq(plan_channel_index(p, 868100000, 0), 0);
	ck_assert_int_eq(plan_channel_index(p, 868500000, 5), 2);
	ck_assert_int_eq(plan_channel_index(p, 867100000, 5), 3);
	ck_assert_int_eq(plan_channel_index(p, 867900000, 0), 7);
	ck_assert_int_eq(plan_channel_index(p, 867900000, 6), -1);
	ck_assert_int_eq(plan_channel_index(p, 868200000, 0), -1);
	ck_assert_uint_eq(region_rx1_hz(p->region, 867900000, 7), 867900000);
	/* LR-FHSS is around the channels of 500 kHz. A device may also use one that the plan does not listen to. */
	ck_assert_int_eq(plan_channel_index(us, 904600000, 4), 65);
	ck_assert_int_eq(plan_channel_index(us, 904600000, 6), 65);
	ck_assert_int_eq(plan_channel_index(us, 904600000, 3), -1);
	ck_assert_int_eq(plan_channel_index(us, 903900000, 4), -1);
	ck_assert_int_eq(plan_channel_index(us, 902300000, 0), 0);
}
END_TEST

START_TEST(who_misspells_a_plan_is_offered_some)
{
	static const struct {
		const char *id, *expected;
	} rows[] = {
		{ "EU868", "EU_863_870, EU_863_870_TTN, EU_863_870_ROAMING_DRAFT, EU_433" },
		{ "us915_2", "US_902_928, US_902_928_FSB_1 to 8" },
		{ "CN", "CN_470_510, CN_470_510_FSB_1 to 12, CN_470_510_20_A, CN_470_510_20_B, CN_470_510_26_A, "
			"CN_470_510_26_B, CN_779_787" },
		{ "kr", "KR_920_923_TTN" },
	};
	char buf[1000];
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct text t = text_fixed(buf, sizeof buf);
		plan_suggest(&t, str_of(rows[i].id));
		ck_assert_str_eq(buf, rows[i].expected);
	}
	struct text t = text_fixed(buf, sizeof buf);
	plan_suggest(&t, STR("?"));
	ck_assert(strstr(buf, "EU_863_870, EU_433, US_902_928, AU_915_928, AS_923, ") == buf);
	ck_assert(strstr(buf, "ISM_2400_3CH_DRAFT2") != NULL);
}
END_TEST

START_TEST(the_page_about_plans_names_them_all)
{
	char page[16384], name[64];
	struct vectors v = vectors_open("../../deploy/docs/plans.md");
	size_t n = fread(page, 1, sizeof page - 1, v.in);
	fclose(v.in);
	page[n] = '\0';
	const struct plan *p;
	for (size_t i = 0; (p = plan_at(i)); i++) {
		if (p->sub_band > 1 && plan_at(i + 1) && plan_at(i + 1)->sub_band == p->sub_band + 1)
			continue; /* "FSB_1 to FSB_8" */
		snprintf(name, sizeof name, "`%s`", p->id);
		ck_assert_msg(strstr(page, name) != NULL, "deploy/docs/plans.md does not name %s", name);
	}
}
END_TEST

START_TEST(every_plan_is_whole)
{
	const struct plan *p;
	size_t i = 0;
	for (; (p = plan_at(i)); i++) {
		const struct region *r = p->region;
		enum phy_version v = RP_002_1_0_3;
		ck_assert_ptr_eq(plan_find(str_of(p->id)), p);
		ck_assert_uint_lt(strlen(p->id), 32);
		ck_assert_ptr_nonnull(region_modu(r, false, plan_rx2_dr(p)));
		ck_assert_ptr_nonnull(region_band(r, plan_rx2_hz(p)));
		ck_assert(r->n_up_limits && r->n_down_limits && r->n_rx1 && r->n_powers && r->n_runs &&
			  r->n_bands);
		uint32_t hz;
		uint8_t min, max;
		unsigned c = 0;
		for (; plan_channel(p, c, &hz, &min, &max); c++) {
			ck_assert_msg(region_freq_ok(r, hz), "%s: %u", p->id, hz);
			ck_assert_msg(region_band(r, region_rx1_hz(r, hz, c)) != NULL, "%s: %u", p->id, hz);
			for (unsigned dr = min; dr <= max; dr++) {
				ck_assert_uint_ge(region_max_payload(r, v, true, dr, DWELL_OFF), 11);
				int down = region_rx1_dr(r, v, dr, 0, DWELL_OFF);
				ck_assert_int_ge(down, 0);
				/* A join-accept of 33 octets fits, with its CFList. */
				ck_assert_uint_ge(region_max_payload(r, v, false, (unsigned)down, DWELL_OFF), 28);
			}
		}
		ck_assert_uint_le(c, r->max_channels);
		ck_assert_uint_ge(region_max_payload_ever(r, RP_1_0_3_A, false), 248);
	}
	ck_assert_uint_eq(i, 68);
}
END_TEST

START_TEST(the_data_rates_of_au915_were_once_those_of_us915)
{
	struct modu sf10 = { .kind = MODU_LORA, .sf = 10, .bw_hz = 125000 };
	struct str id = STR("AU_915_928_FSB_2");
	const struct plan *old = plan_for(id, RP_1_0_2_A), *now = plan_for(id, RP_1_0_2_B);
	ck_assert_ptr_eq(now, plan_find(id));
	ck_assert_ptr_ne(old, now);
	ck_assert_int_eq(region_dr(old->region, RP_1_0_2_A, true, &sf10), 0);
	ck_assert_int_eq(region_dr(now->region, RP_1_0_2_B, true, &sf10), 2);
	ck_assert_int_eq(region_rx1_dr(old->region, RP_1_0_2_A, 0, 0, DWELL_OFF), 10);
	ck_assert_int_eq(region_rx1_dr(now->region, RP_1_0_2_B, 0, 0, DWELL_OFF), 8);
	ck_assert_uint_eq(region_max_payload(old->region, RP_1_0_2_A, true, 0, DWELL_OFF), 59);
	ck_assert_int_eq(plan_channel_index(old, 916800000, 3), 8);
	ck_assert_int_eq(plan_channel_index(old, 917500000, 4), 65);
	struct channels a, b;
	plan_wanted(old, &a), plan_wanted(now, &b);
	ck_assert(channels_eq(&a, &b));
	ck_assert_ptr_null(plan_for(STR("AU"), RP_1_0_2_A));
	ck_assert_ptr_eq(plan_for(STR("EU_863_870"), RP_1_0_0), plan_at(0));
}
END_TEST

START_TEST(before_rp002_rx1_of_as923_was_a_rule_that_stopped_at_5)
{
	const struct region *r = plan_find(STR("AS_923"))->region;
	for (unsigned dr = 0; dr < 8; dr++)
		for (unsigned offset = 0; offset < 8; offset++)
			for (int least = 0; least <= 2; least += 2) {
				int down = (int)dr - (offset > 5 ? 5 - (int)offset : (int)offset);
				down = down < least ? least : down > 5 ? 5 : down;
				ck_assert_int_eq(region_rx1_dr(r, RP_1_0_3_A, dr, offset, least ? DWELL_ON : DWELL_OFF), down);
			}
}
END_TEST

START_TEST(what_depends_on_a_dwell_time_not_known_is_not_said)
{
	const struct region *r = plan_find(STR("AS_923"))->region;
	ck_assert_int_eq(region_rx1_dr(r, RP_002_1_0_4, 0, 0, DWELL_UNKNOWN), -1);
	ck_assert_int_eq(region_rx1_dr(r, RP_002_1_0_4, 5, 0, DWELL_UNKNOWN), 5);
	ck_assert_int_eq(region_rx1_dr(r, RP_002_1_0_4, 3, 2, DWELL_UNKNOWN), -1);
	ck_assert_uint_eq(region_max_payload(r, RP_002_1_0_4, false, 2, DWELL_UNKNOWN), 19);
	ck_assert_int_eq(region_boot_dwell(r, RP_1_0_2_A, true), DWELL_UNKNOWN);
	ck_assert_int_eq(region_boot_dwell(r, RP_1_0_2_B, false), DWELL_ON);
	ck_assert_int_eq(region_boot_dwell(r, RP_1_0_3_A, true), DWELL_ON);
	ck_assert_int_eq(region_boot_dwell(r, RP_1_0_3_A, false), DWELL_UNKNOWN);
	r = plan_find(STR("AU_915_928"))->region;
	ck_assert_int_eq(region_boot_dwell(r, RP_1_0_2_B, true), DWELL_OFF);
	ck_assert_int_eq(region_boot_dwell(r, RP_1_0_3_A, true), DWELL_ON);
	ck_assert_int_eq(region_boot_dwell(r, RP_1_0_3_A, false), DWELL_OFF);
	ck_assert_int_eq(region_boot_dwell(plan_at(0)->region, RP_1_0_3_A, true), DWELL_OFF);
}
END_TEST

START_TEST(powers_differ_between_versions)
{
	static const struct {
		const char *plan;
		enum phy_version v;
		unsigned index;
		int eirp_ddbm;
	} rows[] = {
		{ "EU_863_870", RP_1_0_2_A, 5, 160 },
		{ "US_902_928", RP_1_0_2_B, 10, 300 },
		{ "US_902_928", RP_1_1_0_A, 14, 300 },
		{ "AU_915_928", RP_1_0_3_A, 14, 300 },
		{ "AU_915_928", RP_1_1_0_A, 10, 300 },
		{ "AU_915_928", RP_1_1_0_B, 14, 300 },
		{ "AS_923", RP_1_0_2_A, 5, 140 },
		{ "AS_923", RP_1_0_2_B, 7, 160 },
		{ "CN_470_510", RP_1_0_2_A, 7, 170 },
		{ "CN_470_510", RP_1_0_2_B, 7, 191 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct region *r = plan_find(str_of(rows[i].plan))->region;
		ck_assert_uint_eq(region_max_power_index(r, rows[i].v), rows[i].index);
		ck_assert_int_eq(region_max_eirp_ddbm(r, rows[i].v), rows[i].eirp_ddbm);
	}
}
END_TEST

START_TEST(what_is_outside_the_tables_is_not_found)
{
	const struct region *r = plan_find(STR("EU_863_870"))->region;
	struct modu m = { .kind = MODU_LORA, .sf = 7, .bw_hz = 500000 };
	ck_assert_int_eq(region_dr(r, RP_1_0_3_A, true, &m), -1);
	ck_assert_ptr_null(region_modu(r, true, 16));
	ck_assert_ptr_null(region_modu(r, true, 15));
	ck_assert_ptr_null(region_modu(r, false, 8));
	ck_assert_uint_eq(region_max_payload(r, RP_002_1_0_4, false, 8, DWELL_OFF), 0);
	ck_assert_uint_eq(region_max_payload(r, RP_002_1_0_4, true, 255, DWELL_OFF), 0);
	ck_assert_int_eq(region_rx1_dr(r, RP_1_0_3_A, 16, 0, DWELL_OFF), -1);
	ck_assert_int_eq(region_rx1_dr(r, RP_1_0_3_A, 15, 0, DWELL_OFF), -1);
	ck_assert_int_eq(region_backoff_dr(r, 12), -1);
	ck_assert_int_eq(region_backoff_dr(r, 16), -1);
	ck_assert(!region_freq_ok(r, 862000000));
	ck_assert_ptr_null(region_join(r, 868100000));
	ck_assert_uint_eq(region_hop_hz(&plan_find(STR("CN_470_510_20_A"))->region->beacon, 128, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("region");
	TCase *c = tcase_create("region");
	tcase_add_loop_test(c, a_region_is_what_the_others_say, 0, COUNT(files));
	tcase_add_test(c, a_plan_is_what_the_things_network_lists);
	tcase_add_test(c, the_plan_of_the_things_network_differs_in_rx2_only);
	tcase_add_test(c, channels_are_found_by_frequency_and_data_rate);
	tcase_add_test(c, who_misspells_a_plan_is_offered_some);
	tcase_add_test(c, the_page_about_plans_names_them_all);
	tcase_add_test(c, every_plan_is_whole);
	tcase_add_test(c, the_data_rates_of_au915_were_once_those_of_us915);
	tcase_add_test(c, before_rp002_rx1_of_as923_was_a_rule_that_stopped_at_5);
	tcase_add_test(c, what_depends_on_a_dwell_time_not_known_is_not_said);
	tcase_add_test(c, powers_differ_between_versions);
	tcase_add_test(c, what_is_outside_the_tables_is_not_found);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

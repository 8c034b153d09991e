/** @file ADR on a channel that it does not know: loss, steadiness and airtime, beside those of the classic algorithm. */
#include "ns/core/mac/adr.h"
#include "test/unit/adr_channel.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEVICES = 40, UPLINKS = 3000, SETTLED = 300, WINDOW = 50, EVENT = 1200 };

/* ---- the classic: the best SNR of twenty, three decibels a step [Semtech, "Simple rate adaptation algorithm"] ---- */

struct classic {
	double snr[20];
	uint32_t f_cnt[20];
	int n;
};

static bool classic_want(struct classic *k, const struct ch_device *d, int *dr, int *power, int *nb_trans)
{
	static const int repeat[4][3] = { { 1, 1, 2 }, { 1, 2, 3 }, { 2, 3, 3 }, { 3, 3, 3 } };
	double best = -99;
	*dr = d->dr, *power = d->power, *nb_trans = d->nb_trans;
	if (k->n < 20)
		return false;
	for (int i = 0; i < 20; i++)
		best = k->snr[i] > best ? k->snr[i] : best;
	int steps = (int)((best - ch_floor_db(ch_sf(d)) - 15) / 3);
	for (; steps > 0 && *dr < 5; steps--)
		++*dr;
	for (; steps > 0 && *power < 7; steps--)
		++*power;
	for (; steps < 0 && *power > 0; steps++)
		--*power;
	double loss = 1 - 20.0 / (k->f_cnt[19] - k->f_cnt[0] + 1);
	*nb_trans = repeat[loss < 0.05 ? 0 : loss < 0.1 ? 1 : loss < 0.3 ? 2 : 3][d->nb_trans > 3 ? 2 : d->nb_trans - 1];
	return *dr != d->dr || *power != d->power || *nb_trans != d->nb_trans;
}

static void classic_heard(struct classic *k, uint32_t f_cnt, double snr)
{
	if (k->n == 20) {
		memmove(k->snr, k->snr + 1, sizeof(k->snr) - sizeof(k->snr[0]));
		memmove(k->f_cnt, k->f_cnt + 1, sizeof(k->f_cnt) - sizeof(k->f_cnt[0]));
		k->n--;
	}
	k->snr[k->n] = snr;
	k->f_cnt[k->n++] = f_cnt;
}

/* ---- a device, its channel and a server ---- */

struct kind {
	const char *name;
	enum ch_fading fading;
	int gateways;
	double shadow_db, load;
	double drift_db;  /**< there and back, once in 2000 uplinks */
	double worse_db;  /**< from uplink EVENT on */
	double far_km;    /**< devices are between 0.1 and so many */
	double p_down;    /**< downlinks lost on top of the channel's */
	int max_dr, max_power;
	double loss_bound;
};

struct run {
	struct ch_air air;
	struct ch_device d;
	struct adr adr;
	struct adr_settings settings;
	struct adr_limits limits;
	struct classic classic;
	bool is_classic;
	bool heard[UPLINKS];
	uint8_t dr[UPLINKS];
	unsigned requests, requests_late;
};

static void server(struct run *r, const struct kind *k, double snr, int copies, bool ack_req, int at)
{
	struct ch_device *d = &r->d;
	struct adr_choice c;
	int dr, power, nb_trans;
	bool wants;
	if (r->is_classic) {
		classic_heard(&r->classic, d->f_cnt, snr);
		wants = classic_want(&r->classic, d, &dr, &power, &nb_trans);
	} else {
		struct adr_sample s = { .f_cnt = d->f_cnt, .snr_ddb = (int16_t)(snr * 10), .dr = (uint8_t)d->dr, .ack_req = ack_req };
		if (d->owes_answer && d->dr_ok && d->power_ok)
			adr_applied(&r->adr, &r->adr.asked);
		else if (d->owes_answer)
			adr_refused(&r->adr, d->dr_ok, d->power_ok);
		d->owes_answer = false;
		adr_heard(&r->adr, &s);
		for (int i = 1; i < copies; i++)
			adr_heard_again(&r->adr);
		wants = adr_want(&r->adr, &r->settings, &r->limits, &c);
		dr = c.dr, power = c.power, nb_trans = c.nb_trans;
	}
	if (!wants && !ack_req)
		return;
	r->requests += wants;
	r->requests_late += wants && at >= UPLINKS / 2;
	if (wants && !r->is_classic)
		adr_asked(&r->adr, &c);
	double down_snr = ch_snr_db(&r->air, 0, 16);
	for (int g = 1; g < r->air.gateways; g++)
		down_snr = fmax(down_snr, ch_snr_db(&r->air, g, 16));
	if (down_snr < ch_floor_db(ch_sf(d)) || ch_even(&r->air) < k->p_down)
		return;
	d->silent = 0;
	if (wants) {
		ch_told(d, dr, power, nb_trans);
		if (r->is_classic)
			r->classic.n = 0;
	}
}

static void one_uplink(struct run *r, const struct kind *k, int at)
{
	struct ch_device *d = &r->d;
	double best = -99;
	int copies = 0;
	bool ack_req = ch_back_off(d);
	ch_time_passes(&r->air);
	r->air.extra_db = k->drift_db * (1 - cos(2 * M_PI * at / 2000)) / 2 + (at >= EVENT ? k->worse_db : 0);
	for (int i = 0; i < d->nb_trans; i++) {
		double snr = -99;
		d->air_s += ch_airtime_s(ch_sf(d));
		if (ch_send(&r->air, ch_sf(d), ch_eirp_dbm(d), &snr) && copies++ == 0)
			best = snr;
	}
	r->heard[at] = copies > 0;
	r->dr[at] = (uint8_t)d->dr;
	if (copies)
		server(r, k, best, copies, ack_req, at);
	else
		d->owes_answer = false; /* it went with this frame, and only with it */
	d->f_cnt++;
}

static void begin(struct run *r, const struct kind *k, unsigned seed, bool is_classic)
{
	*r = (struct run){ .is_classic = is_classic, .settings = adr_settings_default() };
	r->air = (struct ch_air){ .seed = 0x9e3779b97f4a7c15ULL * (seed + 1), .gateways = k->gateways, .shadow_db = k->shadow_db, .shadow_keep = 0.995,
		.fading = k->fading, .load = k->load };
	for (int g = 0; g < k->gateways; g++) {
		r->air.km[g] = 0.1 + (k->far_km - 0.1) * ch_even(&r->air) * (g ? 1 + ch_even(&r->air) : 1);
		r->air.shadow[g] = ch_gauss(&r->air) * k->shadow_db;
	}
	r->d = (struct ch_device){ .nb_trans = 1, .max_dr = k->max_dr, .max_power = k->max_power };
	adr_limits_of(plan_find(STR("EU_863_870"))->region, RP_1_0_3_A, &r->limits);
	adr_start(&r->adr, NULL);
}

struct result {
	double loss, air_s, dr;
	unsigned busy;   /**< windows of WINDOW uplinks with more than one change of data rate */
	unsigned changes, requests, requests_late;
	unsigned bad;    /**< devices that lose more than the bound */
};

/* Is this uplink after convergence? A sudden change makes it begin anew, and a device that nobody hears takes
 * 64 + 32 * 7 uplinks to come back by itself. */
static bool is_settled(const struct kind *k, int at)
{
	return at >= SETTLED && !(k->worse_db > 0 && at >= EVENT && at < EVENT + SETTLED + 64 + 32 * 7);
}

static void count(const struct run *r, const struct kind *k, struct result *sum)
{
	unsigned lost = 0, n = 0, busy = 0, run_changes = 0;
	double dr = 0;
	int last[2] = { -CH_NEVER, -CH_NEVER };
	for (int i = 0; i < UPLINKS; i++) {
		if (!is_settled(k, i)) {
			last[0] = last[1] = -CH_NEVER;
			continue;
		}
		n++;
		lost += !r->heard[i];
		dr += r->dr[i];
		if (!is_settled(k, i - 1) || r->dr[i] == r->dr[i - 1])
			continue;
		run_changes++;
		last[0] = last[1];
		last[1] = i;
		busy += last[1] - last[0] < WINDOW;
	}
	double loss = (double)lost / n;
	sum->loss += loss / DEVICES;
	sum->dr += dr / n / DEVICES;
	sum->air_s += r->d.air_s / UPLINKS / DEVICES;
	sum->busy += busy;
	sum->changes += run_changes;
	sum->requests += r->requests;
	sum->requests_late += r->requests_late;
	sum->bad += loss >= 0.05;
}

static struct result play(const struct kind *k, bool is_classic)
{
	struct result sum = { .loss = 0 };
	static struct run r;
	const char *seed = getenv("ADR_SEED"); /* other devices than the usual ones */
	for (unsigned i = 0; i < DEVICES; i++) {
		begin(&r, k, i + (seed ? (unsigned)atoi(seed) : 0), is_classic);
		for (int at = 0; at < UPLINKS; at++)
			one_uplink(&r, k, at);
		count(&r, k, &sum);
	}
	return sum;
}

static const struct kind kinds[] = {
	{ .name = "static, no fading", .fading = CH_STILL, .gateways = 1, .shadow_db = 1, .far_km = 4 },
	{ .name = "static, Rice", .fading = CH_RICE, .gateways = 2, .shadow_db = 2, .far_km = 4 },
	{ .name = "static, Rayleigh", .fading = CH_RAYLEIGH, .gateways = 1, .shadow_db = 2, .far_km = 2.5 },
	{ .name = "static, Rayleigh, collisions", .fading = CH_RAYLEIGH, .gateways = 1, .shadow_db = 2, .far_km = 1.2, .load = 0.04 },
	{ .name = "static, refuses", .fading = CH_RICE, .gateways = 2, .shadow_db = 2, .far_km = 3, .max_dr = 4, .max_power = 2 },
	{ .name = "static, downlinks lost", .fading = CH_RICE, .gateways = 2, .shadow_db = 2, .far_km = 3, .p_down = 0.5 },
	{ .name = "moves slowly, no fading", .fading = CH_STILL, .gateways = 1, .shadow_db = 2, .far_km = 1, .drift_db = 20 },
	{ .name = "moves slowly, Rice", .fading = CH_RICE, .gateways = 2, .shadow_db = 3, .far_km = 1, .drift_db = 20 },
	{ .name = "moves slowly, Rayleigh", .fading = CH_RAYLEIGH, .gateways = 3, .shadow_db = 4, .far_km = 1, .drift_db = 15 },
	{ .name = "suddenly 6 dB worse", .fading = CH_RICE, .gateways = 2, .shadow_db = 2, .far_km = 1, .worse_db = 6 },
	{ .name = "suddenly 12 dB worse", .fading = CH_RAYLEIGH, .gateways = 2, .shadow_db = 2, .far_km = 0.8, .worse_db = 12 },
	{ .name = "suddenly 25 dB worse", .fading = CH_RICE, .gateways = 1, .shadow_db = 1, .far_km = 0.4, .worse_db = 25 },
};

static void show(const char *who, const struct result *r)
{
	printf("    %-8s loss %5.2f %%, %2u of %d devices lose 5 %%; %u windows of %d uplinks with more than one change of data rate (%u changes);"
	       " DR %.1f, %.0f ms of air per uplink, %u requests\n",
		who, r->loss * 100, r->bad, DEVICES, r->busy, WINDOW, r->changes, r->dr, r->air_s * 1000, r->requests);
}

START_TEST(a_kind_of_device_is_heard_and_left_in_peace)
{
	struct kind k = kinds[_i];
	k.max_dr = k.max_dr ? k.max_dr : 5;
	k.max_power = k.max_power ? k.max_power : 7;
	struct result mine = play(&k, false), classic = play(&k, true);
	printf("  %s\n", k.name);
	show("Godwit", &mine);
	show("classic", &classic);
	fflush(stdout);
	ck_assert_msg(mine.loss < 0.05, "%s: %.1f %% are lost", k.name, mine.loss * 100);
	ck_assert_msg(mine.bad == 0, "%s: %u devices lose 5 %%", k.name, mine.bad);
	ck_assert_msg(mine.busy == 0, "%s: %u times the data rate changed twice within %d uplinks", k.name, mine.busy, WINDOW);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("adr on a channel");
	TCase *t = tcase_create("kinds");
	tcase_add_loop_test(t, a_kind_of_device_is_heard_and_left_in_peace, 0, (int)(sizeof(kinds) / sizeof(kinds[0])));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

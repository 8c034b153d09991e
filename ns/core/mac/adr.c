/** @file Adaptive data rate. Three things are watched: how far the better half of the SNRs is above what the operator wants
 * (headroom), how many frames are lost, and how many of the transmissions of a frame are heard.
 *
 * Headroom raises the data rate, then lowers the power; both are taken back when it is gone, power first. Losses are mended
 * with more power, then with a lower data rate where the signal is weak, or with more transmissions where it is not (fading,
 * collisions). Raising and lowering have different thresholds, and a data rate that had to be taken back is tried again later and later.
 */
#include "ns/core/mac/adr.h"

enum {
	POWER_STEP_DDB = 20,
	RESERVE_DDB = 10,       /**< left over after a step that saves air or power */
	SHORT_DDB = 20,         /**< below the margin, before power is raised */
	FEW_DDB = 25,           /**< and more of it while samples are few */
	LEAP_DDB = 50,          /**< what few samples are enough for: two data rates or more */
	FEW = 6,
	FRAMES_LOSS = 10,       /**< frames before a loss rate means anything */
	FRAMES_CALM = 30,       /**< and before it lets the transmissions be reduced */
	FRAMES_MAX = 64,        /**< then all counts are halved */
	GAPS_MIN = 2,           /**< frames lost in one place only: a gateway was away, not the device */
	GAP_MAX = 8,            /**< and more of them say no more */
	GAP_AWAY = 24,          /**< after so many, nothing is known any more */
	LOSS_HIGH_PM = 50,      /**< frames, per mille */
	LOSS_AIM_PM = 30,
	LOSS_LOW_PM = 20,
	HOLD_FIRST = 100,       /**< uplinks after a lowering, before it is raised again */
	HOLD_MAX = 1600,
	LASTED = 400,           /**< a raised data rate that was kept for so long was no mistake */
	SETTLES = 50,           /**< uplinks after a change of data rate in which transmissions are tried before another */
	TRANS_DEFAULT_MAX = 3,
};

struct adr_settings adr_settings_default(void)
{
	return (struct adr_settings){ .mode = ADR_DYNAMIC, .margin_ddb = 150, .max_dr = ADR_DRS - 1, .max_power = 15,
		.nb_trans = { 1, TRANS_DEFAULT_MAX } };
}

static int16_t wide_ddb(uint32_t bw_hz)
{
	static const struct {
		uint32_t bw_hz;
		int16_t ddb;
	} wide[] = { { 125000, 0 }, { 250000, 30 }, { 500000, 60 }, { 1000000, 80 } };
	size_t i = 0;
	while (i + 1 < sizeof(wide) / sizeof(wide[0]) && bw_hz > wide[i].bw_hz)
		i++;
	return wide[i].ddb;
}

void adr_limits_of(const struct region *r, enum phy_version v, struct adr_limits *ret)
{
	*ret = (struct adr_limits){ .max_power = (uint8_t)region_max_power_index(r, v) };
	for (unsigned dr = r->adr_min_dr; dr <= r->adr_max_dr; dr++) {
		const struct modu *m = region_modu(r, true, dr);
		if (!m || m->kind != MODU_LORA || region_dr(r, v, true, m) < 0)
			continue;
		ret->drs |= (uint16_t)(1u << dr);
		ret->wide_ddb[dr] = wide_ddb(m->bw_hz);
		ret->floor_ddb[dr] = (int16_t)(modu_floor_ddb(m) + ret->wide_ddb[dr]);
		if (m->bw_hz == 125000)
			ret->narrow |= (uint16_t)(1u << dr);
	}
}

/* ---- what was heard ---- */

static void forget_losses(struct adr *a)
{
	a->frames = a->frames_lost = a->sent = a->heard = a->gaps = 0;
}

static void forget(struct adr *a)
{
	a->n = a->at = 0;
	forget_losses(a);
}

void adr_start(struct adr *a, const struct adr_link *link)
{
	*a = (struct adr){ .link = { .now = { .dr = DR_NONE, .nb_trans = 1 } }, .kept = SETTLES };
	if (link)
		a->link = *link;
}

/* Another data rate is in force. One that is taken back soon after it was raised was a mistake: the next try comes later. */
static void rate_changes(struct adr *a, uint8_t dr)
{
	bool is_known = a->link.now.dr != DR_NONE, is_lower = is_known && dr < a->link.now.dr;
	if (is_lower) {
		unsigned hold = a->was_raised && a->kept < LASTED && a->hold ? a->hold * 2u : HOLD_FIRST;
		a->hold = (uint16_t)(hold > HOLD_MAX ? HOLD_MAX : hold);
	}
	a->was_raised = is_known && !is_lower;
	if (is_known)
		a->kept = 0;
	a->link.now.dr = dr;
	forget(a);
}

void adr_applied(struct adr *a, const struct adr_choice *c)
{
	a->is_asked = a->was_away = false;
	if (c->dr != a->link.now.dr)
		rate_changes(a, c->dr);
	if (c->power != a->link.now.power)
		forget(a);
	if (c->nb_trans != a->link.now.nb_trans)
		forget_losses(a);
	a->link.now = *c;
}

void adr_asked(struct adr *a, const struct adr_choice *c)
{
	a->asked = *c;
	a->is_asked = true;
}

void adr_refused(struct adr *a, bool dr_ok, bool power_ok)
{
	if (!a->is_asked)
		return;
	a->is_asked = false;
	if (!dr_ok && a->asked.dr < ADR_DRS)
		a->link.refused_drs |= (uint16_t)(1u << a->asked.dr);
	if (!power_ok && a->asked.power < 16)
		a->link.refused_powers |= (uint16_t)(1u << a->asked.power);
}

/* It uses a data rate that is not in force: what it was asked for, or its own choice, which begins with full power. */
static bool follow(struct adr *a, uint8_t dr)
{
	if (dr == a->link.now.dr)
		return false;
	bool was_told = a->is_asked && a->asked.dr == dr, is_lower = a->link.now.dr != DR_NONE && dr < a->link.now.dr;
	struct adr_choice c = was_told ? a->asked : (struct adr_choice){ dr, 0, a->link.now.nb_trans };
	adr_applied(a, &c);
	a->was_away = !was_told && is_lower;
	return true;
}

static void halve(struct adr *a)
{
	a->frames /= 2;
	a->frames_lost /= 2;
	a->sent /= 2;
	a->heard /= 2;
	a->gaps /= 2;
}

/* Count the frame, and those that are missing before it. */
static void count_frames(struct adr *a, uint32_t missing)
{
	unsigned gap = missing < GAP_MAX ? missing : GAP_MAX;
	a->frames = (uint16_t)(a->frames + gap + 1);
	a->frames_lost = (uint16_t)(a->frames_lost + gap);
	a->gaps = (uint8_t)(a->gaps + (gap > 0));
	a->sent = (uint16_t)(a->sent + (gap + 1) * a->link.now.nb_trans);
	a->heard++;
	a->last_heard = 1;
	while (a->frames > FRAMES_MAX)
		halve(a);
}

/* It was not heard for long, or its counters began anew: what was heard before says nothing of now. */
static void break_off(struct adr *a, const struct adr_sample *s, bool is_restart)
{
	forget(a);
	if (is_restart)
		return;
	a->was_away = true;
	if (s->ack_req)
		a->link.now.power = 0; /* back-off begins with full power */
}

bool adr_heard(struct adr *a, const struct adr_sample *s)
{
	uint32_t missing = a->has_f_cnt ? s->f_cnt - a->f_cnt - 1 : 0;
	bool is_restart = a->has_f_cnt && s->f_cnt <= a->f_cnt, has_moved = follow(a, s->dr);
	a->has_f_cnt = true;
	a->f_cnt = s->f_cnt;
	if (s->dr < ADR_DRS)
		a->link.refused_drs &= (uint16_t)~(1u << s->dr);
	if (is_restart || missing >= GAP_AWAY)
		break_off(a, s, is_restart);
	if (!is_restart && !has_moved)
		a->kept = (uint16_t)(missing < (uint32_t)UINT16_MAX - a->kept ? a->kept + missing + 1 : UINT16_MAX);
	/* What was lost before the first frame was lost under other settings. */
	count_frames(a, a->frames ? missing : 0);
	a->snr_ddb[a->at] = s->snr_ddb;
	a->at = (uint8_t)((a->at + 1) % ADR_SAMPLES);
	if (a->n < ADR_SAMPLES)
		a->n++;
	return has_moved;
}

unsigned adr_loss_e4(const struct adr *a)
{
	return a->frames ? a->frames_lost * 10000u / a->frames : 0;
}

void adr_heard_again(struct adr *a)
{
	if (a->last_heard >= a->link.now.nb_trans || a->heard >= a->sent)
		return;
	a->last_heard++;
	a->heard++;
}

void adr_answered(struct adr *a)
{
	if (!a->last_heard)
		return;
	unsigned saved = a->link.now.nb_trans > a->last_heard ? (unsigned)(a->link.now.nb_trans - a->last_heard) : 0;
	a->sent = (uint16_t)(a->sent > saved + a->heard ? a->sent - saved : a->heard);
	a->last_heard = a->link.now.nb_trans; /* nothing more of it is expected */
}

/* ---- what it means ---- */

/* Mean of the best quarter: as high as a maximum is without fading, and hardly moved by one lucky frame. */
static int best_snr_ddb(const struct adr *a)
{
	int16_t v[ADR_SAMPLES];
	int sum = 0, n = a->n / 4 ? a->n / 4 : 1;
	for (unsigned i = 0; i < a->n; i++) { /* sorted by insertion, greatest first */
		unsigned k = i;
		for (; k > 0 && v[k - 1] < a->snr_ddb[i]; k--)
			v[k] = v[k - 1];
		v[k] = a->snr_ddb[i];
	}
	for (int i = 0; i < n; i++)
		sum += v[i];
	return sum / n;
}

/* What one decision is made from. */
struct view {
	const struct adr *a;
	const struct adr_settings *s;
	const struct adr_limits *l;
	uint16_t drs, powers; /**< bits that may be chosen */
	uint8_t full;         /**< the lowest of powers: full power */
	int headroom_ddb;     /**< at the data rate in force and full power */
	int reserve_ddb;      /**< that a step must leave which saves something */
	struct adr_trans trans;
};

static unsigned lowest(uint16_t bits)
{
	return (unsigned)__builtin_ctz(bits);
}

static unsigned highest(uint16_t bits)
{
	return 31 - (unsigned)__builtin_clz(bits);
}

static uint16_t bits_between(unsigned min, unsigned max)
{
	uint32_t below = max >= 15 ? 0x10000 : 1u << (max + 1);
	return (uint16_t)(min > max ? 0 : below - (1u << min));
}

static struct adr_trans trans_at(const struct adr_settings *s, uint8_t dr)
{
	struct adr_trans t = dr < ADR_DRS && s->at_dr[dr].max ? s->at_dr[dr] : s->nb_trans;
	if (t.max < 1)
		t.max = 1;
	if (t.max > ADR_NB_TRANS_MAX)
		t.max = ADR_NB_TRANS_MAX;
	if (t.min < 1)
		t.min = 1;
	if (t.min > t.max)
		t.min = t.max;
	return t;
}

static void look(const struct adr *a, const struct adr_settings *s, const struct adr_limits *l, struct view *ret)
{
	const struct adr_choice *now = &a->link.now;
	*ret = (struct view){ .a = a, .s = s, .l = l, .trans = trans_at(s, now->dr) };
	uint16_t known = l->drs & (uint16_t)~a->link.refused_drs;
	ret->drs = known & bits_between(s->min_dr, s->max_dr);
	if (s->steers_narrow && ret->drs & l->narrow)
		ret->drs &= l->narrow;
	ret->powers = bits_between(s->min_power, s->max_power < l->max_power ? s->max_power : l->max_power) &
		(uint16_t)~a->link.refused_powers;
	if (!ret->powers)
		ret->powers = (uint16_t)(1u << now->power); /* nothing is left to choose from */
	ret->full = (uint8_t)lowest(ret->powers);
	ret->headroom_ddb = best_snr_ddb(a) + l->wide_ddb[now->dr] - l->floor_ddb[now->dr] - s->margin_ddb +
		POWER_STEP_DDB * ((int)now->power - ret->full);
	ret->reserve_ddb = RESERVE_DDB + (a->n < ADR_SAMPLES ? FEW_DDB : 0);
}

/* Headroom that would be left at another data rate, full power. */
static int headroom_at(const struct view *v, unsigned dr)
{
	return v->headroom_ddb - (v->l->floor_ddb[dr] - v->l->floor_ddb[v->a->link.now.dr]);
}

/* ---- decisions ---- */

/* The highest data rate from `from` down that leaves so much; from `from`'s neighbours the lowest if none does. */
static unsigned rate_with(const struct view *v, uint16_t drs, int least_ddb)
{
	for (unsigned dr = highest(drs); dr > lowest(drs); dr--)
		if (drs & 1u << dr && headroom_at(v, dr) >= least_ddb)
			return dr;
	return lowest(drs);
}

static unsigned power_with(const struct view *v, unsigned dr, int least_ddb)
{
	for (unsigned p = highest(v->powers); p > v->full; p--)
		if (v->powers & 1u << p && headroom_at(v, dr) - POWER_STEP_DDB * ((int)p - v->full) >= least_ddb)
			return p;
	return v->full;
}

/* The operator's limits, the channels', or a refusal exclude what is in force: the nearest that they allow. */
static bool is_forced(const struct view *v, struct adr_choice *c)
{
	uint8_t dr = c->dr, power = c->power;
	if (v->drs && !(v->drs & 1u << dr)) {
		uint16_t below = v->drs & (uint16_t)((1u << dr) - 1);
		c->dr = (uint8_t)(below ? highest(below) : lowest(v->drs));
		c->power = v->full;
	} else if (!(v->powers & 1u << power)) {
		uint16_t below = v->powers & (uint16_t)((1u << power) - 1);
		c->power = (uint8_t)(below ? highest(below) : v->full);
	}
	return c->dr != dr || c->power != power;
}

static bool may_save(const struct view *v, int gain_ddb)
{
	return v->a->n == ADR_SAMPLES || (v->a->n >= FEW && gain_ddb >= LEAP_DDB);
}

static unsigned per_mille(unsigned part, unsigned of)
{
	return of ? part * 1000 / of : 0;
}

static bool is_lossy(const struct adr *a)
{
	return a->frames >= FRAMES_LOSS && a->gaps >= GAPS_MIN && per_mille(a->frames_lost, a->frames) > LOSS_HIGH_PM;
}

/* Loss of a frame that is sent n times, if the transmissions are lost independently [per mille]. */
static unsigned loss_with(const struct adr *a, unsigned n)
{
	unsigned once = 1000 - per_mille(a->heard, a->sent), loss = 1000;
	while (n--)
		loss = loss * once / 1000;
	return loss;
}

static uint16_t rates_below(const struct view *v)
{
	return v->drs & (uint16_t)((1u << v->a->link.now.dr) - 1);
}

static int headroom_now(const struct view *v)
{
	const struct adr_choice *now = &v->a->link.now;
	return headroom_at(v, now->dr) - POWER_STEP_DDB * ((int)now->power - v->full);
}

/* As many transmissions as should do. */
static unsigned enough_trans(const struct view *v, unsigned now)
{
	unsigned n = now + 1;
	while (n < v->trans.max && loss_with(v->a, n) > LOSS_AIM_PM)
		n++;
	return n;
}

/* The signal says that frames will be lost, if they are not already. */
static bool is_dire(const struct view *v)
{
	return (v->a->n >= FEW || v->a->was_away) && v->headroom_ddb < -v->s->margin_ddb / 2;
}

/* A lower data rate, if the signal is weak: against collisions it does not help. Soon after a change everything else is tried first. */
static bool may_lower(const struct view *v, bool is_lost, bool may_repeat)
{
	bool is_hurry = v->a->kept >= SETTLES || v->a->was_away || (is_lost && !may_repeat);
	return is_hurry && rates_below(v) && v->headroom_ddb < -v->s->margin_ddb / 6;
}

/* More power if that is short; more transmissions against losses, which cost less air than a lower data rate; then that. */
static bool mend(const struct view *v, struct adr_choice *c)
{
	bool is_lost = is_lossy(v->a), dire = is_dire(v), may_repeat = is_lost && c->nb_trans < v->trans.max;
	if (!is_lost && !dire)
		return false;
	if (may_lower(v, is_lost, may_repeat) && (dire || (!may_repeat && c->power == v->full))) {
		c->dr = (uint8_t)rate_with(v, rates_below(v), -v->s->margin_ddb / 6);
		c->power = v->full;
	} else if (c->power != v->full && headroom_now(v) < 0) {
		c->power = (uint8_t)power_with(v, c->dr, RESERVE_DDB);
	} else if (may_repeat) {
		c->nb_trans = (uint8_t)enough_trans(v, c->nb_trans);
	} else {
		return false;
	}
	return true;
}

/* The headroom is more than is wanted, or less. */
static void fit(const struct view *v, struct adr_choice *c)
{
	const struct adr *a = v->a;
	unsigned dr = rate_with(v, v->drs & (uint16_t)~((1u << c->dr) - 1), v->reserve_ddb);
	if (dr > c->dr && a->kept >= SETTLES && a->kept >= a->hold && may_save(v, v->l->floor_ddb[dr] - v->l->floor_ddb[c->dr])) {
		c->dr = (uint8_t)dr;
		c->power = dr == highest(v->drs) && a->n == ADR_SAMPLES ? (uint8_t)power_with(v, dr, RESERVE_DDB) : v->full;
		return;
	}
	unsigned p = power_with(v, c->dr, v->reserve_ddb);
	bool is_short = headroom_now(v) < -SHORT_DDB && a->n >= FEW;
	bool saves = p > c->power && c->dr == highest(v->drs) && may_save(v, POWER_STEP_DDB * ((int)p - c->power));
	if (saves || is_short)
		c->power = saves ? (uint8_t)p : (uint8_t)power_with(v, c->dr, RESERVE_DDB);
}

static void transmissions(const struct view *v, struct adr_choice *c)
{
	const struct adr *a = v->a;
	if (c->nb_trans > v->trans.min && a->frames >= FRAMES_CALM && per_mille(a->frames_lost, a->frames) <= LOSS_LOW_PM &&
		loss_with(a, c->nb_trans - 1u) <= LOSS_LOW_PM)
		c->nb_trans--;
}

static void dynamic(const struct view *v, struct adr_choice *c)
{
	if (is_forced(v, c) || !v->drs)
		return;
	if (!mend(v, c)) {
		fit(v, c);
		transmissions(v, c);
	}
}

static void fixed(const struct view *v, struct adr_choice *c)
{
	const struct adr_choice *want = &v->s->fixed;
	uint16_t refused_drs = v->a->link.refused_drs, refused_powers = v->a->link.refused_powers;
	if (want->dr < ADR_DRS && v->l->drs & ~refused_drs & 1u << want->dr)
		c->dr = want->dr;
	if (want->power <= v->l->max_power && !(refused_powers & 1u << want->power))
		c->power = want->power;
	if (want->nb_trans >= 1 && want->nb_trans <= ADR_NB_TRANS_MAX)
		c->nb_trans = want->nb_trans;
}

bool adr_want(const struct adr *a, const struct adr_settings *s, const struct adr_limits *l, struct adr_choice *ret)
{
	const struct adr_choice *now = &a->link.now;
	struct adr_choice c = *now;
	struct view v;
	if (s->mode == ADR_DISABLED || !a->n || now->dr >= ADR_DRS)
		return false;
	look(a, s, l, &v);
	if (s->mode == ADR_STATIC)
		fixed(&v, &c);
	else
		dynamic(&v, &c);
	if (s->mode == ADR_DYNAMIC) {
		struct adr_trans t = trans_at(s, c.dr);
		c.nb_trans = c.nb_trans < t.min ? t.min : c.nb_trans > t.max ? t.max : c.nb_trans;
	}
	if (c.dr == now->dr && c.power == now->power && c.nb_trans == now->nb_trans)
		return false;
	*ret = c;
	return true;
}

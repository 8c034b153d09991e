/** @file Adaptive data rate. Three things are watched: how far the better half of the SNRs is above what the operator wants
 * (headroom), how many frames are lost, and how many of the transmissions of a frame are heard.
 *
 * Headroom raises the data rate, then lowers the power; both are taken back when it is gone, power first. Losses are mended
 * with more power, then with a lower data rate where the signal is weak, or with more transmissions where it is not (fading,
 * collisions). Raising and lowering have different thresholds, and a data rate that had to be taken back is tried again later and later.
 */
#include "ns/core/adr.h"

enum {
	POWER_STEP_DDB = 20,
	RESERVE_DDB = 10,       /**< left over after a step that saves air or power */
	SHORT_DDB = 20,         /**< below the margin, before power is raised */
	FEW_DDB = 25,           /**< taken off while samples are few */
	LEAP_DDB = 50,          /**< what few samples are enough for: two data rates or more */
	FEW = 6,
	FRAMES_LOSS = 10,       /**< frames before a loss rate means anything */
	FRAMES_CALM = 30,       /**< and before it lets the transmissions be reduced */
	FRAMES_MAX = 64,        /**< then all counts are halved */
	LOST_MIN = 2,
	LOSS_HIGH_PM = 50,      /**< frames, per mille */
	LOSS_LOW_PM = 20,
	HOLD_FIRST = 100,       /**< uplinks after a lowering, before it is raised again */
	HOLD_MAX = 1600,
	LASTED = 400,           /**< a data rate that was kept for so long was no mistake */
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
	a->frames = a->frames_lost = a->sent = a->heard = 0;
}

static void forget(struct adr *a)
{
	a->n = a->at = 0;
	forget_losses(a);
}

void adr_start(struct adr *a, const struct adr_link *link)
{
	*a = (struct adr){ .link = { .now = { .dr = DR_NONE, .nb_trans = 1 } }, .lowered = LASTED };
	if (link)
		a->link = *link;
}

/* Another data rate is in force. One that is taken back soon after it was raised was a mistake: the next try comes later. */
static void rate_changes(struct adr *a, uint8_t dr)
{
	if (a->link.now.dr != DR_NONE && dr < a->link.now.dr) {
		unsigned hold = a->hold && a->lowered < (uint32_t)LASTED + a->hold ? a->hold * 2u : HOLD_FIRST;
		a->hold = (uint16_t)(hold > HOLD_MAX ? HOLD_MAX : hold);
		a->lowered = 0;
	}
	a->link.now.dr = dr;
	forget(a);
}

void adr_applied(struct adr *a, const struct adr_choice *c)
{
	a->is_asked = false;
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
	struct adr_choice c = a->is_asked && a->asked.dr == dr ? a->asked : (struct adr_choice){ dr, 0, a->link.now.nb_trans };
	adr_applied(a, &c);
	return true;
}

static void halve(struct adr *a)
{
	a->frames /= 2;
	a->frames_lost /= 2;
	a->sent /= 2;
	a->heard /= 2;
}

bool adr_heard(struct adr *a, const struct adr_sample *s)
{
	uint32_t gap = a->has_f_cnt ? s->f_cnt - a->f_cnt : 1, last_f_cnt = a->f_cnt;
	bool is_restart = a->has_f_cnt && s->f_cnt <= last_f_cnt, has_moved = follow(a, s->dr);
	if (s->dr < ADR_DRS)
		a->link.refused_drs &= (uint16_t)~(1u << s->dr);
	a->has_f_cnt = true;
	a->f_cnt = s->f_cnt;
	if (is_restart)
		forget(a);
	if (is_restart || has_moved || !a->frames || gap > FRAMES_MAX)
		gap = 1; /* what was lost before was lost under other settings, or while it was away */
	a->frames = (uint16_t)(a->frames + gap);
	a->frames_lost = (uint16_t)(a->frames_lost + gap - 1);
	a->sent = (uint16_t)(a->sent + gap * a->link.now.nb_trans);
	a->heard++;
	a->last_heard = 1;
	while (a->frames > FRAMES_MAX)
		halve(a);
	if (a->lowered < UINT16_MAX)
		a->lowered += gap;
	a->snr_ddb[a->at] = s->snr_ddb;
	a->at = (uint8_t)((a->at + 1) % ADR_SAMPLES);
	if (a->n < ADR_SAMPLES)
		a->n++;
	return has_moved;
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
	return min > max ? 0 : (uint16_t)(below - (1u << min));
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
		POWER_STEP_DDB * ((int)now->power - ret->full) - (a->n < ADR_SAMPLES ? FEW_DDB : 0);
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
	return a->frames >= FRAMES_LOSS && a->frames_lost >= LOST_MIN && per_mille(a->frames_lost, a->frames) > LOSS_HIGH_PM;
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

/* Frames are lost, or soon will be: more power if that is short, a lower data rate if the signal is weak, more transmissions
 * if it is not; and if that is not to be had, the next of these. */
static bool mend(const struct view *v, struct adr_choice *c)
{
	int weak_ddb = -v->s->margin_ddb / 3;
	bool is_lost = is_lossy(v->a), is_dire = v->a->n >= FEW && v->headroom_ddb < 2 * weak_ddb;
	bool may_repeat = is_lost && c->nb_trans < v->trans.max;
	if (!is_lost && !is_dire)
		return false;
	if (c->power != v->full && (headroom_now(v) < 0 || !may_repeat))
		c->power = headroom_now(v) < 0 ? (uint8_t)power_with(v, c->dr, RESERVE_DDB) : v->full;
	else if (rates_below(v) && (v->headroom_ddb < weak_ddb || !may_repeat))
		c->dr = (uint8_t)rate_with(v, rates_below(v), weak_ddb);
	else if (may_repeat)
		c->nb_trans++;
	else
		return false;
	return true;
}

/* The headroom is more than is wanted, or less. */
static void fit(const struct view *v, struct adr_choice *c)
{
	const struct adr *a = v->a;
	unsigned dr = rate_with(v, v->drs & (uint16_t)~((1u << c->dr) - 1), RESERVE_DDB);
	if (dr > c->dr && a->lowered >= a->hold && may_save(v, v->l->floor_ddb[dr] - v->l->floor_ddb[c->dr])) {
		c->dr = (uint8_t)dr;
		c->power = dr == highest(v->drs) && a->n == ADR_SAMPLES ? (uint8_t)power_with(v, dr, RESERVE_DDB) : v->full;
		return;
	}
	unsigned p = power_with(v, c->dr, RESERVE_DDB);
	bool is_short = headroom_now(v) < -SHORT_DDB && a->n >= FEW;
	if ((p > c->power && c->dr == highest(v->drs) && may_save(v, POWER_STEP_DDB * ((int)p - c->power))) || (p < c->power && is_short))
		c->power = (uint8_t)p;
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

/** @file ChMask and ChMaskCntl: one table says what each style of region understands. */
#include "proto/region/chmask.h"
#include <string.h>

enum { ALL = 0xFFFF, CNTL_N = 8, SUB_BANDS = 8 };

/** What a value of ChMaskCntl does. */
enum act {
	ACT_NONE, /**< reserved */
	ACT_BANK, /**< ChMask is the bank of that number */
	ACT_ON,   /**< all on */
	ACT_OFF,  /**< all off */
	ACT_SUBS, /**< bit k of ChMask is channels 8k to 8k + 7 and 64 + k */
};

struct style {
	uint8_t n_banks; /**< of 16 channels */
	uint16_t last;   /**< channels of a bank behind them that ACT_ON and ACT_OFF set from ChMask; 0: none */
	uint8_t act[CNTL_N];
};

static const struct style styles[CHMASK_N] = {
	[CHMASK_16] = { 1, 0, { [0] = ACT_BANK, [6] = ACT_ON } },
	[CHMASK_72] = { 4, 0xFF, { ACT_BANK, ACT_BANK, ACT_BANK, ACT_BANK, ACT_BANK, ACT_SUBS, ACT_ON, ACT_OFF } },
	[CHMASK_96] = { 6, 0, { ACT_BANK, ACT_BANK, ACT_BANK, ACT_BANK, ACT_BANK, ACT_BANK, ACT_ON } },
	[CHMASK_64] = { 4, 0, { ACT_BANK, ACT_BANK, ACT_BANK, ACT_BANK, [6] = ACT_ON, [7] = ACT_OFF } },
	[CHMASK_48] = { 3, 0, { ACT_BANK, ACT_BANK, ACT_BANK, ACT_ON, ACT_OFF } },
};

static enum act act_of(const struct region *r, enum phy_version v, unsigned cntl)
{
	enum act a = cntl < CNTL_N ? styles[r->chmask].act[cntl] : ACT_NONE;
	return a == ACT_SUBS && v < r->chmask5_since ? ACT_NONE : a;
}

static unsigned banks_of(const struct style *s)
{
	return s->n_banks + (s->last ? 1U : 0U);
}

/** The channels that there can be of a bank. */
static uint16_t bank_full(const struct style *s, unsigned bank)
{
	return bank < s->n_banks ? ALL : bank < banks_of(s) ? s->last : 0;
}

void chmask_all(const struct region *r, struct channels *ret)
{
	for (unsigned i = 0; i < CHANNEL_BANKS; i++)
		ret->bank[i] = bank_full(&styles[r->chmask], i);
}

static uint16_t subs_bank(uint16_t mask, unsigned bank)
{
	return (uint16_t)((mask >> 2 * bank & 1 ? 0x00FF : 0) | (mask >> (2 * bank + 1) & 1 ? 0xFF00 : 0));
}

bool chmask_apply(const struct region *r, enum phy_version v, const struct channels *defined, struct chmask m,
	struct channels *set)
{
	const struct style *s = &styles[r->chmask];
	enum act a = act_of(r, v, m.cntl);
	struct channels to = *set;
	if (a == ACT_NONE)
		return false;
	if (a == ACT_BANK)
		to.bank[m.cntl] = m.mask;
	for (unsigned i = 0; a != ACT_BANK && i < s->n_banks; i++)
		to.bank[i] = a == ACT_ON ? defined->bank[i] : a == ACT_OFF ? 0 : subs_bank(m.mask, i);
	if (a != ACT_BANK && s->last)
		to.bank[s->n_banks] = m.mask & s->last;
	if (!channels_hold(defined, &to))
		return false;
	*set = to;
	return true;
}

/** A sequence on its way to be the shortest. */
struct draft {
	struct chmask pair[CHMASKS_MAX];
	size_t n;
	struct channels set;         /**< after the pairs so far */
	bool is_sure[CHANNEL_BANKS]; /**< is `set` surely what the device has there? */
};

/** Would a device take this set in between? It has a channel of every kind that is wanted: of the banks, and of
 * the one behind them. */
static bool kinds_ok(const struct style *s, const struct channels *set, const struct channels *wanted)
{
	bool has[2] = { false }, wants[2] = { false };
	for (unsigned i = 0; i < banks_of(s); i++) {
		has[i >= s->n_banks] |= set->bank[i] != 0;
		wants[i >= s->n_banks] |= wanted->bank[i] != 0;
	}
	return (has[0] || !wants[0]) && (has[1] || !wants[1]);
}

/** @return false: there is no room, or a device that looks at each pair by itself would refuse it */
static bool draft_add(struct draft *d, const struct region *r, bool is_block, struct chmask m,
	const struct channels *wanted)
{
	const struct style *s = &styles[r->chmask];
	struct channels all;
	if (d->n == CHMASKS_MAX)
		return false;
	chmask_all(r, &all);
	d->pair[d->n++] = m;
	chmask_apply(r, RP_002_1_0_4, &all, m, &d->set);
	/* Some devices leave the 500 kHz channels alone at ChMaskCntl 5: those are not sure. */
	bool is_bank = s->act[m.cntl] == ACT_BANK, is_subs = s->act[m.cntl] == ACT_SUBS;
	for (unsigned i = 0; i < banks_of(s); i++)
		if (is_bank ? i == m.cntl : !is_subs || i < s->n_banks)
			d->is_sure[i] = true;
		else if (is_subs)
			d->is_sure[i] = false;
	return is_block || kinds_ok(s, &d->set, wanted);
}

/** Can a value of ChMaskCntl open a sequence? With a single bank there is nothing to gain. */
static bool speaks_of_all(const struct region *r, enum phy_version v, unsigned cntl)
{
	enum act a = act_of(r, v, cntl);
	return styles[r->chmask].n_banks > 1 && a != ACT_NONE && a != ACT_BANK;
}

/** The ChMask of a value of ChMaskCntl that speaks of all channels, to come as near to what is wanted as it can. */
static struct chmask opening(const struct style *s, unsigned cntl, const struct channels *wanted)
{
	struct chmask m = { .cntl = (uint8_t)cntl };
	if (s->act[cntl] != ACT_SUBS) {
		m.mask = s->last ? wanted->bank[s->n_banks] : s->act[cntl] == ACT_ON ? ALL : 0;
		return m;
	}
	for (unsigned k = 0; k < SUB_BANDS; k++)
		if ((wanted->bank[k / 2] >> 8 * (k % 2) & 0xFF) == 0xFF)
			m.mask = (uint16_t)(m.mask | 1U << k);
	return m;
}

/** Say each bank that is not as wanted. What the device has nothing of comes first, what it is to lose last.
 * @return as draft_add() */
static bool draft_banks(struct draft *d, const struct region *r, bool is_block, const struct channels *wanted)
{
	const struct style *s = &styles[r->chmask];
	enum { PASS_NEW, PASS_CHANGED, PASS_LOST, PASSES };
	for (unsigned pass = 0; pass < PASSES; pass++) {
		for (unsigned k = 0; k < banks_of(s); k++) {
			unsigned i = (k + s->n_banks) % banks_of(s); /* the one behind first: it is alone of its kind */
			uint16_t is = d->set.bank[i], to = wanted->bank[i];
			unsigned kind = !to ? PASS_LOST : is ? PASS_CHANGED : PASS_NEW;
			if (kind != pass || (d->is_sure[i] && is == to))
				continue;
			if (!draft_add(d, r, is_block, (struct chmask){ to, (uint8_t)i }, wanted))
				return false;
		}
	}
	return true;
}

/** Something to send where nothing is to be changed. */
static struct chmask said_again(const struct channels *wanted)
{
	unsigned i = 0;
	while (i + 1 < CHANNEL_BANKS && !wanted->bank[i])
		i++;
	return (struct chmask){ wanted->bank[i], (uint8_t)i };
}

size_t chmask_pairs(const struct region *r, enum phy_version v, bool is_block, const struct channels *now,
	const struct channels *wanted, struct chmask ret[CHMASKS_MAX])
{
	const struct style *s = &styles[r->chmask];
	struct channels all;
	struct draft best = { .n = 0 }, d, start = { .n = 0 };
	chmask_all(r, &all);
	for (unsigned i = 0; now && i < CHANNEL_BANKS; i++)
		start.set.bank[i] = now->bank[i] & all.bank[i];
	memset(start.is_sure, now != NULL, sizeof start.is_sure);
	if (!channels_count(wanted) || !channels_hold(&all, wanted))
		return 0;
	if (now && channels_eq(&start.set, wanted)) {
		ret[0] = said_again(wanted);
		return 1;
	}
	d = start;
	if (draft_banks(&d, r, is_block, wanted))
		best = d;
	for (unsigned cntl = CNTL_N; cntl-- > 0;) {
		if (!speaks_of_all(r, v, cntl))
			continue;
		d = start;
		if (draft_add(&d, r, is_block, opening(s, cntl, wanted), wanted) && draft_banks(&d, r, is_block, wanted) &&
			(!best.n || d.n < best.n))
			best = d;
	}
	memcpy(ret, best.pair, best.n * sizeof *ret);
	return best.n;
}

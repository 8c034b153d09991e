/** @file The just-in-time queue of sx1302_hal, constant by constant. All comparisons are unsigned 32 bits, as
 * there. */
#include "test/sim/jit.h"
#include <stdbool.h>

enum {
	TX_START_US = 1500,
	TX_MARGIN_US = 1000,
	TX_JIT_US = 40000,
	PRE_US = TX_START_US + TX_JIT_US,
	MAX_LEAD_US = 512000000,
	IMME_LEAD_US = 2 * TX_JIT_US,
	MIN_HZ = 863000000,
	MAX_HZ = 870000000,
	MIN_DBM = 12,
	MAX_DBM = 27,
};

/** Time on air in whole milliseconds, as the forwarder counts it. */
static uint32_t post_us(uint32_t airtime_us)
{
	return (airtime_us + 999) / 1000 * 1000;
}

static bool overlaps(const struct jit_item *a, const struct jit_item *b)
{
	int32_t a_to_b = (int32_t)(b->tmst_us - a->tmst_us);
	if (a_to_b >= 0)
		return (int64_t)a_to_b - PRE_US < (int64_t)post_us(a->airtime_us) + TX_MARGIN_US;
	return -(int64_t)a_to_b - PRE_US < (int64_t)post_us(b->airtime_us) + TX_MARGIN_US;
}

static const struct jit_item *colliding(const struct jit *j, const struct jit_item *item)
{
	for (unsigned i = 0; i < j->n; i++)
		if (overlaps(&j->v[i], item))
			return &j->v[i];
	return NULL;
}

/** First gap for an immediate packet: at once, or after whatever is in the way. */
static void place_imme(const struct jit *j, uint32_t now_us, struct jit_item *item)
{
	item->tmst_us = now_us + IMME_LEAD_US;
	for (unsigned tries = 0; tries <= JIT_MAX; tries++) {
		const struct jit_item *other = colliding(j, item);
		if (!other)
			return;
		item->tmst_us =
			other->tmst_us + post_us(other->airtime_us) + PRE_US + TX_JIT_US + TX_MARGIN_US;
	}
}

enum tx_result jit_admit(
	struct jit *j, uint32_t now_us, const struct txpk *tx, uint32_t airtime_us, uint32_t *ret_tmst)
{
	struct jit_item item = { .tmst_us = tx->tmst_us, .airtime_us = airtime_us };
	if (tx->freq_hz < MIN_HZ || tx->freq_hz > MAX_HZ)
		return TX_RESULT_TX_FREQ;
	if (tx->when == TXPK_TMMS)
		return TX_RESULT_GPS_UNLOCKED;
	if (j->n == JIT_MAX)
		return TX_RESULT_COLLISION_PACKET;
	if (tx->when == TXPK_IMME)
		place_imme(j, now_us, &item);
	uint32_t lead_us = item.tmst_us - now_us;
	if (lead_us <= PRE_US + TX_MARGIN_US)
		return TX_RESULT_TOO_LATE;
	if (lead_us > MAX_LEAD_US)
		return TX_RESULT_TOO_EARLY;
	if (colliding(j, &item))
		return TX_RESULT_COLLISION_PACKET;
	j->v[j->n++] = item;
	*ret_tmst = item.tmst_us;
	return TX_RESULT_SUCCESS;
}

void jit_remove(struct jit *j, uint32_t tmst_us)
{
	for (unsigned i = 0; i < j->n; i++) {
		if (j->v[i].tmst_us != tmst_us)
			continue;
		j->v[i] = j->v[--j->n];
		return;
	}
}

int jit_power(int wish_dbm)
{
	return wish_dbm < MIN_DBM ? MIN_DBM : wish_dbm > MAX_DBM ? MAX_DBM : wish_dbm;
}

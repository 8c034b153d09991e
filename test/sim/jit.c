/** @file The just-in-time queue. */
#include "test/sim/jit.h"
#include "common/core/err.h"
#include <string.h>

enum {
	TX_START_US = 1500,
	TX_MARGIN_US = 1000,
	MAX_LEAD_US = 512000000,
	BEACON_GUARD_US = 3000000,
	BEACON_POST_US = 2120000,
};

static const struct forwarder forwarders[] = {
	{ .name = "sx1302", .version = 2, .has_queue = true, .is_sx1302 = true, .jit_us = 40000, .imme_us = 80000 },
	{ .name = "sx1301", .version = 2, .has_queue = true, .jit_us = 30000, .imme_us = 1000000, .refuses_power = true },
	{ .name = "v1", .version = 1 },
};

/* Gain tables of the EU868 configurations [dBm]. */
static const int8_t powers_sx1301[] = { -6, -3, 0, 3, 6, 10, 11, 12, 13, 14, 16, 20, 23, 25, 26, 27 };
enum { MIN_SX1302_DBM = 12, MAX_SX1302_DBM = 27 };

const struct forwarder *forwarder_find(const char *name)
{
	for (size_t i = 0; i < COUNT(forwarders); i++)
		if (strcmp(forwarders[i].name, name) == 0)
			return &forwarders[i];
	return NULL;
}

/** Time on air in whole milliseconds, as the forwarder counts it. */
static uint32_t post_us(const struct jit_item *i)
{
	return i->is_beacon ? BEACON_POST_US : (i->airtime_us + 999) / 1000 * 1000;
}

/** What must be free before the later of two: only class B keeps the beacon's guard. */
static uint32_t pre_us(const struct jit *j, const struct jit_item *later, bool is_class_b)
{
	return TX_START_US + j->forwarder->jit_us + (later->is_beacon && is_class_b ? BEACON_GUARD_US : 0);
}

static bool overlaps(const struct jit *j, const struct jit_item *a, const struct jit_item *b, bool is_class_b)
{
	int32_t a_to_b = (int32_t)(b->tmst_us - a->tmst_us);
	if (a_to_b >= 0)
		return (int64_t)a_to_b - pre_us(j, b, is_class_b) < (int64_t)post_us(a) + TX_MARGIN_US;
	return -(int64_t)a_to_b - pre_us(j, a, is_class_b) < (int64_t)post_us(b) + TX_MARGIN_US;
}

static const struct jit_item *colliding(const struct jit *j, const struct jit_item *item, bool is_class_b)
{
	for (unsigned i = 0; i < j->n; i++)
		if (overlaps(j, &j->v[i], item, is_class_b))
			return &j->v[i];
	return NULL;
}

/** First gap for an immediate packet: at once, or after whatever is in the way. */
static void place_imme(const struct jit *j, uint32_t now_us, struct jit_item *item)
{
	item->tmst_us = now_us + j->forwarder->imme_us;
	for (unsigned tries = 0; tries <= JIT_MAX; tries++) {
		const struct jit_item *other = colliding(j, item, false);
		if (!other)
			return;
		item->tmst_us = other->tmst_us + post_us(other) + TX_START_US + 2 * j->forwarder->jit_us + TX_MARGIN_US;
	}
}

enum tx_result jit_admit(struct jit *j, uint32_t now_us, const struct txpk *tx, uint32_t tmms_us, uint32_t airtime_us,
	uint32_t *ret_tmst)
{
	bool is_class_b = tx->when == TXPK_TMMS;
	struct jit_item item = { .tmst_us = is_class_b ? tmms_us : tx->tmst_us, .airtime_us = airtime_us };
	if (tx->freq_hz < j->min_hz || tx->freq_hz > j->max_hz)
		return TX_RESULT_TX_FREQ;
	if (j->n == JIT_MAX)
		return TX_RESULT_COLLISION_PACKET;
	if (tx->when == TXPK_IMME)
		place_imme(j, now_us, &item);
	uint32_t lead_us = item.tmst_us - now_us;
	if (lead_us <= TX_START_US + TX_MARGIN_US + j->forwarder->jit_us)
		return TX_RESULT_TOO_LATE;
	if (lead_us > MAX_LEAD_US)
		return TX_RESULT_TOO_EARLY;
	const struct jit_item *other = colliding(j, &item, is_class_b);
	if (other)
		return other->is_beacon ? TX_RESULT_COLLISION_BEACON : TX_RESULT_COLLISION_PACKET;
	j->v[j->n++] = item;
	*ret_tmst = item.tmst_us;
	return TX_RESULT_SUCCESS;
}

void jit_beacon(struct jit *j, uint32_t tmst_us)
{
	if (j->n < JIT_MAX)
		j->v[j->n++] = (struct jit_item){ .tmst_us = tmst_us, .is_beacon = true };
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

enum tx_result jit_power(const struct jit *j, int wish_dbm, struct txack *ret)
{
	if (j->forwarder->refuses_power) {
		for (size_t i = 0; i < COUNT(powers_sx1301); i++)
			if (powers_sx1301[i] == wish_dbm)
				return TX_RESULT_SUCCESS;
		return TX_RESULT_TX_POWER;
	}
	ret->power_dbm = wish_dbm < MIN_SX1302_DBM ? MIN_SX1302_DBM : wish_dbm > MAX_SX1302_DBM ? MAX_SX1302_DBM : wish_dbm;
	ret->has_power = ret->power_dbm != wish_dbm;
	return TX_RESULT_SUCCESS;
}

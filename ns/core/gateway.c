/** @file Gateways: those of the registry and those that were just heard. */
#include "ns/core/gateway.h"
#include "common/core/clock.h"
#include "common/core/err.h"
#include "ns/core/limits.h"
#include <stdlib.h>
#include <string.h>

enum { POWER_LEAST_DBM = 2, NO_LIMIT_PPM = 1000000 };
#define FORGET_US (60 * SEC_US)

static void forget(struct gateways *t, struct gateway *g)
{
	HASH_DELETE(by_eui, t->by_eui, g);
	free(g->status);
	free(g);
}

void gateways_done(struct gateways *t)
{
	struct gateway *g, *next;
	HASH_CLEAR(by_uid, t->by_uid);
	HASH_ITER(by_eui, t->by_eui, g, next)
		forget(t, g);
}

struct gateway *gateways_find(const struct gateways *t, uint64_t eui)
{
	struct gateway *g;
	HASH_FIND(by_eui, t->by_eui, &eui, sizeof(eui), g);
	return g;
}

struct gateway *gateways_by_uid(const struct gateways *t, uint64_t uid)
{
	struct gateway *g;
	HASH_FIND(by_uid, t->by_uid, &uid, sizeof(uid), g);
	return g;
}

static bool may_forget(const struct gateway *g, uint64_t now_us)
{
	if (g->uid || g->uses || g->seen_us + FORGET_US > now_us)
		return false;
	for (unsigned i = 0; i < REGION_BANDS; i++)
		if (ledger_used_us(&g->ledger, i, now_us))
			return false;
	return true;
}

/* A flood of made-up EUIs must not cost a search of the whole table each. */
static void forget_strangers(struct gateways *t, uint64_t now_us)
{
	struct gateway *g, *next;
	if (t->searched_us && now_us < t->searched_us + SEC_US)
		return;
	t->searched_us = now_us;
	HASH_ITER(by_eui, t->by_eui, g, next)
		if (may_forget(g, now_us))
			forget(t, g);
}

static struct gateway *make(struct gateways *t, uint64_t eui, uint64_t now_us, size_t most)
{
	struct gateway *g = gateways_find(t, eui);
	if (g) {
		g->seen_us = now_us;
		return g;
	}
	if (HASH_CNT(by_eui, t->by_eui) >= most)
		forget_strangers(t, now_us);
	if (HASH_CNT(by_eui, t->by_eui) >= most)
		return NULL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->eui = eui;
	g->seen_us = now_us;
	HASH_ADD(by_eui, t->by_eui, eui, sizeof(g->eui), g);
	if (HASH_IS_IN(by_eui, g))
		return g;
	free(g);
	return NULL;
}

struct gateway *gateways_make(struct gateways *t, uint64_t eui, uint64_t now_us)
{
	return make(t, eui, now_us, NS_GATEWAYS_MAX);
}

void gateways_unregister(struct gateways *t, struct gateway *g)
{
	if (!g->uid)
		return;
	HASH_DELETE(by_uid, t->by_uid, g);
	g->uid = 0;
	g->ledger.is_exempt = false;
	memset(&g->record, 0, sizeof(g->record));
}

struct gateway *gateways_register(struct gateways *t, uint64_t uid, const struct ns_gateway *record, uint64_t now_us)
{
	/* Strangers, however many, take no room from registered ones. */
	struct gateway *old = gateways_by_uid(t, uid), *g = make(t, record->gateway_eui, now_us, 2 * NS_GATEWAYS_MAX);
	if (!g)
		return NULL;
	if (old)
		gateways_unregister(t, old);
	gateways_unregister(t, g);
	g->uid = uid;
	g->record = *record;
	memcpy(g->id, record->gateway_id, sizeof(g->id));
	HASH_ADD(by_uid, t->by_uid, uid, sizeof(g->uid), g);
	if (!HASH_IS_IN(by_uid, g)) {
		g->uid = 0;
		return NULL;
	}
	const struct plan *p = plan_find(str_of(record->plan));
	if (p)
		gateway_set_region(g, p->region);
	g->ledger.is_exempt = record->no_duty_cycle;
	return g;
}

int gateway_set_status(struct gateway *g, const struct gateway_status *m)
{
	if (!g->status)
		g->status = malloc(sizeof(*g->status));
	if (!g->status)
		return -ENOMEM;
	*g->status = *m;
	return 0;
}

void gateway_set_region(struct gateway *g, const struct region *r)
{
	/* The bands of another region are other bands. Without one so far, they may have come from the store already. */
	if (g->ledger.region && g->ledger.region != r) {
		bool is_exempt = g->ledger.is_exempt;
		ledger_init(&g->ledger, r);
		g->ledger.is_exempt = is_exempt;
	}
	g->ledger.region = r;
}

int gateway_power_cap(const struct gateway *g, uint32_t freq_hz)
{
	const struct region_band *b = g->ledger.region ? region_band(g->ledger.region, freq_hz) : NULL;
	return b ? g->power_cap_dbm[b - g->ledger.region->bands] : 0;
}

void gateway_set_power_cap(struct gateway *g, uint32_t freq_hz, int eirp_dbm)
{
	const struct region_band *b = g->ledger.region ? region_band(g->ledger.region, freq_hz) : NULL;
	if (b)
		g->power_cap_dbm[b - g->ledger.region->bands] = (int8_t)(eirp_dbm < POWER_LEAST_DBM ? POWER_LEAST_DBM : eirp_dbm);
}

/* Crystals are right within 20 ppm; the counter comes round after 71 minutes. */
enum { DRIFT_PPM = 20 };
#define CLOCK_US (1800 * SEC_US)
#define GPS_US   (120 * SEC_US)

void gateway_set_clocks(struct gateway *g, const struct gateway_status *m)
{
	g->is_timed = MSG_HAS(m, clock_known) && m->clock_known;
	g->has_gps = MSG_HAS(m, has_gps) && m->has_gps;
	if (MSG_HAS(m, clock_known) && !m->clock_known)
		g->clock.is_known = false;
	if (MSG_HAS(m, has_gps) && !m->has_gps)
		g->gps_us = 0;
}

void gateway_lost_gps(struct gateway *g)
{
	g->gps_us = 0;
	g->has_gps = false;
}

bool gateway_tmst(const struct gateway *g, uint64_t mono_us, uint32_t *ret_tmst_us)
{
	if (!g->clock.is_known || mono_us > g->clock.mono_us + CLOCK_US)
		return false;
	*ret_tmst_us = g->clock.tmst_us + (uint32_t)(mono_us - g->clock.mono_us);
	return true;
}

uint32_t gateway_drift_us(const struct gateway *g, uint64_t mono_us)
{
	return mono_us > g->clock.mono_us ? (uint32_t)((mono_us - g->clock.mono_us) * DRIFT_PPM / 1000000) : 0;
}

bool gateway_has_gps(const struct gateway *g, uint64_t mono_us)
{
	return g->has_gps || (g->gps_us && mono_us < g->gps_us + GPS_US);
}

size_t gateway_sub_bands(const struct gateway *g, uint64_t now_us, struct sub_band ret[REGION_BANDS])
{
	const struct region *r = g->ledger.region;
	for (size_t i = 0; r && i < r->n_bands; i++)
		ret[i] = (struct sub_band){
			.min_hz = r->bands[i].min_hz,
			.max_hz = r->bands[i].max_hz,
			.limit_ppm = g->ledger.is_exempt ? NO_LIMIT_PPM : r->bands[i].duty_ppm,
			.used_ppm = (uint32_t)(ledger_used_us(&g->ledger, (unsigned)i, now_us) / (3600 * SEC_US / 1000000)),
		};
	return r ? r->n_bands : 0;
}

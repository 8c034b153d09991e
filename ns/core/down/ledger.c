/** @file The airtime of one gateway: conflicts, duty cycle, and slices of it that are reserved on disk. */
#include "ns/core/down/ledger.h"
#include "common/core/clock.h"
#include "common/core/err.h"
#include "ns/core/limits.h"
#include <string.h>

enum { RECORD_VERSION = 1, HOUR_MINUTES = 60, SLICES = 16, SLICE_LEAST_US = 3000000, CEILINGS = 7 };
#define MINUTE_US (60 * SEC_US)
#define HOUR_US   (3600 * SEC_US)

static const uint8_t ceiling_tenths[CEILINGS] = { 4, 5, 6, 7, 8, 9, 10 };

void ledger_init(struct ledger *l, const struct region *r)
{
	memset(l, 0, sizeof(*l));
	l->region = r;
}

static int band_of(const struct ledger *l, uint32_t freq_hz)
{
	const struct region_band *b = l->region ? region_band(l->region, freq_hz) : NULL;
	return b ? (int)(b - l->region->bands) : -1;
}

/* Legal share of the hour [us]. */
static uint64_t budget_us(const struct ledger *l, unsigned band)
{
	return HOUR_US / 1000000 * l->region->bands[band].duty_ppm;
}

static bool is_unlimited(const struct ledger *l, unsigned band)
{
	return l->is_exempt || l->region->bands[band].duty_ppm >= 1000000;
}

static uint32_t slice_us(const struct ledger *l, unsigned band)
{
	uint64_t budget = budget_us(l, band), slice = budget / SLICES;
	if (slice < SLICE_LEAST_US)
		slice = SLICE_LEAST_US;
	return (uint32_t)(slice < budget ? slice : budget);
}

/* Make buckets up to a minute exist; those that are passed over are empty. */
static void band_advance(struct ledger_band *b, uint64_t minute)
{
	if (minute <= b->minute)
		return;
	uint64_t steps = minute - b->minute;
	for (uint64_t i = 0; i < steps && i < LEDGER_MINUTES; i++)
		b->used_us[(minute - i) % LEDGER_MINUTES] = 0;
	b->minute = minute;
}

uint64_t ledger_used_us(const struct ledger *l, unsigned band, uint64_t now_us)
{
	const struct ledger_band *b = &l->band[band];
	uint64_t from = now_us / MINUTE_US, sum = 0;
	from = from > HOUR_MINUTES ? from - HOUR_MINUTES : 0;
	for (uint64_t i = 0; i < LEDGER_MINUTES && i <= b->minute && b->minute - i >= from; i++)
		sum += b->used_us[(b->minute - i) % LEDGER_MINUTES];
	return sum;
}

/* How much later it must begin to come behind this plan; 0: they do not meet. The gateway's counter tells exactly, where it is known
 * of both. */
static uint64_t behind_us(const struct ledger_plan *p, const struct ledger_tx *t)
{
	if (ulid_is_none(&p->id) || p->end_us + SEC_US < t->start_us)
		return 0;
	int64_t after = (int64_t)(t->start_us - (p->end_us - p->span_us));
	if (!p->is_loose && !t->is_loose)
		after = (int32_t)(t->tmst_us - p->tmst_us);
	int64_t gap = after >= 0 ? after - p->span_us : -after - t->airtime_us - t->slack_us;
	return gap < NS_GAP_US ? (uint64_t)(p->span_us + NS_GAP_US - after) : 0;
}

uint64_t ledger_wait_us(const struct ledger *l, const struct ledger_tx *t)
{
	struct ledger_tx moved = *t;
	for (size_t i = 0; i < LEDGER_PLANNED;) {
		uint64_t wait_us = behind_us(&l->plan[i++], &moved);
		if (!wait_us)
			continue;
		moved.start_us += wait_us;
		moved.tmst_us += (uint32_t)wait_us;
		i = 0; /* it only ever moves on, so this comes to an end */
	}
	return moved.start_us - t->start_us;
}

unsigned ledger_share(const struct ledger *l, uint32_t freq_hz, uint64_t now_us)
{
	int band = band_of(l, freq_hz);
	if (band < 0 || is_unlimited(l, (unsigned)band))
		return 0;
	return (unsigned)(ledger_used_us(l, (unsigned)band, now_us) * 1000 / budget_us(l, (unsigned)band));
}

unsigned ledger_planned(const struct ledger *l, uint64_t now_us)
{
	unsigned n = 0;
	for (size_t i = 0; i < LEDGER_PLANNED; i++)
		n += !ulid_is_none(&l->plan[i].id) && l->plan[i].end_us > now_us;
	return n;
}

static void band_settle(struct ledger_band *b, uint64_t durable_batch)
{
	if (b->asked_batch && b->asked_batch <= durable_batch) {
		b->left_us = b->asked_us;
		b->asked_batch = 0;
	}
}

int ledger_check(struct ledger *l, const struct ledger_tx *t, uint64_t durable_batch)
{
	int band = band_of(l, t->freq_hz);
	if (band < 0)
		return LEDGER_E_BAND;
	if (ledger_wait_us(l, t))
		return LEDGER_E_CONFLICT;
	if (is_unlimited(l, (unsigned)band))
		return 0;
	unsigned priority = t->priority < CEILINGS ? t->priority : CEILINGS - 1;
	uint64_t ceiling = budget_us(l, (unsigned)band) * ceiling_tenths[priority] / 10;
	if (ledger_used_us(l, (unsigned)band, t->start_us) + t->airtime_us > ceiling)
		return LEDGER_E_DUTY;
	band_settle(&l->band[band], durable_batch);
	return l->band[band].left_us < t->airtime_us ? LEDGER_E_UNRESERVED : 0;
}

static uint32_t less(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

void ledger_book(struct ledger *l, const struct ledger_tx *t, const struct ulid *id)
{
	int n = band_of(l, t->freq_hz);
	if (n < 0)
		return;
	struct ledger_band *b = &l->band[n];
	uint64_t minute = t->start_us / MINUTE_US;
	band_advance(b, minute);
	b->used_us[minute % LEDGER_MINUTES] += t->airtime_us;
	b->left_us = less(b->left_us, t->airtime_us);
	b->asked_us = less(b->asked_us, t->airtime_us);

	/* The place of the emission that ended first: the forwarder's own queue is no longer than this table. */
	struct ledger_plan *p = &l->plan[0];
	for (size_t i = 1; i < LEDGER_PLANNED; i++)
		if (l->plan[i].end_us < p->end_us)
			p = &l->plan[i];
	uint32_t span_us = t->airtime_us + t->slack_us;
	*p = (struct ledger_plan){ .id = *id, .is_loose = t->is_loose, .tmst_us = t->tmst_us, .airtime_us = t->airtime_us,
		.span_us = span_us, .end_us = t->start_us + span_us, .minute = minute, .band = (uint8_t)n };
}

void ledger_unbook(struct ledger *l, const struct ulid *id)
{
	for (size_t i = 0; i < LEDGER_PLANNED; i++) {
		struct ledger_plan *p = &l->plan[i];
		if (!ulid_eq(&p->id, id))
			continue;
		struct ledger_band *b = &l->band[p->band];
		uint32_t *used = &b->used_us[p->minute % LEDGER_MINUTES];
		if (b->minute - p->minute < LEDGER_MINUTES)
			*used = less(*used, p->airtime_us);
		*p = (struct ledger_plan){ .end_us = 0 };
		return;
	}
}

static void record_write(const struct ledger_band *b, uint32_t slice, uint8_t ret_record[LEDGER_RECORD])
{
	struct writer w = writer_of(ret_record, LEDGER_RECORD);
	writer_u8(&w, RECORD_VERSION);
	writer_be64(&w, b->minute);
	writer_be32(&w, slice);
	for (size_t i = 0; i < LEDGER_MINUTES; i++)
		writer_be32(&w, b->used_us[i]);
}

bool ledger_reserve(struct ledger *l, uint32_t freq_hz, uint64_t now_us, uint64_t batch, unsigned *ret_band,
	uint8_t ret_record[LEDGER_RECORD])
{
	int n = band_of(l, freq_hz);
	if (n < 0 || is_unlimited(l, (unsigned)n))
		return false;
	struct ledger_band *b = &l->band[n];
	uint32_t slice = slice_us(l, (unsigned)n), have = b->asked_batch ? b->asked_us : b->left_us;
	if (have >= slice / 2 + slice / 4)
		return false;
	band_advance(b, now_us / MINUTE_US);
	b->asked_us = slice;
	b->asked_batch = batch;
	record_write(b, slice, ret_record);
	*ret_band = (unsigned)n;
	return true;
}

bool ledger_give_back(struct ledger *l, unsigned band, uint8_t ret_record[LEDGER_RECORD])
{
	struct ledger_band *b = &l->band[band];
	if (!b->left_us && !b->asked_us)
		return false;
	b->left_us = b->asked_us = 0;
	b->asked_batch = 0;
	record_write(b, 0, ret_record);
	return true;
}

int ledger_load(struct ledger *l, unsigned band, struct slice record, uint64_t now_us)
{
	struct reader r = reader_of(record.p, record.n);
	if (band >= REGION_BANDS || reader_u8(&r) != RECORD_VERSION)
		return -EBADMSG;
	struct ledger_band b = { .minute = reader_be64(&r) };
	uint32_t slice = reader_be32(&r);
	for (size_t i = 0; i < LEDGER_MINUTES; i++)
		b.used_us[i] = reader_be32(&r);
	if (r.failed || reader_left(&r))
		return -EBADMSG;
	/* A clock that was set back since then: what lies ahead of it counts as used just now. */
	uint64_t minute = now_us / MINUTE_US;
	if (b.minute > minute + 1) {
		uint64_t sum = 0;
		for (size_t i = 0; i < LEDGER_MINUTES; i++) {
			sum += b.used_us[i];
			b.used_us[i] = 0;
		}
		b.minute = minute;
		b.used_us[minute % LEDGER_MINUTES] = (uint32_t)sum;
	}
	band_advance(&b, minute);
	b.used_us[minute % LEDGER_MINUTES] += slice;
	l->band[band] = b;
	return 0;
}

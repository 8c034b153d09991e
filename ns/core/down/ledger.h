/** @file The airtime of one gateway: every emission of the last hour and all that is planned.
 *
 * Two questions are asked before an emission: does it overlap another one, and does its sub-band's duty cycle allow it.
 * An emission stays booked unless the gateway refused it. Time here is UTC that never steps (microseconds of the process's
 * monotonic clock, moved to UTC once at its start), so that records make sense after a restart.
 *
 * Durable in slices: the record of a sub-band says what was used and a slice that may be used without writing again;
 * after a crash the whole slice counts as used. So no commit stands before an emission, and the law holds even so.
 */
#pragma once
#include "common/core/bytes.h"
#include "common/core/id.h"
#include "proto/region/region.h"

enum { LEDGER_MINUTES = 64, LEDGER_PLANNED = 32, LEDGER_RECORD = 4 * LEDGER_MINUTES + 13 };
enum ledger_error { LEDGER_E_CONFLICT = 1, LEDGER_E_DUTY, LEDGER_E_BAND, LEDGER_E_UNRESERVED };
enum { PRIORITY_HIGHEST = 6 };

struct ledger_band {
	uint64_t minute;                     /**< the newest minute that has a bucket */
	uint32_t used_us[LEDGER_MINUTES];    /**< by minute modulo LEDGER_MINUTES */
	uint32_t left_us;                    /**< of the slice that is on disk */
	uint32_t asked_us;                   /**< left of the slice written last */
	uint64_t asked_batch;                /**< 0: none is waited for */
};

struct ledger_plan {
	struct ulid id;        /**< of the emission; none: free */
	bool is_loose;
	uint32_t tmst_us, airtime_us;
	uint32_t span_us;      /**< airtime, and how much later it may begin */
	uint64_t end_us;
	uint64_t minute;
	uint8_t band;
};

struct ledger {
	const struct region *region;
	bool is_exempt; /**< the operator answers for the law: conflicts alone are looked at */
	struct ledger_band band[REGION_BANDS];
	struct ledger_plan plan[LEDGER_PLANNED];
};

/** An emission to be: when, by the gateway's counter and by the ledger's clock, where and how long. */
struct ledger_tx {
	bool is_loose;     /**< the gateway's counter is not known: start_us counts, and slack_us */
	uint32_t tmst_us;
	uint64_t start_us;
	uint32_t freq_hz, airtime_us;
	uint32_t slack_us; /**< it may begin so much later */
	unsigned priority; /**< 0 LOWEST .. 6 HIGHEST: how much of the legal share it may fill */
};

void ledger_init(struct ledger *l, const struct region *r);
/** @return 0; LEDGER_E_CONFLICT; LEDGER_E_DUTY; LEDGER_E_BAND nobody may send there; LEDGER_E_UNRESERVED the slice is used up
 *          and the next one not yet on disk */
int ledger_check(struct ledger *l, const struct ledger_tx *t, uint64_t durable_batch);
/** How much later than it asks for an emission overlaps no other one [us]. */
uint64_t ledger_wait_us(const struct ledger *l, const struct ledger_tx *t);
/** The share of a frequency's legal airtime that is used [0.1 %]; 0 where there is no limit. */
unsigned ledger_share(const struct ledger *l, uint32_t freq_hz, uint64_t now_us);
/** Emissions that are planned from now on. */
unsigned ledger_planned(const struct ledger *l, uint64_t now_us);
/** Book what was checked. */
void ledger_book(struct ledger *l, const struct ledger_tx *t, const struct ulid *id);
/** The gateway refused it: nothing was sent. */
void ledger_unbook(struct ledger *l, const struct ulid *id);
/** Does the sub-band of a frequency need a new slice? If so the record to write is made, and waited for.
 * @param ret_band    which record
 * @param ret_record  LEDGER_RECORD octets
 * @return whether to write it */
bool ledger_reserve(struct ledger *l, uint32_t freq_hz, uint64_t now_us, uint64_t batch, unsigned *ret_band,
	uint8_t ret_record[LEDGER_RECORD]);
/** At an orderly end: the record without a slice. @return whether there is one to write */
bool ledger_give_back(struct ledger *l, unsigned band, uint8_t ret_record[LEDGER_RECORD]);
/** Take a record back at start; its slice counts as used now. @return 0; -EBADMSG */
int ledger_load(struct ledger *l, unsigned band, struct slice record, uint64_t now_us);
/** Airtime of the hour before now_us, and what is planned [us]. */
uint64_t ledger_used_us(const struct ledger *l, unsigned band, uint64_t now_us);

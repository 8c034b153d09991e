/** @file Frames of the last second, each with the copies of it that gateways heard.
 *
 * A frame is known by its octets and data rate: no device repeats one so soon, so the same on another frequency is what a gateway
 * next to the device hears beside its channel, and the frequency of the best copy is the true one. Its window opens with the first copy; when it closes, the copies
 * so far are the frame's metadata. The frame stays known until NS_LATE_US, so that later copies are not taken for repetitions.
 * Both delays are the same for all frames, so two lists in order of arrival are all the timers there are.
 */
#pragma once
#include "ns/core/limits.h"
#include "ns/core/pool.h"
#include "proto/lorawan/modu.h"
#include "proto/cids.h"

struct gateway;

/** The ids that a message carries, outside of any message. */
struct cid_list {
	uint16_t len;
	struct cid v[NS_CIDS_MAX];
};

struct copy {
	struct copy *next;
	struct gateway *gateway;  /**< NULL: more gateways than are held */
	struct ulid uplink;       /**< gs:uplink: one reception */
	uint64_t request;         /**< of the gs, to be answered; 0: none */
	uint64_t heard_mono_us;   /**< end of reception at the gateway, at the latest */
	uint32_t path_us, freq_hz;
	struct rx_meta rx;
};

enum reception_kind { RECEPTION_DROPPED, RECEPTION_DATA, RECEPTION_JOIN };

struct reception {
	struct reception *next_hash, *newer;
	uint64_t first_mono_us, first_unix_us;
	uint32_t hash, freq_hz;
	struct modu modu;
	uint8_t kind; /**< enum reception_kind: what the first copy was found to be */
	bool is_closed, is_repeat, is_stale, is_ack;
	uint8_t dr;
	uint32_t f_cnt;
	uint64_t device;
	struct ulid session;
	uint64_t exchange; /**< ticket of the answer that is planned; 0: none */
	struct copy *first, *last;
	struct copy *beside; /**< once closed: those on another frequency than the best one */
	uint32_t n_copies;
	struct cid_list cids;
	uint16_t len;
	uint8_t phy[255];
};

struct dedup {
	struct pool receptions, copies;
	struct reception **bucket;
	size_t n_buckets;
	uint32_t seed;
	uint64_t window_us;
	struct reception *oldest, *newest, *open; /**< by arrival; `open`: the first whose window is not closed */
};

/** @return 0; -ENOMEM */
int dedup_init(struct dedup *d, uint64_t window_us, uint32_t seed);
void dedup_done(struct dedup *d);

/** NULL: not heard before. */
struct reception *dedup_find(struct dedup *d, const struct gs_uplink *up, const struct modu *m);
/** A new frame, without copies. NULL: full */
struct reception *dedup_add(struct dedup *d, const struct gs_uplink *up, const struct modu *m, const struct now *now);
/** Add a copy to a frame whose window is open.
 * @return the copy, to be filled in; NULL: there are NS_COPIES_MAX already */
struct copy *dedup_copy(struct dedup *d, struct reception *r);
/** The copy of this very reception (gs:uplink); NULL: it was not added before. */
struct copy *dedup_copy_of(const struct reception *r, const struct ulid *uplink);
/** The next frame whose window is over; it counts as closed from now on. NULL: none */
struct reception *dedup_close(struct dedup *d, uint64_t now_us);
/** Of a closed frame: its frequency is that of its best copy; those on another one are put aside. */
void dedup_choose(struct reception *r);
/** Give a closed frame's copies back. */
void dedup_drop_copies(struct dedup *d, struct reception *r);
/** Forget frames that are older than NS_LATE_US. */
void dedup_forget(struct dedup *d, uint64_t now_us);
uint64_t dedup_deadline_us(const struct dedup *d);

/** @file Devices and their sessions: the replica of the registry's network half, and the live state beside it. */
#pragma once
#include "ns/core/down/counter.h"
#include "ns/core/up/dedup.h"
#include "ns/core/hash.h"
#include "ns/core/down/listening.h"
#include "ns/core/mac/mac_state.h"
#include "proto/lorawan/version.h"
#include "proto/region/region.h"

/** An application downlink that was handed out and whose end the as does not know yet. */
struct flight {
	bool is_there, is_confirmed;
	struct ulid item, session;
	uint32_t f_cnt;
};

/** What the join message will say, kept until it was said. */
struct join_story {
	struct cid_list cids;
	uint64_t received_unix_us;
};

/** Counters of confirmed downlinks: the integrity code of a 1.1 uplink with ACK says which one it acknowledges. */
struct conf_list {
	uint8_t n, n_old;              /**< old: the first so many mean nothing new, as their item has its end */
	bool has_acked;
	uint16_t acked;                /**< lower half of the one acknowledged last: a repetition says it again */
	uint16_t v[NS_CONF_MAX];       /**< those sent since, oldest first */
	struct ulid item;              /**< of the newest; none: not known. Not stored */
};

struct session {
	struct session *next_addr; /**< of the same bucket of the index */
	struct dev *dev;
	struct ulid id; /**< session_key_id */
	uint32_t dev_addr;
	struct key f_nwk_s_int, s_nwk_s_int, nwk_s_enc; /**< one and the same in 1.0.x */
	bool is_pending; /**< of a join that no uplink has used yet */
	bool is_by_hand; /**< ABP: made by the operator */
	bool is_v11;     /**< of LoRaWAN 1.1: three keys in use, two downlink counters, FOpts encrypted */
	/* How the device listens. */
	uint8_t rx1_delay_s, rx1_dr_offset, rx2_dr;
	uint32_t rx2_hz;
	struct mac_state mac; /**< all else of its MAC */
	/* Live. */
	uint64_t up_next;   /**< the next FCntUp; 0: none came yet */
	uint64_t up_stored; /**< the same for what is in the record: frames whose window has closed */
	struct counter down;     /**< FCntDown; NFCntDown in 1.1 */
	struct counter app_down; /**< AFCntDown; only in 1.1 */
	uint64_t started_unix_us, seen_unix_us;
	uint64_t seen_mono_us; /**< of the first copy of the last frame, repetitions included; 0: before this process */
	uint32_t last_content;    /**< of the last frame's octets */
	uint8_t last_dr, repeats;
	uint64_t status_unix_us;  /**< DevStatusAns came, or was given up */
	uint64_t status_next;     /**< up_next at that time */
	uint8_t status_asked;     /**< DevStatusReq that are not answered */
	struct flight confirmed; /**< sent, and its ACK awaited with the next uplink */
	struct conf_list conf;   /**< 1.1: what an ACK may mean */
	uint32_t rejoin_next;    /**< the next RJcount0; above UINT16_MAX: used up [LW1.1 6.2.4.1] */
	uint32_t rejoin_hash;    /**< of the last rejoin-request's octets */
	uint64_t rejoin_unix_us; /**< and when it came; both not stored */
	struct hearer hearers[NS_PATHS_MAX]; /**< best first */
	uint8_t n_hearers;
	uint64_t up_end_us;      /**< end of the last uplink [mono]; 0: none lately */
	uint64_t air_until_us;   /**< end of the last emission to it [mono] */
	uint64_t cast_us;        /**< begin of the last one at a time of our choosing [mono]; 0: none */
	struct join_story *story; /**< NULL: the join is told */
	bool join_told;
	uint64_t batch; /**< the record of a new session is in it */
};

struct dev {
	uint64_t uid; /**< registry number */
	uint64_t euis[2]; /**< join_eui, dev_eui */
	bool has_dev_eui, has_euis;
	const struct mac_rules *rules;
	uint32_t mac_version, phy_version;
	const struct plan *plan; /**< NULL: unknown here */
	struct mac_settings mac;
	bool supports_join, class_c, multicast;
	uint32_t generation, reset;
	uint32_t rejoin;      /**< raised when the operator wants it to rejoin */
	struct session *current, *pending;
	struct flight flight; /**< the item of the exchange that runs; durable */
	uint64_t exchange;    /**< ticket of the answer to a data uplink; 0: none */
	uint64_t join;        /**< likewise of the one that carries a join-accept */
	uint32_t waiting;     /**< items that wait, as the as said last */
	uint32_t waiting_epoch;
	struct listening listening;
	uint64_t groups[NS_GROUPS_MAX]; /**< multicast groups that it is a member of, by registry number; 0: none */
	uint8_t covered_by; /**< scratch of multicast_cover */
	bool is_named; /**< by the full set that is coming in */
	struct dev *same_dev_eui; /**< others may have this DevEUI, with another JoinEUI */
	UT_hash_handle by_uid, by_euis, by_dev_eui;
};

struct devices {
	struct dev *by_uid, *by_euis, *by_dev_eui;
	struct session **addr; /**< buckets by DevAddr */
	size_t n_addr, n_sessions;
};

/** @return 0; -ENOMEM */
int devices_init(struct devices *t);
void devices_done(struct devices *t);
struct dev *devices_find(const struct devices *t, uint64_t uid);
struct dev *devices_by_euis(const struct devices *t, uint64_t join_eui, uint64_t dev_eui);
/** The first device of a DevEUI; the others are in `same_dev_eui`. NULL: none */
struct dev *devices_by_dev_eui(const struct devices *t, uint64_t dev_eui);
/** Find or make. NULL: too many, or no memory */
struct dev *devices_make(struct devices *t, uint64_t uid);
/** Set or change the EUIs, and the index over them. */
void devices_set_euis(struct devices *t, struct dev *d, bool has_dev_eui, uint64_t dev_eui, bool has_join_eui, uint64_t join_eui);
/** Remove with its sessions. */
void devices_delete(struct devices *t, struct dev *d);

/** A new session of a device, in no slot and no index yet. NULL: no memory */
struct session *session_new(struct dev *d);
void session_free(struct session *s); /**< keys are overwritten */
DEFINE_AUTO(struct session, session_free);
/** Hand a session to its device, taking the place of the one that is there.
 * @param s  taken; NULL: just remove */
void devices_take_current(struct devices *t, struct dev *d, struct session *s);
void devices_take_pending(struct devices *t, struct dev *d, struct session *s);
/** The pending session becomes the current one. */
void devices_promote(struct devices *t, struct dev *d);
/** The device's session of an id; NULL: neither. */
struct session *dev_session(const struct dev *d, const struct ulid *id);
/** A confirmed downlink leaves, an attempt of this item (said for each gateway). One was acknowledged: of the older ones no more will be. */
void session_conf_add(struct session *s, const struct ulid *item, uint32_t f_cnt);
void session_conf_acked(struct session *s, uint16_t f_cnt);
/** The counter of a downlink with an application's payload (FPort 1 and up), and of one without. [LW1.1 4.3.1.5] */
static inline struct counter *session_app_counter(struct session *s)
{
	return s->is_v11 ? &s->app_down : &s->down;
}
static inline struct counter *session_net_counter(struct session *s)
{
	return &s->down;
}
/** May the next value of each counter be used? (counter_ready) */
static inline bool session_counters_ready(struct session *s, uint64_t durable)
{
	bool is_net_ready = counter_ready(session_net_counter(s), durable);
	return counter_ready(session_app_counter(s), durable) && is_net_ready;
}
/** First session of a DevAddr; go on with sessions_next. NULL: none */
struct session *sessions_first(const struct devices *t, uint32_t dev_addr);
struct session *sessions_next(const struct session *s);

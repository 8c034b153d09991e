/** @file Gateways: those of the registry and those that were just heard, where they can be reached, and their ledgers. */
#pragma once
#include "ns/core/hash.h"
#include "ns/core/down/ledger.h"
#include "proto/schema.h"

struct gateway {
	uint64_t eui;
	char id[37];              /**< as the gs calls it */
	uint64_t uid;             /**< registry number; 0: not registered */
	struct ns_gateway record; /**< as the registry has it, if registered */
	bool is_named;            /**< by the full set that is coming in */
	uint64_t seen_us;         /**< last heard of, by the ledger's clock; 0: not since the start */
	uint32_t gs;              /**< connection that it was heard through last; 0: none now */
	bool can_send;
	uint32_t path_us;         /**< p95 one-way time to its forwarder, as heard last */
	struct {
		bool is_known;
		uint64_t mono_us; /**< a moment, */
		uint32_t tmst_us; /**< and what its counter was then */
	} clock;
	uint64_t gps_us;          /**< last proof that it has GPS time [mono]; 0: none */
	bool is_timed;            /**< its gs knows its counter, and keeps a time by that */
	bool has_gps;             /**< its gs says so */
	unsigned uses;            /**< ways of casts that refer to it */
	uint32_t reach;           /**< scratch of multicast_cover: 0 beside it */
	struct gateway *reach_next;
	int8_t power_cap_dbm[REGION_BANDS]; /**< by sub-band: its forwarder refused more; 0: no such limit */
	struct gateway_status *status; /**< the last one; NULL: none came */
	struct ledger ledger;
	UT_hash_handle by_eui, by_uid;
};

struct gateways {
	struct gateway *by_eui, *by_uid;
	uint64_t searched_us; /**< nobody could be forgotten then */
};

void gateways_done(struct gateways *t);
struct gateway *gateways_find(const struct gateways *t, uint64_t eui);
struct gateway *gateways_by_uid(const struct gateways *t, uint64_t uid);
/** Find or make. A full table forgets an unregistered one that was not heard of for a minute, which is longer than anything
 * refers to it, and sent nothing for an hour. @param now_us  the ledger's clock. @return NULL: too many, or no memory */
struct gateway *gateways_make(struct gateways *t, uint64_t eui, uint64_t now_us);
/** Let it be what the registry says; one that had this number under another EUI is registered no longer. */
struct gateway *gateways_register(struct gateways *t, uint64_t uid, const struct ns_gateway *record, uint64_t now_us);
/** It stays known by its EUI, as its airtime still counts. */
void gateways_unregister(struct gateways *t, struct gateway *g);
/** Remember a status. @return 0; -ENOMEM */
int gateway_set_status(struct gateway *g, const struct gateway_status *m);
/** Where it is: its ledger is about the sub-bands of that region. */
void gateway_set_region(struct gateway *g, const struct region *r);
/** The most that its forwarder takes there [dBm EIRP]; 0: it never refused any. */
int gateway_power_cap(const struct gateway *g, uint32_t freq_hz);
void gateway_set_power_cap(struct gateway *g, uint32_t freq_hz, int eirp_dbm);
/** What its gs says of its clocks. Where that is in doubt of its counter, so are we. */
void gateway_set_clocks(struct gateway *g, const struct gateway_status *m);
/** Its forwarder refused GPS time. */
void gateway_lost_gps(struct gateway *g);
/** Its counter at a moment. @return false: not known well enough */
bool gateway_tmst(const struct gateway *g, uint64_t mono_us, uint32_t *ret_tmst_us);
/** How far its counter may be off by now [us]. */
uint32_t gateway_drift_us(const struct gateway *g, uint64_t mono_us);
bool gateway_has_gps(const struct gateway *g, uint64_t mono_us);
/** The airtime used, by sub-band. @param now_us  the ledger's clock. @return how many there are; 0 where its region is not known */
size_t gateway_sub_bands(const struct gateway *g, uint64_t now_us, struct sub_band ret[REGION_BANDS]);

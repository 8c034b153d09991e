/** @file What the files of the gateway server's core tell each other. */
#pragma once
#include "gs/core/gs.h"
#include "proto/events.h"
#include "proto/semtech/txpk.h"

/* What a forwarder calls powe is what it takes for radiated power; its antenna_gain is that over a dipole as
 * operators enter it. So powe is ERP: 2.15 dB below EIRP, and the bands' 16.15 and 29.15 dBm come as 16
 * and 29. */
enum { EIRP_TO_POWE_DB = 2 };

/** A downlink on its way: held here until its PULL_RESP may leave, then waiting for its TX_ACK. */
struct pending {
	struct heap_node due;
	uint32_t slot, next, gateway; /**< next in the gateway's list, or in the free list */
	uint32_t serial;              /**< of its use of the antenna */
	uint16_t token;
	uint8_t version;
	bool is_answered;
	uint64_t sent_us; /**< when the PULL_RESP left; 0: it is held */
	uint64_t start_us; /**< planned first preamble symbol */
	uint32_t airtime_us;
	int32_t eirp_dbm;
	struct txpk tx;
	struct ulid transmission;
	struct {
		uint16_t len;
		struct cid v[12];
	} cids;
};

/* pending.c */
/** A slot, first in the gateway's list. @return NULL: the gateway or the server has too many */
struct pending *gs_pending_take(struct gs *gs, struct gateway *g);
void gs_pending_free(struct gs *gs, struct pending *p);
/** The one that waits for a TX_ACK with this token. */
struct pending *gs_pending_find(const struct gs *gs, const struct gateway *g, uint16_t token);
/** Why a TX_ACK fits none: late, repeated, or unknown. */
enum gs_drop gs_pending_stray(const struct gateway *g, uint16_t token);
void gs_pending_token(struct gs *gs, const struct gateway *g, struct pending *p);

/* conn.c: who is connected */
/** The gateway's connection, made if need be. @return NULL, and *ret_why says why not */
struct gateway *gs_conn_admit(struct gs *gs, uint64_t eui, const struct gs_peer *from, const struct now *now,
	enum gs_drop *ret_why);
struct gateway *gs_conn_find(const struct gs *gs, uint64_t eui);
void gs_conn_close(struct gs *gs, struct gateway *g, const struct now *now);
/** Id, plan and place by the registry. @return whether something changed */
bool gs_conn_resolve(struct gs *gs, struct gateway *g);
/** Note that it has no plan, once, as soon as the registry is known. */
void gs_conn_plan_note(struct gs *gs, struct gateway *g);
void gs_conn_resolve_all(struct gs *gs, const struct now *now);
/** What is due of a gateway. */
void gs_conn_due(struct gs *gs, struct gateway *g, const struct now *now);

/* up.c: PUSH_DATA */
void gs_up_push(
	struct gs *gs, struct gateway *g, struct gs_source *from, struct str body, const struct now *now);

/* down.c: PULL_RESP */
void gs_down_due(struct gs *gs, struct pending *p, const struct now *now);

/* outcome.c: TX_ACK */
void gs_outcome_tx_ack(
	struct gs *gs, struct gateway *g, const struct semtech_datagram *d, const struct now *now);
/** The end of a downlink without a TX_ACK. */
void gs_outcome_end(struct gs *gs, struct pending *p, enum tx_result result, const struct now *now);
void gs_outcome_abandon(struct gs *gs, struct gateway *g, const struct now *now); /**< its connection ends */

/* status.c */
/** Something worth telling has changed: tell it soon, or at once. */
void gs_status_touch(struct gs *gs, struct gateway *g, uint64_t now_us, bool at_once);
void gs_status_report(struct gs *gs, struct gateway *g, const struct now *now);

/* trace.c: events and drops */
/** Begin an event about a gateway; NULL: nobody takes it. The caller may add ids and data, and ends it. */
struct trace_event *gs_trace_begin(
	struct gs *gs, enum event_id event, const struct gateway *g, const struct now *now);
/** Say whose frame it is, as far as it can be read off: DevAddr, or the DevEUI of a join-request. */
void gs_trace_frame(struct trace_event *e, const uint8_t *phy, size_t n);
/** The JSON object of an event: write into it, then end the event with it. */
struct text gs_trace_data(struct trace_event *e);
void gs_trace_num(struct text *t, const char *name, uint64_t v);
/** @param t  its data; NULL: none */
void gs_trace_end(struct gs *gs, struct trace_event *e, struct text *t);
/** Count a drop, and note it if that was not done within the last minute. @param g  NULL: not connected */
void gs_trace_drop(struct gs *gs, struct gateway *g, uint64_t eui, const struct gs_peer *peer,
	enum gs_drop why, const struct now *now);

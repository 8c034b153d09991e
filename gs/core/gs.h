/** @file The gateway server's core: datagrams, downlink requests and time go in; answers and messages come
 * out.
 *
 * Nothing here blocks, reads a clock or allocates once it is made. What comes out goes to the sink at once,
 * in order.
 */
#pragma once
#include "common/core/clock.h"
#include "common/core/heap.h"
#include "common/core/metric.h"
#include "common/core/rng.h"
#include "gs/core/gateway.h"
#include "gs/core/registry.h"
#include "proto/events.h"
#include "proto/schema.h"
#include "proto/semtech/push.h"
#include "proto/tables.h"

enum gs_drop {
	GS_DROP_NONE,
#define DROP(symbol, word, meaning) GS_DROP_##symbol,
#include "gs/core/drops.def"
#undef DROP
	GS_DROP_N
};

struct gs_metrics {
#define METRIC(member, kind, name, help) METRIC_MEMBER_##kind member;
#define METRIC_BY(member, n, kind, name, label, word, help) METRIC_MEMBER_##kind member[n];
#include "gs/core/metrics.def"
#undef METRIC
#undef METRIC_BY
};

/** What somebody who reads the log wants to know. */
enum gs_note_kind {
	GS_NOTE_CONNECT,
	GS_NOTE_DISCONNECT,
	GS_NOTE_NO_PLAN,
	GS_NOTE_RESTART,
	GS_NOTE_JUMP,
	GS_NOTE_MOVE,
	GS_NOTE_DROP,
	GS_NOTE_N
};
struct gs_note {
	enum gs_note_kind kind;
	const struct gateway *gateway; /**< NULL: not connected */
	const struct gs_peer *peer;    /**< NULL: nobody in particular */
	uint64_t eui;
	enum gs_drop drop;     /**< GS_NOTE_DROP; once a minute a gateway and reason */
};

/** Where everything goes. What is passed is borrowed for the call. */
struct gs_sink {
	void (*uplink)(void *ctx, const struct gs_uplink *up,
		uint32_t generation); /**< age_us counts from this call; gs_uplink_refresh */
	void (*tx_ack)(void *ctx, const struct tx_ack *ack);
	void (*status)(void *ctx, const struct gateway_status *st);
	/** Room for an event, to be filled in and ended; NULL: nobody wants it, or nobody can take it. */
	struct trace_event *(*event)(void *ctx, enum event_id id, const char *gateway_id);
	void (*event_end)(void *ctx, enum event_id id, struct trace_event *e);
	int (*send)(void *ctx, const struct gs_peer *to, struct slice datagram); /**< 0; -errno */
	void (*note)(void *ctx, const struct gs_note *note);
	void (*peer_text)(void *ctx, struct text *t, const struct gs_peer *peer);
	void *ctx;
};

struct gs_config {
	uint32_t max_gateways, max_pending;
	uint32_t uplinks_per_s; /**< share of one gateway; datagrams count half as much again */
	bool require_registered;
	const char *default_plan; /**< plan of unregistered gateways; "": none, they only listen */
};

struct pending; /**< down.c */

struct gs {
	struct gs_config config;
	struct gs_sink sink;
	struct rng rng;
	struct registry registry;
	struct index by_eui;
	struct gateway *gateways; /**< max_gateways; those from gateways_high on were never used */
	uint32_t gateways_high, gateways_free;
	struct pending *pendings; /**< max_pending, likewise */
	uint32_t pendings_high, pendings_free;
	uint32_t serial; /**< of downlinks */
	struct heap gateway_due, pending_due;
	struct gs_metrics metrics;
	uint32_t drops_noted; /**< of those who are not connected: as in struct gateway */
	uint64_t drops_noted_us;
	/* scratch of one call */
	enum event_id traced; /**< the event that is being composed */
	struct push_scratch push;
	struct gs_uplink up;
	struct gateway_status status;
	struct tx_ack ack;
};

/** @param rng  borrowed; what it points to must outlive the core. @return NULL: no memory */
struct gs *gs_new(const struct gs_config *config, const struct gs_sink *sink, struct rng rng);
void gs_free(struct gs *gs);
DEFINE_AUTO(struct gs, gs_free);

/** Take a datagram. Its PUSH_ACK or PULL_ACK (semtech_ack) is the shell's business, and gone already. */
void gs_datagram(struct gs *gs, const struct gs_peer *from, struct slice datagram, const struct now *now);
/** Emit a frame. @return TX_RESULT_SUCCESS the PULL_RESP has left, or leaves in time, and tx_ack follows; else
 * why not, and nothing is sent */
enum tx_result gs_tx(struct gs *gs, const struct tx_request *request, const struct now *now);
/** Take changes of the registry. */
void gs_sync(struct gs *gs, const struct sync *s, const struct now *now);
/** Do what is due: TX_ACKs that did not come, connections that ended, status reports. */
void gs_time(struct gs *gs, const struct now *now);
/** When gs_time has something to do next; UINT64_MAX: never. */
uint64_t gs_deadline(const struct gs *gs);
/** Tell the status of every connected gateway at the next gs_time: the network server is new. */
void gs_report_all(struct gs *gs, const struct now *now);
/** Bring an uplink that waited up to date with the registry. @return false: its gateway may not send uplinks
 * any more */
bool gs_uplink_refresh(const struct gs *gs, struct gs_uplink *up);
const char *gs_drop_word(enum gs_drop drop);
/** The same, for metrics. */
const char *gs_drop_label(unsigned drop);

/** @file The network server's core: events in, actions out.
 *
 * Each function below takes one event and may call the ports, which only record what is to be done and never call back.
 * After the events of a wake the shell calls ns_flush; what was put since the last one is a batch, and when the batch is on
 * disk, ns_committed says so. Nothing here blocks, reads a clock, or draws a number but from the rng it was given.
 */
#pragma once
#include "common/core/metric.h"
#include "ns/core/limits.h"
#include "ns/core/up/drop.h"
#include "proto/lorawan/devaddr.h"
#include "proto/events.h"
#include "proto/schema.h"
#include "proto/tables.h"

struct ns;

enum ns_table {
	NS_META = 0x01,    /**< "store", "registry", "seq" */
	NS_DEVICE = 0x10,  /**< registry number (8, big endian): the registry's part */
	NS_SESSION = 0x11, /**< number, slot (1): what does not change during a session; keys wrapped */
	NS_LIVE = 0x12,    /**< number, slot: counters and what is awaited */
	NS_FLIGHT = 0x13,  /**< number: the item of a running exchange */
	NS_MAC = 0x16,     /**< number, slot: the state of its MAC */
	NS_GATEWAY = 0x14, /**< registry number */
	NS_LEDGER = 0x15,  /**< EUI (8), sub-band (1) */
	NS_OUTBOX = 0x20,  /**< seq (8): an encoded ns_up */
};
enum { NS_SCHEMA = 1 };

/** Which pull is answered; the shell carries it with the call. */
struct ns_pull {
	uint64_t exchange, device;
	struct ulid session;
	uint32_t f_cnt;
};

/** The outside. Every function returns at once; an int is 0, or -errno when it could not be done at all. */
struct ns_ports {
	void *ctx;
	int (*put)(void *ctx, struct slice key, struct slice value);
	int (*del)(void *ctx, struct slice key);
	int (*get)(void *ctx, struct slice key, struct slice *ret); /**< borrowed until the next call; -ENOENT */
	/** Answer a gs's or the as's request; refusal NULL: accepted. */
	void (*answer)(void *ctx, uint64_t request, const char *refusal, const char *message);
	int (*join)(void *ctx, uint64_t call, const struct join_request *m);
	int (*pull)(void *ctx, const struct ns_pull *call, const struct pull *m);
	int (*up)(void *ctx, uint64_t seq, struct slice encoded);
	void (*tell_as)(void *ctx, enum method m, const void *msg);
	int (*schedule)(void *ctx, uint32_t gs, const struct tx_request *m);
	int (*sync_gs)(void *ctx, uint32_t gs, const struct sync *m);
	/** Is an event of this device (registry number; 0: of none) and gateway ("": of none) to be logged? Both NULL: nothing is. */
	bool (*is_logged)(void *ctx, enum event_id e, uint64_t device, const char *gateway_id);
	void (*log)(void *ctx, enum event_id id, const struct trace_event *e);
};

struct ns_config {
	uint64_t dedup_window_us;
	uint32_t net_id;
	struct devaddr_block prefix[NS_PREFIXES_MAX]; /**< where addresses come from; none: the block of net_id */
	size_t n_prefixes;
	uint64_t outbox_max; /**< messages kept for the as */
	enum event_level events;       /**< which are told to the as */
	uint64_t class_c_max_delay_us; /**< a downlink that no answer waits for may wait so long for a gateway */
	uint64_t class_c_timeout_us;   /**< and be acknowledged so late, where the device's settings do not say */
	struct key kek;
	struct crypto *crypto; /**< borrowed */
	struct rng rng;
	struct now now;        /**< of the start */
};

/** Questions to the other processes, whose answers are timed. */
enum ns_call { NS_CALL_JOIN, NS_CALL_PULL, NS_CALL_UP, NS_CALL_SCHEDULE, NS_CALL_N };

struct ns_counters {
#define METRIC(member, kind, name, help) METRIC_MEMBER_##kind member;
#define METRIC_BY(member, n, kind, name, label, word, help) METRIC_MEMBER_##kind member[n];
#include "ns/metrics.def"
#undef METRIC
#undef METRIC_BY
};

/** @return NULL: no memory */
struct ns *ns_new(const struct ns_config *c, const struct ns_ports *ports);
void ns_free(struct ns *ns);
DEFINE_AUTO(struct ns, ns_free);
/** Take a record back, in the order of keys. @return 0; -EBADMSG damaged, or wrapped with another key; -ENOMEM */
int ns_load(struct ns *ns, struct slice key, struct slice value);
/** After the last record. */
int ns_loaded(struct ns *ns, const struct now *now);

/** The end of a wake: writes what is written once per batch, sends what may be sent.
 * @param ret_batch  its number, to be given to ns_committed
 * @return whether anything was put since the last call */
bool ns_flush(struct ns *ns, const struct now *now, uint64_t *ret_batch);
void ns_committed(struct ns *ns, const struct now *now, uint64_t batch);
/** The store fails, or is well again: while it fails, frames are refused so that the gs keeps them. */
void ns_store_failing(struct ns *ns, bool failing);
/** Tell a gs the addresses under which a device is heard, and its DevEUI. Changes nothing. */
void ns_heard_as(struct ns *ns, struct log_rule *r);
/** So many of the events that were told the as did not go out: the next ones say so. Changes nothing else; a port may call it. */
void ns_events_lost(struct ns *ns, uint64_t n);
/** Do what is due. */
void ns_run(struct ns *ns, const struct now *now);
uint64_t ns_deadline_us(const struct ns *ns); /**< when to call ns_run; UINT64_MAX: never */
/** Write reservations back as far as they were not used. Before an orderly end; then one more ns_flush. */
void ns_stop(struct ns *ns, const struct now *now);

/* Gateway servers, by a number (from 1) that the shell gives each connection. */
void ns_gs_up(struct ns *ns, const struct now *now, uint32_t gs);
void ns_gs_down(struct ns *ns, const struct now *now, uint32_t gs);
void ns_gs_uplink(struct ns *ns, const struct now *now, uint32_t gs, uint64_t request, const struct gs_uplink *m);
void ns_gs_tx_ack(struct ns *ns, const struct now *now, uint64_t request, const struct tx_ack *m);
void ns_gs_status(struct ns *ns, const struct now *now, uint32_t gs, const struct gateway_status *m);
/** How the gs took an emission.
 * @param status  0; positive: refused for certain, with the result (proto/tx_result.def); negative errno: nobody knows */
void ns_gs_scheduled(struct ns *ns, const struct now *now, const struct ulid *transmission, int status, uint32_t result);

/* The application server. */
void ns_as_up(struct ns *ns, const struct now *now);
void ns_as_down(struct ns *ns, const struct now *now);
/** @param m NULL: refused, or no answer; reason says which */
void ns_as_joined(struct ns *ns, const struct now *now, uint64_t call, const struct join_answer *m, const char *reason);
void ns_as_pulled(struct ns *ns, const struct now *now, const struct ns_pull *call, const struct pulled *m); /**< NULL: no answer */
void ns_as_took(struct ns *ns, const struct now *now, uint64_t seq, bool ok); /**< end of a call of ports.up */
void ns_as_queued(struct ns *ns, const struct now *now, const struct downlink_queued *m);
void ns_as_sync(struct ns *ns, const struct now *now, uint64_t request, const struct sync *m);
void ns_as_sync_state(const struct ns *ns, struct sync_state *ret);
/** @param ret  with keys where the query asks for them
 * @return 0; -ENOENT no such device here */
int ns_as_device(const struct ns *ns, const struct device_query *q, struct device_state *ret);

/** What has been counted, for the shell to add to what it alone sees. */
struct ns_counters *ns_counters(struct ns *ns);
/** Bring up to date what is a matter of looking: how many there are, and how old. */
void ns_measure(struct ns *ns, const struct now *now);
typedef void ns_gateway_fn(void *ctx, const char *gateway_id, bool is_connected, const struct gateway_status *status);
/** The gateways that are registered or connected, those first that are not there. A status is NULL where none came.
 * @param most  gateways at most. @return how many more there are */
size_t ns_gateways(const struct ns *ns, size_t most, ns_gateway_fn *fn, void *ctx);
typedef void ns_usage_fn(void *ctx, const char *gateway_id, const struct sub_band *b);
/** The airtime used during the last hour in each sub-band of each gateway, the fullest gateway first.
 * @param most  gateways at most. @return how many more there are */
size_t ns_usage(const struct ns *ns, const struct now *now, size_t most, ns_usage_fn *fn, void *ctx);

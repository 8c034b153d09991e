/** @file What the rooms of the core share: the whole state, and the few verbs that all of them use. */
#pragma once
#include "common/core/crypto.h"
#include "common/core/heap.h"
#include "ns/core/device.h"
#include "ns/core/down/exchange.h"
#include "ns/core/gateway.h"
#include "ns/core/ns.h"
#include "ns/core/outbox.h"
#include "ns/core/trace.h"

/** An answer that waits for a batch. */
struct reply {
	uint64_t request, batch;
};
struct replies {
	struct reply *v; /**< a ring */
	size_t at, n, cap;
};

struct ns {
	struct ns_config config;
	struct ns_ports ports;
	struct now now;       /**< of the event */
	uint64_t epoch_us;    /**< UTC minus monotonic at the start: the ledger's clock */
	uint64_t batch;       /**< what is put now belongs to it; from 1 */
	uint64_t durable;     /**< the last one on disk */
	bool is_dirty, is_failing;
	bool is_torn; /**< something of the open batch could not be put */
	bool as_is_up;
	uint32_t as_epoch;    /**< raised when all that the as said of waiting items is void */
	bool as_named_all;    /**< since then it has named all devices for which something waits */
	struct ulid store_id; /**< own */
	struct ulid registry_id;
	uint64_t registry_revision;
	bool has_registry, set_is_open;
	struct devices devices;
	struct gateways gateways;
	bool gs_is_up[NS_GS_MAX + 1];
	struct dedup dedup;
	struct exchanges exchanges;
	struct heap listeners;    /**< devices that listen all the time, by when to look at them again */
	struct group *groups;     /**< multicast: who is a member of which */
	struct outbox outbox;
	struct trace trace;
	struct replies replies;
	struct ns_up up;   /**< being composed; too large for a stack */
	struct sync sync;  /**< likewise */
	struct ns_counters counters;
};

/** The ledger's clock at a monotonic instant. */
static inline uint64_t ns_ledger_us(const struct ns *ns, uint64_t mono_us)
{
	return mono_us + ns->epoch_us;
}
/** Write a record of a table; id and slot make its key. n_slot 0: no slot. */
void ns_put(struct ns *ns, enum ns_table table, uint64_t id, int slot, struct slice value);
void ns_del(struct ns *ns, enum ns_table table, uint64_t id, int slot);
/** Answer a request once all that was put so far is on disk; at once if nothing is. */
void ns_accept(struct ns *ns, uint64_t request);
/** Answer at once: there is nothing to keep. */
void ns_accept_now(struct ns *ns, uint64_t request);
void ns_refuse(struct ns *ns, uint64_t request, const char *word, const char *message);
struct ulid ns_ulid(const struct ns *ns);

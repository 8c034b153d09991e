/** @file The simulated world: its clock, what is due, its gateways and devices. */
#pragma once
#include "common/core/crypto.h"
#include "common/core/heap.h"
#include "common/loop.h"
#include "proto/region/region.h"
#include "test/sim/options.h"
#include <stdio.h>

struct sim;
struct gateway;
struct device;
struct script;
struct load;

/** Something due; lives inside what it belongs to. */
struct event {
	struct heap_node node;
	/** at_us: when it was due, not when we woke */
	void (*fire)(struct event *e, struct sim *sim, uint64_t at_us);
};

struct totals {
	uint64_t uplinks, downlinks, joins; /**< sent, heard, accepted by devices */
	uint64_t datagrams, push_acks;      /**< PUSH_DATA sent, and acknowledged */
	uint64_t pull_resps, tx_oks, tx_errors;
	uint64_t dropped; /**< frames that a gateway had no room for while its server was silent */
};

struct sim {
	struct options opt;
	struct loop *loop;
	struct loop_timer *timer;
	struct heap due;
	struct crypto *crypto;
	struct rng rng;
	struct rng_seeded rng_state;
	const struct plan *plan;
	struct gateway *gateways;
	struct device *devices;
	uint64_t start_us;
	struct totals totals;
	struct script *script;
	struct load *load;
	FILE *capture; /**< NULL: none is wanted */
	bool is_over;
};

/** Now by the loop's clock [us, monotonic]. */
uint64_t sim_now(const struct sim *s);
void sim_at(struct sim *s, struct event *e, uint64_t due_us);
void sim_cancel(struct sim *s, struct event *e);
/** End the simulation once what is on its way has been written. */
void sim_end(struct sim *s);
/** true with a probability of percent in a hundred. */
bool sim_chance(struct sim *s, unsigned percent);

/** @file What the network server says about gateways: EUI to id, frequency plan and place. */
#pragma once
#include "gs/core/index.h"
#include "proto/schema.h"

struct registration {
	uint64_t number; /**< of the registry */
	struct ns_gateway gtw;
	bool used, seen; /**< seen: named by the full set that is coming in */
};

struct registry {
	struct registration *v;
	uint32_t max, used, high; /**< high: slots at and beyond it were never used */
	struct index by_eui, by_number;
	struct ulid store_id;
	bool complete;       /**< a full set has come: who is not in here is not registered */
	bool filling;        /**< between `first` and `last` of a full set */
	uint32_t generation; /**< changes whenever something in here does */
};

/** @return 0; -ENOMEM */
int gs_registry_init(struct registry *r, uint32_t max, uint64_t seed);
void gs_registry_done(struct registry *r);
/** Take a batch of changes. @return how many entries found no room */
uint32_t gs_registry_sync(struct registry *r, const struct sync *s);
/** NULL: not registered. */
const struct ns_gateway *gs_registry_find(const struct registry *r, uint64_t eui);

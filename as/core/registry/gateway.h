/** @file A gateway as the registry knows it. */
#pragma once
#include "as/core/registry/app.h"
#include "proto/schema.h"

struct gateway {
	struct entry entry; /**< entry.uid is the gateway's registry number */
	char id[ID_MAX + 1];
	bool has_eui;
	uint64_t eui;
	char plan[33];
	bool enforce_duty_cycle; /**< true unless the operator said otherwise */
	bool has_location;
	int32_t latitude_e7, longitude_e7, altitude_m;
	uint64_t created_unix_us, updated_unix_us;
	struct record_texts texts; /**< name, description, attributes, antennas (TEXT_LOCATIONS) */
	struct api_key *keys;      /**< linked by next_of_owner */
	UT_hash_handle by_id, by_uid, by_eui;
};

struct gateway *gateway_new(void); /**< NULL: no memory */
struct gateway *gateway_clone(const struct gateway *g);
void gateway_free(struct gateway *g);
DEFINE_AUTO(struct gateway, gateway_free);
/** @return 0; REGISTRY_E_INVALID */
int gateway_settle(struct gateway *g, struct problem *p);
void gateway_to_ns(const struct gateway *g, struct ns_gateway *ret);

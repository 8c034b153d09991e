/** @file Gateways as they are connected now, as the network server reports them; registered or not. */
#pragma once
#include "as/as.h"

enum { STATIONS_MAX = 20000 };

struct station {
	char id[ID_MAX + 1];
	struct gateway_status status; /**< the last one */
	uint64_t disconnected_unix_us; /**< 0: connected */
	UT_hash_handle hh;
};

struct station *stations_find(const struct as *as, const char *gateway_id); /**< NULL: never heard of */
/** Visit all. */
void stations_each(const struct as *as, void (*fn)(void *ctx, const struct station *s), void *ctx);
/** The Things Stack's GatewayConnectionStats. */
void station_json_write(struct text *t, const struct station *s);

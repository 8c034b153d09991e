/** @file The registry: every application, device and gateway, in memory, indexed, and durable through a sink.
 *
 * Lookups return borrowed pointers that live until the record is deleted: keep registry numbers (uid), not
 * pointers. A change is made as: clone the record (or make a new one), alter the clone, hand it over. A
 * failed change leaves everything as it was. Every change of a device or gateway gets the next revision, in
 * which replicas are brought up to date.
 */
#pragma once
#include "as/core/registry/device.h"
#include "as/core/envelope.h"
#include "as/core/registry/gateway.h"
#include "common/core/clock.h"

/** Where records are kept: tables of the store, by number (as/store.h gives each an octet). */
enum registry_table {
	REGISTRY_META,
	REGISTRY_APPS,
	REGISTRY_DEVICES,
	REGISTRY_GATEWAYS,
	REGISTRY_TOMBSTONES,
	REGISTRY_API_KEYS,
	REGISTRY_CREDENTIALS,
	REGISTRY_PROFILES
};
struct registry_sink {
	int (*put)(void *ctx, enum registry_table table, struct slice key,
		struct slice value); /**< 0 or -errno */
	int (*del)(void *ctx, enum registry_table table, struct slice key);
	void *ctx;
};

/** Told after each change, in the order of registration. `d` and `g` are as they are now; on DELETED they go
 * right after. */
enum change { CHANGE_CREATED, CHANGE_UPDATED, CHANGE_DELETED };
struct registry_watch {
	void (*app)(void *ctx, struct app *a, enum change c);         /**< each may be NULL */
	void (*device)(void *ctx, struct device *d, enum change c);
	void (*gateway)(void *ctx, struct gateway *g, enum change c);
	void *ctx;
};

struct registry {
	struct registry_sink sink;
	const struct envelope *envelope; /**< for the keys in the records */
	struct rng rng;
	char default_tenant[ID_MAX + 1];
	struct scripts scripts;                       /**< texts of formatters, each kept once */
	struct app *apps;                             /**< by key */
	struct device *by_id, *by_uid, *by_eui;
	struct gateway *gtw_by_id, *gtw_by_uid, *gtw_by_eui;
	struct entry *oldest, *newest; /**< devices, gateways and tombstones in order of revision */
	struct entry *unsent; /**< what the replica is told next; NULL: it has been told everything */
	size_t n_tombstones;
	struct ulid store_id;
	uint64_t next_uid, revision; /**< of the next record; of the last change */
	uint64_t forgotten;          /**< deletions up to this revision are not remembered any more */
	struct registry_watch watch[24];
	size_t n_watch;
};

/** @param envelope borrowed @param default_tenant see setting as.default-tenant; "" for none */
void registry_init(struct registry *r, const struct registry_sink *sink, const struct envelope *envelope,
	const struct rng *rng, const char *default_tenant);
void registry_done(struct registry *r);
void registry_watch(struct registry *r, const struct registry_watch *w);

/** Take a record from the store at start: all of META, then APPS, then the others in any order.
 * @return 0; REGISTRY_E_INVALID a damaged record, named in *p; -ENOMEM */
int registry_load(struct registry *r, enum registry_table table, struct slice key, struct slice value,
	struct problem *p);
/** After the last record: sorts the revisions, and makes the store id on first use. @return 0; -errno */
int registry_loaded(struct registry *r, const struct now *now);

/** "app1", "app1@tenant1", or "app1@DEFAULT" for an application without a tenant. NULL: none. */
struct app *registry_app(const struct registry *r, struct str key);
struct device *registry_device(const struct registry *r, const struct app *a, struct str id);
struct device *registry_device_by_uid(const struct registry *r, uint64_t uid);
struct device *registry_device_by_eui(const struct registry *r, uint64_t join_eui, uint64_t dev_eui);
struct gateway *registry_gateway(const struct registry *r, struct str id);
struct gateway *registry_gateway_by_uid(const struct registry *r, uint64_t uid);
struct gateway *registry_gateway_by_eui(const struct registry *r, uint64_t eui);

/** Create from a record of the caller's, which is taken on 0 only.
 * @return 0; REGISTRY_E_EXISTS, REGISTRY_E_INVALID, REGISTRY_E_FULL; -errno of the sink */
int registry_app_create(struct registry *r, struct app *a, const struct now *now, struct problem *p);
int registry_device_create(
	struct registry *r, struct app *a, struct device *d, const struct now *now, struct problem *p);
int registry_gateway_create(struct registry *r, struct gateway *g, const struct now *now, struct problem *p);
/** Let the record become what `wish` (a changed clone; taken on 0 only) says. The record stays at its
 * address. */
int registry_app_update(
	struct registry *r, struct app *a, struct app *wish, const struct now *now, struct problem *p);
int registry_device_update(
	struct registry *r, struct device *d, struct device *wish, const struct now *now, struct problem *p);
int registry_gateway_update(struct registry *r, struct gateway *g, struct gateway *wish,
	const struct now *now, struct problem *p);
/** Would it be taken? Settles the device as create and update do, and stores nothing. @return as they do */
int registry_device_check(struct registry *r, struct app *a, struct device *d, struct problem *p);
int registry_device_update_check(const struct registry *r, const struct device *d, struct device *wish, struct problem *p);
/** @return 0; REGISTRY_E_IN_USE; -errno of the sink */
int registry_app_delete(struct registry *r, struct app *a, struct problem *p);
int registry_device_delete(struct registry *r, struct device *d);
int registry_gateway_delete(struct registry *r, struct gateway *g);
/** Session and MAC state start again: raises device.reset, and session.generation of an ABP device. */
int registry_device_reset(struct registry *r, struct device *d, const struct now *now);
/** It has joined: the session that was brought along is not the registry's any more. */
int registry_device_joined(struct registry *r, struct device *d, const struct now *now);
/** The device is asked to rejoin, at its next uplinks: raises device.rejoin. @return 0; REGISTRY_E_INVALID it cannot */
int registry_device_rejoin(struct registry *r, struct device *d, const struct now *now, struct problem *p);

/** The first entry with a revision above `revision`, for a replica; NULL: it has everything. Walk on with
 * entry->newer. */
struct entry *registry_since(const struct registry *r, uint64_t revision);
/** Can a replica of this store id and revision be brought up to date with changes alone? */
bool registry_can_follow(const struct registry *r, const struct ulid *store_id, uint64_t revision);
/** The store was put back from a copy: go on behind every number and revision that may have been given after that day, and have
 * replicas take everything anew. @return 0; -errno */
int registry_leap(struct registry *r, uint64_t by);
/** An entry as replicas are told of it. */
void registry_entry_to_sync(struct entry *e, struct sync_entry *ret);

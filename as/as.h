/** @file The application server's context: what every room of its shell is given, and how rooms take part.
 *
 * A room is a pair of functions named in rooms.def: `int x_start(struct as *, struct text *err)`, called in
 * order once store and registry are loaded, and `void x_stop(struct as *)`, called in reverse at the end. In
 * its start a room registers what it serves: HTTP routes, methods of the bus, watches of registry and
 * keyring. Listening and the bus begin after the last start.
 */
#pragma once
#include "as/core/device_api/credentials.h"
#include "as/core/device_api/drops.h"
#include "as/core/device_api/profile.h"
#include "as/core/join.h"
#include "as/core/registry/registry.h"
#include "as/core/registry/rights.h"
#include "as/scripts/job.h"
#include "as/trace_store.h"
#include "common/daemon.h"
#include "common/health.h"
#include "common/metrics.h"
#include "common/store.h"
#include "proto/bus/bus.h"
#include "proto/events.h"
#include "proto/log_watch.h"
#include "proto/tables.h"

struct as_settings {
#define SETTING(member, name, kind, dflt, min, max, doc) SETTING_MEMBER_##kind member;
#include "as/settings.def"
#undef SETTING
};

enum { AS_INTEGRATION_KINDS = 2, AS_LINE_WAYS = 2 }; /**< as enum integration_kind; as enum line_way */

struct as_metrics {
#define METRIC(member, kind, name, help) METRIC_MEMBER_##kind member;
#define METRIC_BY(member, n, kind, name, label, word, help) METRIC_MEMBER_##kind member[n];
#include "as/metrics.def"
#undef METRIC
#undef METRIC_BY
};

/** What each room keeps; NULL until its start, and in builds of single rooms. */
struct api_route;
#define ROOM(x) struct x;
#include "as/rooms.def"
#undef ROOM

enum { AS_ROUTES_MAX = 256, AS_METHODS_MAX = 16, AS_LINKS_MAX = 10 };

struct as {
	struct daemon *daemon;
	struct loop *loop;
	const struct as_settings *settings;
	struct rng rng;
	struct crypto *crypto;
	struct envelope envelope;
	struct store *store;
	struct registry registry;
	struct keyring keyring;
	struct credential_ring credentials;
	struct device_profiles profiles;
	struct as_metrics metrics;
	enum event_level events; /**< of its own, for the trace */
	struct log_watch watch;  /**< whose events are logged at another level */
#define ROOM(x) struct x *x;
#include "as/rooms.def"
#undef ROOM
	/* Filled by the registrations below, during start: */
	struct http_route routes[AS_ROUTES_MAX + 1];
	size_t n_routes;
	const struct api_route *described[AS_ROUTES_MAX]; /**< what the API's description says of them (as/api/route.h) */
	size_t n_described;
	struct bus_handler methods[AS_METHODS_MAX];
	size_t n_methods;
	struct as_link {
		void (*up)(struct as *as, struct bus_peer *ns);
		void (*down)(struct as *as);
	} links[AS_LINKS_MAX];
	size_t n_links;
	struct health health;
	struct http_server *http;
	struct ssl_ctx_st *http_tls; /**< of as.https-listen; NULL: not set */
	size_t n_rooms; /**< started */
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

#define ROOM(x)                                      \
	int x##_start(struct as *as, struct text *err); \
	void x##_stop(struct as *as);
#include "as/rooms.def"
#undef ROOM

/* For daemon_main. */
int as_check(const struct daemon *d, const void *settings, struct text *err);
int as_start(struct daemon *d, const void *settings, void **ret_state, struct text *err);
int as_restored(struct daemon *d, const void *settings, struct text *err);
void as_reload(void *state);
void as_stop(void *state, void (*done)(void *ctx), void *ctx);
void as_free(void *state);

/** Add routes that are not of the API, such as a WebSocket's; those of the API are added with api_add_routes. Terminated by path NULL;
 * handlers get the struct as as their ctx. */
void as_add_routes(struct as *as, const struct http_route *routes);
/** Serve a method that the ns calls; ctx is the struct as. */
void as_add_method(struct as *as, enum method m,
	void (*fn)(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg));
/** Be told when the ns is there and has the whole registry (up), and when it is gone (down). Either may be
 * NULL. */
void as_add_link(struct as *as, void (*up)(struct as *as, struct bus_peer *ns), void (*down)(struct as *as));
/** Begin to look for the ns: after the last room has started. */
int as_connect(struct as *as, struct text *err);
/** The ns, greeted and in step with the registry; NULL: not now. */
struct bus_peer *as_ns(const struct as *as);

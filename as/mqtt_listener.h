/** @file The sockets of the MQTT server: accepts connections, carries octets between them and the engine.
 *
 * Made before the engine, which needs its sink, and freed after it:
 *     listener = mqtt_listener_new(loop, NULL);
 *     options.sink = mqtt_listener_sink(listener);
 *     engine = mqtt_engine_new(&options);
 *     mqtt_listener_attach(listener, engine);
 *     mqtt_listener_open(listener, &address, NULL, &fd);
 * From then on it steps the engine at every wake of the loop and keeps its deadline.
 */
#pragma once
#include "as/core/mqtt/mqtt_engine.h"
#include "common/loop.h"
#include "common/net.h"

struct ssl_ctx_st;
struct ssl_st;
struct mqtt_listener;

/** What the policy is shown of the other end (`peer` of struct mqtt_login_request). */
struct mqtt_peer {
	struct net_address address;
	const struct ssl_st *tls; /**< NULL: plain TCP; else it may hold a client certificate */
};

struct mqtt_listener_options {
	uint32_t connections;     /**< at most, of all addresses; further ones are closed at once; 0: 20000 */
	uint32_t high_water_bytes; /**< waiting for one client, then it is held up; 0: 256 KiB */
	uint64_t total_bytes; /**< waiting for all clients; beyond, each is held up at 16 KiB; 0: 256 MiB */
	/** Call fn once all that was kept so far is on disk; -errno: it never will be. NULL: nothing is kept */
	int (*after)(void *ctx, void (*fn)(void *ctx), void *fn_ctx);
	void *after_ctx;
	uint32_t stuck_s;         /**< a client that takes nothing for so long is lost; 0: 60 s */
};

struct mqtt_listener_stats {
	uint64_t accepted, refused; /**< refused: over the limit of connections */
	uint64_t waiting_bytes, received_bytes, sent_bytes;
};

/** @param o  NULL: all defaults @return NULL: no memory */
struct mqtt_listener *mqtt_listener_new(struct loop *l, const struct mqtt_listener_options *o);
void mqtt_listener_free(struct mqtt_listener *l); /**< closes all at once; the engine is not called */
struct mqtt_sink mqtt_listener_sink(struct mqtt_listener *l);
void mqtt_listener_attach(struct mqtt_listener *l, struct mqtt_engine *e);
/** Listen on one more address.
 * @param tls  NULL: plain TCP; else a context to serve TLS with, borrowed
 * @param ret_fd  the listening socket, for net_local; stays the listener's; may be NULL
 * @return 0; -errno */
int mqtt_listener_open(
	struct mqtt_listener *l, const struct net_address *a, struct ssl_ctx_st *tls, int *ret_fd);
/** Stop accepting. Then mqtt_engine_shutdown, and what is waiting still leaves for a moment. */
void mqtt_listener_stop(struct mqtt_listener *l);
const struct mqtt_listener_stats *mqtt_listener_stats(const struct mqtt_listener *l);

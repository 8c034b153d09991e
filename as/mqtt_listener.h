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
#include "as/core/guard.h"
#include "as/core/mqtt/mqtt_engine.h"
#include "common/loop.h"
#include "common/net.h"

struct bufferevent;
struct ssl_ctx_st;
struct ssl_st;
struct mqtt_listener;
struct mqtt_socket;

/** What the policy is shown of the other end (`peer` of struct mqtt_login_request). */
struct mqtt_peer {
	struct net_address address;
	struct guard_ip ip;
	const struct ssl_st *tls; /**< NULL: plain TCP; else it may hold a client certificate (as/tls.h reads it) */
	bool is_websocket;
	struct mqtt_socket *socket; /**< the listener's own */
};

struct mqtt_listener_options {
	uint32_t connections;     /**< at most, of all addresses; further ones are closed at once; 0: 20000 */
	struct guard *guard;      /**< counts those of each address; borrowed; NULL: nobody does */
	uint64_t refusal_delay_us; /**< of mqtt_listener_delay */
	uint32_t high_water_bytes; /**< waiting for one client, then it is held up; 0: 256 KiB */
	uint64_t total_bytes; /**< waiting for all clients; beyond, each is held up at 16 KiB; 0: 256 MiB */
	/** Call fn once all that was kept so far is on disk; -errno: it never will be. NULL: nothing is kept */
	int (*after)(void *ctx, void (*fn)(void *ctx), void *fn_ctx);
	void *after_ctx;
	uint32_t stuck_s;         /**< a client that takes nothing for so long is lost; 0: 60 s */
};

struct mqtt_listener_stats {
	uint64_t connections; /**< now */
	uint64_t accepted, refused, refused_address; /**< over a limit of connections: of all, of one address */
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
/** An IPv4 address as IPv6 has it; all zeros for what is neither. */
struct guard_ip mqtt_listener_ip(const struct net_address *a);
/** Is there room for one more from an address? It is counted as refused, if not. */
bool mqtt_listener_has_room(struct mqtt_listener *l, const struct net_address *from);
/** Take over a connection that has become a WebSocket, with what is in its input; there was room for it.
 * @param bev  taken in any case @return 0; -ENOMEM, it is closed */
int mqtt_listener_adopt(struct mqtt_listener *l, struct bufferevent *bev, const struct net_address *from);
/** From within the policy's `connect`: if this login is refused, it is told so only after refusal_delay_us. */
void mqtt_listener_delay(struct mqtt_listener *l, const struct mqtt_peer *peer);
/** Stop accepting. Then mqtt_engine_shutdown, and what is waiting still leaves for a moment. */
void mqtt_listener_stop(struct mqtt_listener *l);
const struct mqtt_listener_stats *mqtt_listener_stats(const struct mqtt_listener *l);

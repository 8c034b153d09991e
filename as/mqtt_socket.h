/** @file One client of the MQTT server: its octets, plain, in TLS or in WebSocket frames. Internal to mqtt_listener. */
#pragma once
#include "as/mqtt_listener.h"
#include "as/websocket.h"
#include <sys/queue.h>

struct bufferevent;
struct evbuffer;

struct mqtt_socket {
	LIST_ENTRY(mqtt_socket) link;
	TAILQ_ENTRY(mqtt_socket) queued;
	struct socket_queue *in; /* the one of the listener's queues that it is in; NULL: none */
	struct mqtt_listener *listener;
	struct bufferevent *bev;
	struct websocket *websocket; /* NULL: the octets are MQTT as they come */
	struct evbuffer *stream;     /* what the frames carried, and the engine has not used yet */
	struct mqtt_conn *conn;      /* NULL: the engine has let go of it */
	struct mqtt_peer peer;
	LIST_ENTRY(mqtt_socket) held; /* in `holding` */
	uint64_t hold;                /* its number; 0: none */
	size_t need, waiting;         /* octets that must be there; output as last counted */
	uint64_t due_us;              /* in `delayed`: when its output may leave; in `closing`: when it is cut off */
	bool is_shut, is_full, is_flooded, is_over;
};

TAILQ_HEAD(socket_queue, mqtt_socket);

struct port;

struct mqtt_listener {
	struct loop *loop;
	struct mqtt_engine *engine;
	struct mqtt_listener_options options;
	struct mqtt_listener_stats stats;
	struct loop_timer *deadline, *linger, *accept_again;
	LIST_HEAD(, port) ports;
	LIST_HEAD(, mqtt_socket) sockets;
	/* Given again to the engine at the next wake; refused, and not told yet; on their way out. The latter two in the order
	 * in which they are due. */
	struct socket_queue resumed, delayed, closing;
	uint64_t refusal_said_us, refusals_unsaid;
	LIST_HEAD(, mqtt_socket) holding;
	uint64_t holds, releasing; /* number of the last hold; of those that the next release is for */
	bool is_release_due;
};

enum { READ_BYTES = 64 << 10 };

/** Begin with a connection; it is counted. @param bev  taken, on success only @return 0; -ENOMEM */
int mqtt_socket_new(struct mqtt_listener *l, struct bufferevent *bev, const struct mqtt_peer *peer, bool is_websocket);
void mqtt_socket_free(struct mqtt_socket *s);
/** Each wake: give again what was held up, and let go of what is closing. @return when the next one is due [us, monotonic] */
void mqtt_socket_resume_all(struct mqtt_listener *l);
uint64_t mqtt_socket_close_all(struct mqtt_listener *l);

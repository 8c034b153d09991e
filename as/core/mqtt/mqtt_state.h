/** @file What the files of the MQTT engine share: its objects, and who owns them.
 *
 * engine > owner > session > subscriptions, queue; engine > conn. A conn and a session point at each other while both live.
 * Messages are counted, since many queues share one. A conn that is over stays in the graveyard until the next step.
 */
#pragma once
#include "as/core/mqtt/mqtt_engine.h"
#include "as/core/mqtt/mqtt_tree.h"
#include "common/core/heap.h"
#include "common/core/err.h"

/** An encoded message: topic with its length, payload, then the properties that are handed on. */
struct mqtt_msg {
	uint64_t expiry_unix_us, cookie; /**< 0: none */
	size_t refs, topic_n, payload_n, props_n, cost;
	uint8_t qos;
	uint8_t bytes[];
};

enum mqtt_out_state { OUT_WAITS, OUT_SENT, OUT_RECEIVED }; /**< queued; PUBLISH sent; PUBREC came, PUBREL sent */

/** A message on its way to one session. */
struct mqtt_out {
	struct mqtt_out *next;
	struct mqtt_msg *msg;
	uint64_t sent_us; /**< monotonic; 0: not on this connection */
	uint64_t seq; /**< its place among all of the session; key of what is kept */
	uint16_t id;
	uint8_t qos, state;
	bool retain, is_unsent; /**< in flight, and to be sent again when the client takes more */
	size_t sub_ids_n;
	uint32_t sub_ids[];
};
struct mqtt_outs {
	struct mqtt_out *first, **last;
	size_t n;
};

struct mqtt_share;
struct mqtt_sub {
	struct mqtt_tree_entry at; /**< at the narrowed filter */
	struct mqtt_session *session;
	struct mqtt_sub *next;
	struct mqtt_share *share; /**< NULL: not shared */
	struct mqtt_sub *next_of_share;
	uint32_t sub_id, number; /**< 5.0's, 0: none; ours, in what is kept */
	uint8_t qos;
	bool no_local, retain_as_published;
	uint16_t own_n, narrowed_n;
	char text[]; /**< the client's own filter, then what the policy made of it */
};
/** All members of one `$share/group/filter`. */
struct mqtt_share {
	struct mqtt_map_node by_name;
	struct mqtt_owner *owner;
	struct mqtt_sub *members, *last_served;
	struct mqtt_share *next_hit;
	uint64_t mark;
	size_t name_n;
	char name[];
};

struct mqtt_will {
	struct mqtt_msg *msg;
	uint64_t login;
	uint32_t delay_s, expiry_s, retained_max;
	uint8_t level;
	bool retain, has_expiry;
	size_t owner_n, client_n;
	char text[]; /**< owner, then client id: it outlives both */
};

struct mqtt_session {
	struct mqtt_map_node by_client;
	struct mqtt_session *prev, *next; /**< in the owner */
	struct mqtt_owner *owner;
	struct mqtt_conn *conn; /**< NULL: not connected */
	struct mqtt_limits limits;
	uint64_t lost, lost_untold, loss_next_us; /**< messages lost; when the policy may be told again */
	uint64_t number;
	uint32_t expiry_s; /**< 0: it ends with the connection */
	bool is_kept;      /**< written through the keep table */
	struct heap_node ends, will_due, loss_due;
	struct mqtt_will *will; /**< delayed, of a connection that is over */
	struct mqtt_sub *subs;
	size_t subs_n;
	uint32_t next_sub;
	struct mqtt_outs inflight, queue;
	size_t unsent_n; /**< of those in flight: not yet sent again on this connection */
	size_t queue_bytes, queue_qos0;
	uint64_t next_seq;
	uint16_t next_id;
	uint8_t *received; /**< a bit per QoS 2 id of the client between PUBLISH and PUBREL; NULL: none yet */
	uint32_t received_n, tickets_n;
	size_t sub_ids_n; /**< subscriptions that have a 5.0 identifier */
	/* While one message is matched: */
	uint64_t mark;
	struct mqtt_session *next_hit;
	uint8_t hit_qos;
	bool hit_retain, hit_is_own; /**< the message is the session's own: not for subscriptions that are "no local" */
	size_t client_n;
	char client[];
};

/** An acknowledgement that waits for its turn. */
struct mqtt_due {
	uint64_t ticket;
	uint16_t id;
	uint8_t type, reason;
	bool is_done;
};

struct mqtt_conn {
	struct mqtt_engine *engine;
	struct mqtt_conn *prev, *next; /**< among all, or in the graveyard */
	void *socket;
	const void *peer;
	struct mqtt_session *session; /**< NULL: before CONNECT */
	struct mqtt_map_node by_login;
	uint64_t login, last_rx_us, opened;
	struct heap_node timeout;
	struct mqtt_will *will;
	struct mqtt_aliases *aliases_in, *aliases_out; /**< NULL: none yet */
	struct mqtt_due *due; /**< ring */
	uint32_t due_first, due_n, due_cap, due_pubacks;
	uint32_t keep_alive_s;  /**< 0: no limit */
	uint32_t packet_max;    /**< of what the client takes */
	uint32_t aliases_out_max;
	uint8_t level;          /**< 0: before CONNECT */
	bool is_closed, is_full, is_paused;
	bool wants_why;         /**< 5.0: takes reason strings */
	bool is_ephemeral;      /**< 5.0: asked for no session expiry, and so may not ask for one later */
};

struct mqtt_owner {
	struct mqtt_map_node by_name;
	struct mqtt_session *sessions;
	size_t sessions_n, connected_n;
	struct mqtt_tree tree;
	struct mqtt_retained *retained;
	size_t retained_n, shares_n;
	size_t name_n;
	char name[];
};

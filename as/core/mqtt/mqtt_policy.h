/** @file What the MQTT engine asks of the application: who may connect, read and write, and what happens with a message.
 *
 * The engine knows nothing of applications and devices. Callbacks answer at once. From within `connect`, `publish`,
 * `subscribed`, `acknowledged`, `lost` and `disconnected` the engine may be called (publish, answer, kick, taken); from within
 * `filter` and `may_read` it may not, but for mqtt_engine_explain.
 */
#pragma once
#include "common/core/clock.h"
#include "proto/mqtt/mqtt_packet.h"

enum { MQTT_SUBSCRIPTIONS_MAX = 256 };

/** What one connection, its session and its owner may use. The policy is given the defaults and may change them per login. */
struct mqtt_limits {
	uint32_t packet_bytes;      /**< largest packet, both ways */
	uint32_t topic_bytes;       /**< longest topic: a longer one closes; longest filter: a longer one is refused */
	uint32_t topic_levels;      /**< the same for their levels; at most MQTT_LEVELS_MAX */
	uint32_t topic_aliases;     /**< of a 5.0 connection, each way; at most 65535 */
	uint32_t queue_messages;    /**< waiting for a client; beyond, QoS 0 is dropped first, then the oldest. Below 65000 */
	uint32_t queue_bytes;       /**< the same in octets of topic and payload */
	uint32_t inflight;          /**< QoS 1 and 2 sent to the client and not acknowledged */
	uint32_t receive_max;       /**< the client's QoS 1 and 2 not acknowledged; told to a 5.0 client, others are made to wait */
	uint32_t subscriptions;     /**< of one session; at most MQTT_SUBSCRIPTIONS_MAX */
	uint32_t filters;           /**< in one packet */
	uint32_t client_id_bytes;
	uint32_t sessions;          /**< of one owner, connected or not */
	bool evicts;                /**< at `sessions` connected ones: the oldest gives way, instead of refusing the new one */
	uint32_t session_expiry_s;  /**< longest life of a session without connection */
	uint32_t retained_messages; /**< of one owner; 0: the flag is accepted and ignored */
};

/** What a CONNECT says of itself. Everything is borrowed. */
struct mqtt_login_request {
	const void *peer; /**< what the listener knows of the other end (address, certificate), as given to mqtt_engine_open */
	uint8_t level;
	bool is_clean;
	struct str client_id; /**< may be empty */
	struct mqtt_optional user, password;
	bool has_will, will_retain;
	uint8_t will_qos;
	struct str will_topic;
	struct slice will_payload;
};

enum { MQTT_OWNER_BYTES = 160 };

/** Who it is, as the policy says. */
struct mqtt_login {
	uint64_t login;                /**< the policy's own handle; one per connection, so that mqtt_engine_answer finds it */
	char owner[MQTT_OWNER_BYTES];  /**< name space of client ids, subscriptions and retained messages: "app:app1", "dev:app1/dev1" */
	struct mqtt_limits limits;     /**< in: the defaults */
	uint16_t idle_limit_s;         /**< in: 0; replaces a keep-alive of 0, 0: no limit */
	uint16_t keep_alive_max_s;     /**< in: 0; a 5.0 client that asks for more is told this one, 0: no limit */
};

enum mqtt_connack_code {
	MQTT_ACCEPTED, MQTT_REFUSED_LEVEL, MQTT_REFUSED_CLIENT_ID, MQTT_REFUSED_UNAVAILABLE, MQTT_REFUSED_CREDENTIALS, MQTT_REFUSED_RIGHTS
};

/** What becomes of a message from a client. */
enum mqtt_verdict {
	MQTT_TAKEN,       /**< safely taken: acknowledge now */
	MQTT_TAKEN_LATER, /**< acknowledge when mqtt_engine_taken is called with its ticket */
	MQTT_ROUTE,       /**< hand it to the owner's subscribers (and retain it if it says so) */
	MQTT_DROP,        /**< acknowledge, and forget it */
	MQTT_CLOSE,       /**< close the connection without acknowledging */
};

/** A message from a client. Everything is borrowed. */
struct mqtt_publication {
	uint64_t login;
	struct str owner, client_id, topic;
	struct slice payload;
	uint8_t level, qos;
	bool retain, is_will;
	uint64_t ticket;                /**< for MQTT_TAKEN_LATER */
	const struct mqtt_props *props; /**< of a 5.0 client; NULL otherwise */
};

/** Messages of QoS 1 and 2 that a session could not keep. Everything is borrowed. */
struct mqtt_loss {
	struct str owner, client_id;
	bool is_connected;
	uint64_t n, total; /**< since the last time that it was told; of this session */
};

struct mqtt_policy {
	void *ctx;
	/** Judge a CONNECT. @param ret_login set on MQTT_ACCEPTED  @param ret_why  optional text for a refused 5.0 client */
	enum mqtt_connack_code (*connect)(void *ctx, const struct mqtt_login_request *rq, struct mqtt_login *ret_login, struct text *ret_why);
	/** May it subscribe to a well-formed filter (without `$share/group/`)? It may be narrowed: what is stored is *ret_narrowed
	 * (given as the empty text; left empty: the filter itself).
	 * @return 0; or a reason code of 0x80 and above, which an older client sees as 0x80 */
	uint8_t (*filter)(void *ctx, uint64_t login, struct str filter, struct text *ret_narrowed);
	/** Take a message, or the will of a connection that was lost (its verdict is not waited for).
	 * @param ret_reason  0; otherwise what a 5.0 client finds in the acknowledgement */
	enum mqtt_verdict (*publish)(void *ctx, const struct mqtt_publication *m, uint8_t *ret_reason);
	/** May it still read? Asked at every delivery and before a backlog is sent. */
	bool (*may_read)(void *ctx, uint64_t login);
	/** A connection is over; reason: 0 the client said so; otherwise a reason code. Called once for each accepted CONNECT. */
	void (*disconnected)(void *ctx, uint64_t login, uint8_t reason);
	/** The engine will not name this login again (a delayed will may outlive its connection). NULL: nobody asks. */
	void (*released)(void *ctx, uint64_t login);
	/** A filter has been granted and its SUBACK sent. NULL: nobody asks. */
	void (*subscribed)(void *ctx, uint64_t login, struct str filter, uint8_t qos);
	/** A message given a cookie has been acknowledged by the client (QoS 0: been sent). Called from mqtt_engine_step.
	 * NULL: nobody asks. */
	void (*acknowledged)(void *ctx, uint64_t login, uint64_t cookie);
	/** A session has lost messages: its queue was full, or they were larger than its client takes. Called from mqtt_engine_step, of one
	 * session not more often than every ten seconds. NULL: nobody asks. */
	void (*lost)(void *ctx, const struct mqtt_loss *loss);
};

/** @file A town: many devices of every kind, gateways, servers and a disk around the network server's core, for a day of virtual
 * time. What must hold is looked at by law.c, which sees only what is on air and what the application server is told. */
#pragma once
#include "as/core/join.h"
#include "common/core/heap.h"
#include "test/scenario/node.h"
#include "test/unit/adr_channel.h"
#include "test/unit/ns_life.h"

enum { TOWN_GATEWAYS = 16, TOWN_HELD = 1024, TOWN_QUEUE = 4, TOWN_REACH = 4 };

/** An emission that the core asked for. */
struct emission {
	struct emission *next; /**< of the same gateway, newest first */
	struct tx_request m;
	uint32_t gateway;
	uint64_t start_us, asked_us;
	bool is_planned; /**< the forwarder took it */
};

struct t_gateway {
	uint64_t eui, offset_us;
	char id[37];
	const struct plan *plan;
	uint32_t path_us;
	struct emission *emissions; /**< of the last hour and a bit */
};

enum t_item_state { T_QUEUED, T_FLIGHT, T_DONE };
struct t_item {
	struct ulid id;
	uint8_t port, n, frm[64];
	bool confirmed;
	enum t_item_state state;
	uint32_t f_cnt;
	unsigned n_sent, n_failed, n_acked;
};

/** What counts for the law about one session of a device. */
struct t_session {
	struct ulid id;
	struct node_session keys;
	struct { uint64_t next; uint32_t hash; } down[2];
	uint32_t last_f_cnt;     /**< delivered to the application */
	bool has_f_cnt;
};

/** The uplink whose answer is awaited. */
struct t_awaited {
	bool wants_ack, wants_link, is_acked, is_linked, is_sent, is_refused, is_crossed; /**< sent: something; crossed: a crash in between */
	uint64_t end_us;
	unsigned heard_by;       /**< bits of gateways */
};

struct house {
	struct node n;
	struct heap_node due;
	enum { HOUSE_IDLE, HOUSE_SENDING, HOUSE_LISTENING } phase;
	uint64_t uid, begin_us, end_us;
	uint64_t period_us;
	unsigned left;           /**< transmissions of this frame that are to come */
	bool is_confirmed, is_answered;
	uint8_t confirmed_tries;
	unsigned gw[TOWN_REACH]; /**< gateways in reach */
	uint8_t first_dr;        /**< what its maker chose for the place */
	struct ch_air air;
	char name[37];
	/* the application server's side */
	struct join_state join;
	uint8_t *nonces;         /**< a bit for each DevNonce used */
	struct ulid session;     /**< of the last join-accept */
	struct t_session s[2];   /**< the last, and the one before */
	struct t_item q[TOWN_QUEUE];
	/* the law's */
	struct t_awaited awaited;
	struct { uint64_t at_us; uint32_t hash; unsigned times; } said[256]; /**< commands heard, by CID */
	unsigned n_uplinks, n_lost, n_downlinks, n_link_adr, n_joins;
};

enum t_kind { T_DELIVER, T_COMMIT, T_PULLED, T_JOINED, T_TOOK, T_SCHEDULED, T_TX_ACK, T_AIR, T_CRASH, T_PUSH, T_TELL };
struct t_event {
	struct heap_node due;
	enum t_kind kind;
	uint64_t number, life;   /**< life: of which process; another's are void */
	struct ulid id;
	int status;
	uint32_t result;
	const char *refusal;
	struct ns_pull pull;
	struct emission *emission;
	union {
		struct gs_uplink up;
		struct pulled pulled;
		struct join_answer join;
		struct tx_ack ack;
	};
};

struct town_options {
	uint64_t seed;
	unsigned devices, gateways, crashes;
	uint64_t day_us, period_us; /**< mean time between a device's uplinks */
};

struct town {
	struct town_options opt;
	struct world *disk;      /**< its disk and process only */
	struct now now;
	struct rng rng;
	struct rng_seeded seed;
	struct crypto *crypto;
	struct heap due;
	struct heap_node *end;
	struct t_gateway gw[TOWN_GATEWAYS];
	struct house *house;     /**< opt.devices of them */
	struct { uint64_t request; struct gs_uplink up; } held[TOWN_HELD];
	uint32_t n_held;
	uint64_t request, seen_seq, life, crash_us, refused;
	struct ns_up up;
	/* counts */
	unsigned long n_sent, n_heard, n_delivered, n_emissions, n_down_heard, n_joins, n_crashes, n_answers, n_excused, n_items, n_items_done;
	char broken[W_TEXT];
};

#define T_BREAK(t, ...)                                                          \
	do {                                                                     \
		if (!(t)->broken[0])                                             \
			snprintf((t)->broken, sizeof((t)->broken), __VA_ARGS__); \
	} while (0)

/* town.c */
struct town *town_new(const struct town_options *opt);
void town_live(struct town *t); /**< the day; ends early if a law is broken */
void town_free(struct town *t);
struct t_event *town_at(struct town *t, uint64_t at_us, enum t_kind kind);
struct house *town_house(struct town *t, uint64_t uid);

/* house.c: devices on air */
void house_due(struct town *t, struct house *h);
/** An emission begins: who hears it? */
void houses_hear(struct town *t, const struct emission *e);

/* servers.c: gateway servers and the application server */
void servers_ports(struct town *t, struct ns_ports *ret);
void servers_hello(struct town *t);
void servers_tell_waiting(struct town *t, struct house *h);
void servers_push(struct town *t, struct house *h);
void servers_event(struct town *t, struct t_event *e);

/* law.c */
void law_emission(struct town *t, struct emission *e);
/** A device's last exchange is over: was it answered? */
void law_exchange(struct town *t, struct house *h);
/** A device carried commands out. */
void law_commands(struct town *t, struct house *h);
void law_delivered(struct town *t, struct house *h, const struct up_data *d);
void law_session(struct house *h, const struct ulid *id); /**< the device has a new session */
void law_day(struct town *t);

/** @file A town: many devices of every kind, multicast groups, gateways, servers and a disk around the network server's core, for a
 * day of virtual time. What must hold is looked at by law.c and law_items.c, which see only what is on air and what the application
 * server is told. */
#pragma once
#include "as/core/join.h"
#include "common/core/heap.h"
#include "test/scenario/node.h"
#include "test/unit/adr_channel.h"
#include "test/unit/ns_life.h"

enum { TOWN_GATEWAYS = 16, TOWN_GROUPS = 16, TOWN_HELD = 1024, TOWN_QUEUE = 16, TOWN_REACH = 4, TOWN_ATTEMPTS = 3, TOWN_SOON = 8, TOWN_CRASHES = 16 };
#define TOWN_NIGHT_US (900 * SEC_US) /* after the day: what is on its way arrives, and nobody says more */
#define TOWN_ACK_US   (40 * SEC_US)  /* how long the acknowledgement of a confirmed class C item is waited for */

/** An emission that the core asked for. */
struct emission {
	struct emission *next; /**< of the same gateway, newest first */
	struct tx_request m;
	uint32_t gateway;
	uint64_t start_us, asked_us;
	bool is_planned; /**< the forwarder took it */
	bool is_silent;  /**< and its TX_ACK is lost */
};

struct t_gateway {
	uint64_t eui, offset_us;
	char id[37];
	const struct plan *plan;
	uint32_t path_us, imme_us; /**< imme: how long before an immediate frame begins */
	bool has_gps;
	struct emission *emissions; /**< of the last hour and a bit */
};

enum t_item_state { T_QUEUED, T_FLIGHT, T_DONE };
struct t_item {
	struct ulid id, session; /**< session, f_cnt: as it was handed out last */
	uint8_t port, n, frm[64];
	bool confirmed;
	uint64_t at_unix_us;     /**< when it is to be on air; 0: as soon as possible */
	unsigned n_via, via[TOWN_REACH]; /**< gateways that it names; those of an even place are group 0, the others 1 */
	enum t_item_state state;
	uint32_t f_cnt;
	uint64_t out_us;         /**< when */
	bool is_awaited;         /**< confirmed, told sent or perhaps sent: its acknowledgement is waited for */
	unsigned attempts;       /**< confirmed: times that no acknowledgement came */
	unsigned n_asked, n_planned, n_silent; /**< emissions since it was handed out last: all; taken by forwarders; and not spoken of */
	unsigned n_told, n_acked, n_heard; /**< times that its end was told; that the device heard it */
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
	bool wants_ack, wants_link, wants_accept;
	bool is_acked, is_linked, is_accepted, is_sent, is_heard; /**< sent, heard: something in RX1 or RX2 */
	bool is_refused, is_crossed; /**< by a forwarder; crossed: a crash in between */
	uint64_t end_us;
	unsigned heard_by;       /**< bits of gateways */
};

struct house {
	struct node n;
	struct heap_node due;
	enum { HOUSE_IDLE, HOUSE_SENDING, HOUSE_LISTENING } phase;
	uint64_t uid, begin_us, end_us;
	uint64_t period_us;
	unsigned left, n_tx;     /**< transmissions of this frame: those to come, and those that were */
	bool is_confirmed, is_answered;
	uint8_t confirmed_tries;
	unsigned gw[TOWN_REACH]; /**< gateways in reach */
	uint8_t first_dr;        /**< what its maker chose for the place */
	bool is_group;           /**< no device: a multicast group */
	uint64_t group;          /**< that it is a member of; 0: none */
	uint64_t rx_until_us;    /**< it is receiving until then */
	unsigned rejoin;         /**< how often the operator asked it to rejoin */
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
	struct { uint64_t from_us, to_us, asked_us; } soon[TOWN_SOON]; /**< the last frames for it on air */
	unsigned n_soon;
	unsigned n_uplinks, n_lost, n_downlinks, n_link_adr, n_joins;
};

enum t_kind { T_DELIVER, T_COMMIT, T_PULLED, T_JOINED, T_TOOK, T_SCHEDULED, T_TX_ACK, T_AIR, T_CRASH, T_PUSH, T_TELL, T_REJOIN };
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
	uint64_t push_us;           /**< and between items for it, where it is of class C; others have one in twelve times that */
	const char *plan;           /**< of all gateways; NULL: four of EU_863_870, one of each of some others */
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
	struct house *house;     /**< opt.devices of them, then the groups */
	unsigned n_houses;
	struct { uint64_t request; struct gs_uplink up; } held[TOWN_HELD];
	uint32_t n_held;
	uint64_t crash_at_us[TOWN_CRASHES]; /**< the last ones */
	uint64_t request, seen_seq, life, crash_us, end_us, refused, revision;
	struct ns_up up;
	/* counts */
	unsigned long n_sent, n_heard, n_delivered, n_emissions, n_down_heard, n_joins, n_rejoins, n_crashes, n_answers, n_excused;
	unsigned long n_items, n_items_done, n_items_failed, n_items_heard, n_class_c, n_casts;
	char broken[W_TEXT];
};

#define T_BREAK(t, ...)                                                          \
	do {                                                                     \
		if (!(t)->broken[0])                                             \
			snprintf((t)->broken, sizeof((t)->broken), __VA_ARGS__); \
	} while (0)

/* build.c */
struct town *town_new(const struct town_options *opt);
void town_free(struct town *t);

/* town.c */
void town_start(struct town *t); /**< a process of the network server, on the disk as it is */
void town_live(struct town *t);  /**< the day; ends early if a law is broken */
struct t_event *town_at(struct town *t, uint64_t at_us, enum t_kind kind);
struct house *town_house(struct town *t, uint64_t uid);

/* house.c: devices on air */
void house_due(struct town *t, struct house *h);
/** An emission begins: who hears it? */
void houses_hear(struct town *t, const struct emission *e);

/* servers.c: gateway servers and the application server */
void servers_ports(struct town *t, struct ns_ports *ret);
void servers_hello(struct town *t);
/** The operator asks a device to rejoin. */
void servers_ask_rejoin(struct town *t, struct house *h);
void servers_event(struct town *t, struct t_event *e);

/* items.c: the application server's queues */
void items_push(struct town *t, struct house *h);
void items_tell(struct town *t, struct house *h);     /**< say what waits for a device */
void items_tell_all(struct town *t);
/** A pull: what is handed out. */
void items_pull(struct town *t, struct house *h, const struct pull *m, struct pulled *ret);
void items_outcome(struct town *t, struct house *h, const struct up_outcome *o);
void items_restarted(struct town *t); /**< of what the old process was handed nobody knows */
/** The item that was handed out for this counter; NULL: none */
struct t_item *items_out(struct house *h, const struct ulid *session, uint32_t f_cnt);

/* law.c */
void law_emission(struct town *t, struct emission *e);
/** A device's last exchange is over: was it answered? */
void law_exchange(struct town *t, struct house *h);
/** A device carried commands out. */
void law_commands(struct town *t, struct house *h);
void law_delivered(struct town *t, struct house *h, const struct up_data *d);
void law_session(struct house *h, const struct ulid *id); /**< the device has a new session */
void law_day(struct town *t);

/* law_items.c */
/** A frame for a device or group is going on air. @param full  its counter; only_item: NULL or the item in it */
void law_frame(struct town *t, struct house *h, const struct t_session *s, uint32_t full, bool is_app, const struct emission *e);
/** The end of an item is told. */
void law_told(struct town *t, struct house *h, struct t_item *it, const struct up_outcome *o);
void law_heard(struct town *t, struct house *h, struct house *owner);
void law_items_day(struct town *t);

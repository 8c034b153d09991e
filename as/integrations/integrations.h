/** @file The integrations of applications: who is sent what, each with its durable outbox.
 *
 * A kind of integration (Pub/Sub, webhooks) is a room of its own that serves those of its class: it is told of each one that there is, that
 * changed, that goes, and woken when something waits in its outbox. It asks for messages one after the other, and says what became of
 * them. What an integration is set to is text of its class's own making, kept here, secrets sealed in it (envelope_seal_text).
 *
 * Messages are added in the turn of the loop that publishes them, hence in the commit that notes that the ns's message was taken:
 * neither lost nor doubled by a crash.
 */
#pragma once
#include "as/as.h"
#include "as/core/hash.h"
#include "as/core/integration/spool.h"

enum integration_kind { INTEGRATION_PUBSUB, INTEGRATION_WEBHOOK, INTEGRATION_KINDS };

enum { INTEGRATION_ERROR_MAX = 240 };

struct integration {
	struct as *as;
	uint64_t number;            /**< made once, never used again: what outlives a turn of the loop keeps this */
	enum integration_kind kind;
	char app[APP_KEY_TEXT];     /**< key of its application */
	char id[ID_MAX + 1];
	uint32_t kinds;             /**< of messages that it takes: KIND_BIT */
	struct spool spool;
	/* What `get` shows; since this process started. */
	bool is_connected;          /**< or healthy */
	char error[INTEGRATION_ERROR_MAX]; /**< the last one, in words; "": none */
	uint64_t error_unix_us;
	uint64_t sent, received, dropped;
	uint64_t untold, told_us;   /**< dropped and not told of yet; when it was last told [mono] */
	void *own;                  /**< its class's */
	char *record;               /**< what it is set to */
	bool is_woken;              /**< something was added that is not on disk yet */
	uint64_t settling;          /**< numbers below that will be, when integrations_durable is called */
	struct integration *next_of_app;
	UT_hash_handle hh;
};

/** What serves integrations of one kind. Functions may not delete integrations. */
struct integration_class {
	enum integration_kind kind;
	struct {
		enum event_id set, del, start, stop, fail, drop;
	} events;
	/** Serve it from now on as i->record says: at start, and when it was set; i->own is NULL, or what the last call made of it. Sets
	 * i->kinds. @return 0; -errno: at start, a damaged record; it stays, and is not served */
	int (*serve)(struct integration *i);
	/** It goes, or the process ends: close what is open, free i->own. */
	void (*leave)(struct integration *i);
	/** Something waits that was not there, and is on disk now. */
	void (*wake)(struct integration *i);
};

/** Serve a kind: in the start of its room, which begins behind this one. @return 0; -errno, with a line in *err */
int integrations_serve(struct as *as, const struct integration_class *c, struct text *err);
/** In its stop: leave all of them. */
void integrations_leave(struct as *as, enum integration_kind kind);

/* ---- the registry of them; for the HTTP API ---- */

/** NULL: there is none. */
struct integration *integrations_find(struct as *as, enum integration_kind kind, const struct app *a, struct str id);
struct integration *integrations_by_number(struct as *as, uint64_t number);
/** All of an application, of all kinds, in the order of their ids: walk on with next_of_app. */
struct integration *integrations_of(struct as *as, const struct app *a);
/** Create or change. A changed one drops what it has open and begins anew, with the same outbox.
 * @param record  what it is set to, secrets sealed
 * @return 0; REGISTRY_E_INVALID the id; REGISTRY_E_FULL as.integrations; -errno */
int integrations_set(struct as *as, enum integration_kind kind, const struct app *a, const char *id, struct str record,
	struct integration **ret, struct problem *p);
/** Delete it with its outbox. @return 0; -errno */
int integrations_delete(struct as *as, struct integration *i);

/** `status`, as `get` shows it: {"connected":…,"last_error":{…},"queued":…,"sent":…,"received":…,"dropped":…}. */
void integrations_write_status(const struct integration *i, struct text *t);

/* ---- the tap ---- */

/** Keep a message for every integration of the application that takes its kind. @param d  NULL: the device does not exist
 * @return 0; -errno: nobody keeps it */
int integrations_publish(struct as *as, const struct app *a, const char *device_id, enum message_kind kind, struct str json);

/** The store was put back from a copy, and its rooms have not started: numbers of messages that may have been given after that day are not
 * given again. @return 0; -errno */
int integrations_leap(struct store *store, uint64_t by);

/* ---- for who serves them ---- */

/** Read the message of an entry of the outbox: borrowed until the next call of any store function.
 * @return 0; -ENOENT gone or damaged, which was counted as dropped; -errno */
int integrations_read(struct integration *i, uint64_t seq, struct spool_message *ret);
/** The peer has it: forget it. */
void integrations_sent(struct integration *i, uint64_t seq);
/** QoS 2: the peer has it, and its number is to be released once this is durable: `then` is called with the integration's number and
 * seq, where that still is, perhaps within this call. @return 0; -errno */
int integrations_received(struct integration *i, uint64_t seq, void (*then)(struct as *as, uint64_t number, uint64_t seq));
/** Nobody will have it: forget it, count it, and tell why ("expired", "refused"). */
void integrations_drop(struct integration *i, uint64_t seq, const char *reason);
/** Wake it, once all that waits is on disk. */
void integrations_wake_soon(struct integration *i);
/** All of them together, for metrics. */
void integrations_count(struct as *as);
/** The link is there. */
void integrations_connected(struct integration *i);
/** It is not, or something went wrong with it; said in the log and the trace where it is news. @param why in words */
void integrations_failed(struct integration *i, const char *why);
/** Something went wrong with it that an operator should know of, though the link stays. */
void integrations_warn(struct integration *i, const char *why);
/** It was closed on purpose. */
void integrations_stopped(struct integration *i);

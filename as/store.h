/** @file The tables of the application server's store, and loading the registry from them.
 *
 * Each key begins with its table's octet. Whoever adds a table adds a line here.
 */
#pragma once
#include "as/core/registry/registry.h"
#include "common/store.h"

enum as_table {
	TABLE_META = 0x01,       /**< registry: "store", "uid", "forgotten"; others: their own names */
	TABLE_APPS = 0x10,       /**< "app1@tenant1" -> JSON */
	TABLE_DEVICES = 0x11,    /**< uid (8, big endian) -> JSON */
	TABLE_GATEWAYS = 0x12,   /**< uid -> JSON */
	TABLE_TOMBSTONES = 0x13, /**< revision (8) -> kind (1), uid (8) */
	TABLE_API_KEYS = 0x14,   /**< id -> JSON */
	TABLE_CREDENTIALS = 0x15, /**< uid -> kind, certificate, sealed texts: what a device logs in with */
	TABLE_PROFILES = 0x16,   /**< "app1@tenant1" -> sealed JSON: what it says of its devices that speak IP */
	TABLE_SESSIONS = 0x20,   /**< uid -> sessions, AppSKeys sealed */
	TABLE_QUEUE = 0x21,      /**< uid, seq (8) -> item */
	TABLE_JOIN = 0x22,       /**< uid -> what the join server remembers */
	TABLE_DEV_NONCES = 0x23, /**< uid -> the DevNonces that were used */
	TABLE_INTAKE = 0x24,     /**< store id of an ns (16) -> last seq taken (8) */
	TABLE_WAITING = 0x25,    /**< "app1@tenant1", 0, number (8) -> rest of the topic, newline, message: of an application without a link */
	TABLE_BATTERIES = 0x26,  /**< uid -> what the device last said of its battery */
	TABLE_INTEGRATIONS = 0x27, /**< "app1@tenant1", 0, kind (1), id -> number (8), what it is set to */
	TABLE_OUTBOX = 0x28,     /**< number of an integration (8), seq (8) -> message; seq 0: numbers below that (8) may have been given */
	TABLE_INBOX = 0x29,      /**< number of an integration (8), packet id (2) -> "": a message of QoS 2 that its broker has not released */
	TABLE_LINES_UP = 0x2a,   /**< uid, number (8) -> what waits for a payload formatter: an uplink, a join or a status, as/formatters/lines.h */
	TABLE_LINES_DOWN = 0x2b, /**< likewise -> a push or replace */
	TABLE_LOCATIONS = 0x2c,  /**< uid -> where its payload said that it is, if that is newer than its record in TABLE_DEVICES */
	TABLE_MQTT = 0x30,       /**< the engine's key -> session, subscription or message */
	TABLE_SERIES = 0x40,       /**< uid, last times first: ~ms (8) -> chunk, as/core/series/rows.h */
	TABLE_SERIES_HEADS = 0x41, /**< uid -> octets of its chunks, newest values, as/core/series/series.h */
	TABLE_ATTRIBUTES = 0x42, /**< uid, scope (1) -> names and values, as/core/series/names.h */
	TABLE_RPCS = 0x48,       /**< uid, id (16) -> call to a device, JSON */
	TABLE_SHARED = 0x4a,     /**< uid -> keys of shared attributes whose change the device is to be told, JSON array */
	TABLE_CLAIMS = 0x49,     /**< uid -> what a device has offered to whoever claims it */
	TABLE_TRACE_INDEX = 0x60,  /**< in the store of the trace: number (8) -> index of the chunk, as/core/trace/chunk.h */
	TABLE_TRACE_CHUNKS = 0x61, /**< likewise -> chunk */
};
enum { AS_SCHEMA = 1 };
enum { UID_KEY = 9 };
/** The key of a device's only record of a table. */
struct slice as_store_uid_key(uint8_t buf[UID_KEY], enum as_table table, uint64_t uid);

/** Delete every record below a prefix of at most UID_KEY octets, whose keys are no longer than 17. @return 0; -errno */
int as_store_forget(struct store *s, struct slice prefix);

struct as;
/** Writes of the registry and the keyring go to the store. */
struct registry_sink as_store_sink(struct store *s);
/** Fill registry and keyring from the store. @return 0; -errno with one line in *err */
int as_store_load(struct as *as, struct text *err);

/** @file Records as JSON: a table of fields per kind of record, read under a field mask.
 *
 * One codec serves the HTTP API, import and export, and the store (where keys are sealed and registry numbers
 * are kept).
 */
#pragma once
#include "as/core/envelope.h"
#include "as/core/registry/json_copy.h"
#include "as/core/registry/record.h"
#include "common/core/clock.h"

enum { MASK_MAX = 64 };
/** Which fields a request is about. */
struct field_mask {
	bool given; /**< else: whatever the object holds */
	size_t n;
	struct str v[MASK_MAX]; /**< borrowed: "session.keys" */
};
/** Read {"paths":["a","b.c"]}, ["a","b.c"] or "a,b.c". Absent: nothing given.
 * @return 0; REGISTRY_E_INVALID */
int field_mask_read(const struct json *j, json_val v, struct field_mask *ret, struct problem *p);
/** From a query parameter "a,b.c"; NULL: nothing given. @return 0; REGISTRY_E_INVALID */
int field_mask_parse(const char *text, struct field_mask *ret, struct problem *p);
/** Is the field, one above it or one below it named? */
bool field_mask_covers(const struct field_mask *m, const char *path);

/** Where a record is read from, and how. */
struct record_source {
	const struct json *j;
	json_val root;
	const struct envelope *envelope; /**< set: from the store, with sealed keys; NULL: from outside */
	struct problem *problem;
	bool is_import; /**< a device of another network: what only that has is passed over */
};

struct record_field;
/** Read a field into the record. v is absent when it is to be cleared. @return 0; REGISTRY_E_INVALID; -ENOMEM
 */
typedef int record_reader(void *record, const struct record_field *f, const struct record_source *rd, json_val v);

/** A field: where it stands, and who reads it. */
struct record_field {
	const char *path;    /**< "session.keys.app_s_key" */
	record_reader *read;
	size_t off;       /**< of the member, for the readers below */
	size_t arg;       /**< a size, a record_text, or what the reader takes it for */
};

/** Read every field of the table that is there (or, with a mask, that is covered).
 * @return 0; REGISTRY_E_INVALID; -ENOMEM */
int record_read(void *record, const struct record_field *f, size_t n, const struct field_mask *m,
	const struct record_source *rd);
/** The value at a dotted path below root; negative: absent. */
json_val record_find(const struct json *j, json_val root, const char *path);
/** Complain about a field. @return REGISTRY_E_INVALID */
int record_bad(const struct record_source *rd, const struct record_field *f, const char *why);

/* Readers. Those of members need `off`. */
record_reader read_bool;
record_reader read_eui;  /**< uint64_t; arg: offset of its bool has_ */
record_reader read_u32;  /**< uint32_t; arg: offset of its bool has_, 0: none */
record_reader read_word; /**< char[arg] without blanks */
record_reader read_key;  /**< struct key; arg: offset of its bool has_, 0: none */
record_reader read_time; /**< uint64_t us; from the store only */
/* Texts: off is that of struct record_texts, arg the record_text. */
record_reader read_text;   /**< name or description */
record_reader read_json;   /**< any JSON value, kept */
record_reader read_object; /**< a JSON object, replaced */

/* Writers; each leaves out what is empty, as The Things Stack does. */
void write_texts(struct text *t, const struct record_texts *x,
	const char *const names[TEXT_N]); /**< name NULL: not here */
void write_times(struct text *t, uint64_t created_unix_us, uint64_t updated_unix_us);
/** {"key":"…"}, or sealed where an envelope is given. */
void write_key(struct text *t, const char *name, const struct key *k, const struct envelope *e);

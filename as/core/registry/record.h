/** @file What the records of the registry share: free texts, the order of revisions, and what is wrong with a
 * request. */
#pragma once
#include "as/core/registry/limits.h"
#include "common/core/err.h"
#include "common/core/id.h"
#include "common/core/text.h"

enum { APP_KEY_TEXT = 2 * ID_MAX + 2 }; /**< "app1@tenant1" with terminator */

/** Outcomes of every function that changes or reads the registry on somebody's behalf. */
enum {
	REGISTRY_E_EXISTS = 1, /**< the id, the EUI or the pair of EUIs is taken: HTTP 409 */
	REGISTRY_E_NOT_FOUND,  /**< 404 */
	REGISTRY_E_INVALID,    /**< 400; the problem names the field */
	REGISTRY_E_IN_USE,     /**< an application that still has devices: 400 */
	REGISTRY_E_FULL,       /**< a limit of as/core/registry/limits.h: 429 */
};

/** Why, for people: "dev_eui" and "must be 16 hex digits". */
struct problem {
	char field[64];    /**< "" if it is about the whole */
	char message[640];
};
/** Fill *p (may be NULL) and return `outcome`, so that `return problem_say(...)` is one line. */
int problem_say(struct problem *p, int outcome, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/** The free parts of a record, kept as text. JSON ones hold one strict JSON value. */
enum record_text {
	TEXT_NAME,
	TEXT_DESCRIPTION,
	TEXT_ATTRIBUTES,   /**< JSON object of strings */
	TEXT_MAC_SETTINGS, /**< JSON object as the operator gave it, of which device.mac is what the ns is
			      told */
	TEXT_LOCATIONS,    /**< JSON object of locations by service; a gateway's antennas (array) */
	TEXT_VERSION_IDS,  /**< JSON object */
	TEXT_LINK,         /**< application: JSON object of its link */
	TEXT_MAC_STATE,    /**< device: how a session that was brought along listens (mac_state_pack) */
	TEXT_N
};
struct record_texts {
	char *v[TEXT_N]; /**< heap; NULL: none */
};
/** @return 0; -ENOMEM. Empty s: none. */
int texts_set(struct record_texts *t, enum record_text which, struct str s);
int texts_copy(struct record_texts *dst, const struct record_texts *src);
void texts_done(struct record_texts *t);
const char *texts_get(const struct record_texts *t, enum record_text which); /**< "" if none */

/** Is the frequency plan one that exists? Empty is allowed. @return 0; REGISTRY_E_INVALID with a list of them
 */
int plan_check(const char *plan, struct problem *p);

/** A device, a gateway or a tombstone, in the order of revisions. */
enum entry_kind { ENTRY_DEVICE, ENTRY_GATEWAY };
struct entry {
	struct entry *older, *newer;
	uint64_t uid;      /**< registry number: made once, never used again */
	uint64_t revision; /**< of the last change that replicas are told of */
	enum entry_kind kind;
	bool deleted;      /**< a tombstone: nothing but this struct is left */
};

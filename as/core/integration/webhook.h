/** @file What a webhook is set to, as JSON in The Things Stack's shape, and as it is kept in the store with its secrets sealed. Pure. */
#pragma once
#include "as/core/integration/kinds.h"
#include "as/core/integration/webhook_url.h"
#include "as/core/registry/record_json.h"

enum webhook_text {
	WEBHOOK_BASE_URL,
	WEBHOOK_HEADERS,          /**< strict JSON object of strings; secret */
	WEBHOOK_DOWNLINK_API_KEY, /**< handed to the server with each message; secret */
	WEBHOOK_SIGNATURE_SECRET, /**< the key of the signature; secret */
	WEBHOOK_TLS_CA,           /**< PEM: who is believed; none: those that the system believes */
	WEBHOOK_FIELD_MASK,       /**< "end_device_ids,up.uplink_message.frm_payload"; none: the whole message */
	WEBHOOK_TEMPLATE_IDS,     /**< JSON object; kept for The Things Stack's clients */
	WEBHOOK_TEMPLATE_FIELDS,  /**< likewise; secret */
	WEBHOOK_TEXT_N
};

enum {
	WEBHOOK_HEADERS_N = 50,
	WEBHOOK_HEADER_NAME_MAX = 64,
	WEBHOOK_HEADER_VALUE_MAX = 4096,
	WEBHOOK_CONNECTIONS_MAX = 16,
	WEBHOOK_RECORD_MAX = 256 * 1024, /**< octets of it as JSON */
};

struct webhook {
	uint64_t created_unix_us, updated_unix_us;
	char *text[WEBHOOK_TEXT_N]; /**< heap; NULL: none */
	char *path[KIND_N];         /**< templates; NULL: messages of that kind are not sent, "": to the base URL itself */
	bool is_paused;
	uint32_t connections;       /**< messages under way at a time; 1: in order */
};

/** What stands for a secret that is set, in what is shown; given back, it leaves the secret as it is. */
#define WEBHOOK_HIDDEN "********"

struct webhook *webhook_new(void); /**< NULL: no memory */
void webhook_free(struct webhook *w);
DEFINE_AUTO(struct webhook, webhook_free);
/** Let a fresh one be set to the same. @return 0; -ENOMEM */
int webhook_copy(struct webhook *dst, const struct webhook *src);
const char *webhook_text_of(const struct webhook *w, enum webhook_text which); /**< "": none */
/** KIND_BIT of each kind of message that it takes. */
uint32_t webhook_kinds(const struct webhook *w);

/** Change it as the object says; with rd->envelope, from the store. @return 0; REGISTRY_E_INVALID; -ENOMEM */
int webhook_read(struct webhook *w, const struct field_mask *m, const struct record_source *rd);
/** The members behind `ids`, for people: secrets hidden. Within an object that the caller opens and closes. */
void webhook_write(struct text *t, const struct webhook *w);
/** All of it, for the store. @return 0; -EIO it cannot be sealed; -ENOMEM */
int webhook_store(struct text *t, const struct webhook *w, const struct envelope *e);

/** Walk through its headers: begin with *at = 0. The texts are valid until the next call.
 * @return false: there is no further one */
struct webhook_header {
	char name[WEBHOOK_HEADER_NAME_MAX + 1], value[WEBHOOK_HEADER_VALUE_MAX + 1];
};
bool webhook_header_next(const struct json *headers, json_val *at, struct webhook_header *ret);
/** Is the value of a header of this name a secret: Authorization, X-Api-Key, …? */
bool webhook_header_is_secret(const char *name);

/** The message as the webhook is to have it: with a field mask, only what that names. Appended. @return 0; -EBADMSG; -ENOMEM */
int webhook_body(const struct webhook *w, struct str message, struct text *t);

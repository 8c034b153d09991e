/** @file What a Pub/Sub integration is set to, as JSON in The Things Stack's shape and as it is kept. */
#pragma once
#include "as/core/integration/kinds.h"
#include "as/core/integration/pubsub_topic.h"
#include "as/core/registry/record_json.h"

/** Downlink requests that the broker may be asked for. */
enum pubsub_down { PUBSUB_PUSH, PUBSUB_REPLACE, PUBSUB_DOWN_N };

/** The texts among its settings. */
enum pubsub_text {
	PUBSUB_URL, PUBSUB_CLIENT_ID, PUBSUB_USERNAME, PUBSUB_PASSWORD,
	PUBSUB_CA, PUBSUB_CERTIFICATE, PUBSUB_KEY, /**< PEM */
	PUBSUB_BASE,
	PUBSUB_UP, /**< and one for each kind of message: its sub-topic */
	PUBSUB_DOWN = PUBSUB_UP + KIND_N, /**< likewise for push and replace */
	PUBSUB_TEXT_N = PUBSUB_DOWN + PUBSUB_DOWN_N
};
enum {
	PUBSUB_URL_MAX = 512, PUBSUB_CLIENT_ID_MAX = 128, PUBSUB_LOGIN_MAX = 1024, PUBSUB_PEM_MAX = 16384, PUBSUB_PART_MAX = 256,
};

struct pubsub {
	uint64_t created_unix_us, updated_unix_us;
	char *v[PUBSUB_TEXT_N];  /**< NULL: not set; heap */
	bool use_tls;
	uint8_t subscribe_qos, publish_qos;
};

struct pubsub *pubsub_new(void); /**< NULL: no memory */
void pubsub_free(struct pubsub *p); /**< secrets are overwritten */
DEFINE_AUTO(struct pubsub, pubsub_free);
const char *pubsub_get(const struct pubsub *p, unsigned which); /**< "": not set */
/** The kinds of messages that it has a topic for: KIND_BIT. */
uint32_t pubsub_kinds(const struct pubsub *p);

/** Change it as the object says; with rd->envelope set it is one of the store's. @return 0; REGISTRY_E_INVALID; -ENOMEM */
int pubsub_json_read(struct pubsub *p, const struct field_mask *m, const struct record_source *rd);
/** Is it whole, and does it hold together? The URL and the certificates are looked at by who uses them.
 * @return 0; REGISTRY_E_INVALID */
int pubsub_check(const struct pubsub *p, struct problem *problem);
/** Its members, within an object that is open; never the password, never the private key. */
void pubsub_json_write(struct text *t, const struct pubsub *p);
/** As it is kept: a whole object, secrets sealed. @return 0; -ENOMEM; -EIO */
int pubsub_json_store(struct text *t, const struct pubsub *p, const struct envelope *e);
/** From what is kept. @return 0; -EPROTO damaged; -EBADMSG another key-encryption key; -ENOMEM */
int pubsub_load(struct pubsub *p, struct str record, const struct envelope *e);

/** @file The wire of one MQTT client: name look-up, TCP, TLS, WebSocket, their time limits, and the reason when it ends.
 *
 * A link is closed, on its way, or open; it never comes back by itself: whoever has it opens it again when it is time to.
 */
#pragma once
#include "as/core/integration/broker_url.h"
#include "as/core/integration/mqtt_client.h"
#include "as/integrations/resolver.h"
#include "as/integrations/tls_client.h"
#include "common/loop.h"

struct mqtt_link;

struct mqtt_link_options {
	struct broker_url url;
	struct tls_client_options tls;     /**< looked at if url.is_tls */
	struct mqtt_client_options client; /**< packet_max, answer_us, ack_us: 0 stands for what is usual */
	bool is_public_only;               /**< addresses of this host and of private networks are passed over, as in dial.h */
	uint64_t connect_us;               /**< for each of look-up, connection and handshake [us]; 0: 10 s */
};

struct mqtt_link_user {
	struct mqtt_client_user client;
	/** It has ended, or could not begin; the link is closed, and may be opened again or freed from within.
	 * @param words  one sentence for an operator, borrowed for the call */
	void (*ended)(void *ctx, enum mqtt_fault fault, struct str words); /**< ctx is client.ctx */
};

/** @param o  copied
 * @param why  on -EINVAL: which option is wrong, and how
 * @return 0; -EINVAL; -ENOMEM */
int mqtt_link_new(struct loop *l, struct resolver *r, const struct mqtt_link_options *o, const struct mqtt_link_user *user,
	struct mqtt_link **ret, struct text *why);
void mqtt_link_free(struct mqtt_link *k); /**< closes first */
DEFINE_AUTO(struct mqtt_link, mqtt_link_free);
/** Begin; `connected` or `ended` will be called, never from within. Of a link that is not closed: nothing happens. */
void mqtt_link_open(struct mqtt_link *k);
/** Take leave of the broker and close; `ended` is not called. @param is_for_ever  unsubscribe, too */
void mqtt_link_close(struct mqtt_link *k, bool is_for_ever);
bool mqtt_link_is_closed(const struct mqtt_link *k);
/** Its client: for mqtt_client_send, _stored, _accept, _remember, _is_connected; the rest is the link's. */
struct mqtt_client *mqtt_link_client(struct mqtt_link *k);

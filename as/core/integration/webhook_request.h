/** @file The request that a webhook's server is sent for a message: head and body, as they stand on the wire. Pure. */
#pragma once
#include "as/core/integration/spool.h"
#include "as/core/integration/webhook.h"

/** What is said besides the message. */
struct webhook_sender {
	const char *application; /**< "app1@tenant1" */
	const char *webhook;
	const char *api_url;     /**< "https://lora.example.com:8885/api/v3"; "": unknown, and no addresses for downlinks are given */
	const char *domain;      /**< for X-Tts-Domain; "": none */
	uint64_t number, seq;    /**< what the message is known by, however often it is sent */
};

/** @param head  appended: request line and headers, the empty line included. text_done(&ret_to->target) whatever is returned
 * @param body  appended: what the signature is of
 * @return 0; -EINVAL it cannot be sent, with the reason in *ret_why; -ENOMEM; -EIO */
int webhook_request(const struct webhook *w, const struct webhook_sender *s, const struct spool_message *m, struct text *head, struct text *body,
	struct webhook_target *ret_to, const char **ret_why);

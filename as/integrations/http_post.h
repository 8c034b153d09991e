/** @file Requests to other people's HTTP servers, one at a time over a connection that is kept for the next one.
 *
 * Redirections are not followed. An answer is taken once its head and body are there; what the body says is kept for people only.
 */
#pragma once
#include "as/integrations/dial.h"

struct http_post;
struct ssl_ctx_st;

/** Where to, as it is compared with what the connection leads to. */
struct http_place {
	const char *host; /**< a name or an address, an IPv6 one without brackets */
	uint16_t port;
	struct ssl_ctx_st *tls; /**< NULL: plain. Must live until it has been closed, or another one is used */
};

struct http_post_options {
	uint64_t timeout_us;  /**< from the beginning to the whole answer */
	uint64_t idle_us;     /**< a connection without a request is closed after this long */
	bool is_public_only;  /**< see dial.h */
};

struct http_result {
	unsigned status;          /**< 0: there was no answer */
	const char *retry_after;  /**< field of the answer; "": none */
	const char *why;          /**< for people: what went wrong, or what the answer says */
};

/** @param done  called once for each request, never from within http_post_send; the next one may be sent from within, or all freed
 * @return NULL: no memory */
struct http_post *http_post_new(struct loop *l, struct resolver *r, const struct http_post_options *o,
	void (*done)(void *ctx, const struct http_result *result), void *ctx);
void http_post_free(struct http_post *p); /**< nothing more is called */
DEFINE_AUTO(struct http_post, http_post_free);
/** Send a request.
 * @param request  head and body, as they stand on the wire; copied
 * @return 0; -ENOMEM; -EBUSY one is under way */
int http_post_send(struct http_post *p, const struct http_place *to, struct str request);
/** Give up what is under way, without a call, and close the connection. */
void http_post_close(struct http_post *p);
bool http_post_is_busy(const struct http_post *p); /**< a request is under way */
bool http_post_is_open(const struct http_post *p); /**< it holds a connection, or is about to */

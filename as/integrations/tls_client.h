/** @file TLS towards other people's servers: whom we believe, and the certificate that we show. */
#pragma once
#include "common/core/text.h"

struct bufferevent;
struct ssl_ctx_st;

/** All PEM texts, not files; empty: none. */
struct tls_client_options {
	struct str ca;          /**< certificates that are believed; empty: those that the system believes */
	struct str certificate; /**< of ours, its chain behind it */
	struct str key;         /**< the certificate's */
};

/** A context for net_tls_connect: TLS 1.2 or later, the other end's certificate and name are checked.
 * Also to see whether the texts are good, before they are stored.
 * @param ret  on 0: the caller's, for tls_client_free
 * @param why  on -EINVAL: what is wrong with which of them
 * @return 0; -EINVAL; -ENOMEM */
int tls_client_new(const struct tls_client_options *o, struct ssl_ctx_st **ret, struct text *why);
void tls_client_free(struct ssl_ctx_st *tls);
/** Within the callback of an error: what went wrong with TLS, in words for an operator; nothing if it was not TLS.
 * @return is it a matter of trust, which lasts: a certificate, a name, a version? */
bool tls_client_why(struct bufferevent *bev, const char *host, struct text *t);

/** @file Names to addresses without holding anybody up: the system's own resolver, asked on threads of its own.
 *
 * So names mean what they mean for every other program of the machine: /etc/hosts, search domains, mDNS (broker.local), and a
 * resolv.conf that changes while we run. All callbacks are on the loop's thread, never from within resolver_ask.
 */
#pragma once
#include "common/core/err.h"
#include "common/loop.h"
#include "common/net.h"

struct resolver;
struct resolver_question;

enum { RESOLVER_ADDRESSES_MAX = 8 };

struct resolver_answer {
	size_t n; /**< 0: none, and `why` says why */
	struct net_address v[RESOLVER_ADDRESSES_MAX]; /**< best first (RFC 6724), port set */
	const char *why;
};

/** @return NULL: no memory, no descriptor */
struct resolver *resolver_new(struct loop *l);
/** Questions that were not forgotten are not answered any more. A thread that still waits for a name server is not waited for. */
void resolver_free(struct resolver *r);
DEFINE_AUTO(struct resolver, resolver_free);
/** @param host  a name or an address, an IPv6 one without brackets
 * @param fn  called once; the question is gone then
 * @param ret  valid until fn is called or resolver_forget
 * @return 0; -ENOMEM; -ENAMETOOLONG */
int resolver_ask(struct resolver *r, const char *host, uint16_t port, void (*fn)(void *ctx, const struct resolver_answer *a), void *ctx,
	struct resolver_question **ret);
void resolver_forget(struct resolver_question *q); /**< fn is not called; NULL: nothing happens */

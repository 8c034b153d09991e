/** @file From a name to a connected socket: the name is looked up, its addresses are tried one after the other, without holding anybody up. */
#pragma once
#include "as/integrations/resolver.h"

struct dial;

struct dial_options {
	const char *host;    /**< a name or an address, an IPv6 one without brackets */
	uint16_t port;
	uint64_t limit_us;   /**< for all of it; an address that is not the last one has three seconds of that at most */
	bool is_public_only; /**< addresses of this host and of private networks are passed over (as/core/integration/address.h). What is looked at is
				the address that is then connected to, whatever the name stands for a moment later */
};

/** @param fn   called once, never from within; the dial is gone then. fd: the receiver's, connected and non-blocking; negative: `why` says why,
 *              for people, borrowed for the call
 * @param ret   valid until fn is called or dial_cancel
 * @return 0; -ENOMEM */
int dial_start(struct loop *l, struct resolver *r, const struct dial_options *o, void (*fn)(void *ctx, int fd, const char *why), void *ctx,
	struct dial **ret);
void dial_cancel(struct dial *d); /**< fn is not called; NULL: nothing happens */

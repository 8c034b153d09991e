/** @file Addresses for devices that join. */
#include "ns/core/up/address.h"

static uint64_t size_of(struct devaddr_block b)
{
	return UINT64_C(1) << (32 - b.bits);
}

/* Each address of all blocks is as likely as any other. */
static uint32_t pick(const struct ns_config *c)
{
	uint64_t n = 0, at;
	if (!c->n_prefixes)
		return devaddr_make(c->net_id, (uint32_t)rng_u64(&c->rng));
	for (size_t i = 0; i < c->n_prefixes; i++)
		n += size_of(c->prefix[i]);
	at = rng_u64(&c->rng) % n;
	for (size_t i = 0;; i++) {
		if (at < size_of(c->prefix[i]))
			return c->prefix[i].prefix | (uint32_t)at;
		at -= size_of(c->prefix[i]);
	}
}

static size_t sharers(const struct ns *ns, uint32_t addr)
{
	size_t n = 0;
	for (const struct session *s = sessions_first(&ns->devices, addr); s; s = sessions_next(s))
		n++;
	return n;
}

uint32_t address_choose(const struct ns *ns)
{
	uint32_t best = 0;
	size_t least = SIZE_MAX;
	for (unsigned i = 0; i < NS_JOIN_BUSY_TRIES && least > 0; i++) {
		uint32_t addr = pick(&ns->config);
		size_t n = sharers(ns, addr);
		if (n < least) {
			least = n;
			best = addr;
		}
	}
	return best;
}

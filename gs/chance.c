/** @file The kernel's randomness in larger helpings. */
#include "gs/chance.h"
#include <string.h>

static void chance_fill(void *ctx, void *buf, size_t n)
{
	struct chance *c = ctx;
	if (n > sizeof c->buf) {
		rng_fill(&c->from, buf, n);
		return;
	}
	if (c->left < n) {
		rng_fill(&c->from, c->buf, sizeof c->buf);
		c->left = sizeof c->buf;
	}
	c->left -= n;
	memcpy(buf, c->buf + c->left, n);
}

struct rng chance_init(struct chance *c, struct rng from)
{
	c->from = from;
	c->left = 0;
	return (struct rng){chance_fill, c};
}

/** @file Writes that are not on disk yet: a skip list, because scans need order and a write should cost one allocation. */
#include "common/overlay.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void overlay_init(struct overlay *o)
{
	*o = (struct overlay){ .chance = 0x9e3779b9 };
}

static const uint8_t *body_of(const struct overlay_op *op)
{
	return (const uint8_t *)&op->next[op->levels];
}

struct slice overlay_key(const struct overlay_op *op)
{
	return (struct slice){ body_of(op), op->key_bytes };
}

struct slice overlay_value(const struct overlay_op *op)
{
	return (struct slice){ body_of(op) + op->key_bytes, op->value_bytes };
}

int overlay_cmp(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/** Find the links that lead to the first op at or after key. */
static struct overlay_op *find(struct overlay *o, struct slice key, struct overlay_op **ret_links[OVERLAY_LEVELS])
{
	struct overlay_op **links = o->head;
	for (int level = OVERLAY_LEVELS - 1; level >= 0; level--) {
		while (links[level] && overlay_cmp(overlay_key(links[level]), key) < 0)
			links = links[level]->next;
		ret_links[level] = &links[level];
	}
	return *ret_links[0];
}

const struct overlay_op *overlay_seek(const struct overlay *o, struct slice key)
{
	struct overlay_op *const *links = o->head;
	for (int level = OVERLAY_LEVELS - 1; level >= 0; level--)
		while (links[level] && overlay_cmp(overlay_key(links[level]), key) < 0)
			links = links[level]->next;
	return links[0];
}

struct overlay_group *overlay_group_new(uint64_t seq)
{
	struct overlay_group *g = calloc(1, sizeof *g);
	if (!g)
		return NULL;
	TAILQ_INIT(&g->ops);
	g->seq = seq;
	return g;
}

/** Every fourth op is one level higher. */
static uint8_t pick_levels(struct overlay *o)
{
	o->chance ^= o->chance << 13;
	o->chance ^= o->chance >> 17;
	o->chance ^= o->chance << 5;
	uint8_t levels = 1;
	for (uint32_t c = o->chance; levels < OVERLAY_LEVELS && (c & 3) == 0; c >>= 2)
		levels++;
	return levels;
}

static size_t op_bytes(const struct overlay_op *op)
{
	return sizeof *op + op->levels * sizeof op->next[0] + op->key_bytes + op->value_bytes;
}

static struct overlay_op *op_new(struct overlay *o, struct slice key, struct slice value, bool is_del)
{
	uint8_t levels = pick_levels(o);
	struct overlay_op *op = malloc(sizeof *op + levels * sizeof op->next[0] + key.n + value.n);
	if (!op)
		return NULL;
	*op = (struct overlay_op){
		.key_bytes = (uint32_t)key.n, .value_bytes = (uint32_t)value.n, .levels = levels, .is_del = is_del,
	};
	uint8_t *body = (uint8_t *)&op->next[levels];
	memcpy(body, key.p, key.n);
	if (value.n)
		memcpy(body + key.n, value.p, value.n);
	return op;
}

static void unlink_op(const struct overlay_op *op, struct overlay_op **links[OVERLAY_LEVELS])
{
	for (int level = 0; level < op->levels; level++)
		*links[level] = op->next[level];
}

static void link_op(struct overlay_op *op, struct overlay_op **links[OVERLAY_LEVELS])
{
	for (int level = 0; level < op->levels; level++) {
		op->next[level] = *links[level];
		*links[level] = op;
	}
}

static void leave_group(struct overlay *o, struct overlay_op *op)
{
	size_t bytes = op_bytes(op);
	TAILQ_REMOVE(&op->group->ops, op, link);
	op->group->n--;
	op->group->bytes -= bytes;
	o->n--;
	o->bytes -= bytes;
	free(op);
}

static void join_group(struct overlay *o, struct overlay_op *op, struct overlay_group *g)
{
	size_t bytes = op_bytes(op);
	op->group = g;
	TAILQ_INSERT_TAIL(&g->ops, op, link);
	g->n++;
	g->bytes += bytes;
	o->n++;
	o->bytes += bytes;
}

int overlay_write(struct overlay *o, struct overlay_group *g, struct slice key, struct slice value, bool is_del)
{
	struct overlay_op **links[OVERLAY_LEVELS];
	struct overlay_op *op = op_new(o, key, value, is_del);
	if (!op)
		return -ENOMEM;
	struct overlay_op *old = find(o, key, links);
	bool is_same = old && overlay_cmp(overlay_key(old), key) == 0;
	if (is_same)
		unlink_op(old, links);
	link_op(op, links);
	join_group(o, op, g);
	if (is_same && old->group == g)
		leave_group(o, old);
	else if (is_same)
		old->is_hidden = true;
	return 0;
}

void overlay_group_merge(struct overlay *o, struct overlay_group *g, struct overlay_group *later)
{
	struct overlay_op *op, *next;
	for (op = TAILQ_FIRST(&g->ops); op; op = next) {
		next = TAILQ_NEXT(op, link);
		if (op->is_hidden)
			leave_group(o, op);
	}
	TAILQ_FOREACH(op, &later->ops, link)
		op->group = g;
	TAILQ_CONCAT(&g->ops, &later->ops, link);
	g->n += later->n;
	g->bytes += later->bytes;
	g->seq = later->seq;
	free(later);
}

void overlay_group_free(struct overlay *o, struct overlay_group *g)
{
	if (!g)
		return;
	while (!TAILQ_EMPTY(&g->ops)) {
		struct overlay_op *op = TAILQ_FIRST(&g->ops);
		struct overlay_op **links[OVERLAY_LEVELS];
		if (!op->is_hidden) {
			find(o, overlay_key(op), links);
			unlink_op(op, links);
		}
		leave_group(o, op);
	}
	free(g);
}

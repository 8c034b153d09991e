/** @file A chained hash table with a keyed hash (SipHash-1-3 with the seed as key). */
#include "as/core/mqtt/mqtt_map.h"
#include "common/core/err.h"
#include <stdlib.h>
#include <string.h>

static uint64_t turn(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1], v[1] = turn(v[1], 13) ^ v[0], v[0] = turn(v[0], 32);
	v[2] += v[3], v[3] = turn(v[3], 16) ^ v[2];
	v[0] += v[3], v[3] = turn(v[3], 21) ^ v[0];
	v[2] += v[1], v[1] = turn(v[1], 17) ^ v[2], v[2] = turn(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t mqtt_map_hash(const struct mqtt_map *m, uint64_t number, const void *p, size_t n)
{
	uint64_t k0 = m->seed, k1 = ~m->seed * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t v[4] = { k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d), k0 ^ UINT64_C(0x6c7967656e657261),
		k1 ^ UINT64_C(0x7465646279746573) };
	sip_word(v, number);
	const uint8_t *b = p;
	size_t left = n;
	for (uint64_t word; left >= 8; b += 8, left -= 8) {
		memcpy(&word, b, 8);
		sip_word(v, word);
	}
	uint64_t last = (uint64_t)n << 56;
	if (left)
		memcpy(&last, b, left);
	sip_word(v, last ^ (uint64_t)n << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct mqtt_map_node *mqtt_map_next(const struct mqtt_map_node *node)
{
	struct mqtt_map_node *next = node->next;
	while (next && next->hash != node->hash)
		next = next->next;
	return next;
}

struct mqtt_map_node *mqtt_map_find(const struct mqtt_map *m, uint64_t hash)
{
	struct mqtt_map_node *node = m->cap ? m->v[hash & (m->cap - 1)] : NULL;
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

static int map_grow(struct mqtt_map *m)
{
	size_t cap = m->cap ? m->cap * 2 : 8;
	struct mqtt_map_node **v = calloc(cap, sizeof *v);
	if (!v)
		return m->cap ? 0 : -ENOMEM; /* a full table is slower, and that is all */
	for (size_t i = 0; i < m->cap; i++)
		for (struct mqtt_map_node *node = m->v[i], *next; node; node = next) {
			next = node->next;
			node->next = v[node->hash & (cap - 1)];
			v[node->hash & (cap - 1)] = node;
		}
	free(m->v);
	m->v = v;
	m->cap = cap;
	return 0;
}

int mqtt_map_add(struct mqtt_map *m, struct mqtt_map_node *node, uint64_t hash)
{
	if (m->n >= m->cap)
		TRY(map_grow(m));
	node->hash = hash;
	node->next = m->v[hash & (m->cap - 1)];
	m->v[hash & (m->cap - 1)] = node;
	m->n++;
	return 0;
}

void mqtt_map_remove(struct mqtt_map *m, struct mqtt_map_node *node)
{
	struct mqtt_map_node **at = &m->v[node->hash & (m->cap - 1)];
	while (*at && *at != node)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = node->next;
	m->n--;
}

void mqtt_map_each(const struct mqtt_map *m, void (*fn)(void *ctx, struct mqtt_map_node *node), void *ctx)
{
	for (size_t i = 0; i < m->cap; i++)
		for (struct mqtt_map_node *node = m->v[i]; node; node = node->next)
			fn(ctx, node);
}

void mqtt_map_done(struct mqtt_map *m)
{
	free(m->v);
	m->v = NULL;
	m->n = m->cap = 0;
}

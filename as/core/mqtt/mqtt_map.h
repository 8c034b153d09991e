/** @file A hash table of things that carry their own node; the keyed hash keeps clients from choosing collisions. */
#pragma once
#include "common/core/bytes.h"

struct mqtt_map_node {
	struct mqtt_map_node *next;
	uint64_t hash;
};

struct mqtt_map {
	struct mqtt_map_node **v;
	size_t n, cap; /**< cap: 0 or a power of two */
	uint64_t seed;
};

/** Hash of a number (such as the address of a parent) and some bytes. */
uint64_t mqtt_map_hash(const struct mqtt_map *m, uint64_t number, const void *p, size_t n);
/** The first node of that hash, or NULL; go on with mqtt_map_next, and compare the keys. */
struct mqtt_map_node *mqtt_map_find(const struct mqtt_map *m, uint64_t hash);
struct mqtt_map_node *mqtt_map_next(const struct mqtt_map_node *node);
/** @return 0; -ENOMEM */
int mqtt_map_add(struct mqtt_map *m, struct mqtt_map_node *node, uint64_t hash);
void mqtt_map_remove(struct mqtt_map *m, struct mqtt_map_node *node);
/** Visit all, in no order; fn adds and removes none. */
void mqtt_map_each(const struct mqtt_map *m, void (*fn)(void *ctx, struct mqtt_map_node *node), void *ctx);
void mqtt_map_done(struct mqtt_map *m);

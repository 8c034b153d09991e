/** @file The topic tree: nodes are found by (parent, level) in one table; wildcards hang at their parent. */
#include "as/core/mqtt/mqtt_tree.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>
#include <string.h>

struct mqtt_tree_node {
	struct mqtt_map_node by_level;
	struct mqtt_tree_node *parent, *plus, *hash; /* children `+` and `#` */
	struct mqtt_tree_entry *entries;
	size_t children; /* wildcards included */
	size_t name_n;
	char name[];
};

static struct mqtt_tree_node *child_find(const struct mqtt_tree *t, const struct mqtt_tree_node *parent, struct str level, uint64_t hash)
{
	struct mqtt_map_node *n = mqtt_map_find(t->levels, hash);
	for (; n; n = mqtt_map_next(n)) {
		struct mqtt_tree_node *node = CONTAINER_OF(n, struct mqtt_tree_node, by_level);
		if (node->parent == parent && str_eq((struct str){ node->name, node->name_n }, level))
			return node;
	}
	return NULL;
}

static uint64_t level_hash(const struct mqtt_tree *t, const struct mqtt_tree_node *parent, struct str level)
{
	return mqtt_map_hash(t->levels, (uintptr_t)parent, level.p, level.n);
}

static struct mqtt_tree_node *node_new(struct mqtt_tree_node *parent, struct str level)
{
	struct mqtt_tree_node *node = calloc(1, sizeof *node + level.n);
	if (!node)
		return NULL;
	node->parent = parent;
	node->name_n = level.n;
	if (level.n)
		memcpy(node->name, level.p, level.n);
	if (parent)
		parent->children++;
	return node;
}

/* The child for one level of a filter, made if it is not there. */
static struct mqtt_tree_node *child_get(struct mqtt_tree *t, struct mqtt_tree_node *parent, struct str level)
{
	struct mqtt_tree_node **wild = str_is(level, "+") ? &parent->plus : str_is(level, "#") ? &parent->hash : NULL;
	if (wild)
		return *wild ? *wild : (*wild = node_new(parent, level));
	uint64_t hash = level_hash(t, parent, level);
	struct mqtt_tree_node *node = child_find(t, parent, level, hash);
	if (node)
		return node;
	node = node_new(parent, level);
	if (node && mqtt_map_add(t->levels, &node->by_level, hash)) {
		parent->children--;
		free(node);
		return NULL;
	}
	return node;
}

/* Free a node that nothing needs any more, and its parents likewise. */
static void node_prune(struct mqtt_tree *t, struct mqtt_tree_node *node)
{
	while (node && !node->entries && node->children == 0) {
		struct mqtt_tree_node *parent = node->parent;
		if (!parent)
			t->root = NULL;
		else if (parent->plus == node)
			parent->plus = NULL;
		else if (parent->hash == node)
			parent->hash = NULL;
		else
			mqtt_map_remove(t->levels, &node->by_level);
		if (parent)
			parent->children--;
		free(node);
		node = parent;
	}
}

int mqtt_tree_add(struct mqtt_tree *t, struct str filter, struct mqtt_tree_entry *entry)
{
	if (mqtt_topic_levels(filter) > MQTT_LEVELS_MAX)
		return -EINVAL;
	struct mqtt_tree_node *node = t->root ? t->root : (t->root = node_new(NULL, STR("")));
	if (!node)
		return -ENOMEM;
	for (bool more = true; more;) {
		struct str level = mqtt_level_take(&filter, &more);
		struct mqtt_tree_node *child = child_get(t, node, level);
		if (!child) {
			node_prune(t, node);
			return -ENOMEM;
		}
		node = child;
	}
	entry->node = node;
	entry->prev = NULL;
	entry->next = node->entries;
	if (node->entries)
		node->entries->prev = entry;
	node->entries = entry;
	return 0;
}

void mqtt_tree_remove(struct mqtt_tree *t, struct mqtt_tree_entry *entry)
{
	struct mqtt_tree_node *node = entry->node;
	if (!node)
		return;
	if (entry->next)
		entry->next->prev = entry->prev;
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		node->entries = entry->next;
	entry->node = NULL;
	node_prune(t, node);
}

static void entries_visit(const struct mqtt_tree_node *node, void (*fn)(void *ctx, struct mqtt_tree_entry *entry), void *ctx)
{
	if (!node)
		return;
	for (struct mqtt_tree_entry *e = node->entries; e; e = e->next)
		fn(ctx, e);
}

void mqtt_tree_match(const struct mqtt_tree *t, struct str topic, void (*fn)(void *ctx, struct mqtt_tree_entry *entry), void *ctx)
{
	/* Nodes still to be looked at, with what is left of the topic there. Each level adds one more than it takes. */
	struct {
		const struct mqtt_tree_node *node;
		struct str rest;
		bool is_end;
	} todo[MQTT_LEVELS_MAX + 2];
	size_t n = 0;
	bool is_hidden = topic.n && topic.p[0] == '$'; /* [MQTT311 4.7.2-1] */
	if (t->root)
		todo[n++] = (__typeof__(todo[0])){ t->root, topic, false };
	while (n) {
		__typeof__(todo[0]) at = todo[--n];
		bool sees_wild = !is_hidden || at.node != t->root;
		if (sees_wild)
			entries_visit(at.node->hash, fn, ctx);
		if (at.is_end) {
			entries_visit(at.node, fn, ctx);
			continue;
		}
		bool more;
		struct str level = mqtt_level_take(&at.rest, &more);
		const struct mqtt_tree_node *next = child_find(t, at.node, level, level_hash(t, at.node, level));
		if (next && n < COUNT(todo))
			todo[n++] = (__typeof__(todo[0])){ next, at.rest, !more };
		if (at.node->plus && sees_wild && n < COUNT(todo))
			todo[n++] = (__typeof__(todo[0])){ at.node->plus, at.rest, !more };
	}
}

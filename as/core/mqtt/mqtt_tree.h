/** @file The topic tree of one owner: filters by levels, so that a message finds its subscriptions without asking each of them. */
#pragma once
#include "as/core/mqtt/mqtt_map.h"
#include "common/core/text.h"

struct mqtt_tree_node;

/** Something that waits at a filter; lives inside a subscription. */
struct mqtt_tree_entry {
	struct mqtt_tree_entry *prev, *next;
	struct mqtt_tree_node *node; /**< NULL: in no tree */
};

struct mqtt_tree {
	struct mqtt_map *levels; /**< of all trees; borrowed */
	struct mqtt_tree_node *root;
};

/** Put an entry at a valid filter. @return 0; -ENOMEM; -EINVAL more than MQTT_LEVELS_MAX levels */
int mqtt_tree_add(struct mqtt_tree *t, struct str filter, struct mqtt_tree_entry *entry);
void mqtt_tree_remove(struct mqtt_tree *t, struct mqtt_tree_entry *entry);
/** Call fn for every entry whose filter matches a valid topic. fn must not change the tree. */
void mqtt_tree_match(const struct mqtt_tree *t, struct str topic, void (*fn)(void *ctx, struct mqtt_tree_entry *entry), void *ctx);

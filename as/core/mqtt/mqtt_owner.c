/** @file Owners: name spaces that come into being with their first session or retained message, and go with the last. */
#include "as/core/mqtt/mqtt_inside.h"
#include <stdlib.h>
#include <string.h>

struct str mqtt_owner_name(const struct mqtt_owner *o)
{
	return (struct str){ o->name, o->name_n };
}

struct mqtt_owner *mqtt_owner_find(struct mqtt_engine *e, struct str name)
{
	struct mqtt_map_node *n = mqtt_map_find(&e->owners, mqtt_map_hash(&e->owners, 0, name.p, name.n));
	for (; n; n = mqtt_map_next(n)) {
		struct mqtt_owner *o = CONTAINER_OF(n, struct mqtt_owner, by_name);
		if (str_eq(mqtt_owner_name(o), name))
			return o;
	}
	return NULL;
}

struct mqtt_owner *mqtt_owner_get(struct mqtt_engine *e, struct str name)
{
	struct mqtt_owner *o = mqtt_owner_find(e, name);
	if (o)
		return o;
	o = calloc(1, sizeof *o + name.n);
	if (!o)
		return NULL;
	o->tree.levels = &e->levels;
	o->name_n = name.n;
	if (name.n)
		memcpy(o->name, name.p, name.n);
	if (mqtt_map_add(&e->owners, &o->by_name, mqtt_map_hash(&e->owners, 0, name.p, name.n))) {
		free(o);
		return NULL;
	}
	return o;
}

void mqtt_owner_settle(struct mqtt_engine *e, struct mqtt_owner *o)
{
	if (o->sessions || o->retained)
		return;
	mqtt_map_remove(&e->owners, &o->by_name);
	free(o);
}

void mqtt_engine_count(struct mqtt_engine *e, struct str owner, uint32_t *ret_there, uint32_t *ret_away)
{
	const struct mqtt_owner *o = mqtt_owner_find(e, owner);
	*ret_there = o ? (uint32_t)o->connected_n : 0;
	*ret_away = o ? (uint32_t)(o->sessions_n - o->connected_n) : 0;
}

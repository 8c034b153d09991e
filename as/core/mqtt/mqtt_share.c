/** @file Shared subscriptions: each message goes to one member of a group, in turn [MQTT5 4.8.2]. */
#include "as/core/mqtt/mqtt_inside.h"
#include <stdlib.h>
#include <string.h>

/* A share is named by its owner, its group and the filter as the policy left it. */
static struct mqtt_share *share_get(struct mqtt_engine *e, struct mqtt_owner *o, struct str group, struct str filter)
{
	struct mqtt_share *fresh = calloc(1, sizeof *fresh + group.n + 1 + filter.n);
	if (!fresh)
		return NULL;
	fresh->owner = o;
	fresh->name_n = group.n + 1 + filter.n;
	memcpy(fresh->name, group.p, group.n);
	fresh->name[group.n] = '/';
	memcpy(fresh->name + group.n + 1, filter.p, filter.n);
	uint64_t hash = mqtt_map_hash(&e->shares, (uintptr_t)o, fresh->name, fresh->name_n);
	for (struct mqtt_map_node *n = mqtt_map_find(&e->shares, hash); n; n = mqtt_map_next(n)) {
		struct mqtt_share *share = CONTAINER_OF(n, struct mqtt_share, by_name);
		if (share->owner == o && share->name_n == fresh->name_n && memcmp(share->name, fresh->name, fresh->name_n) == 0) {
			free(fresh);
			return share;
		}
	}
	if (mqtt_map_add(&e->shares, &fresh->by_name, hash)) {
		free(fresh);
		return NULL;
	}
	return fresh;
}

int mqtt_share_join(struct mqtt_engine *e, struct mqtt_sub *sub, struct str group)
{
	struct mqtt_share *share = share_get(e, sub->session->owner, group, mqtt_sub_filter(sub));
	if (!share)
		return -ENOMEM;
	sub->share = share;
	sub->next_of_share = share->members;
	share->members = sub;
	return 0;
}

void mqtt_share_leave(struct mqtt_engine *e, struct mqtt_sub *sub)
{
	struct mqtt_share *share = TAKE(sub->share);
	if (!share)
		return;
	struct mqtt_sub **at = &share->members;
	while (*at && *at != sub)
		at = &(*at)->next_of_share;
	if (*at)
		*at = sub->next_of_share;
	if (share->last_served == sub)
		share->last_served = NULL;
	if (share->members)
		return;
	mqtt_map_remove(&e->shares, &share->by_name);
	free(share);
}

/* 2: connected and keeping up; 1: connected; 0: not there. */
static int readiness(const struct mqtt_sub *sub)
{
	const struct mqtt_conn *c = sub->session->conn;
	return !c ? 0 : c->is_full || sub->session->queue.n ? 1 : 2;
}

/* The best member, beginning after the one that was served last. */
struct mqtt_sub *mqtt_share_pick(struct mqtt_share *share)
{
	struct mqtt_sub *start = share->last_served && share->last_served->next_of_share ? share->last_served->next_of_share : share->members;
	struct mqtt_sub *best = start;
	for (struct mqtt_sub *at = start; readiness(best) < 2;) {
		at = at->next_of_share ? at->next_of_share : share->members;
		if (at == start)
			break;
		if (readiness(at) > readiness(best))
			best = at;
	}
	share->last_served = best;
	return best;
}

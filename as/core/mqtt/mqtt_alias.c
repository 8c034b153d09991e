/** @file Topic aliases: two tables of a connection that come into being with their first alias, so that others pay nothing. */
#include "as/core/mqtt/mqtt_alias.h"
#include "as/core/mqtt/mqtt_inside.h"
#include <stdlib.h>
#include <string.h>

enum { WORTH_BYTES = 8 }; /* an alias costs three octets of each message: shorter topics go as they are */

struct mqtt_alias {
	char *topic; /* NULL: stands for nothing */
	uint16_t n;
	bool is_recent; /* used since the hand went by */
};

struct mqtt_aliases {
	uint32_t hand;
	uint32_t n;
	struct mqtt_alias v[];
};

void mqtt_aliases_free(struct mqtt_aliases *a)
{
	if (!a)
		return;
	for (uint32_t i = 0; i < a->n; i++)
		free(a->v[i].topic);
	free(a);
}

static struct mqtt_aliases *table_get(struct mqtt_aliases **a, uint32_t n)
{
	if (!*a && (*a = calloc(1, sizeof **a + n * sizeof (*a)->v[0])))
		(*a)->n = n;
	return *a;
}

static struct str alias_topic(const struct mqtt_alias *a)
{
	return (struct str){ a->topic, a->n };
}

/* False: no memory; then it stands for nothing. */
static bool alias_set(struct mqtt_alias *a, struct str topic)
{
	char *p = malloc(topic.n);
	free(a->topic);
	a->topic = p;
	a->n = p ? (uint16_t)topic.n : 0;
	a->is_recent = true;
	if (p)
		memcpy(p, topic.p, topic.n);
	return p != NULL;
}

int mqtt_alias_resolve(struct mqtt_conn *c, struct mqtt_publish *p)
{
	if (c->level != MQTT_5 || !mqtt_props_has(&p->props, MQTT_PROP_TOPIC_ALIAS))
		return 0;
	uint32_t alias = mqtt_props_u(&p->props, MQTT_PROP_TOPIC_ALIAS, 0);
	if (alias == 0 || alias > c->session->limits.topic_aliases)
		return MQTT_BAD_ALIAS;
	struct mqtt_aliases *t = table_get(&c->aliases_in, c->session->limits.topic_aliases);
	if (!t)
		return MQTT_UNAVAILABLE;
	struct mqtt_alias *a = &t->v[alias - 1];
	if (p->topic.n && !str_eq(alias_topic(a), p->topic) && !alias_set(a, p->topic))
		return MQTT_UNAVAILABLE;
	if (!a->topic)
		return MQTT_PROTOCOL_ERROR;
	p->topic = alias_topic(a);
	return 0;
}

/* One that is free; else the hand takes one step, over what was used since it came by last. NULL: not this time, so that topics that
 * come once do not push out those that come always. */
static struct mqtt_alias *alias_spare(struct mqtt_aliases *t)
{
	struct mqtt_alias *a = &t->v[t->hand];
	bool is_spare = !a->topic || !a->is_recent;
	a->is_recent = false;
	if (!is_spare)
		t->hand = (t->hand + 1) % t->n;
	return is_spare ? a : NULL;
}

struct mqtt_alias_use mqtt_alias_choose(struct mqtt_conn *c, struct str topic)
{
	struct mqtt_alias_use none = { 0, false };
	if (c->aliases_out_max == 0 || topic.n < WORTH_BYTES)
		return none;
	struct mqtt_aliases *t = table_get(&c->aliases_out, c->aliases_out_max);
	if (!t)
		return none;
	for (uint32_t i = 0; i < t->n; i++)
		if (t->v[i].topic && str_eq(alias_topic(&t->v[i]), topic)) {
			t->v[i].is_recent = true;
			return (struct mqtt_alias_use){ (uint16_t)(i + 1), true };
		}
	const struct mqtt_alias *spare = alias_spare(t);
	return spare ? (struct mqtt_alias_use){ (uint16_t)(spare - t->v + 1), false } : none;
}

void mqtt_alias_told(struct mqtt_conn *c, uint16_t alias, struct str topic)
{
	struct mqtt_aliases *t = c->aliases_out;
	if (alias_set(&t->v[alias - 1], topic))
		t->hand = (t->hand + 1) % t->n;
}

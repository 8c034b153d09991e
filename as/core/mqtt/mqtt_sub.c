/** @file SUBSCRIBE and UNSUBSCRIBE. A subscription keeps the client's own filter, by which it is found again, and what the policy
 * made of it, by which it matches. */
#include "as/core/mqtt/mqtt_inside.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>
#include <string.h>

struct str mqtt_sub_own(const struct mqtt_sub *sub)
{
	return (struct str){ sub->text, sub->own_n };
}

struct str mqtt_sub_filter(const struct mqtt_sub *sub)
{
	return (struct str){ sub->text + sub->own_n, sub->narrowed_n };
}

static struct mqtt_sub *sub_find(const struct mqtt_session *s, struct str own)
{
	struct mqtt_sub *sub = s->subs;
	while (sub && !str_eq(mqtt_sub_own(sub), own))
		sub = sub->next;
	return sub;
}

void mqtt_sub_free(struct mqtt_engine *e, struct mqtt_sub *sub)
{
	struct mqtt_session *s = sub->session;
	struct mqtt_sub **at = &s->subs;
	while (*at && *at != sub)
		at = &(*at)->next;
	if (*at) {
		*at = sub->next;
		s->subs_n--;
		s->sub_ids_n -= sub->sub_id != 0;
		e->stats.subscriptions--;
	}
	mqtt_share_leave(e, sub);
	mqtt_tree_remove(&s->owner->tree, &sub->at);
	free(sub);
}

static struct mqtt_sub *sub_new(struct mqtt_engine *e, struct mqtt_session *s, struct str own, struct str narrowed)
{
	struct mqtt_sub *sub = calloc(1, sizeof *sub + own.n + narrowed.n);
	if (!sub)
		return NULL;
	sub->session = s;
	sub->own_n = (uint16_t)own.n;
	sub->narrowed_n = (uint16_t)narrowed.n;
	memcpy(sub->text, own.p, own.n);
	memcpy(sub->text + own.n, narrowed.p, narrowed.n);
	struct str group, inner;
	bool is_shared = mqtt_topic_share(own, &group, &inner) == 0;
	if (mqtt_tree_add(&s->owner->tree, narrowed, &sub->at) || (is_shared && mqtt_share_join(e, sub, group))) {
		mqtt_tree_remove(&s->owner->tree, &sub->at);
		free(sub);
		return NULL;
	}
	sub->number = s->next_sub++;
	sub->next = s->subs;
	s->subs = sub;
	s->subs_n++;
	e->stats.subscriptions++;
	return sub;
}

int mqtt_sub_put(struct mqtt_engine *e, struct mqtt_session *s, const struct mqtt_filter *f, struct str narrowed, uint32_t sub_id,
	struct mqtt_sub **ret, bool *ret_is_new)
{
	struct mqtt_sub *sub = sub_find(s, f->filter);
	*ret_is_new = !sub;
	if (sub && !str_eq(mqtt_sub_filter(sub), narrowed)) {
		mqtt_keep_sub_gone(e, sub);
		mqtt_sub_free(e, sub);
		sub = NULL;
	}
	if (!sub)
		sub = sub_new(e, s, f->filter, narrowed);
	if (!sub)
		return -ENOMEM;
	s->sub_ids_n = s->sub_ids_n - (sub->sub_id != 0) + (sub_id != 0);
	sub->sub_id = sub_id;
	sub->qos = f->qos;
	sub->no_local = f->no_local;
	sub->retain_as_published = f->retain_as_published;
	*ret = sub;
	return 0;
}

/* What one entry of a SUBSCRIBE came to. */
struct grant {
	struct mqtt_sub *replay; /* send retained messages to it; NULL: none */
	uint8_t code;
};

static uint8_t narrow(struct mqtt_conn *c, struct str filter, struct text *narrowed)
{
	struct mqtt_engine *e = c->engine;
	if (filter.n > c->session->limits.topic_bytes || mqtt_topic_levels(filter) > c->session->limits.topic_levels)
		return MQTT_BAD_FILTER;
	uint8_t reason = e->policy.filter(e->policy.ctx, c->login, filter, narrowed);
	if (reason)
		return reason < 0x80 ? MQTT_UNSPECIFIED : reason;
	if (narrowed->failed)
		return MQTT_BAD_FILTER;
	if (narrowed->len == 0)
		text_put(narrowed, filter);
	struct str n = text_str(narrowed);
	return !narrowed->failed && mqtt_filter_valid(n) && mqtt_topic_levels(n) <= MQTT_LEVELS_MAX ? 0 : MQTT_BAD_FILTER;
}

static void subscribe_one(struct mqtt_conn *c, const struct mqtt_filter *f, uint32_t sub_id, struct grant *ret)
{
	struct mqtt_session *s = c->session;
	struct str group, inner;
	bool is_shared = mqtt_topic_share(f->filter, &group, &inner) == 0;
	AUTO(text_done) struct text narrowed = text_growing(UINT16_MAX);
	*ret = (struct grant){ .code = narrow(c, inner, &narrowed) };
	if (ret->code)
		return;
	bool is_known = sub_find(s, f->filter) != NULL;
	struct mqtt_sub *sub;
	if (!is_known && s->subs_n >= s->limits.subscriptions) {
		ret->code = MQTT_QUOTA;
	} else if (mqtt_sub_put(c->engine, s, f, text_str(&narrowed), sub_id, &sub, &(bool){ false })) {
		ret->code = MQTT_UNSPECIFIED;
	} else {
		ret->code = f->qos;
		mqtt_keep_sub(c->engine, sub);
		bool wants = f->retain_handling == 0 || (f->retain_handling == 1 && !is_known);
		ret->replay = wants && !is_shared ? sub : NULL;
	}
}

static void suback_send(struct mqtt_conn *c, uint8_t type, uint16_t id, const struct grant *v, size_t n)
{
	struct mqtt_engine *e = c->engine;
	uint8_t head[256], worst = 0;
	for (size_t i = 0; i < n; i++)
		worst = v[i].code > worst ? v[i].code : worst;
	struct writer w = writer_of(head, sizeof head);
	mqtt_suback_head_write(&w, type, id, c->level, n, mqtt_conn_why(c, worst, (struct str){ e->why, e->why_n }));
	uint8_t codes[64];
	struct slice parts[2] = { { head, w.len }, { codes, 0 } };
	mqtt_conn_hold(c);
	bool has_codes = type == MQTT_SUBACK || c->level == MQTT_5;
	for (size_t i = 0; i < n && has_codes; i++) {
		codes[parts[1].n++] = v[i].code >= 0x80 && c->level != MQTT_5 ? 0x80 : v[i].code;
		if (parts[1].n < sizeof codes && i + 1 < n)
			continue;
		mqtt_conn_send(c, parts, 2);
		parts[0].n = parts[1].n = 0;
	}
	if (!has_codes)
		mqtt_conn_send(c, parts, 1);
}

/* Look at all entries before any is acted upon: one that is malformed closes the connection. */
static int entries_judge(const struct mqtt_conn *c, uint8_t type, const struct mqtt_filters *p, size_t *ret_n)
{
	size_t n = 0;
	struct mqtt_filter f;
	struct reader r = reader_of(p->entries.p, p->entries.n);
	for (int rc; (rc = mqtt_filter_next(&r, type, c->level, &f)) != MQTT_E_MORE; n++)
		if (rc || n >= c->session->limits.filters)
			return rc ? rc : MQTT_QUOTA;
	*ret_n = n;
	return 0;
}

static int entries_begin(struct mqtt_conn *c, const struct mqtt_frame *f, struct mqtt_filters *ret, size_t *ret_n, struct grant **ret_v)
{
	int fault = mqtt_filters_read(f->type, f->body, c->level, ret);
	if (fault == 0)
		fault = entries_judge(c, f->type, ret, ret_n);
	if (fault == 0 && c->level == MQTT_5 && 1 + mqtt_varint_size((uint32_t)(3 + *ret_n)) + 3 + *ret_n > c->packet_max)
		fault = MQTT_TOO_LARGE; /* the answer would be */
	if (fault)
		return fault;
	*ret_v = calloc(*ret_n, sizeof **ret_v);
	return *ret_v ? 0 : MQTT_UNAVAILABLE;
}

static void subscribed_tell(struct mqtt_conn *c, const struct mqtt_filters *p, const struct grant *v)
{
	struct mqtt_engine *e = c->engine;
	struct reader r = reader_of(p->entries.p, p->entries.n);
	struct mqtt_filter f;
	for (size_t i = 0; e->policy.subscribed && !c->is_closed && mqtt_filter_next(&r, MQTT_SUBSCRIBE, c->level, &f) == 0; i++)
		if (v[i].code < 0x80)
			e->policy.subscribed(e->policy.ctx, c->login, f.filter, v[i].code);
}

void mqtt_sub_handle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now)
{
	struct mqtt_filters p;
	struct grant *v = NULL;
	size_t n = 0;
	int fault = entries_begin(c, f, &p, &n, &v);
	if (fault) {
		mqtt_conn_end(c, END_CLOSE, (uint8_t)fault, now);
		return;
	}
	uint32_t sub_id = mqtt_props_u(&p.props, MQTT_PROP_SUBSCRIPTION_ID, 0);
	c->engine->why_n = 0;
	struct reader r = reader_of(p.entries.p, p.entries.n);
	struct mqtt_filter filter;
	for (size_t i = 0; mqtt_filter_next(&r, f->type, c->level, &filter) == 0; i++) {
		subscribe_one(c, &filter, sub_id, &v[i]);
		for (size_t k = 0; k < i; k++) /* the same filter twice in one packet: replayed once, and never what is gone */
			v[k].replay = v[k].replay == v[i].replay || (v[k].replay && str_eq(mqtt_sub_own(v[k].replay), filter.filter)) ?
				NULL : v[k].replay;
	}
	suback_send(c, MQTT_SUBACK, p.id, v, n);
	for (size_t i = 0; i < n; i++)
		if (v[i].replay)
			mqtt_retain_replay(c->engine, v[i].replay, now);
	subscribed_tell(c, &p, v);
	free(v);
}

void mqtt_sub_unhandle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now)
{
	struct mqtt_filters p;
	struct grant *v = NULL;
	size_t n = 0;
	int fault = entries_begin(c, f, &p, &n, &v);
	if (fault) {
		mqtt_conn_end(c, END_CLOSE, (uint8_t)fault, now);
		return;
	}
	struct reader r = reader_of(p.entries.p, p.entries.n);
	struct mqtt_filter filter;
	c->engine->why_n = 0;
	for (size_t i = 0; mqtt_filter_next(&r, f->type, c->level, &filter) == 0; i++) {
		struct mqtt_sub *sub = sub_find(c->session, filter.filter);
		v[i].code = sub ? MQTT_OK : MQTT_NO_SUBSCRIPTION;
		if (sub) {
			mqtt_keep_sub_gone(c->engine, sub);
			mqtt_sub_free(c->engine, sub);
		}
	}
	suback_send(c, MQTT_UNSUBACK, p.id, v, n);
	free(v);
}

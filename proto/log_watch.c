/** @file Rules of the log: which lines they are about. */
#include "proto/log_watch.h"
#include <string.h>

void log_watch_take(struct log_watch *w, const struct log_rules *m, uint64_t now_us)
{
	w->n = 0;
	for (size_t i = 0; i < m->v.len; i++) {
		w->v[w->n].rule = m->v.v[i];
		w->v[w->n++].until_us = now_us + m->v.v[i].left_us;
	}
}

static bool is_same_subject(const struct log_rule *a, const struct log_rule *b)
{
	if (MSG_HAS(a, device) != MSG_HAS(b, device) || MSG_HAS(a, gateway_id) != MSG_HAS(b, gateway_id) || MSG_HAS(a, process) != MSG_HAS(b, process))
		return false;
	return (!MSG_HAS(a, device) || a->device == b->device) && (!MSG_HAS(a, gateway_id) || !strcmp(a->gateway_id, b->gateway_id)) &&
		(!MSG_HAS(a, process) || a->process == b->process);
}

int log_watch_set(struct log_watch *w, const struct log_rule *r, uint64_t until_us)
{
	size_t i = 0;
	while (i < w->n && !is_same_subject(&w->v[i].rule, r))
		i++;
	if (i == COUNT(w->v))
		return -ENOSPC;
	w->n += i == w->n;
	w->v[i].rule = *r;
	w->v[i].until_us = until_us;
	return 0;
}

uint64_t log_watch_next(const struct log_watch *w)
{
	uint64_t next_us = UINT64_MAX;
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].until_us < next_us)
			next_us = w->v[i].until_us;
	return next_us;
}

bool log_watch_expire(struct log_watch *w, uint64_t now_us)
{
	size_t before = w->n;
	for (size_t i = 0; i < w->n;)
		if (w->v[i].until_us <= now_us)
			memmove(&w->v[i], &w->v[i + 1], (--w->n - i) * sizeof(w->v[0]));
		else
			i++;
	return w->n != before;
}

void log_watch_give(const struct log_watch *w, uint64_t now_us, struct log_rules *ret)
{
	ret->has = 0;
	ret->v.len = 0;
	for (size_t i = 0; i < w->n; i++) {
		struct log_rule *r = &ret->v.v[ret->v.len++];
		*r = w->v[i].rule;
		r->left_us = w->v[i].until_us > now_us ? w->v[i].until_us - now_us : 0;
	}
}

static bool is_heard_as(const struct log_rule *r, const struct trace_event *e)
{
	if (MSG_HAS(r, dev_eui) && MSG_HAS(e, dev_eui) && r->dev_eui == e->dev_eui)
		return true;
	for (size_t i = 0; MSG_HAS(e, dev_addr) && i < r->dev_addrs.len; i++)
		if (r->dev_addrs.v[i].dev_addr == e->dev_addr)
			return true;
	return false;
}

static bool is_about(const struct log_rule *r, const struct log_subject *s)
{
	if (MSG_HAS(r, gateway_id))
		return s->gateway_id && *s->gateway_id && !strcmp(r->gateway_id, s->gateway_id);
	if (!MSG_HAS(r, device))
		return false;
	return (s->device && r->device == s->device) || (s->event && is_heard_as(r, s->event));
}

int log_watch_level(const struct log_watch *w, const struct log_subject *s)
{
	int level = -1;
	for (size_t i = 0; i < w->n; i++)
		if ((int)w->v[i].rule.level > level && is_about(&w->v[i].rule, s))
			level = (int)w->v[i].rule.level;
	return level;
}

int log_watch_process(const struct log_watch *w, uint32_t process)
{
	for (size_t i = w->n; i-- > 0;)
		if (MSG_HAS(&w->v[i].rule, process) && w->v[i].rule.process == process)
			return (int)w->v[i].rule.level;
	return -1;
}

bool log_watch_has_devices(const struct log_watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (MSG_HAS(&w->v[i].rule, device))
			return true;
	return false;
}

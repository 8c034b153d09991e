/** @file Devices and their sessions: tables by registry number, by EUIs and by DevAddr. */
#include "ns/core/device.h"
#include "common/core/err.h"
#include <stdlib.h>
#include <string.h>

enum { ADDR_BUCKETS = 256 };

int devices_init(struct devices *t)
{
	*t = (struct devices){ .n_addr = ADDR_BUCKETS };
	t->addr = calloc(t->n_addr, sizeof(*t->addr));
	return t->addr ? 0 : -ENOMEM;
}

void devices_done(struct devices *t)
{
	struct dev *d, *next;
	HASH_ITER(by_uid, t->by_uid, d, next)
		devices_delete(t, d);
	free(t->addr);
	t->addr = NULL;
}

struct dev *devices_find(const struct devices *t, uint64_t uid)
{
	struct dev *d;
	HASH_FIND(by_uid, t->by_uid, &uid, sizeof(uid), d);
	return d;
}

struct dev *devices_by_euis(const struct devices *t, uint64_t join_eui, uint64_t dev_eui)
{
	uint64_t euis[2] = { join_eui, dev_eui };
	struct dev *d;
	HASH_FIND(by_euis, t->by_euis, euis, sizeof(euis), d);
	return d;
}

struct dev *devices_make(struct devices *t, uint64_t uid)
{
	struct dev *d = devices_find(t, uid);
	if (d)
		return d;
	if (HASH_CNT(by_uid, t->by_uid) >= NS_DEVICES_MAX)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->uid = uid;
	HASH_ADD(by_uid, t->by_uid, uid, sizeof(d->uid), d);
	if (HASH_IS_IN(by_uid, d))
		return d;
	free(d);
	return NULL;
}

struct dev *devices_by_dev_eui(const struct devices *t, uint64_t dev_eui)
{
	struct dev *d;
	HASH_FIND(by_dev_eui, t->by_dev_eui, &dev_eui, sizeof(dev_eui), d);
	return d;
}

/* Of the devices of a DevEUI the first is in the table, and leads to the others. */
static void dev_eui_add(struct devices *t, struct dev *d)
{
	struct dev *first = d->has_dev_eui ? devices_by_dev_eui(t, d->euis[1]) : NULL;
	if (first) {
		d->same_dev_eui = first->same_dev_eui;
		first->same_dev_eui = d;
	} else if (d->has_dev_eui) {
		HASH_ADD(by_dev_eui, t->by_dev_eui, euis[1], sizeof(d->euis[1]), d);
	}
}

static void dev_eui_remove(struct devices *t, struct dev *d)
{
	struct dev *at = d->has_dev_eui ? devices_by_dev_eui(t, d->euis[1]) : NULL, *next = d->same_dev_eui;
	d->same_dev_eui = NULL;
	if (at == d) {
		HASH_DELETE(by_dev_eui, t->by_dev_eui, d);
		if (next)
			HASH_ADD(by_dev_eui, t->by_dev_eui, euis[1], sizeof(next->euis[1]), next);
		return;
	}
	while (at && at->same_dev_eui != d)
		at = at->same_dev_eui;
	if (at)
		at->same_dev_eui = next;
}

void devices_set_euis(struct devices *t, struct dev *d, bool has_dev_eui, uint64_t dev_eui, bool has_join_eui, uint64_t join_eui)
{
	if (d->has_euis)
		HASH_DELETE(by_euis, t->by_euis, d);
	dev_eui_remove(t, d);
	d->has_dev_eui = has_dev_eui;
	d->has_euis = has_dev_eui && has_join_eui;
	d->euis[0] = join_eui;
	d->euis[1] = dev_eui;
	dev_eui_add(t, d);
	/* The registry keeps pairs unique; one that is just moving from device to device may come twice for a moment. */
	struct dev *other = d->has_euis ? devices_by_euis(t, join_eui, dev_eui) : NULL;
	if (other) {
		HASH_DELETE(by_euis, t->by_euis, other);
		other->has_euis = false;
	}
	if (d->has_euis)
		HASH_ADD(by_euis, t->by_euis, euis, sizeof(d->euis), d);
	d->has_euis = d->has_euis && HASH_IS_IN(by_euis, d);
}

static void addr_grow(struct devices *t)
{
	size_t n = t->n_addr * 2;
	struct session **addr = calloc(n, sizeof(*addr));
	if (!addr)
		return;
	for (size_t i = 0; i < t->n_addr; i++)
		for (struct session *s = t->addr[i], *next; s; s = next) {
			next = s->next_addr;
			s->next_addr = addr[s->dev_addr % n];
			addr[s->dev_addr % n] = s;
		}
	free(t->addr);
	t->addr = addr;
	t->n_addr = n;
}

static void addr_add(struct devices *t, struct session *s)
{
	if (t->n_sessions >= t->n_addr)
		addr_grow(t);
	struct session **at = &t->addr[s->dev_addr % t->n_addr];
	s->next_addr = *at;
	*at = s;
	t->n_sessions++;
}

static void addr_remove(struct devices *t, struct session *s)
{
	struct session **at = &t->addr[s->dev_addr % t->n_addr];
	while (*at != s)
		at = &(*at)->next_addr;
	*at = s->next_addr;
	t->n_sessions--;
}

struct session *session_new(struct dev *d)
{
	struct session *s = calloc(1, sizeof(*s));
	if (s)
		s->dev = d;
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	free(s->story);
	crypto_forget(s, sizeof(*s));
	free(s);
}

static void slot_take(struct devices *t, struct session **slot, struct session *s)
{
	if (*slot) {
		addr_remove(t, *slot);
		session_free(*slot);
	}
	*slot = s;
	if (s)
		addr_add(t, s);
}

void devices_take_current(struct devices *t, struct dev *d, struct session *s)
{
	slot_take(t, &d->current, s);
	if (s)
		s->is_pending = false;
}

void devices_take_pending(struct devices *t, struct dev *d, struct session *s)
{
	slot_take(t, &d->pending, s);
	if (s)
		s->is_pending = true;
}

void devices_promote(struct devices *t, struct dev *d)
{
	struct session *s = d->pending;
	d->pending = NULL;
	if (d->current) {
		addr_remove(t, d->current);
		session_free(d->current);
	}
	d->current = s;
	s->is_pending = false;
}

void devices_delete(struct devices *t, struct dev *d)
{
	slot_take(t, &d->current, NULL);
	slot_take(t, &d->pending, NULL);
	if (d->has_euis)
		HASH_DELETE(by_euis, t->by_euis, d);
	dev_eui_remove(t, d);
	HASH_DELETE(by_uid, t->by_uid, d);
	free(d);
}

struct session *dev_session(const struct dev *d, const struct ulid *id)
{
	if (d->current && ulid_eq(&d->current->id, id))
		return d->current;
	return d->pending && ulid_eq(&d->pending->id, id) ? d->pending : NULL;
}

static struct session *same_addr(struct session *s, uint32_t dev_addr)
{
	while (s && s->dev_addr != dev_addr)
		s = s->next_addr;
	return s;
}

struct session *sessions_first(const struct devices *t, uint32_t dev_addr)
{
	return same_addr(t->addr[dev_addr % t->n_addr], dev_addr);
}

struct session *sessions_next(const struct session *s)
{
	return same_addr(s->next_addr, s->dev_addr);
}

void session_conf_add(struct session *s, const struct ulid *item, uint32_t f_cnt)
{
	struct conf_list *c = &s->conf;
	if (c->n && c->v[c->n - 1] == (uint16_t)f_cnt)
		return;
	if (!ulid_is_none(&c->item) && !ulid_eq(&c->item, item))
		c->n_old = c->n;
	c->item = *item;
	if (c->n == NS_CONF_MAX) {
		memmove(&c->v[0], &c->v[1], --c->n * sizeof(c->v[0]));
		if (c->n_old)
			c->n_old--;
	}
	c->v[c->n++] = (uint16_t)f_cnt;
}

void session_conf_acked(struct session *s, uint16_t f_cnt)
{
	struct conf_list *c = &s->conf;
	unsigned n = 0;
	while (n < c->n && c->v[n] != f_cnt)
		n++;
	/* What left after it the device may have heard too, and say so next. */
	unsigned later = n < c->n ? c->n - n - 1U : 0;
	memmove(&c->v[0], &c->v[c->n - later], later * sizeof(c->v[0]));
	c->n_old = (uint8_t)(c->n_old > n ? c->n_old - n - 1U : 0);
	c->n = (uint8_t)later;
	c->has_acked = true;
	c->acked = f_cnt;
}

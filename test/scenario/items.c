/** @file The application server's queues in a town: items that wait, that are handed out, and what it is told of them. */
#include "test/scenario/town.h"

/* The oldest that waits. */
static struct t_item *next_of(struct house *h, unsigned *ret_n)
{
	struct t_item *first = NULL;
	*ret_n = 0;
	for (unsigned i = 0; i < TOWN_QUEUE; i++) {
		struct t_item *it = &h->q[i];
		if (!it->n || it->state != T_QUEUED)
			continue;
		++*ret_n;
		if (!first || memcmp(it->id.b, first->id.b, sizeof(it->id.b)) < 0)
			first = it;
	}
	return first;
}

void items_tell(struct town *t, struct house *h)
{
	static struct downlink_queued q;
	unsigned n;
	const struct t_item *it = next_of(h, &n);
	q = (struct downlink_queued){ .v = { .len = 1 } };
	struct waiting *w = &q.v.v[0];
	*w = (struct waiting){ .device = h->uid, .items = n };
	if (it) {
		MSG_SET(w, item, it->id);
		MSG_SET(w, length, it->n);
		MSG_SET(w, priority, 3);
		MSG_SET(w, is_placed, it->n_via > 0);
	}
	if (it && it->at_unix_us)
		MSG_SET(w, at_unix_us, it->at_unix_us);
	ns_as_queued(t->disk->ns, &t->now, &q);
}

void items_tell_all(struct town *t)
{
	static struct downlink_queued q;
	unsigned n;
	q = (struct downlink_queued){ .has = 0 };
	MSG_SET(&q, all, true);
	ns_as_queued(t->disk->ns, &t->now, &q);
	for (unsigned i = 0; i < t->n_houses; i++)
		if (next_of(&t->house[i], &n))
			items_tell(t, &t->house[i]);
}

/* Where the oldest one was that is done; NULL: all places are taken by what is not. */
static struct t_item *place_of(struct house *h)
{
	struct t_item *place = NULL;
	for (unsigned i = 0; i < TOWN_QUEUE; i++) {
		struct t_item *it = &h->q[i];
		if (!it->n)
			return it;
		if (it->state == T_DONE && (!place || memcmp(it->id.b, place->id.b, sizeof(it->id.b)) < 0))
			place = it;
	}
	return place;
}

void items_push(struct town *t, struct house *h)
{
	struct t_item *it = place_of(h);
	if (!it)
		return;
	*it = (struct t_item){ .id = ulid_make(t->now.unix_us, &t->rng), .port = 7, .n = (uint8_t)(4 + rng_below(&t->rng, 30)) };
	rng_fill(&t->rng, it->frm, it->n);
	it->confirmed = !h->is_group && rng_below(&t->rng, 3) == 0;
	if (h->n.class_c && rng_below(&t->rng, 4) == 0)
		it->at_unix_us = t->now.unix_us + 3 * SEC_US + rng_below(&t->rng, 60 * SEC_US);
	if (h->n.class_c && rng_below(&t->rng, h->is_group ? 2 : 6) == 0)
		for (int i = 0; i < h->air.gateways; i++)
			it->via[it->n_via++] = h->gw[i];
	t->n_items++;
	t->n_class_c += h->n.class_c;
	items_tell(t, h);
}

static void done(struct town *t, struct t_item *it, bool has_failed)
{
	it->state = T_DONE;
	t->n_items_done++;
	t->n_items_failed += has_failed;
}

void items_pull(struct town *t, struct house *h, const struct pull *m, struct pulled *ret)
{
	unsigned n;
	struct t_item *it = next_of(h, &n);
	const struct t_session *s = ulid_eq(&h->s[0].id, &m->session_key_id) ? &h->s[0] : &h->s[1];
	bool is_c = MSG_HAS(m, class_c), is_known = ulid_eq(&s->id, &m->session_key_id);
	if (it && is_c && it->n > m->room) { /* it fits no window of this kind: the as says so by itself */
		done(t, it, true);
		it->n_told++;
		it = next_of(h, &n);
	}
	if (!it || it->n > m->room || !is_known || ((it->n_via || it->at_unix_us) && !is_c)) {
		MSG_SET(ret, more, n > 0);
		return;
	}
	struct frame_id id = { .dev_addr = m->dev_addr, .f_cnt = m->f_cnt };
	MSG_SET(ret, item, it->id);
	MSG_SET(ret, f_port, it->port);
	memcpy(ret->frm.p, it->frm, it->n);
	ret->frm.len = it->n;
	MSG_MARK(ret, frm);
	cipher_frm(t->crypto, &s->keys.keys.app_s, &id, ret->frm.p, it->n);
	MSG_SET(ret, confirmed, it->confirmed);
	MSG_SET(ret, priority, 3);
	MSG_SET(ret, more, n > 1);
	CIDS_ADD(&ret->cids, CID_AS_DOWNLINK, it->id);
	MSG_MARK(ret, cids);
	if (it->at_unix_us)
		MSG_SET(ret, at_unix_us, it->at_unix_us);
	for (unsigned i = 0; i < it->n_via; i++) {
		struct via *v = &ret->gateways.v[ret->gateways.len++];
		*v = (struct via){ .gateway_eui = t->gw[it->via[i]].eui };
		if (h->is_group)
			MSG_SET(v, group, i % 2);
		MSG_MARK(ret, gateways);
	}
	it->state = T_FLIGHT;
	it->f_cnt = m->f_cnt;
	it->out_us = t->now.mono_us;
	it->session = m->session_key_id;
	it->n_asked = it->n_planned = it->n_silent = 0;
	it->is_awaited = false;
}

struct t_item *items_out(struct house *h, const struct ulid *session, uint32_t f_cnt)
{
	for (unsigned i = 0; i < TOWN_QUEUE; i++)
		if (h->q[i].n && h->q[i].state == T_FLIGHT && h->q[i].f_cnt == f_cnt && ulid_eq(&h->q[i].session, session))
			return &h->q[i];
	return NULL;
}

static struct t_item *named(struct house *h, const struct up_outcome *o)
{
	if (ulid_is_none(&o->item))
		return items_out(h, &o->session_key_id, o->f_cnt);
	for (unsigned i = 0; i < TOWN_QUEUE; i++)
		if (h->q[i].n && ulid_eq(&h->q[i].id, &o->item))
			return &h->q[i];
	return NULL;
}

/* No acknowledgement came: again, but not for ever. */
static void unheard(struct town *t, struct t_item *it)
{
	if (++it->attempts < TOWN_ATTEMPTS) {
		it->state = T_QUEUED;
		it->at_unix_us = 0;
		return;
	}
	it->n_told++;
	done(t, it, true);
}

void items_outcome(struct town *t, struct house *h, const struct up_outcome *o)
{
	struct t_item *it = named(h, o);
	if (!it && !ulid_is_none(&o->item))
		T_BREAK(t, "%s: an outcome of an item that nobody handed out", h->name);
	if (!it)
		return;
	law_told(t, h, it, o);
	it->is_awaited = it->confirmed && (o->outcome == 1 || o->outcome == 5);
	switch (o->outcome) {
	case 0: it->state = T_QUEUED; break;
	case 1:
		if (!it->confirmed)
			done(t, it, false);
		break;
	case 2: done(t, it, true); break;
	case 3: done(t, it, false); break;
	case 5: break;
	default: unheard(t, it);
	}
	town_at(t, t->now.mono_us + MS_US, T_TELL)->number = h->uid;
}

void items_restarted(struct town *t)
{
	for (unsigned i = 0; i < t->n_houses; i++)
		for (unsigned k = 0; k < TOWN_QUEUE; k++) {
			struct t_item *it = &t->house[i].q[k];
			if (!it->n || it->state != T_FLIGHT || it->is_awaited)
				continue;
			if (it->confirmed) {
				unheard(t, it);
			} else { /* it may have been sent: that is what the application is told */
				it->n_told++;
				done(t, it, true);
			}
		}
}

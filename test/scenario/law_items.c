/** @file What must hold of items, and of frames that leave at moments of our choosing: nothing is lost or told twice, nothing comes
 * twice, nothing meets a device's own windows or another frame for it, and what has a time leaves then. */
#include "test/scenario/town.h"

enum { WINDOW_C = 3 };
#define NEAR_US   (2 * MS_US)    /* a moment of GPS time is told in milliseconds */
#define LATE_US   (1100 * MS_US) /* without a known clock, frames are sent when they are told */
#define BEFORE_US (20 * MS_US)   /* a receiver is opened so much before its window, */
#define OPEN_US   (100 * MS_US)  /* and closed so much after, if nothing begins */
#define KNOWN_US  (100 * MS_US)  /* an uplink is known to the network after that */

/* ---- one device ---- */

static bool is_timed(const struct emission *e)
{
	return MSG_HAS(&e->m, tmst_us) || MSG_HAS(&e->m, gps_ms);
}

/* A frame of class C may not be on air while its device listens to RX1 or RX2 of an uplink that the network knows of. A late
 * repetition of an unconfirmed one it does not, as that may be a replay. */
static void check_windows(struct town *t, const struct house *h, const struct emission *e)
{
	const struct t_awaited *a = &h->awaited;
	if (h->is_group || (h->n_tx > 1 && !h->is_confirmed) || h->phase != HOUSE_LISTENING || !a->heard_by || a->is_crossed || e->asked_us < h->end_us + KNOWN_US)
		return;
	for (unsigned w = 0; w < 2; w++) {
		uint64_t at_us = h->end_us + (h->n.rx1_delay_s + w) * SEC_US;
		if (!h->n.is_join && e->start_us < at_us + OPEN_US && e->start_us + e->m.airtime_us > at_us - BEFORE_US)
			T_BREAK(t, "%s: a class C frame from %" PRIu64 " to %" PRIu64 " us meets RX%u at %" PRIu64 " us", h->name, e->start_us,
				e->start_us + e->m.airtime_us, w + 1, at_us);
	}
}

/* Nor together with another frame for it, whichever gateway sends that. */
static void check_others(struct town *t, struct house *h, const struct emission *e)
{
	uint64_t from_us = e->start_us, to_us = e->start_us + e->m.airtime_us;
	for (unsigned i = 0; i < TOWN_SOON && e->m.window == WINDOW_C && !h->is_group; i++)
		if (h->soon[i].asked_us > t->crash_us && from_us < h->soon[i].to_us && h->soon[i].from_us < to_us)
			T_BREAK(t, "%s: two frames at once, from %" PRIu64 " and %" PRIu64 " us", h->name, from_us, h->soon[i].from_us);
	h->soon[h->n_soon].from_us = from_us;
	h->soon[h->n_soon].to_us = to_us;
	h->soon[h->n_soon].asked_us = e->asked_us;
	h->n_soon = (h->n_soon + 1) % TOWN_SOON;
}

/* ---- groups ---- */

/* Did both gateways hear the last uplink of a member before the item was handed out? Then the network knew that it would hear both. */
static bool is_common(const struct town *t, const struct house *group, const struct t_item *it, unsigned a, unsigned b)
{
	for (unsigned i = 0; i < t->opt.devices; i++) {
		const struct house *h = &t->house[i];
		bool is_known = h->group == group->uid && h->s[0].has_f_cnt && h->end_us + SEC_US < it->out_us && h->phase == HOUSE_IDLE && !h->n.is_join && !h->awaited.is_crossed;
		if (is_known && h->awaited.heard_by >> a & 1 && h->awaited.heard_by >> b & 1)
			return true;
	}
	return false;
}

/* No member hears two gateways of one multicast at once. */
static void check_cast(struct town *t, const struct house *group, const struct t_item *it, const struct emission *e)
{
	for (unsigned g = 0; g < t->opt.gateways; g++)
		for (const struct emission *o = t->gw[g].emissions; o; o = o->next) {
			bool is_same = o != e && o->is_planned && o->m.phy.len == e->m.phy.len && memcmp(o->m.phy.p, e->m.phy.p, e->m.phy.len) == 0;
			if (is_same && o->start_us < e->start_us + e->m.airtime_us && e->start_us < o->start_us + o->m.airtime_us && is_common(t, group, it, g, e->gateway))
				T_BREAK(t, "%s: gateways %u and %u send at once to a member that hears both", group->name, g, e->gateway);
		}
}

/* ---- items on air ---- */

static bool is_named(const struct t_item *it, unsigned gateway)
{
	for (unsigned i = 0; i < it->n_via; i++)
		if (it->via[i] == gateway)
			return true;
	return !it->n_via;
}

static void check_time(struct town *t, const struct house *h, const struct t_item *it, const struct emission *e)
{
	int64_t late_us = (int64_t)(e->start_us - t->now.mono_us + t->now.unix_us - it->at_unix_us);
	if (!it->at_unix_us || (h->is_group && it->n_asked > 1)) /* the next legs of a multicast come behind the first */
		return;
	if (late_us < -(int64_t)NEAR_US || late_us > (int64_t)(is_timed(e) ? NEAR_US : LATE_US))
		T_BREAK(t, "%s: an item leaves %" PRId64 " us after its time", h->name, late_us);
}

static void check_item(struct town *t, struct house *h, struct t_item *it, const struct emission *e)
{
	it->n_asked++;
	if (!is_named(it, e->gateway))
		T_BREAK(t, "%s: an item goes through %s, which it does not name", h->name, t->gw[e->gateway].id);
	if (!e->is_planned)
		return;
	check_time(t, h, it, e);
	/* Of class A, RX2 repeats what RX1 was not heard to have taken. */
	if (!h->is_group && it->n_planned > it->n_silent)
		T_BREAK(t, "%s: an item that a gateway has taken is sent again", h->name);
	it->n_planned++;
	it->n_silent += e->is_silent;
}

void law_frame(struct town *t, struct house *h, const struct t_session *s, uint32_t full, bool is_app, const struct emission *e)
{
	bool is_c = e->m.window == WINDOW_C;
	struct t_item *it = is_app ? items_out(h, &s->id, full) : NULL;
	if (is_app && !it) {
		T_BREAK(t, "%s: a frame carries an item that is not handed out", h->name);
		return;
	}
	if (is_c && !is_app)
		T_BREAK(t, "%s: a class C frame without an item", h->name);
	if (it)
		check_item(t, h, it, e);
	if (!e->is_planned)
		return;
	t->n_casts += is_c;
	if (is_c && s == &h->s[0])
		check_windows(t, h, e);
	check_others(t, h, e);
	if (it && h->is_group)
		check_cast(t, h, it, e);
}

/* ---- what is told ---- */

void law_told(struct town *t, struct house *h, struct t_item *it, const struct up_outcome *o)
{
	bool is_last = o->outcome == 2 || o->outcome == 3 || (o->outcome == 1 && !it->confirmed);
	if (it->state != T_FLIGHT)
		T_BREAK(t, "%s: outcome %u of an item that is not out", h->name, o->outcome);
	if (o->outcome == 1 && !it->n_planned)
		T_BREAK(t, "%s: an item is told sent that no gateway took", h->name);
	/* What a process that died had sent its successor cannot know. */
	bool is_doubtful = it->out_us < t->crash_us || it->n_planned <= it->n_silent;
	if ((o->outcome == 0 || (o->outcome == 2 && !is_doubtful)) && it->n_planned > 0 && !h->is_group)
		T_BREAK(t, "%s: an item is told %s that a gateway took", h->name, o->outcome ? "failed" : "returned");
	/* In 1.0.x an ACK does not say of what: of class C it may be of an item before, which is no longer waited for. */
	if (o->outcome == 3 && !it->n_heard && (h->s[0].keys.is_v11 || !h->n.class_c))
		T_BREAK(t, "%s: an item is told acknowledged that was never heard", h->name);
	it->n_told += is_last;
	if (it->n_told > 1)
		T_BREAK(t, "%s: the end of an item was told %u times", h->name, it->n_told);
}

void law_heard(struct town *t, struct house *h, struct house *owner)
{
	for (unsigned i = 0; i < TOWN_QUEUE; i++) {
		struct t_item *it = &owner->q[i];
		if (it->n != h->n.n_frm || memcmp(it->frm, h->n.frm, it->n) != 0)
			continue;
		it->n_heard++;
		t->n_items_heard++;
		if (!owner->is_group && !it->confirmed && it->n_heard > 1)
			T_BREAK(t, "%s has heard an item twice", h->name);
		return;
	}
	T_BREAK(t, "%s has heard what nobody sent it", h->name);
}

/* ---- the end of the day ---- */

/* Does the network send to it without being asked? */
static bool is_served(const struct house *h)
{
	return h->is_group || (h->n.class_c && h->s[0].has_f_cnt && !(h->n.s.is_v11 && h->n.wants_mode));
}

void law_items_day(struct town *t)
{
	for (unsigned i = 0; i < t->n_houses; i++) {
		const struct house *h = &t->house[i];
		for (unsigned k = 0; k < TOWN_QUEUE; k++) {
			const struct t_item *it = &h->q[k];
			if (!it->n)
				continue;
			if (it->state == T_FLIGHT && !(it->is_awaited && !is_served(h)))
				T_BREAK(t, "%s: nobody said what became of an item", h->name);
			if (it->state == T_QUEUED && is_served(h))
				T_BREAK(t, "%s listens all the time, and an item waits still", h->name);
			if (it->state == T_DONE && it->n_told != 1)
				T_BREAK(t, "%s: the end of an item was told %u times", h->name, it->n_told);
		}
	}
}

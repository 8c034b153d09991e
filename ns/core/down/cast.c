/** @file Casts: when each gateway could send, and who does. */
#include "ns/core/down/cast.h"
#include "ns/core/down/class_c.h"
#include "ns/core/down/downlink.h"
#include "proto/lorawan/airtime.h"
#include "proto/tables.h"
#include <string.h>

enum { ROUNDS_MAX = 16 };
#define UNRESERVED_US (10 * MS_US)  /* a commit */
#define SHORT_US      (50 * MS_US)
#define NO_PATH_US    (500 * MS_US)
#define DUTY_US       (1 * SEC_US)
#define REFUSED_US    (100 * MS_US)
#define BETWEEN_US    (50 * MS_US)  /* two frames to one device */

/* ---- making one ---- */

void cast_leg(struct cast *c)
{
	c->leg[c->n_legs++].first = c->n_ways;
}

bool cast_way(struct cast *c, struct gateway *g)
{
	if (c->n_ways == NS_WAYS_MAX)
		return false;
	c->way[c->n_ways++].gateway = g;
	c->leg[c->n_legs - 1].n++;
	g->uses++;
	return true;
}

void cast_done(struct cast *c)
{
	for (unsigned i = 0; i < c->n_ways; i++)
		c->way[i].gateway->uses--;
	c->n_ways = 0;
}

/* ---- when ---- */

/* An emission as it could be. */
struct slot {
	struct shot shot;
	struct ledger_tx tx;
	uint64_t hand_us; /* when to hand it over, if not at once */
	bool is_free;     /* nothing had to be waited for */
};

/* When the first preamble symbol could be, and how well that is known. */
static void slot_begin(const struct ns *ns, const struct cast *c, const struct way *y, struct slot *s)
{
	const struct gateway *g = y->gateway;
	uint64_t now_us = ns->now.mono_us;
	uint32_t tmst;
	s->shot = (struct shot){ .gateway = y->gateway, .when = SHOT_SOON };
	s->tx.is_loose = !gateway_tmst(g, now_us, &tmst);
	if (c->at_us && gateway_has_gps(g, now_us))
		s->shot.when = SHOT_GPS;
	else if (!s->tx.is_loose)
		s->shot.when = SHOT_TMST;
	else if (g->is_timed)
		s->shot.when = SHOT_TIMED;
	s->shot.start_us = now_us + g->path_us;
	switch (s->shot.when) {
	case SHOT_SOON:
		s->shot.start_us += NS_IMMEDIATE_US;
		s->tx.slack_us = NS_IMMEDIATE_MAX_US - NS_IMMEDIATE_US;
		break;
	case SHOT_TIMED:
		s->shot.start_us += NS_TIMED_US + NS_CAST_MARGIN_US;
		s->tx.slack_us = NS_TIMED_SLACK_US;
		break;
	default:
		s->shot.start_us += NS_LEAD_US + NS_POLL_US + NS_CAST_MARGIN_US + gateway_drift_us(g, now_us);
	}
	if (y->not_before_us > now_us)
		s->shot.start_us += y->not_before_us - now_us;
}

/* Behind everything between from and to, if it meets that. */
static uint64_t behind(uint64_t start_us, uint64_t span_us, uint64_t from_us, uint64_t to_us)
{
	return start_us < to_us && start_us + span_us > from_us ? to_us : start_us;
}

/* The device listens to RX1, and perhaps once more to RX2, after what it sent; and to one frame at a time. */
static uint64_t free_of_device(const struct cast *c, const struct session *s, uint64_t start_us, uint64_t span_us)
{
	uint64_t taken_us = c->is_group ? c->after_us : s->air_until_us;
	if (taken_us)
		start_us = behind(start_us, span_us, 0, taken_us + BETWEEN_US);
	for (unsigned w = 0; w < WINDOWS && s->up_end_us; w++) {
		uint64_t at_us = s->up_end_us + (mac_rx_guess(s).rx1_delay_s + w) * SEC_US;
		start_us = behind(start_us, span_us, at_us - NS_WINDOW_BEFORE_US, at_us + NS_WINDOW_AFTER_US);
	}
	return start_us;
}

/* No device hears two gateways of one cast at once. */
static uint64_t free_of_legs(const struct cast *c, const struct way *y, uint64_t start_us, uint64_t span_us)
{
	for (unsigned i = 0; i < c->n_legs; i++) {
		const struct leg *l = &c->leg[i];
		bool is_there = l->state == LEG_OUT || l->state == LEG_SENT || l->state == LEG_UNKNOWN;
		if (!is_there)
			continue;
		for (unsigned k = l->first; k < (unsigned)l->first + l->n; k++)
			if (y->meets >> k & 1 && l->attempt && l->attempt->gateway == c->way[k].gateway)
				start_us = behind(start_us, span_us, l->from_us - BETWEEN_US, l->to_us + BETWEEN_US);
	}
	return start_us;
}

/* Move it behind all that is in its way. @return whether that comes to an end */
static bool slot_settle(const struct ns *ns, const struct cast *c, const struct session *session, const struct way *y, struct slot *s)
{
	uint64_t span_us = (uint64_t)s->tx.airtime_us + s->tx.slack_us, start_us = s->shot.start_us;
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		uint64_t was_us = start_us;
		start_us = free_of_device(c, session, start_us, span_us);
		start_us = free_of_legs(c, y, start_us, span_us);
		gateway_tmst(y->gateway, ns->now.mono_us, &s->tx.tmst_us);
		s->tx.tmst_us += (uint32_t)(start_us - ns->now.mono_us);
		s->tx.start_us = ns_ledger_us(ns, start_us);
		uint64_t wait_us = ledger_wait_us(&y->gateway->ledger, &s->tx);
		start_us += wait_us;
		if (start_us == was_us) {
			s->is_free = start_us == s->shot.start_us;
			s->shot.start_us = start_us;
			return true;
		}
	}
	return false;
}

/* The first leg of a cast at a given time begins then or not at all; those that must not be heard with it come behind it. */
static const char *slot_at(const struct cast *c, struct slot *s, uint64_t asked_us)
{
	bool has_begun = false;
	for (unsigned i = 0; i < c->n_legs; i++)
		has_begun |= c->leg[i].state == LEG_OUT || c->leg[i].state == LEG_SENT || c->leg[i].state == LEG_UNKNOWN;
	if (asked_us > c->at_us && !has_begun)
		return "too_late";
	return s->is_free || has_begun ? NULL : "conflict";
}

static void slot_finish(const struct ns *ns, struct slot *s)
{
	struct shot *h = &s->shot;
	uint64_t now_us = ns->now.mono_us, end_us = h->start_us + s->tx.airtime_us + s->tx.slack_us;
	h->tmst_us = s->tx.tmst_us;
	if (h->when == SHOT_GPS)
		h->gps_ms = (clock_gps_us(ns->now.unix_us + (h->start_us - now_us)) + MS_US / 2) / MS_US;
	/* What its gs times may be immediate after all, where it lost the clock meanwhile. */
	h->until_us = h->when == SHOT_TMST ? end_us + NS_TX_ACK_US : h->start_us + NS_IMMEDIATE_ACK_US;
	s->hand_us = h->start_us - (h->when == SHOT_SOON ? h->gateway->path_us + NS_IMMEDIATE_US : NS_HORIZON_US);
}

static const char *word_of(int rc)
{
	switch (rc) {
	case 0: return NULL;
	case LEDGER_E_CONFLICT: return "conflict";
	case LEDGER_E_BAND: return "frequency";
	case LEDGER_E_UNRESERVED: return "unreserved";
	default: return "duty_cycle";
	}
}

/* How this way could send. @return NULL; else why it cannot */
static const char *slot_of(struct ns *ns, const struct cast *c, const struct cast_tx *t, const struct way *y, struct slot *ret)
{
	struct gateway *g = y->gateway;
	*ret = (struct slot){ .is_free = false };
	if (!g->gs || !ns->gs_is_up[g->gs] || !g->can_send)
		return "no_downlink_path";
	if (y->is_dead)
		return "refused";
	if (!g->ledger.region && t->session->dev->plan)
		gateway_set_region(g, t->session->dev->plan->region);
	transmit_reserve_at(ns, g, t->window->freq_hz);
	slot_begin(ns, c, y, ret);
	uint64_t asked_us = ret->shot.start_us;
	if (asked_us < c->at_us)
		ret->shot.start_us = c->at_us;
	else if (asked_us < c->from_us && !c->at_us)
		ret->shot.start_us = c->from_us;
	ret->tx.freq_hz = t->window->freq_hz;
	ret->tx.airtime_us = airtime_us(&t->window->modu, t->len, false);
	ret->tx.priority = t->priority;
	if (!slot_settle(ns, c, t->session, y, ret))
		return "conflict";
	const char *why = c->at_us ? slot_at(c, ret, asked_us) : NULL;
	if (why)
		return why;
	slot_finish(ns, ret);
	return word_of(ledger_check(&g->ledger, &ret->tx, ns->durable));
}

/* ---- who ---- */

/* Is this hindrance sooner over than that? */
static unsigned weight_of(const char *why)
{
	static const char *const order[] = { "unreserved", "duty_cycle", "conflict", "refused", "too_late" };
	for (unsigned i = 0; i < COUNT(order); i++)
		if (strcmp(why, order[i]) == 0)
			return i;
	return COUNT(order);
}

/* The way that sends first. @return NULL: none can; *ret_why says why others cannot */
static struct way *choose(struct ns *ns, struct cast *c, const struct leg *l, const struct cast_tx *t, struct slot *ret, const char **ret_why,
	struct skipped *skipped)
{
	struct way *best = NULL;
	*ret_why = "no_downlink_path";
	ret->is_free = false;
	for (unsigned i = l->first; i < (unsigned)l->first + l->n; i++) {
		struct slot s;
		const char *why = slot_of(ns, c, t, &c->way[i], &s);
		if (why) {
			if (weight_of(why) < weight_of(*ret_why))
				*ret_why = why;
			skipped_add(skipped, c->way[i].gateway, why);
			continue;
		}
		if (!best || s.is_free || s.shot.start_us < ret->shot.start_us) {
			if (best)
				skipped_add(skipped, best->gateway, "conflict");
			best = &c->way[i];
			*ret = s;
		} else {
			skipped_add(skipped, c->way[i].gateway, "conflict");
		}
		if (s.is_free)
			break;
	}
	return best;
}

uint64_t cast_probe(struct ns *ns, struct cast *c, const struct cast_tx *t, const char **ret_why)
{
	struct slot s;
	struct skipped skipped = { .n = 0 };
	return choose(ns, c, &c->leg[0], t, &s, ret_why, &skipped) ? s.hand_us : 0;
}

static uint64_t pause_us(const char *why)
{
	switch (weight_of(why)) {
	case 0: return UNRESERVED_US;
	case 1: return DUTY_US;
	case 2: return SHORT_US;
	default: return NO_PATH_US;
	}
}

static bool can_still(const struct cast *c, const struct leg *l)
{
	for (unsigned i = l->first; i < (unsigned)l->first + l->n; i++)
		if (!c->way[i].is_dead)
			return true;
	return false;
}

static void leg_over(struct cast *c, struct leg *l, const char *why)
{
	l->state = LEG_OVER;
	if (why)
		c->why = why;
}

static void leg_later(const struct ns *ns, struct cast *c, struct leg *l, uint64_t again_us)
{
	l->again_us = again_us > ns->now.mono_us ? again_us : ns->now.mono_us + MS_US;
	if (l->again_us > c->until_us)
		leg_over(c, l, NULL);
	/* A frame with a counter does not wait for long: one with a later counter could come before it. */
	else if (!c->is_group && !c->at_us && l->again_us > ns->now.mono_us + NS_HORIZON_US) {
		c->later_us = l->again_us;
		leg_over(c, l, NULL);
	}
}

static void leg_emit(struct ns *ns, struct exchange *x, struct leg *l, struct way *y, struct slot *s)
{
	struct cast *c = x->cast;
	struct attempt *a = transmit_emit(ns, x, &s->shot, &s->tx);
	y->tries++;
	if (!a) {
		y->is_dead = true;
		leg_later(ns, c, l, ns->now.mono_us);
		return;
	}
	a->leg = (uint8_t)(l - c->leg);
	l->state = LEG_OUT;
	l->attempt = a;
	l->again_us = a->until_us;
	l->from_us = s->shot.start_us;
	l->to_us = s->shot.start_us + s->tx.airtime_us + s->tx.slack_us;
	/* What must wait for this one has its own time after it. */
	if (c->is_group && c->until_us < l->to_us + ns->config.class_c_max_delay_us)
		c->until_us = l->to_us + ns->config.class_c_max_delay_us;
}

static void leg_try(struct ns *ns, struct exchange *x, struct leg *l, const struct cast_tx *t)
{
	struct cast *c = x->cast;
	struct slot s;
	struct skipped skipped = { .n = 0 };
	const char *why;
	struct way *y = choose(ns, c, l, t, &s, &why, &skipped);
	if (!y && (!can_still(c, l) || (c->at_us && ns->now.mono_us + NS_LEAD_US > c->at_us))) {
		leg_over(c, l, can_still(c, l) ? why : NULL);
	} else if (!y) {
		c->why = why;
		leg_later(ns, c, l, ns->now.mono_us + (c->at_us ? SHORT_US : pause_us(why)));
	} else if (s.hand_us > ns->now.mono_us && (!c->at_us || s.shot.when == SHOT_SOON)) {
		/* A gateway whose airtime is being reserved may be free sooner. */
		leg_later(ns, c, l, weight_of(why) == 0 ? ns->now.mono_us + UNRESERVED_US : s.hand_us);
	} else {
		s.shot.skipped = &skipped;
		s.shot.leg = l;
		leg_emit(ns, x, l, y, &s);
		return;
	}
	if (l->state == LEG_OVER)
		skipped_tell(ns, x, &skipped);
}

/* ---- its life ---- */

static void cast_close(struct ns *ns, struct exchange *x)
{
	struct cast *c = x->cast;
	class_c_ended(ns, x);
	outcome_finish(ns, x, c->result >= 0 ? tx_result_info((uint32_t)c->result)->name : c->why ? c->why : "no_downlink_path");
}

/* @return when to look at the leg again; UINT64_MAX: it has ended */
static uint64_t leg_run(struct ns *ns, struct exchange *x, struct leg *l, const struct cast_tx *t)
{
	struct cast *c = x->cast;
	const struct session *s = t->session;
	uint64_t next = s->is_v11 ? s->app_down.next : s->down.next;
	/* An answer to an uplink had the next counter meanwhile: the device would not take this one any more. */
	if (l->state == LEG_WAITS && !c->is_group && next != (uint64_t)x->f_cnt + 1)
		leg_over(c, l, "overtaken");
	while (l->state == LEG_WAITS && l->again_us <= ns->now.mono_us)
		leg_try(ns, x, l, t);
	if (l->state == LEG_OUT && l->again_us <= ns->now.mono_us)
		l->state = LEG_UNKNOWN;
	return l->state == LEG_WAITS || l->state == LEG_OUT ? l->again_us : UINT64_MAX;
}

void cast_run(struct ns *ns, struct exchange *x)
{
	struct cast *c = x->cast;
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	uint64_t due_us = UINT64_MAX;
	if (!s || !d->plan) {
		outcome_finish(ns, x, NULL);
		return;
	}
	struct cast_tx t = { .session = s, .window = &x->window[x->at], .len = x->len, .priority = x->priority };
	for (unsigned i = 0; i < c->n_legs; i++) {
		uint64_t leg_us = leg_run(ns, x, &c->leg[i], &t);
		due_us = leg_us < due_us ? leg_us : due_us;
	}
	x->state = EXCHANGE_OUT;
	if (due_us == UINT64_MAX || heap_set(&ns->exchanges.due, &x->due, due_us) != 0)
		cast_close(ns, x);
}

/* What a refusal tells of the gateway. */
static void way_learn(const struct ns *ns, struct way *y, const struct attempt *a, const struct tx_ack *m)
{
	struct gateway *g = y->gateway;
	y->not_before_us = ns->now.mono_us + REFUSED_US * y->tries;
	if (m && MSG_HAS(m, rtt_us) && m->rtt_us / 2 > g->path_us)
		g->path_us = m->rtt_us / 2;
	switch (a->result) {
	case TX_RESULT_NOT_CONNECTED:
		g->can_send = false;
		break;
	case TX_RESULT_TX_FREQ:
		y->is_dead = true;
		break;
	case TX_RESULT_GPS_UNLOCKED:
		gateway_lost_gps(g);
		y->not_before_us = 0;
		break;
	case TX_RESULT_TX_POWER:
		y->not_before_us = 0;
		break;
	case TX_RESULT_TOO_LATE:
	case TX_RESULT_TOO_EARLY:
		/* Twice: its counter is not what it was. */
		if (y->tries > 1)
			g->clock.is_known = g->is_timed = false;
		break;
	default:
		break;
	}
	if (y->tries >= NS_WAY_TRIES_MAX)
		y->is_dead = true;
}

/* The frame that was to be on the air until then is not; one before it may be. */
static void air_is_free(struct ns *ns, const struct exchange *x, const struct attempt *a, uint64_t until_us)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (s && s->air_until_us == until_us)
		s->air_until_us = a->air_before_us;
}

void cast_ended(struct ns *ns, struct exchange *x, struct attempt *a, const struct tx_ack *m)
{
	struct cast *c = x->cast;
	struct leg *l = &c->leg[a->leg];
	if (a->result == TX_RESULT_SUCCESS) {
		a->end = ATTEMPT_SENT;
		l->state = LEG_SENT;
		ns->counters.downlinks_sent++;
		CIDS_ADD(&x->cids, CID_NS_TRANSMISSION, a->id);
		if (m)
			CIDS_ADD_ALL(&x->cids, &m->cids);
	} else if (a->result == TX_RESULT_NO_TX_ACK) {
		a->end = ATTEMPT_UNKNOWN;
		l->state = LEG_UNKNOWN;
	} else {
		a->end = ATTEMPT_REFUSED;
		ledger_unbook(&a->gateway->ledger, &a->id);
		air_is_free(ns, x, a, l->to_us);
		c->result = (int)a->result;
		l->state = LEG_WAITS;
		l->again_us = ns->now.mono_us;
		for (unsigned i = l->first; i < (unsigned)l->first + l->n; i++)
			if (c->way[i].gateway == a->gateway)
				way_learn(ns, &c->way[i], a, m);
	}
	cast_run(ns, x);
}

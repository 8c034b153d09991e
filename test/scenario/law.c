/** @file What must hold, whatever the network server thinks: counters, airtime, answers, commands, deliveries. */
#include "test/scenario/town.h"

#define HOUR_US (3600 * SEC_US)

static uint32_t hash_of(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint32_t h = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 16777619u;
	return h;
}

/* ---- air ---- */

static bool overlap(uint64_t a_us, uint64_t a_len_us, uint64_t b_us, uint64_t b_len_us)
{
	return a_us < b_us + b_len_us && b_us < a_us + a_len_us;
}

/* Airtime of a gateway in a sub-band that lies within the hour, or a little more, before a moment. */
static uint64_t used_us(const struct t_gateway *g, const struct region_band *band, uint64_t at_us, uint64_t hour_us)
{
	uint64_t used = 0;
	for (const struct emission *e = g->emissions; e; e = e->next)
		if (e->is_planned && region_band(g->plan->region, e->m.freq_hz) == band && e->start_us + hour_us > at_us && e->start_us <= at_us)
			used += e->m.airtime_us;
	return used;
}

static void check_air(struct town *t, const struct emission *e)
{
	const struct t_gateway *g = &t->gw[e->gateway];
	const struct region_band *band = region_band(g->plan->region, e->m.freq_hz);
	if (!band) {
		T_BREAK(t, "%s sends outside every sub-band: %u Hz", g->id, e->m.freq_hz);
		return;
	}
	if (e->m.eirp_dbm * 10 > band->max_eirp_ddbm)
		T_BREAK(t, "%s sends with %d dBm on %u Hz", g->id, e->m.eirp_dbm, e->m.freq_hz);
	for (const struct emission *o = g->emissions; o; o = o->next)
		if (o != e && o->is_planned && overlap(o->start_us, o->m.airtime_us, e->start_us, e->m.airtime_us))
			T_BREAK(t, "two emissions of %s overlap at %" PRIu64 " us", g->id, e->start_us);
	/* Every hour that the emission lies in ends with an emission: look at each of those. */
	for (const struct emission *o = g->emissions; o && band->duty_ppm < 1000000; o = o->next) {
		uint64_t used = o->is_planned && o->start_us >= e->start_us ? used_us(g, band, o->start_us, HOUR_US) : 0;
		if (used > 3600ULL * band->duty_ppm)
			T_BREAK(t, "%s: %" PRIu64 " us within an hour in the sub-band of %u Hz", g->id, used, e->m.freq_hz);
	}
}

/* ---- counters ---- */

static bool is_signed(struct town *t, const struct house *h, const struct t_session *s, const struct frame *f, uint32_t full)
{
	uint8_t mic[MIC_LEN];
	struct frame_id id = { .dev_addr = s->keys.dev_addr, .f_cnt = full, .conf_f_cnt = s->keys.is_v11 && f->data.ack ? h->n.sent_f_cnt : 0 };
	return mic_data(t->crypto, &s->keys.keys.s_nwk_s_int, &id, f->msg, mic) == 0 && mic_eq(mic, f->mic);
}

/* Different octets never share a counter, and counters never fall. */
static bool check_counter(struct town *t, const struct house *h, struct t_session *s, const struct frame *f, const struct tx_request *m,
	uint32_t *ret_full)
{
	bool is_app = s->keys.is_v11 && f->data.has_port && f->data.f_port != PORT_MAC;
	uint64_t next = s->down[is_app].next, ahead = (uint16_t)(f->data.f_cnt16 - next);
	uint32_t hash = hash_of(m->phy.p, m->phy.len);
	if (!s->keys.is_there || f->data.dev_addr != s->keys.dev_addr)
		return false;
	if (next && (uint16_t)(next - 1) == f->data.f_cnt16 && is_signed(t, h, s, f, (uint32_t)(next - 1))) {
		if (s->down[is_app].hash != hash)
			T_BREAK(t, "FCntDown %" PRIu64 " of %s was used for different octets", next - 1, h->name);
		*ret_full = (uint32_t)(next - 1);
		return true;
	}
	if (!is_signed(t, h, s, f, (uint32_t)(next + ahead))) {
		for (uint64_t back = 2; back < 2000 && back <= next; back++)
			if ((uint16_t)(next - back) == f->data.f_cnt16 && is_signed(t, h, s, f, (uint32_t)(next - back)))
				T_BREAK(t, "FCntDown of %s fell from %" PRIu64 " to %" PRIu64, h->name, next - 1, next - back);
		return false;
	}
	*ret_full = (uint32_t)(next + ahead);
	s->down[is_app].next = next + ahead + 1;
	s->down[is_app].hash = hash;
	return true;
}

static void note_answer(struct house *h, const struct t_session *s, const struct frame *f, const struct emission *e)
{
	struct t_awaited *a = &h->awaited;
	if (s != &h->s[0] || e->start_us < a->end_us || e->m.window == 3)
		return;
	a->is_acked |= e->is_planned && f->data.ack;
	a->is_sent |= e->is_planned;
	a->is_refused |= !e->is_planned; /* too late for another gateway, perhaps */
}

/* A join-accept: whose? */
static void note_accept(struct town *t, const struct emission *e)
{
	for (unsigned i = 0; i < t->opt.devices; i++) {
		struct house *h = &t->house[i];
		const struct join_answer *a = &h->join.answer;
		if (!h->join.has_answer || a->phy.len != e->m.phy.len || memcmp(a->phy.p, e->m.phy.p, a->phy.len) != 0)
			continue;
		h->awaited.is_accepted |= e->is_planned;
		h->awaited.is_refused |= !e->is_planned;
		return;
	}
	T_BREAK(t, "a join-accept that the join server has not made, or no longer stands by");
}

void law_emission(struct town *t, struct emission *e)
{
	struct frame f;
	uint32_t full;
	if (e->is_planned)
		check_air(t, e);
	if (e->m.phy.p[0] >> 5 == MTYPE_JOIN_ACCEPT) {
		note_accept(t, e);
		return;
	}
	if (frame_parse((struct slice){ e->m.phy.p, e->m.phy.len }, &f) != 0) {
		T_BREAK(t, "a downlink that is no frame");
		return;
	}
	for (unsigned i = 0; i < t->n_houses; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct house *h = &t->house[i];
			if (!check_counter(t, h, &h->s[k], &f, &e->m, &full))
				continue;
			note_answer(h, &h->s[k], &f, e);
			law_frame(t, h, &h->s[k], full, f.data.has_port && f.data.f_port != PORT_MAC, e);
			return;
		}
	T_BREAK(t, "a downlink to %08x that no device can read", f.data.dev_addr);
}

/* ---- answers ---- */

/* After a crash what was reserved counts as used: a sixteenth of the budget, 3 s at the least. */
static uint64_t lost_us(const struct town *t, const struct region_band *band, uint64_t at_us)
{
	uint64_t slice = 3600ULL * band->duty_ppm / 16, lost = 0;
	for (unsigned i = 0; i < TOWN_CRASHES; i++)
		if (t->crash_at_us[i] && t->crash_at_us[i] + HOUR_US + 120 * SEC_US > at_us)
			lost += slice > 3 * SEC_US ? slice : 3 * SEC_US;
	return lost;
}

/* Could this gateway have sent an answer in this window? With room to spare, as the core must keep reserves. */
static bool was_possible(const struct town *t, const struct house *h, unsigned gateway, unsigned window)
{
	const struct t_gateway *g = &t->gw[gateway];
	const struct modu *modu;
	uint32_t hz;
	unsigned delay_s;
	if (!node_window(&h->n, window, &hz, &modu, &delay_s))
		return false;
	const struct region_band *band = region_band(g->plan->region, hz);
	uint64_t at_us = h->awaited.end_us + delay_s * SEC_US, len_us = airtime_us(modu, 40, false);
	if (!band)
		return false;
	/* The core counts by the minute, and keeps a reserve. */
	uint64_t used = used_us(g, band, at_us + len_us, HOUR_US + 120 * SEC_US) + lost_us(t, band, at_us);
	if (band->duty_ppm < 1000000 && used + 3 * len_us > 3600ULL * band->duty_ppm * 9 / 10)
		return false;
	for (const struct emission *o = g->emissions; o; o = o->next)
		if (overlap(o->start_us, o->m.airtime_us, at_us - 200 * MS_US, len_us + 3 * SEC_US))
			return false;
	return true;
}

/* What is missing; NULL: nothing. */
static const char *missing(const struct t_awaited *a)
{
	if (a->wants_accept && !a->is_accepted)
		return "join-request";
	if (a->wants_ack && !a->is_acked)
		return "confirmed uplink";
	return a->wants_link && (!a->is_sent || (a->is_heard && !a->is_linked)) ? "LinkCheckReq" : NULL;
}

void law_exchange(struct town *t, struct house *h)
{
	struct t_awaited *a = &h->awaited;
	const char *what = missing(a);
	bool can = false;
	t->n_answers += a->wants_ack || a->wants_link || a->wants_accept;
	if (what && !a->is_crossed && !a->is_refused)
		for (unsigned g = 0; g < t->opt.gateways; g++)
			for (unsigned w = 1; w <= 2 && a->heard_by >> g & 1; w++)
				can |= was_possible(t, h, g, w);
	if (can)
		T_BREAK(t, "%s (%s, %s, %u Hz, DR%u): its %s at %" PRIu64 " us was heard and not answered", h->name, h->n.rules->plain, h->n.plan->id, h->n.up_hz,
			h->n.up_dr, what, a->end_us);
	t->n_excused += what != NULL;
	a->wants_ack = a->wants_link = a->wants_accept = false;
}

/* ---- commands ---- */

/* A request that comes again and again though its answers were sent is a loop. */
void law_commands(struct town *t, struct house *h)
{
	struct slice all = { h->n.cmds, h->n.n_cmds };
	struct mac_cmd c;
	size_t pos = 0;
	h->awaited.is_linked |= h->n.has_link_check;
	while (mac_walk(all, false, &pos, &c) == MAC_WALK_CMD) {
		uint32_t hash = hash_of(c.arg.p, c.arg.n);
		uint8_t cid = c.info->cid;
		if (c.info->asker != MAC_ASKER_NETWORK)
			continue;
		h->n_link_adr += cid == CMD_LINK_ADR;
		bool is_again = h->said[cid].times && h->said[cid].hash == hash && t->now.mono_us < h->said[cid].at_us + 2 * h->period_us + 60 * SEC_US;
		h->said[cid].times = is_again ? h->said[cid].times + 1 : 1;
		h->said[cid].hash = hash;
		h->said[cid].at_us = t->now.mono_us;
		if (h->said[cid].times > 8)
			T_BREAK(t, "%s has heard the same %s %u times in a row", h->name, c.info->down_name, h->said[cid].times);
	}
}

/* ---- what the application server is told ---- */

void law_session(struct house *h, const struct ulid *id)
{
	h->s[1] = h->s[0];
	h->s[0] = (struct t_session){ .id = *id, .keys = h->n.s };
}

void law_delivered(struct town *t, struct house *h, const struct up_data *d)
{
	for (unsigned k = 0; k < 2; k++) {
		struct t_session *s = &h->s[k];
		if (!ulid_eq(&s->id, &d->session_key_id))
			continue;
		if (s->has_f_cnt && d->f_cnt <= s->last_f_cnt)
			T_BREAK(t, "FCntUp %u of %s came after %u", d->f_cnt, h->name, s->last_f_cnt);
		s->has_f_cnt = true;
		s->last_f_cnt = d->f_cnt;
		t->n_delivered++;
		return;
	}
	T_BREAK(t, "an uplink of %s in a session that it has not", h->name);
}

void law_day(struct town *t)
{
	if (t->n_held)
		T_BREAK(t, "%u frames were never accepted", t->n_held);
	for (unsigned i = 0; i < t->opt.devices; i++) {
		const struct house *h = &t->house[i];
		if (h->n_link_adr > 25 + h->n_uplinks / 3)
			T_BREAK(t, "%s has heard %u LinkADRReq in %u uplinks", h->name, h->n_link_adr, h->n_uplinks);
	}
	law_items_day(t);
}

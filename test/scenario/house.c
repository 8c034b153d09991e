/** @file Devices on air: when they speak, who hears them, and what they hear. */
#include "test/scenario/town.h"

static void again_at(struct town *t, struct house *h, uint64_t at_us)
{
	heap_set(&t->due, &h->due, at_us);
}

static uint64_t about(struct town *t, uint64_t us)
{
	return us / 2 + rng_below(&t->rng, us + 1);
}

/* ---- speaking ---- */

static const struct modu *modu_of(const struct house *h)
{
	return region_modu(h->n.plan->region, true, h->n.up_dr);
}

static void begin(struct town *t, struct house *h)
{
	node_hop(&h->n, rng_u64(&t->rng));
	if (!h->n.is_join)
		node_sign(&h->n);
	h->begin_us = t->now.mono_us;
	h->n_tx++;
	h->phase = HOUSE_SENDING;
	t->n_sent++;
	again_at(t, h, t->now.mono_us + airtime_us(modu_of(h), h->n.n_phy, true));
}

static void speak(struct town *t, struct house *h)
{
	uint8_t frm[20];
	struct node *n = &h->n;
	h->is_answered = false;
	h->awaited = (struct t_awaited){ .wants_ack = false };
	if (!(h->is_confirmed && h->confirmed_tries && h->left))
		h->n_tx = 0;
	/* Not before the session it has is confirmed: the network keeps one that no uplink has used, and no two. */
	bool can_rejoin = n->is_otaa && n->s.is_v11 && !n->wants_rekey && !(h->confirmed_tries && h->left);
	if (can_rejoin && (n->must_rejoin >= 0 || rng_below(&t->rng, 40) == 0)) {
		node_rejoin(n, n->must_rejoin >= 0 ? (uint8_t)n->must_rejoin : (uint8_t)rng_below(&t->rng, 3));
		n->must_rejoin = -1;
		h->awaited.wants_accept = true;
		h->left = 0;
		begin(t, h);
		return;
	}
	if (!n->s.is_there || (n->is_otaa && n->ack_cnt > 400)) { /* gives the session up */
		n->s.is_there = false;
		uint16_t nonce = n->rules->nonce_rises ? (uint16_t)(n->dev_nonce + 1) : (uint16_t)rng_u64(&t->rng);
		n->dr = h->first_dr;
		node_join(n, nonce);
		h->awaited.wants_accept = true;
		h->left = 1;
		begin(t, h);
		return;
	}
	if (h->is_confirmed && h->confirmed_tries && h->left) { /* the same frame once more */
		h->left--;
		h->awaited.wants_ack = true;
		begin(t, h);
		return;
	}
	struct node_say say = { .port = 1 + (int)rng_below(&t->rng, 100), .frm = frm, .n = 1 + rng_below(&t->rng, 10), .confirmed = rng_below(&t->rng, 5) == 0,
		.asks_link = rng_below(&t->rng, 12) == 0, .asks_time = rng_below(&t->rng, 30) == 0 };
	rng_fill(&t->rng, frm, sizeof(frm));
	node_speak(n, &say);
	h->is_confirmed = say.confirmed;
	h->awaited.wants_ack = say.confirmed;
	h->awaited.wants_link = say.asks_link;
	h->left = say.confirmed ? 3 : n->nb_trans;
	h->left--;
	h->n_uplinks++;
	begin(t, h);
}

static void deliver(struct town *t, struct house *h, unsigned g, double snr)
{
	struct t_gateway *gw = &t->gw[g];
	const struct modu *modu = modu_of(h);
	struct t_event *e = town_at(t, t->now.mono_us + gw->path_us + rng_below(&t->rng, 3 * MS_US), T_DELIVER);
	struct gs_uplink *m = &e->up;
	struct ulid conn = { { 1, (uint8_t)g } };
	CIDS_ADD(&m->cids, CID_GS_CONN, conn);
	CIDS_ADD(&m->cids, CID_GS_UPLINK, ulid_make(t->now.unix_us, &t->rng));
	snprintf(m->rx.gateway_id, sizeof(m->rx.gateway_id), "%s", gw->id);
	m->rx.gateway_eui = gw->eui;
	m->rx.tmst_us = (uint32_t)(t->now.mono_us + gw->offset_us);
	m->rx.received_unix_us = t->now.unix_us + gw->path_us;
	m->rx.rssi_ddbm = -1000;
	MSG_SET(&m->rx, snr_ddb, (int32_t)(snr * 10));
	if (gw->has_gps)
		MSG_SET(&m->rx, gps_ms, clock_gps_us(t->now.unix_us) / MS_US);
	m->freq_hz = h->n.up_hz;
	m->mod = (struct modulation){ .kind = modu->kind };
	MSG_SET(&m->mod, sf, modu->sf);
	MSG_SET(&m->mod, bw_hz, modu->bw_hz);
	MSG_SET(&m->mod, bit_rate, modu->bit_rate);
	str_copy(str_of(modu_codr(modu)), m->mod.coding_rate, sizeof(m->mod.coding_rate));
	MSG_MARK(&m->mod, coding_rate);
	memcpy(m->phy.p, h->n.phy, h->n.n_phy);
	m->phy.len = (uint16_t)h->n.n_phy;
	m->path_us = gw->path_us;
	m->can_send = true;
	str_copy(str_of(gw->plan->id), m->plan, sizeof(m->plan));
	MSG_MARK(m, plan);
	h->awaited.heard_by |= 1U << g;
}

static double floor_db(const struct modu *m)
{
	return m->kind == MODU_LORA ? modu_floor_ddb(m) / 10.0 + (m->bw_hz > 300000 ? 6 : m->bw_hz > 200000 ? 3 : 0) : 5;
}

/* The frame is over: who has heard it? */
static void sent(struct town *t, struct house *h)
{
	h->end_us = h->awaited.end_us = t->now.mono_us;
	h->awaited.heard_by = 0;
	ch_time_passes(&h->air);
	for (int i = 0; i < h->air.gateways; i++) {
		double snr = ch_snr_db(&h->air, i, 16 - 2 * h->n.power);
		if (snr >= floor_db(modu_of(h)) && rng_below(&t->rng, 100) != 0) /* one of a hundred collides */
			deliver(t, h, h->gw[i], snr > 12 ? 12 : snr);
	}
	t->n_heard += h->awaited.heard_by != 0;
	h->n_lost += h->awaited.heard_by == 0;
	if (!h->awaited.heard_by)
		h->awaited.wants_ack = h->awaited.wants_link = h->awaited.wants_accept = false;
	h->phase = HOUSE_LISTENING;
	unsigned delay_s = h->n.is_join ? h->n.plan->region->join_delay_s : h->n.rx1_delay_s;
	again_at(t, h, t->now.mono_us + (delay_s + 1) * SEC_US + 2500 * MS_US);
}

/* Both windows are over. */
static void over(struct town *t, struct house *h)
{
	law_exchange(t, h);
	h->phase = HOUSE_IDLE;
	bool is_done = h->is_answered || !h->left;
	if (h->n.is_join)
		again_at(t, h, t->now.mono_us + (h->n.s.is_there ? about(t, 10 * SEC_US) : about(t, 60 * SEC_US)));
	else if (!is_done && h->is_confirmed)
		h->confirmed_tries++, again_at(t, h, t->now.mono_us + about(t, 2 * SEC_US));
	else if (!is_done)
		h->left--, begin(t, h);
	else
		h->confirmed_tries = 0, h->left = 0, again_at(t, h, t->now.mono_us + about(t, h->period_us));
}

void house_due(struct town *t, struct house *h)
{
	if (h->phase == HOUSE_IDLE)
		speak(t, h);
	else if (h->phase == HOUSE_SENDING)
		sent(t, h);
	else
		over(t, h);
}

/* ---- hearing ---- */

static bool listens(const struct house *h, const struct emission *e)
{
	struct modu modu = { .kind = (uint8_t)e->m.mod.kind, .sf = (uint8_t)e->m.mod.sf, .bw_hz = e->m.mod.bw_hz, .bit_rate = e->m.mod.bit_rate, .cr = CR_4_5 };
	for (unsigned w = 1; w <= 3; w++) {
		const struct modu *want;
		uint32_t hz;
		unsigned delay_s;
		if (!node_window(&h->n, w, &hz, &want, &delay_s) || hz != e->m.freq_hz || !modu_eq(want, &modu))
			continue;
		if (w == 3 && h->phase != HOUSE_SENDING)
			return true;
		if (w < 3 && h->phase == HOUSE_LISTENING && e->start_us == h->end_us + delay_s * SEC_US)
			return true;
	}
	return false;
}

static void hear(struct town *t, struct house *h, const struct emission *e)
{
	bool is_join = e->m.phy.p[0] >> 5 == MTYPE_JOIN_ACCEPT, is_mine = e->m.window != 3;
	h->rx_until_us = e->start_us + e->m.airtime_us;
	if (!node_hear(&h->n, (struct slice){ e->m.phy.p, e->m.phy.len }))
		return;
	t->n_down_heard++;
	h->n_downlinks++;
	h->is_answered |= is_mine;
	h->awaited.is_heard |= is_mine;
	if (is_join) {
		law_session(h, &h->session);
		h->n_joins++;
		t->n_joins++;
		return;
	}
	if (h->n.n_cmds)
		law_commands(t, h);
	if (h->n.n_frm)
		law_heard(t, h, h->n.is_group ? town_house(t, h->group) : h);
}

void houses_hear(struct town *t, const struct emission *e)
{
	for (unsigned i = 0; i < t->opt.devices; i++) {
		struct house *h = &t->house[i];
		int reach = -1;
		for (int k = 0; k < h->air.gateways; k++)
			reach = h->gw[k] == e->gateway ? k : reach;
		if (reach < 0 || h->rx_until_us > e->start_us || !listens(h, e))
			continue;
		struct modu modu = { .kind = (uint8_t)e->m.mod.kind, .sf = (uint8_t)e->m.mod.sf, .bw_hz = e->m.mod.bw_hz };
		if (ch_snr_db(&h->air, reach, e->m.eirp_dbm) >= floor_db(&modu))
			hear(t, h, e);
	}
}

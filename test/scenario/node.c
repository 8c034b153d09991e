/** @file A device: its session, its frames, and where it listens. */
#include "test/scenario/node.h"
#include "test/scenario/node_mac.h"
#include <string.h>

bool node_has_rate(const struct node *n, unsigned dr)
{
	const struct region *r = n->plan->region;
	const struct modu *m = dr <= r->adr_max_dr && dr >= r->adr_min_dr ? region_modu(r, true, dr) : NULL;
	return m && region_dr(r, n->phy_version, true, m) == (int)dr && region_max_payload(r, n->phy_version, true, dr, n->dwell_up) > 0;
}

static uint8_t lowest_rate(const struct node *n)
{
	uint8_t dr = n->plan->region->adr_min_dr;
	while (dr < n->plan->region->adr_max_dr && !node_has_rate(n, dr))
		dr++;
	return dr;
}

void node_reset(struct node *n)
{
	const struct region *r = n->plan->region;
	memset(n->ch, 0, sizeof(n->ch));
	memset(&n->defined, 0, sizeof(n->defined));
	for (size_t k = 0; k < r->n_runs; k++)
		for (unsigned i = 0; i < r->runs[k].n; i++) {
			const struct region_run *run = &r->runs[k];
			n->ch[run->first + i] = (struct node_channel){ run->first_hz + i * run->step_hz, 0, run->min_dr, run->max_dr };
			channels_add(&n->defined, run->first + i);
		}
	n->on = n->defined;
	n->dwell_up = region_boot_dwell(r, n->phy_version, true) == DWELL_ON;
	n->dwell_down = region_boot_dwell(r, n->phy_version, false) == DWELL_ON;
	n->dr = lowest_rate(n);
	n->power = 0;
	n->nb_trans = 1;
	n->rx1_delay_s = r->rx1_delay_s;
	n->rx1_offset = 0;
	n->rx2_dr = r->rx2_dr;
	n->rx2_hz = r->rx2_hz;
	n->ack_cnt = 0;
	n->ack_limit = r->adr_ack_limit ? r->adr_ack_limit : 64;
	n->ack_delay = r->adr_ack_delay ? r->adr_ack_delay : 32;
	n->owes_ack = false;
	n->n_answers = n->n_sticky = n->n_sent = 0;
	n->wants_rekey = n->s.is_v11;
	n->wants_mode = n->s.is_v11 && n->class_c;
	n->must_rejoin = -1;
}

static bool carries(const struct node *n, unsigned i, unsigned dr)
{
	return channels_has(&n->on, i) && n->ch[i].up_hz && dr >= n->ch[i].min_dr && dr <= n->ch[i].max_dr;
}

void node_hop(struct node *n, uint64_t chance)
{
	unsigned have[CHANNELS_MAX], count = 0;
	const struct region *r = n->plan->region;
	for (unsigned i = 0; i < CHANNELS_MAX; i++)
		if (carries(n, i, n->dr))
			have[count++] = i;
	if (!count)
		return; /* stays where it was */
	unsigned i = have[chance % count];
	n->up_ch = (uint8_t)i;
	n->up_hz = n->ch[i].up_hz;
	n->up_dr = n->dr;
	for (size_t k = 0; n->is_join && n->join_type == JOIN_REQ_TYPE && k < r->n_runs; k++)
		if (i >= r->runs[k].first && i < (unsigned)r->runs[k].first + r->runs[k].n && r->runs[k].join_max_dr >= r->runs[k].join_min_dr)
			n->up_dr = n->dr < r->runs[k].join_min_dr ? r->runs[k].join_min_dr : n->dr > r->runs[k].join_max_dr ? r->runs[k].join_max_dr : n->dr;
}

/* Octets that fit the data rate, of so many. */
static size_t fitting(const struct node *n, size_t have, size_t used)
{
	unsigned most = region_max_payload(n->plan->region, n->phy_version, true, n->dr, n->dwell_up);
	return most <= used ? 0 : have < most - used ? have : most - used;
}

/* Sticky answers, answers, then questions; whole commands only, up to 15 octets. */
static size_t f_opts(struct node *n, const struct node_say *say, uint8_t ret[FOPTS_MAX])
{
	size_t len = 0, room = fitting(n, FOPTS_MAX, 7);
	if (n->wants_rekey) {
		ret[len++] = n->is_otaa ? CMD_REKEY : CMD_RESET;
		ret[len++] = 1; /* LoRaWAN 1.1 */
	}
	if (n->wants_mode && len + 2 <= room) {
		ret[len++] = CMD_DEVICE_MODE;
		ret[len++] = NODE_CLASS_C;
	}
	const struct slice waiting[] = { { n->sticky, n->n_sticky }, { n->answers, n->n_answers } };
	for (size_t k = 0; k < 2; k++) {
		struct mac_cmd c;
		size_t pos = 0, from = 0;
		while (mac_walk(waiting[k], true, &pos, &c) == MAC_WALK_CMD && len + pos - from <= room) {
			memcpy(ret + len, waiting[k].p + from, pos - from);
			len += pos - from;
			from = pos;
			n->n_sent = k ? pos : n->n_sent;
		}
	}
	if (say->asks_link && len < room)
		ret[len++] = CMD_LINK_CHECK;
	if (say->asks_time && n->rules->version >= LW_1_0_3 && len < room)
		ret[len++] = CMD_DEVICE_TIME;
	return len;
}

/* Nothing was heard for long: more power, then a lower data rate, in the end every channel. */
static bool back_off(struct node *n)
{
	if (++n->ack_cnt < n->ack_limit)
		return false;
	if (n->ack_cnt >= n->ack_limit + n->ack_delay && (n->ack_cnt - n->ack_limit) % n->ack_delay == 0) {
		if (n->power) {
			n->power = 0;
		} else if (region_backoff_dr(n->plan->region, n->dr) >= lowest_rate(n)) {
			n->dr = (uint8_t)region_backoff_dr(n->plan->region, n->dr);
		} else {
			n->on = n->defined;
			n->nb_trans = 1;
		}
	}
	return true;
}

void node_sign(struct node *n)
{
	struct slice msg = { n->phy, n->n_phy - MIC_LEN };
	uint8_t *mic = n->phy + msg.n;
	struct frame_id id = { .dev_addr = n->s.dev_addr, .f_cnt = n->s.f_cnt_up - 1, .is_up = true };
	if (!n->s.is_v11) {
		mic_data(n->crypto, &n->s.keys.f_nwk_s_int, &id, msg, mic);
		return;
	}
	id.conf_f_cnt = n->is_ack ? n->acked_f_cnt : 0;
	id.tx_dr = n->up_dr;
	id.tx_ch = n->up_ch;
	mic_data_up_1_1(n->crypto, &n->s.keys.s_nwk_s_int, &n->s.keys.f_nwk_s_int, &id, msg, mic);
}

void node_speak(struct node *n, const struct node_say *say)
{
	uint8_t opts[FOPTS_MAX], frm[242];
	struct frame_id id = { .dev_addr = n->s.dev_addr, .f_cnt = n->s.f_cnt_up++, .is_up = true };
	n->is_join = n->is_heard = false;
	n->n_sent = 0;
	bool ack_req = back_off(n);
	size_t n_opts = f_opts(n, say, opts), n_frm = fitting(n, say->n, 8 + n_opts);
	n->is_ack = n->owes_ack;
	n->acked_f_cnt = n->owed_f_cnt;
	if (n_frm)
		memcpy(frm, say->frm, n_frm);
	cipher_frm(n->crypto, &n->s.keys.app_s, &id, frm, n_frm);
	if (n->s.is_v11)
		cipher_f_opts(n->crypto, &n->s.keys.nwk_s_enc, &id, false, opts, n_opts);
	struct frame f = { .mtype = say->confirmed ? MTYPE_CONFIRMED_UP : MTYPE_DATA_UP, .is_up = true,
		.data = { .dev_addr = n->s.dev_addr, .f_cnt16 = (uint16_t)id.f_cnt, .adr = true, .adr_ack_req = ack_req, .ack = n->is_ack,
			.has_port = n_frm > 0, .f_port = (uint8_t)(n_frm ? say->port : 0), .frm = { frm, n_frm },
			.f_opts = { opts, n_opts } } };
	struct writer w = writer_of(n->phy, sizeof(n->phy));
	frame_write(&f, &w);
	n->n_phy = w.len;
	n->owes_ack = false;
	n->sent_f_cnt = (uint16_t)id.f_cnt;
	/* Answers go once, but sticky ones. */
	memmove(n->answers, n->answers + n->n_sent, n->n_answers - n->n_sent);
	n->n_answers -= n->n_sent;
}

bool node_window(const struct node *n, unsigned window, uint32_t *ret_hz, const struct modu **ret_modu, unsigned *ret_delay_s)
{
	const struct region *r = n->plan->region;
	unsigned delay_s = n->is_join && window < 3 ? r->join_delay_s : n->rx1_delay_s;
	bool is_new = n->is_join && n->join_type == JOIN_REQ_TYPE && window < 3; /* a rejoin changes the delay alone */
	const struct region_join *join = is_new ? region_join(r, n->up_hz) : NULL;
	int dr;
	if (window == 1) {
		dr = region_rx1_dr(r, n->phy_version, n->up_dr, is_new ? 0 : n->rx1_offset, n->dwell_down);
		*ret_hz = join ? join->rx1_hz : !is_new && n->ch[n->up_ch].down_hz ? n->ch[n->up_ch].down_hz : region_rx1_hz(r, n->up_hz, n->up_ch);
	} else {
		dr = is_new ? r->rx2_dr : n->rx2_dr;
		*ret_hz = join ? join->rx2_hz : is_new ? r->rx2_hz : n->rx2_hz;
	}
	*ret_modu = dr < 0 ? NULL : region_modu(r, false, (unsigned)dr);
	*ret_delay_s = window == 1 ? delay_s : delay_s + 1;
	return *ret_modu != NULL && (window != 3 || n->class_c);
}

/* ---- hearing ---- */

/* The counter in full, if the frame is signed for this session. */
static bool verify(struct node *n, const struct frame *f, bool is_app, uint32_t *ret_f_cnt)
{
	uint8_t mic[MIC_LEN];
	uint64_t next = n->s.down_next[is_app];
	uint32_t full = (uint32_t)(next + (uint16_t)(f->data.f_cnt16 - next));
	struct frame_id id = { .dev_addr = n->s.dev_addr, .f_cnt = full, .conf_f_cnt = n->s.is_v11 && f->data.ack ? n->sent_f_cnt : 0 };
	*ret_f_cnt = full;
	return mic_data(n->crypto, &n->s.keys.s_nwk_s_int, &id, f->msg, mic) == 0 && mic_eq(mic, f->mic);
}

/* A group's frame: nothing but an application's payload. */
static bool hear_group(struct node *n, const struct frame *f)
{
	uint8_t mic[MIC_LEN];
	struct node_group *g = &n->group;
	struct frame_id id = { .dev_addr = g->dev_addr, .f_cnt = (uint32_t)(g->down_next + (uint16_t)(f->data.f_cnt16 - g->down_next)) };
	if (mic_data(n->crypto, &g->nwk, &id, f->msg, mic) != 0 || !mic_eq(mic, f->mic) || f->mtype != MTYPE_DATA_DOWN || !f->data.frm.n)
		return false;
	g->down_next = (uint64_t)id.f_cnt + 1;
	n->is_group = true;
	n->n_cmds = 0;
	n->n_frm = (uint8_t)f->data.frm.n;
	memcpy(n->frm, f->data.frm.p, n->n_frm);
	cipher_frm(n->crypto, &g->app, &id, n->frm, n->n_frm);
	return true;
}

static void take_data(struct node *n, const struct frame *f, uint32_t full)
{
	bool has_frm = f->data.has_port && f->data.f_port != PORT_MAC, is_app = n->s.is_v11 && has_frm;
	struct frame_id id = { .dev_addr = n->s.dev_addr, .f_cnt = full };
	n->is_heard = true;
	n->is_group = false;
	n->f_cnt_down = full;
	n->ack = f->data.ack;
	n->pending = f->data.f_pending;
	n->confirmed = f->mtype == MTYPE_CONFIRMED_DOWN;
	if (n->confirmed) {
		n->owes_ack = true;
		n->owed_f_cnt = f->data.f_cnt16;
	}
	n->port = f->data.f_port;
	n->n_frm = (uint8_t)f->data.frm.n;
	if (n->n_frm)
		memcpy(n->frm, f->data.frm.p, n->n_frm);
	cipher_frm(n->crypto, has_frm ? &n->s.keys.app_s : &n->s.keys.nwk_s_enc, &id, n->frm, n->n_frm);
	n->n_cmds = f->data.f_opts.n;
	if (n->n_cmds)
		memcpy(n->cmds, f->data.f_opts.p, n->n_cmds);
	if (n->s.is_v11)
		cipher_f_opts(n->crypto, &n->s.keys.nwk_s_enc, &id, is_app, n->cmds, n->n_cmds);
	if (f->data.has_port && !has_frm) {
		memcpy(n->cmds, n->frm, n->n_frm);
		n->n_cmds = n->n_frm;
		n->n_frm = 0;
	}
}

bool node_hear(struct node *n, struct slice phy)
{
	struct frame f;
	uint32_t full;
	if (phy.n && phy.p[0] >> 5 == MTYPE_JOIN_ACCEPT)
		return node_hear_join(n, phy);
	if (frame_parse(phy, &f) != 0 || (f.mtype != MTYPE_DATA_DOWN && f.mtype != MTYPE_CONFIRMED_DOWN))
		return false;
	if (n->group.dev_addr && f.data.dev_addr == n->group.dev_addr)
		return hear_group(n, &f);
	if (!n->s.is_there || f.data.dev_addr != n->s.dev_addr)
		return false;
	bool is_app = n->s.is_v11 && f.data.has_port && f.data.f_port != PORT_MAC;
	if (!verify(n, &f, is_app, &full))
		return false;
	n->s.down_next[is_app] = (uint64_t)full + 1;
	take_data(n, &f, full);
	n->ack_cnt = 0;
	n->n_sticky = 0;
	node_carry_out(n);
	return true;
}

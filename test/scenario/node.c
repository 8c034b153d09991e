/** @file A device: its session, its frames, and where it listens. */
#include "test/scenario/node.h"
#include "test/scenario/node_mac.h"
#include <string.h>

bool node_has_rate(const struct node *n, unsigned dr)
{
	const struct region *r = n->plan->region;
	const struct modu *m = dr <= r->adr_max_dr && dr >= r->adr_min_dr ? region_modu(r, true, dr) : NULL;
	return m && region_dr(r, n->phy_version, true, m) == (int)dr;
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
	for (size_t k = 0; n->is_join && k < r->n_runs; k++)
		if (i >= r->runs[k].first && i < (unsigned)r->runs[k].first + r->runs[k].n && r->runs[k].join_max_dr >= r->runs[k].join_min_dr)
			n->up_dr = n->dr < r->runs[k].join_min_dr ? r->runs[k].join_min_dr : n->dr > r->runs[k].join_max_dr ? r->runs[k].join_max_dr : n->dr;
}

void node_join(struct node *n, uint16_t dev_nonce)
{
	struct writer w = writer_of(n->phy, sizeof(n->phy));
	struct frame f = { .mtype = MTYPE_JOIN_REQUEST, .is_up = true, .join = { .join_eui = n->join_eui, .dev_eui = n->dev_eui, .dev_nonce = dev_nonce } };
	frame_write(&f, &w);
	n->n_phy = w.len;
	n->dev_nonce = dev_nonce;
	n->is_join = true;
	n->is_heard = false;
	const struct key *k = n->rules->is_v11 ? &n->nwk_key : &n->app_key;
	mic_join(n->crypto, k, (struct slice){ n->phy, n->n_phy - MIC_LEN }, n->phy + n->n_phy - MIC_LEN);
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
		} else if (n->dr > lowest_rate(n)) {
			n->dr--;
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
	unsigned delay_s = n->is_join ? r->join_delay_s : n->rx1_delay_s;
	int dr;
	if (window == 1) {
		dr = region_rx1_dr(r, n->phy_version, n->up_dr, n->is_join ? 0 : n->rx1_offset, n->dwell_down);
		*ret_hz = !n->is_join && n->ch[n->up_ch].down_hz ? n->ch[n->up_ch].down_hz : region_rx1_hz(r, n->up_hz, n->up_ch);
	} else {
		dr = n->is_join ? r->rx2_dr : n->rx2_dr;
		*ret_hz = n->is_join ? r->rx2_hz : n->rx2_hz;
	}
	*ret_modu = dr < 0 ? NULL : region_modu(r, false, (unsigned)dr);
	*ret_delay_s = window == 1 ? delay_s : delay_s + 1;
	return *ret_modu != NULL && (window != 3 || n->class_c);
}

/* ---- hearing ---- */

static void take_cf_list(struct node *n, const uint8_t list[CF_LIST_LEN])
{
	const struct region *r = n->plan->region;
	if (list[15] == 0 && !r->is_fixed) {
		unsigned at = 0;
		while (at < CHANNELS_MAX && channels_has(&n->defined, at))
			at++;
		for (unsigned i = 0; i < 5; i++, at++) {
			uint32_t hz = (uint32_t)(list[3 * i] | list[3 * i + 1] << 8 | list[3 * i + 2] << 16) * (r->min_hz > 2000000000 ? 200 : 100);
			if (!hz)
				continue;
			n->ch[at] = (struct node_channel){ hz, 0, r->adr_min_dr, r->adr_max_dr };
			channels_add(&n->defined, at);
			channels_add(&n->on, at);
		}
	} else if (list[15] == 1 && r->is_fixed) {
		for (unsigned b = 0; b < CHANNEL_BANKS; b++)
			n->on.bank[b] = n->defined.bank[b] & (uint16_t)(list[2 * b] | list[2 * b + 1] << 8);
	}
}

static bool hear_join(struct node *n, struct slice phy)
{
	struct join_accept a;
	struct key js_int, js_enc;
	const struct key *root = n->rules->is_v11 ? &n->nwk_key : &n->app_key;
	if (!n->is_join || keys_js(n->crypto, root, n->dev_eui, &js_int, &js_enc) != 0)
		return false;
	struct join_seal seal = { .enc = root, .mic = root, .req_type = JOIN_REQ_TYPE, .join_eui = n->join_eui, .dev_nonce = n->dev_nonce };
	bool is_v11 = false;
	if (join_accept_open(n->crypto, &seal, phy, &a) != 0 || a.dl_settings & DL_OPT_NEG) {
		seal.mic = &js_int;
		is_v11 = n->rules->is_v11;
		if (!is_v11 || join_accept_open(n->crypto, &seal, phy, &a) != 0 || !(a.dl_settings & DL_OPT_NEG))
			return false;
	}
	struct join_values v = { .join_nonce = a.join_nonce, .net_id = a.net_id, .join_eui = n->join_eui, .dev_nonce = n->dev_nonce };
	n->s = (struct node_session){ .is_there = true, .is_v11 = is_v11, .dev_addr = a.dev_addr };
	if (is_v11)
		keys_session_1_1(n->crypto, &n->nwk_key, &n->app_key, &v, &n->s.keys);
	else
		keys_session_1_0(n->crypto, root, &v, &n->s.keys);
	uint8_t dr = n->dr;
	node_reset(n);
	n->dr = dr;
	n->rx1_offset = a.dl_settings >> 4 & 7;
	n->rx2_dr = a.dl_settings & 15;
	n->rx1_delay_s = a.rx_delay & 15 ? a.rx_delay & 15 : 1;
	if (a.has_cf_list)
		take_cf_list(n, a.cf_list);
	return true;
}

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

bool node_hear(struct node *n, struct slice phy)
{
	struct frame f;
	uint32_t full;
	if (phy.n && phy.p[0] >> 5 == MTYPE_JOIN_ACCEPT)
		return hear_join(n, phy);
	if (!n->s.is_there || frame_parse(phy, &f) != 0 || (f.mtype != MTYPE_DATA_DOWN && f.mtype != MTYPE_CONFIRMED_DOWN) ||
		f.data.dev_addr != n->s.dev_addr)
		return false;
	bool has_frm = f.data.has_port && f.data.f_port != PORT_MAC, is_app = n->s.is_v11 && has_frm;
	if (!verify(n, &f, is_app, &full))
		return false;
	n->s.down_next[is_app] = (uint64_t)full + 1;
	struct frame_id id = { .dev_addr = n->s.dev_addr, .f_cnt = full };
	n->is_heard = true;
	n->f_cnt_down = full;
	n->ack = f.data.ack;
	n->pending = f.data.f_pending;
	n->confirmed = n->owes_ack = f.mtype == MTYPE_CONFIRMED_DOWN;
	n->owed_f_cnt = f.data.f_cnt16;
	n->port = f.data.f_port;
	n->n_frm = (uint8_t)f.data.frm.n;
	if (n->n_frm)
		memcpy(n->frm, f.data.frm.p, n->n_frm);
	cipher_frm(n->crypto, has_frm ? &n->s.keys.app_s : &n->s.keys.nwk_s_enc, &id, n->frm, n->n_frm);
	n->n_cmds = f.data.f_opts.n;
	if (n->n_cmds)
		memcpy(n->cmds, f.data.f_opts.p, n->n_cmds);
	if (n->s.is_v11)
		cipher_f_opts(n->crypto, &n->s.keys.nwk_s_enc, &id, is_app, n->cmds, n->n_cmds);
	if (f.data.has_port && !has_frm) {
		memcpy(n->cmds, n->frm, n->n_frm);
		n->n_cmds = n->n_frm;
		n->n_frm = 0;
	}
	n->ack_cnt = 0;
	n->n_sticky = 0;
	node_carry_out(n);
	return true;
}

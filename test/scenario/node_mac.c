/** @file What a device does with MAC commands. [LW1.0.4 5, LW1.1 5] */
#include "test/scenario/node_mac.h"
#include <string.h>

static struct writer answer_of(struct node *n, bool is_sticky)
{
	struct writer w = is_sticky ? writer_of(n->sticky, NODE_ANSWERS) : writer_of(n->answers, NODE_ANSWERS);
	w.len = is_sticky ? n->n_sticky : n->n_answers;
	return w;
}

static void answered(struct node *n, bool is_sticky, const struct writer *w)
{
	*(is_sticky ? &n->n_sticky : &n->n_answers) = w->len;
}

static void say(struct node *n, bool is_sticky, enum mac_cid cid, int octet)
{
	struct writer w = answer_of(n, is_sticky);
	if (octet < 0)
		mac_empty_put(&w, cid);
	else
		mac_octet_put(&w, cid, (uint8_t)octet);
	answered(n, is_sticky, &w);
}

static bool rate_is_served(const struct node *n, const struct channels *on, unsigned dr)
{
	for (unsigned i = 0; i < CHANNELS_MAX; i++)
		if (channels_has(on, i) && n->ch[i].up_hz && dr >= n->ch[i].min_dr && dr <= n->ch[i].max_dr)
			return region_modu(n->plan->region, true, dr) != NULL;
	return false;
}

/* One request or a block of them: masks one after the other, all else from the last. @return requests in it */
static unsigned link_adr(struct node *n, const struct mac_link_adr_req *rq, unsigned count)
{
	struct channels on = n->on;
	const struct mac_link_adr_req *last = &rq[count - 1];
	bool keep_dr = last->dr == DR_KEEP && n->rules->keep_15, keep_power = last->tx_power == POWER_KEEP && n->rules->keep_15;
	struct mac_link_adr_ans ans = { .mask_ok = true };
	for (unsigned i = 0; i < count; i++)
		ans.mask_ok &= chmask_apply(n->plan->region, n->phy_version, &n->defined, (struct chmask){ rq[i].ch_mask, rq[i].ch_mask_cntl }, &on);
	uint8_t dr = keep_dr ? n->dr : last->dr, power = keep_power ? n->power : last->tx_power;
	ans.mask_ok &= channels_count(&on) > 0;
	ans.dr_ok = rate_is_served(n, &on, dr) && (keep_dr || node_has_rate(n, dr));
	ans.power_ok = power <= n->power_cap && power <= region_max_power_index(n->plan->region, n->phy_version);
	if (ans.mask_ok && ans.dr_ok && ans.power_ok) {
		n->on = on;
		n->dr = dr;
		n->power = power;
		n->nb_trans = last->nb_trans ? last->nb_trans : 1;
	}
	struct writer w = answer_of(n, false);
	for (unsigned i = 0; i < (n->rules->single_adr_ans ? 1 : count); i++)
		mac_link_adr_ans_put(&w, &ans);
	answered(n, false, &w);
	return count;
}

static void rx_param_setup(struct node *n, struct slice arg)
{
	struct mac_rx_param_setup_req rq = mac_rx_param_setup_req_get(arg);
	const struct region *r = n->plan->region;
	struct mac_rx_param_setup_ans ans = { .rx1_offset_ok = rq.rx1_dr_offset <= r->rx1_offset_max,
		.rx2_dr_ok = region_modu(r, false, rq.rx2_dr) != NULL, .channel_ok = region_freq_ok(r, rq.rx2_hz) };
	if (ans.rx1_offset_ok && ans.rx2_dr_ok && ans.channel_ok) {
		n->rx1_offset = rq.rx1_dr_offset;
		n->rx2_dr = rq.rx2_dr;
		n->rx2_hz = rq.rx2_hz;
	}
	struct writer w = answer_of(n, true);
	mac_rx_param_setup_ans_put(&w, &ans);
	answered(n, true, &w);
}

static void new_channel(struct node *n, struct slice arg)
{
	struct mac_new_channel_req rq = mac_new_channel_req_get(arg);
	const struct region *r = n->plan->region;
	if (r->is_fixed)
		return; /* not in such regions: silently dropped */
	bool is_default = rq.index < r->runs[0].n, is_off = rq.freq_hz == 0;
	struct mac_new_channel_ans ans = { .freq_ok = !is_default && rq.index < 16 && (is_off || region_freq_ok(r, rq.freq_hz)),
		.dr_ok = is_off || (rq.min_dr <= rq.max_dr && region_modu(r, true, rq.min_dr) && region_modu(r, true, rq.max_dr)) };
	if (ans.freq_ok && ans.dr_ok) {
		uint16_t bit = (uint16_t)(1U << rq.index);
		n->ch[rq.index] = (struct node_channel){ rq.freq_hz, 0, rq.min_dr, rq.max_dr };
		n->defined.bank[0] = (uint16_t)(is_off ? n->defined.bank[0] & ~bit : n->defined.bank[0] | bit);
		n->on.bank[0] = (uint16_t)(is_off ? n->on.bank[0] & ~bit : n->on.bank[0] | bit);
	}
	struct writer w = answer_of(n, false);
	mac_new_channel_ans_put(&w, &ans);
	answered(n, false, &w);
}

static void dl_channel(struct node *n, struct slice arg)
{
	struct mac_dl_channel_req rq = mac_dl_channel_req_get(arg);
	struct mac_dl_channel_ans ans = { .up_freq_exists = channels_has(&n->defined, rq.index), .freq_ok = region_freq_ok(n->plan->region, rq.freq_hz) };
	if (ans.up_freq_exists && ans.freq_ok)
		n->ch[rq.index].down_hz = rq.freq_hz;
	struct writer w = answer_of(n, true);
	mac_dl_channel_ans_put(&w, &ans);
	answered(n, true, &w);
}

static void tx_param_setup(struct node *n, struct slice arg)
{
	if (!n->plan->region->has_tx_param_setup)
		return;
	n->dwell_down = arg.p[0] & 0x20;
	n->dwell_up = arg.p[0] & 0x10;
	say(n, true, CMD_TX_PARAM_SETUP, -1);
}

static void carry_out_1_1(struct node *n, uint8_t cid, struct slice arg)
{
	switch (cid) {
	case CMD_REKEY:
	case CMD_RESET: n->wants_rekey = false; break;
	case CMD_DEVICE_MODE: n->wants_mode = false; break;
	case CMD_FORCE_REJOIN: n->must_rejoin = arg.p[0] >> 4 & 7; break; /* octets come lowest first */
	case CMD_ADR_PARAM_SETUP:
		n->ack_limit = 1U << (arg.p[0] >> 4);
		n->ack_delay = 1U << (arg.p[0] & 15);
		say(n, false, CMD_ADR_PARAM_SETUP, -1);
		break;
	case CMD_REJOIN_PARAM_SETUP: say(n, false, CMD_REJOIN_PARAM_SETUP, 1); break;
	default: break;
	}
}

static void carry_out(struct node *n, uint8_t cid, struct slice arg)
{
	switch (cid) {
	case CMD_LINK_CHECK: n->has_link_check = true; break;
	case CMD_DEVICE_TIME: n->has_time = true; break;
	case CMD_DUTY_CYCLE: say(n, false, CMD_DUTY_CYCLE, -1); break;
	case CMD_RX_PARAM_SETUP: rx_param_setup(n, arg); break;
	case CMD_NEW_CHANNEL: new_channel(n, arg); break;
	case CMD_DL_CHANNEL: dl_channel(n, arg); break;
	case CMD_TX_PARAM_SETUP: tx_param_setup(n, arg); break;
	case CMD_RX_TIMING_SETUP:
		n->rx1_delay_s = arg.p[0] & 15 ? arg.p[0] & 15 : 1;
		say(n, true, CMD_RX_TIMING_SETUP, -1);
		break;
	case CMD_DEV_STATUS: {
		struct writer w = answer_of(n, false);
		mac_dev_status_ans_put(&w, &(struct mac_dev_status_ans){ .battery = 200, .margin_db = 7 });
		answered(n, false, &w);
		break;
	}
	default: carry_out_1_1(n, cid, arg);
	}
}

void node_carry_out(struct node *n)
{
	struct slice all = { n->cmds, n->n_cmds };
	struct mac_link_adr_req rq[8];
	struct mac_cmd c;
	unsigned count = 0;
	size_t pos = 0;
	n->has_link_check = n->has_time = false;
	while (mac_walk(all, false, &pos, &c) == MAC_WALK_CMD) {
		if (c.info->since > n->rules->version)
			break; /* a command that this version does not know: the rest cannot be read */
		if (c.info->cid == CMD_LINK_ADR && count < 8)
			rq[count++] = mac_link_adr_req_get(c.arg);
		bool goes_on = c.info->cid == CMD_LINK_ADR && n->rules->adr_block && pos < all.n && all.p[pos] == CMD_LINK_ADR;
		if (count && !goes_on) {
			link_adr(n, rq, count);
			count = 0;
		}
		if (c.info->cid != CMD_LINK_ADR)
			carry_out(n, c.info->cid, c.arg);
	}
}

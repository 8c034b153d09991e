/** @file How a device comes to a session, and signs with its keys. [LW1.0.4 6.2, LW1.1 4.4, 6.2] */
#include "test/sim/device.h"
#include "test/sim/report.h"
#include <string.h>

void device_join_build(struct device *d, struct sim *s, uint8_t type)
{
	const struct mac_rules *rules = mac_rules(s->opt.version);
	struct writer w = writer_of(d->phy, sizeof d->phy);
	struct key js_int, js_enc;
	const struct key *k = &d->app_key;
	if (type == JOIN_REQ_TYPE) {
		d->dev_nonce = rules->nonce_rises ? (uint16_t)(d->dev_nonce + 1) : (uint16_t)rng_u64(&s->rng);
		d->join_nonce = d->dev_nonce;
	} else {
		d->join_nonce = type == 1 ? d->rj_count1++ : d->rj_count0++;
	}
	struct frame f = { .mtype = type == JOIN_REQ_TYPE ? MTYPE_JOIN_REQUEST : MTYPE_REJOIN,
		.join = { .join_eui = d->join_eui, .dev_eui = d->dev_eui, .dev_nonce = d->join_nonce, .net_id = d->net_id, .rejoin_type = type & 3 } };
	frame_write(&f, &w);
	d->phy_len = w.len;
	d->join_type = type;
	keys_js(s->crypto, &d->nwk_key, d->dev_eui, &js_int, &js_enc);
	if (rules->is_v11)
		k = type == JOIN_REQ_TYPE ? &d->nwk_key : type == 1 ? &js_int : &d->keys.s_nwk_s_int;
	mic_join(s->crypto, k, (struct slice){ d->phy, w.len - MIC_LEN }, d->phy + w.len - MIC_LEN);
}

void device_sign(struct device *d, struct sim *s)
{
	struct slice msg = { d->phy, d->phy_len - MIC_LEN };
	struct frame_id id = { .dev_addr = d->dev_addr, .f_cnt = d->f_cnt_up, .is_up = true };
	uint8_t *mic = d->phy + msg.n;
	if (!d->is_v11) {
		mic_data(s->crypto, &d->keys.f_nwk_s_int, &id, msg, mic);
		return;
	}
	id.conf_f_cnt = d->has_ack ? d->conf_down : 0;
	id.tx_dr = d->up_dr;
	id.tx_ch = d->channel;
	mic_data_up_1_1(s->crypto, &d->keys.s_nwk_s_int, &d->keys.f_nwk_s_int, &id, msg, mic);
}

/** Open it with the keys that answer this request; a server of 1.0 answers a join-request of 1.1 as one of 1.0. @return 0; -errno */
static int accept_open(const struct device *d, struct sim *s, struct join_accept *ret, bool *ret_is_v11)
{
	struct slice phy = { d->rx_phy, d->rx_len };
	struct key js_int, js_enc;
	const struct key *root = mac_rules(s->opt.version)->is_v11 ? &d->nwk_key : &d->app_key;
	struct join_seal seal = { .enc = root, .mic = root, .req_type = d->join_type, .join_eui = d->join_eui, .dev_nonce = d->join_nonce };
	*ret_is_v11 = false;
	if (d->join_type == JOIN_REQ_TYPE && join_accept_open(s->crypto, &seal, phy, ret) == 0 && !(ret->dl_settings & DL_OPT_NEG))
		return 0;
	if (!mac_rules(s->opt.version)->is_v11 || keys_js(s->crypto, &d->nwk_key, d->dev_eui, &js_int, &js_enc))
		return -EBADMSG;
	seal.mic = &js_int;
	seal.enc = d->join_type == JOIN_REQ_TYPE ? root : &js_enc;
	*ret_is_v11 = true;
	return join_accept_open(s->crypto, &seal, phy, ret) == 0 && ret->dl_settings & DL_OPT_NEG ? 0 : -EBADMSG;
}

static void accept_report(const struct device *d, const struct sim *s, const struct join_accept *a)
{
	struct report r;
	report_begin(&r, s, "join-accept");
	report_num(&r, "device", (int64_t)d->index);
	report_eui(&r, "dev_eui", d->dev_eui);
	report_addr(&r, "dev_addr", d->dev_addr);
	report_num(&r, "window", d->window);
	report_num(&r, "join_nonce", a->join_nonce);
	report_num(&r, "net_id", a->net_id);
	report_num(&r, "rx1_delay", d->rx1_delay_s);
	report_num(&r, "rx1_dr_offset", d->rx1_dr_offset);
	report_num(&r, "rx2_dr", d->rx2_dr);
	report_flag(&r, "cf_list", a->has_cf_list);
	if (d->is_v11)
		report_flag(&r, "v11", true);
	report_end(&r);
}

/** What it says of the radio; after a rejoin-request of type 2 it says nothing of it. */
static void radio_take(struct device *d, struct sim *s, const struct join_accept *a)
{
	uint32_t rx2_hz = d->join_type == JOIN_REQ_TYPE ? device_join_rx2_hz(d, s) : d->rx2_hz;
	device_reset_mac(d, s);
	d->rx2_hz = rx2_hz;
	d->rx1_delay_s = a->rx_delay & 15 ? a->rx_delay & 15 : 1;
	d->rx1_dr_offset = a->dl_settings >> 4 & 7;
	d->rx2_dr = a->dl_settings & 15;
	if (a->has_cf_list)
		device_cf_list(d, s, a->cf_list);
}

bool device_accept(struct device *d, struct sim *s)
{
	struct join_accept a;
	bool is_v11;
	if (accept_open(d, s, &a, &is_v11)) {
		device_refuse(d, s, "mic");
		return false;
	}
	struct join_values v = { .join_nonce = a.join_nonce, .net_id = a.net_id, .join_eui = d->join_eui, .dev_nonce = d->join_nonce };
	if (is_v11)
		keys_session_1_1(s->crypto, &d->nwk_key, &d->app_key, &v, &d->keys);
	else
		keys_session_1_0(s->crypto, mac_rules(s->opt.version)->is_v11 ? &d->nwk_key : &d->app_key, &v, &d->keys);
	if (d->join_type != 2)
		radio_take(d, s, &a);
	d->is_v11 = is_v11;
	d->wants_rekey = is_v11;
	d->wants_mode = is_v11 && d->class_c;
	d->is_joined = true;
	d->joins = 0;
	d->dev_addr = a.dev_addr;
	d->net_id = a.net_id;
	d->f_cnt_up = d->rj_count0 = 0;
	d->next_down[0] = d->next_down[1] = 0;
	d->ack_due = false;
	d->answers.n = d->sticky.n = d->answers_sent = 0;
	d->next_uplink_us = sim_now(s) + rng_below(&s->rng, s->opt.interval_us);
	s->totals.joins++;
	accept_report(d, s, &a);
	return true;
}

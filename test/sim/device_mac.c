/** @file The MAC commands of a device. */
#include "test/sim/device.h"
#include "test/sim/report.h"
#include <string.h>

enum { CF_LIST_CHANNELS = 5, CF_LIST_TYPE_MASKS = 1, DEVICE_MARGIN_DB = 9, VERSION_1_1 = 1, CLASS_C = 2, DOWN_DWELL = 0x20 };

static void answer_append(struct answers *a, const struct writer *w)
{
	if (a->n + w->len > sizeof a->b)
		return;
	memcpy(a->b + a->n, w->p, w->len);
	a->n += w->len;
}

static bool channel_set(struct channel *c, const struct sim *s, uint32_t hz, uint8_t min_dr, uint8_t max_dr)
{
	if (hz && !region_freq_ok(s->plan->region, hz))
		return false;
	*c = (struct channel){
		.up_hz = hz, .down_hz = hz, .min_dr = min_dr, .max_dr = max_dr, .is_on = hz != 0
	};
	return true;
}

/** Index of the first channel that the network defines. */
static unsigned first_extra(const struct region *r)
{
	return r->runs[r->n_runs - 1].first + r->runs[r->n_runs - 1].n;
}

void device_cf_list(struct device *d, const struct sim *s, const uint8_t list[CF_LIST_LEN])
{
	const struct region *r = s->plan->region;
	struct reader in = reader_of(list, CF_LIST_LEN);
	unsigned first = first_extra(r);
	if (list[CF_LIST_LEN - 1] == CF_LIST_TYPE_MASKS) {
		struct channels set;
		for (unsigned i = 0; i < CHANNEL_BANKS; i++)
			set.bank[i] = reader_le16(&in);
		for (unsigned i = 0; i < DEVICE_CHANNELS; i++)
			d->channels[i].is_on = channels_has(&set, i);
		return;
	}
	for (unsigned i = 0; i < CF_LIST_CHANNELS; i++) {
		uint32_t hz = reader_le24(&in) * region_freq_step_hz(r);
		if (hz)
			channel_set(&d->channels[first + i], s, hz, r->adr_min_dr, r->adr_max_dr);
	}
}

static void channels_of(const struct device *d, struct channels *ret_defined, struct channels *ret_on)
{
	*ret_defined = *ret_on = (struct channels){ { 0 } };
	for (unsigned i = 0; i < DEVICE_CHANNELS; i++) {
		if (d->channels[i].up_hz)
			channels_add(ret_defined, i);
		if (d->channels[i].is_on)
			channels_add(ret_on, i);
	}
}

/** Gather a block of LinkADRReq; the last one's data rate, power and repetitions count, the masks add up. */
struct adr_block {
	unsigned n;
	struct mac_link_adr_req last;
	struct channels on;
	bool mask_ok;
};

static void adr_gather(struct adr_block *b, const struct device *d, const struct sim *s, struct slice arg)
{
	struct channels defined, on;
	enum phy_version phy = mac_rules(s->opt.version)->usual_phy;
	b->last = mac_link_adr_req_get(arg);
	channels_of(d, &defined, &on);
	if (b->n++ == 0) {
		b->mask_ok = true;
		b->on = on;
	}
	struct chmask m = { b->last.ch_mask, b->last.ch_mask_cntl };
	b->mask_ok = chmask_apply(s->plan->region, phy, &defined, m, &b->on) && b->mask_ok;
}

static struct mac_link_adr_ans adr_check(
	const struct adr_block *b, const struct device *d, const struct sim *s, uint8_t dr, uint8_t power)
{
	bool any = false, dr_fits = false;
	for (unsigned i = 0; i < DEVICE_CHANNELS; i++) {
		bool is_on = channels_has(&b->on, i);
		any |= is_on;
		dr_fits |= is_on && dr >= d->channels[i].min_dr && dr <= d->channels[i].max_dr;
	}
	return (struct mac_link_adr_ans){ .mask_ok = b->mask_ok && any,
		.dr_ok = b->mask_ok && dr_fits,
		.power_ok = power <=
			    region_max_power_index(s->plan->region, mac_rules(s->opt.version)->usual_phy) };
}

static void adr_apply(struct adr_block *b, struct device *d, const struct sim *s)
{
	bool keeps = mac_rules(s->opt.version)->keep_15;
	uint8_t dr = keeps && b->last.dr == DR_KEEP ? d->dr : b->last.dr;
	uint8_t power = keeps && b->last.tx_power == POWER_KEEP ? d->tx_power : b->last.tx_power;
	struct mac_link_adr_ans ans = adr_check(b, d, s, dr, power);
	if (b->n && ans.mask_ok && ans.dr_ok && ans.power_ok) {
		d->dr = dr;
		d->tx_power = power;
		d->nb_trans = b->last.nb_trans ? b->last.nb_trans : 1;
		for (unsigned i = 0; i < DEVICE_CHANNELS; i++)
			d->channels[i].is_on = channels_has(&b->on, i);
	}
	for (; b->n; b->n--) {
		uint8_t buf[4];
		struct writer w = writer_of(buf, sizeof buf);
		mac_link_adr_ans_put(&w, &ans);
		answer_append(&d->answers, &w);
	}
}

static void rx_param_setup(struct device *d, const struct sim *s, struct slice arg)
{
	const struct region *r = s->plan->region;
	struct mac_rx_param_setup_req q = mac_rx_param_setup_req_get(arg);
	struct mac_rx_param_setup_ans a = { .rx1_offset_ok = q.rx1_dr_offset <= r->rx1_offset_max,
		.rx2_dr_ok = region_modu(r, false, q.rx2_dr) != NULL,
		.channel_ok = region_freq_ok(r, q.rx2_hz) };
	if (a.rx1_offset_ok && a.rx2_dr_ok && a.channel_ok) {
		d->rx1_dr_offset = q.rx1_dr_offset;
		d->rx2_dr = q.rx2_dr;
		d->rx2_hz = q.rx2_hz;
	}
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof buf);
	mac_rx_param_setup_ans_put(&w, &a);
	answer_append(&d->sticky, &w);
}

static void new_channel(struct device *d, const struct sim *s, struct slice arg)
{
	struct mac_new_channel_req q = mac_new_channel_req_get(arg);
	const struct region *r = s->plan->region;
	bool is_default = r->is_fixed || q.index < first_extra(r);
	struct mac_new_channel_ans a = {
		.dr_ok = q.min_dr <= q.max_dr && region_modu(r, true, q.max_dr) != NULL && !is_default,
		.freq_ok = q.index < r->max_channels && !is_default &&
			   (!q.freq_hz || region_freq_ok(r, q.freq_hz)),
	};
	if (a.dr_ok && a.freq_ok)
		channel_set(&d->channels[q.index], s, q.freq_hz, q.min_dr, q.max_dr);
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof buf);
	mac_new_channel_ans_put(&w, &a);
	answer_append(&d->answers, &w);
}

static void dl_channel(struct device *d, const struct sim *s, struct slice arg)
{
	struct mac_dl_channel_req q = mac_dl_channel_req_get(arg);
	struct mac_dl_channel_ans a = { .up_freq_exists =
						q.index < DEVICE_CHANNELS && d->channels[q.index].up_hz,
		.freq_ok = region_freq_ok(s->plan->region, q.freq_hz) };
	if (a.up_freq_exists && a.freq_ok)
		d->channels[q.index].down_hz = q.freq_hz;
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof buf);
	mac_dl_channel_ans_put(&w, &a);
	answer_append(&d->sticky, &w);
}

/** Elsewhere than in regions that have it the command is not known, and not answered. */
static void tx_param_setup(struct device *d, const struct sim *s, struct slice arg)
{
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof buf);
	if (!region_has_tx_param_setup(s->plan->region, mac_rules(s->opt.version)->usual_phy))
		return;
	d->down_dwell = arg.p[0] & DOWN_DWELL;
	mac_empty_put(&w, CMD_TX_PARAM_SETUP);
	answer_append(&d->sticky, &w);
}

static void answers_report(const struct device *d, const struct sim *s, const struct mac_cmd *c)
{
	struct report r;
	report_begin(&r, s, "mac");
	report_num(&r, "device", (int64_t)d->index);
	report_word(&r, "name", c->info->down_name);
	if (c->info->cid == CMD_LINK_CHECK) {
		struct mac_link_check_ans a = mac_link_check_ans_get(c->arg);
		report_num(&r, "margin", a.margin_db);
		report_num(&r, "gateways", a.gw_cnt);
	} else if (c->info->cid == CMD_DEVICE_TIME) {
		struct mac_device_time_ans a = mac_device_time_ans_get(c->arg);
		report_num(&r, "gps_s", a.gps_s);
		report_num(&r, "fraction", a.fraction);
	} else if (c->arg.n) {
		report_hex(&r, "payload", c->arg.p, c->arg.n);
	}
	report_end(&r);
}

static void command_do(struct device *d, struct sim *s, const struct mac_cmd *c)
{
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof buf);
	switch (c->info->cid) {
	case CMD_RX_PARAM_SETUP: rx_param_setup(d, s, c->arg); break;
	case CMD_NEW_CHANNEL: new_channel(d, s, c->arg); break;
	case CMD_DL_CHANNEL: dl_channel(d, s, c->arg); break;
	case CMD_TX_PARAM_SETUP: tx_param_setup(d, s, c->arg); break;
	case CMD_DEV_STATUS:
		mac_dev_status_ans_put(&w,
			&(struct mac_dev_status_ans){ .battery = d->battery, .margin_db = DEVICE_MARGIN_DB });
		answer_append(&d->answers, &w);
		break;
	case CMD_DUTY_CYCLE:
		mac_empty_put(&w, CMD_DUTY_CYCLE);
		answer_append(&d->answers, &w);
		break;
	case CMD_REKEY:
	case CMD_RESET: d->wants_rekey = false; break;
	case CMD_DEVICE_MODE: d->wants_mode = false; break;
	case CMD_ADR_PARAM_SETUP:
		d->adr_ack_limit = 1U << (c->arg.p[0] >> 4);
		d->adr_ack_delay = 1U << (c->arg.p[0] & 15);
		mac_empty_put(&w, CMD_ADR_PARAM_SETUP);
		answer_append(&d->answers, &w);
		break;
	case CMD_REJOIN_PARAM_SETUP: /* it keeps no time, and does not rejoin by itself */
		mac_octet_put(&w, CMD_REJOIN_PARAM_SETUP, 0);
		answer_append(&d->answers, &w);
		break;
	case CMD_FORCE_REJOIN: d->wants_rejoin = c->arg.p[0] >> 4 & 7; break;
	case CMD_RX_TIMING_SETUP:
		d->rx1_delay_s = mac_rx_timing_setup_req_get(c->arg);
		mac_empty_put(&w, CMD_RX_TIMING_SETUP);
		answer_append(&d->sticky, &w);
		break;
	default: break;
	}
}

void device_mac(struct device *d, struct sim *s, struct slice commands)
{
	size_t pos = 0;
	struct mac_cmd c;
	struct adr_block block = { 0 };
	while (mac_walk(commands, false, &pos, &c) == MAC_WALK_CMD) {
		answers_report(d, s, &c);
		if (c.info->cid == CMD_LINK_ADR) {
			adr_gather(&block, d, s, c.arg);
			if (mac_rules(s->opt.version)->adr_block)
				continue;
		}
		adr_apply(&block, d, s);
		if (c.info->cid != CMD_LINK_ADR)
			command_do(d, s, &c);
	}
	adr_apply(&block, d, s);
}

/** Copy whole commands while they fit. @return octets of `from` taken */
static size_t commands_copy(struct writer *w, const struct answers *from)
{
	struct slice s = { from->b, from->n };
	size_t pos = 0, taken = 0;
	struct mac_cmd c;
	while (mac_walk(s, true, &pos, &c) == MAC_WALK_CMD && w->len + pos - taken <= w->cap) {
		writer_put(w, from->b + taken, pos - taken);
		taken = pos;
	}
	return taken;
}

size_t device_f_opts(struct device *d, const struct wish *w, uint8_t ret[FOPTS_MAX])
{
	struct writer out = writer_of(ret, FOPTS_MAX);
	if (d->wants_rekey)
		mac_octet_put(&out, d->otaa ? CMD_REKEY : CMD_RESET, VERSION_1_1);
	if (d->wants_mode)
		mac_octet_put(&out, CMD_DEVICE_MODE, CLASS_C);
	commands_copy(&out, &d->sticky);
	d->answers_sent = commands_copy(&out, &d->answers);
	if (w->link_check && out.len < out.cap)
		mac_empty_put(&out, CMD_LINK_CHECK);
	if (w->device_time && out.len < out.cap)
		mac_empty_put(&out, CMD_DEVICE_TIME);
	return out.len;
}

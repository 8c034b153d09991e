/** @file What a device hears, and what it believes of it. */
#include "proto/lorawan/airtime.h"
#include "proto/lorawan/fcnt.h"
#include "test/sim/device.h"
#include "test/sim/report.h"
#include <string.h>

enum { TOLERANCE_US = 20 };

static bool is_at(uint64_t when_us, uint64_t window_us)
{
	return when_us + TOLERANCE_US >= window_us && when_us <= window_us + TOLERANCE_US;
}

static bool is_tuned(const struct sim *s, const struct emission *e, uint32_t hz, int dr)
{
	const struct modu *m = dr < 0 ? NULL : region_modu(s->plan->region, false, (unsigned)dr);
	return m && e->freq_hz == hz && modu_eq(m, &e->modu);
}

/** A rejoin-request is answered where data would be, but later. */
static bool is_new_join(const struct device *d)
{
	return d->is_join && d->join_type == JOIN_REQ_TYPE;
}

static bool fits_rx1(const struct device *d, const struct sim *s, const struct emission *e)
{
	enum phy_version phy = mac_rules(s->opt.version)->usual_phy;
	const struct channel *c = &d->channels[d->channel];
	const struct region *r = s->plan->region;
	bool is_new = is_new_join(d);
	const struct region_join *join = is_new ? region_join(r, c->up_hz) : NULL;
	int dr = region_rx1_dr(r, phy, d->up_dr, is_new ? 0 : d->rx1_dr_offset, d->down_dwell);
	uint32_t hz = is_new ? region_rx1_hz(r, c->up_hz, d->channel) : c->down_hz;
	return is_tuned(s, e, join ? join->rx1_hz : hz, dr);
}

uint32_t device_join_rx2_hz(const struct device *d, const struct sim *s)
{
	const struct region_join *join = region_join(s->plan->region, d->channels[d->channel].up_hz);
	return join ? join->rx2_hz : s->plan->region->rx2_hz;
}

static bool fits_rx2(const struct device *d, const struct sim *s, const struct emission *e)
{
	const struct region *r = s->plan->region;
	return is_new_join(d) ? is_tuned(s, e, device_join_rx2_hz(d, s), r->rx2_dr) : is_tuned(s, e, d->rx2_hz, d->rx2_dr);
}

/** The window that an emission falls into: 1, 2, 3 for class C; 0: none. */
static uint8_t window_of(const struct device *d, const struct sim *s, const struct emission *e)
{
	if (d->phase == PHASE_LISTENING && is_at(e->start_us, d->rx1_us))
		return fits_rx1(d, s, e) ? 1 : 0;
	if (d->phase == PHASE_LISTENING && is_at(e->start_us, d->rx2_us))
		return fits_rx2(d, s, e) ? 2 : 0;
	bool is_free = d->phase == PHASE_LISTENING || d->phase == PHASE_IDLE || d->phase == PHASE_PAUSE;
	return d->class_c && d->is_joined && is_free && is_tuned(s, e, d->rx2_hz, d->rx2_dr) ? 3 : 0;
}

bool device_listens(const struct device *d, const struct sim *s, const struct emission *e)
{
	return e->is_inverted && !d->is_deaf && window_of(d, s, e) != 0;
}

void device_receive(struct device *d, struct sim *s, const struct emission *e)
{
	d->window = window_of(d, s, e);
	d->phase_before = d->phase;
	d->due_before_us = d->event.node.due_us;
	d->rx_hz = e->freq_hz;
	d->rx_len = e->phy_len;
	memcpy(d->rx_phy, e->phy, e->phy_len);
	d->phase = PHASE_RECEIVING;
	sim_at(s, &d->event, e->end_us);
}

void device_refuse(const struct device *d, const struct sim *s, const char *why)
{
	struct report r;
	report_begin(&r, s, "downlink-refused");
	report_num(&r, "device", (int64_t)d->index);
	report_num(&r, "window", d->window);
	report_word(&r, "why", why);
	report_end(&r);
}

static void data_report(
	const struct device *d, const struct sim *s, const struct frame *f, uint32_t f_cnt, struct slice frm)
{
	struct report r;
	report_begin(&r, s, "downlink");
	report_num(&r, "device", (int64_t)d->index);
	report_addr(&r, "dev_addr", f->data.dev_addr);
	report_num(&r, "window", d->window);
	report_num(&r, "f_cnt", f_cnt);
	if (f->data.has_port) {
		report_num(&r, "f_port", f->data.f_port);
		report_hex(&r, "payload", frm.p, frm.n);
	}
	report_flag(&r, "confirmed", mtype_is_confirmed(f->mtype));
	report_flag(&r, "ack", f->data.ack);
	report_flag(&r, "f_pending", f->data.f_pending);
	if (f->data.f_opts.n)
		report_hex(&r, "f_opts", f->data.f_opts.p, f->data.f_opts.n);
	report_num(&r, "freq", d->rx_hz);
	if (s->opt.verbose)
		report_hex(&r, "phy", d->rx_phy, d->rx_len);
	report_end(&r);
}

/** What a class A downlink of one's own changes, before its commands are looked at. */
static void unicast_take(struct device *d, struct sim *s, const struct frame *f, struct slice frm)
{
	d->adr_ack_cnt = 0;
	if (d->window != 3) {
		d->is_heard = true;
		d->sticky.n = 0;
		if (f->data.ack && d->is_confirmed)
			d->is_acked = true;
	}
	if (mtype_is_confirmed(f->mtype)) {
		d->ack_due = true;
		d->conf_down = f->data.f_cnt16;
	}
	device_mac(d, s, f->data.has_port && f->data.f_port == PORT_MAC ? frm : f->data.f_opts);
	d->is_urgent = d->ack_due || f->data.f_pending || d->answers.n > d->answers_sent || d->sticky.n;
}

/** Whose keys and counter a downlink has. */
struct context {
	const struct key *mic, *mac, *app;
	uint64_t *next;
	uint16_t conf_f_cnt; /**< 1.1, with ACK */
	bool is_v11, is_app; /**< is_app: AFCntDown counts it */
};

static struct context context_of(struct device *d, const struct frame *f, bool is_group)
{
	if (is_group)
		return (struct context){ &d->group.nwk_s_key, &d->group.nwk_s_key, &d->group.app_s_key, &d->group.next, 0, false, false };
	bool is_app = d->is_v11 && f->data.has_port && f->data.f_port != PORT_MAC;
	return (struct context){ &d->keys.s_nwk_s_int, &d->keys.nwk_s_enc, &d->keys.app_s, &d->next_down[is_app],
		d->is_v11 && f->data.ack ? d->conf_up : 0, d->is_v11, is_app };
}

/** Is the frame what it says, and new? */
static bool data_is_good(const struct device *d, const struct sim *s, const struct context *c, const struct frame *f)
{
	uint64_t f_cnt = fcnt_restore(*c->next, f->data.f_cnt16);
	struct frame_id id = { .dev_addr = f->data.dev_addr, .f_cnt = (uint32_t)f_cnt, .conf_f_cnt = c->conf_f_cnt };
	uint8_t mic[MIC_LEN];
	if (mic_data(s->crypto, c->mic, &id, f->msg, mic) || !mic_eq(mic, f->mic)) {
		device_refuse(d, s, "mic");
		return false;
	}
	if (f_cnt < *c->next || (mac_rules(s->opt.version)->has_max_gap && fcnt_gap_too_big(*c->next, f_cnt))) {
		device_refuse(d, s, "f_cnt");
		return false;
	}
	return true;
}

static bool data_take(struct device *d, struct sim *s, struct frame *f)
{
	bool is_group = d->group.addr && f->data.dev_addr == d->group.addr;
	if (!is_group && (!d->is_joined || f->data.dev_addr != d->dev_addr))
		return false;
	struct context c = context_of(d, f, is_group);
	if (!data_is_good(d, s, &c, f))
		return false;
	struct frame_id id = { .dev_addr = f->data.dev_addr,
		.f_cnt = (uint32_t)fcnt_restore(*c.next, f->data.f_cnt16) };
	uint8_t buf[PHY_MAX], opts[FOPTS_MAX];
	struct slice frm = { buf, f->data.frm.n };
	*c.next = (uint64_t)id.f_cnt + 1;
	if (frm.n) {
		memcpy(buf, f->data.frm.p, frm.n);
		cipher_frm(s->crypto, f->data.f_port == PORT_MAC ? c.mac : c.app, &id, buf, frm.n);
	}
	if (c.is_v11 && f->data.f_opts.n) {
		memcpy(opts, f->data.f_opts.p, f->data.f_opts.n);
		cipher_f_opts(s->crypto, c.mac, &id, c.is_app, opts, f->data.f_opts.n);
		f->data.f_opts.p = opts;
	}
	s->totals.downlinks++;
	data_report(d, s, f, id.f_cnt, frm);
	if (!is_group)
		unicast_take(d, s, f, frm);
	return !is_group;
}

bool device_take(struct device *d, struct sim *s)
{
	struct frame f;
	int why = frame_parse((struct slice){ d->rx_phy, d->rx_len }, &f);
	if (why) {
		device_refuse(d, s, frame_error_word(why));
		return false;
	}
	if (f.mtype == MTYPE_JOIN_ACCEPT && d->is_join && d->window < 3)
		return device_accept(d, s);
	if (f.is_up || !mtype_is_data(f.mtype) || (d->is_join && d->window < 3))
		return false;
	return data_take(d, s, &f);
}

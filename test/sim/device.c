/** @file A device's exchanges: what it sends, when it listens, when it tries again. */
#include "test/sim/device.h"
#include "common/core/err.h"
#include "proto/lorawan/airtime.h"
#include "test/sim/report.h"
#include <string.h>

enum {
	WINDOW_GRACE_US = 2000,   /**< after RX2 has opened, nothing new is heard */
	ADR_ACK_LIMIT = 64, /**< before ADRParamSetupReq says otherwise */
	ADR_ACK_DELAY = 32,
	JOIN_PAUSE_US = 2000000,
	JOIN_PAUSE_MAX = 5, /**< doublings */
	ACK_PAUSE_US = 1000000, /**< ACK_TIMEOUT is 2 +/- 1 s */
};

static void sleep_until(struct device *d, struct sim *s, enum phase phase, uint64_t at_us)
{
	d->phase = phase;
	sim_at(s, &d->event, at_us);
}

static uint64_t pause_of(struct sim *s, uint64_t us)
{
	return us + rng_below(&s->rng, 2 * us);
}

/** May a join-request be sent there? On the region's own channels, where they are many on those of the plan, as a device does
 * that knows its sub-band; and where some of them have join-accepts of their own, on those. */
static bool is_for_join(const struct sim *s, unsigned i, uint32_t hz)
{
	struct channels wanted, own;
	plan_wanted(s->plan, &wanted);
	plan_start(s->plan, false, &own);
	return channels_has(&wanted, i) && channels_has(&own, i) &&
	       (!s->plan->region->joins || region_join(s->plan->region, hz));
}

/** A channel that is on and has the data rate; among several, chance decides. The first one if none has. */
static uint8_t channel_pick(const struct device *d, struct sim *s, uint8_t dr, bool is_join)
{
	uint8_t fit[DEVICE_CHANNELS], n = 0;
	for (uint8_t i = 0; i < DEVICE_CHANNELS; i++) {
		const struct channel *c = &d->channels[i];
		if (c->up_hz && c->is_on && dr >= c->min_dr && dr <= c->max_dr &&
			(!is_join || is_for_join(s, i, c->up_hz)))
			fit[n++] = i;
	}
	return n ? fit[rng_below(&s->rng, n)] : 0;
}

/** The data rate of a join-request: the device's own, or the nearest that they may have. */
static uint8_t join_dr(const struct sim *s, uint8_t dr)
{
	const struct region_run *run = &s->plan->region->runs[0];
	return dr < run->join_min_dr ? run->join_min_dr : dr > run->join_max_dr ? run->join_max_dr : dr;
}

/** Put the frame in d->phy on air. */
static void transmit(struct device *d, struct sim *s)
{
	const struct modu *m = region_modu(s->plan->region, true, d->up_dr);
	d->channel = channel_pick(d, s, d->up_dr, d->is_join && d->join_type == JOIN_REQ_TYPE);
	if (!d->is_join)
		device_sign(d, s); /* in 1.1 the code names the channel */
	d->tries++;
	sleep_until(d, s, PHASE_SENDING, sim_now(s) + airtime_us(m, d->phy_len, true));
}

/** The frame has left: gateways have it, and the windows are counted from here. */
static void transmitted(struct device *d, struct sim *s, uint64_t at_us)
{
	struct emission e = { .end_us = at_us,
		.freq_hz = d->channels[d->channel].up_hz,
		.phy = d->phy,
		.phy_len = d->phy_len,
		.modu = *region_modu(s->plan->region, true, d->up_dr) };
	air_uplink(s, d->index, &e);
	d->rx1_us = at_us + (d->is_join ? s->plan->region->join_delay_s : d->rx1_delay_s) * SEC_US;
	d->rx2_us = d->rx1_us + SEC_US;
	sleep_until(d, s, PHASE_LISTENING, d->rx2_us + WINDOW_GRACE_US);
}

/** @param type  JOIN_REQ_TYPE; 0, 1, 2: rejoin */
static void join_request(struct device *d, struct sim *s, uint8_t type)
{
	struct report r;
	bool is_new = type == JOIN_REQ_TYPE;
	d->is_join = true;
	d->wants_join = false;
	d->wants_rejoin = -1;
	d->tries = 0;
	d->joins++;
	d->up_dr = is_new ? join_dr(s, s->opt.dr) : d->dr;
	device_join_build(d, s, type);
	report_begin(&r, s, is_new ? "join-request" : "rejoin-request");
	report_num(&r, "device", (int64_t)d->index);
	report_eui(&r, "dev_eui", d->dev_eui);
	report_num(&r, is_new ? "dev_nonce" : "rj_count", d->join_nonce);
	if (!is_new)
		report_num(&r, "type", type);
	if (s->opt.verbose)
		report_hex(&r, "phy", d->phy, d->phy_len);
	report_end(&r);
	transmit(d, s);
}

static void uplink_report(const struct device *d, const struct sim *s, const struct frame *f,
	const struct wish *w, struct slice f_opts)
{
	struct report r;
	report_begin(&r, s, "uplink");
	report_num(&r, "device", (int64_t)d->index);
	report_addr(&r, "dev_addr", d->dev_addr);
	report_num(&r, "f_cnt", d->f_cnt_up);
	if (f->data.has_port) {
		report_num(&r, "f_port", f->data.f_port);
		report_hex(&r, "payload", w->payload, w->len);
	}
	report_flag(&r, "confirmed", w->confirmed);
	report_flag(&r, "ack", f->data.ack);
	report_num(&r, "dr", d->up_dr);
	if (f_opts.n)
		report_hex(&r, "f_opts", f_opts.p, f_opts.n);
	if (s->opt.verbose)
		report_hex(&r, "phy", d->phy, d->phy_len);
	report_end(&r);
}

/** ADR back-off: after 64 unanswered uplinks ask, and every 32 more go one data rate down. */
static bool adr_step(struct device *d, const struct sim *s)
{
	if (!d->adr)
		return false;
	uint32_t silent = d->adr_ack_cnt++;
	if (silent < d->adr_ack_limit)
		return false;
	if (silent > d->adr_ack_limit && (silent - d->adr_ack_limit) % d->adr_ack_delay == 0) {
		if (d->tx_power)
			d->tx_power = 0;
		else if (region_backoff_dr(s->plan->region, d->dr) >= 0)
			d->dr = (uint8_t)region_backoff_dr(s->plan->region, d->dr);
	}
	return true;
}

static void data_send(struct device *d, struct sim *s, const struct wish *w)
{
	uint8_t f_opts[FOPTS_MAX], sealed[FOPTS_MAX], frm[SIM_PAYLOAD_MAX];
	bool asks = adr_step(d, s);
	d->is_join = false;
	d->tries = 0;
	d->is_confirmed = w->confirmed;
	d->is_acked = d->is_heard = false;
	d->up_dr = d->dr;
	struct slice opts = { f_opts, device_f_opts(d, w, f_opts) };
	struct frame f = {
		.mtype = w->confirmed ? MTYPE_CONFIRMED_UP : MTYPE_DATA_UP,
		.data = { .dev_addr = d->dev_addr,
			.f_cnt16 = (uint16_t)d->f_cnt_up,
			.adr = d->adr,
			.adr_ack_req = asks,
			.ack = d->ack_due,
			.f_opts = { sealed, opts.n },
			.has_port = w->has_port,
			.f_port = w->f_port,
			.frm = { frm, w->len } },
	};
	struct frame_id id = { .dev_addr = d->dev_addr, .f_cnt = d->f_cnt_up, .is_up = true };
	memcpy(frm, w->payload, w->len);
	memcpy(sealed, f_opts, opts.n);
	cipher_frm(s->crypto, w->f_port == PORT_MAC ? &d->keys.nwk_s_enc : &d->keys.app_s, &id, frm, w->len);
	if (d->is_v11)
		cipher_f_opts(s->crypto, &d->keys.nwk_s_enc, &id, false, sealed, opts.n);
	struct writer out = writer_of(d->phy, sizeof d->phy);
	frame_write(&f, &out);
	d->phy_len = out.len;
	d->has_ack = d->ack_due;
	if (w->confirmed)
		d->conf_up = (uint16_t)d->f_cnt_up;
	d->ack_due = d->is_urgent = false;
	s->totals.uplinks++;
	transmit(d, s);
	uplink_report(d, s, &f, w, opts);
}

/** The uplink that is due by the options. */
static struct wish wish_by_options(struct device *d, const struct sim *s)
{
	const struct options *o = &s->opt;
	struct wish w = { .has_port = true,
		.f_port = o->f_port,
		.confirmed = o->confirmed,
		.link_check = o->link_check,
		.device_time = o->device_time,
		.len = (uint8_t)o->payload_len };
	memcpy(w.payload, o->payload, o->payload_len);
	if (o->is_counter) {
		w.payload[0] = (uint8_t)(d->counter >> 8);
		w.payload[1] = (uint8_t)d->counter++;
		w.len = 2;
	}
	return w;
}

static bool is_enough(const struct sim *s)
{
	return s->opt.uplinks && s->totals.uplinks >= s->opt.uplinks;
}

/** Enough has been sent: end with the last exchange. Devices that never joined are not waited for. */
static void end_if_quiet(struct sim *s)
{
	for (size_t i = 0; i < s->opt.devices; i++)
		if (s->devices[i].is_joined && s->devices[i].phase != PHASE_IDLE)
			return;
	sim_end(s);
}

/** Nothing is under way: begin what is due, or sleep until something is. */
static void next(struct device *d, struct sim *s)
{
	uint64_t now = sim_now(s);
	if (d->wants_join || (!d->is_joined && !s->opt.script && d->otaa)) {
		join_request(d, s, JOIN_REQ_TYPE);
	} else if (d->is_joined && d->wants_rejoin >= 0) {
		join_request(d, s, (uint8_t)d->wants_rejoin);
	} else if (d->is_joined && d->queue_n) {
		struct wish w = d->queue[d->queue_first];
		d->queue_first = (d->queue_first + 1) % DEVICE_QUEUE;
		d->queue_n--;
		data_send(d, s, &w);
	} else if (d->is_joined && d->is_urgent && s->opt.eager) {
		data_send(d, s, &(struct wish){ 0 });
	} else if (d->is_joined && !s->opt.script) {
		if (is_enough(s)) {
			d->phase = PHASE_IDLE;
			end_if_quiet(s);
		} else if (d->next_uplink_us > now) {
			sleep_until(d, s, PHASE_IDLE, d->next_uplink_us);
		} else {
			struct wish w = wish_by_options(d, s);
			d->next_uplink_us = now + s->opt.interval_us;
			data_send(d, s, &w);
		}
	} else {
		d->phase = PHASE_IDLE;
	}
}

static void exchange_report(const struct device *d, const struct sim *s)
{
	struct report r;
	report_begin(&r, s, "done");
	report_num(&r, "device", (int64_t)d->index);
	report_num(&r, "f_cnt", d->f_cnt_up);
	report_num(&r, "tries", d->tries);
	report_flag(&r, "heard", d->is_heard);
	if (d->is_confirmed)
		report_flag(&r, "acked", d->is_acked);
	report_end(&r);
}

/** Both windows are over, or a downlink came. */
static void exchange_over(struct device *d, struct sim *s)
{
	if (d->is_join && !d->is_joined) {
		struct report r;
		unsigned doublings = d->joins < JOIN_PAUSE_MAX ? d->joins - 1 : JOIN_PAUSE_MAX;
		report_begin(&r, s, "join-failed");
		report_num(&r, "device", (int64_t)d->index);
		report_end(&r);
		if (s->opt.script)
			next(d, s);
		else
			sleep_until(d, s, PHASE_PAUSE,
				sim_now(s) + pause_of(s, (uint64_t)JOIN_PAUSE_US << doublings) / 2);
		return;
	}
	if (!d->is_join) {
		bool more = d->is_confirmed ? !d->is_acked && d->tries < DEVICE_TRIES
					    : !d->is_heard && d->tries < d->nb_trans;
		if (more) {
			sleep_until(d, s, PHASE_PAUSE,
				sim_now(s) + (d->is_confirmed ? pause_of(s, ACK_PAUSE_US) : 0));
			return;
		}
		memmove(d->answers.b, d->answers.b + d->answers_sent, d->answers.n - d->answers_sent);
		d->answers.n -= d->answers_sent;
		d->answers_sent = 0;
		exchange_report(d, s);
		d->f_cnt_up++;
	}
	next(d, s);
}

static void received(struct device *d, struct sim *s)
{
	bool is_mine = device_take(d, s);
	if (d->window == 3) {
		/* Class C: go on where we were; what fell due meanwhile is done now. */
		d->phase = d->phase_before;
		if (d->phase == PHASE_IDLE)
			next(d, s);
		else
			sim_at(s, &d->event, d->due_before_us);
		return;
	}
	if (!is_mine && d->window == 1 && d->rx2_us > sim_now(s))
		sleep_until(d, s, PHASE_LISTENING, d->rx2_us + WINDOW_GRACE_US);
	else
		exchange_over(d, s);
}

static void on_due(struct event *e, struct sim *s, uint64_t at_us)
{
	struct device *d = CONTAINER_OF(e, struct device, event);
	switch (d->phase) {
	case PHASE_IDLE: next(d, s); break;
	case PHASE_SENDING: transmitted(d, s, at_us); break;
	case PHASE_LISTENING: exchange_over(d, s); break;
	case PHASE_RECEIVING: received(d, s); break;
	case PHASE_PAUSE:
		if (d->is_join)
			join_request(d, s, JOIN_REQ_TYPE);
		else
			transmit(d, s);
		break;
	}
}

void device_reset_mac(struct device *d, const struct sim *s)
{
	const struct region *r = s->plan->region;
	struct channels own;
	plan_start(s->plan, false, &own);
	memset(d->channels, 0, sizeof d->channels);
	for (unsigned i = 0; i < DEVICE_CHANNELS; i++) {
		struct channel *c = &d->channels[i];
		if (!channels_has(&own, i) || !plan_channel(s->plan, i, &c->up_hz, &c->min_dr, &c->max_dr))
			continue;
		c->down_hz = region_rx1_hz(r, c->up_hz, i);
		c->is_on = true;
	}
	d->down_dwell = region_boot_dwell(r, mac_rules(s->opt.version)->usual_phy, false) == DWELL_ON;
	d->dr = s->opt.dr;
	d->tx_power = 0;
	d->nb_trans = 1;
	d->rx1_delay_s = r->rx1_delay_s;
	d->rx1_dr_offset = 0;
	d->rx2_dr = r->rx2_dr;
	d->rx2_hz = r->rx2_hz;
	d->adr_ack_cnt = 0;
	d->adr_ack_limit = ADR_ACK_LIMIT;
	d->adr_ack_delay = ADR_ACK_DELAY;
	d->ack_due = d->is_urgent = false;
	d->answers.n = d->sticky.n = d->answers_sent = 0;
}

static struct key key_or(const struct key *wanted, struct key otherwise)
{
	return key_is_none(wanted) ? otherwise : *wanted;
}

static void session_by_options(struct device *d, const struct options *o)
{
	uint64_t number = (uint64_t)d->dev_addr << 32 | d->dev_addr;
	struct key nwk = key_or(&o->nwk_s_key, key_of_number(number));
	d->keys = (struct session_keys){ nwk, nwk, nwk, key_or(&o->app_s_key, key_of_number(number)) };
	if (d->is_v11) {
		d->keys.s_nwk_s_int = key_or(&o->s_nwk_s_int_key, nwk);
		d->keys.nwk_s_enc = key_or(&o->nwk_s_enc_key, nwk);
	}
	d->f_cnt_up = o->f_cnt;
	d->is_joined = true;
}

void device_init(struct device *d, const struct sim *s, size_t i)
{
	const struct options *o = &s->opt;
	*d = (struct device){ .index = i,
		.otaa = !o->abp,
		.dev_eui = o->dev_eui_first + i,
		.join_eui = o->join_eui,
		.class_c = o->class_c || (!o->device_file && i + o->class_c_count >= o->devices),
		.battery = 255,
		.adr = o->adr,
		.wants_rejoin = -1,
		.dev_nonce = (uint16_t)o->dev_nonce };
	d->event.fire = on_due;
	d->app_key = key_or(&o->app_key, key_of_number(d->dev_eui));
	d->nwk_key = key_or(&o->nwk_key, key_of_number(~d->dev_eui));
	d->is_v11 = mac_rules(o->version)->is_v11;
	d->wants_rekey = d->is_v11;
	d->wants_mode = d->is_v11 && d->class_c;
	d->dev_addr = o->abp ? o->dev_addr_first + (uint32_t)i : 0;
	if (o->abp)
		session_by_options(d, o);
	device_reset_mac(d, s);
}

void device_start(struct device *d, struct sim *s)
{
	if (s->opt.script)
		return;
	/* Spread over one interval, or a second if that is shorter, so that many devices do not shout at
	 * once. */
	uint64_t spread_us = d->otaa && s->opt.interval_us > SEC_US ? SEC_US : s->opt.interval_us;
	uint64_t first_us =
		sim_now(s) + 200 * MS_US + (s->opt.devices > 1 ? rng_below(&s->rng, spread_us) : 0);
	d->next_uplink_us = first_us;
	sleep_until(d, s, PHASE_IDLE, first_us);
}

int device_wish(struct device *d, struct sim *s, const struct wish *w)
{
	if (d->queue_n == DEVICE_QUEUE)
		return -ENOSPC;
	d->queue[(d->queue_first + d->queue_n++) % DEVICE_QUEUE] = *w;
	if (d->phase == PHASE_IDLE)
		next(d, s);
	return 0;
}

void device_want_join(struct device *d, struct sim *s)
{
	d->wants_join = true;
	if (d->phase == PHASE_IDLE)
		next(d, s);
}

int device_want_rejoin(struct device *d, struct sim *s, uint8_t type)
{
	if (!d->is_v11 || !d->otaa || !d->is_joined)
		return -EINVAL;
	d->wants_rejoin = type;
	if (d->phase == PHASE_IDLE)
		next(d, s);
	return 0;
}

void device_repeat(struct device *d, struct sim *s)
{
	struct emission e = { .end_us = sim_now(s), .freq_hz = d->channels[d->channel].up_hz, .phy = d->phy,
		.phy_len = d->phy_len, .modu = *region_modu(s->plan->region, true, d->up_dr) };
	if (d->phy_len)
		air_uplink(s, d->index, &e);
}

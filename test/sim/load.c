/** @file As many uplinks as asked for: ABP devices in turn, no airtime, no windows. */
#include "test/sim/load.h"
#include "test/sim/device.h"
#include "test/sim/gateway.h"
#include <stdlib.h>
#include <string.h>

enum {
	TICK_US = 2000,
	SETTLE_US = 1000000,
	STAMP = 8,
	AT_ONCE = 500
};

struct load {
	struct event event;
	uint64_t sent, begin_us;
};

/** The channels of the plan that have the data rate, in turn. */
static uint32_t channel_hz(const struct sim *s, uint32_t turn)
{
	struct channels wanted;
	uint32_t hz[CHANNELS_MAX], n = 0;
	uint8_t min_dr, max_dr;
	plan_wanted(s->plan, &wanted);
	for (unsigned i = 0; i < CHANNELS_MAX; i++)
		if (channels_has(&wanted, i) && plan_channel(s->plan, i, &hz[n], &min_dr, &max_dr) && s->opt.dr >= min_dr &&
			s->opt.dr <= max_dr)
			n++;
	return n ? hz[turn % n] : s->plan->region->runs[0].first_hz;
}

static void frame_send(struct sim *s, struct device *d)
{
	uint8_t phy[PHY_MAX], frm[SIM_PAYLOAD_MAX] = { 0 };
	size_t len = s->opt.payload_len > STAMP ? s->opt.payload_len : STAMP;
	struct writer stamp = writer_of(frm, STAMP);
	memcpy(frm, s->opt.payload, s->opt.payload_len);
	loop_refresh(s->loop);
	writer_be64(&stamp, loop_now(s->loop)->unix_us);
	struct frame_id id = { .dev_addr = d->dev_addr, .f_cnt = d->f_cnt_up, .is_up = true };
	cipher_frm(s->crypto, &d->keys.app_s, &id, frm, len);
	struct frame f = { .mtype = MTYPE_DATA_UP,
		.data = { .dev_addr = d->dev_addr,
			.f_cnt16 = (uint16_t)d->f_cnt_up,
			.has_port = true,
			.f_port = s->opt.f_port,
			.frm = { frm, len } } };
	struct writer w = writer_of(phy, sizeof phy);
	frame_write(&f, &w);
	mic_data(s->crypto, &d->keys.f_nwk_s_int, &id, (struct slice){ phy, w.len - MIC_LEN },
		phy + w.len - MIC_LEN);
	struct emission e = { .end_us = sim_now(s),
		.freq_hz = channel_hz(s, d->f_cnt_up),
		.phy = phy,
		.phy_len = w.len,
		.modu = *region_modu(s->plan->region, true, s->opt.dr) };
	air_uplink(s, d->index, &e);
	d->f_cnt_up++;
	s->totals.uplinks++;
}

static void on_tick(struct event *ev, struct sim *s, uint64_t at_us)
{
	struct load *l = s->load;
	uint64_t since_us = sim_now(s) - l->begin_us,
		 run_us = since_us < s->opt.duration_us ? since_us : s->opt.duration_us;
	uint64_t due = run_us * s->opt.rate / SEC_US;
	(void)at_us;
	for (unsigned i = 0; l->sent < due && i < AT_ONCE; i++)
		frame_send(s, &s->devices[l->sent++ % s->opt.devices]);
	if (since_us >= s->opt.duration_us + SETTLE_US)
		sim_end(s);
	else
		sim_at(s, ev, sim_now(s) + TICK_US);
}

int load_start(struct sim *s)
{
	s->load = calloc(1, sizeof *s->load);
	if (!s->load)
		return -ENOMEM;
	/* The gateways' PULL_DATA first. */
	s->load->begin_us = sim_now(s) + SETTLE_US / 2;
	s->load->event.fire = on_tick;
	sim_at(s, &s->load->event, s->load->begin_us);
	return 0;
}

void load_stop(struct sim *s)
{
	free(s->load);
	s->load = NULL;
}

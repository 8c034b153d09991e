/** @file A session that was brought along from elsewhere: its MAC goes on as it stood there. */
#include "ns/core/mac/mac_adopt.h"

static void adopt_windows(struct session *s, const struct mac_params *p)
{
	if (MSG_HAS(p, rx1_delay))
		s->rx1_delay_s = p->rx1_delay & 15 ? p->rx1_delay & 15 : 1;
	if (MSG_HAS(p, rx1_dr_offset))
		s->rx1_dr_offset = p->rx1_dr_offset & 7;
	if (MSG_HAS(p, rx2_dr))
		s->rx2_dr = p->rx2_dr & 15;
	if (MSG_HAS(p, rx2_freq_hz) && p->rx2_freq_hz)
		s->rx2_hz = p->rx2_freq_hz;
}

static uint8_t bit_if(bool on, uint8_t bit)
{
	return on ? bit : 0;
}

static void adopt_tx_param(struct mac_state *m, const struct mac_params *p)
{
	if (MSG_HAS(p, max_eirp))
		m->tx_param = (uint8_t)((m->tx_param & ~15U) | mac_eirp_code((int)p->max_eirp));
	if (MSG_HAS(p, up_dwell))
		m->tx_param = (uint8_t)((m->tx_param & ~TX_UP_DWELL) | bit_if(p->up_dwell, TX_UP_DWELL));
	if (MSG_HAS(p, down_dwell))
		m->tx_param = (uint8_t)((m->tx_param & ~TX_DOWN_DWELL) | bit_if(p->down_dwell, TX_DOWN_DWELL));
}

/* One of the two halves of an octet. */
static uint8_t with_half(uint8_t octet, bool has, bool is_high, uint32_t half)
{
	if (!has)
		return octet;
	return (uint8_t)(is_high ? (octet & 0x0F) | (half & 15) << 4 : (octet & 0xF0) | (half & 15));
}

static void adopt_limits(struct mac_state *m, const struct mac_params *p)
{
	if (MSG_HAS(p, duty_cycle))
		m->duty_cycle = p->duty_cycle & 15;
	m->adr_param = with_half(m->adr_param, MSG_HAS(p, ack_limit), true, p->ack_limit);
	m->adr_param = with_half(m->adr_param, MSG_HAS(p, ack_delay), false, p->ack_delay);
	m->rejoin_param = with_half(m->rejoin_param, MSG_HAS(p, rejoin_time), true, p->rejoin_time);
	m->rejoin_param = with_half(m->rejoin_param, MSG_HAS(p, rejoin_count), false, p->rejoin_count);
}

static void adopt_channels(struct session *s, const struct mac_params *p)
{
	struct mac_state *m = &s->mac;
	bool is_fixed = s->dev->plan->region->is_fixed;
	m->enabled = (struct channels){ { 0 } };
	for (unsigned i = 0; i < MAC_CHANNELS && !is_fixed; i++)
		m->channel[i] = (struct mac_channel){ .freq_hz = 0 };
	for (size_t k = 0; k < p->channels.len; k++) {
		const struct channel_params *c = &p->channels.v[k];
		if (c->index >= CHANNELS_MAX || (!is_fixed && (c->index >= MAC_CHANNELS || !c->up_hz)))
			continue;
		if (!is_fixed)
			m->channel[c->index] = (struct mac_channel){ .freq_hz = c->up_hz, .min_dr = c->min_dr & 15, .max_dr = c->max_dr & 15,
				.down_hz = MSG_HAS(c, down_hz) && c->down_hz != c->up_hz ? c->down_hz : 0 };
		if (MSG_HAS(c, enabled) && c->enabled)
			channels_add(&m->enabled, c->index);
	}
}

static void adopt_link(struct adr *a, const struct mac_import *m)
{
	const struct mac_params *p = &m->current;
	struct adr_link l = a->link;
	if (MSG_HAS(p, dr))
		l.now.dr = p->dr & 15;
	if (MSG_HAS(p, power))
		l.now.power = p->power & 15;
	if (MSG_HAS(p, nb_trans))
		l.now.nb_trans = (uint8_t)(p->nb_trans < 1 ? 1 : p->nb_trans > ADR_NB_TRANS_MAX ? ADR_NB_TRANS_MAX : p->nb_trans);
	if (MSG_HAS(m, refused_drs))
		l.refused_drs = (uint16_t)m->refused_drs;
	if (MSG_HAS(m, refused_powers))
		l.refused_powers = (uint16_t)m->refused_powers;
	adr_start(a, &l);
}

void mac_adopt(struct session *s, const struct mac_import *m)
{
	const struct mac_params *p = &m->current;
	adopt_windows(s, p);
	adopt_link(&s->mac.adr, m);
	adopt_limits(&s->mac, p);
	if (MSG_HAS(m, device_class))
		s->mac.device_class = m->device_class == DEVICE_CLASS_C ? DEVICE_CLASS_C : DEVICE_CLASS_A;
	if (MSG_HAS(m, status_unix_us)) {
		s->status_unix_us = m->status_unix_us;
		s->status_next = s->up_next;
	}
	if (!s->dev->plan)
		return;
	if (s->dev->plan->region->has_tx_param_setup)
		adopt_tx_param(&s->mac, p);
	if (MSG_HAS(p, channels) && p->channels.len)
		adopt_channels(s, p);
}

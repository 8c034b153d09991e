/** @file What a device's MAC should be: the operator's settings, the frequency plan and ADR, as far as version and region have it.
 *
 * Nothing is wished that nobody asked for: a setting that is absent leaves things as they are. The plan asks for its channels.
 */
#include "ns/core/device.h"
#include "proto/lorawan/mac_cmds.h"

static bool has_version(const struct dev *d, enum mac_cid cid)
{
	return d->mac_version >= (uint32_t)mac_cmd_by_cid((uint8_t)cid)->since;
}

static uint32_t wish_tx_param(const struct session *s, uint32_t now)
{
	const struct mac_settings *m = &s->dev->mac;
	if (!region_has_tx_param_setup(s->dev->plan->region, (enum phy_version)s->dev->phy_version))
		return now;
	uint32_t v = now;
	if (MSG_HAS(m, desired_max_eirp))
		v = (v & ~15U) | mac_eirp_code((int)m->desired_max_eirp);
	bool up = MSG_HAS(m, up_dwell) ? m->up_dwell : plan_dwell(s->dev->plan, true);
	bool down = MSG_HAS(m, down_dwell) ? m->down_dwell : plan_dwell(s->dev->plan, false);
	return (v & 15U) | (up ? TX_UP_DWELL : 0) | (down ? TX_DOWN_DWELL : 0) | TX_KNOWN;
}

static uint32_t wish_rx_param(const struct session *s)
{
	const struct dev *d = s->dev;
	const struct mac_settings *m = &d->mac;
	struct mac_rx rx = { s->rx1_delay_s, s->rx1_dr_offset, s->rx2_dr, s->rx2_hz };
	/* A join-accept says all of this but the frequency, which a plan may have of its own. */
	if (!s->is_by_hand && d->plan->rx2_hz)
		rx.rx2_hz = d->plan->rx2_hz;
	if (MSG_HAS(m, desired_rx1_dr_offset))
		rx.rx1_dr_offset = m->desired_rx1_dr_offset & 7;
	if (MSG_HAS(m, desired_rx2_dr))
		rx.rx2_dr = m->desired_rx2_dr & 15;
	if (MSG_HAS(m, desired_rx2_freq_hz))
		rx.rx2_hz = m->desired_rx2_freq_hz;
	return mac_value_rx(&rx);
}

static bool is_default_channel(const struct plan *p, unsigned i)
{
	struct plan bare = { .region = p->region };
	uint32_t hz;
	uint8_t min_dr, max_dr;
	return plan_channel(&bare, i, &hz, &min_dr, &max_dr);
}

static uint32_t wish_channel(const struct session *s, unsigned i, uint32_t now)
{
	const struct plan *p = s->dev->plan;
	struct mac_channel c = { .freq_hz = 0 };
	if (p->region->is_fixed || !p->region->has_new_channel || i >= p->region->max_channels || is_default_channel(p, i))
		return now;
	if (!plan_channel(p, i, &c.freq_hz, &c.min_dr, &c.max_dr))
		c.freq_hz = 0;
	return mac_value_channel(&c);
}

static uint32_t wish_down_channel(const struct session *s, unsigned i, uint32_t now)
{
	const struct mac_settings *m = &s->dev->mac;
	const struct region *r = s->dev->plan->region;
	if (r->is_fixed || !r->has_new_channel || !s->mac.channel[i].freq_hz || !MSG_HAS(m, desired_down) || i >= m->desired_down.len)
		return now;
	return mac_freq_code(m->desired_down.v[i].hz ? m->desired_down.v[i].hz : s->mac.channel[i].freq_hz);
}

/* Two halves of an octet, each of which may be wished or not. */
static uint32_t wish_halves(uint32_t now, bool has_high, uint32_t high, bool has_low, uint32_t low)
{
	return (has_high ? (high & 15) << 4 : now & 0xF0) | (has_low ? low & 15 : now & 15);
}

static uint32_t wish_adr_param(const struct mac_settings *m, uint32_t now)
{
	return wish_halves(now, MSG_HAS(m, desired_ack_limit), m->desired_ack_limit, MSG_HAS(m, desired_ack_delay), m->desired_ack_delay);
}

static uint32_t wish_rejoin_param(const struct mac_settings *m, uint32_t now)
{
	return wish_halves(now, MSG_HAS(m, desired_rejoin_time), m->desired_rejoin_time, MSG_HAS(m, desired_rejoin_count),
		m->desired_rejoin_count);
}

static uint32_t wish_rx_timing(const struct mac_settings *m, uint32_t now)
{
	if (!MSG_HAS(m, desired_rx1_delay))
		return now;
	return m->desired_rx1_delay & 15 ? m->desired_rx1_delay & 15 : 1;
}

uint32_t mac_wish(const struct session *s, enum mac_item item)
{
	const struct dev *d = s->dev;
	const struct mac_settings *m = &d->mac;
	uint32_t now = mac_now(s, item);
	if (!d->plan || !has_version(d, (enum mac_cid)mac_item_cid(item)))
		return now;
	if (item >= ITEM_NEW_CHANNEL && item < ITEM_NEW_CHANNEL + MAC_CHANNELS)
		return wish_channel(s, (unsigned)item - ITEM_NEW_CHANNEL, now);
	if (item >= ITEM_DL_CHANNEL && item < ITEM_DL_CHANNEL + MAC_CHANNELS)
		return wish_down_channel(s, (unsigned)item - ITEM_DL_CHANNEL, now);
	switch (item) {
	case ITEM_DUTY_CYCLE: return MSG_HAS(m, desired_duty_cycle) ? m->desired_duty_cycle & 15 : now;
	case ITEM_TX_PARAM: return wish_tx_param(s, now);
	case ITEM_RX_PARAM: return wish_rx_param(s);
	case ITEM_RX_TIMING: return wish_rx_timing(m, now);
	case ITEM_ADR_PARAM: return wish_adr_param(m, now);
	case ITEM_REJOIN_PARAM: return s->is_by_hand ? now : wish_rejoin_param(m, now);
	case ITEM_FORCE_REJOIN: return s->is_by_hand ? now : d->rejoin;
	default: return now;
	}
}

struct channels mac_wish_channels(const struct session *s)
{
	const struct plan *p = s->dev->plan;
	struct channels c;
	if (!p || !p->region->is_fixed)
		return mac_channels(s);
	plan_wanted(p, &c);
	return c;
}

/* ---- ADR ---- */

static void dynamic_settings(const struct mac_settings *m, struct adr_settings *ret)
{
	if (MSG_HAS(m, margin_ddb))
		ret->margin_ddb = (int16_t)m->margin_ddb;
	else if (MSG_HAS(m, adr_margin_ddb))
		ret->margin_ddb = (int16_t)m->adr_margin_ddb;
	if (MSG_HAS(m, min_dr))
		ret->min_dr = (uint8_t)m->min_dr;
	if (MSG_HAS(m, max_dr))
		ret->max_dr = (uint8_t)m->max_dr;
	if (MSG_HAS(m, min_power))
		ret->min_power = (uint8_t)m->min_power;
	if (MSG_HAS(m, max_power))
		ret->max_power = (uint8_t)m->max_power;
	if (MSG_HAS(m, min_nb_trans))
		ret->nb_trans.min = (uint8_t)m->min_nb_trans;
	if (MSG_HAS(m, max_nb_trans))
		ret->nb_trans.max = (uint8_t)m->max_nb_trans;
	if (ret->nb_trans.max < ret->nb_trans.min)
		ret->nb_trans.max = ret->nb_trans.min;
	for (size_t i = 0; i < m->overrides.len && MSG_HAS(m, overrides); i++) {
		const struct nb_trans_range *o = &m->overrides.v[i];
		if (o->dr < ADR_DRS)
			ret->at_dr[o->dr] = (struct adr_trans){ (uint8_t)(MSG_HAS(o, min) ? o->min : ret->nb_trans.min),
				(uint8_t)(MSG_HAS(o, max) ? o->max : ret->nb_trans.max) };
	}
	ret->steers_narrow = m->steers_narrow;
}

struct adr_settings mac_adr_settings(const struct dev *d)
{
	const struct mac_settings *m = &d->mac;
	struct adr_settings a = adr_settings_default();
	if (MSG_HAS(m, adr_mode))
		a.mode = (enum adr_mode)m->adr_mode;
	else if (MSG_HAS(m, use_adr) && !m->use_adr)
		a.mode = ADR_DISABLED;
	if (a.mode == ADR_STATIC)
		a.fixed = (struct adr_choice){ (uint8_t)m->static_dr, (uint8_t)m->static_power,
			(uint8_t)(m->static_nb_trans ? m->static_nb_trans : 1) };
	else if (a.mode == ADR_DYNAMIC)
		dynamic_settings(m, &a);
	return a;
}

struct adr_limits mac_adr_limits(const struct session *s, const struct channels *enabled)
{
	const struct dev *d = s->dev;
	struct adr_limits l;
	uint16_t drs = 0;
	adr_limits_of(d->plan->region, (enum phy_version)d->phy_version, &l);
	for (unsigned i = 0; i < CHANNELS_MAX; i++) {
		uint32_t hz;
		uint8_t min_dr = 1, max_dr = 0;
		if (!channels_has(enabled, i))
			continue;
		if (d->plan->region->is_fixed) {
			if (!plan_channel(d->plan, i, &hz, &min_dr, &max_dr))
				continue;
		} else if (i < MAC_CHANNELS) {
			min_dr = s->mac.channel[i].min_dr;
			max_dr = s->mac.channel[i].max_dr;
		}
		for (unsigned dr = min_dr; dr <= max_dr && dr < ADR_DRS; dr++)
			drs = (uint16_t)(drs | 1U << dr);
	}
	l.drs &= drs;
	return l;
}

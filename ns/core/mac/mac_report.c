/** @file The state of a device's MAC as operators see it. */
#include "ns/core/mac/mac_report.h"
#include "ns/core/mac/mac.h"
#include <stdio.h>
#include <string.h>

/* One of the two readings of an item. */
typedef uint32_t reading(const struct session *s, enum mac_item item);

static void report_channel(struct mac_params *ret, unsigned i, const struct mac_channel *c, bool is_enabled)
{
	struct channel_params *p = &ret->channels.v[ret->channels.len++];
	*p = (struct channel_params){ .index = i, .up_hz = c->freq_hz, .min_dr = c->min_dr, .max_dr = c->max_dr };
	if (c->down_hz)
		MSG_SET(p, down_hz, c->down_hz);
	MSG_SET(p, enabled, is_enabled);
}

static void report_channels(const struct session *s, reading *of, const struct channels *enabled, struct mac_params *ret)
{
	struct plan bare = { .region = s->dev->plan->region };
	ret->channels.len = 0;
	for (unsigned i = 0; i < CHANNELS_MAX; i++) {
		struct mac_channel c = { .freq_hz = 0 };
		bool is_new = false; /* a channel that is wished is enabled once it is there */
		if (bare.region->is_fixed) {
			if (!plan_channel(&bare, i, &c.freq_hz, &c.min_dr, &c.max_dr))
				continue;
		} else if (i < MAC_CHANNELS) {
			uint32_t v = of(s, (enum mac_item)(ITEM_NEW_CHANNEL + i)), down = of(s, (enum mac_item)(ITEM_DL_CHANNEL + i));
			c = (struct mac_channel){ .freq_hz = mac_freq_hz(v >> 8), .min_dr = v & 15, .max_dr = v >> 4 & 15 };
			c.down_hz = mac_freq_hz(down) == c.freq_hz ? 0 : mac_freq_hz(down);
			is_new = !mac_now(s, (enum mac_item)(ITEM_NEW_CHANNEL + i));
		}
		if (c.freq_hz)
			report_channel(ret, i, &c, is_new || channels_has(enabled, i));
	}
	MSG_MARK(ret, channels);
}

static void report_params(const struct session *s, reading *of, const struct adr_choice *adr, struct mac_params *ret)
{
	const struct region *r = s->dev->plan->region;
	uint32_t rx = of(s, ITEM_RX_PARAM), tx = of(s, ITEM_TX_PARAM), limits = of(s, ITEM_ADR_PARAM), rejoin = of(s, ITEM_REJOIN_PARAM);
	ret->has = 0;
	int eirp_dbm = r->has_tx_param_setup ? mac_eirp_dbm((uint8_t)(tx & 15)) : region_max_eirp_ddbm(r, (enum phy_version)s->dev->phy_version) / 10;
	MSG_SET(ret, max_eirp, (uint32_t)eirp_dbm);
	if (adr->dr != DR_NONE)
		MSG_SET(ret, dr, adr->dr);
	MSG_SET(ret, power, adr->power);
	MSG_SET(ret, nb_trans, adr->nb_trans);
	MSG_SET(ret, ack_limit, limits >> 4);
	MSG_SET(ret, ack_delay, limits & 15);
	MSG_SET(ret, rx1_delay, of(s, ITEM_RX_TIMING));
	MSG_SET(ret, rx1_dr_offset, rx >> 28 & 7);
	MSG_SET(ret, rx2_dr, rx >> 24 & 15);
	MSG_SET(ret, rx2_freq_hz, mac_freq_hz(rx & 0xFFFFFF));
	MSG_SET(ret, duty_cycle, of(s, ITEM_DUTY_CYCLE));
	if (s->is_v11) {
		MSG_SET(ret, rejoin_time, rejoin >> 4);
		MSG_SET(ret, rejoin_count, rejoin & 15);
	}
	if (r->has_tx_param_setup) {
		MSG_SET(ret, up_dwell, (tx & TX_UP_DWELL) != 0);
		MSG_SET(ret, down_dwell, (tx & TX_DOWN_DWELL) != 0);
	}
}

static void report_pending(const struct mac_state *m, struct device_state *ret)
{
	size_t at = 0;
	ret->pending[0] = '\0';
	for (unsigned i = 0; i < m->n_asked && m->is_out; i++) {
		const struct mac_cmd_info *c = mac_cmd_by_cid(mac_item_cid((enum mac_item)m->asked[i].item));
		size_t n = strlen(c->down_name);
		if (at + n + 2 > sizeof(ret->pending))
			break;
		at += (size_t)snprintf(ret->pending + at, sizeof(ret->pending) - at, "%s%s", at ? " " : "", c->down_name);
	}
	if (at)
		MSG_MARK(ret, pending);
}

/* What ADR would ask for now, were the device to let it. */
static struct adr_choice wished_choice(const struct session *s)
{
	struct channels c = mac_wish_channels(s);
	struct adr_settings settings = mac_adr_settings(s->dev);
	struct adr_limits limits = mac_adr_limits(s, &c);
	struct adr_choice wanted = s->mac.adr.link.now;
	if (s->mac.adr.n && wanted.dr != DR_NONE && adr_want(&s->mac.adr, &settings, &limits, &wanted))
		return wanted;
	return s->mac.adr.link.now;
}

void mac_report(const struct session *s, struct device_state *ret)
{
	const struct mac_state *m = &s->mac;
	MSG_SET(ret, device_class, s->is_v11 ? m->device_class : s->dev->class_c ? DEVICE_CLASS_C : DEVICE_CLASS_A);
	report_pending(m, ret);
	if (s->status_unix_us)
		MSG_SET(ret, status_unix_us, s->status_unix_us);
	if (m->adr.link.refused_drs)
		MSG_SET(ret, refused_drs, m->adr.link.refused_drs);
	if (m->adr.link.refused_powers)
		MSG_SET(ret, refused_powers, m->adr.link.refused_powers);
	if (!s->dev->plan)
		return;
	struct adr_choice wish = wished_choice(s);
	struct channels enabled = mac_wish_channels(s);
	report_params(s, mac_now, &m->adr.link.now, &ret->current);
	report_channels(s, mac_now, &m->enabled, &ret->current);
	MSG_MARK(ret, current);
	report_params(s, mac_wish, &wish, &ret->desired);
	report_channels(s, mac_wish, &enabled, &ret->desired);
	MSG_MARK(ret, desired);
}

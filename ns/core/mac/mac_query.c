/** @file What devices ask or announce: LinkCheckReq, DeviceTimeReq, DeviceModeInd, PingSlotInfoReq. [LW1.0.4 5.1, 5.9, 14.1; LW1.1 18.1] */
#include "ns/core/mac/mac.h"

enum { MARGIN_MAX_DB = 254, GATEWAYS_MAX = 255 };

void mac_link_check(struct mac_run *run, struct slice arg)
{
	(void)arg;
	const struct reception *r = run->reception;
	int best = INT16_MIN;
	unsigned gateways = 0;
	for (const struct copy *c = r->first; c; c = c->next) {
		bool is_new = true;
		for (const struct copy *b = r->first; b != c; b = b->next)
			is_new = is_new && b->rx.gateway_eui != c->rx.gateway_eui;
		gateways += is_new;
		if (MSG_HAS(&c->rx, snr_ddb) && c->rx.snr_ddb > best)
			best = c->rx.snr_ddb;
	}
	int margin = best == INT16_MIN ? 0 : (best - modu_floor_ddb(&r->modu)) / 10;
	struct mac_link_check_ans ans = {
		.margin_db = (uint8_t)(margin < 0 ? 0 : margin > MARGIN_MAX_DB ? MARGIN_MAX_DB : margin),
		.gw_cnt = (uint8_t)(gateways > GATEWAYS_MAX ? GATEWAYS_MAX : gateways),
	};
	mac_link_check_ans_put(run->answers, &ans);
	struct text *t = trace_begin(run->ns, EVENT_NS_MAC_LINK_CHECK_ANSWER, run->about);
	json_name(t, "margin");
	json_unum(t, ans.margin_db);
	json_name(t, "gateway_count");
	json_unum(t, ans.gw_cnt);
	trace_end(run->ns);
}

/* The end of the uplink: by GPS where a gateway has it, else when a gs received it, which is right within a round trip. */
static uint64_t end_gps_us(const struct reception *r)
{
	const struct copy *timed = NULL;
	for (const struct copy *c = r->first; c; c = c->next) {
		if (MSG_HAS(&c->rx, gps_ms))
			return c->rx.gps_ms * MS_US;
		if (!timed && MSG_HAS(&c->rx, time_unix_ns))
			timed = c;
	}
	if (timed)
		return clock_gps_us(timed->rx.time_unix_ns / 1000);
	return r->first ? clock_gps_us(r->first->rx.received_unix_us) : 0;
}

void mac_device_time(struct mac_run *run, struct slice arg)
{
	(void)arg;
	uint64_t gps_us = end_gps_us(run->reception);
	struct mac_device_time_ans ans = mac_device_time_of(gps_us);
	mac_device_time_ans_put(run->answers, &ans);
	trace_add(run->ns, EVENT_NS_MAC_DEVICE_TIME_ANSWER, run->about);
}

void mac_device_mode(struct mac_run *run, struct slice arg)
{
	struct mac_state *m = &run->session->mac;
	uint8_t class = arg.p[0];
	struct text *t = trace_begin(run->ns, EVENT_NS_MAC_DEVICE_MODE_INDICATION, run->about);
	json_name(t, "class");
	json_puts(t, class == DEVICE_CLASS_C ? "CLASS_C" : class == DEVICE_CLASS_A ? "CLASS_A" : "reserved");
	trace_end(run->ns);
	if (class != DEVICE_CLASS_A && class != DEVICE_CLASS_C)
		return;
	if (m->device_class != class)
		trace_add(run->ns, class == DEVICE_CLASS_C ? EVENT_NS_CLASS_SWITCH_C : EVENT_NS_CLASS_SWITCH_A, run->about);
	m->device_class = class;
	mac_octet_put(run->answers, CMD_DEVICE_MODE, class);
	trace_add(run->ns, EVENT_NS_MAC_DEVICE_MODE_CONFIRMATION, run->about);
}

/* Class B is not served, but a device asks until it is answered; its class A windows stay as they are. Before 1.0.3 a data rate is
 * in the low half, and the periodicity above it. */
void mac_ping_slot_info(struct mac_run *run, struct slice arg)
{
	run->session->mac.ping_periodicity = (run->dev->mac_version < LW_1_0_3 ? arg.p[0] >> 4 : arg.p[0]) & 7;
	mac_empty_put(run->answers, CMD_PING_SLOT_INFO);
	trace_add(run->ns, EVENT_NS_MAC_PING_SLOT_INFO_ANSWER, run->about);
}

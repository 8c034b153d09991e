/** @file Any octets as a string of MAC commands, in both directions, with the fields of every one. */
#include "proto/lorawan/mac_cmds.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/** Fields that are read are within their bits. */
static void fields_check(const struct mac_cmd *c, bool is_up)
{
	switch (c->info->cid) {
	case CMD_LINK_ADR: {
		if (is_up)
			return (void)mac_link_adr_ans_get(c->arg);
		struct mac_link_adr_req v = mac_link_adr_req_get(c->arg);
		if (v.dr > 15 || v.tx_power > 15 || v.ch_mask_cntl > 7 || v.nb_trans > 15)
			abort();
		return;
	}
	case CMD_DEV_STATUS:
		if (is_up && (mac_dev_status_ans_get(c->arg).margin_db > 31 ||
				     mac_dev_status_ans_get(c->arg).margin_db < -32))
			abort();
		return;
	case CMD_RX_PARAM_SETUP:
		if (!is_up && mac_rx_param_setup_req_get(c->arg).rx2_hz % 100)
			abort();
		return;
	case CMD_DL_CHANNEL:
		if (is_up)
			return (void)mac_dl_channel_ans_get(c->arg);
		if (mac_freq_hz(mac_freq_code(mac_dl_channel_req_get(c->arg).freq_hz)) != mac_dl_channel_req_get(c->arg).freq_hz)
			abort();
		return;
	case CMD_NEW_CHANNEL:
		if (!is_up && mac_new_channel_req_get(c->arg).max_dr > 15)
			abort();
		return;
	case CMD_RX_TIMING_SETUP:
		if (!is_up &&
			(mac_rx_timing_setup_req_get(c->arg) < 1 || mac_rx_timing_setup_req_get(c->arg) > 15))
			abort();
		return;
	default: return;
	}
}

static void walk(struct slice s, bool is_up)
{
	size_t pos = 0, before = 0;
	struct mac_cmd c;
	while (mac_walk(s, is_up, &pos, &c) == MAC_WALK_CMD) {
		if (pos <= before || pos > s.n || c.arg.n + 1 != pos - before || c.arg.n > 33)
			abort();
		fields_check(&c, is_up);
		before = pos;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	walk((struct slice){ data, n }, true);
	walk((struct slice){ data, n }, false);
	return 0;
}

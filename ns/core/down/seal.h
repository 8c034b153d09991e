/** @file A data downlink of any version: put together, its commands encrypted where the version wants it, and signed.
 *
 * Which counter it has is the caller's choice, for it is spent before: session_app_counter for a frame with an application's
 * payload, session_net_counter for all others. In 1.0.x both are the one that there is.
 */
#pragma once
#include "ns/core/device.h"
#include "proto/lorawan/frame.h"

/** What a downlink says. */
struct seal {
	uint32_t f_cnt;
	bool is_confirmed, adr, f_pending;
	bool ack;
	uint32_t ack_f_cnt;    /**< counter of the uplink that ack answers; only if ack */
	struct slice commands; /**< in the clear: FOpts, or the payload of FPort 0 where that is given or they are more than FOPTS_MAX */
	bool has_port;
	uint8_t f_port;
	struct slice frm;      /**< as the application server encrypted it; none with FPort 0 */
};

/** Build the PHYPayload.
 * @param s  its keys and version; borrowed
 * @return 0; -EINVAL too many commands beside an application's payload; -ENOSPC; -EIO
 * @spec LW1.0.4 4.3, 4.4; LW1.1 4.3.1.6, 4.3.3, 4.4.1 */
int seal_data(struct crypto *c, const struct session *s, const struct seal *m, uint8_t ret_phy[PHY_MAX], size_t *ret_n);

/** @file The ether between devices and gateways. */
#pragma once
#include "proto/lorawan/modu.h"
#include "test/sim/sim.h"

struct emission {
	uint64_t start_us, end_us;
	uint32_t freq_hz;
	struct modu modu;
	bool is_inverted; /**< downlinks are */
	const uint8_t *phy;
	size_t phy_len;
};

/** A device has sent; at its end, the gateways around it have heard it. */
void air_uplink(struct sim *s, size_t device, const struct emission *e);
/** A gateway begins to send; devices that listen there and then begin to receive. @return how many */
unsigned air_downlink(struct sim *s, size_t gateway, const struct emission *e);

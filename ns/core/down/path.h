/** @file Ways back to a device: the gateways that heard it, best first. */
#pragma once
#include "ns/core/up/dedup.h"
#include <stdbool.h>
#include <stdint.h>

struct path {
	struct gateway *gateway;
	uint64_t heard_mono_us; /**< end of the uplink at the gateway, at the latest */
	uint32_t tmst_us;       /**< the same by its counter */
	uint32_t path_us;       /**< p95 one-way time to its forwarder */
	int32_t rank_ddb;       /**< higher is better */
};

/** How well a gateway hears: LoRa below the noise counts its SNR, above it only the RSSI. [0.1 dB]
 * @param m  an RSSI of 0 is no reading and comes last */
int32_t path_rank(const struct rx_meta *m);
/** Add a copy's gateway, best first; of one gateway the better copy counts.
 * @return whether it has a place among NS_PATHS_MAX */
bool path_add(struct path *v, size_t *n, const struct copy *c);
/** Best first, all told: how well it hears, as far as that matters, less for a long line, for airtime that is used up where it
 * would send, and for what it has to send already. @param now_us  the ledger's clock */
void path_sort(struct path *v, size_t n, uint32_t freq_hz, uint64_t now_us);
/** All copies are of one emission: who told of it much later than another has the longer line, at least that much. */
void path_align(struct path *v, size_t n);
/** Latest moment to hand an emission to a gateway's server. */
uint64_t path_latest_us(const struct path *p, uint64_t delay_us);

/** @file Time on air, in whole microseconds, without floats. */
#pragma once
#include "proto/lorawan/modu.h"
#include <stddef.h>

enum { LORA_PREAMBLE = 8 };

/** How a LoRa packet is framed where it is not as in LoRaWAN data frames. */
struct airtime_form {
	unsigned preamble; /**< symbols programmed */
	bool is_implicit;  /**< no header (beacons) */
	bool has_crc;      /**< uplinks */
};

/** Time on air of a LoRaWAN frame.
 * @param n_bytes  PHYPayload, MHDR to MIC
 * @param is_up    uplinks carry a payload CRC, LoRa downlinks none
 * @return [us], exact where that is whole, else rounded up; 0 for a modulation that is not one */
uint32_t airtime_us(const struct modu *m, size_t n_bytes, bool is_up);
/** The same for LoRa with any framing; long interleaving has a header always. */
uint32_t airtime_lora_us(const struct modu *m, size_t n_bytes, const struct airtime_form *form);
/** Duration of one LoRa symbol, rounded up [us]; 0 if m is not LoRa. */
uint32_t airtime_symbol_us(const struct modu *m);

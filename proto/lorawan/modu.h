/** @file A modulation: how a frame is put on air, and the words for it that forwarders use. */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>
#include <stdint.h>

/** Numbers are those of message `modulation`. */
enum modu_kind { MODU_LORA = 0, MODU_FSK = 1, MODU_LR_FHSS = 2, MODU_NONE = 255 };

/** LI: with long interleaving, at 2.4 GHz. */
enum {
	CR_4_5 = 5,
	CR_4_6 = 6,
	CR_4_7 = 7,
	CR_4_8 = 8,
	CR_1_3 = 13,
	CR_2_3 = 23,
	CR_4_5_LI = 105,
	CR_4_6_LI = 106,
	CR_4_8_LI = 108
};

struct modu {
	uint8_t kind;      /**< enum modu_kind */
	uint8_t sf;        /**< LoRa: 5..12 */
	uint8_t cr;        /**< CR_*; 0 for FSK */
	uint32_t bw_hz;    /**< LoRa: bandwidth; LR-FHSS: occupied width */
	uint32_t bit_rate; /**< FSK [bit/s] */
};

/** The same data rate? The coding rate of LoRa is no part of it; that of LR-FHSS is. */
bool modu_eq(const struct modu *a, const struct modu *b);
/** Lowest SNR at which it can be received [0.1 dB]; 0 for FSK and LR-FHSS. */
int modu_floor_ddb(const struct modu *m);
/** "SF7BW125", "50000", "M0CW137": the `datr` of rxpk and txpk, and The Things Stack's data rate id. */
void modu_datr(struct text *t, const struct modu *m);
/** Parse it; kind, sf, bw_hz, bit_rate set, cr 4/5 for LoRa, 1/3 for LR-FHSS until a codr says otherwise.
 * @return 0; -EINVAL */
int modu_parse(struct str datr, struct modu *ret);
/** "4/5"; "" for FSK. */
const char *modu_codr(const struct modu *m);
/** Parse "4/5", "4/6", "2/3" (for LoRa the same), "4/7", "4/8", "1/2", "4/5LI", "4/6LI", "4/7LI" (which is 4/8LI), "4/8LI",
 * and "1/3", "2/6", "4/6" of LR-FHSS into m->cr by its kind. @return 0; -EINVAL */
int modu_parse_codr(struct str codr, struct modu *m);

/** @file stat: what a gateway says of itself every 30 s. Counters are of the interval. */
#pragma once
#include "common/core/json.h"
#include "proto/semtech/semtech.h"

enum gwstat_has {
	GWSTAT_TIME = 1 << 0,
	GWSTAT_POSITION = 1 << 1, /**< lati and long, plausible ones */
	GWSTAT_ALTI = 1 << 2,
	GWSTAT_ACKR = 1 << 3,
	GWSTAT_TEMP = 1 << 4,
};

struct gwstat {
	uint32_t has;          /**< enum gwstat_has */
	uint64_t time_unix_us; /**< the gateway's own clock, which may be wrong */
	int32_t latitude_e7, longitude_e7, altitude_m;
	uint32_t rxnb, rxok, rxfw; /**< frames received, with a good CRC, forwarded */
	uint32_t dwnb, txnb;       /**< downlinks received, frames emitted */
	uint32_t ackr_permille;    /**< datagrams acknowledged */
	int32_t temp_dc;           /**< [0.1 degrees C] */
};

/** Read a stat object. Members that are absent or cannot be understood count as 0 and unset. The positions
 * that forwarders send for "unknown" (0, 0 and the example's 10, 20) are no positions.
 * @param tok  scratch memory of max tokens
 * @return 0; SEMTECH_E_JSON, SEMTECH_E_TOKENS */
int gwstat_read(struct str json, struct json_tok *tok, size_t max, struct gwstat *ret);
/** Write it as a forwarder does: the object alone. */
void gwstat_write(struct text *t, const struct gwstat *st);

/** @file The body of TX_ACK: what a forwarder says about a PULL_RESP. */
#pragma once
#include "proto/semtech/semtech.h"
#include "proto/tables.h"

enum { TXACK_WORD_MAX = 31 };

struct txack {
	enum tx_result result;
	bool has_power;
	int32_t power_dbm; /**< taken instead of the one asked for (warn TX_POWER) */
	char word[TXACK_WORD_MAX +
		  1]; /**< `error` as given, where it is not one of the protocol's; else "" */
};

/** Read the body. Nothing at all, blanks, NULs, no `error`, or `NONE` is success; a warning is a success too.
 * @return 0; SEMTECH_E_JSON */
int txack_read(struct str body, struct txack *ret);
/** Write the body as a forwarder does: nothing for a plain success. */
void txack_write(struct text *t, const struct txack *a);

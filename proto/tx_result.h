/** @file What became of an emission: the rows of tx_result.def as numbers. */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>

enum tx_result {
#define TX_RESULT(symbol, number, word, retry, meaning) TX_RESULT_##symbol = (number),
#include "proto/tx_result.def"
#undef TX_RESULT
};

/** The Things Stack's word ("TOO_LATE"); "UNKNOWN_ERROR" for a number that has no row. */
const char *tx_result_name(unsigned result);
/** Whether another try may help. */
bool tx_result_retry(unsigned result);
/** The row of a forwarder's word ("NONE", "TOO_LATE"); TX_RESULT_UNKNOWN_ERROR if it has none. */
enum tx_result tx_result_of_word(struct str word);

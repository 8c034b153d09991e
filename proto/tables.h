/** @file Two tables of words that every process must know the same way: why a downlink fails, what became of an emission. */
#pragma once
#include "common/core/text.h"

/** A row of errors.def. */
struct down_error {
	const char *name;
	unsigned code;              /**< as gRPC numbers them: 3 invalid argument, 9 failed precondition ... */
	const char *process;        /**< who finds it: "as" or "ns" */
	const char *message_format; /**< with {attributes} to fill in */
};

extern const struct down_error down_errors[];
enum {
#define DOWN_ERROR(name, code, process, message) DOWN_ERROR_##name,
#include "proto/errors.def"
#undef DOWN_ERROR
	DOWN_ERROR_N
};
/** The name of row i, for metrics. */
const char *down_error_label(unsigned i);
/** NULL: no such name. */
const struct down_error *down_error_find(struct str name);
/** The namespace of the error object: "pkg/networkserver" or "pkg/applicationserver". */
const char *down_error_namespace(const struct down_error *e);

enum tx_result {
#define TX_RESULT(symbol, number, word, again, meaning) TX_RESULT_##symbol = number,
#include "proto/tx_result.def"
#undef TX_RESULT
	TX_RESULT_N
};

/** A row of tx_result.def. */
struct tx_result_info {
	const char *name; /**< for applications: "TOO_LATE" */
	const char *word; /**< the forwarder's, in txpk_ack.error; "" if it has none */
	enum tx_result result;
	bool is_retried;  /**< another window or gateway may help */
	const char *meaning;
};

/** A number that this version does not know (a newer peer's) is UNKNOWN_ERROR. Never NULL. */
const struct tx_result_info *tx_result_info(uint32_t result);
/** Its name, for metrics. */
const char *tx_result_label(unsigned result);
/** Read the forwarder's word: "NONE" or "" is success, a word not in the protocol UNKNOWN_ERROR. */
enum tx_result tx_result_of_word(struct str word);

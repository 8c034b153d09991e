/** @file What is asked of a script, and what comes of it: the words that pool.h (in the application server) and once.h (in the command line) share. */
#pragma once
#include "as/core/formatters/script.h" /* and SCRIPT_TEXT_MAX */

/** Largest JSON value that goes to a script or comes from one, and other bounds. */
enum { SCRIPT_JSON_MAX = 16384, SCRIPT_BYTES_MAX = 255, SCRIPT_WORDS_MAX = 2048 };

enum script_call { SCRIPT_DECODE_UPLINK, SCRIPT_ENCODE_DOWNLINK, SCRIPT_DECODE_DOWNLINK, SCRIPT_CALL_N };

enum script_outcome {
	SCRIPT_OK,
	SCRIPT_NO_FUNCTION, /**< the script has none for this call */
	SCRIPT_SYNTAX,
	SCRIPT_THREW,
	SCRIPT_ERRORS,      /**< it returned errors */
	SCRIPT_BAD_RESULT,  /**< what it returned is not what such a function returns */
	SCRIPT_TIMEOUT,
	SCRIPT_MEMORY,
	SCRIPT_STACK,
	SCRIPT_OUTPUT,      /**< it returned more than there may be */
	SCRIPT_CRASHED,
	SCRIPT_UNAVAILABLE, /**< scripts do not run here: the message says why */
	SCRIPT_OUTCOME_N
};
/** One word for it, as in metrics: "ok", "no_function" ... */
const char *script_outcome_word(unsigned outcome);

/** Everything is borrowed from whoever calls back, and gone when that returns. */
struct script_result {
	enum script_outcome outcome;
	unsigned line;             /**< in the user's own script, from 1; 0: not known */
	struct str message;        /**< in words, for people: "line 3: TypeError: ..."; several errors joined by ", " */
	struct str data;           /**< decode: a JSON object: well-formed, UTF-8, at most SCRIPT_JSON_MAX; n 0 unless SCRIPT_OK */
	struct str warnings;       /**< JSON array of strings; n 0: none */
	struct str normalized;     /**< JSON array of what normalizeUplink returned, or of the data itself where there is no such function; n 0: none */
	bool has_normalizer;
	struct str normalized_warnings; /**< JSON array of strings; n 0: none */
	struct str normalized_error;    /**< in words; n 0: none */
	struct slice bytes;        /**< encode */
	bool has_f_port;           /**< encode: it named one */
	uint8_t f_port;
	uint64_t cpu_us;
};

/** What a script is asked. */
struct script_question {
	enum script_call call;
	uint8_t f_port;
	uint64_t received_unix_us; /**< decode: recvTime; 0: now */
	struct slice bytes;        /**< decode: at most SCRIPT_BYTES_MAX */
	struct str data;           /**< encode: a JSON object of at most SCRIPT_JSON_MAX */
};

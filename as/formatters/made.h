/** @file What a formatter made of one downlink of a request: octets of its values, or values of its octets. */
#pragma once
#include "as/scripts/job.h"
#include "as/traces.h"
#include "proto/tts/request.h"

/** All texts are terminated and its own. */
struct made {
	struct tts_encoded encoded; /**< of values; its texts and octets stand behind */
	bool is_of_octets;          /**< it is `decoded` that counts */
	const char *decoded;        /**< JSON object; NULL: none */
	const char *warnings;       /**< JSON array of texts; NULL: none */
	const char *outcome;        /**< one word */
	const char *message;        /**< why it failed, in words; "": it did not */
	unsigned line;              /**< of the script that the message is about; 0: not known */
	char room[];
};

/** What came of asking a script. @return NULL: no memory; the caller's to free */
struct made *made_of_script(enum script_call call, const struct script_result *r);
/** Octets that were made here. @return NULL: no memory */
struct made *made_of_bytes(struct slice bytes);
/** Values that were read here. @param decoded  JSON object @return NULL: no memory */
struct made *made_of_values(struct str decoded);
/** Nothing can be made of the values. @param refusal  row of proto/errors.def; static, as its reason is */
struct made *made_refusal(const char *refusal, const char *reason);
/** The formatter failed, not for want of one. @param call  SCRIPT_ENCODE_DOWNLINK or SCRIPT_DECODE_DOWNLINK */
struct made *made_failure(enum script_call call, const char *outcome, unsigned line, struct str message);
/** Tell failures and warnings. @param m  NULL: nothing */
void made_tell(struct as *as, const struct made *m, const struct traces_of *of, const struct cid *cid, unsigned f_port);

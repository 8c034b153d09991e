/** @file What came of a script as members of a message, for whoever tries one: the HTTP API and the command line. */
#pragma once
#include "as/scripts/job.h"

/** Write the members that an answer of decoding has: `"decoded_payload":{…},"decoded_payload_warnings":[…],"normalized_payload":[…],
 * "normalized_payload_warnings":[…]`, those that are there. Measurements are checked as those of uplinks are. Within an object, between its other members. */
void shown_decoded(struct text *t, const struct script_result *r);
/** Those of encoding: `"f_port":…,"frm_payload":"…","decoded_payload":{…},"decoded_payload_warnings":[…]`.
 * @param f_port  that was asked for  @param data  what was encoded, a JSON object */
void shown_encoded(struct text *t, const struct script_result *r, uint8_t f_port, struct str data);
/** Why it failed, as compilers say it: `NAME:LINE: words`, without the line in the words again; without the number where it is not known. */
void shown_failure(struct text *t, const struct script_result *r, const char *name);

/** @file A check at the front of a record, so that a damaged one is noticed and passed over.
 *
 * Not against forgery: against bits that fell over, and pages of another time. Pure.
 */
#pragma once
#include "common/core/bytes.h"

enum { SEAL_BYTES = 4 };

/** Write the check of p + SEAL_BYTES to p + n into the first SEAL_BYTES of p. Less than that is left as it is. */
void seal_close(uint8_t *p, size_t n);
/** What stands behind the check; borrowed. @return 0; -EBADMSG the record is damaged */
int seal_open(struct slice record, struct slice *ret_content);

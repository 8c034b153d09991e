/** @file Writing JSON: commas and escapes by construction.
 *
 *     json_open(t, '{'); json_name(t, "f_port"); json_num(t, 15); json_close(t, '}');
 *
 * The separator is found by looking at the last character written, so values of one document must all go through here.
 */
#pragma once
#include "common/core/text.h"

void json_open(struct text *t, char bracket);  /**< '{' or '[' */
void json_close(struct text *t, char bracket); /**< '}' or ']' */
void json_name(struct text *t, const char *name);
void json_str(struct text *t, struct str s); /**< escaped; malformed UTF-8 becomes U+FFFD */
void json_puts(struct text *t, const char *z);
void json_unum(struct text *t, uint64_t v);
void json_num(struct text *t, int64_t v);
void json_dec(struct text *t, int64_t v, unsigned digits); /**< v / 10^digits */
void json_truth(struct text *t, bool v);
void json_null(struct text *t);
void json_b64(struct text *t, const void *p, size_t n);
void json_eui(struct text *t, uint64_t eui);      /**< "70B3D57ED0051234" */
void json_hex(struct text *t, const void *p, size_t n); /**< upper case */
void json_time(struct text *t, uint64_t unix_ns); /**< RFC 3339, see clock_rfc3339 */
void json_raw_out(struct text *t, struct str json); /**< a value that is JSON already */

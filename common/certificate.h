/** @file How long the certificate lasts that a TLS context shows. */
#pragma once
#include <stdint.h>

struct ssl_ctx_st;

/** @param tls  NULL: none. @return its end [us, unix]; 0: there is no certificate */
uint64_t certificate_end_us(const struct ssl_ctx_st *tls);

/** @file The certificate that MQTT clients are shown: as.tls-certificate and as.tls-key. */
#pragma once
#include "as/as.h"

struct ssl_ctx_st;

/** Make the context that as.mqtts-listen is served with.
 * @param ret  NULL where neither of the two files is set; else the caller's, for tls_free
 * @return 0; -errno with one line in *err */
int tls_new(struct as *as, struct ssl_ctx_st **ret, struct text *err);
/** Read both files again, for connections from now on. On failure the old ones stay. @return 0; -errno with
 * one line in *err */
int tls_reload(struct as *as, struct ssl_ctx_st *tls, struct text *err);
void tls_free(struct ssl_ctx_st *tls);

/** @file TLS of those who come in, by MQTT or HTTP: the certificate that they are shown, and the one that they may show. */
#pragma once
#include "as/as.h"

struct ssl_ctx_st;
struct ssl_st;

/** Which of them: as.mqtts-listen or as.https-listen. */
enum tls_use { TLS_MQTT, TLS_HTTP };

/** Make what their listener is served with: as.tls-certificate, as.tls-key, as.tls-client-ca, as.tls-client-certificates. HTTP clients
 * are asked for a certificate only where there is an authority, so that browsers know which one is meant, and need not have one.
 * @param ret  NULL where neither certificate nor key is set; else the caller's, for tls_free
 * @return 0; -errno with one line in *err */
int tls_new(struct as *as, enum tls_use use, struct ssl_ctx_st **ret, struct text *err);
/** Read the files again, for connections from now on. On failure the old ones stay. @param tls  NULL: there is nothing to do
 * @return 0; -errno with one line in *err */
int tls_reload(struct as *as, enum tls_use use, struct ssl_ctx_st *tls, struct text *err);
/** May an MQTT client enter over TLS that as.https-listen spoke with it: has it shown a certificate, if they are required?
 * @param tls  NULL: plain TCP, which needs none */
bool tls_may_enter(const struct as *as, const struct ssl_st *tls);
void tls_free(struct ssl_ctx_st *tls);
/** Is the word one of none, optional, required? */
bool tls_is_policy(struct str word);

/** What a client's certificate says. */
struct tls_client {
	uint8_t sha256[32];  /**< fingerprint of the whole certificate (DER) */
	char subject[256];   /**< RFC 2253, cut where it is longer: "CN=dev1,O=Example" */
	char common_name[65]; /**< "" if there is none, or it is longer than X.520 lets it be, or holds a NUL */
	bool is_verified;    /**< signed by as.tls-client-ca; without one nobody's word but the fingerprint's counts */
};
/** @param tls  of a connection; NULL: plain TCP @return 0; -ENOENT no certificate was shown */
int tls_client(const struct ssl_st *tls, struct tls_client *ret);

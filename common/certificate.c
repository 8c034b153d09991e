/** @file How long the certificate lasts that a TLS context shows. */
#include "common/certificate.h"
#include "common/core/clock.h"
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <time.h>

uint64_t certificate_end_us(const struct ssl_ctx_st *tls)
{
	const X509 *x = tls ? SSL_CTX_get0_certificate(tls) : NULL;
	struct tm utc;
	if (!x || ASN1_TIME_to_tm(X509_get0_notAfter(x), &utc) != 1)
		return 0;
	time_t end_s = timegm(&utc);
	return end_s > 0 ? (uint64_t)end_s * SEC_US : 0;
}

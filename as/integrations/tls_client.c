/** @file TLS towards other people's servers. */
#include "as/integrations/tls_client.h"
#include "common/core/err.h"
#include "common/net_tls.h"
#include <event2/bufferevent_ssl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static BIO *bio_of(struct str s)
{
	return s.n <= INT_MAX ? BIO_new_mem_buf(s.p, (int)s.n) : NULL;
}

/** "the CA …: what OpenSSL says". */
static int complain(struct text *why, const char *what)
{
	if (!why->len) {
		text_printf(why, "%s: ", what);
		net_tls_complaint(why);
	}
	ERR_clear_error();
	return -EINVAL;
}

/* Else OpenSSL would ask for the password of a key at the terminal. */
static int no_password(char *buf, int size, int is_writing, void *ctx)
{
	(void)buf, (void)size, (void)is_writing, (void)ctx;
	return -1;
}

static bool is_pem_end(void)
{
	unsigned long e = ERR_peek_last_error();
	bool is_end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
	if (is_end)
		ERR_clear_error();
	return is_end;
}

static int ca_load(SSL_CTX *tls, struct str pem, struct text *why)
{
	if (!pem.n)
		return SSL_CTX_set_default_verify_paths(tls) == 1 ? 0 : complain(why, "the certificates that this system trusts");
	X509_STORE *store = SSL_CTX_get_cert_store(tls);
	BIO *in = bio_of(pem);
	size_t n = 0;
	X509 *x = NULL;
	while (in && (x = PEM_read_bio_X509(in, NULL, no_password, NULL))) {
		bool is_in = X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
		if (!is_in)
			break;
		n++;
	}
	bool is_whole = !x && is_pem_end();
	BIO_free(in);
	if (!n && is_whole)
		text_puts(why, "the CA: there is no certificate in it; it should be PEM, with a line -----BEGIN CERTIFICATE-----");
	/* One certificate that is trusted is enough, it need not be a root. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls), X509_V_FLAG_PARTIAL_CHAIN);
	return n && is_whole ? 0 : complain(why, "the CA");
}

static int certificate_load(SSL_CTX *tls, struct str pem, struct text *why)
{
	BIO *in = bio_of(pem);
	X509 *x = in ? PEM_read_bio_X509(in, NULL, no_password, NULL) : NULL;
	if (!x && is_pem_end())
		text_puts(why, "the client certificate: there is none in it; it should be PEM, with a line -----BEGIN CERTIFICATE-----");
	bool is_good = x && SSL_CTX_use_certificate(tls, x) == 1;
	X509_free(x);
	while (is_good && (x = PEM_read_bio_X509(in, NULL, no_password, NULL)))
		if (SSL_CTX_add0_chain_cert(tls, x) != 1) {
			X509_free(x);
			is_good = false;
		}
	is_good = is_good && is_pem_end();
	BIO_free(in);
	return is_good ? 0 : complain(why, "the client certificate");
}

static int key_load(SSL_CTX *tls, struct str pem, struct text *why)
{
	BIO *in = bio_of(pem);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
	BIO_free(in);
	if (!key) {
		text_puts(why, "the client key: it is no private key in PEM, or has a password");
		return complain(why, "");
	}
	int rc = SSL_CTX_use_PrivateKey(tls, key) == 1 && SSL_CTX_check_private_key(tls) == 1 ? 0 : -EINVAL;
	EVP_PKEY_free(key);
	return rc ? complain(why, "the client key does not belong to the client certificate") : 0;
}

static int load(SSL_CTX *tls, const struct tls_client_options *o, struct text *why)
{
	if (!o->certificate.n != !o->key.n) {
		text_puts(why, o->key.n ? "there is a client key, and no client certificate" : "there is a client certificate, and no client key");
		return -EINVAL;
	}
	TRY(ca_load(tls, o->ca, why));
	if (!o->certificate.n)
		return 0;
	TRY(certificate_load(tls, o->certificate, why));
	return key_load(tls, o->key, why);
}

int tls_client_new(const struct tls_client_options *o, SSL_CTX **ret, struct text *why)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	if (!tls)
		return -ENOMEM;
	ERR_clear_error();
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	int rc = load(tls, o, why);
	if (rc)
		SSL_CTX_free(tls);
	else
		*ret = tls;
	return rc;
}

void tls_client_free(SSL_CTX *tls)
{
	SSL_CTX_free(tls);
}

/* What went wrong. */

static void verdict_words(long verdict, const char *host, struct text *t)
{
	switch (verdict) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		text_printf(t, "the certificate is for another name than %s", host);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		text_printf(t, "the certificate of %s has expired", host);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		text_printf(t, "the certificate of %s is not valid yet; is the clock of this machine right?", host);
		break;
	default:
		text_printf(t, "the certificate of %s is not trusted: %s; is its CA the one that was given?", host, X509_verify_cert_error_string(verdict));
	}
}

static const struct reason_row {
	int reason;
	const char *words;
} reasons[] = {
	{ SSL_R_WRONG_VERSION_NUMBER, "there is no TLS on this port" },
	{ SSL_R_HTTP_REQUEST, "there is no TLS on this port" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, "there is no TLS on this port" },
	{ SSL_R_BAD_RECORD_TYPE, "there is no TLS on this port" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "a client certificate is wanted" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, "our client certificate is not trusted there" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "our client certificate is not accepted" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "our client certificate is not accepted" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our client certificate has expired" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "our client certificate is revoked" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, "our client certificate may not come in" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "no terms of TLS in common, or a client certificate is wanted" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "TLS 1.2 or later is not spoken there" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, "TLS 1.2 or later is not spoken there" },
};

static const char *reason_words(unsigned long e)
{
	for (size_t i = 0; i < COUNT(reasons); i++)
		if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == reasons[i].reason)
			return reasons[i].words;
	/* An end that comes too soon is none of TLS's: who has the connection knows better what it was waiting for. */
	bool is_end = ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	return ERR_SYSTEM_ERROR(e) || is_end ? NULL : ERR_reason_error_string(e);
}

static void failure_words(unsigned long e, const char *host, struct text *t)
{
	const char *words = e ? reason_words(e) : NULL;
	if (words)
		text_printf(t, "TLS with %s failed: %s", host, words);
}

/** What it has said before it closed, if our own writing failed first: TLS 1.3 judges our certificate when we think that all is well. */
static unsigned long last_words(SSL *ssl)
{
	uint8_t b[512];
	ERR_clear_error();
	for (unsigned i = 0; i < 16 && SSL_is_init_finished(ssl) && SSL_read(ssl, b, sizeof b) > 0; i++)
		;
	unsigned long e = ERR_get_error();
	ERR_clear_error();
	return e;
}

bool tls_client_why(struct bufferevent *bev, const char *host, struct text *t)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	size_t before = t->len;
	if (!ssl)
		return false;
	long verdict = SSL_get_verify_result(ssl);
	if (verdict != X509_V_OK)
		verdict_words(verdict, host, t);
	for (unsigned long e; (e = bufferevent_get_openssl_error(bev)) != 0;)
		failure_words(t->len > before ? 0 : e, host, t);
	if (t->len == before)
		failure_words(last_words(ssl), host, t);
	return t->len > before;
}

/** @file Mutual TLS 1.3 for the bus between hosts. */
#include "common/certificate.h"
#include "proto/bus/bus_int.h"
#include <arpa/inet.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct bus_tls_ctx {
	SSL_CTX *ctx;
};

static int say(struct text *ret_error, const char *what, const char *file)
{
	unsigned long e = ERR_peek_last_error();
	const char *why = e ? ERR_reason_error_string(e) : NULL;
	text_printf(ret_error, "bus.tls-%s %s: %s", what, file, why ? why : "not understood");
	ERR_clear_error();
	return -EINVAL;
}

int bus_tls_open(const struct bus_tls *files, struct bus_tls_ctx **ret, struct text *ret_error)
{
	struct bus_tls_ctx *t = calloc(1, sizeof *t);
	SSL_CTX *c = SSL_CTX_new(TLS_method());
	int r = 0;
	ERR_clear_error();
	if (t)
		t->ctx = c;
	if (!t || !c || SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1)
		r = -ENOMEM;
	else if (SSL_CTX_load_verify_locations(c, files->ca, NULL) != 1)
		r = say(ret_error, "ca", files->ca);
	else if (SSL_CTX_use_certificate_chain_file(c, files->certificate) != 1)
		r = say(ret_error, "certificate", files->certificate);
	else if (SSL_CTX_use_PrivateKey_file(c, files->key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(c) != 1)
		r = say(ret_error, "key", files->key);
	if (r) {
		if (t)
			bus_tls_free(t);
		else
			SSL_CTX_free(c);
		return r;
	}
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	/* Every connection is verified in full: a resumed one would skip certificates that were renewed or revoked meanwhile. */
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(c, 0);
	*ret = t;
	return 0;
}

void bus_tls_free(struct bus_tls_ctx *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

uint64_t bus_tls_end_us(const struct bus_tls_ctx *t)
{
	return t ? certificate_end_us(t->ctx) : 0;
}

/** The side that connects insists on the name it was told to connect to. */
static int expect_host(SSL *ssl, char *host)
{
	struct in6_addr any;
	if (inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

struct bufferevent *bus_tls_wrap(struct bus_tls_ctx *t, struct event_base *base, int fd, char *host)
{
	SSL *ssl = SSL_new(t->ctx);
	bool connects = fd < 0;
	if (!ssl || (connects && expect_host(ssl, host) != 1)) {
		SSL_free(ssl);
		return NULL;
	}
	struct bufferevent *bev = bufferevent_openssl_socket_new(base, fd, ssl,
		connects ? BUFFEREVENT_SSL_CONNECTING : BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		SSL_free(ssl);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

void bus_tls_why(struct bufferevent *bev, struct text *t)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	long verdict = SSL_get_verify_result(ssl);
	if (verdict != X509_V_OK)
		text_puts(t, X509_verify_cert_error_string(verdict));
	for (unsigned long e; (e = bufferevent_get_openssl_error(bev)) != 0;) {
		const char *why = ERR_reason_error_string(e);
		if (why && !t->len)
			text_puts(t, why);
	}
}

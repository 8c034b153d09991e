/** @file TLS beneath libevent's bufferevents. */
#include "common/net_tls.h"
#include <arpa/inet.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { HOST_CAP = 256 };

/** @param ssl  taken; NULL: there was no memory for it */
static struct bufferevent *wrap(struct event_base *base, int fd, SSL *ssl, enum bufferevent_ssl_state state)
{
	struct bufferevent *bev = ssl ? bufferevent_openssl_socket_new(base, fd, ssl, state, BEV_OPT_CLOSE_ON_FREE) : NULL;
	if (bev)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	else
		SSL_free(ssl);
	return bev;
}

struct bufferevent *net_tls_accept(struct event_base *base, int fd, SSL_CTX *tls)
{
	return tls ? wrap(base, fd, SSL_new(tls), BUFFEREVENT_SSL_ACCEPTING) : bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
}

static bool expect_host(SSL *ssl, const char *host)
{
	struct in6_addr any;
	char name[HOST_CAP];
	if (inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return str_copy(str_of(host), name, sizeof name) == 0 && SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

struct bufferevent *net_tls_connect(struct event_base *base, SSL_CTX *tls, const char *host)
{
	SSL *ssl = SSL_new(tls);
	if (ssl && !expect_host(ssl, host)) {
		SSL_free(ssl);
		ssl = NULL;
	}
	return wrap(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING);
}

void net_tls_close(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	if (!ssl || !SSL_is_init_finished(ssl))
		return;
	(void)SSL_shutdown(ssl);
	ERR_clear_error();
}

bool net_tls_heard_http(struct bufferevent *bev)
{
	bool is_http = false;
	for (unsigned long e; (e = bufferevent_get_openssl_error(bev)) != 0;)
		is_http |= ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_HTTP_REQUEST;
	return is_http;
}

void net_tls_why(struct bufferevent *bev, struct text *t)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
	if (verdict != X509_V_OK)
		text_puts(t, X509_verify_cert_error_string(verdict));
	for (unsigned long e; ssl && (e = bufferevent_get_openssl_error(bev)) != 0;) {
		const char *why = ERR_reason_error_string(e);
		if (why && !t->len)
			text_puts(t, why);
	}
}

void net_tls_complaint(struct text *t)
{
	const char *why = "not understood";
	for (unsigned long e; (e = ERR_get_error()) != 0;) {
		const char *reason = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
		why = reason ? reason : why;
		if (ERR_SYSTEM_ERROR(e)) /* what follows says only that there was one */
			break;
	}
	text_puts(t, why);
	ERR_clear_error();
}

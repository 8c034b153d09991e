/** @file Mutual TLS 1.3 for the bus between hosts. */
#include "common/certificate.h"
#include "common/net_tls.h"
#include "proto/bus/bus_int.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct bus_tls_ctx {
	SSL_CTX *ctx;
};

static int say(struct text *ret_error, const char *what, const char *file)
{
	text_printf(ret_error, "bus.tls-%s %s: ", what, file);
	net_tls_complaint(ret_error);
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

struct bufferevent *bus_tls_wrap(struct bus_tls_ctx *t, struct event_base *base, int fd, const char *host)
{
	/* The side that connects insists on the name it was told to connect to. */
	return fd < 0 ? net_tls_connect(base, t->ctx, host) : net_tls_accept(base, fd, t->ctx);
}

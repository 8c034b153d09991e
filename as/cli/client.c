/** @file A blocking HTTP client for the command line, on evhttp. */
#include "as/cli/client.h"
#include "common/core/json.h"
#include "common/net.h"
#include "common/net_tls.h"
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <limits.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 256 << 20, TIMEOUT_S = 60, STREAM_TIMEOUT_S = 10 * 365 * 86400, HTTP_PORT = 1885, HTTPS_PORT = 8885 };

/** The contents of a small file in a folder. @return 0; -errno */
static int read_small(const char *dir, const char *leaf, char *buf, size_t cap)
{
	char path[PATH_MAX];
	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, leaf) >= sizeof path)
		return -ENAMETOOLONG;
	FILE *f = fopen(path, "re");
	if (!f)
		return -errno;
	size_t n = fread(buf, 1, cap - 1, f);
	fclose(f);
	buf[n] = '\0';
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		buf[--n] = '\0';
	return 0;
}

/** The API's address on this host, from addresses.json. */
static int local_address(const char *dir, char *ret, size_t cap, struct text *err)
{
	char file[4096], where[128];
	struct json_tok tok[64];
	struct json j;
	int r = read_small(dir, "addresses.json", file, sizeof file);
	if (r == -EACCES) {
		text_printf(err, "no permission to read %s: run as its owner (sudo), or give --address and --api-key", dir);
		return -ENOENT;
	}
	bool is_read = !r && !json_parse(str_of(file), tok, COUNT(tok), &j, NULL);
	if (is_read && json_get(&j, json_root(&j), "as.http") < 0 && json_get(&j, json_root(&j), "as.https") >= 0) {
		text_printf(err, "Godwit speaks only HTTPS here (as.http-listen is empty): give --address https://NAME:PORT, with the name of its certificate");
		return -ENOENT;
	}
	if (!is_read || json_string(&j, json_get(&j, json_root(&j), "as.http"), where, sizeof where)) {
		text_printf(err, "no Godwit has written its addresses in %s: is it running? Give --state-dir, or --address and --api-key", dir);
		return -ENOENT;
	}
	snprintf(ret, cap, "http://%s", where);
	return 0;
}

/** Does the address stay on this host? */
static bool is_this_host(const char *address)
{
	const char *host = strstr(address, "://") + 3;
	struct str name = {host, *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/")};
	return str_is(name, "localhost") || str_is(name, "[::1]") ||
	       (str_starts(name, "127.") && strspn(host, "0123456789.") == name.n);
}

/** The operator's key on this host. @param is_found  the address is of the same folder: then there is one */
static int local_key(struct client *c, const char *dir, bool is_found, struct text *err)
{
	int r = read_small(dir, "admin.key", c->key, sizeof c->key);
	if (!r)
		return 0;
	c->key[0] = '\0';
	if (r != -EACCES || !is_found)
		return 0;
	text_printf(
		err, "no permission to read %s/admin.key: run as its owner (sudo), or give --api-key", dir);
	return -ENOENT;
}

/** What a flag says, or else the environment; NULL: neither. */
static const char *said(const char *flag, const char *variable)
{
	const char *env = getenv(variable);
	return flag ? flag : env && *env ? env : NULL;
}

const char *client_state_dir(const char *flag)
{
	const char *dir = said(flag, "GODWIT_STATE_DIR");
	return dir ? dir : "/var/lib/godwit";
}

static bool is_https(const struct client *c)
{
	return str_starts(str_of(c->address), "https://");
}

/** Whose word is taken for whose certificate is whose. */
static int trust(struct client *c, const char *ca, struct text *err)
{
	c->tls = SSL_CTX_new(TLS_client_method());
	if (!c->tls || SSL_CTX_set_min_proto_version(c->tls, TLS1_2_VERSION) != 1)
		return -ENOMEM;
	SSL_CTX_set_verify(c->tls, SSL_VERIFY_PEER, NULL);
	if (!ca)
		return SSL_CTX_set_default_verify_paths(c->tls) == 1 ? 0 : -ENOMEM;
	if (SSL_CTX_load_verify_file(c->tls, ca) == 1)
		return 0;
	text_printf(err, "--ca: %s cannot be used: ", ca);
	net_tls_complaint(err);
	return -EINVAL;
}

int client_find(struct client *c, const struct client_flags *flags, struct text *err)
{
	const char *dir = client_state_dir(flags->state_dir);
	const char *address = said(flags->address, "GODWIT_ADDRESS"), *key = said(flags->key, "GODWIT_API_KEY");
	if (address)
		snprintf(c->address, sizeof c->address, "%s%s", strstr(address, "://") ? "" : "http://",
			address);
	else
		TRY(local_address(dir, c->address, sizeof c->address, err));
	if (key && strlen(key) >= sizeof c->key) {
		text_printf(err, "--api-key is too long for a key");
		return -ENOENT;
	}
	if (key)
		snprintf(c->key, sizeof c->key, "%s", key);
	if (is_https(c))
		TRY(trust(c, said(flags->ca, "GODWIT_CA"), err));
	return key || (address && !is_this_host(c->address)) ? 0 : local_key(c, dir, !address, err);
}

void client_done(struct client *c)
{
	SSL_CTX_free(TAKE(c->tls));
}

struct request {
	const char *method, *path;
	struct str body;
};

struct call {
	struct event_base *base;
	struct text *body, *err;
	int (*chunk)(void *ctx, struct str piece);
	void *ctx;
	int status;      /**< 0: no answer yet */
	bool is_whole;   /**< the answer has come to its end */
	bool is_stopped; /**< `chunk` wants no more */
};

static void on_chunk(struct evhttp_request *req, void *ctx)
{
	struct call *call = ctx;
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t n = evbuffer_get_length(in);
	struct str piece = { n ? (const char *)evbuffer_pullup(in, -1) : "", n };
	call->status = evhttp_request_get_response_code(req);
	if (call->chunk && call->status == HTTP_OK) {
		call->is_stopped = n && call->chunk(call->ctx, piece);
		if (call->is_stopped)
			event_base_loopbreak(call->base);
	} else {
		text_put(call->body, piece);
	}
	evbuffer_drain(in, n);
}

static void on_done(struct evhttp_request *req, void *ctx)
{
	struct call *call = ctx;
	int status = req ? evhttp_request_get_response_code(req) : 0;
	if (status) {
		on_chunk(req, ctx);
		call->is_whole = true;
	}
	event_base_loopbreak(call->base);
}

static enum evhttp_cmd_type verb(const char *method)
{
	static const struct { const char *name; enum evhttp_cmd_type cmd; } verbs[] = {
		{ "POST", EVHTTP_REQ_POST }, { "PUT", EVHTTP_REQ_PUT }, { "DELETE", EVHTTP_REQ_DELETE },
	};
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (!strcmp(method, verbs[i].name))
			return verbs[i].cmd;
	return EVHTTP_REQ_GET;
}

/** Send the request over a connection that is the call's alone. @return 0; -ENOMEM */
static int send_request(struct call *call, struct evhttp_connection *conn, const struct client *c, const struct evhttp_uri *uri,
	const struct request *rq)
{
	struct evhttp_request *req = evhttp_request_new(on_done, call);
	if (!req)
		return -ENOMEM;
	evhttp_request_set_chunked_cb(req, on_chunk);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	char bearer[sizeof c->key + 8];
	snprintf(bearer, sizeof bearer, "Bearer %s", c->key);
	evhttp_add_header(headers, "Host", evhttp_uri_get_host(uri));
	evhttp_add_header(headers, "Connection", "close");
	if (c->key[0])
		evhttp_add_header(headers, "Authorization", bearer);
	if (rq->body.n) {
		evhttp_add_header(headers, "Content-Type", "application/json");
		evbuffer_add(evhttp_request_get_output_buffer(req), rq->body.p, rq->body.n);
	}
	return evhttp_make_request(conn, req, verb(rq->method), rq->path) ? -ENOMEM : 0;
}

/** Where the API is, from "http://HOST:PORT". @return 0; -EINVAL with one line in *err */
static int parse_address(const struct client *c, struct evhttp_uri **ret, char ret_host[256], uint16_t *ret_port, struct text *err)
{
	struct evhttp_uri *uri = evhttp_uri_parse(c->address);
	const char *host = uri ? evhttp_uri_get_host(uri) : NULL, *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
	if (!host || !*host || !scheme || (strcmp(scheme, "http") && strcmp(scheme, "https"))) {
		text_printf(err, "%s is not an address: write http://HOST:PORT or https://HOST:PORT", c->address);
		if (uri)
			evhttp_uri_free(uri);
		return -EINVAL;
	}
	const char *bare = *host == '[' ? host + 1 : host;
	int port = evhttp_uri_get_port(uri);
	snprintf(ret_host, 256, "%.*s", (int)strcspn(bare, "]"), bare);
	*ret_port = (uint16_t)(port > 0 ? port : c->tls ? HTTPS_PORT : HTTP_PORT);
	*ret = uri;
	return 0;
}

/** The number of a host that has a name. evhttp would try the first of its addresses alone: for localhost, where IPv6 is up, that is ::1,
 * and nobody listens there. */
static void look_up(const char *host, uint16_t port, char ret_number[256])
{
	char where[256 + 2];
	struct net_address a;
	snprintf(where, sizeof where, strchr(host, ':') ? "[%s]" : "%s", host);
	if (net_parse(str_of(where), port, &a) || getnameinfo((const struct sockaddr *)&a.sa, a.len, ret_number, 256, NULL, 0, NI_NUMERICHOST))
		snprintf(ret_number, 256, "%s", host);
}

int client_connection(const struct client *c, struct event_base *base, struct evhttp_connection **ret, struct text *err)
{
	struct evhttp_uri *uri;
	char host[256], number[256];
	uint16_t port;
	TRY(parse_address(c, &uri, host, &port, err));
	evhttp_uri_free(uri);
	look_up(host, port, number);
	struct bufferevent *bev = c->tls ? net_tls_connect(base, c->tls, host) : NULL;
	struct evhttp_connection *conn = bev || !c->tls ? evhttp_connection_base_bufferevent_new(base, NULL, bev, number, port) : NULL;
	if (!conn && bev)
		bufferevent_free(bev);
	*ret = conn;
	return conn ? 0 : -ENOMEM;
}

/** Why there was no answer. */
static void say_silence(const struct client *c, struct evhttp_connection *conn, struct text *err)
{
	char buf[256];
	struct text why = text_fixed(buf, sizeof buf);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
	SSL *ssl = bev ? bufferevent_openssl_get_ssl(bev) : NULL;
	long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
	if (ssl)
		net_tls_why(bev, &why);
	if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
		text_printf(err, "the certificate of %s is another host's: write its name into the address as the certificate has it", c->address);
	else if (verdict != X509_V_OK)
		text_printf(err, "the certificate of %s is not trusted: %s; --ca FILE or GODWIT_CA names its authority", c->address, buf);
	else if (why.len)
		text_printf(err, "no TLS with %s: %s", c->address, buf);
	else
		text_printf(err, "no answer from %s: is Godwit running there?", c->address);
}

/** Send the request and wait for its end. @return 0; -errno with one line in *call->err */
static int exchange(struct call *call, const struct client *c, const struct evhttp_uri *uri, struct evhttp_connection *conn,
	const struct request *rq)
{
	evhttp_connection_set_max_body_size(conn, BODY_MAX);
	evhttp_connection_set_timeout(conn, call->chunk ? STREAM_TIMEOUT_S : TIMEOUT_S);
	TRY(send_request(call, conn, c, uri, rq));
	event_base_dispatch(call->base);
	if (call->is_whole || call->is_stopped)
		return 0;
	if (call->status)
		text_printf(call->err, "the answer of %s broke off", c->address);
	else
		say_silence(c, conn, call->err);
	return call->status ? -ECONNRESET : -ECONNREFUSED;
}

int client_call(const struct client *c, const char *method, const char *path, struct str body, struct text *ret_body,
	int (*chunk)(void *ctx, struct str piece), void *ctx, struct text *err)
{
	struct call call = { .base = event_base_new(), .body = ret_body, .err = err, .chunk = chunk, .ctx = ctx };
	struct evhttp_connection *conn = NULL;
	struct evhttp_uri *uri = NULL;
	char host[256];
	uint16_t port;
	int r = call.base ? parse_address(c, &uri, host, &port, err) : -ENOMEM;
	if (!r)
		r = client_connection(c, call.base, &conn, err);
	if (!r)
		r = exchange(&call, c, uri, conn, &(struct request){ method, path, body });
	if (conn)
		evhttp_connection_free(conn);
	if (uri)
		evhttp_uri_free(uri);
	if (call.base)
		event_base_free(call.base);
	return r ? r : call.status;
}

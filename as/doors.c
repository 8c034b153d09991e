/** @file Where MQTT clients come in, and how much of anything one of them may take. */
#include "as/doors.h"
#include "as/core/guard.h"
#include "as/core/mqtt/mqtt_map.h"
#include "as/mqtt_listener.h"
#include "as/mqtt_websocket.h"
#include "as/tls.h"
#include "common/certificate.h"
#include "common/log.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FAILURES_WINDOW_US (60 * SEC_US)
enum { HOST_NAME_BYTES = 253, MQTT_PORT = 1883, MQTTS_PORT = 8883, OTHER_FILES = 200 /* descriptors for all but clients of MQTT and HTTP */ };

struct doors {
	struct mqtt_listener *listener;
	struct guard *guard;
	struct ssl_ctx_st *tls; /**< of as.mqtts-listen; NULL: not set */
	char address[2][128];   /**< listened on first: plain, TLS; "": not */
	struct mqtt_map secret; /**< its seed: what credentials are hashed with */
};

static int after_commit(void *ctx, void (*fn)(void *ctx), void *fn_ctx)
{
	struct as *as = ctx;
	return as->store ? store_after(as->store, fn, fn_ctx) : -ENODEV;
}

/** "10.0.0.0/8", "::1", "192.0.2.7". @return 0; -EINVAL */
static int network_parse(struct str s, struct guard_ip *ret_ip, unsigned *ret_bits)
{
	struct str host;
	struct net_address a;
	uint64_t bits;
	char plain[64];
	struct str prefix = str_cut(s, '/', &host);
	/* No name: a resolver may not answer, and what it answers may change. */
	if (str_copy(host, plain, sizeof plain) || strspn(plain, "0123456789abcdefABCDEF.:") != host.n || net_parse(host, 0, &a))
		return -EINVAL;
	*ret_ip = mqtt_listener_ip(&a);
	bool is_ipv4 = a.sa.ss_family == AF_INET;
	bits = is_ipv4 ? 32 : 128;
	uint64_t most = bits;
	if (host.n < s.n && (num_u64(prefix, &bits) || bits > most))
		return -EINVAL;
	*ret_bits = (unsigned)(is_ipv4 ? bits + 96 : bits);
	return 0;
}

/** Trust each network that the setting names. */
static int trust_all(const struct daemon *daemon, const struct as_settings *s, struct guard *g, struct text *err)
{
	struct str rest = str_of(s->mqtt_trusted), one;
	while (rest.n) {
		struct guard_ip ip;
		unsigned bits;
		rest = str_cut(rest, ',', &one);
		one = str_trim(one);
		if (one.n == 0)
			continue;
		if (network_parse(one, &ip, &bits) == 0 && guard_trust(g, &ip, bits) == 0)
			continue;
		daemon_where(daemon, err, "as.mqtt-trusted");
		text_printf(err, ": \"%.*s\" is no address or network such as 192.168.1.0/24, or there are more than %d", STR_ARG(one), GUARD_TRUSTED_MAX);
		return -EINVAL;
	}
	return 0;
}

/** "godwit.example.net", "192.0.2.7", "2001:db8::7"; no port, no path. */
static bool is_host(struct str s)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:";
	size_t colons = 0;
	for (size_t i = 0; i < s.n; i++)
		colons += s.p[i] == ':';
	return s.n <= HOST_NAME_BYTES && strspn(s.p, letters) == s.n && colons != 1;
}

int doors_check(const struct daemon *daemon, const struct as_settings *s, struct text *err)
{
	struct guard *g = guard_new(&(struct guard_options){ 0 });
	int r = g ? trust_all(daemon, s, g, err) : -ENOMEM;
	guard_free(g);
	if (r == 0 && s->public_address[0] && !is_host(str_of(s->public_address))) {
		daemon_where(daemon, err, "as.public-address");
		text_printf(err, ": \"%s\" is no host name or address; ports are those of as.mqtt-listen and as.mqtts-listen", s->public_address);
		return -EINVAL;
	}
	if (r || tls_is_policy(str_of(s->tls_client_certificates)))
		return r;
	daemon_where(daemon, err, "as.tls-client-certificates");
	text_printf(err, ": \"%s\" is none of none, optional and required", s->tls_client_certificates);
	return -EINVAL;
}

/** As many connections as the setting says, or as the system lets this process have besides those of HTTP. */
static uint32_t connections_possible(const struct as_settings *s)
{
	const rlim_t others = OTHER_FILES + s->http_connections;
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files))
		return s->mqtt_connections;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	rlim_t possible = files.rlim_max > 2 * others ? files.rlim_max - others : files.rlim_max / 2;
	if (files.rlim_max == RLIM_INFINITY || s->mqtt_connections <= possible)
		return s->mqtt_connections;
	LOG(LOG_INFO, "mqtt_connections", KV_U("wanted", s->mqtt_connections), KV_U("possible", (uint64_t)possible),
		KV_Z("why", "open files (RLIMIT_NOFILE)"));
	return (uint32_t)possible;
}

static void get_mqtt(void *ctx, struct http_request *r)
{
	struct as *as = ctx;
	if (!tls_may_enter(as, http_tls(r))) {
		http_reply_error(r, 403, "MQTT needs a client certificate here: see as.tls-client-certificates");
		return;
	}
	mqtt_websocket_open(as->doors->listener, as->settings->websocket_origins, r);
}

static const struct http_route routes[] = {
	{ HTTP_GET, "/mqtt", get_mqtt },
	{ HTTP_GET, NULL, NULL },
};

int doors_start(struct as *as, struct text *err)
{
	const struct as_settings *s = as->settings;
	struct doors *d = as->doors = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	const struct guard_options guarding = { .connections = s->mqtt_connections_per_address, .failures = s->mqtt_login_failures,
		.window_us = FAILURES_WINDOW_US, .lockout_us = s->mqtt_login_lockout };
	d->secret.seed = rng_u64(&as->rng);
	d->guard = guard_new(&guarding);
	if (!d->guard)
		return -ENOMEM;
	TRY(trust_all(as->daemon, s, d->guard, err));
	const struct mqtt_listener_options listening = { .after = after_commit, .after_ctx = as, .guard = d->guard,
		.connections = connections_possible(s), .refusal_delay_us = s->mqtt_refusal_delay,
		.total_bytes = s->mqtt_memory };
	d->listener = mqtt_listener_new(as->loop, &listening);
	if (!d->listener)
		return -ENOMEM;
	as_add_routes(as, routes);
	return tls_new(as, TLS_MQTT, &d->tls, err);
}

void doors_stop(struct as *as)
{
	struct doors *d = as->doors;
	if (!d)
		return;
	mqtt_listener_free(d->listener);
	guard_free(d->guard);
	tls_free(d->tls);
	free(d);
	as->doors = NULL;
}

void doors_fit(const struct as *as, struct mqtt_engine_options *o)
{
	const struct as_settings *s = as->settings;
	o->sink = mqtt_listener_sink(as->doors->listener);
	o->limits.packet_bytes = (uint32_t)s->mqtt_packet_size;
	o->limits.topic_bytes = (uint32_t)s->mqtt_topic_size;
	o->limits.topic_levels = s->mqtt_topic_levels;
	o->limits.topic_aliases = s->mqtt_topic_aliases;
	o->limits.queue_messages = s->mqtt_queue_messages;
	o->limits.queue_bytes = (uint32_t)s->mqtt_queue_size;
	o->limits.inflight = s->mqtt_in_flight;
	o->limits.receive_max = s->mqtt_receive_maximum;
	o->limits.subscriptions = s->mqtt_subscriptions;
	o->limits.filters = s->mqtt_filters;
	o->limits.client_id_bytes = (uint32_t)s->mqtt_client_id_size;
	o->limits.sessions = s->mqtt_sessions_per_application;
	o->limits.session_expiry_s = (uint32_t)(s->mqtt_session_expiry / SEC_US);
	o->connect_bytes = (uint32_t)s->mqtt_connect_size;
	o->connect_s = (uint32_t)((s->mqtt_connect_timeout + SEC_US - 1) / SEC_US);
	o->sessions = s->mqtt_sessions;
	o->total_bytes = s->mqtt_memory;
}

struct door {
	const char *key, *addresses; /**< setting and its value */
	const char *name;            /**< in addresses.json */
	uint16_t port;               /**< where an address names none */
	struct ssl_ctx_st *tls;      /**< NULL: plain TCP */
};

static int listen_on(struct as *as, const struct door *d, struct str address, char shown[128], struct text *err)
{
	struct net_address a;
	struct text t = text_fixed(shown, 128);
	int fd = -1;
	int r = net_parse(address, d->port, &a);
	if (!r)
		r = mqtt_listener_open(as->doors->listener, &a, d->tls, &fd);
	if (r) {
		daemon_where(as->daemon, err, d->key);
		text_printf(err, ": cannot listen on %.*s for MQTT: %s; choose another one with %s",
			STR_ARG(address), strerror(-r), d->key);
		return r;
	}
	TRY(net_local(fd, &a));
	net_text(&t, &a);
	LOG(LOG_INFO, "listen", KV_Z("what", d->tls ? "mqtts" : "mqtt"), KV_Z("address", shown));
	return 0;
}

/** Listen on each of the addresses. The first one is what addresses.json says. */
static int listen_on_all(struct as *as, const struct door *d, struct text *err)
{
	struct str rest = str_of(d->addresses), one;
	for (bool is_first = true; rest.n; is_first = false) {
		char shown[128];
		rest = str_cut(rest, ',', &one);
		TRY(listen_on(as, d, str_trim(one), shown, err));
		if (!is_first)
			continue;
		memcpy(as->doors->address[d->tls != NULL], shown, sizeof shown);
		TRY(daemon_address(as->daemon, d->name, shown));
	}
	return 0;
}

const char *doors_address(const struct as *as, bool is_tls)
{
	return as->doors->address[is_tls];
}

int doors_open(struct as *as, struct mqtt_engine *e, struct text *err)
{
	const struct as_settings *s = as->settings;
	const struct door plain = { "as.mqtt-listen", s->mqtt_listen, "as.mqtt", MQTT_PORT, NULL };
	const struct door tls = { "as.mqtts-listen", s->mqtts_listen, "as.mqtts", MQTTS_PORT, as->doors->tls };
	mqtt_listener_attach(as->doors->listener, e);
	TRY(listen_on_all(as, &plain, err));
	return tls.tls ? listen_on_all(as, &tls, err) : 0;
}

bool doors_trusts(const struct as *as, const struct net_address *from)
{
	const struct guard_ip ip = mqtt_listener_ip(from);
	return as->doors && guard_trusts(as->doors->guard, &ip);
}

void doors_count(struct as *as)
{
	const struct mqtt_listener_stats *s = mqtt_listener_stats(as->doors->listener);
	as->metrics.mqtt_connections = s->connections;
	as->metrics.certificate = certificate_end_us(as->http_tls ? as->http_tls : as->doors->tls); /* either may be off */
	as->metrics.mqtt_unsent = s->waiting_bytes;
	as->metrics.mqtt_turned_away = s->refused + s->refused_address;
}

void doors_close(struct as *as)
{
	mqtt_listener_stop(as->doors->listener);
}

void doors_reload(struct as *as)
{
	char buf[512];
	struct text err = text_fixed(buf, sizeof buf);
	if (tls_reload(as, TLS_MQTT, as->doors->tls, &err))
		LOG(LOG_ERROR, "reload_failed", KV_Z("why", buf));
}

/** What was tried, so that it can be known again and not read back. */
static uint64_t credentials_hash(const struct doors *d, const struct mqtt_login_request *rq)
{
	uint64_t user = mqtt_map_hash(&d->secret, rq->user.is_present, rq->user.s.p, rq->user.s.n);
	return mqtt_map_hash(&d->secret, user, rq->password.s.p, rq->password.s.n);
}

bool doors_may_try(struct as *as, const struct mqtt_login_request *rq, struct text *ret_why)
{
	const struct mqtt_peer *peer = rq->peer;
	const struct doors *d = as->doors;
	uint64_t left_us = guard_locked_us(d->guard, &peer->ip, credentials_hash(d, rq), loop_now(as->loop)->mono_us);
	if (!left_us)
		return true;
	mqtt_listener_delay(d->listener, peer);
	text_printf(ret_why, "too many different wrong logins from this address; try again in %u s", (unsigned)(left_us / SEC_US) + 1);
	return false;
}

/** For an operator who wonders which certificate a client shows. */
static void say_certificate(const struct mqtt_peer *peer)
{
	struct tls_client c;
	char hex[2 * sizeof c.sha256 + 1];
	struct text t = text_fixed(hex, sizeof hex);
	if (tls_client(peer->tls, &c))
		return;
	text_hex(&t, c.sha256, sizeof c.sha256, false);
	LOG(LOG_DEBUG, "mqtt_certificate", KV_Z("subject", c.subject), KV_Z("common_name", c.common_name), KV_Z("sha256", hex),
		KV_Z("verified", c.is_verified ? "yes" : "no"));
}

void doors_tried(struct as *as, const struct mqtt_login_request *rq, bool is_right)
{
	const struct mqtt_peer *peer = rq->peer;
	const struct doors *d = as->doors;
	char shown[128];
	struct text t = text_fixed(shown, sizeof shown);
	say_certificate(peer);
	if (is_right) {
		guard_passed(d->guard, &peer->ip, credentials_hash(d, rq));
		return;
	}
	if (!guard_trusts(d->guard, &peer->ip))
		mqtt_listener_delay(d->listener, peer);
	if (!guard_failed(d->guard, &peer->ip, credentials_hash(d, rq), loop_now(as->loop)->mono_us))
		return;
	as->metrics.mqtt_lockouts++;
	net_text(&t, &peer->address);
	LOG(LOG_WARN, "mqtt_locked_out", KV_Z("address", shown), KV_U("seconds", as->settings->mqtt_login_lockout / SEC_US));
}

/** @file The wire of one MQTT client: step by step to the broker, and what is said when a step fails. */
#include "as/integrations/mqtt_link.h"
#include "as/core/integration/address.h"
#include "as/core/integration/websocket_answer.h"
#include "as/mqtt_listener.h"
#include "as/websocket.h"
#include "common/net_tls.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	WORDS_CAP = 640,
	READ_BYTES = 16 << 10,
	FULL_BYTES = 64 << 10,       /* so much waits for the broker at most, and one message more */
	FLOOD_BYTES = 256 << 10,     /* and so much, if it asks for Pongs and takes none */
	PACKET_MAX = 256 << 10,      /* of the broker's, if nothing else is said */
	LAST_BYTES = 16 << 10,
	CONNECT_S = 10, ACK_S = 60,
	NEXT_ADDRESS_S = 3,          /* so long an address is tried that is not the last */
	STUCK_S = 30,                /* so long the broker may take nothing */
};

enum step { STEP_CLOSED, STEP_NAME, STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_OPEN, STEP_ENDING };

struct mqtt_link {
	struct loop *loop;
	struct resolver *resolver;
	struct broker_url url;
	struct mqtt_link_user user;
	struct mqtt_client *client;
	SSL_CTX *tls; /**< NULL: plain */
	struct rng rng;
	uint64_t connect_us;
	bool is_public_only;
	struct loop_timer *timer;

	enum step step;
	uint64_t step_due_us;
	struct resolver_question *question;
	struct resolver_answer addresses;
	size_t address; /**< which of them is tried */
	char tried[320]; /**< what became of those before: "192.0.2.1:1883: Connection refused; " */
	size_t tried_n;
	int fd;         /**< while it connects; then it is the bufferevent's */
	struct event *connected;
	struct bufferevent *bev;
	size_t need; /**< octets before the client has use for them; 0: it does not want any */
	struct websocket *websocket;
	struct evbuffer *stream; /**< what the WebSocket's frames carried */
	char accept[WEBSOCKET_KEY_TEXT + 1];
	bool is_resumed, is_flooded;
	enum mqtt_fault fault;
	char words[WORDS_CAP];
};

static void try_address(struct mqtt_link *k);

/* Time. */

static uint64_t now_us(const struct mqtt_link *k)
{
	return loop_now(k->loop)->mono_us;
}

static void arm(struct mqtt_link *k)
{
	if (k->step == STEP_ENDING || (k->step == STEP_OPEN && k->is_resumed))
		loop_timer_at(k->timer, 0);
	else if (k->step == STEP_OPEN)
		loop_timer_at(k->timer, mqtt_client_deadline_us(k->client));
	else
		loop_timer_at(k->timer, k->step == STEP_CLOSED ? UINT64_MAX : k->step_due_us);
}

static void step_begin(struct mqtt_link *k, enum step step, uint64_t in_us)
{
	k->step = step;
	k->step_due_us = now_us(k) + in_us;
	arm(k);
}

/* Ends. */

static void unplug(struct mqtt_link *k)
{
	resolver_forget(TAKE(k->question));
	if (k->connected)
		event_free(TAKE(k->connected));
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	websocket_free(TAKE(k->websocket));
	if (k->stream)
		evbuffer_free(TAKE(k->stream));
	if (k->bev)
		bufferevent_free(TAKE(k->bev));
	k->is_resumed = k->is_flooded = false;
}

/** Its owner hears of it from the timer, so never from within what it does itself. The words are in k->words. */
static void end(struct mqtt_link *k, enum mqtt_fault fault)
{
	k->fault = fault;
	mqtt_client_lost(k->client);
	unplug(k);
	step_begin(k, STEP_ENDING, 0);
}

static void fail(struct mqtt_link *k, enum mqtt_fault fault, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void fail(struct mqtt_link *k, enum mqtt_fault fault, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(k->words, sizeof k->words, fmt, args);
	va_end(args);
	end(k, fault);
}

/** The address that is tried, for people: "broker.example.com:1883 (192.0.2.1:1883)". */
static const char *place(const struct mqtt_link *k, char *buf, size_t cap)
{
	struct text t = text_fixed(buf, cap);
	bool is_ipv6 = strchr(k->url.host, ':') != NULL;
	text_printf(&t, "%s%s%s:%u", is_ipv6 ? "[" : "", k->url.host, is_ipv6 ? "]" : "", k->url.port);
	if (k->address < k->addresses.n) {
		char at[80];
		struct text a = text_fixed(at, sizeof at);
		net_text(&a, &k->addresses.v[k->address]);
		if (!str_eq(text_str(&a), text_str(&t)))
			text_printf(&t, " (%s)", at);
	}
	return buf;
}

/* The client's wire. */

static bool on_send(void *ctx, const struct slice *parts, size_t n)
{
	struct mqtt_link *k = ctx;
	struct evbuffer *out = bufferevent_get_output(k->bev);
	int rc = 0;
	if (k->websocket)
		rc = websocket_send(k->websocket, parts, n);
	for (size_t i = 0; !k->websocket && i < n; i++)
		if (parts[i].n && evbuffer_add(out, parts[i].p, parts[i].n))
			rc = -ENOMEM;
	if (rc) /* half a packet: nothing can follow it */
		(void)shutdown(bufferevent_getfd(k->bev), SHUT_RDWR);
	return evbuffer_get_length(out) > FULL_BYTES;
}

static void on_resume(void *ctx)
{
	struct mqtt_link *k = ctx;
	k->is_resumed = true;
	(void)bufferevent_enable(k->bev, EV_READ);
	arm(k);
}

static void on_close(void *ctx, enum mqtt_fault fault, struct str words)
{
	struct mqtt_link *k = ctx;
	struct text t = text_fixed(k->words, sizeof k->words);
	text_put(&t, words);
	end(k, fault);
}

/* Octets in. */

static int on_frame_data(void *ctx, struct slice octets)
{
	struct mqtt_link *k = ctx;
	return evbuffer_add(k->stream, octets.p, octets.n) ? -ENOMEM : 0;
}

static int on_frame_write(void *ctx, struct slice octets)
{
	struct mqtt_link *k = ctx;
	return evbuffer_add(bufferevent_get_output(k->bev), octets.p, octets.n) ? -ENOMEM : 0;
}

static void want(struct mqtt_link *k, size_t need)
{
	size_t least = need > READ_BYTES && !k->websocket ? need : 0;
	k->need = need;
	if (need == 0)
		(void)bufferevent_disable(k->bev, EV_READ);
	else /* never more than one packet beyond what is read at once */
		bufferevent_setwatermark(k->bev, EV_READ, least, least + READ_BYTES);
}

static void stream_take(struct mqtt_link *k, struct evbuffer *in)
{
	size_t n = evbuffer_get_length(in), need = 0;
	if (n == 0 || n < k->need)
		return;
	const uint8_t *p = evbuffer_pullup(in, -1);
	if (!p) {
		fail(k, MQTT_FAULT_LOCAL, "there is no memory for what the broker sent");
		return;
	}
	size_t used = mqtt_client_receive(k->client, (struct slice){ p, n }, now_us(k), &need);
	if (k->step != STEP_OPEN)
		return;
	(void)evbuffer_drain(in, used);
	want(k, need);
}

/** @return false: the link is over */
static bool frames_take(struct mqtt_link *k)
{
	struct evbuffer *in = bufferevent_get_input(k->bev);
	int rc = 0;
	for (size_t n; !rc && (n = evbuffer_get_contiguous_space(in)) > 0; (void)evbuffer_drain(in, n))
		rc = websocket_receive(k->websocket, (struct slice){ evbuffer_pullup(in, (ev_ssize_t)n), n });
	if (rc < 0)
		fail(k, MQTT_FAULT_LOCAL, "there is no memory for what the broker sent");
	else if (evbuffer_get_length(bufferevent_get_output(k->bev)) > FLOOD_BYTES)
		k->is_flooded = bufferevent_disable(k->bev, EV_READ) == 0;
	return rc >= 0;
}

static void open_take(struct mqtt_link *k)
{
	bool is_over = false;
	if (k->websocket) {
		if (!frames_take(k))
			return;
		is_over = websocket_receive(k->websocket, (struct slice){ NULL, 0 }) == WEBSOCKET_E_CLOSED;
	}
	k->need = k->need ? k->need : 1;
	stream_take(k, k->websocket ? k->stream : bufferevent_get_input(k->bev));
	if (is_over && k->step == STEP_OPEN) {
		struct text t = text_fixed(k->words, sizeof k->words);
		end(k, mqtt_client_why_closed(k->client, now_us(k), &t));
	}
}

static void open_begin(struct mqtt_link *k)
{
	k->need = 1;
	step_begin(k, STEP_OPEN, 0);
	mqtt_client_begin(k->client, now_us(k));
	arm(k);
}

/* The WebSocket's opening handshake. */

static void upgrade_begin(struct mqtt_link *k)
{
	const struct websocket_io io = { k, on_frame_data, on_frame_write };
	uint8_t nonce[16];
	char key[32], question[1024];
	struct text t = text_fixed(key, sizeof key), q = text_fixed(question, sizeof question);
	rng_fill(&k->rng, nonce, sizeof nonce);
	text_base64(&t, nonce, sizeof nonce);
	k->websocket = websocket_new_client(&io, &k->rng);
	k->stream = evbuffer_new();
	if (!k->websocket || !k->stream || websocket_accept(text_str(&t), k->accept)) {
		fail(k, MQTT_FAULT_LOCAL, "there is no memory for a WebSocket");
		return;
	}
	websocket_question_write(&q, k->url.host, k->url.port, k->url.port == (k->tls ? 443 : 80), k->url.path, text_str(&t));
	(void)evbuffer_add(bufferevent_get_output(k->bev), q.p, q.len);
	step_begin(k, STEP_UPGRADE, k->connect_us);
}

static void upgrade_take(struct mqtt_link *k)
{
	struct evbuffer *in = bufferevent_get_input(k->bev);
	size_t n = evbuffer_get_length(in), used = 0;
	char said[256];
	struct text t = text_fixed(said, sizeof said);
	const uint8_t *p = evbuffer_pullup(in, -1);
	int rc = p ? websocket_answer_read((struct slice){ p, n }, str_of(k->accept), &used, &t) : -ENOMEM;
	if (rc < 0)
		fail(k, MQTT_FAULT_PROTOCOL, "%s", said);
	if (rc)
		return;
	(void)evbuffer_drain(in, used);
	open_begin(k);
	open_take(k);
}

/* The bufferevent. */

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct mqtt_link *k = ctx;
	(void)bev;
	if (k->step == STEP_UPGRADE)
		upgrade_take(k);
	else if (k->step == STEP_OPEN && k->need)
		open_take(k);
	arm(k);
}

static void on_write(struct bufferevent *bev, void *ctx)
{
	struct mqtt_link *k = ctx;
	if (k->step == STEP_OPEN && k->is_flooded && k->need)
		(void)bufferevent_enable(bev, EV_READ);
	k->is_flooded = false;
	if (k->step == STEP_OPEN)
		mqtt_client_drained(k->client, now_us(k));
	arm(k);
}

/** Words for the end of the connection, whoever brought it about. */
static enum mqtt_fault why_ended(struct mqtt_link *k, short what, int error, struct text *t)
{
	char at[BROKER_HOST_CAP + 120];
	if (k->tls && tls_client_why(k->bev, k->url.host, t))
		return MQTT_FAULT_TRUST;
	if (what & BEV_EVENT_TIMEOUT) {
		text_printf(t, "the broker has taken nothing for %d s", STUCK_S);
		return MQTT_FAULT_SILENT;
	}
	if (k->step == STEP_TLS)
		text_printf(t, "%s closed the connection instead of a TLS handshake; is TLS spoken on this port?", place(k, at, sizeof at));
	else if (k->step == STEP_UPGRADE)
		text_printf(t, "%s closed the connection instead of opening a WebSocket", place(k, at, sizeof at));
	else
		(void)mqtt_client_why_closed(k->client, now_us(k), t);
	if (!(what & BEV_EVENT_EOF) && error)
		text_printf(t, " (%s)", evutil_socket_error_to_string(error));
	return MQTT_FAULT_AWAY;
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct mqtt_link *k = ctx;
	int error = EVUTIL_SOCKET_ERROR();
	(void)bev;
	if (what & BEV_EVENT_CONNECTED) { /* TLS is up */
		if (k->step != STEP_TLS)
			return;
		if (k->url.is_websocket)
			upgrade_begin(k);
		else
			open_begin(k);
		return;
	}
	struct text t = text_fixed(k->words, sizeof k->words);
	end(k, why_ended(k, what, error, &t));
}

static void set_tcp(int fd)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
}

/** The socket is connected. */
static void plug(struct mqtt_link *k)
{
	const struct timeval stuck = { .tv_sec = STUCK_S };
	struct event_base *base = loop_base(k->loop);
	set_tcp(k->fd);
	k->bev = k->tls ? net_tls_connect(base, k->tls, k->url.host) : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!k->bev || bufferevent_setfd(k->bev, k->fd)) {
		fail(k, MQTT_FAULT_LOCAL, "there is no memory for a connection");
		return;
	}
	k->fd = -1;
	bufferevent_setcb(k->bev, on_read, on_write, on_event, k);
	bufferevent_set_timeouts(k->bev, NULL, &stuck);
	bufferevent_setwatermark(k->bev, EV_READ, 0, READ_BYTES);
	(void)bufferevent_set_max_single_read(k->bev, READ_BYTES);
	(void)bufferevent_enable(k->bev, EV_READ | EV_WRITE);
	if (k->tls)
		step_begin(k, STEP_TLS, k->connect_us);
	else if (k->url.is_websocket)
		upgrade_begin(k);
	else
		open_begin(k);
}

/* Name and address. */

/** This address is none; perhaps the next one is. */
static void address_failed(struct mqtt_link *k, const char *how)
{
	char at[BROKER_HOST_CAP + 120];
	struct text tried = text_fixed(k->tried + k->tried_n, sizeof k->tried - k->tried_n);
	if (k->connected)
		event_free(TAKE(k->connected));
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	if (k->address + 1 == k->addresses.n) {
		fail(k, MQTT_FAULT_AWAY, "no connection to %s: %s%s%s%s", place(k, at, sizeof at), how, k->tried_n ? " (before that, " : "", k->tried,
			k->tried_n ? ")" : "");
		return;
	}
	text_puts(&tried, k->tried_n ? "; " : "");
	net_text(&tried, &k->addresses.v[k->address++]);
	text_printf(&tried, ": %s", how);
	k->tried_n += tried.len;
	try_address(k);
}

static void on_connected(evutil_socket_t fd, short what, void *ctx)
{
	struct mqtt_link *k = ctx;
	int error = 0;
	socklen_t n = sizeof error;
	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n))
		error = errno;
	if (error) {
		address_failed(k, strerror(error));
		return;
	}
	event_free(TAKE(k->connected));
	plug(k);
}

static void try_address(struct mqtt_link *k)
{
	const struct net_address *a = &k->addresses.v[k->address];
	uint64_t brief_us = NEXT_ADDRESS_S * SEC_US;
	bool is_last = k->address + 1 == k->addresses.n;
	step_begin(k, STEP_CONNECT, !is_last && brief_us < k->connect_us ? brief_us : k->connect_us);
	if (k->is_public_only && !address_is_public(mqtt_listener_ip(a).octets)) {
		address_failed(k, "it is no public address (as.private-addresses)");
		return;
	}
	k->fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0 || (connect(k->fd, (const struct sockaddr *)&a->sa, a->len) && errno != EINPROGRESS)) {
		address_failed(k, strerror(errno));
		return;
	}
	k->connected = event_new(loop_base(k->loop), k->fd, EV_WRITE, on_connected, k);
	if (!k->connected || event_add(k->connected, NULL))
		fail(k, MQTT_FAULT_LOCAL, "there is no memory for a connection");
}

static void on_resolved(void *ctx, const struct resolver_answer *a)
{
	struct mqtt_link *k = ctx;
	k->question = NULL;
	k->addresses = *a;
	k->address = k->tried_n = 0;
	k->tried[0] = 0;
	if (a->n)
		try_address(k);
	else
		fail(k, MQTT_FAULT_AWAY, "the name %s was not found: %s", k->url.host, a->why);
}

/* Time. */

static void step_late(struct mqtt_link *k)
{
	char at[BROKER_HOST_CAP + 120];
	unsigned long long s = k->connect_us / SEC_US;
	if (k->step == STEP_NAME)
		fail(k, MQTT_FAULT_AWAY, "no name server has said within %llu s what the name %s stands for", s, k->url.host);
	else if (k->step == STEP_CONNECT)
		address_failed(k, "no answer in time");
	else if (k->step == STEP_TLS)
		fail(k, MQTT_FAULT_SILENT, "%s took the connection, and no TLS handshake came within %llu s", place(k, at, sizeof at), s);
	else
		fail(k, MQTT_FAULT_SILENT, "%s took the connection, and opened no WebSocket within %llu s", place(k, at, sizeof at), s);
}

static void on_timer(void *ctx)
{
	struct mqtt_link *k = ctx;
	if (k->step == STEP_ENDING) {
		char words[WORDS_CAP];
		memcpy(words, k->words, sizeof words);
		k->step = STEP_CLOSED;
		k->user.ended(k->user.client.ctx, k->fault, str_of(words)); /* k may be gone */
		return;
	}
	if (k->step == STEP_OPEN && k->is_resumed) {
		k->is_resumed = false;
		open_take(k);
	} else if (k->step == STEP_OPEN) {
		mqtt_client_tick(k->client, now_us(k));
	} else if (k->step != STEP_CLOSED && now_us(k) >= k->step_due_us) {
		step_late(k);
	}
	arm(k);
}

/* From outside. */

int mqtt_link_new(struct loop *l, struct resolver *r, const struct mqtt_link_options *o, const struct mqtt_link_user *user,
	struct mqtt_link **ret, struct text *why)
{
	AUTO(mqtt_link_free) struct mqtt_link *k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	struct mqtt_client_options co = o->client;
	const struct mqtt_client_wire wire = { k, on_send, on_resume, on_close };
	k->loop = l;
	k->resolver = r;
	k->url = o->url;
	k->user = *user;
	k->rng = loop_rng();
	k->fd = -1;
	k->is_public_only = o->is_public_only;
	k->connect_us = o->connect_us ? o->connect_us : CONNECT_S * SEC_US;
	co.answer_us = co.answer_us ? co.answer_us : CONNECT_S * SEC_US;
	co.ack_us = co.ack_us ? co.ack_us : ACK_S * SEC_US;
	co.packet_max = co.packet_max ? co.packet_max : PACKET_MAX;
	k->timer = loop_timer_new(l, on_timer, k);
	if (!k->timer)
		return -ENOMEM;
	if (k->url.is_tls)
		TRY(tls_client_new(&o->tls, &k->tls, why));
	int rc = mqtt_client_new(&co, &wire, &user->client, &k->client);
	if (rc == -EINVAL)
		text_puts(why, "client id, user name, password or a topic is empty, too long, or has characters that MQTT cannot carry");
	TRY(rc);
	*ret = TAKE(k);
	return 0;
}

void mqtt_link_open(struct mqtt_link *k)
{
	if (k->step != STEP_CLOSED)
		return;
	step_begin(k, STEP_NAME, k->connect_us);
	if (resolver_ask(k->resolver, k->url.host, k->url.port, on_resolved, k, &k->question))
		fail(k, MQTT_FAULT_LOCAL, "there is no memory to look up the name %s", k->url.host);
}

/** What waits is written as far as the socket takes it at once; nobody waits for the rest. */
static void write_last(struct mqtt_link *k)
{
	struct evbuffer *out = bufferevent_get_output(k->bev);
	SSL *ssl = bufferevent_openssl_get_ssl(k->bev);
	uint8_t b[LAST_BYTES];
	ev_ssize_t n = ssl ? evbuffer_copyout(out, b, sizeof b) : 0;
	(void)evbuffer_unfreeze(out, 1);
	if (ssl && n > 0)
		(void)SSL_write(ssl, b, (int)n);
	else if (!ssl)
		(void)evbuffer_write(out, bufferevent_getfd(k->bev));
	net_tls_close(k->bev);
	(void)shutdown(bufferevent_getfd(k->bev), SHUT_WR);
}

void mqtt_link_close(struct mqtt_link *k, bool is_for_ever)
{
	if (k->client && mqtt_client_leave(k->client, is_for_ever)) {
		if (k->websocket)
			websocket_close(k->websocket, WEBSOCKET_NORMAL);
		write_last(k);
	}
	unplug(k);
	k->step = STEP_CLOSED;
	if (k->timer)
		arm(k);
}

void mqtt_link_free(struct mqtt_link *k)
{
	if (!k)
		return;
	mqtt_link_close(k, false);
	loop_timer_free(k->timer);
	mqtt_client_free(k->client);
	tls_client_free(k->tls);
	free(k);
}

bool mqtt_link_is_closed(const struct mqtt_link *k)
{
	return k->step == STEP_CLOSED;
}

struct mqtt_client *mqtt_link_client(struct mqtt_link *k)
{
	return k->client;
}

/** @file The MQTT client: its beginning, its connection, its time, its ends. */
#include "as/core/integration/mqtt_client_inside.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	WORDS_CAP = 512,
	SESSION_S = 7 * 24 * 3600,     /* how long a broker of 5.0 is to remember us */
	SOON_US = 5000000,             /* accepted and closed within this: something is the matter with us */
	FIELD_MAX = 4096,              /* octets of user name and of password: tokens are long */
	CLIENT_ID_MAX = 256,
	FILTER_MAX = 1024,
};

/* Making. */

static bool text_fits(struct str s, size_t max)
{
	return s.n <= max && mqtt_string_valid(s);
}

static bool filters_fit(const struct mqtt_client_options *o)
{
	if (o->filters_n > MQTT_CLIENT_FILTERS_MAX)
		return false;
	for (size_t i = 0; i < o->filters_n; i++)
		if (!text_fits(o->filters[i].filter, FILTER_MAX) || !mqtt_filter_valid(o->filters[i].filter) || o->filters[i].qos > 2)
			return false;
	return true;
}

static bool options_fit(const struct mqtt_client_options *o)
{
	bool is_named = o->client_id.n > 0 && text_fits(o->client_id, CLIENT_ID_MAX);
	bool may_login = (!o->user.is_present || text_fits(o->user.s, FIELD_MAX)) && (!o->password.is_present || o->password.s.n <= FIELD_MAX) &&
		(o->user.is_present || !o->password.is_present || o->level == MQTT_5); /* [MQTT311 3.1.2-22] */
	return is_named && may_login && filters_fit(o) && (o->level == MQTT_311 || o->level == MQTT_5) &&
		o->in_flight_max <= MQTT_CLIENT_IN_FLIGHT_MAX;
}

/** CONNECT is the same each time. */
static int connect_make(struct mqtt_client *c, const struct mqtt_client_options *o)
{
	struct mqtt_connect p = { .level = o->level, .keep_alive_s = o->keep_alive_s, .client_id = o->client_id, .user = o->user, .password = o->password };
	size_t cap = 128 + o->client_id.n + o->user.s.n + o->password.s.n;
	if (o->level == MQTT_5) {
		mqtt_props_set_u(&p.props, MQTT_PROP_SESSION_EXPIRY, SESSION_S);
		mqtt_props_set_u(&p.props, MQTT_PROP_RECEIVE_MAX, MQTT_CLIENT_TAKING_MAX);
		mqtt_props_set_u(&p.props, MQTT_PROP_MAX_PACKET, (uint32_t)c->packet_max);
	}
	c->connect = malloc(cap);
	if (!c->connect)
		return -ENOMEM;
	struct writer w = writer_of(c->connect, cap);
	mqtt_connect_write(&w, &p);
	c->connect_n = w.len;
	return w.failed ? -EINVAL : 0;
}

static int filters_copy(struct mqtt_client *c, const struct mqtt_client_options *o)
{
	size_t n = 0;
	for (size_t i = 0; i < o->filters_n; i++)
		n += o->filters[i].filter.n;
	c->text = malloc(n + 1);
	if (!c->text)
		return -ENOMEM;
	for (size_t i = 0; i < o->filters_n; i++) {
		struct str from = o->filters[i].filter;
		char *to = c->text + c->text_n;
		memcpy(to, from.p, from.n);
		/* 5.0: what was retained comes at the first subscribing only [MQTT5 3.8.3.1]. */
		c->filters[i] = (struct mqtt_filter){ .filter = { to, from.n }, .qos = o->filters[i].qos, .retain_handling = 1 };
		c->text_n += from.n;
	}
	c->filters_n = o->filters_n;
	return 0;
}

int mqtt_client_new(const struct mqtt_client_options *o, const struct mqtt_client_wire *wire, const struct mqtt_client_user *user,
	struct mqtt_client **ret)
{
	if (!options_fit(o))
		return -EINVAL;
	AUTO(mqtt_client_free) struct mqtt_client *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->wire = *wire;
	c->user = *user;
	c->level = o->level;
	c->keep_alive_s = o->keep_alive_s;
	c->in_flight_max = o->in_flight_max ? o->in_flight_max : MQTT_CLIENT_IN_FLIGHT;
	c->packet_max = o->packet_max;
	c->answer_us = o->answer_us;
	c->ack_us = o->ack_us;
	c->maybe_sent = o->maybe_sent;
	struct text id = text_fixed(c->client_id, sizeof c->client_id);
	text_put(&id, o->client_id);
	c->flights = calloc(c->in_flight_max, sizeof *c->flights);
	if (!c->flights)
		return -ENOMEM;
	TRY(filters_copy(c, o));
	TRY(connect_make(c, o));
	*ret = TAKE(c);
	return 0;
}

void mqtt_client_free(struct mqtt_client *c)
{
	if (!c)
		return;
	if (c->connect)
		explicit_bzero(c->connect, c->connect_n); /* the password */
	free(c->connect);
	free(c->text);
	free(c->flights);
	free(c);
}

/* Sending, and the ends. */

void mqtt_client_put(struct mqtt_client *c, const struct slice *parts, size_t n, uint64_t now_us)
{
	if (c->state == CLIENT_IDLE)
		return;
	c->is_draining = true;
	c->last_tx_us = now_us;
	if (c->wire.send(c->wire.ctx, parts, n))
		c->is_full = true;
}

void mqtt_client_write(struct mqtt_client *c, const struct writer *w, uint64_t now_us)
{
	if (!w->failed)
		mqtt_client_put(c, &(struct slice){ w->p, w->len }, 1, now_us);
}

void mqtt_client_answer(struct mqtt_client *c, uint8_t type, uint16_t id, uint8_t reason, uint64_t now_us)
{
	uint8_t b[16];
	struct writer w = writer_of(b, sizeof b);
	mqtt_ack_write(&w, type, id, c->level, reason, STR(""));
	c->answers++;
	mqtt_client_write(c, &w, now_us);
}

void mqtt_client_lost(struct mqtt_client *c)
{
	c->state = CLIENT_IDLE;
	c->is_full = c->is_draining = c->wants_room = c->is_paused = c->is_subscribing = c->asks = c->pings = false;
	c->answers = 0;
	c->flights_n = c->due_n = 0;
	c->ping_us = 0;
}

void mqtt_client_fail(struct mqtt_client *c, enum mqtt_fault fault, const char *fmt, ...)
{
	char words[WORDS_CAP];
	va_list args;
	if (c->state == CLIENT_IDLE)
		return;
	va_start(args, fmt);
	(void)vsnprintf(words, sizeof words, fmt, args);
	va_end(args);
	mqtt_client_lost(c);
	c->wire.close(c->wire.ctx, fault, str_of(words));
}

static const char *type_name(uint8_t type)
{
	static const char *const names[16] = { "a packet of type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
		"SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH" };
	return names[type & 15];
}

void mqtt_client_breach(struct mqtt_client *c, uint8_t type, const char *how)
{
	mqtt_client_fail(c, MQTT_FAULT_PROTOCOL, "the broker broke the rules of MQTT: %s %s", type_name(type), how);
}

void mqtt_client_reason(struct text *t, uint8_t reason, const struct mqtt_props *props)
{
	const char *words = mqtt_reason_text(reason);
	if (words[0])
		text_printf(t, ": %s", words);
	else
		text_printf(t, ": reason 0x%02x", reason);
	if (mqtt_props_has(props, MQTT_PROP_REASON_STRING) && props->v[MQTT_PROP_REASON_STRING].s.n)
		text_printf(t, " (%.*s)", STR_ARG(props->v[MQTT_PROP_REASON_STRING].s));
}

enum mqtt_fault mqtt_client_why_closed(const struct mqtt_client *c, uint64_t now_us, struct text *t)
{
	if (c->state == CLIENT_CONNECTING)
		text_puts(t, "the broker closed the connection instead of answering CONNECT; is the port the right one, and TLS as it expects?");
	else if (c->state == CLIENT_UP && now_us - c->accepted_us < SOON_US)
		text_printf(t, "the broker closed the connection as soon as it had accepted it; does another client have the client id \"%s\", or may this one "
			"not publish or subscribe there?", c->client_id);
	else
		text_puts(t, "the broker closed the connection");
	return MQTT_FAULT_AWAY;
}

/* The connection. */

void mqtt_client_begin(struct mqtt_client *c, uint64_t now_us)
{
	mqtt_client_lost(c);
	c->state = CLIENT_CONNECTING;
	c->has_session = c->has_warned_of_qos = false;
	c->begun_us = c->last_rx_us = now_us;
	c->last_offered = 0;
	mqtt_client_put(c, &(struct slice){ c->connect, c->connect_n }, 1, now_us);
}

/** What a broker says that does not let us in. */
static void refused(struct mqtt_client *c, const struct mqtt_connack *p)
{
	static const char *const words[] = { NULL, "the broker does not speak this version of MQTT", "the broker refused the client id",
		"the broker cannot serve us now", "the broker refused user name or password", "the broker refused us: not authorized; are user name and password right?" };
	char said[WORDS_CAP / 2];
	struct text t = text_fixed(said, sizeof said);
	if (p->code < COUNT(words)) {
		enum mqtt_fault fault = p->code == 3 ? MQTT_FAULT_BUSY : MQTT_FAULT_REFUSED;
		mqtt_client_fail(c, fault, "%s%s%s%s", words[p->code], p->code == 2 ? " \"" : "", p->code == 2 ? c->client_id : "", p->code == 2 ? "\"" : "");
		return;
	}
	bool is_busy = p->code == MQTT_UNAVAILABLE || p->code == MQTT_BUSY || p->code == MQTT_QUOTA || p->code == MQTT_CONNECTION_RATE || p->code == MQTT_RATE;
	mqtt_client_reason(&t, p->code, &p->props);
	mqtt_client_fail(c, is_busy ? MQTT_FAULT_BUSY : MQTT_FAULT_REFUSED, "%s%s",
		p->code == MQTT_BAD_CREDENTIALS ? "the broker refused user name or password" : "the broker refused the connection", said);
}

static void subscribe(struct mqtt_client *c, uint64_t now_us)
{
	uint8_t b[16 + MQTT_CLIENT_FILTERS_MAX * (FILTER_MAX + 3)];
	struct writer w = writer_of(b, sizeof b);
	if (!c->filters_n)
		return;
	mqtt_filters_write(&w, MQTT_SUBSCRIBE, SUBSCRIBE_ID, c->level, c->filters, c->filters_n);
	c->is_subscribing = c->asks = true;
	c->acked_us = now_us;
	mqtt_client_write(c, &w, now_us);
}

static void limits_take(struct mqtt_client *c, const struct mqtt_props *props)
{
	uint32_t receive_max = mqtt_props_u(props, MQTT_PROP_RECEIVE_MAX, UINT16_MAX);
	c->now_in_flight_max = (uint16_t)(receive_max < c->in_flight_max ? receive_max : c->in_flight_max);
	c->now_keep_alive_s = (uint16_t)mqtt_props_u(props, MQTT_PROP_SERVER_KEEP_ALIVE, c->keep_alive_s);
	c->broker_packet_max = mqtt_props_u(props, MQTT_PROP_MAX_PACKET, UINT32_MAX);
	c->broker_qos_max = (uint8_t)mqtt_props_u(props, MQTT_PROP_MAX_QOS, 2);
}

static void on_connack(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	struct mqtt_connack p;
	memset(&p, 0, sizeof p);
	/* A broker that knows nothing of 5.0 says so in the words of 3.1.1. */
	bool is_old = f->body.n == 2 && f->body.p[1] != 0;
	if (mqtt_connack_read(f->body, is_old ? MQTT_311 : c->level, &p)) {
		mqtt_client_breach(c, MQTT_CONNACK, "is malformed");
		return;
	}
	if (p.code && (c->level != MQTT_5 ? p.code > 5 : p.code > 5 && p.code < 0x80)) {
		mqtt_client_breach(c, MQTT_CONNACK, "has a code that does not exist");
		return;
	}
	if (p.code) {
		refused(c, &p);
		return;
	}
	limits_take(c, &p.props);
	c->state = CLIENT_UP;
	c->accepted_us = c->acked_us = now_us;
	c->has_session = p.has_session;
	if (!c->has_session)
		c->held_n = 0;
	subscribe(c, now_us);
	c->user.connected(c->user.ctx, c->has_session);
}

static void on_suback(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	struct mqtt_filters p;
	memset(&p, 0, sizeof p);
	if (mqtt_filters_read(MQTT_SUBACK, f->body, c->level, &p)) {
		mqtt_client_breach(c, MQTT_SUBACK, "is malformed");
		return;
	}
	if (!c->is_subscribing || p.id != SUBSCRIBE_ID || p.entries.n != c->filters_n) {
		mqtt_client_breach(c, MQTT_SUBACK, "answers nothing that was asked");
		return;
	}
	c->is_subscribing = false;
	c->acked_us = now_us;
	for (size_t i = 0; i < c->filters_n && c->state == CLIENT_UP; i++) {
		uint8_t code = p.entries.p[i];
		char words[WORDS_CAP];
		struct text t = text_fixed(words, sizeof words);
		if (code > 2 && code < 0x80) {
			mqtt_client_breach(c, MQTT_SUBACK, "has a code that does not exist");
			return;
		}
		if (code <= 2)
			continue;
		text_printf(&t, "the broker refused to subscribe us to \"%.*s\"", STR_ARG(c->filters[i].filter));
		if (c->level == MQTT_5)
			mqtt_client_reason(&t, code, &p.props);
		c->user.warning(c->user.ctx, text_str(&t));
	}
}

static void on_unsuback(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	(void)f, (void)now_us;
	/* Nobody waits for it: whoever unsubscribes has left. */
	mqtt_client_breach(c, MQTT_UNSUBACK, "answers nothing that was asked");
}

static void on_pingresp(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	(void)now_us;
	if (f->body.n)
		mqtt_client_breach(c, MQTT_PINGRESP, "is malformed");
	else
		c->ping_us = 0;
}

static void on_disconnect(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	struct mqtt_ack p;
	char said[WORDS_CAP / 2];
	struct text t = text_fixed(said, sizeof said);
	(void)now_us;
	memset(&p, 0, sizeof p);
	if (c->level != MQTT_5 || mqtt_ack_read(MQTT_DISCONNECT, f->body, c->level, &p)) {
		mqtt_client_breach(c, MQTT_DISCONNECT, c->level == MQTT_5 ? "is malformed" : "comes from clients only");
		return;
	}
	if (p.reason)
		mqtt_client_reason(&t, p.reason, &p.props);
	bool lasts = p.reason == MQTT_NOT_AUTHORIZED || p.reason == MQTT_BAD_TOPIC || p.reason == MQTT_NO_SUCH_QOS || p.reason == MQTT_ADMINISTRATIVE;
	mqtt_client_fail(c, lasts ? MQTT_FAULT_REFUSED : MQTT_FAULT_AWAY, "the broker ended the connection%s", said);
}

static void on_auth(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	(void)f, (void)now_us;
	mqtt_client_breach(c, MQTT_AUTH, "was not asked for");
}

/* What may come; those without a handler only go to servers. */
static const struct packet_row {
	client_handler *handle;
	uint8_t flags;
	bool any_flags;
} rows[16] = {
	[MQTT_CONNACK] = { on_connack, 0, false },
	[MQTT_PUBLISH] = { mqtt_client_on_publish, 0, true },
	[MQTT_PUBACK] = { mqtt_client_on_ack, 0, false },
	[MQTT_PUBREC] = { mqtt_client_on_ack, 0, false },
	[MQTT_PUBREL] = { mqtt_client_on_release, 2, false },
	[MQTT_PUBCOMP] = { mqtt_client_on_ack, 0, false },
	[MQTT_SUBACK] = { on_suback, 0, false },
	[MQTT_UNSUBACK] = { on_unsuback, 0, false },
	[MQTT_PINGRESP] = { on_pingresp, 0, false },
	[MQTT_DISCONNECT] = { on_disconnect, 0, false },
	[MQTT_AUTH] = { on_auth, 0, false },
};

/** Something else than MQTT answers: what people most often have mixed up. */
static void stranger(struct mqtt_client *c, uint8_t first)
{
	if (first == 0x15 || first == 0x16) /* a record of TLS: alert, handshake */
		mqtt_client_fail(c, MQTT_FAULT_PROTOCOL, "the broker speaks TLS on this port: use mqtts:// or wss://");
	else if (first == 'H')
		mqtt_client_fail(c, MQTT_FAULT_PROTOCOL, "a web server answers on this port: use ws:// or wss://, or another port");
	else
		mqtt_client_fail(c, MQTT_FAULT_PROTOCOL, "what answers on this port does not speak MQTT");
}

/** Judged by the first octet, before anything else is looked at or waited for. */
static const struct packet_row *row_find(struct mqtt_client *c, uint8_t first)
{
	const struct packet_row *row = &rows[first >> 4];
	uint8_t flags = first & 0x0f;
	bool is_well = row->handle && (row->any_flags || flags == row->flags);
	if (c->state == CLIENT_CONNECTING && (!is_well || row->handle != on_connack))
		stranger(c, first);
	else if (!is_well)
		mqtt_client_breach(c, first >> 4, row->handle ? "has flags that it cannot have" : "comes from clients only");
	else if (c->state == CLIENT_UP && row->handle == on_connack)
		mqtt_client_breach(c, MQTT_CONNACK, "comes once only");
	else
		return row;
	return NULL;
}

size_t mqtt_client_receive(struct mqtt_client *c, struct slice octets, uint64_t now_us, size_t *ret_need)
{
	size_t used = 0;
	*ret_need = 2;
	while (c->state != CLIENT_IDLE && used < octets.n) {
		if (mqtt_client_is_held_up(c)) {
			c->is_paused = true;
			*ret_need = 0;
			break;
		}
		struct slice rest = { octets.p + used, octets.n - used };
		const struct packet_row *row = row_find(c, rest.p[0]);
		if (!row)
			break;
		struct mqtt_frame f;
		int rc = mqtt_frame_read(rest, c->packet_max, &f);
		if (rc == MQTT_E_MORE) {
			*ret_need = f.size;
			break;
		}
		if (rc == MQTT_TOO_LARGE) {
			mqtt_client_fail(c, MQTT_FAULT_PROTOCOL, "the broker sent a packet of more than %zu octets", c->packet_max);
			break;
		}
		if (rc || (f.is_padded && c->level == MQTT_5)) {
			mqtt_client_breach(c, rest.p[0] >> 4, "has a length that cannot be");
			break;
		}
		c->last_rx_us = now_us;
		row->handle(c, &f, now_us);
		used += f.size;
	}
	return used;
}

bool mqtt_client_leave(struct mqtt_client *c, bool is_for_ever)
{
	uint8_t b[32 + MQTT_CLIENT_FILTERS_MAX * (FILTER_MAX + 2)];
	struct writer w = writer_of(b, sizeof b);
	if (c->state != CLIENT_UP) {
		mqtt_client_lost(c);
		return false;
	}
	if (is_for_ever && c->filters_n)
		mqtt_filters_write(&w, MQTT_UNSUBSCRIBE, SUBSCRIBE_ID, c->level, c->filters, c->filters_n);
	mqtt_disconnect_write(&w, c->level, 0, STR(""));
	mqtt_client_write(c, &w, c->last_tx_us);
	mqtt_client_lost(c);
	return true;
}

void mqtt_client_resume(struct mqtt_client *c, uint64_t now_us)
{
	if (!c->is_paused || mqtt_client_is_held_up(c) || c->state == CLIENT_IDLE)
		return;
	c->is_paused = false;
	c->last_rx_us = now_us; /* we did not listen: it has not been silent */
	c->acked_us = now_us;
	c->wire.resume(c->wire.ctx);
}

void mqtt_client_drained(struct mqtt_client *c, uint64_t now_us)
{
	if (c->state == CLIENT_IDLE)
		return;
	if (c->asks)
		c->acked_us = now_us;
	if (c->pings && c->ping_us)
		c->ping_us = now_us;
	c->is_full = c->is_draining = c->asks = c->pings = false;
	c->answers = 0;
	mqtt_client_out_drained(c);
	mqtt_client_resume(c, now_us);
}

/* Time. */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/** When the next PINGREQ is due. */
static uint64_t ping_due_us(const struct mqtt_client *c)
{
	uint64_t since = c->last_tx_us < c->last_rx_us ? c->last_tx_us : c->last_rx_us;
	return c->now_keep_alive_s && !c->ping_us ? since + c->now_keep_alive_s * SEC_US : UINT64_MAX;
}

/* An answer can be expected once the question has left; and heard, if we listen. */
static bool may_expect(const struct mqtt_client *c)
{
	return !c->is_draining && !c->is_paused;
}

static uint64_t pong_due_us(const struct mqtt_client *c)
{
	return c->ping_us && may_expect(c) ? later(c->ping_us, c->last_rx_us) + c->answer_us : UINT64_MAX;
}

static uint64_t ack_due_us(const struct mqtt_client *c)
{
	bool is_owed = c->is_subscribing || mqtt_client_owes_us(c);
	return is_owed && may_expect(c) ? c->acked_us + c->ack_us : UINT64_MAX;
}

uint64_t mqtt_client_deadline_us(const struct mqtt_client *c)
{
	if (c->state == CLIENT_IDLE)
		return UINT64_MAX;
	if (c->state == CLIENT_CONNECTING)
		return c->begun_us + c->answer_us;
	uint64_t first = ping_due_us(c), pong = pong_due_us(c), ack = ack_due_us(c);
	first = pong < first ? pong : first;
	return ack < first ? ack : first;
}

static void ping(struct mqtt_client *c, uint64_t now_us)
{
	uint8_t b[2];
	struct writer w = writer_of(b, sizeof b);
	mqtt_ping_write(&w, MQTT_PINGREQ);
	c->ping_us = now_us;
	c->pings = true;
	mqtt_client_write(c, &w, now_us);
}

void mqtt_client_tick(struct mqtt_client *c, uint64_t now_us)
{
	if (now_us < mqtt_client_deadline_us(c))
		return;
	unsigned long long answer_s = c->answer_us / SEC_US, ack_s = c->ack_us / SEC_US;
	if (c->state == CLIENT_CONNECTING)
		mqtt_client_fail(c, MQTT_FAULT_SILENT, "the broker took the connection, and did not answer CONNECT within %llu s", answer_s);
	else if (now_us >= pong_due_us(c))
		mqtt_client_fail(c, MQTT_FAULT_SILENT, "the broker has fallen silent: no answer to a ping within %llu s", answer_s);
	else if (now_us >= ack_due_us(c))
		mqtt_client_fail(c, MQTT_FAULT_SILENT, "the broker has acknowledged nothing of %zu messages for %llu s", mqtt_client_in_flight(c), ack_s);
	else
		ping(c, now_us);
}

/** @file Connections: bytes to packets, packets to handlers by state, and the many ways to end. */
#include "as/core/mqtt/mqtt_alias.h"
#include "as/core/mqtt/mqtt_inside.h"
#include <stdlib.h>

void mqtt_conn_send(struct mqtt_conn *c, const struct slice *parts, size_t n)
{
	if (!c->is_closed && c->engine->sink.send(c->engine->sink.ctx, c->socket, parts, n))
		c->is_full = true;
}

void mqtt_conn_write(struct mqtt_conn *c, const struct writer *w)
{
	if (!w->failed)
		mqtt_conn_send(c, &(struct slice){ w->p, w->len }, 1);
}

void mqtt_conn_hold(struct mqtt_conn *c)
{
	if (!c->is_closed && c->session && c->session->is_kept)
		c->engine->sink.hold(c->engine->sink.ctx, c->socket);
}

void mqtt_conn_hold_since(struct mqtt_conn *c, uint64_t kept)
{
	if (!c->is_closed && c->engine->kept != kept)
		c->engine->sink.hold(c->engine->sink.ctx, c->socket);
}

/* The text goes with a 5.0 packet that says no, if the client wants texts and has room for one [MQTT5 3.1.2.11.4, .7]. */
struct str mqtt_conn_why(const struct mqtt_conn *c, uint8_t reason, struct str why)
{
	enum { ROOM_BYTES = 256 };
	if (c->level != MQTT_5 || reason < 0x80 || !c->wants_why || c->packet_max < ROOM_BYTES)
		return STR("");
	return why.n ? why : str_of(mqtt_reason_text(reason));
}

int mqtt_conn_room(struct heap *h, uint64_t n)
{
	return n <= h->cap ? 0 : heap_reserve(h, h->cap ? h->cap * 2 : 16);
}

int mqtt_engine_open(struct mqtt_engine *e, void *socket, const void *peer, const struct now *now, struct mqtt_conn **ret)
{
	TRY(mqtt_conn_room(&e->timeouts, e->stats.connections + 1));
	struct mqtt_conn *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->engine = e;
	c->socket = socket;
	c->peer = peer;
	c->opened = e->next_opened++;
	c->packet_max = MQTT_PACKET_MAX;
	c->next = e->conns;
	if (c->next)
		c->next->prev = c;
	e->conns = c;
	e->stats.connections++;
	(void)heap_set(&e->timeouts, &c->timeout, now->mono_us + e->connect_s * SEC_US);
	*ret = c;
	return 0;
}

static void conn_unlink(struct mqtt_conn *c)
{
	struct mqtt_engine *e = c->engine;
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		e->conns = c->next;
	c->prev = NULL;
	c->next = e->graveyard;
	e->graveyard = c;
	heap_remove(&e->timeouts, &c->timeout);
	e->stats.connections--;
}

void mqtt_conn_bury(struct mqtt_engine *e)
{
	while (e->graveyard) {
		struct mqtt_conn *c = e->graveyard;
		e->graveyard = c->next;
		mqtt_aliases_free(c->aliases_in);
		mqtt_aliases_free(c->aliases_out);
		free(c->due);
		free(c);
	}
}

/* The part of an end that concerns an accepted connection. The session may be gone afterwards, and then its owner. */
static void login_end(struct mqtt_conn *c, enum mqtt_end how, uint8_t reason, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	struct mqtt_session *s = c->session;
	struct mqtt_owner *o = s->owner;
	struct mqtt_will *will = TAKE(c->will);
	mqtt_map_remove(&e->logins, &c->by_login);
	e->stats.closed++;
	bool is_due = will && how != END_KICK && (how != END_DISCONNECT || reason == MQTT_WITH_WILL);
	bool is_delayed = is_due && will->delay_s && s->expiry_s;
	if (is_delayed) {
		s->will = will;
		(void)heap_set(&e->wills, &s->will_due, now->mono_us + will->delay_s * SEC_US);
	} else if (!is_due) {
		mqtt_will_free(e, will);
	}
	mqtt_session_offline(e, s, now);
	if (is_due && !is_delayed)
		mqtt_will_publish(e, will, now);
	else
		mqtt_owner_settle(e, o);
	e->policy.disconnected(e->policy.ctx, c->login, how == END_DISCONNECT && reason == MQTT_WITH_WILL ? MQTT_OK : reason);
	if (!is_delayed && e->policy.released)
		e->policy.released(e->policy.ctx, c->login);
}

void mqtt_conn_end(struct mqtt_conn *c, enum mqtt_end how, uint8_t reason, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	if (c->is_closed)
		return;
	if (c->level == MQTT_5 && c->session && (how == END_CLOSE || how == END_KICK)) {
		uint8_t b[256];
		struct writer w = writer_of(b, sizeof b);
		bool fits = mqtt_reason_fits(MQTT_DISCONNECT, reason, true); /* [MQTT5 3.14.2-1] */
		uint8_t said = fits ? reason : reason == MQTT_UNAVAILABLE ? MQTT_BUSY : MQTT_UNSPECIFIED;
		mqtt_disconnect_write(&w, c->level, said, mqtt_conn_why(c, said, STR("")));
		mqtt_conn_write(c, &w);
	}
	c->is_closed = true;
	conn_unlink(c);
	mqtt_flow_detach(c);
	if (reason >= MQTT_MALFORMED && reason <= MQTT_PROTOCOL_ERROR)
		e->stats.malformed++;
	if (how != END_LOST)
		e->sink.close(e->sink.ctx, c->socket);
	if (c->session)
		login_end(c, how, reason, now);
	c->session = NULL;
}

void mqtt_conn_arm(struct mqtt_conn *c)
{
	struct mqtt_engine *e = c->engine;
	if (c->keep_alive_s) /* [MQTT311 3.1.2-24] */
		(void)heap_set(&e->timeouts, &c->timeout, c->last_rx_us + c->keep_alive_s * SEC_US * 3 / 2);
	else
		heap_remove(&e->timeouts, &c->timeout);
}

/* Must the client wait before more of it is looked at? */
static bool is_held_up(const struct mqtt_conn *c)
{
	if (!c->session || c->is_full)
		return c->is_full;
	/* A 5.0 client was told the number, and is closed if it does not keep to it: it may say other things at any time [MQTT5 4.9.0-3]. */
	return c->due_n >= c->session->limits.receive_max + (c->level == MQTT_5);
}

void mqtt_conn_resume(struct mqtt_conn *c)
{
	if (c->is_closed || !c->is_paused || is_held_up(c))
		return;
	c->is_paused = false;
	c->engine->sink.resume(c->engine->sink.ctx, c->socket);
}

void mqtt_engine_drained(struct mqtt_conn *c, const struct now *now)
{
	if (c->is_closed || !c->is_full)
		return;
	c->is_full = false;
	if (c->session)
		mqtt_deliver_pump(c->session, now);
	if (c->session)
		mqtt_conn_resume(c);
}

void mqtt_engine_lost(struct mqtt_conn *c, const struct now *now)
{
	mqtt_conn_end(c, END_LOST, MQTT_UNSPECIFIED, now);
}

static void ping_handle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now)
{
	uint8_t b[2];
	struct writer w = writer_of(b, sizeof b);
	if (f->body.n) {
		mqtt_conn_end(c, END_CLOSE, MQTT_MALFORMED, now);
		return;
	}
	mqtt_ping_write(&w, MQTT_PINGRESP);
	mqtt_conn_write(c, &w);
}

static void disconnect_handle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now)
{
	struct mqtt_ack a;
	int fault = mqtt_ack_read(MQTT_DISCONNECT, f->body, c->level, &a);
	struct mqtt_session *s = c->session;
	bool is_servers = mqtt_props_has(&a.props, MQTT_PROP_SERVER_REFERENCE) || !mqtt_reason_fits(MQTT_DISCONNECT, a.reason, false);
	if (fault == 0 && c->level == MQTT_5 && is_servers)
		fault = MQTT_PROTOCOL_ERROR;
	if (fault == 0 && mqtt_props_has(&a.props, MQTT_PROP_SESSION_EXPIRY)) {
		uint32_t wish = mqtt_props_u(&a.props, MQTT_PROP_SESSION_EXPIRY, 0);
		if (wish && c->is_ephemeral) /* [MQTT5 3.14.2.2.2] */
			fault = MQTT_PROTOCOL_ERROR;
		else
			s->expiry_s = wish < s->limits.session_expiry_s ? wish : s->limits.session_expiry_s;
	}
	if (fault)
		mqtt_conn_end(c, END_CLOSE, (uint8_t)fault, now);
	else /* any reason but "normal" leaves the will to be published [MQTT5 3.14.4-3] */
		mqtt_conn_end(c, END_DISCONNECT, a.reason ? MQTT_WITH_WILL : MQTT_OK, now);
}

/* What each packet type needs once connected; those without a handler are not for a server. */
static const struct packet_row {
	uint8_t flags;
	bool any_flags;
	void (*handle)(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now);
} rows[16] = {
	[MQTT_CONNECT] = { 0, false, mqtt_connect_handle },
	[MQTT_PUBLISH] = { 0, true, mqtt_flow_publish },
	[MQTT_PUBACK] = { 0, false, mqtt_flow_ack },
	[MQTT_PUBREC] = { 0, false, mqtt_flow_ack },
	[MQTT_PUBREL] = { 2, false, mqtt_flow_ack },
	[MQTT_PUBCOMP] = { 0, false, mqtt_flow_ack },
	[MQTT_SUBSCRIBE] = { 2, false, mqtt_sub_handle },
	[MQTT_UNSUBSCRIBE] = { 2, false, mqtt_sub_unhandle },
	[MQTT_PINGREQ] = { 0, false, ping_handle },
	[MQTT_DISCONNECT] = { 0, false, disconnect_handle },
};

/* Judged by the first octet, before anything else of the packet is looked at or waited for. */
static const struct packet_row *row_find(const struct mqtt_conn *c, uint8_t first)
{
	if (c->level == 0)
		return first == MQTT_CONNECT << 4 ? &rows[MQTT_CONNECT] : NULL;
	const struct packet_row *row = &rows[first >> 4];
	uint8_t flags = first & 0x0f;
	if (c->level == MQTT_31 && row->flags == 2)
		flags &= 0x07; /* 3.1 repeats these with DUP */
	return row->handle && (row->any_flags || flags == row->flags) ? row : NULL;
}

/* Why there is no row: flags that may not be, or a packet that may not come [MQTT5 2.1.3-1, 3.14.1-1, 3.15.1-1]. */
static int row_fault(uint8_t first)
{
	bool is_known = rows[first >> 4].handle || (first >> 4 == MQTT_AUTH && first & 0x0f) || first >> 4 == 0;
	return is_known ? MQTT_MALFORMED : MQTT_PROTOCOL_ERROR;
}

size_t mqtt_engine_receive(struct mqtt_conn *c, struct slice bytes, const struct now *now, size_t *ret_need)
{
	size_t used = 0;
	*ret_need = 2;
	while (!c->is_closed && used < bytes.n) {
		if (is_held_up(c)) {
			c->is_paused = true;
			*ret_need = 0;
			break;
		}
		struct slice rest = { bytes.p + used, bytes.n - used };
		const struct packet_row *row = row_find(c, rest.p[0]);
		struct mqtt_frame f;
		size_t max = c->session ? c->session->limits.packet_bytes : c->engine->connect_bytes;
		int rc = row ? mqtt_frame_read(rest, max, &f) : row_fault(rest.p[0]);
		if (rc == MQTT_E_MORE) {
			*ret_need = f.size;
			break;
		}
		if (rc == 0 && f.is_padded && c->level == MQTT_5)
			rc = MQTT_MALFORMED;
		if (rc) {
			mqtt_conn_end(c, END_CLOSE, (uint8_t)rc, now);
			break;
		}
		c->last_rx_us = now->mono_us;
		row->handle(c, &f, now);
		used += f.size;
	}
	return used;
}

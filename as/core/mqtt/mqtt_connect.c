/** @file CONNECT: who comes, whose session it is, and what the CONNACK says [MQTT311 3.1, 3.2]. */
#include "as/core/mqtt/mqtt_inside.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t reason_of_code[] = { [MQTT_ACCEPTED] = MQTT_OK, [MQTT_REFUSED_LEVEL] = MQTT_BAD_VERSION,
	[MQTT_REFUSED_CLIENT_ID] = MQTT_BAD_CLIENT_ID, [MQTT_REFUSED_UNAVAILABLE] = MQTT_UNAVAILABLE,
	[MQTT_REFUSED_CREDENTIALS] = MQTT_BAD_CREDENTIALS, [MQTT_REFUSED_RIGHTS] = MQTT_NOT_AUTHORIZED };

/* Refuse, and close. 5.0 is given the reason, older levels the code. */
static void refuse(struct mqtt_conn *c, uint8_t level, enum mqtt_connack_code code, uint8_t reason, struct str why, const struct now *now)
{
	uint8_t b[512];
	struct writer w = writer_of(b, sizeof b);
	struct mqtt_props props = { 0 };
	uint8_t told = level == MQTT_5 ? reason : (uint8_t)code;
	if (why.n == 0)
		why = str_of(mqtt_reason_text(reason));
	mqtt_props_set_s(&props, MQTT_PROP_REASON_STRING, why);
	mqtt_connack_write(&w, level, false, told, &props);
	if (w.len > c->packet_max) { /* [MQTT5 3.2.2-19] */
		w = writer_of(b, sizeof b);
		mqtt_connack_write(&w, level, false, told, NULL);
	}
	if (w.len <= c->packet_max)
		mqtt_conn_write(c, &w);
	c->engine->stats.refused++;
	mqtt_conn_end(c, END_CLOSE, reason, now);
}

static void refuse_as(struct mqtt_conn *c, uint8_t level, enum mqtt_connack_code code, struct str why, const struct now *now)
{
	refuse(c, level, code, reason_of_code[code], why, now);
}

/* A client id nobody has yet [MQTT5 3.2.2-16]. */
static struct str id_assign(struct mqtt_engine *e, struct str owner, char *buf, size_t cap)
{
	struct mqtt_owner *o = mqtt_owner_find(e, owner);
	for (;;) {
		struct text t = text_fixed(buf, cap);
		uint64_t n = e->next_assigned++;
		text_printf(&t, "auto-%016llx%08llx", (unsigned long long)mqtt_map_hash(&e->clients, n, "id", 2),
			(unsigned long long)n & 0xffffffff);
		if (!o || !mqtt_session_find(e, o, text_str(&t)))
			return text_str(&t);
	}
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How long the session outlives the connection. */
static uint32_t expiry_of(const struct mqtt_connect *p, const struct mqtt_limits *l)
{
	uint32_t wish = p->level == MQTT_5 ? mqtt_props_u(&p->props, MQTT_PROP_SESSION_EXPIRY, 0) : p->is_clean ? 0 : UINT32_MAX;
	return least(wish, l->session_expiry_s);
}

/* The session to give way when an owner has as many as it may: the oldest offline one; else, if allowed, the oldest of all. */
static struct mqtt_session *victim_find(const struct mqtt_owner *o, bool evicts)
{
	struct mqtt_session *offline = NULL, *oldest = NULL;
	for (struct mqtt_session *s = o->sessions; s; s = s->next) {
		if (!s->conn && (!offline || s->ends.due_us < offline->ends.due_us))
			offline = s;
		if (s->conn && (!oldest || s->conn->opened < oldest->conn->opened))
			oldest = s;
	}
	return offline ? offline : evicts ? oldest : NULL;
}

static void session_drop(struct mqtt_engine *e, struct mqtt_session *s, const struct now *now)
{
	struct mqtt_owner *o = s->owner;
	struct mqtt_will *will = TAKE(s->will);
	uint64_t login = will ? will->login : 0;
	mqtt_session_free(e, s, true);
	if (!will) {
		mqtt_owner_settle(e, o);
		return;
	}
	mqtt_will_publish(e, will, now);
	if (e->policy.released)
		e->policy.released(e->policy.ctx, login);
}

void mqtt_session_expire(struct mqtt_engine *e, struct mqtt_session *s, const struct now *now)
{
	session_drop(e, s, now);
}

/* Make way: end the connection of the same client id, and sessions over the owner's limit. The policy is called along the way, so
 * everything is looked up anew. False: there is no room. */
static bool way_make(struct mqtt_engine *e, const struct mqtt_login *login, struct str client, bool is_clean, const struct now *now)
{
	struct str name = str_of(login->owner);
	struct mqtt_owner *o = mqtt_owner_find(e, name);
	struct mqtt_session *s = o ? mqtt_session_find(e, o, client) : NULL;
	if (s && s->conn) { /* [MQTT311 3.1.4-2] */
		e->stats.taken_over++;
		mqtt_conn_end(s->conn, END_CLOSE, MQTT_TAKEN_OVER, now);
		o = mqtt_owner_find(e, name);
		s = o ? mqtt_session_find(e, o, client) : NULL;
	}
	if (s && is_clean) {
		session_drop(e, s, now);
		s = NULL;
	}
	if (s)
		return true;
	while ((o = mqtt_owner_find(e, name)) && o->sessions_n >= login->limits.sessions) {
		struct mqtt_session *victim = victim_find(o, login->limits.evicts);
		if (!victim)
			return false;
		if (victim->conn)
			mqtt_conn_end(victim->conn, END_CLOSE, MQTT_TAKEN_OVER, now);
		else
			session_drop(e, victim, now);
	}
	return e->stats.sessions < e->sessions_max;
}

/* False: the client takes no packet that large. */
static bool connack_send(struct mqtt_conn *c, const struct mqtt_connect *p, bool has_session, struct str assigned)
{
	const struct mqtt_session *s = c->session;
	struct mqtt_props props = { 0 };
	uint32_t wish = mqtt_props_u(&p->props, MQTT_PROP_SESSION_EXPIRY, 0);
	if (wish != s->expiry_s)
		mqtt_props_set_u(&props, MQTT_PROP_SESSION_EXPIRY, s->expiry_s);
	if (assigned.n)
		mqtt_props_set_s(&props, MQTT_PROP_ASSIGNED_CLIENT_ID, assigned);
	if (c->keep_alive_s != p->keep_alive_s)
		mqtt_props_set_u(&props, MQTT_PROP_SERVER_KEEP_ALIVE, c->keep_alive_s);
	mqtt_props_set_u(&props, MQTT_PROP_RECEIVE_MAX, least(s->limits.receive_max, UINT16_MAX));
	if (s->limits.topic_aliases)
		mqtt_props_set_u(&props, MQTT_PROP_TOPIC_ALIAS_MAX, s->limits.topic_aliases);
	mqtt_props_set_u(&props, MQTT_PROP_MAX_PACKET, s->limits.packet_bytes);
	uint8_t b[128];
	struct writer w = writer_of(b, sizeof b);
	mqtt_connack_write(&w, c->level, has_session, 0, &props);
	bool fits = w.len <= c->packet_max;
	if (fits)
		mqtt_conn_write(c, &w);
	return fits;
}

/* What a policy may say, and what this engine can do. */
static struct mqtt_limits limits_bounded(struct mqtt_limits l)
{
	l.topic_levels = least(l.topic_levels, MQTT_LEVELS_MAX);
	l.topic_aliases = least(l.topic_aliases, UINT16_MAX);
	l.subscriptions = least(l.subscriptions, MQTT_SUBSCRIPTIONS_MAX);
	return l;
}

/* How long nothing may come [s]; 0: for ever. */
static uint32_t keep_alive_of(const struct mqtt_connect *p, const struct mqtt_login *login)
{
	uint32_t wish = p->keep_alive_s ? p->keep_alive_s : login->idle_limit_s, max = login->keep_alive_max_s;
	return p->level == MQTT_5 && max && (wish == 0 || wish > max) ? max : wish;
}

/* Bind connection and session; both exist. */
static int session_bind(struct mqtt_conn *c, struct mqtt_session *s, const struct mqtt_connect *p, const struct mqtt_login *login)
{
	struct mqtt_engine *e = c->engine;
	struct mqtt_will *will = NULL;
	s->limits = limits_bounded(login->limits);
	if (p->has_will && !(will = mqtt_will_new(e, p, s, login->login)))
		return -ENOMEM;
	if (mqtt_map_add(&e->logins, &c->by_login, mqtt_map_hash(&e->logins, login->login, NULL, 0))) {
		mqtt_will_free(e, will);
		return -ENOMEM;
	}
	c->login = login->login;
	c->will = will;
	c->level = p->level;
	c->session = s;
	c->keep_alive_s = keep_alive_of(p, login);
	s->conn = c;
	s->owner->connected_n++;
	heap_remove(&e->ends, &s->ends);
	s->expiry_s = expiry_of(p, &s->limits);
	if (p->level == MQTT_5) {
		c->is_ephemeral = mqtt_props_u(&p->props, MQTT_PROP_SESSION_EXPIRY, 0) == 0;
		c->aliases_out_max = least(s->limits.topic_aliases, mqtt_props_u(&p->props, MQTT_PROP_TOPIC_ALIAS_MAX, 0));
		c->wants_why = mqtt_props_u(&p->props, MQTT_PROP_REQUEST_PROBLEM, 1);
		s->limits.inflight = least(s->limits.inflight, mqtt_props_u(&p->props, MQTT_PROP_RECEIVE_MAX, UINT16_MAX));
	}
	e->stats.connects++;
	return 0;
}

/* It cannot be, after the policy had said yes. */
static void login_undo(struct mqtt_conn *c, const struct mqtt_connect *p, uint64_t login, uint8_t reason, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	bool is_topic = reason == MQTT_BAD_TOPIC;
	refuse(c, p->level, is_topic ? MQTT_REFUSED_RIGHTS : MQTT_REFUSED_UNAVAILABLE, reason, is_topic ? STR("") : STR("too many sessions"), now);
	e->policy.disconnected(e->policy.ctx, login, reason);
	if (e->policy.released)
		e->policy.released(e->policy.ctx, login);
}

/* Find or make the session, and bind it. @return 0; -ENOMEM; -EBUSY the policy let another one in meanwhile */
static int session_get(struct mqtt_conn *c, const struct mqtt_connect *p, const struct mqtt_login *login, struct str client,
	bool *ret_has_session)
{
	struct mqtt_engine *e = c->engine;
	struct mqtt_owner *o = mqtt_owner_get(e, str_of(login->owner));
	if (!o)
		return -ENOMEM;
	struct mqtt_session *s = mqtt_session_find(e, o, client);
	*ret_has_session = s != NULL;
	int rc = c->is_closed || (s && s->conn) ? -EBUSY : s ? 0 : mqtt_session_new(e, o, client, &s);
	if (rc == 0)
		rc = session_bind(c, s, p, login);
	if (rc && s && !*ret_has_session)
		mqtt_session_free(e, s, false);
	if (rc)
		mqtt_owner_settle(e, o);
	return rc;
}

/* The policy has said yes: take over, find or make the session, answer. */
static void accept_login(struct mqtt_conn *c, const struct mqtt_connect *p, const struct mqtt_login *login, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	char assigned[40];
	struct str client = p->client_id.n ? p->client_id : id_assign(e, str_of(login->owner), assigned, sizeof assigned);
	bool has_room = way_make(e, login, client, p->is_clean, now), has_session = false;
	if (!has_room || session_get(c, p, login, client, &has_session)) {
		login_undo(c, p, login->login, has_room ? MQTT_UNAVAILABLE : MQTT_QUOTA, now);
		return;
	}
	struct mqtt_session *s = c->session;
	mqtt_will_cancel(e, s);
	s->is_kept |= s->expiry_s && e->keep;
	mqtt_keep_session(e, s, now);
	mqtt_conn_arm(c);
	if (!has_session)
		mqtt_conn_hold(c);
	if (connack_send(c, p, has_session, p->client_id.n ? STR("") : client))
		mqtt_deliver_resume(s, now);
	else
		mqtt_conn_end(c, END_DISCONNECT, MQTT_TOO_LARGE, now);
}

/* What is wrong with a CONNECT that is well-formed; MQTT_ACCEPTED: nothing. */
static enum mqtt_connack_code connect_judge(const struct mqtt_engine *e, const struct mqtt_connect *p)
{
	if (p->client_id.n > e->limits.client_id_bytes)
		return MQTT_REFUSED_CLIENT_ID;
	bool needs_id = p->level == MQTT_31 || (p->level == MQTT_311 && !p->is_clean);
	return needs_id && p->client_id.n == 0 ? MQTT_REFUSED_CLIENT_ID : MQTT_ACCEPTED; /* [MQTT311 3.1.3-8] */
}

static void connect_take(struct mqtt_conn *c, const struct mqtt_connect *p, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	enum mqtt_connack_code code = connect_judge(e, p);
	char why_text[200];
	struct text why = text_fixed(why_text, sizeof why_text);
	struct mqtt_login login = { .limits = e->limits };
	const struct mqtt_login_request rq = { .peer = c->peer, .level = p->level, .is_clean = p->is_clean, .client_id = p->client_id,
		.user = p->user, .password = p->password, .has_will = p->has_will, .will_retain = p->will_retain, .will_qos = p->will_qos,
		.will_topic = p->will_topic, .will_payload = p->will_payload };
	if (code == MQTT_ACCEPTED)
		code = e->policy.connect(e->policy.ctx, &rq, &login, &why);
	if (code != MQTT_ACCEPTED)
		refuse_as(c, p->level, code, text_str(&why), now);
	else if (p->will_topic.n > login.limits.topic_bytes || mqtt_topic_levels(p->will_topic) > login.limits.topic_levels)
		login_undo(c, p, login.login, MQTT_BAD_TOPIC, now);
	else
		accept_login(c, p, &login, now);
}

void mqtt_connect_handle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now)
{
	struct mqtt_connect p = { .level = 0 };
	int fault = c->session ? MQTT_PROTOCOL_ERROR : mqtt_connect_read(f->body, &p);
	if (fault == 0)
		c->packet_max = mqtt_props_u(&p.props, MQTT_PROP_MAX_PACKET, MQTT_PACKET_MAX);
	if (fault == 0 && p.level == MQTT_5 && f->is_padded)
		fault = MQTT_MALFORMED;
	if (fault == 0 && !mqtt_message_is_as_said(&p.will_props, p.will_payload))
		fault = MQTT_BAD_PAYLOAD;
	if (fault == MQTT_BAD_VERSION)
		refuse_as(c, MQTT_311, MQTT_REFUSED_LEVEL, STR(""), now);
	else if (fault && p.level == MQTT_5)
		refuse(c, p.level, MQTT_REFUSED_RIGHTS, (uint8_t)fault, STR(""), now);
	else if (fault)
		mqtt_conn_end(c, END_CLOSE, (uint8_t)fault, now);
	else if (mqtt_props_has(&p.props, MQTT_PROP_AUTH_METHOD))
		refuse(c, p.level, MQTT_REFUSED_RIGHTS, MQTT_BAD_AUTH_METHOD, STR("no enhanced authentication here"), now);
	else
		connect_take(c, &p, now);
}

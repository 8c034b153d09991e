/** @file An MQTT engine for tests: a policy that lets everybody do nearly everything, and sockets made of memory.
 *
 * The user name is the owner ("open" without one). User `deny` is refused with 5, password `wrong` with 4.
 * User `safe` may read whatever happens, has the limits of the book, and its session stays. Filters under `forbidden/` and `test/nosubscribe` are refused; for user `narrow`, `#` and `v3/#` become `v3/app1/#`.
 * Topics: `later/…` is taken later (tickets are recorded), `taken/…` at once, `drop/…` is dropped, `close/…` closes; the rest is routed.
 */
#pragma once
#include "as/core/mqtt/mqtt_engine.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>
#include <string.h>

#ifndef OPEN_OUT_MAX
#define OPEN_OUT_MAX ((size_t)1 << 20) /**< octets kept of what comes out */
#endif
#ifndef OPEN_ENGINE_NEW
#define OPEN_ENGINE_NEW mqtt_engine_new
#define OPEN_LOADS true /**< a restart finds all that was kept */
#endif
enum { OPEN_CLIENTS = 4, OPEN_TICKETS = 256, OPEN_RECORDS = 1024 };

struct open_client {
	struct mqtt_conn *conn; /**< NULL: closed, by either side */
	bool was_closed;        /**< by the engine */
	bool is_stuck, was_resumed;
	unsigned holds;
	bool is_held;   /* what comes out from held_at on waits for the disk */
	size_t held_at;
	uint8_t *in, *out;
	size_t in_n, out_n;
};

struct open_record {
	bool was_there; /* in a journal: the value before */
	uint8_t key[32];
	size_t key_n, value_n;
	uint8_t *value;
};

struct open_net {
	struct mqtt_engine *engine;
	struct now now;
	struct open_client clients[OPEN_CLIENTS];
	bool may_not_read;
	uint64_t tickets[OPEN_TICKETS], cookies, next_login, last_cookie;
	size_t tickets_n, disconnected_n, released_n, wills_n, taken_n;
	uint8_t last_reason;
	uint64_t losses_told, lost, lost_total;
	struct mqtt_limits limits; /* of every login, where packet_bytes is not 0 */
	uint16_t keep_alive_max_s;
	struct open_record *records;
	size_t records_n;
	struct open_record *journal; /* how to undo what is not on disk yet */
	size_t journal_n, journal_cap;
	bool keeps, is_slow; /* is_slow: on disk only when open_commit says so */
	struct mqtt_keep keep;
};

static inline enum mqtt_connack_code open_connect(void *ctx, const struct mqtt_login_request *rq, struct mqtt_login *ret, struct text *why)
{
	struct open_net *net = ctx;
	if (rq->user.is_present && str_is(rq->user.s, "deny")) {
		text_puts(why, "denied by the test");
		return MQTT_REFUSED_RIGHTS;
	}
	if (rq->password.is_present && str_is(rq->password.s, "wrong"))
		return MQTT_REFUSED_CREDENTIALS;
	if (str_copy(rq->user.is_present ? rq->user.s : STR("open"), ret->owner, sizeof ret->owner))
		return MQTT_REFUSED_CLIENT_ID;
	if (net->limits.packet_bytes)
		ret->limits = net->limits;
	if (rq->user.is_present && str_is(rq->user.s, "safe")) {
		ret->limits = mqtt_limits_default();
		ret->limits.session_expiry_s = UINT32_MAX;
	}
	ret->keep_alive_max_s = net->keep_alive_max_s;
	ret->login = ++net->next_login << 8 | (str_is(rq->user.s, "narrow") ? 1 : str_is(rq->user.s, "safe") ? 2 : 0);
	if (str_is(rq->user.s, "one")) {
		ret->limits.sessions = 1;
		ret->limits.evicts = true;
	}
	return MQTT_ACCEPTED;
}

static inline uint8_t open_filter(void *ctx, uint64_t login, struct str filter, struct text *ret_narrowed)
{
	(void)ctx;
	if (str_starts(filter, "forbidden/") || str_is(filter, "test/nosubscribe"))
		return MQTT_NOT_AUTHORIZED;
	if (login & 1 && (str_is(filter, "#") || str_is(filter, "v3/#")))
		text_puts(ret_narrowed, "v3/app1/#");
	return 0;
}

static inline enum mqtt_verdict open_publish(void *ctx, const struct mqtt_publication *m, uint8_t *ret_reason)
{
	struct open_net *net = ctx;
	net->wills_n += m->is_will;
	if (str_starts(m->topic, "later/") && m->ticket && net->tickets_n < OPEN_TICKETS) {
		net->tickets[net->tickets_n++] = m->ticket;
		return MQTT_TAKEN_LATER;
	}
	if (str_starts(m->topic, "taken/")) {
		net->taken_n++;
		return MQTT_TAKEN;
	}
	if (str_starts(m->topic, "bad/"))
		*ret_reason = MQTT_BAD_PAYLOAD;
	if (str_starts(m->topic, "drop/") || str_starts(m->topic, "bad/"))
		return MQTT_DROP;
	return str_starts(m->topic, "close/") ? MQTT_CLOSE : MQTT_ROUTE;
}

static inline bool open_may_read(void *ctx, uint64_t login)
{
	return !((struct open_net *)ctx)->may_not_read || login & 2;
}

static inline void open_disconnected(void *ctx, uint64_t login, uint8_t reason)
{
	struct open_net *net = ctx;
	(void)login;
	net->disconnected_n++;
	net->last_reason = reason;
}

static inline void open_released(void *ctx, uint64_t login)
{
	(void)login;
	((struct open_net *)ctx)->released_n++;
}

static inline void open_acknowledged(void *ctx, uint64_t login, uint64_t cookie)
{
	(void)login;
	((struct open_net *)ctx)->cookies++;
	((struct open_net *)ctx)->last_cookie = cookie;
}

static inline void open_lost(void *ctx, const struct mqtt_loss *loss)
{
	struct open_net *net = ctx;
	net->losses_told++;
	net->lost += loss->n;
	net->lost_total = loss->total;
}

static inline bool open_send(void *ctx, void *socket, const struct slice *parts, size_t n)
{
	struct open_client *c = socket;
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		size_t take = parts[i].n < OPEN_OUT_MAX - c->out_n ? parts[i].n : OPEN_OUT_MAX - c->out_n;
		if (take)
			memcpy(c->out + c->out_n, parts[i].p, take);
		c->out_n += take;
	}
	return c->is_stuck;
}

static inline void open_close(void *ctx, void *socket)
{
	struct open_client *c = socket;
	(void)ctx;
	c->conn = NULL;
	c->was_closed = true;
}

static inline void open_resume(void *ctx, void *socket)
{
	(void)ctx;
	((struct open_client *)socket)->was_resumed = true;
}

static inline void open_hold(void *ctx, void *socket)
{
	const struct open_net *net = ctx;
	struct open_client *c = socket;
	c->holds++;
	if (!c->is_held)
		c->held_at = c->out_n;
	c->is_held = net->is_slow;
}

static inline struct open_record *open_record_find(struct open_net *net, struct slice key)
{
	for (size_t i = 0; i < net->records_n; i++)
		if (net->records[i].key_n == key.n && memcmp(net->records[i].key, key.p, key.n) == 0)
			return &net->records[i];
	return NULL;
}

/** Remember what was there before a write. */
static inline void open_journal(struct open_net *net, struct slice key)
{
	const struct open_record *r = open_record_find(net, key);
	if (!net->is_slow || key.n > 32)
		return;
	if (net->journal_n == net->journal_cap) {
		net->journal_cap = net->journal_cap ? net->journal_cap * 2 : 64;
		net->journal = realloc(net->journal, net->journal_cap * sizeof *net->journal);
	}
	struct open_record *j = &net->journal[net->journal_n++];
	*j = (struct open_record){ .was_there = r != NULL, .key_n = key.n, .value_n = r ? r->value_n : 0 };
	memcpy(j->key, key.p, key.n);
	if (r) {
		j->value = malloc(r->value_n + 1);
		memcpy(j->value, r->value, r->value_n);
	}
}

static inline void open_del(void *ctx, struct slice key)
{
	struct open_net *net = ctx;
	open_journal(net, key);
	struct open_record *r = open_record_find(net, key);
	if (!r)
		return;
	free(r->value);
	*r = net->records[--net->records_n];
}

static inline void open_put(void *ctx, struct slice key, struct slice value);

/** All that was written is on disk; what waited for it comes out. */
static inline void open_commit(struct open_net *net)
{
	for (size_t i = 0; i < net->journal_n; i++)
		free(net->journal[i].value);
	net->journal_n = 0;
	for (size_t i = 0; i < OPEN_CLIENTS; i++)
		net->clients[i].is_held = false;
}

/** What is not on disk is gone, and so is what waited for it. */
static inline void open_roll_back(struct open_net *net)
{
	net->is_slow = false;
	while (net->journal_n) {
		struct open_record j = net->journal[--net->journal_n];
		if (j.was_there)
			open_put(net, (struct slice){ j.key, j.key_n }, (struct slice){ j.value, j.value_n });
		else
			open_del(net, (struct slice){ j.key, j.key_n });
		free(j.value);
	}
	net->is_slow = true;
	for (size_t i = 0; i < OPEN_CLIENTS; i++) {
		if (net->clients[i].is_held)
			net->clients[i].out_n = net->clients[i].held_at;
		net->clients[i].is_held = false;
	}
}

static inline void open_put(void *ctx, struct slice key, struct slice value)
{
	struct open_net *net = ctx;
	open_del(ctx, key);
	if (net->records_n == OPEN_RECORDS || key.n > 32)
		abort();
	struct open_record *r = &net->records[net->records_n++];
	memcpy(r->key, key.p, key.n);
	r->key_n = key.n;
	r->value_n = value.n;
	r->value = malloc(value.n + 1);
	memcpy(r->value, value.p, value.n);
}

static inline void open_engine_start(struct open_net *net, const struct mqtt_limits *limits)
{
	net->keep = (struct mqtt_keep){ net, open_put, open_del };
	struct mqtt_engine_options o = {
		.policy = { net, open_connect, open_filter, open_publish, open_may_read, open_disconnected, open_released, NULL, open_acknowledged,
			open_lost },
		.sink = { net, open_send, open_close, open_resume, open_hold },
		.keep = net->keeps ? &net->keep : NULL,
		.limits = limits ? *limits : mqtt_limits_default(),
		.seed = 1,
	};
	if (!limits)
		o.limits.retained_messages = 100;
	net->engine = OPEN_ENGINE_NEW(&o);
}

static inline void open_start(struct open_net *net, const struct mqtt_limits *limits, bool keeps)
{
	*net = (struct open_net){ .now = { SEC_US, UINT64_C(1700000000000000) }, .keeps = keeps };
	net->records = calloc(OPEN_RECORDS, sizeof *net->records);
	for (size_t i = 0; i < OPEN_CLIENTS; i++) {
		net->clients[i].in = malloc(OPEN_OUT_MAX);
		net->clients[i].out = malloc(OPEN_OUT_MAX);
	}
	open_engine_start(net, limits);
}

static inline void open_stop(struct open_net *net)
{
	mqtt_engine_free(net->engine);
	for (size_t i = 0; i < OPEN_CLIENTS; i++) {
		free(net->clients[i].in);
		free(net->clients[i].out);
	}
	for (size_t i = 0; i < net->records_n; i++)
		free(net->records[i].value);
	free(net->records);
	open_commit(net);
	free(net->journal);
}

static inline int open_record_compare(const void *a, const void *b)
{
	const struct open_record *x = a, *y = b;
	int c = memcmp(x->key, y->key, x->key_n < y->key_n ? x->key_n : y->key_n);
	return c ? c : (x->key_n > y->key_n) - (x->key_n < y->key_n);
}

/** As after kill -9: connections and memory are gone, the records come back. @return the first failure of mqtt_engine_load */
static inline int open_restart(struct open_net *net)
{
	mqtt_engine_free(net->engine);
	if (net->is_slow)
		open_roll_back(net);
	for (size_t i = 0; i < OPEN_CLIENTS; i++)
		net->clients[i].conn = NULL;
	open_engine_start(net, NULL);
	qsort(net->records, net->records_n, sizeof *net->records, open_record_compare);
	size_t n = net->records_n;
	struct open_record *copy = malloc((n + 1) * sizeof *copy);
	memcpy(copy, net->records, n * sizeof *copy);
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		/* What is loaded is not written again, but may be: then value is replaced under our feet. */
		uint8_t *value = malloc(copy[i].value_n + 1);
		struct open_record *r = open_record_find(net, (struct slice){ copy[i].key, copy[i].key_n });
		memcpy(value, r->value, r->value_n);
		rc = mqtt_engine_load(net->engine, (struct slice){ copy[i].key, copy[i].key_n }, (struct slice){ value, copy[i].value_n }, &net->now);
		free(value);
	}
	free(copy);
	return rc;
}

static inline void open_give(struct open_net *net, struct open_client *c)
{
	size_t need;
	size_t used = c->conn ? mqtt_engine_receive(c->conn, (struct slice){ c->in, c->in_n }, &net->now, &need) : c->in_n;
	memmove(c->in, c->in + used, c->in_n - used);
	c->in_n -= used;
}

static inline void open_step(struct open_net *net)
{
	mqtt_engine_step(net->engine, &net->now);
	for (size_t i = 0; i < OPEN_CLIENTS; i++)
		if (net->clients[i].was_resumed) {
			net->clients[i].was_resumed = false;
			open_give(net, &net->clients[i]);
		}
}

/** Bytes from a client; connects it first if it is not. */
static inline void open_receive(struct open_net *net, struct open_client *c, const void *p, size_t n)
{
	if (!c->conn && !c->was_closed) {
		c->in_n = 0;
		if (mqtt_engine_open(net->engine, c, NULL, &net->now, &c->conn))
			return;
	}
	if (n > OPEN_OUT_MAX - c->in_n)
		n = OPEN_OUT_MAX - c->in_n;
	if (n)
		memcpy(c->in + c->in_n, p, n);
	c->in_n += n;
	open_give(net, c);
	open_step(net);
}

static inline void open_lose(struct open_net *net, struct open_client *c)
{
	if (c->conn)
		mqtt_engine_lost(c->conn, &net->now);
	c->conn = NULL;
	open_step(net);
}

/** Start over as a new connection. */
static inline void open_forget(struct open_client *c)
{
	c->was_closed = false;
	c->out_n = c->in_n = 0;
}

static inline void open_wait(struct open_net *net, uint64_t us)
{
	net->now.mono_us += us;
	net->now.unix_us += us;
	open_step(net);
}

/** @file An MQTT broker for tests with real clients: our engine and listener, with a policy that lets everybody do nearly everything.
 *
 *     mqtt-broker [--port N] [--OPTION VALUE ...]     (--help lists them)
 *
 * Prints "ready PORT". The user name is the owner; user `deny` is refused with 5, password `wrong` with 4; `test/nosubscribe` may not
 * be subscribed to; topics under `later/` are acknowledged once they are "stored", 5 ms later; the payload of `bench/flood` is how many
 * messages of 100 octets to send to `bench/data`. The general suites for brokers (Eclipse's client_test.py and client_test5.py) need no
 * option; mosquitto's own tests of a broker expect a CONNACK of `--receive 20 --inflight 20 --aliases 10`, and ask for the others.
 */
#include "as/mqtt_listener.h"
#include "common/log.h"
#include "common/store.h"
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LATER_MAX = 4096, FLOOD_BATCH = 200, TABLE = 0x30 };

struct broker {
	struct loop *loop;
	struct store *store;
	struct mqtt_listener *listener;
	struct mqtt_engine *engine;
	struct loop_timer *timer;
	SSL_CTX *tls;
	struct mqtt_limits limits;
	struct mqtt_keep keep;
	uint64_t next_login, flood_left;
	const char *port, *dir, *certificate, *users;
	uint32_t keep_alive_max_s, is_closed;
	uint64_t later[LATER_MAX];
	size_t later_n;
};

/* Has the file a line "user:password" of these? Read anew each time: tests change it. */
static bool is_known(const char *file, struct str user, struct str password)
{
	FILE *f = fopen(file, "re");
	char line[512];
	bool is = false;
	while (f && !is && fgets(line, sizeof line, f)) {
		struct str name, rest = str_cut(str_trim(str_of(line)), ':', &name);
		is = str_eq(name, user) && str_eq(rest, password);
	}
	if (f)
		(void)fclose(f);
	return is;
}

static enum mqtt_connack_code on_connect(void *ctx, const struct mqtt_login_request *rq, struct mqtt_login *ret, struct text *why)
{
	struct broker *b = ctx;
	if (rq->user.is_present && str_is(rq->user.s, "deny")) {
		text_puts(why, "this user is always refused");
		return MQTT_REFUSED_RIGHTS;
	}
	if (rq->password.is_present && str_is(rq->password.s, "wrong"))
		return MQTT_REFUSED_CREDENTIALS;
	if (!rq->user.is_present && b->is_closed)
		return MQTT_REFUSED_RIGHTS;
	if (rq->user.is_present && b->users && !(rq->password.is_present && is_known(b->users, rq->user.s, rq->password.s)))
		return MQTT_REFUSED_CREDENTIALS;
	if (str_copy(rq->user.is_present ? rq->user.s : STR("open"), ret->owner, sizeof ret->owner))
		return MQTT_REFUSED_CLIENT_ID;
	ret->login = ++b->next_login;
	ret->keep_alive_max_s = (uint16_t)b->keep_alive_max_s;
	return MQTT_ACCEPTED;
}

static uint8_t on_filter(void *ctx, uint64_t login, struct str filter, struct text *ret_narrowed)
{
	(void)ctx, (void)login, (void)ret_narrowed;
	return str_is(filter, "test/nosubscribe") ? MQTT_NOT_AUTHORIZED : 0;
}

static void flood(void *ctx)
{
	struct broker *b = ctx;
	static const uint8_t body[100];
	struct mqtt_message m = { .topic = STR("bench/data"), .payload = { body, sizeof body } };
	for (size_t i = 0; i < FLOOD_BATCH && b->flood_left && mqtt_listener_stats(b->listener)->waiting_bytes < 100000; i++, b->flood_left--)
		(void)mqtt_engine_publish(b->engine, STR("open"), &m, loop_now(b->loop));
	if (b->flood_left)
		(void)loop_defer(b->loop, flood, b);
}

static enum mqtt_verdict on_publish(void *ctx, const struct mqtt_publication *m, uint8_t *ret_reason)
{
	struct broker *b = ctx;
	(void)ret_reason;
	struct str number = { (const char *)m->payload.p, m->payload.n };
	if (str_is(m->topic, "bench/flood") && num_u64(number, &b->flood_left) == 0)
		return loop_defer(b->loop, flood, b) ? MQTT_CLOSE : MQTT_TAKEN;
	if (str_starts(m->topic, "later/") && m->ticket && b->later_n < LATER_MAX) {
		b->later[b->later_n++] = m->ticket;
		loop_timer_in(b->timer, 5 * MS_US);
		return MQTT_TAKEN_LATER;
	}
	return MQTT_ROUTE;
}

/* "Stored": the last first, so that the order of the acknowledgements is the engine's doing. */
static void on_stored(void *ctx)
{
	struct broker *b = ctx;
	while (b->later_n)
		mqtt_engine_taken(b->engine, b->later[--b->later_n], 0, loop_now(b->loop));
}

static bool on_may_read(void *ctx, uint64_t login)
{
	(void)ctx, (void)login;
	return true;
}

static void on_disconnected(void *ctx, uint64_t login, uint8_t reason)
{
	(void)ctx;
	LOG(LOG_DEBUG, "disconnected", KV_U("login", login), KV_HEX32("reason", reason));
}

static void on_lost(void *ctx, const struct mqtt_loss *loss)
{
	(void)ctx;
	LOG(LOG_WARN, "lost", KV_STR("client", loss->client_id), KV_U("messages", loss->n));
}

static struct slice key_of(struct slice key, uint8_t buf[40])
{
	buf[0] = TABLE;
	memcpy(buf + 1, key.p, key.n < 39 ? key.n : 39);
	return (struct slice){ buf, key.n + 1 };
}

static void on_put(void *ctx, struct slice key, struct slice value)
{
	uint8_t buf[40];
	(void)store_put(((struct broker *)ctx)->store, key_of(key, buf), value);
}

static void on_del(void *ctx, struct slice key)
{
	uint8_t buf[40];
	(void)store_del(((struct broker *)ctx)->store, key_of(key, buf));
}

struct records {
	struct record {
		uint8_t key[40], *value;
		size_t key_n, value_n;
	} *v;
	size_t n;
};

/* Loading may write, and a scan must not: so all records are read first. */
static int record_add(void *ctx, struct slice key, struct slice value)
{
	struct records *r = ctx;
	struct record *v = reallocarray(r->v, r->n + 1, sizeof *v);
	if (!v)
		return -ENOMEM;
	r->v = v;
	struct record *at = &r->v[r->n];
	at->value = malloc(value.n + 1);
	if (!at->value)
		return -ENOMEM;
	memcpy(at->key, key.p, key.n);
	memcpy(at->value, value.p, value.n);
	at->key_n = key.n;
	at->value_n = value.n;
	r->n++;
	return 0;
}

static int records_load(struct broker *b)
{
	const uint8_t table = TABLE;
	struct records r = { NULL, 0 };
	int rc = store_scan(b->store, (struct slice){ &table, 1 }, (struct slice){ NULL, 0 }, record_add, &r);
	for (size_t i = 0; i < r.n; i++) {
		if (rc == 0)
			rc = mqtt_engine_load(b->engine, (struct slice){ r.v[i].key + 1, r.v[i].key_n - 1 },
				(struct slice){ r.v[i].value, r.v[i].value_n }, loop_now(b->loop));
		free(r.v[i].value);
	}
	free(r.v);
	return rc;
}

static int broker_start(struct broker *b)
{
	struct rng rng = loop_rng();
	char error[200];
	struct text why = text_fixed(error, sizeof error);
	if (b->dir)
		TRY(store_open(b->loop, &(struct store_options){ .dir = b->dir, .schema = 1 }, &b->store, &why));
	b->keep = (struct mqtt_keep){ b, on_put, on_del };
	b->listener = mqtt_listener_new(b->loop, NULL);
	b->timer = loop_timer_new(b->loop, on_stored, b);
	struct mqtt_engine_options o = { .policy = { .ctx = b, .connect = on_connect, .filter = on_filter, .publish = on_publish,
		.may_read = on_may_read, .disconnected = on_disconnected, .lost = on_lost }, .keep = b->dir ? &b->keep : NULL, .limits = b->limits, .seed = rng_u64(&rng) };
	if (!b->listener || !b->timer)
		return -ENOMEM;
	o.sink = mqtt_listener_sink(b->listener);
	b->engine = mqtt_engine_new(&o);
	if (!b->engine)
		return -ENOMEM;
	mqtt_listener_attach(b->listener, b->engine);
	return b->dir ? records_load(b) : 0;
}

static int broker_tls(struct broker *b)
{
	const char *file = b->certificate;
	b->tls = file ? SSL_CTX_new(TLS_server_method()) : NULL;
	if (file && (!b->tls || SSL_CTX_use_certificate_chain_file(b->tls, file) != 1 || SSL_CTX_use_PrivateKey_file(b->tls, file, SSL_FILETYPE_PEM) != 1))
		return -EINVAL;
	if (b->tls)
		SSL_CTX_set_mode(b->tls, SSL_MODE_RELEASE_BUFFERS); /* as as/tls.c does */
	return 0;
}

static int broker_listen(struct broker *b)
{
	char text[64];
	struct text t = text_fixed(text, sizeof text);
	text_printf(&t, "127.0.0.1:%s", b->port);
	struct net_address a;
	int fd = -1;
	TRY(net_parse(text_str(&t), 1883, &a));
	TRY(mqtt_listener_open(b->listener, &a, b->tls, &fd));
	TRY(net_local(fd, &a));
	printf("ready %u\n", net_port(&a));
	fflush(stdout);
	return 0;
}

static void on_signal(int signo, void *ctx)
{
	struct broker *b = ctx;
	const struct mqtt_stats *s = mqtt_engine_stats(b->engine);
	(void)signo;
	printf("connections=%llu sessions=%llu subscriptions=%llu received=%llu sent=%llu dropped=%llu+%llu\n", (unsigned long long)s->connections,
		(unsigned long long)s->sessions, (unsigned long long)s->subscriptions, (unsigned long long)s->received, (unsigned long long)s->sent,
		(unsigned long long)s->dropped_qos0, (unsigned long long)s->dropped_queue);
	fflush(stdout);
	if (signo == SIGTERM)
		loop_stop(b->loop);
}

static void broker_stop(struct broker *b)
{
	if (b->engine)
		mqtt_engine_shutdown(b->engine, loop_now(b->loop));
	mqtt_listener_free(b->listener);
	mqtt_engine_free(b->engine);
	loop_timer_free(b->timer);
	SSL_CTX_free(b->tls);
	if (b->store)
		store_close(b->store);
	loop_free(b->loop);
}

static const struct option {
	const char *name, *says;
	size_t at;
	bool is_text;
} options[] = {
#define TEXT(name, member, says) { "--" name, says, offsetof(struct broker, member), true }
#define NUMBER(name, member, says) { "--" name, says, offsetof(struct broker, member), false }
	TEXT("port", port, "TCP port on 127.0.0.1; 0 takes a free one"),
	TEXT("dir", dir, "keep sessions and retained messages there"),
	TEXT("tls", certificate, "file of key and certificate: serve TLS"),
	TEXT("users", users, "file of lines user:password; another user, or password, is refused"),
	NUMBER("closed", is_closed, "1: refuse who has no user name"),
	NUMBER("keep-alive", keep_alive_max_s, "5.0 clients that ask for more are told this [s]"),
	NUMBER("queue", limits.queue_messages, "messages that wait for a client, of 4096 octets on average"),
	NUMBER("retained", limits.retained_messages, "retained messages of one owner; 0: none are kept"),
	NUMBER("inflight", limits.inflight, "messages of QoS 1 and 2 to a client that it has not acknowledged"),
	NUMBER("receive", limits.receive_max, "the same from a client"),
	NUMBER("aliases", limits.topic_aliases, "topic aliases each way"),
	NUMBER("packet", limits.packet_bytes, "largest packet [octets]"),
	NUMBER("topic", limits.topic_bytes, "longest topic [octets]"),
	NUMBER("levels", limits.topic_levels, "most levels of a topic"),
	NUMBER("expiry", limits.session_expiry_s, "longest life of a session without connection [s]"),
#undef TEXT
#undef NUMBER
};

static int help(FILE *out, int rc)
{
	fputs("mqtt-broker [--OPTION VALUE ...]: an MQTT broker for tests, in the open\n", out);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		fprintf(out, "  %-13s %s\n", options[i].name, options[i].says);
	return rc;
}

static int option_set(struct broker *b, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		void *at = (char *)b + options[i].at;
		uint64_t n = 0;
		if (!options[i].is_text && (num_u64(str_of(value), &n) || n > UINT32_MAX))
			return -EINVAL;
		if (options[i].is_text)
			memcpy(at, &value, sizeof value);
		else
			*(uint32_t *)at = (uint32_t)n;
		return 0;
	}
	return -EINVAL;
}

static int broker_run(struct broker *b)
{
	TRY(b->loop ? 0 : -ENOMEM);
	TRY(loop_on_signal(b->loop, SIGTERM, on_signal, b));
	TRY(loop_on_signal(b->loop, SIGUSR1, on_signal, b));
	TRY(broker_start(b));
	TRY(broker_tls(b));
	TRY(broker_listen(b));
	return loop_run(b->loop);
}

int main(int argc, char **argv)
{
	struct broker b = { .loop = loop_new(), .limits = mqtt_limits_default(), .port = "0" };
	b.limits.retained_messages = 10000;
	b.limits.sessions = 100000;
	uint32_t queue = b.limits.queue_messages;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return help(stdout, EXIT_SUCCESS);
	for (int i = 1; i < argc; i += 2)
		if (i + 1 == argc || option_set(&b, argv[i], argv[i + 1]))
			return help(stderr, 2);
	if (b.limits.queue_messages != queue)
		b.limits.queue_bytes = b.limits.queue_messages * 4096;
	log_setup(LOG_LOGFMT, LOG_INFO, "mqtt");
	signal(SIGPIPE, SIG_IGN);
	int rc = broker_run(&b);
	if (rc)
		fprintf(stderr, "mqtt-broker: %s\n", strerror(rc < 0 ? -rc : EINVAL));
	broker_stop(&b);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file The MQTT client against the MQTT engine of the server, over wires that break at any octet, with clients and brokers that are killed
 * at any moment and disks that lag behind: whatever is kept as the header says arrives once and in order at QoS 2, both ways.
 */
#include "as/core/integration/mqtt_client.h"
#include "common/core/rng.h"
#include "proto/mqtt/mqtt_write.h"
#include "test/unit/mqtt_open.h"
#include <check.h>

enum { ITEMS = 150, PUSHES = 60, HEARD_MAX = 4096 };

static struct world {
	struct open_net net;
	struct rng_seeded seeded;
	struct rng rng;
	struct mqtt_client *client;
	bool is_up;               /* the client has a wire */
	uint8_t out[1 << 16];     /* of the client, on its way */
	size_t out_n;
	/* The client's disk, and what it will have on it at the next commit. */
	uint8_t disk[ITEMS + 1], soon[ITEMS + 1]; /* 0 waiting, 1 received, 2 gone */
	bool disk_ids[65536], soon_ids[65536];
	size_t disk_taken, soon_taken; /* of the pushes that came, in order */
	uint32_t disk_pushes[HEARD_MAX], soon_pushes[HEARD_MAX];
	uint64_t stored[64], tokens[64]; /* to be told after it */
	size_t stored_n, tokens_n;
	uint64_t next;
	uint32_t heard[HEARD_MAX]; /* by the other client of the broker */
	size_t heard_n;
	uint16_t other_seen[65536]; /* ids of QoS 2 it has not been told to forget */
	unsigned crashes, breaks, restarts;
} *w;

static uint64_t chance(uint64_t below)
{
	return rng_below(&w->rng, below);
}

static uint32_t number_of(struct slice payload)
{
	struct reader r = reader_of(payload.p, payload.n);
	return reader_be32(&r);
}

/* The client's side. */

static bool on_send(void *ctx, const struct slice *parts, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_le(w->out_n + parts[i].n, sizeof w->out);
		if (parts[i].n)
			memcpy(w->out + w->out_n, parts[i].p, parts[i].n);
		w->out_n += parts[i].n;
	}
	return false;
}

static void on_resume(void *ctx)
{
	(void)ctx;
}

static void on_close(void *ctx, enum mqtt_fault fault, struct str words)
{
	(void)ctx;
	ck_abort_msg("the client gave up: %d %.*s", fault, STR_ARG(words));
}

static void offer(void)
{
	char words[100];
	struct text why = text_fixed(words, sizeof words);
	for (; w->next <= ITEMS; w->next++) {
		uint8_t payload[4];
		struct writer p = writer_of(payload, sizeof payload);
		writer_be32(&p, (uint32_t)w->next);
		if (w->soon[w->next] == 2)
			continue;
		const struct mqtt_item item = { w->next, w->disk[w->next] == 1 ? MQTT_ITEM_RECEIVED : MQTT_ITEM_WAITING, 2, STR("up/x"), { payload, 4 } };
		int rc = mqtt_client_send(w->client, &item, w->net.now.mono_us, &why);
		if (rc == MQTT_CLIENT_E_WAIT)
			return;
		ck_assert_int_eq(rc, 0);
	}
}

static void on_connected(void *ctx, bool has_session)
{
	(void)ctx;
	if (!has_session)
		memset(w->soon_ids, 0, sizeof w->soon_ids);
	w->next = 1;
	offer();
}

static void on_room(void *ctx)
{
	(void)ctx;
	offer();
}

static void on_outcome(void *ctx, uint64_t number, enum mqtt_outcome what, struct str words)
{
	(void)ctx, (void)words;
	ck_assert_int_ne(what, MQTT_OUTCOME_REFUSED);
	w->soon[number] = what == MQTT_OUTCOME_DONE ? 2 : 1;
	if (what == MQTT_OUTCOME_RECEIVED)
		w->stored[w->stored_n++] = number;
	ck_assert_uint_lt(w->stored_n, 64);
}

static void on_message(void *ctx, const struct mqtt_incoming *m)
{
	(void)ctx;
	ck_assert_uint_eq(m->qos, 2);
	w->soon_pushes[w->soon_taken++] = number_of(m->payload);
	w->soon_ids[m->id] = true;
	w->tokens[w->tokens_n++] = m->token;
	ck_assert_uint_lt(w->tokens_n, 64);
}

static void on_released(void *ctx, uint16_t id, uint64_t token)
{
	(void)ctx;
	w->soon_ids[id] = false;
	w->tokens[w->tokens_n++] = token;
	ck_assert_uint_lt(w->tokens_n, 64);
}

static void on_warning(void *ctx, struct str words)
{
	(void)ctx;
	ck_abort_msg("warned: %.*s", STR_ARG(words));
}

static void client_make(uint64_t maybe_sent)
{
	static const struct mqtt_filter filters[] = { { .filter = { "push/#", 6 }, .qos = 2 } };
	static const struct mqtt_client_wire wire = { NULL, on_send, on_resume, on_close };
	static const struct mqtt_client_user user = { NULL, on_connected, on_room, on_outcome, on_message, on_released, on_warning };
	const struct mqtt_client_options o = { .level = MQTT_311, .client_id = STR("ps"), .user = { true, STR("safe") }, .keep_alive_s = 60,
		.in_flight_max = 8, .packet_max = 1 << 16, .answer_us = 10 * SEC_US, .ack_us = 600 * SEC_US, .maybe_sent = maybe_sent,
		.filters = filters, .filters_n = 1 };
	ck_assert_int_eq(mqtt_client_new(&o, &wire, &user, &w->client), 0);
	for (unsigned id = 1; id < 65536; id++)
		if (w->disk_ids[id])
			ck_assert_int_eq(mqtt_client_remember(w->client, (uint16_t)id), 0);
}

static void client_commit(void)
{
	memcpy(w->disk, w->soon, sizeof w->disk);
	memcpy(w->disk_ids, w->soon_ids, sizeof w->disk_ids);
	memcpy(w->disk_pushes, w->soon_pushes, sizeof w->disk_pushes);
	w->disk_taken = w->soon_taken;
	size_t stored_n = w->stored_n, tokens_n = w->tokens_n;
	w->stored_n = w->tokens_n = 0;
	for (size_t i = 0; i < stored_n; i++)
		mqtt_client_stored(w->client, w->stored[i], w->net.now.mono_us);
	for (size_t i = 0; i < tokens_n; i++)
		mqtt_client_accept(w->client, w->tokens[i], w->net.now.mono_us);
}

/** A new wire is to have nothing of the old one. */
static void forget(struct open_client *c)
{
	open_forget(c);
	c->is_held = false;
}

static void wire_break(void)
{
	struct open_client *c = &w->net.clients[0];
	mqtt_client_lost(w->client);
	open_lose(&w->net, c);
	forget(c);
	w->out_n = 0;
	w->is_up = false;
	w->breaks++;
}

/** kill -9 of the client: what is not on its disk has not been. */
static void client_crash(void)
{
	wire_break();
	mqtt_client_free(w->client);
	memcpy(w->soon, w->disk, sizeof w->disk);
	memcpy(w->soon_ids, w->disk_ids, sizeof w->disk_ids);
	memcpy(w->soon_pushes, w->disk_pushes, sizeof w->disk_pushes);
	w->soon_taken = w->disk_taken;
	w->stored_n = w->tokens_n = 0;
	client_make(ITEMS);
	w->crashes++;
}

/* The other client of the broker, whose wire never breaks but with the broker: it notes what it hears. */

static void other_say(const void *p, size_t n)
{
	open_receive(&w->net, &w->net.clients[1], p, n);
}

static void other_ack(uint8_t type, uint16_t id)
{
	uint8_t b[4];
	struct writer a = writer_of(b, sizeof b);
	mqtt_ack_write(&a, type, id, MQTT_311, 0, STR(""));
	other_say(b, a.len);
}

static void other_take(const struct mqtt_frame *f)
{
	struct mqtt_publish p;
	struct mqtt_ack a;
	if (f->type == MQTT_PUBLISH) {
		ck_assert_int_eq(mqtt_publish_read(f->flags, f->body, MQTT_311, &p), 0);
		ck_assert_uint_eq(p.qos, 2);
		if (!w->other_seen[p.id]) {
			ck_assert_uint_lt(w->heard_n, HEARD_MAX);
			w->heard[w->heard_n++] = number_of(p.payload);
		}
		w->other_seen[p.id] = 1;
		other_ack(MQTT_PUBREC, p.id);
	} else if (f->type == MQTT_PUBREL) {
		ck_assert_int_eq(mqtt_ack_read(f->type, f->body, MQTT_311, &a), 0);
		w->other_seen[a.id] = 0;
		other_ack(MQTT_PUBCOMP, a.id);
	}
}

static void other_listen(void)
{
	struct open_client *c = &w->net.clients[1];
	static uint8_t copy[OPEN_OUT_MAX];
	for (struct mqtt_frame f; !c->is_held && mqtt_frame_read((struct slice){ c->out, c->out_n }, OPEN_OUT_MAX, &f) == 0;) {
		memcpy(copy, c->out, f.size);
		(void)mqtt_frame_read((struct slice){ copy, f.size }, OPEN_OUT_MAX, &f);
		memmove(c->out, c->out + f.size, c->out_n -= f.size);
		other_take(&f);
	}
}

static void other_connect(void)
{
	uint8_t b[100];
	struct writer p = writer_of(b, sizeof b);
	const struct mqtt_connect hello = { .level = MQTT_311, .client_id = STR("other"), .user = { true, STR("safe") } };
	const struct mqtt_filter filter = { .filter = STR("up/#"), .qos = 2 };
	mqtt_connect_write(&p, &hello);
	mqtt_filters_write(&p, MQTT_SUBSCRIBE, 65535, MQTT_311, &filter, 1);
	forget(&w->net.clients[1]);
	other_say(b, p.len);
}

/* The broker. */

static void broker_commit(void)
{
	open_commit(&w->net);
}

static void broker_crash(void)
{
	mqtt_client_lost(w->client);
	w->is_up = false;
	w->out_n = 0;
	ck_assert_int_eq(open_restart(&w->net), 0);
	forget(&w->net.clients[0]);
	w->restarts++;
	other_connect();
}

static void broker_push(uint32_t number)
{
	uint8_t payload[4];
	struct writer p = writer_of(payload, sizeof payload);
	writer_be32(&p, number);
	const struct mqtt_message m = { .topic = STR("push/x"), .payload = { payload, 4 }, .qos = 2 };
	(void)mqtt_engine_publish(w->net.engine, STR("safe"), &m, &w->net.now);
	open_step(&w->net);
}

/* Octets both ways, some of them. */

static void carry_out(void)
{
	size_t n = w->out_n ? chance(w->out_n) + 1 : 0;
	uint8_t b[1 << 16];
	memcpy(b, w->out, n);
	memmove(w->out, w->out + n, w->out_n -= n);
	if (n)
		open_receive(&w->net, &w->net.clients[0], b, n);
	if (!w->out_n)
		mqtt_client_drained(w->client, w->net.now.mono_us);
}

static void carry_in(void)
{
	struct open_client *c = &w->net.clients[0];
	size_t may = c->is_held ? c->held_at : c->out_n, need, n = may ? chance(may) + 1 : 0;
	if (!n)
		return;
	size_t used = mqtt_client_receive(w->client, (struct slice){ c->out, n }, w->net.now.mono_us, &need);
	memmove(c->out, c->out + used, c->out_n -= used);
	c->held_at -= c->is_held ? used : 0;
}

static void wire_make(void)
{
	forget(&w->net.clients[0]);
	w->is_up = true;
	mqtt_client_begin(w->client, w->net.now.mono_us);
}

static void step(unsigned trouble)
{
	uint64_t what = chance(1000);
	open_wait(&w->net, 1000);
	if (!w->is_up)
		wire_make();
	else if (what < trouble)
		wire_break();
	else if (what < 2 * trouble)
		client_crash();
	else if (what < 3 * trouble)
		broker_crash();
	else if (what < 200)
		client_commit();
	else if (what < 400)
		broker_commit();
	else if (what < 700)
		carry_out();
	else
		carry_in();
	other_listen();
}

static bool is_through(uint32_t pushed)
{
	for (size_t i = 1; i <= ITEMS; i++)
		if (w->disk[i] != 2)
			return false;
	return w->heard_n >= ITEMS && w->disk_taken >= pushed;
}

START_TEST(nothing_is_lost_and_nothing_comes_twice)
{
	w = calloc(1, sizeof *w);
	w->rng = rng_seeded(&w->seeded, (uint64_t)_i + 1);
	open_start(&w->net, NULL, true);
	w->net.is_slow = true;
	client_make(0);
	other_connect();
	broker_commit();
	/* The broker has to know that it is to collect before it is asked to. */
	for (unsigned i = 0; i < 200; i++)
		step(0);
	client_commit();
	broker_commit();
	uint32_t pushed = 0;
	for (unsigned i = 0; i < 200000 && !(pushed == PUSHES && is_through(pushed)); i++) {
		if (pushed < PUSHES && chance(40) == 0) {
			broker_push(++pushed);
			broker_commit(); /* whoever publishes is told so once it is kept */
		}
		step(i < 20000 ? 6 : 0);
	}
	ck_assert_uint_eq(w->heard_n, ITEMS);
	for (uint32_t i = 0; i < ITEMS; i++)
		ck_assert_uint_eq(w->heard[i], i + 1);
	ck_assert_uint_eq(w->disk_taken, PUSHES);
	for (uint32_t i = 0; i < PUSHES; i++)
		ck_assert_uint_eq(w->disk_pushes[i], i + 1);
	ck_assert_uint_gt(w->crashes + w->breaks + w->restarts, 3);
	mqtt_client_free(w->client);
	open_stop(&w->net);
	free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_client_once");
	TCase *c = tcase_create("once");
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, nothing_is_lost_and_nothing_comes_twice, 0, 20);
	suite_add_tcase(s, c);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file The MQTT client and a broker that says anything, in any pieces, at any time: it ends with words or goes on, its output is bounded,
 * and no item has two outcomes.
 *
 * The first octet: level, and whether ids are stored. Then steps: an octet that says what happens, some with an octet behind it.
 */
#include "as/core/integration/mqtt_client.h"
#include "common/core/clock.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { NUMBERS = 256, PACKET_MAX = 1024, IN_CAP = 4096, STEPS_MAX = 4096 };

static struct world {
	struct mqtt_client *client;
	uint64_t now_us, token, next;
	uint8_t state[NUMBERS]; /* 0: waiting; 1: on its way; 2: received; 3: over */
	bool is_open, is_full, accepts;
	uint8_t in[IN_CAP];
	size_t in_n, out_n;
} w;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool on_send(void *ctx, const struct slice *parts, size_t n)
{
	(void)ctx;
	must(w.is_open);
	for (size_t i = 0; i < n; i++)
		w.out_n += parts[i].n;
	must(w.out_n < 100000); /* since it was drained */
	return w.is_full;
}

static void on_resume(void *ctx)
{
	(void)ctx;
	must(w.is_open);
}

static void on_close(void *ctx, enum mqtt_fault fault, struct str words)
{
	(void)ctx;
	must(w.is_open && fault != MQTT_FAULT_NONE && words.n > 10 && utf8_valid(words));
	w.is_open = false;
}

static void on_connected(void *ctx, bool has_session)
{
	(void)ctx, (void)has_session;
	must(w.is_open);
}

static void on_room(void *ctx)
{
	(void)ctx;
}

static void on_outcome(void *ctx, uint64_t number, enum mqtt_outcome what, struct str words)
{
	(void)ctx;
	must(number < NUMBERS && w.state[number] >= 1 && w.state[number] <= 2);
	must((what == MQTT_OUTCOME_REFUSED) == (words.n > 0));
	w.state[number] = what == MQTT_OUTCOME_RECEIVED ? 2 : 3;
}

static void on_message(void *ctx, const struct mqtt_incoming *m)
{
	(void)ctx;
	must(m->topic.n && m->filter < 2 && (m->qos == 0) == (m->token == 0));
	w.token = m->token ? m->token : w.token;
	if (w.accepts)
		mqtt_client_accept(w.client, m->token, w.now_us);
}

static void on_released(void *ctx, uint16_t id, uint64_t token)
{
	(void)ctx;
	must(id && token);
	if (w.accepts)
		mqtt_client_accept(w.client, token, w.now_us);
}

static void on_warning(void *ctx, struct str words)
{
	(void)ctx;
	must(words.n > 0);
}

static void offer(uint64_t number, uint8_t qos)
{
	char words[128];
	struct text why = text_fixed(words, sizeof words);
	enum mqtt_item_state state = w.state[number] == 2 ? MQTT_ITEM_RECEIVED : MQTT_ITEM_WAITING;
	const struct mqtt_item item = { number, state, qos, STR("a/b"), { (const uint8_t *)"{}", 2 } };
	int rc = mqtt_client_send(w.client, &item, w.now_us, &why);
	must(rc == 0 || rc == MQTT_CLIENT_E_WAIT || rc == MQTT_CLIENT_E_NEVER || rc == -EINVAL);
	if (rc == 0 && w.state[number] == 0)
		w.state[number] = 1;
	w.next = rc == MQTT_CLIENT_E_WAIT ? number : number + 1;
	must(mqtt_client_in_flight(w.client) <= 4);
}

static void reconnect(void)
{
	w.in_n = w.out_n = 0;
	w.next = 1;
	for (size_t i = 0; i < NUMBERS; i++)
		w.state[i] = w.state[i] == 1 ? 0 : w.state[i];
	w.is_open = true;
	mqtt_client_begin(w.client, w.now_us);
}

static void receive(const uint8_t *p, size_t n)
{
	size_t need = 0;
	n = n < IN_CAP - w.in_n ? n : IN_CAP - w.in_n;
	memcpy(w.in + w.in_n, p, n);
	w.in_n += n;
	size_t used = mqtt_client_receive(w.client, (struct slice){ w.in, w.in_n }, w.now_us, &need);
	must(used <= w.in_n && need <= PACKET_MAX);
	must(!w.is_open || need == 0 || used == w.in_n || need > w.in_n - used);
	memmove(w.in, w.in + used, w.in_n - used);
	w.in_n = w.is_open ? w.in_n - used : 0;
}

static void step(uint8_t what, uint8_t arg)
{
	switch (what & 7) {
	case 0: reconnect(); break;
	case 1:
		w.now_us += arg * SEC_US;
		mqtt_client_tick(w.client, w.now_us);
		break;
	case 2:
		w.is_full = arg & 1;
		w.out_n = w.is_full ? w.out_n : 0;
		if (!w.is_full)
			mqtt_client_drained(w.client, w.now_us);
		break;
	case 3:
		for (; w.next < NUMBERS && w.state[w.next] == 3; w.next++)
			;
		if (w.next < NUMBERS)
			offer(w.next, arg % 3);
		break;
	case 4: mqtt_client_stored(w.client, arg, w.now_us); break;
	case 5: mqtt_client_accept(w.client, w.token - (arg & 3), w.now_us); break;
	case 6:
		(void)mqtt_client_leave(w.client, arg & 1);
		w.is_open = false;
		break;
	default:
		mqtt_client_lost(w.client);
		w.is_open = false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct mqtt_filter filters[] = { { .filter = { "a/+/push", 8 }, .qos = 2 }, { .filter = { "$share/g/b/#", 12 }, .qos = 1 } };
	static const struct mqtt_client_wire wire = { NULL, on_send, on_resume, on_close };
	struct mqtt_client_user user = { NULL, on_connected, on_room, on_outcome, on_message, on_released, on_warning };
	if (n < 1)
		return 0;
	struct mqtt_client_options o = { .level = data[0] & 1 ? MQTT_5 : MQTT_311, .client_id = STR("fuzz"), .keep_alive_s = 60, .in_flight_max = 4,
		.packet_max = PACKET_MAX, .answer_us = 10 * SEC_US, .ack_us = 60 * SEC_US, .filters = filters, .filters_n = 2 };
	memset(&w, 0, sizeof w);
	w.accepts = data[0] & 4;
	user.released = data[0] & 2 ? NULL : on_released;
	must(mqtt_client_new(&o, &wire, &user, &w.client) == 0);
	reconnect();
	size_t at = 1;
	for (unsigned steps = 0; at + 1 < n && steps < STEPS_MAX; steps++) {
		uint8_t what = data[at], arg = data[at + 1];
		at += 2;
		if (what & 0x80) { /* octets of the broker */
			size_t take = arg < n - at ? arg : n - at;
			receive(data + at, take);
			at += take;
		} else {
			step(what, arg);
		}
		if (w.is_open)
			must(mqtt_client_deadline_us(w.client) == UINT64_MAX || mqtt_client_deadline_us(w.client) >= SEC_US);
	}
	mqtt_client_free(w.client);
	return 0;
}

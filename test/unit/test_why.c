/** @file Why: every finding from made-up facts, and what is said of it. */
#include "as/core/why/case.h"
#include "as/core/why/why.h"
#include "common/core/clock.h"
#include "common/core/json.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW UINT64_C(1700000000000000)
#define AGO(seconds) (NOW - (uint64_t)(seconds) * SEC_US)
enum { UID = 7, ADDR = 0x01DA1F15 };

static struct why_facts f;
static struct why_gateway gateway;
static char out[1 << 17];

/** A device that joined, is heard and has nothing to complain of; two gateways. */
static void all_is_well(void)
{
	memset(&f, 0, sizeof f);
	strcpy(f.app, "app1");
	strcpy(f.dev, "dev1");
	strcpy(f.version, "1.0.3");
	strcpy(f.plan, "EU_863_870");
	f.now_us = NOW;
	f.is_operator = f.is_lorawan = f.supports_join = f.has_dev_eui = f.has_app_key = f.is_linked = f.has_ns = f.has_live = true;
	f.uid = UID;
	f.dev_eui = UINT64_C(0x70B3D57ED0051234);
	f.join_eui = 1;
	f.knows_listeners = true;
	f.listeners = 1;
	f.has_session = f.has_up = true;
	f.dev_addr = ADDR;
	f.addresses[f.n_addresses++] = ADDR;
	f.started_us = AGO(5000);
	f.heard_us = AGO(12);
	f.since_us = AGO(86400);
	struct why_gateway g = { .id = "gtw1", .plan = "EU_863_870", .eui = UINT64_C(0xAA555A0000000101), .is_registered = true, .is_connected = true, .can_send = true,
		.has_address = true, .is_in_band = true, .last_uplink_us = AGO(3), .connected_us = AGO(90000), .uplinks = 9 };
	why_add_gateway(&f, &g);
	gateway = g;
	f.about = &gateway;
}

static void no_session(void)
{
	f.has_session = f.has_up = false;
	f.heard_us = 0;
	f.n_addresses = 0;
}

/** An event of the device, so many seconds ago. */
static void event(const char *name, unsigned seconds, const char *data)
{
	struct trace_event e = { .has = 0 };
	strcpy(e.name, name);
	e.time_unix_us = AGO(seconds);
	MSG_SET(&e, device, UID);
	strcpy(e.gateway_id, "gtw1");
	MSG_MARK(&e, gateway_id);
	if (*data) {
		strcpy(e.data, data);
		MSG_MARK(&e, data);
	}
	why_see(&f, &e);
}

/** One that nobody could give to a device. */
static void stranger(const char *name, unsigned seconds, uint32_t dev_addr, const char *data)
{
	struct trace_event e = { .has = 0 };
	strcpy(e.name, name);
	e.time_unix_us = AGO(seconds);
	strcpy(e.gateway_id, "gtw9");
	MSG_MARK(&e, gateway_id);
	if (dev_addr)
		MSG_SET(&e, dev_addr, dev_addr);
	else
		MSG_SET(&e, dev_eui, f.dev_eui);
	strcpy(e.data, data);
	MSG_MARK(&e, data);
	why_see_rest(&f, &e);
}

static void drop(const char *reason)
{
	char data[200];
	snprintf(data, sizeof data, "{\"reason\":\"%s\",\"f_cnt\":3,\"next_f_cnt\":18}", reason);
	event("ns.up.data.drop", 5, data);
}
static void reject(const char *reason)
{
	char data[200];
	no_session();
	snprintf(data, sizeof data, "{\"reason\":\"%s\",\"message\":\"so it is\"}", reason);
	event("js.join.reject", 5, data);
}
static void join_drop(const char *reason)
{
	char data[200];
	no_session();
	snprintf(data, sizeof data, "{\"reason\":\"%s\"}", reason);
	event("ns.up.join.drop", 5, data);
}
static void failed(const char *error)
{
	char data[200];
	snprintf(data, sizeof data, "{\"error\":\"%s\",\"message\":\"so it is\"}", error);
	event("as.down.data.failed.forward", 5, data);
}
static void queue(enum why_item_state state)
{
	f.queued = 2;
	f.head = (struct why_item){ .state = state, .f_port = 15, .size = 60, .attempt = 1, .queued_us = AGO(300) };
}
static void no_gateways(void)
{
	f.n_gateways = f.known = f.connected = f.sending = f.in_band = 0;
	f.any_uplink_us = 0;
}

/* One situation for each finding. */
static void IP(void) { f.is_lorawan = false; }
static void GROUP(void) { f.is_multicast = true; }
static void NO_NS(void) { f.has_ns = f.has_live = f.has_session = false; }
static void NO_GATEWAY(void) { no_session(); no_gateways(); }
static void REGION(void) { no_session(); f.in_band = 0; }
static void JOIN_ABP_ASKS(void) { join_drop("no_join"); f.supports_join = false; }
static void JOIN_ABP(void) { f.supports_join = false; }
static void JOIN_TWIN(void) { strcpy(f.twin, "app2/dev7"); }
static void JOIN_NO_ROOT_KEY(void) { no_session(); f.has_app_key = false; }
static void JOIN_MIC(void) { reject("mic"); }
static void JOIN_NONCE_REUSED(void) { reject("dev_nonce_reused"); }
static void JOIN_NONCE_TOO_SMALL(void) { reject("dev_nonce_too_small"); }
static void JOIN_REJOIN_COUNTER(void) { reject("rj_count1_too_small"); }
static void JOIN_REFUSED(void) { reject("store_unavailable"); }
static void JOIN_SERVER_SILENT(void) { no_session(); event("ns.up.join.cluster.fail", 5, "{\"reason\":\"timeout\"}"); }
static void JOIN_AS_AWAY(void) { join_drop("as_away"); }
static void JOIN_UNKNOWN_PLAN(void) { join_drop("no_plan"); }
static void JOIN_DATA_RATE(void) { join_drop("modulation"); }
static void JOIN_EUI(void) { no_session(); stranger("ns.up.join.drop", 5, 0, "{\"reason\":\"device_not_found\",\"join_eui\":\"00000000000000AA\"}"); }
static void JOIN_BACKWARDS(void)
{
	struct trace_event e = { .time_unix_us = AGO(5) };
	no_session();
	strcpy(e.name, "ns.up.join.drop");
	MSG_SET(&e, dev_eui, UINT64_C(0x341205D07ED5B370));
	why_see_rest(&f, &e);
}
static void JOIN_NO_PATH(void)
{
	no_session();
	event("ns.up.join.receive", 6, "");
	event("ns.down.join.schedule.fail", 5, "{\"reason\":\"no_downlink_path\"}");
}
static void JOIN_GATEWAY_REFUSED(void)
{
	no_session();
	event("ns.up.join.receive", 6, "");
	event("ns.down.transmission.fail", 5, "{\"result\":\"TOO_LATE\"}");
	event("ns.down.join.schedule.fail", 4, "{\"reason\":\"TOO_LATE\"}");
}
static void JOIN_ACCEPT_UNHEARD(void)
{
	no_session();
	for (unsigned i = 0; i < 3; i++) {
		event("ns.up.join.receive", 60 - 10 * i, "");
		event("ns.up.join.process", 60 - 10 * i, "");
		event("ns.down.transmission.success", 55 - 10 * i, "{\"result\":\"SUCCESS\"}");
	}
}
static void JOIN_JUST_NOW(void) { no_session(); f.has_pending = true; event("ns.up.join.process", 4, ""); }
static void NO_ANSWER(void) { f.has_live = f.has_session = f.has_up = false; f.heard_us = 0; }
static void HEARD_SOON(void) { no_session(); f.has_pending = true; event("ns.up.join.process", 4, ""); }
static void JOIN_HEARD(void) { no_session(); event("ns.up.join.receive", 4, ""); }
static void JOIN_DEAF_GATEWAYS(void) { no_session(); f.any_uplink_us = AGO(4000); }
static void NO_STEPS(void) { f.has_no_steps = true; }
static void HEARD_PENDING(void) { no_session(); f.has_pending = true; }
static void HEARD_F_CNT(void) { drop("f_cnt"); }
static void HEARD_F_CNT_REUSED(void) { drop("f_cnt_reused"); }
static void HEARD_F_CNT_GAP(void) { drop("f_cnt_gap"); }
static void HEARD_F_CNT_END(void) { drop("f_cnt_end"); }
static void HEARD_MIC(void) { stranger("ns.up.data.drop", 5, ADDR, "{\"reason\":\"mic\"}"); }
static void HEARD_OLD_ADDRESS(void) { stranger("ns.up.data.drop", 5, ADDR, "{\"reason\":\"dev_addr\"}"); }
static void HEARD_DATA_RATE(void) { drop("modulation"); }
static void HEARD_LENGTH(void) { drop("length"); }
static void HEARD_UNKNOWN_PLAN(void) { drop("no_plan"); }
static void HEARD_REPEATS(void) { drop("repeats"); }
static void HEARD_NOT_LINKED(void) { f.is_linked = false; event("as.up.data.wait", 12, ""); }
static void HEARD_UNDECODED(void)
{
	event("as.up.data.decode.fail", 5, "{\"reason\":\"threw\",\"line\":3,\"message\":\"line 3: TypeError: x is undefined\",\"f_cnt\":7,\"f_port\":1}");
}
static void HEARD_UNSERVED(void) { strcpy(f.unserved, "FORMATTER_REPOSITORY"); event("as.up.data.decode.fail", 5, "{\"reason\":\"repository\"}"); }
static void HEARD_NOBODY(void) { event("as.up.data.forward", 12, "{\"subscribers\":0}"); }
static void HEARD_KEY_EXPIRED(void) { f.keys_expired = 1; f.listeners = 0; }
static void HEARD_LOST(void) { event("as.mqtt.session.drop", 12, "{\"client_id\":\"c\",\"messages\":3}"); }
static void HEARD_DUTY_CYCLE(void) { f.duty_cycle_exponent = 7; }
static void radio(int32_t snr_ddb)
{
	f.radio.gateways = 1;
	f.radio.sf = 7;
	f.radio.has_snr = true;
	f.radio.snr_ddb = snr_ddb;
	strcpy(f.radio.gateway_id, "gtw1");
}
static void HEARD_GATEWAY_GONE(void)
{
	radio(50);
	f.gateways[0].is_connected = false;
	f.gateways[0].disconnected_us = AGO(100);
}
static void HEARD_WEAK(void) { radio(-60); }
static void HEARD_NEVER(void) { f.heard_us = 0; }
static void HEARD_SILENT(void) { f.heard_us = AGO(3 * 86400); }
static void HEARD_DEAF_GATEWAYS(void) { f.heard_us = f.any_uplink_us = AGO(3 * 86400); }
static void DOWN_UNENCODED(void)
{
	event("as.down.data.drop", 5, "{\"error\":\"encoder_failed\",\"message\":\"the downlink formatter failed: line 5: Error: door is open\"}");
}
static void DOWN_REFUSED(void) { event("as.down.data.drop", 5, "{\"error\":\"invalid_f_port\",\"message\":\"f_port 0\"}"); }
static void DOWN_NO_NS(void) { queue(WHY_ITEM_WAITS); NO_NS(); }
static void DOWN_TOO_BIG_NOW(void) { queue(WHY_ITEM_WAITS); f.head.misses = 3; }
static void DOWN_NO_GATEWAY(void) { queue(WHY_ITEM_WAITS); f.sending = 0; }
static void DOWN_IN_FLIGHT(void) { queue(WHY_ITEM_FLIES); }
static void DOWN_AWAITS_ACK(void) { queue(WHY_ITEM_AWAITED); }
static void DOWN_WAITS_TIME(void) { queue(WHY_ITEM_WAITS); f.head.at_us = NOW + 60 * SEC_US; }
static void DOWN_WAITS_UPLINK(void) { queue(WHY_ITEM_WAITS); }
static void DOWN_WAITS_TURN(void) { queue(WHY_ITEM_WAITS); f.is_class_c = true; }
static void DOWN_TOO_LONG(void) { failed("application_downlink_too_long"); }
static void DOWN_NO_PATH(void) { failed("no_downlink_path"); }
static void DOWN_GATEWAY_NOT_FOUND(void) { failed("gateway_not_found"); }
static void DOWN_DUTY_CYCLE(void) { failed("duty_cycle"); }
static void DOWN_EXPIRED(void) { failed("downlink_expired"); }
static void DOWN_TRANSMISSION(void) { failed("transmission"); }
static void DOWN_MAX_RETRIES(void) { failed("max_retries_reached"); }
static void DOWN_FAILED(void) { failed("something_new"); }
static void DOWN_NACK(void) { event("as.down.data.nack.forward", 5, "{\"f_cnt\":3}"); }
static void DOWN_ACKED(void) { event("as.down.data.ack.forward", 5, "{\"f_cnt\":3}"); }
static void DOWN_SENT(void) { event("as.down.data.sent.forward", 5, "{\"f_cnt\":3}"); }
static void GATEWAY_NEVER(void) { f.about = NULL; }
static void GATEWAY_OFFLINE(void) { gateway.is_connected = false; gateway.disconnected_us = AGO(50); }
static void GATEWAY_UNREGISTERED(void) { gateway.is_registered = false; }
static void GATEWAY_REFUSED(void) { event("gs.up.drop", 5, "{\"reason\":\"unregistered\"}"); }
static void GATEWAY_NO_PLAN(void) { gateway.plan[0] = '\0'; }
static void GATEWAY_NO_PULL(void) { gateway.can_send = false; }
static void GATEWAY_QUOTA(void) { event("gs.up.drop", 5, "{\"reason\":\"quota\"}"); }
static void GATEWAY_TX_FAIL(void) { event("gs.down.tx.success", 9, ""); event("gs.down.tx.fail", 5, "{\"result\":\"TX_FREQ\"}"); }
static void GATEWAY_AIRTIME(void)
{
	gateway.limit_ppm = 10000;
	gateway.used_ppm = 9500;
	gateway.band_min_hz = 868000000;
	gateway.band_max_hz = 868600000;
}
static void GATEWAY_NOISE(void) { event("gs.up.drop", 5, "{\"reason\":\"crc_bad\"}"); }
static void GATEWAY_SLOW(void) { gateway.path_us = 400000; }
static void GATEWAY_DEAF(void) { gateway.last_uplink_us = AGO(9000); }
static void NOTHING(void) {}

/** The situation, the question, what is found first, and some words that must be said. */
static const struct {
	void (*make)(void);
	enum why_question question;
	enum why_id finding;
	const char *says;
} rows[] = {
	{ IP, WHY_JOIN, WHY_JOIN_IP, "does not join" },
	{ GROUP, WHY_JOIN, WHY_JOIN_GROUP, "" },
	{ JOIN_ABP_ASKS, WHY_JOIN, WHY_JOIN_ABP_ASKS, "1, the last one 5 s ago, heard by gtw1" },
	{ JOIN_ABP, WHY_JOIN, WHY_JOIN_ABP, "01DA1F15" },
	{ JOIN_TWIN, WHY_JOIN, WHY_JOIN_TWIN, "app2/dev7" },
	{ NO_NS, WHY_JOIN, WHY_JOIN_NO_NS, "" },
	{ NO_STEPS, WHY_JOIN, WHY_JOIN_FEW_EVENTS, "" },
	{ NO_STEPS, WHY_HEARD, WHY_HEARD_FEW_EVENTS, "" },
	{ NO_STEPS, WHY_DOWNLINK, WHY_DOWN_FEW_EVENTS, "" },
	{ JOIN_NO_ROOT_KEY, WHY_JOIN, WHY_JOIN_NO_ROOT_KEY, "godwit end-devices set app1 dev1 --root-keys.app-key.key HEX32" },
	{ JOIN_MIC, WHY_JOIN, WHY_JOIN_MIC, "The AppKey is wrong" },
	{ JOIN_NONCE_REUSED, WHY_JOIN, WHY_JOIN_NONCE_REUSED, "--resets-join-nonces" },
	{ JOIN_NONCE_TOO_SMALL, WHY_JOIN, WHY_JOIN_NONCE_TOO_SMALL, "" },
	{ JOIN_REJOIN_COUNTER, WHY_JOIN, WHY_JOIN_REJOIN_COUNTER, "" },
	{ JOIN_REFUSED, WHY_JOIN, WHY_JOIN_REFUSED, "store_unavailable (so it is)" },
	{ JOIN_SERVER_SILENT, WHY_JOIN, WHY_JOIN_SERVER_SILENT, ": timeout" },
	{ JOIN_AS_AWAY, WHY_JOIN, WHY_JOIN_AS_AWAY, "" },
	{ JOIN_UNKNOWN_PLAN, WHY_JOIN, WHY_JOIN_UNKNOWN_PLAN, "EU_863_870" },
	{ JOIN_DATA_RATE, WHY_JOIN, WHY_JOIN_DATA_RATE, "" },
	{ JOIN_EUI, WHY_JOIN, WHY_JOIN_EUI, "--join-eui 00000000000000AA" },
	{ JOIN_BACKWARDS, WHY_JOIN, WHY_JOIN_BACKWARDS, "341205D07ED5B370 were heard, which is 70B3D57ED0051234 the other way round" },
	{ JOIN_NO_PATH, WHY_JOIN, WHY_JOIN_NO_PATH, "(no_downlink_path): 1 of 1 connected" },
	{ JOIN_GATEWAY_REFUSED, WHY_JOIN, WHY_JOIN_GATEWAY_REFUSED, "TOO_LATE (missed the slot), gtw1, 5 s ago" },
	{ JOIN_ACCEPT_UNHEARD, WHY_JOIN, WHY_JOIN_ACCEPT_UNHEARD, "3 times, the last one 35 s ago by gtw1" },
	{ JOIN_JUST_NOW, WHY_JOIN, WHY_JOIN_JUST_NOW, "4 s ago" },
	{ NOTHING, WHY_JOIN, WHY_JOIN_DONE, "01DA1F15, last heard 12 s ago" },
	{ NO_GATEWAY, WHY_JOIN, WHY_JOIN_NO_GATEWAY, "" },
	{ REGION, WHY_JOIN, WHY_JOIN_REGION, "none of the 1 connected" },
	{ NO_ANSWER, WHY_JOIN, WHY_JOIN_NO_ANSWER, "" },
	{ NO_ANSWER, WHY_HEARD, WHY_HEARD_NO_ANSWER, "" },
	{ HEARD_SOON, WHY_HEARD, WHY_HEARD_SOON, "4 s ago" },
	{ JOIN_HEARD, WHY_JOIN, WHY_JOIN_HEARD, "4 s ago by gtw1" },
	{ JOIN_DEAF_GATEWAYS, WHY_JOIN, WHY_JOIN_DEAF_GATEWAYS, "66 min ago" },
	{ no_session, WHY_JOIN, WHY_JOIN_UNHEARD, "70B3D57ED0051234 was heard during the last 24 h" },
	{ IP, WHY_HEARD, WHY_HEARD_IP, "" },
	{ GROUP, WHY_HEARD, WHY_HEARD_GROUP, "" },
	{ NO_NS, WHY_HEARD, WHY_HEARD_NO_NS, "" },
	{ HEARD_F_CNT, WHY_HEARD, WHY_HEARD_F_CNT, "(3 came, at least 18 was expected)" },
	{ HEARD_F_CNT_REUSED, WHY_HEARD, WHY_HEARD_F_CNT_REUSED, "" },
	{ HEARD_F_CNT_GAP, WHY_HEARD, WHY_HEARD_F_CNT_GAP, "--session.last-f-cnt-up 3" },
	{ HEARD_F_CNT_END, WHY_HEARD, WHY_HEARD_F_CNT_END, "" },
	{ HEARD_MIC, WHY_HEARD, WHY_HEARD_MIC, "01DA1F15 whose MIC does not fit (1 frame, the last one 5 s ago, heard by gtw9)" },
	{ HEARD_OLD_ADDRESS, WHY_HEARD, WHY_HEARD_OLD_ADDRESS, "" },
	{ HEARD_DATA_RATE, WHY_HEARD, WHY_HEARD_DATA_RATE, "" },
	{ HEARD_LENGTH, WHY_HEARD, WHY_HEARD_LENGTH, "" },
	{ HEARD_UNKNOWN_PLAN, WHY_HEARD, WHY_HEARD_UNKNOWN_PLAN, "" },
	{ HEARD_REPEATS, WHY_HEARD, WHY_HEARD_REPEATS, "" },
	{ no_session, WHY_HEARD, WHY_HEARD_NO_SESSION, "" },
	{ HEARD_NOT_LINKED, WHY_HEARD, WHY_HEARD_NOT_LINKED, "godwit applications link set app1" },
	{ HEARD_UNDECODED, WHY_HEARD, WHY_HEARD_UNDECODED, "does not decode them: line 3: TypeError: x is undefined (1 frame, the last one 5 s ago)" },
	{ HEARD_UNSERVED, WHY_HEARD, WHY_HEARD_UNSERVED, "formatter, FORMATTER_REPOSITORY, does not run here" },
	{ HEARD_NOBODY, WHY_HEARD, WHY_HEARD_NOBODY, "last 12 s ago" },
	{ HEARD_KEY_EXPIRED, WHY_HEARD, WHY_HEARD_KEY_EXPIRED, "1 of the API keys" },
	{ HEARD_LOST, WHY_HEARD, WHY_HEARD_LOST, "" },
	{ no_gateways, WHY_HEARD, WHY_HEARD_NO_GATEWAY, "" },
	{ HEARD_GATEWAY_GONE, WHY_HEARD, WHY_HEARD_GATEWAY_GONE, "gtw1, is gone since 100 s ago" },
	{ REGION, WHY_HEARD, WHY_HEARD_NO_SESSION, "" },
	{ HEARD_DUTY_CYCLE, WHY_HEARD, WHY_HEARD_DUTY_CYCLE, "128" },
	{ HEARD_WEAK, WHY_HEARD, WHY_HEARD_WEAK, "1.5 dB" },
	{ HEARD_NEVER, WHY_HEARD, WHY_HEARD_NEVER, "" },
	{ HEARD_PENDING, WHY_HEARD, WHY_HEARD_NEVER, "" },
	{ HEARD_DEAF_GATEWAYS, WHY_HEARD, WHY_HEARD_DEAF_GATEWAYS, "3 days ago" },
	{ HEARD_SILENT, WHY_HEARD, WHY_HEARD_SILENT, "3 days ago" },
	{ NOTHING, WHY_HEARD, WHY_HEARD_FINE, "12 s ago" },
	{ IP, WHY_DOWNLINK, WHY_DOWN_IP, "" },
	{ no_session, WHY_DOWNLINK, WHY_DOWN_NO_SESSION, "" },
	{ DOWN_UNENCODED, WHY_DOWNLINK, WHY_DOWN_UNENCODED, "no octets of its values (the downlink formatter failed: line 5: Error: door is open)" },
	{ DOWN_REFUSED, WHY_DOWNLINK, WHY_DOWN_REFUSED, "invalid_f_port (f_port 0)" },
	{ DOWN_NO_NS, WHY_DOWNLINK, WHY_DOWN_NO_NS, "In the queue: 2 downlinks;" },
	{ DOWN_TOO_BIG_NOW, WHY_DOWNLINK, WHY_DOWN_TOO_BIG_NOW, "(60 octets) did not fit the data rate in 3 windows" },
	{ DOWN_NO_GATEWAY, WHY_DOWNLINK, WHY_DOWN_NO_GATEWAY, "none of the 1 connected" },
	{ DOWN_IN_FLIGHT, WHY_DOWNLINK, WHY_DOWN_IN_FLIGHT, "" },
	{ DOWN_AWAITS_ACK, WHY_DOWNLINK, WHY_DOWN_AWAITS_ACK, "attempt 1" },
	{ DOWN_WAITS_TIME, WHY_DOWNLINK, WHY_DOWN_WAITS_TIME, "in 60 s" },
	{ DOWN_WAITS_UPLINK, WHY_DOWNLINK, WHY_DOWN_WAITS_UPLINK, "since 5 min. dev1 is of class A" },
	{ DOWN_WAITS_TURN, WHY_DOWNLINK, WHY_DOWN_WAITS_TURN, "" },
	{ DOWN_TOO_LONG, WHY_DOWNLINK, WHY_DOWN_TOO_LONG, "(so it is)" },
	{ DOWN_NO_PATH, WHY_DOWNLINK, WHY_DOWN_NO_PATH, "" },
	{ DOWN_GATEWAY_NOT_FOUND, WHY_DOWNLINK, WHY_DOWN_GATEWAY_NOT_FOUND, "" },
	{ DOWN_DUTY_CYCLE, WHY_DOWNLINK, WHY_DOWN_DUTY_CYCLE, "" },
	{ DOWN_EXPIRED, WHY_DOWNLINK, WHY_DOWN_EXPIRED, "" },
	{ DOWN_TRANSMISSION, WHY_DOWNLINK, WHY_DOWN_TRANSMISSION, "" },
	{ DOWN_MAX_RETRIES, WHY_DOWNLINK, WHY_DOWN_MAX_RETRIES, "" },
	{ DOWN_FAILED, WHY_DOWNLINK, WHY_DOWN_FAILED, "something_new (so it is)" },
	{ DOWN_NACK, WHY_DOWNLINK, WHY_DOWN_NACK, "" },
	{ HEARD_NOT_LINKED, WHY_DOWNLINK, WHY_DOWN_NOT_LINKED, "" },
	{ DOWN_ACKED, WHY_DOWNLINK, WHY_DOWN_ACKED, "5 s ago" },
	{ DOWN_SENT, WHY_DOWNLINK, WHY_DOWN_SENT, "5 s ago" },
	{ NOTHING, WHY_DOWNLINK, WHY_DOWN_NONE, "" },
	{ GATEWAY_NEVER, WHY_GATEWAY, WHY_GATEWAY_NEVER, "" },
	{ GATEWAY_OFFLINE, WHY_GATEWAY, WHY_GATEWAY_OFFLINE, "until 50 s ago" },
	{ GATEWAY_UNREGISTERED, WHY_GATEWAY, WHY_GATEWAY_UNREGISTERED, "gateways adopt AA555A0000000101 GTW" },
	{ GATEWAY_REFUSED, WHY_GATEWAY, WHY_GATEWAY_REFUSED, "" },
	{ GATEWAY_NO_PLAN, WHY_GATEWAY, WHY_GATEWAY_NO_PLAN, "godwit gateways set gtw1 --frequency-plan-id PLAN" },
	{ GATEWAY_NO_PULL, WHY_GATEWAY, WHY_GATEWAY_NO_PULL, "" },
	{ GATEWAY_QUOTA, WHY_GATEWAY, WHY_GATEWAY_QUOTA, "" },
	{ GATEWAY_TX_FAIL, WHY_GATEWAY, WHY_GATEWAY_TX_FAIL, "TX_FREQ (outside the frequencies" },
	{ GATEWAY_AIRTIME, WHY_GATEWAY, WHY_GATEWAY_AIRTIME, "95 % of the airtime that it may have this hour in 868 to 868.6 MHz" },
	{ GATEWAY_NOISE, WHY_GATEWAY, WHY_GATEWAY_NOISE, "" },
	{ GATEWAY_SLOW, WHY_GATEWAY, WHY_GATEWAY_SLOW, "400 ms" },
	{ GATEWAY_DEAF, WHY_GATEWAY, WHY_GATEWAY_DEAF, "2 h ago" },
	{ NOTHING, WHY_GATEWAY, WHY_GATEWAY_FINE, "3 s ago and can send" },
};

/** Found by others first: their rows stand before. */
static void heard_region(void) { f.in_band = 0; }
static void down_waiting(void) { queue(WHY_ITEM_WAITS); }

static struct json json;

static void ask(enum why_question q)
{
	static struct json_tok tok[8192];
	struct text t = text_fixed(out, sizeof out);
	text_putc(&t, '[');
	why_answer(&f, q, &t);
	text_putc(&t, ']');
	ck_assert(!t.failed);
	ck_assert_msg(!json_parse(text_str(&t), tok, COUNT(tok), &json, NULL), "%.100s", out);
}

/** The nth finding's text; "" there are fewer. */
static const char *said(unsigned n, const char *member)
{
	static char buf[4096];
	json_val v = json_first(&json, json_root(&json));
	while (n-- && v >= 0)
		v = json_next(&json, v);
	*buf = '\0';
	if (v >= 0)
		json_string(&json, json_get(&json, v, member), buf, sizeof buf);
	return buf;
}

static bool finds(enum why_id id)
{
	for (unsigned i = 0; *said(i, "finding"); i++)
		if (!strcmp(said(i, "finding"), why_name(id)))
			return true;
	return false;
}

START_TEST(each_situation_is_found)
{
	all_is_well();
	rows[_i].make();
	ask(rows[_i].question);
	ck_assert_msg(!strstr(out, "last ,") && !strstr(out, "last ."), "%.1500s", out);
	ck_assert_str_eq(said(0, "finding"), why_name(rows[_i].finding));
	ck_assert_msg(strstr(out, rows[_i].says), "%s does not say %s:\n%.1500s", why_name(rows[_i].finding), rows[_i].says, out);
	ck_assert_msg(!strchr(said(0, "answer"), '{') && !strchr(said(0, "answer"), '['), "%s", said(0, "answer"));
}
END_TEST

START_TEST(nothing_is_said_that_another_finding_belies)
{
	static const enum why_id last[] = { WHY_JOIN_REGION, WHY_JOIN_DEAF_GATEWAYS, WHY_JOIN_UNHEARD, WHY_JOIN_HEARD, WHY_HEARD_NEVER, WHY_HEARD_SILENT,
		WHY_HEARD_DEAF_GATEWAYS };
	unsigned n = 0, problems = 0, fine = 0;
	all_is_well();
	rows[_i].make();
	ask(rows[_i].question);
	for (; *said(n, "finding"); n++) {
		problems += !strcmp(said(n, "kind"), "problem");
		fine += !strcmp(said(n, "kind"), "fine");
	}
	ck_assert_uint_ge(n, 1);
	ck_assert_msg(!problems || !fine, "%.1500s", out);
	for (size_t i = 0; i < COUNT(last); i++)
		ck_assert_msg(!finds(last[i]) || problems <= 1, "%s behind another one: %.1500s", why_name(last[i]), out);
}
END_TEST

START_TEST(some_are_found_behind_others)
{
	all_is_well();
	heard_region();
	ask(WHY_HEARD);
	ck_assert(finds(WHY_HEARD_REGION));
	all_is_well();
	down_waiting();
	ask(WHY_DOWNLINK);
	ck_assert(finds(WHY_DOWN_WAITS_UPLINK) && finds(WHY_DOWN_WAITING));
}
END_TEST

START_TEST(every_finding_has_a_situation)
{
	for (int id = 0; id < WHY_N; id++) {
		bool has = id == WHY_HEARD_REGION || id == WHY_DOWN_WAITING;
		for (size_t i = 0; i < COUNT(rows); i++)
			has |= rows[i].finding == (enum why_id)id;
		ck_assert_msg(has, "no situation for %s", why_name((enum why_id)id));
		for (int k = 0; k < id; k++)
			ck_assert_str_ne(why_name((enum why_id)id), why_name((enum why_id)k));
	}
}
END_TEST

START_TEST(every_word_is_one)
{
	static const char *const texts[] = {
#define WHY(symbol, id, question, kind, then, sign, shows, answer, advice) answer, advice,
#include "as/core/why/why.def"
#undef WHY
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct str s = str_of(texts[i]), word;
		for (s = str_cut(s, '{', &word); s.n; s = str_cut(s, '{', &word)) {
			s = str_cut(s, '}', &word);
			ck_assert_msg(why_has_word(word), "{%.*s} in %s", STR_ARG(word), texts[i]);
		}
	}
}
END_TEST

START_TEST(what_is_over_is_no_problem_any_more)
{
	all_is_well();
	event("ns.up.data.drop", 50, "{\"reason\":\"f_cnt\",\"f_cnt\":3,\"next_f_cnt\":18}");
	event("js.join.reject", 60, "{\"reason\":\"mic\"}");
	ask(WHY_HEARD);
	ck_assert_str_eq(said(0, "finding"), "heard_fine");
	ask(WHY_JOIN);
	ck_assert_str_eq(said(0, "finding"), "join_done");
	failed("duty_cycle");
	event("as.down.data.ack.forward", 2, "");
	ask(WHY_DOWNLINK);
	ck_assert_str_eq(said(0, "finding"), "down_acked");
}
END_TEST

START_TEST(all_is_well_only_where_nothing_is_wrong)
{
	all_is_well();
	drop("f_cnt");
	ask(WHY_HEARD);
	ck_assert(!finds(WHY_HEARD_FINE));
	all_is_well();
	HEARD_WEAK();
	ask(WHY_HEARD);
	ck_assert(finds(WHY_HEARD_WEAK) && finds(WHY_HEARD_FINE));
}
END_TEST

START_TEST(who_heard_the_last_uplink_is_told)
{
	struct trace_event e = { .has = 0 };
	struct cid own = { .kind = CID_GS_UPLINK, .id = { .b = { 1 } } }, other = { .kind = CID_GS_UPLINK, .id = { .b = { 2 } } };
	all_is_well();
	strcpy(e.name, "ns.up.data.process");
	e.time_unix_us = AGO(12);
	MSG_SET(&e, device, UID);
	e.cids.v[0] = own;
	e.cids.len = 1;
	MSG_MARK(&e, cids);
	why_see(&f, &e);
	static const struct { const char *gateway, *data; bool is_other; } heard[] = {
		{ "gtw1", "{\"datr\":\"SF7BW125\",\"rssi\":-100,\"snr\":-3}", false },
		{ "gtw2", "{\"datr\":\"SF7BW125\",\"rssi\":-101,\"snr\":2.5}", false },
		{ "gtw3", "{\"datr\":\"SF7BW125\",\"rssi\":-60,\"snr\":12}", true },
	};
	for (size_t i = 0; i < COUNT(heard); i++) {
		memset(&e, 0, sizeof e);
		strcpy(e.name, "gs.up.receive");
		strcpy(e.gateway_id, heard[i].gateway);
		MSG_MARK(&e, gateway_id);
		strcpy(e.data, heard[i].data);
		MSG_MARK(&e, data);
		e.cids.v[0] = heard[i].is_other ? other : own;
		e.cids.len = 1;
		MSG_MARK(&e, cids);
		why_see_rest(&f, &e);
	}
	ask(WHY_HEARD);
	ck_assert_msg(strstr(out, "by gtw2 with 10 dB of SNR to spare"), "%s", out);
	ck_assert_ptr_nonnull(strstr(out, "\"gateways\":2"));
}
END_TEST

START_TEST(who_may_not_see_everything_is_not_told_where_strangers_are_heard)
{
	all_is_well();
	f.is_operator = false;
	JOIN_EUI();
	ask(WHY_JOIN);
	ck_assert_str_eq(said(0, "finding"), "join_eui");
	ck_assert_ptr_null(strstr(out, "gtw9"));
	ck_assert_ptr_null(strstr(out, "00000000000000AA"));
	all_is_well();
	f.is_operator = false;
	HEARD_MIC();
	ask(WHY_HEARD);
	ck_assert_ptr_null(strstr(out, "gtw9"));
	no_session();
	ask(WHY_JOIN);
	ck_assert_str_eq(said(0, "finding"), "join_unheard");
	ck_assert_ptr_null(strstr(out, "gtw1"));
	all_is_well();
	f.is_operator = false;
	HEARD_GATEWAY_GONE();
	ask(WHY_HEARD);
	ck_assert_str_eq(said(0, "finding"), "heard_gateway_gone");
	ck_assert_ptr_null(strstr(out, "uplink_count"));
}
END_TEST

START_TEST(more_kinds_of_events_than_are_kept_take_the_place_of_the_oldest)
{
	all_is_well();
	for (unsigned i = 0; i < 3 * WHY_SIGHTS; i++) {
		char data[64];
		snprintf(data, sizeof data, "{\"reason\":\"r%u\"}", i);
		event("ns.up.data.drop", 5000 - i, data);
	}
	ck_assert_uint_eq(f.n_sights, WHY_SIGHTS);
	ck_assert_ptr_nonnull(why_sight(&f, EVENT_NS_UP_DATA_DROP, "r383"));
	ck_assert_ptr_null(why_sight(&f, EVENT_NS_UP_DATA_DROP, "r0"));
}
END_TEST

START_TEST(of_many_gateways_those_are_kept_that_heard_last)
{
	all_is_well();
	for (unsigned i = 0; i < 100; i++) {
		struct why_gateway g = { .is_connected = true, .last_uplink_us = AGO(1000 - i) };
		snprintf(g.id, sizeof g.id, "g%u", i);
		why_add_gateway(&f, &g);
	}
	ck_assert_uint_eq(f.connected, 101);
	ck_assert_uint_eq(f.n_gateways, WHY_GATEWAYS);
	ck_assert_str_eq(f.any_gateway, "gtw1");
	bool has_last = false;
	for (unsigned i = 0; i < f.n_gateways; i++) {
		has_last |= !strcmp(f.gateways[i].id, "g99");
		ck_assert_str_ne(f.gateways[i].id, "g0");
	}
	ck_assert(has_last);
}
END_TEST

START_TEST(damaged_data_of_an_event_do_no_harm)
{
	all_is_well();
	event("ns.up.data.drop", 3, "{\"reason\":");
	event("ns.up.data.drop", 2, "[]");
	event("ns.up.data.drop", 1, "{\"reason\":\"a word that is longer than any that there is, by far\"}");
	event("no.such.event", 1, "");
	ck_assert_ptr_nonnull(why_sight(&f, EVENT_NS_UP_DATA_DROP, ""));
	ask(WHY_HEARD);
}
END_TEST

START_TEST(every_finding_stands_in_the_page_for_operators)
{
	const char *source = getenv("GODWIT_SOURCE");
	char path[4096], *page = NULL;
	size_t size = 0;
	snprintf(path, sizeof path, "%s/deploy/docs/troubleshooting.md", source ? source : ".");
	FILE *in = fopen(path, "re");
	ck_assert_msg(in, "%s", path);
	ck_assert(getdelim(&page, &size, EOF, in) > 0);
	fclose(in);
	for (int id = 0; id < WHY_N; id++) {
		char quoted[64];
		snprintf(quoted, sizeof quoted, "`%s`", why_name((enum why_id)id));
		ck_assert_msg(strstr(page, quoted), "troubleshooting.md does not explain %s", quoted);
	}
	free(page);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("why");
	TCase *c = tcase_create("why");
	tcase_add_loop_test(c, each_situation_is_found, 0, (int)COUNT(rows));
	tcase_add_loop_test(c, nothing_is_said_that_another_finding_belies, 0, (int)COUNT(rows));
	tcase_add_test(c, some_are_found_behind_others);
	tcase_add_test(c, every_finding_has_a_situation);
	tcase_add_test(c, every_word_is_one);
	tcase_add_test(c, what_is_over_is_no_problem_any_more);
	tcase_add_test(c, all_is_well_only_where_nothing_is_wrong);
	tcase_add_test(c, who_heard_the_last_uplink_is_told);
	tcase_add_test(c, who_may_not_see_everything_is_not_told_where_strangers_are_heard);
	tcase_add_test(c, more_kinds_of_events_than_are_kept_take_the_place_of_the_oldest);
	tcase_add_test(c, of_many_gateways_those_are_kept_that_heard_last);
	tcase_add_test(c, damaged_data_of_an_event_do_no_harm);
	tcase_add_test(c, every_finding_stands_in_the_page_for_operators);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int n = srunner_ntests_failed(r);
	srunner_free(r);
	return n ? EXIT_FAILURE : EXIT_SUCCESS;
}

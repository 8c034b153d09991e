/** @file What a finding stands on, as JSON. */
#include "as/core/why/evidence.h"
#include "common/core/json_out.h"
#include <inttypes.h>

static void name_time(struct text *t, const char *name, uint64_t unix_us)
{
	if (!unix_us)
		return;
	json_name(t, name);
	json_time(t, unix_us * 1000);
}
static void name_text(struct text *t, const char *name, const char *z)
{
	if (!*z)
		return;
	json_name(t, name);
	json_puts(t, z);
}
static void name_number(struct text *t, const char *name, uint64_t v)
{
	json_name(t, name);
	json_unum(t, v);
}
static void name_truth(struct text *t, const char *name, bool v)
{
	json_name(t, name);
	json_truth(t, v);
}
static void name_addr(struct text *t, const char *name, uint32_t addr)
{
	char buf[9];
	struct text h = text_fixed(buf, sizeof buf);
	text_printf(&h, "%08" PRIX32, addr);
	name_text(t, name, buf);
}
static void state_open(struct text *t, const char *name)
{
	json_open(t, '{');
	json_name(t, "state");
	json_puts(t, name);
	json_name(t, "data");
	json_open(t, '{');
}
static void state_close(struct text *t)
{
	json_close(t, '}');
	json_close(t, '}');
}

/** What nobody could give to a device is not told to everybody who says that a DevEUI is his: only how often, and when. */
static void write_sight(struct text *t, const struct why_sight *s, bool is_hidden)
{
	json_open(t, '{');
	name_time(t, "time", s->last_us);
	name_text(t, "event", events_info(s->event)->name);
	name_number(t, "count", s->count);
	if (s->count > 1)
		name_time(t, "first_time", s->first_us);
	if (!is_hidden) {
		name_text(t, "gateway_id", s->gateway_id);
		if (s->dev_addr)
			name_addr(t, "dev_addr", s->dev_addr);
		if (*s->data) {
			json_name(t, "data");
			json_raw_out(t, str_of(s->data));
		}
	} else if (*s->word) {
		json_name(t, "data");
		json_open(t, '{');
		name_text(t, "reason", s->word);
		json_close(t, '}');
	}
	json_close(t, '}');
}

static void write_device(struct text *t, const struct why_facts *f)
{
	state_open(t, "device");
	if (f->has_dev_eui) {
		json_name(t, "dev_eui");
		json_eui(t, f->dev_eui);
	}
	if (f->supports_join) {
		json_name(t, "join_eui");
		json_eui(t, f->join_eui);
	}
	name_truth(t, "supports_join", f->supports_join);
	name_text(t, "lorawan_version", f->version);
	name_text(t, "frequency_plan_id", f->plan);
	state_close(t);
}

static void write_session(struct text *t, const struct why_facts *f)
{
	state_open(t, "session");
	name_truth(t, "network_server_connected", f->has_ns);
	if (f->has_live)
		name_truth(t, "has_session", f->has_session);
	if (f->has_session) {
		name_addr(t, "dev_addr", f->dev_addr);
		name_time(t, "started_at", f->started_us);
		if (f->has_up)
			name_number(t, "last_f_cnt_up", f->last_f_cnt_up);
		name_number(t, "last_f_cnt_down", f->last_f_cnt_down);
	}
	if (f->has_pending)
		name_truth(t, "has_pending_session", true);
	name_time(t, "last_seen_at", f->heard_us);
	state_close(t);
}

static void write_queue(struct text *t, const struct why_facts *f)
{
	static const char *const states[] = { "", "WAITING", "IN_FLIGHT", "AWAITS_ACK" };
	const struct why_item *i = &f->head;
	state_open(t, "queue");
	name_number(t, "items", f->queued);
	name_text(t, "device_class", f->is_class_c ? "CLASS_C" : "CLASS_A");
	if (i->state) {
		json_name(t, "head");
		json_open(t, '{');
		name_text(t, "state", states[i->state]);
		name_time(t, "queued_at", i->queued_us);
		name_number(t, "f_port", i->f_port);
		name_number(t, "size", i->size);
		name_truth(t, "confirmed", i->is_confirmed);
		name_number(t, "attempts", i->attempt);
		name_number(t, "windows_too_small", i->misses);
		name_time(t, "absolute_time", i->at_us);
		json_close(t, '}');
	}
	state_close(t);
}

static void write_gateway(struct text *t, const struct why_gateway *g)
{
	state_open(t, "gateway");
	name_text(t, "gateway_id", g->id);
	name_truth(t, "registered", g->is_registered);
	name_truth(t, "connected", g->is_connected);
	name_truth(t, "can_send", g->can_send);
	name_text(t, "frequency_plan_id", g->plan);
	name_time(t, "connected_at", g->connected_us);
	name_time(t, "disconnected_at", g->disconnected_us);
	name_time(t, "last_uplink_received_at", g->last_uplink_us);
	name_number(t, "uplink_count", g->uplinks);
	name_number(t, "downlink_count", g->downlinks);
	name_number(t, "tx_acknowledgment_count", g->tx_acks);
	if (g->limit_ppm) {
		json_name(t, "downlink_utilization");
		json_dec(t, g->used_ppm, 6);
		json_name(t, "downlink_utilization_limit");
		json_dec(t, g->limit_ppm, 6);
	}
	state_close(t);
}

/** Who is there to hear; by name for operators only. */
static void write_gateways(struct text *t, const struct why_facts *f)
{
	state_open(t, "gateways");
	name_number(t, "known", f->known);
	name_number(t, "connected", f->connected);
	name_number(t, "can_send", f->sending);
	name_number(t, "in_its_region", f->in_band);
	name_time(t, "last_uplink_received_at", f->any_uplink_us);
	if (f->is_operator)
		name_text(t, "last_uplink_gateway_id", f->any_gateway);
	state_close(t);
	for (uint32_t i = 0; f->is_operator && i < f->n_gateways && i < 5; i++)
		write_gateway(t, &f->gateways[i]);
}

static void write_radio(struct text *t, const struct why_facts *f)
{
	int32_t margin;
	if (!f->radio.gateways)
		return;
	state_open(t, "reception");
	name_text(t, "gateway_id", f->radio.gateway_id);
	name_number(t, "gateways", f->radio.gateways);
	json_name(t, "rssi");
	json_dec(t, f->radio.rssi_ddbm, 1);
	if (f->radio.has_snr) {
		json_name(t, "snr");
		json_dec(t, f->radio.snr_ddb, 1);
	}
	if (!why_margin(f, &margin)) {
		json_name(t, "snr_margin");
		json_dec(t, margin, 1);
	}
	state_close(t);
}

static void write_listeners(struct text *t, const struct why_facts *f)
{
	state_open(t, "application");
	name_truth(t, "linked", f->is_linked);
	if (f->knows_listeners) {
		name_number(t, "mqtt_sessions_connected", f->listeners);
		name_number(t, "mqtt_sessions_away", f->away);
	}
	name_number(t, "api_keys_expired", f->keys_expired);
	state_close(t);
}

void evidence_write(struct text *t, const struct why_case *c, unsigned shows)
{
	const struct why_facts *f = c->f;
	json_name(t, "evidence");
	json_open(t, '[');
	for (uint32_t i = 0; i < c->n_sights; i++)
		write_sight(t, c->sight[i], c->sight[i]->is_stranger && !f->is_operator);
	if (shows & SHOW_DEVICE)
		write_device(t, f);
	if (shows & SHOW_SESSION)
		write_session(t, f);
	if (shows & SHOW_RADIO)
		write_radio(t, f);
	if (shows & SHOW_QUEUE)
		write_queue(t, f);
	if (shows & SHOW_LISTENERS)
		write_listeners(t, f);
	if (shows & SHOW_GATEWAYS)
		write_gateways(t, f);
	if ((shows & SHOW_GATEWAY) && c->gateway && (f->is_operator || c->gateway == f->about))
		write_gateway(t, c->gateway);
	json_close(t, ']');
}

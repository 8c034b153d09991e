/** @file A device as the network server has it now. */
#include "as/api/device_live.h"
#include "as/core/registry/device_json.h"
#include "proto/lorawan/version.h"
#include <inttypes.h>
#include <stdlib.h>

enum { ASK_US = 1000000 };

struct asking {
	struct as *as;
	struct http_request *r; /**< NULL: the peer is gone */
	uint64_t uid;
	unsigned parts;
};

static void write_addr(struct text *t, uint32_t addr)
{
	char buf[9];
	struct text a = text_fixed(buf, sizeof buf);
	text_printf(&a, "%08" PRIX32, addr);
	json_name(t, "dev_addr");
	json_puts(t, buf);
}

static void write_keys(struct text *t, const struct device *d, const struct ulid *id, bool secret)
{
	json_name(t, "keys");
	json_open(t, '{');
	json_name(t, "session_key_id");
	json_b64(t, id->b, sizeof id->b);
	if (secret && d->session.present) {
		write_key(t, "f_nwk_s_int_key", &d->session.f_nwk_s_int_key, NULL);
		write_key(t, "app_s_key", &d->session.app_s_key, NULL);
	}
	json_close(t, '}');
}

static void write_number(struct text *t, const char *name, bool has, uint32_t n)
{
	if (has) {
		json_name(t, name);
		json_unum(t, n);
	}
}

static void write_time(struct text *t, const char *name, bool has, uint64_t unix_us)
{
	if (has && unix_us) {
		json_name(t, name);
		json_time(t, unix_us * 1000);
	}
}

static void write_session(struct text *t, const struct device *d, const struct device_state *s, bool secret)
{
	json_name(t, "session");
	json_open(t, '{');
	write_addr(t, s->dev_addr);
	write_keys(t, d, &s->session_key_id, secret);
	write_number(t, "last_f_cnt_up", MSG_HAS(s, last_f_cnt_up), s->last_f_cnt_up);
	write_number(t, "last_n_f_cnt_down", MSG_HAS(s, last_f_cnt_down), s->last_f_cnt_down);
	write_number(t, "last_a_f_cnt_down", MSG_HAS(s, last_a_f_cnt_down), s->last_a_f_cnt_down);
	write_time(t, "started_at", MSG_HAS(s, started_unix_us), s->started_unix_us);
	json_close(t, '}');
}

static void write_enum(struct text *t, const char *name, const char *prefix, bool has, uint32_t n)
{
	char buf[32];
	struct text v = text_fixed(buf, sizeof buf);
	if (!has)
		return;
	text_printf(&v, "%s%u", prefix, (unsigned)n);
	json_name(t, name);
	json_puts(t, buf);
}

static void write_text_number(struct text *t, const char *name, bool has, uint32_t n)
{
	write_enum(t, name, "", has, n); /* frequencies are 64 bits wide there, and those are texts */
}

static void write_truth(struct text *t, const char *name, bool has, bool on)
{
	if (has) {
		json_name(t, name);
		json_truth(t, on);
	}
}

static void write_channels(struct text *t, const struct mac_params *m)
{
	if (!MSG_HAS(m, channels))
		return;
	json_name(t, "channels");
	json_open(t, '[');
	for (size_t i = 0; i < m->channels.len; i++) {
		const struct channel_params *c = &m->channels.v[i];
		json_open(t, '{');
		write_text_number(t, "uplink_frequency", true, c->up_hz);
		write_text_number(t, "downlink_frequency", true, MSG_HAS(c, down_hz) ? c->down_hz : c->up_hz);
		write_enum(t, "min_data_rate_index", "DATA_RATE_", c->min_dr > 0, c->min_dr);
		write_enum(t, "max_data_rate_index", "DATA_RATE_", true, c->max_dr);
		write_truth(t, "enable_uplink", MSG_HAS(c, enabled) && c->enabled, true);
		json_close(t, '}');
	}
	json_close(t, ']');
}

static void write_params(struct text *t, const char *name, const struct mac_params *m)
{
	json_name(t, name);
	json_open(t, '{');
	write_number(t, "max_eirp", MSG_HAS(m, max_eirp), m->max_eirp);
	write_enum(t, "adr_data_rate_index", "DATA_RATE_", MSG_HAS(m, dr), m->dr);
	write_number(t, "adr_tx_power_index", MSG_HAS(m, power), m->power);
	write_number(t, "adr_nb_trans", MSG_HAS(m, nb_trans), m->nb_trans);
	write_enum(t, "adr_ack_limit_exponent", "ADR_ACK_LIMIT_", MSG_HAS(m, ack_limit), 1U << (m->ack_limit & 15));
	write_enum(t, "adr_ack_delay_exponent", "ADR_ACK_DELAY_", MSG_HAS(m, ack_delay), 1U << (m->ack_delay & 15));
	write_enum(t, "rx1_delay", "RX_DELAY_", MSG_HAS(m, rx1_delay), m->rx1_delay);
	write_enum(t, "rx1_data_rate_offset", "DATA_RATE_OFFSET_", MSG_HAS(m, rx1_dr_offset), m->rx1_dr_offset);
	write_enum(t, "rx2_data_rate_index", "DATA_RATE_", MSG_HAS(m, rx2_dr), m->rx2_dr);
	write_text_number(t, "rx2_frequency", MSG_HAS(m, rx2_freq_hz), m->rx2_freq_hz);
	write_enum(t, "max_duty_cycle", "DUTY_CYCLE_", MSG_HAS(m, duty_cycle), 1U << (m->duty_cycle & 15));
	write_enum(t, "rejoin_time_periodicity", "REJOIN_TIME_", MSG_HAS(m, rejoin_time), m->rejoin_time);
	write_enum(t, "rejoin_count_periodicity", "REJOIN_COUNT_", MSG_HAS(m, rejoin_count), 16U << (m->rejoin_count & 15));
	write_truth(t, "uplink_dwell_time", MSG_HAS(m, up_dwell), m->up_dwell);
	write_truth(t, "downlink_dwell_time", MSG_HAS(m, down_dwell), m->down_dwell);
	write_channels(t, m);
	json_close(t, '}');
}

/* A network server of an earlier release says this much. */
static void write_older(struct text *t, const struct device_state *s)
{
	struct mac_params m = { .has = 0 };
	if (MSG_HAS(s, dr))
		MSG_SET(&m, dr, s->dr);
	if (MSG_HAS(s, rx1_delay))
		MSG_SET(&m, rx1_delay, s->rx1_delay);
	if (MSG_HAS(s, rx1_dr_offset))
		MSG_SET(&m, rx1_dr_offset, s->rx1_dr_offset);
	if (MSG_HAS(s, rx2_dr))
		MSG_SET(&m, rx2_dr, s->rx2_dr);
	if (MSG_HAS(s, rx2_freq_hz))
		MSG_SET(&m, rx2_freq_hz, s->rx2_freq_hz);
	write_params(t, "current_parameters", &m);
}

static void write_pending(struct text *t, const char *names)
{
	struct str rest = str_of(names), name;
	json_name(t, "pending_requests");
	json_open(t, '[');
	while (rest.n) {
		rest = str_cut(rest, ' ', &name);
		json_str(t, name);
	}
	json_close(t, ']');
}

static void write_mac_state(struct text *t, const struct device *d, const struct device_state *s)
{
	json_name(t, "mac_state");
	json_open(t, '{');
	if (MSG_HAS(s, current))
		write_params(t, "current_parameters", &s->current);
	else
		write_older(t, s);
	if (MSG_HAS(s, desired))
		write_params(t, "desired_parameters", &s->desired);
	json_name(t, "device_class");
	json_puts(t, MSG_HAS(s, device_class) && s->device_class == 2 ? "CLASS_C" : "CLASS_A");
	json_name(t, "lorawan_version");
	json_puts(t, mac_version_json(d->mac_version));
	if (MSG_HAS(s, pending))
		write_pending(t, s->pending);
	json_close(t, '}');
}

static void write_live(struct text *t, const struct device *d, const struct device_state *s, unsigned parts)
{
	json_open(t, '{');
	bool has_session = MSG_HAS(s, dev_addr);
	device_json_members(t, d, has_session ? parts & ~(unsigned)DEVICE_JSON_SESSION : parts, NULL);
	if (has_session) {
		write_session(t, d, s, parts & DEVICE_JSON_KEYS);
		write_mac_state(t, d, s);
	}
	if (MSG_HAS(s, pending_dev_addr)) {
		json_name(t, "pending_session");
		json_open(t, '{');
		write_addr(t, s->pending_dev_addr);
		write_keys(t, d, &s->pending_session_key_id, false);
		json_close(t, '}');
	}
	write_time(t, "last_seen_at", MSG_HAS(s, last_seen_unix_us), s->last_seen_unix_us);
	json_close(t, '}');
}

static void on_state(void *ctx, int status, const struct failure *f, const void *reply)
{
	static const struct device_state nothing = { 0 };
	struct asking *a = ctx;
	AUTO(text_done) struct text t = text_growing(1 << 20);
	const struct device *d = registry_device_by_uid(&a->as->registry, a->uid);
	(void)f;
	if (a->r && !d) {
		http_reply_error(a->r, 404, "the device was deleted meanwhile");
	} else if (a->r) {
		write_live(&t, d, status ? &nothing : reply, a->parts);
		http_reply_json(a->r, 200, text_str(&t));
	}
	free(a);
}

static void on_closed(void *ctx)
{
	((struct asking *)ctx)->r = NULL;
}

int device_live_reply(struct api_call *c, unsigned parts)
{
	struct bus_peer *ns = as_ns(c->as);
	struct device_query q = { .device = c->device->entry.uid };
	if (!ns || !device_is_lorawan(c->device))
		return -ENOTCONN;
	struct asking *a = malloc(sizeof *a);
	if (!a)
		return -ENOMEM;
	*a = (struct asking){ c->as, c->r, q.device, parts };
	int e = bus_call(ns, ASNS_DEVICE, &q, ASK_US, on_state, a);
	if (e) {
		free(a);
		return e;
	}
	http_on_close(c->r, on_closed, a);
	return 0;
}

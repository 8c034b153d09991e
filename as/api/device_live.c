/** @file A device as the network server has it now. */
#include "as/api/credentials.h"
#include "as/api/device_live.h"
#include "as/api/lists.h"
#include "as/core/registry/device_json.h"
#include "as/core/registry/mac_state.h"
#include "as/joins.h"
#include "as/traffic.h"
#include "proto/lorawan/version.h"
#include <inttypes.h>
#include <stdlib.h>

enum { ASK_US = 1000000 };

struct asking {
	struct as *as;
	struct http_request *r; /**< NULL: the peer is gone */
	uint64_t uid;
	unsigned parts;
	struct field_mask mask; /**< borrows from the request */
	bool is_export; /**< all of it, and as it is now, or nothing */
};

static const char not_there[] = "the network server is not connected: what it knows of the session cannot be told";

static void write_addr(struct text *t, uint32_t addr)
{
	char buf[9];
	struct text a = text_fixed(buf, sizeof buf);
	text_printf(&a, "%08" PRIX32, addr);
	json_name(t, "dev_addr");
	json_puts(t, buf);
}

static void write_key_id(struct text *t, const struct ulid *id)
{
	json_name(t, "session_key_id");
	json_b64(t, id->b, sizeof id->b);
}

/** The network's keys are the ns's, the AppSKey is ours. */
static void write_keys(struct text *t, struct as *as, const struct device *d, const struct device_state *s)
{
	struct device_traffic *traffic = traffic_of(as, d->entry.uid, false);
	const struct session *own = traffic ? sessions_find(&traffic->sessions, &s->session_key_id) : NULL;
	json_name(t, "keys");
	json_open(t, '{');
	write_key_id(t, &s->session_key_id);
	if (MSG_HAS(s, f_nwk_s_int_key))
		write_key(t, "f_nwk_s_int_key", &s->f_nwk_s_int_key, NULL);
	if (MSG_HAS(s, s_nwk_s_int_key))
		write_key(t, "s_nwk_s_int_key", &s->s_nwk_s_int_key, NULL);
	if (MSG_HAS(s, nwk_s_enc_key))
		write_key(t, "nwk_s_enc_key", &s->nwk_s_enc_key, NULL);
	if (MSG_HAS(s, f_nwk_s_int_key) && own)
		write_key(t, "app_s_key", &own->app_s_key, NULL);
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

static void write_session(struct text *t, const struct asking *a, const struct device *d, const struct device_state *s)
{
	bool is_one = a->is_export && d->mac_version < LW_1_1_0;
	json_name(t, "session");
	json_open(t, '{');
	write_addr(t, s->dev_addr);
	write_keys(t, a->as, d, s);
	write_number(t, "last_f_cnt_up", MSG_HAS(s, last_f_cnt_up), s->last_f_cnt_up);
	write_number(t, "last_n_f_cnt_down", MSG_HAS(s, last_f_cnt_down), s->last_f_cnt_down);
	/* Before 1.1 there is one counter, which The Things Stack reads under both names. */
	write_number(t, "last_a_f_cnt_down", is_one ? MSG_HAS(s, last_f_cnt_down) : MSG_HAS(s, last_a_f_cnt_down),
		is_one ? s->last_f_cnt_down : s->last_a_f_cnt_down);
	write_number(t, "last_conf_f_cnt_down", MSG_HAS(s, last_conf_f_cnt_down), s->last_conf_f_cnt_down);
	write_time(t, "started_at", MSG_HAS(s, started_unix_us), s->started_unix_us);
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
	mac_params_write(t, "current_parameters", &m);
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
		mac_params_write(t, "current_parameters", &s->current);
	else
		write_older(t, s);
	if (MSG_HAS(s, desired))
		mac_params_write(t, "desired_parameters", &s->desired);
	json_name(t, "device_class");
	json_puts(t, MSG_HAS(s, device_class) && s->device_class == 2 ? "CLASS_C" : "CLASS_A");
	json_name(t, "lorawan_version");
	json_puts(t, mac_version_json(d->mac_version));
	if (MSG_HAS(s, pending))
		write_pending(t, s->pending);
	mac_rejected_write(t, s->refused_drs, s->refused_powers);
	json_close(t, '}');
}

static void write_live(struct text *t, const struct asking *a, const struct device *d, const struct device_state *s)
{
	unsigned parts = a->parts;
	json_open(t, '{');
	bool has_session = MSG_HAS(s, dev_addr);
	device_json_members(t, d, has_session ? parts & ~(unsigned)DEVICE_JSON_SESSION : parts, NULL);
	if (has_session) {
		write_session(t, a, d, s);
		write_mac_state(t, d, s);
		write_number(t, "last_rj_count_0", MSG_HAS(s, last_rj_count_0), s->last_rj_count_0);
		write_time(t, "last_dev_status_received_at", MSG_HAS(s, status_unix_us), s->status_unix_us);
	}
	if (MSG_HAS(s, pending_dev_addr)) {
		json_name(t, "pending_session");
		json_open(t, '{');
		write_addr(t, s->pending_dev_addr);
		json_name(t, "keys");
		json_open(t, '{');
		write_key_id(t, &s->pending_session_key_id);
		json_close(t, '}');
		json_close(t, '}');
	}
	write_time(t, "last_seen_at", MSG_HAS(s, last_seen_unix_us), s->last_seen_unix_us);
	if (a->is_export && joins_write(a->as, d, t))
		t->failed = true;
	json_close(t, '}');
}

static void on_state(void *ctx, int status, const struct failure *f, const void *reply)
{
	static const struct device_state nothing = { 0 };
	struct asking *a = ctx;
	AUTO(text_done) struct text t = text_growing(1 << 20), shown = text_growing(1 << 20);
	const struct device *d = registry_device_by_uid(&a->as->registry, a->uid);
	(void)f;
	if (a->r && !d) {
		http_reply_error(a->r, 404, "the device was deleted meanwhile");
	} else if (a->r && status && a->is_export) {
		http_reply_error(a->r, 503, not_there);
	} else if (a->r) {
		write_live(&t, a, d, status ? &nothing : reply);
		if (!t.failed)
			api_masked(&shown, text_str(&t), &a->mask);
		if (t.failed || shown.failed)
			http_reply_error(a->r, 503, "the store cannot be read");
		else
			http_reply_json(a->r, 200, text_str(&shown));
		crypto_forget(t.p, t.len);
		crypto_forget(shown.p, shown.len);
	}
	free(a);
}

static void on_closed(void *ctx)
{
	((struct asking *)ctx)->r = NULL;
}

static int ask(struct api_call *c, unsigned parts, const struct field_mask *mask, bool is_export)
{
	struct bus_peer *ns = as_ns(c->as);
	struct device_query q = { .device = c->device->entry.uid };
	if (parts & DEVICE_JSON_KEYS)
		MSG_SET(&q, keys, true);
	if (!ns || !device_is_lorawan(c->device))
		return -ENOTCONN;
	struct asking *a = malloc(sizeof *a);
	if (!a)
		return -ENOMEM;
	*a = (struct asking){ c->as, c->r, q.device, parts, *mask, is_export };
	int e = bus_call(ns, ASNS_DEVICE, &q, ASK_US, on_state, a);
	if (e) {
		free(a);
		return e;
	}
	http_on_close(c->r, on_closed, a);
	return 0;
}

int device_live_reply(struct api_call *c, unsigned parts, const struct field_mask *mask)
{
	return ask(c, parts, mask, false);
}

void device_export_reply(struct api_call *c, unsigned parts)
{
	static const struct field_mask all = { .given = false };
	if (device_is_lorawan(c->device)) {
		if (ask(c, parts, &all, true))
			api_error(c, 503, "", "%s", not_there);
		return;
	}
	json_open(&c->out, '{');
	device_json_members(&c->out, c->device, parts, NULL);
	api_write_credentials(c, c->device, true);
	json_close(&c->out, '}');
	api_reply(c);
}

/** @file MAC settings as The Things Stack writes them, and whether a band has what they ask for. */
#include "as/core/registry/mac_settings.h"
#include "proto/lorawan/mac_cmds.h"
#include "proto/region/region.h"
#include <stdio.h>
#include <string.h>

enum { NAME_CAP = 48 };

/* ---- writing ---- */

static void write_word(struct text *t, const char *prefix, uint32_t n, const char *suffix)
{
	char word[NAME_CAP];
	snprintf(word, sizeof word, "%s%u%s", prefix, (unsigned)n, suffix);
	json_puts(t, word);
}

/* 64-bit numbers, frequencies among them, are texts. */
static void write_freqs(struct text *t, const struct freq *v, size_t n)
{
	json_open(t, '[');
	for (size_t i = 0; i < n; i++)
		write_word(t, "", v[i].hz, "");
	json_close(t, ']');
}

static void write_overrides(struct text *t, const struct mac_settings *m)
{
	json_open(t, '{');
	for (size_t i = 0; i < m->overrides.len; i++) {
		const struct nb_trans_range *o = &m->overrides.v[i];
		char name[NAME_CAP];
		snprintf(name, sizeof name, "data_rate_%u", (unsigned)o->dr);
		json_name(t, name);
		json_open(t, '{');
		if (MSG_HAS(o, min)) {
			json_name(t, "min_nb_trans");
			json_unum(t, o->min);
		}
		if (MSG_HAS(o, max)) {
			json_name(t, "max_nb_trans");
			json_unum(t, o->max);
		}
		json_close(t, '}');
	}
	json_close(t, '}');
}

static void write_duration(struct text *t, uint32_t n, unsigned per_second)
{
	char word[NAME_CAP];
	if (n % per_second)
		snprintf(word, sizeof word, "%u.%03us", (unsigned)(n / per_second), (unsigned)(n % per_second));
	else
		snprintf(word, sizeof word, "%us", (unsigned)(n / per_second));
	json_puts(t, word);
}

static void write_value(struct text *t, const struct mac_rule *r, const struct field *f, const struct mac_settings *m)
{
	uint32_t n = 0;
	uint16_t len = 0;
	bool on = false;
	const char *at = (const char *)m + f->off;
	switch (r->style) {
	case STYLE_TRUTH:
		memcpy(&on, at, sizeof on);
		json_truth(t, on);
		return;
	case STYLE_LIST:
		memcpy(&len, at, sizeof len);
		write_freqs(t, (const struct freq *)(const void *)((const char *)m + f->off_v), len);
		return;
	case STYLE_OVERRIDES: write_overrides(t, m); return;
	default: memcpy(&n, at, sizeof n);
	}
	switch (r->style) {
	case STYLE_NAMED: write_word(t, r->prefix, n, ""); break;
	case STYLE_POWER: write_word(t, r->prefix, 1U << (n + r->base), r->suffix); break;
	case STYLE_EIRP: write_word(t, "DEVICE_EIRP_", n, ""); break;
	case STYLE_HZ: write_word(t, "", n, ""); break;
	case STYLE_SECONDS: write_duration(t, n, 1); break;
	case STYLE_MILLIS: write_duration(t, n, 1000); break;
	case STYLE_DB: json_dec(t, n, 1); break;
	default: json_unum(t, n);
	}
}

/* Those whose path begins so; each part before the last is an object. */
static void write_below(struct text *t, const struct mac_settings *m, const char *above)
{
	const struct mac_rule *r;
	const struct field *f = NULL;
	unsigned bit = 0;
	size_t n = strlen(above);
	char open[NAME_CAP] = "";
	for (size_t i = 0; (r = mac_rule_at(i, &f, &bit)); i++) {
		if (strncmp(r->json, above, n) != 0 || r->style == STYLE_MODE || !(m->has >> bit & 1))
			continue;
		const char *rest = r->json + n, *dot = strchr(rest, '.');
		if (!dot) {
			json_name(t, rest);
			write_value(t, r, f, m);
		} else if (strncmp(open, rest, (size_t)(dot - rest)) != 0 || !open[0]) {
			char below[NAME_CAP + 16];
			snprintf(open, sizeof open, "%.*s", (int)(dot - rest), rest);
			snprintf(below, sizeof below, "%s%s.", above, open);
			json_name(t, open);
			json_open(t, '{');
			write_below(t, m, below);
			json_close(t, '}');
		}
	}
}

/* An object of the mode, even where nothing more is said of it. */
static void write_adr(struct text *t, const struct mac_settings *m)
{
	static const char *const modes[] = { "dynamic", "static", "disabled" };
	char above[NAME_CAP];
	if (!MSG_HAS(m, adr_mode) || m->adr_mode >= COUNT(modes))
		return;
	snprintf(above, sizeof above, "adr.%s.", modes[m->adr_mode]);
	json_name(t, "adr");
	json_open(t, '{');
	json_name(t, modes[m->adr_mode]);
	json_open(t, '{');
	write_below(t, m, above);
	json_close(t, '}');
	json_close(t, '}');
}

void mac_settings_write(struct text *t, const struct mac_settings *m)
{
	const struct mac_rule *r;
	const struct field *f = NULL;
	unsigned bit = 0;
	json_open(t, '{');
	for (size_t i = 0; (r = mac_rule_at(i, &f, &bit)); i++)
		if (!strchr(r->json, '.') && r->style != STYLE_MODE && (m->has >> bit & 1)) {
			json_name(t, r->json);
			write_value(t, r, f, m);
		}
	write_adr(t, m);
	json_close(t, '}');
}

/* ---- is it possible? ---- */

static int refuse(struct problem *p, const char *name, const char *what, const char *plan)
{
	char path[64];
	snprintf(path, sizeof path, "mac_settings.%s", name);
	return problem_say(p, REGISTRY_E_INVALID, path, "is no %s of %s", what, plan);
}

static int refuse_for(struct problem *p, const char *name, const char *why)
{
	char path[64];
	snprintf(path, sizeof path, "mac_settings.%s", name);
	return problem_say(p, REGISTRY_E_INVALID, path, "%s", why);
}

static int check_windows(const struct mac_settings *m, const struct region *r, const char *plan, struct problem *p)
{
	const struct {
		bool has;
		const char *name;
		uint32_t value;
	} offset[] = { { MSG_HAS(m, rx1_dr_offset), "rx1_data_rate_offset", m->rx1_dr_offset },
		{ MSG_HAS(m, desired_rx1_dr_offset), "desired_rx1_data_rate_offset", m->desired_rx1_dr_offset } },
	  dr[] = { { MSG_HAS(m, rx2_dr), "rx2_data_rate_index", m->rx2_dr },
		{ MSG_HAS(m, desired_rx2_dr), "desired_rx2_data_rate_index", m->desired_rx2_dr } },
	  freq[] = { { MSG_HAS(m, rx2_freq_hz), "rx2_frequency", m->rx2_freq_hz },
		{ MSG_HAS(m, desired_rx2_freq_hz), "desired_rx2_frequency", m->desired_rx2_freq_hz } };
	for (size_t i = 0; i < 2; i++) {
		if (offset[i].has && offset[i].value > r->rx1_offset_max)
			return refuse(p, offset[i].name, "RX1 data rate offset", plan);
		if (dr[i].has && !region_modu(r, false, dr[i].value))
			return refuse(p, dr[i].name, "data rate for downlinks", plan);
		if (freq[i].has && !region_band(r, freq[i].value))
			return refuse(p, freq[i].name, "frequency for downlinks", plan);
	}
	return 0;
}

static int check_adr(const struct mac_settings *m, const struct region *r, enum phy_version v, const char *plan, struct problem *p)
{
	const struct {
		bool has, is_power;
		const char *name;
		uint32_t value;
	} rows[] = {
		{ MSG_HAS(m, min_dr), false, "adr.dynamic.min_data_rate_index", m->min_dr },
		{ MSG_HAS(m, max_dr), false, "adr.dynamic.max_data_rate_index", m->max_dr },
		{ MSG_HAS(m, static_dr), false, "adr.static.data_rate_index", m->static_dr },
		{ MSG_HAS(m, min_power), true, "adr.dynamic.min_tx_power_index", m->min_power },
		{ MSG_HAS(m, max_power), true, "adr.dynamic.max_tx_power_index", m->max_power },
		{ MSG_HAS(m, static_power), true, "adr.static.tx_power_index", m->static_power },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].has && rows[i].is_power && rows[i].value > region_max_power_index(r, v))
			return refuse(p, rows[i].name, "TX power index", plan);
		if (rows[i].has && !rows[i].is_power && !region_modu(r, true, rows[i].value))
			return refuse(p, rows[i].name, "data rate for uplinks", plan);
	}
	return 0;
}

static int check_adr_order(const struct mac_settings *m, struct problem *p)
{
	if (MSG_HAS(m, min_dr) && MSG_HAS(m, max_dr) && m->min_dr > m->max_dr)
		return refuse_for(p, "adr.dynamic.min_data_rate_index", "is above max_data_rate_index");
	if (MSG_HAS(m, min_power) && MSG_HAS(m, max_power) && m->min_power > m->max_power)
		return refuse_for(p, "adr.dynamic.min_tx_power_index", "is above max_tx_power_index");
	if (MSG_HAS(m, min_nb_trans) && MSG_HAS(m, max_nb_trans) && m->min_nb_trans > m->max_nb_trans)
		return refuse_for(p, "adr.dynamic.min_nb_trans", "is above max_nb_trans");
	return 0;
}

static int check_channels(const struct mac_settings *m, const struct region *r, const char *plan, struct problem *p)
{
	for (size_t i = 0; !r->is_fixed && MSG_HAS(m, factory) && i < m->factory.len; i++)
		if (!region_freq_ok(r, m->factory.v[i].hz))
			return refuse(p, "factory_preset_frequencies", "frequency", plan);
	for (size_t i = 0; !r->is_fixed && MSG_HAS(m, desired_down) && i < m->desired_down.len; i++)
		if (m->desired_down.v[i].hz && !region_band(r, m->desired_down.v[i].hz))
			return refuse(p, "desired_downlink_frequencies", "frequency for downlinks", plan);
	return 0;
}

/* What a version or a band has no command for, or has fixed, would be taken and do nothing. */
enum need { NEEDS_TX_PARAM, NEEDS_V11, NEEDS_OWN_CHANNELS };
static const struct idle {
	uint64_t bit;
	const char *name;
	enum need need;
} idle[] = {
	{ HAS(mac_settings, factory), "factory_preset_frequencies", NEEDS_OWN_CHANNELS },
	{ HAS(mac_settings, desired_down), "desired_downlink_frequencies", NEEDS_OWN_CHANNELS },
	{ HAS(mac_settings, desired_max_eirp), "desired_max_eirp", NEEDS_TX_PARAM },
	{ HAS(mac_settings, up_dwell), "uplink_dwell_time", NEEDS_TX_PARAM },
	{ HAS(mac_settings, down_dwell), "downlink_dwell_time", NEEDS_TX_PARAM },
	{ HAS(mac_settings, desired_ack_limit), "desired_adr_ack_limit_exponent", NEEDS_V11 },
	{ HAS(mac_settings, desired_ack_delay), "desired_adr_ack_delay_exponent", NEEDS_V11 },
	{ HAS(mac_settings, desired_rejoin_time), "desired_rejoin_time_periodicity", NEEDS_V11 },
	{ HAS(mac_settings, desired_rejoin_count), "desired_rejoin_count_periodicity", NEEDS_V11 },
};

/* Is anything said that asks for more than there is anyway? */
static bool asks(const struct mac_settings *m, uint64_t bit)
{
	if (!(m->has & bit))
		return false;
	if (bit == HAS(mac_settings, up_dwell))
		return m->up_dwell;
	if (bit == HAS(mac_settings, down_dwell))
		return m->down_dwell;
	if (bit == HAS(mac_settings, factory))
		return m->factory.len > 0;
	return bit != HAS(mac_settings, desired_down) || m->desired_down.len > 0;
}

/* Why it is idle; NULL: it is not. */
static const char *idle_why(enum need need, const struct region *r, uint32_t version)
{
	bool has_tx_param = r->has_tx_param_setup && version >= (uint32_t)mac_cmd_by_cid(CMD_TX_PARAM_SETUP)->since;
	switch (need) {
	case NEEDS_TX_PARAM: return has_tx_param ? NULL : "cannot be set: this band or version has no TXParamSetupReq";
	case NEEDS_V11: return version >= LW_1_1_0 ? NULL : "needs LoRaWAN 1.1";
	default: return r->is_fixed ? "has no effect in a band of fixed channels" : NULL;
	}
}

static int check_idle(const struct mac_settings *m, const struct region *r, uint32_t version, struct problem *p)
{
	for (size_t i = 0; i < COUNT(idle); i++) {
		const char *why = idle_why(idle[i].need, r, version);
		if (why && asks(m, idle[i].bit))
			return refuse_for(p, idle[i].name, why);
	}
	return 0;
}

void mac_settings_drop_idle(struct mac_settings *m, const char *plan, uint32_t mac_version)
{
	const struct plan *known = plan_find(str_of(plan));
	for (size_t i = 0; known && i < COUNT(idle); i++)
		if (asks(m, idle[i].bit) && idle_why(idle[i].need, known->region, mac_version))
			m->has &= ~idle[i].bit;
}

int mac_settings_check(const struct mac_settings *m, const char *plan, uint32_t mac_version, uint32_t phy_version, struct problem *p)
{
	const struct plan *known = plan_find(str_of(plan));
	const struct region *r = known ? known->region : NULL;
	if (!r)
		return 0;
	int e = check_windows(m, r, plan, p);
	if (!e)
		e = check_adr(m, r, (enum phy_version)phy_version, plan, p);
	if (!e)
		e = check_adr_order(m, p);
	if (!e)
		e = check_channels(m, r, plan, p);
	return e ? e : check_idle(m, r, mac_version, p);
}

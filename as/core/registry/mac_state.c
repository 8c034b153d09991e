/** @file The state of a device's MAC as The Things Stack writes it. */
#include "as/core/registry/mac_state.h"
#include "as/core/registry/mac_settings.h"
#include "proto/lorawan/version.h"
#include "proto/region/channels.h"
#include "proto/region/region.h"
#include <stdio.h>
#include <string.h>

enum { PACKED_MAX = 8192, INDEXES = 16 };
#define CURRENT "mac_state.current_parameters"

/* ---- the parameters ---- */

/* What an absent member says: as in The Things Stack 0, or nothing. */
enum absent { SAYS_ZERO, SAYS_NOTHING };

static const struct param {
	struct mac_rule rule;
	enum absent absent;
	size_t off;
	uint64_t bit;
} params[] = {
#define PARAM(member, json, style, prefix, base, max, absent) \
	{ { json, style, prefix, "", base, 0, max }, absent, offsetof(struct mac_params, member), HAS(mac_params, member) }
	PARAM(dr, "adr_data_rate_index", STYLE_NAMED, "DATA_RATE_", 0, 15, SAYS_NOTHING),
	PARAM(power, "adr_tx_power_index", STYLE_NUMBER, "", 0, 15, SAYS_ZERO),
	PARAM(nb_trans, "adr_nb_trans", STYLE_NUMBER, "", 0, 15, SAYS_NOTHING),
	PARAM(ack_limit, "adr_ack_limit_exponent", STYLE_POWER, "ADR_ACK_LIMIT_", 0, 15, SAYS_NOTHING),
	PARAM(ack_delay, "adr_ack_delay_exponent", STYLE_POWER, "ADR_ACK_DELAY_", 0, 15, SAYS_NOTHING),
	PARAM(rx1_delay, "rx1_delay", STYLE_NAMED, "RX_DELAY_", 0, 15, SAYS_ZERO),
	PARAM(rx1_dr_offset, "rx1_data_rate_offset", STYLE_NAMED, "DATA_RATE_OFFSET_", 0, 7, SAYS_ZERO),
	PARAM(rx2_dr, "rx2_data_rate_index", STYLE_NAMED, "DATA_RATE_", 0, 15, SAYS_ZERO),
	PARAM(rx2_freq_hz, "rx2_frequency", STYLE_HZ, "", 0, UINT32_MAX, SAYS_NOTHING),
	PARAM(duty_cycle, "max_duty_cycle", STYLE_POWER, "DUTY_CYCLE_", 0, 15, SAYS_ZERO),
	PARAM(rejoin_time, "rejoin_time_periodicity", STYLE_NAMED, "REJOIN_TIME_", 0, 15, SAYS_NOTHING),
	PARAM(rejoin_count, "rejoin_count_periodicity", STYLE_POWER, "REJOIN_COUNT_", 4, 15, SAYS_NOTHING),
#undef PARAM
};

static json_val member(const struct json *j, json_val object, const char *name)
{
	json_val v = json_get(j, object, name);
	return v >= 0 && json_type(j, v) != JSON_NULL ? v : -1;
}

static int bad(struct problem *p, const char *above, const char *name, const char *why)
{
	char path[64];
	snprintf(path, sizeof path, "%s%s%s", above, *name ? "." : "", name);
	return problem_say(p, REGISTRY_E_INVALID, path, "%s", why);
}

static int read_params(const struct json *j, json_val object, struct mac_params *ret, struct problem *p)
{
	for (size_t i = 0; i < COUNT(params); i++) {
		const struct param *a = &params[i];
		json_val v = member(j, object, a->rule.json);
		uint32_t n = 0;
		if (v < 0 && a->absent == SAYS_NOTHING)
			continue;
		if (v >= 0 && mac_rule_read(&a->rule, j, v, &n))
			return mac_rule_complain(&a->rule, CURRENT, p);
		memcpy((char *)ret + a->off, &n, sizeof n);
		ret->has |= a->bit;
	}
	return 0;
}

static int read_truth(const struct json *j, json_val object, const char *name, bool *ret, bool *ret_has, struct problem *p)
{
	json_val v = member(j, object, name);
	*ret_has = v >= 0;
	if (v >= 0 && json_type(j, v) == JSON_OBJECT) {
		v = json_get(j, v, "value");
		*ret = false; /* {"value":false} loses its member in The Things Stack's JSON */
	}
	return v >= 0 && json_bool(j, v, ret) ? bad(p, CURRENT, name, "must be true or false") : 0;
}

static int read_dwell(const struct json *j, json_val object, struct mac_params *ret, struct problem *p)
{
	bool has;
	int e = read_truth(j, object, "uplink_dwell_time", &ret->up_dwell, &has, p);
	if (!e && has)
		MSG_MARK(ret, up_dwell);
	if (!e)
		e = read_truth(j, object, "downlink_dwell_time", &ret->down_dwell, &has, p);
	if (!e && has)
		MSG_MARK(ret, down_dwell);
	return e;
}

static int read_eirp(const struct json *j, json_val object, struct mac_params *ret, struct problem *p)
{
	int64_t dbm = 0;
	json_val v = member(j, object, "max_eirp");
	if (v >= 0 && (json_decimal(j, v, 0, &dbm) || dbm < 0 || dbm > 40))
		return bad(p, CURRENT, "max_eirp", "must be a number of dBm from 0 to 40");
	if (dbm)
		MSG_SET(ret, max_eirp, (uint32_t)dbm);
	return 0;
}

/* ---- channels ---- */

static int read_channel(const struct json *j, json_val v, struct channel_params *c, struct problem *p)
{
	static const char above[] = CURRENT ".channels";
	static const struct mac_rule hz = { "", STYLE_HZ, "", "", 0, 0, UINT32_MAX }, dr = { "", STYLE_NAMED, "DATA_RATE_", "", 0, 0, 15 };
	const struct {
		const char *name;
		const struct mac_rule *rule;
		uint32_t *to;
	} rows[] = { { "uplink_frequency", &hz, &c->up_hz }, { "downlink_frequency", &hz, &c->down_hz },
		{ "min_data_rate_index", &dr, &c->min_dr }, { "max_data_rate_index", &dr, &c->max_dr } };
	if (json_type(j, v) == JSON_NULL)
		return 0;
	if (json_type(j, v) != JSON_OBJECT)
		return bad(p, above, "", "must be a list of objects");
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_val m = member(j, v, rows[i].name);
		if (m >= 0 && mac_rule_read(rows[i].rule, j, m, rows[i].to))
			return bad(p, CURRENT ".channels", rows[i].name, rows[i].rule == &hz ? "must be a frequency in Hz" : "must be DATA_RATE_0 to DATA_RATE_15");
	}
	json_val on = member(j, v, "enable_uplink");
	bool is_on = false;
	if (on >= 0 && json_bool(j, on, &is_on))
		return bad(p, CURRENT ".channels", "enable_uplink", "must be true or false");
	MSG_SET(c, enabled, is_on);
	if (c->down_hz && c->down_hz != c->up_hz)
		MSG_MARK(c, down_hz);
	return c->min_dr > c->max_dr ? bad(p, CURRENT ".channels", "min_data_rate_index", "is above max_data_rate_index") : 0;
}

/* A channel's index is its place in the list. */
static int read_channels(const struct json *j, json_val object, struct mac_params *ret, struct problem *p)
{
	json_val list = member(j, object, "channels");
	uint32_t index = 0;
	ret->channels.len = 0;
	if (list < 0)
		return 0;
	if (json_type(j, list) != JSON_ARRAY || json_count(j, list) > CHANNELS_MAX)
		return bad(p, CURRENT, "channels", "must be a list of at most 96 channels");
	for (json_val v = json_first(j, list); v >= 0; v = json_next(j, v), index++) {
		struct channel_params *c = &ret->channels.v[ret->channels.len];
		*c = (struct channel_params){ .index = index };
		int e = read_channel(j, v, c, p);
		if (e)
			return e;
		ret->channels.len = (uint16_t)(ret->channels.len + (c->up_hz > 0));
	}
	MSG_MARK(ret, channels);
	return 0;
}

/* ---- the rest ---- */

static int read_indexes(const struct json *j, json_val object, const char *name, uint32_t *ret, struct problem *p)
{
	static const struct mac_rule dr = { "", STYLE_NAMED, "DATA_RATE_", "", 0, 0, INDEXES - 1 };
	json_val list = member(j, object, name);
	*ret = 0;
	for (json_val v = list >= 0 ? json_first(j, list) : -1; v >= 0; v = json_next(j, v)) {
		uint32_t n;
		if (mac_rule_read(&dr, j, v, &n))
			return bad(p, "mac_state", name, "must be a list of numbers from 0 to 15");
		*ret |= 1U << n;
	}
	return list >= 0 && json_type(j, list) != JSON_ARRAY ? bad(p, "mac_state", name, "must be a list") : 0;
}

static int read_class(const struct json *j, json_val object, struct mac_import *ret, struct problem *p)
{
	static const char *const names[] = { "CLASS_A", "CLASS_B", "CLASS_C" };
	struct str s;
	json_val v = member(j, object, "device_class");
	if (v < 0)
		return 0;
	for (uint32_t i = 0; i < COUNT(names); i++)
		if (!json_plain(j, v, &s) && str_is(s, names[i])) {
			MSG_SET(ret, device_class, i);
			return 0;
		}
	return bad(p, "mac_state", "device_class", "must be CLASS_A, CLASS_B or CLASS_C");
}

/* With two versions in it, nobody knows which keys and counters the session has. */
static int check_version(const struct json *j, json_val object, uint32_t version, struct problem *p)
{
	struct str s;
	enum mac_version its;
	json_val v = member(j, object, "lorawan_version");
	if (v < 0)
		return 0;
	if (json_plain(j, v, &s) || mac_version_parse(s, &its))
		return bad(p, "mac_state", "lorawan_version", "is none of 1.0.0, 1.0.1, 1.0.2, 1.0.3, 1.0.4, 1.1.0");
	if (version && (its >= LW_1_1_0) != (version >= LW_1_1_0))
		return bad(p, "mac_state", "lorawan_version", "is another than the device's lorawan_version");
	return 0;
}

int mac_state_read(const struct json *j, json_val object, uint32_t version, struct mac_import *ret, struct problem *p)
{
	ret->has = ret->current.has = 0;
	if (json_type(j, object) != JSON_OBJECT)
		return bad(p, "mac_state", "", "must be an object");
	json_val current = member(j, object, "current_parameters");
	if (current < 0 || json_type(j, current) != JSON_OBJECT)
		return bad(p, CURRENT, "", "is missing: it says how the device listens");
	int e = check_version(j, object, version, p);
	if (!e)
		e = read_params(j, current, &ret->current, p);
	if (!e)
		e = read_dwell(j, current, &ret->current, p);
	if (!e)
		e = read_eirp(j, current, &ret->current, p);
	if (!e)
		e = read_channels(j, current, &ret->current, p);
	if (!e)
		e = read_class(j, object, ret, p);
	if (!e)
		e = read_indexes(j, object, "rejected_adr_data_rate_indexes", &ret->refused_drs, p);
	if (!e)
		e = read_indexes(j, object, "rejected_adr_tx_power_indexes", &ret->refused_powers, p);
	if (!e && ret->refused_drs)
		MSG_MARK(ret, refused_drs);
	if (!e && ret->refused_powers)
		MSG_MARK(ret, refused_powers);
	return e;
}

/* ---- is it possible? ---- */

static int refuse(struct problem *p, const char *name, const char *what, const char *plan)
{
	char path[64];
	snprintf(path, sizeof path, CURRENT ".%s", name);
	return problem_say(p, REGISTRY_E_INVALID, path, "is no %s of %s", what, plan);
}

static int check_channels(const struct mac_params *m, const struct region *r, const char *plan, struct problem *p)
{
	for (size_t i = 0; !r->is_fixed && i < m->channels.len; i++) {
		const struct channel_params *c = &m->channels.v[i];
		if (c->index >= r->max_channels || !region_freq_ok(r, c->up_hz))
			return refuse(p, "channels.uplink_frequency", "channel", plan);
		if (MSG_HAS(c, down_hz) && !region_band(r, c->down_hz))
			return refuse(p, "channels.downlink_frequency", "frequency for downlinks", plan);
		if (!region_modu(r, true, c->min_dr) || !region_modu(r, true, c->max_dr))
			return refuse(p, "channels.max_data_rate_index", "data rate for uplinks", plan);
	}
	return 0;
}

int mac_state_check(const struct mac_import *i, const char *plan, struct problem *p)
{
	const struct plan *known = plan_find(str_of(plan));
	const struct region *r = known ? known->region : NULL;
	const struct mac_params *m = &i->current;
	if (!r)
		return 0;
	if (m->rx1_dr_offset > r->rx1_offset_max)
		return refuse(p, "rx1_data_rate_offset", "RX1 data rate offset", plan);
	if (!region_modu(r, false, m->rx2_dr))
		return refuse(p, "rx2_data_rate_index", "data rate for downlinks", plan);
	if (MSG_HAS(m, rx2_freq_hz) && m->rx2_freq_hz && !region_band(r, m->rx2_freq_hz))
		return refuse(p, "rx2_frequency", "frequency for downlinks", plan);
	if (MSG_HAS(m, dr) && !region_modu(r, true, m->dr))
		return refuse(p, "adr_data_rate_index", "data rate for uplinks", plan);
	return check_channels(m, r, plan, p);
}

/* ---- as text ---- */

int mac_state_pack(struct text *t, const struct mac_import *m)
{
	uint8_t buf[PACKED_MAX];
	size_t n;
	if (msg_encode(mac_import_schema(), m, buf, sizeof buf, &n))
		return -ENOSPC;
	text_base64(t, buf, n);
	return t->failed ? -ENOSPC : 0;
}

int mac_state_unpack(struct str text, struct mac_import *ret)
{
	uint8_t buf[PACKED_MAX];
	size_t n;
	if (base64_decode(text, buf, sizeof buf, &n) || msg_decode(mac_import_schema(), buf, n, ret))
		return -EBADMSG;
	return 0;
}

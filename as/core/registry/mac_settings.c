/** @file MAC settings: one rule per field, read and written along the table of the bus message. */
#include "as/core/registry/mac_settings.h"
#include <stdio.h>
#include <string.h>

enum { PATH_CAP = 64, DRS = 16, TRANS_MAX = 15 };

#define NAMED(json, prefix, max)          { json, STYLE_NAMED, prefix, "", 0, 0, max }
#define POWER(json, prefix, suffix, base, max) { json, STYLE_POWER, prefix, suffix, base, 0, max }
#define PLAIN(json, style, min, max)      { json, style, "", "", 0, min, max }
static const struct mac_rule rules[] = {
	NAMED("rx1_delay", "RX_DELAY_", 15),
	NAMED("desired_rx1_delay", "RX_DELAY_", 15),
	NAMED("rx1_data_rate_offset", "DATA_RATE_OFFSET_", 7),
	NAMED("rx2_data_rate_index", "DATA_RATE_", 15),
	PLAIN("rx2_frequency", STYLE_HZ, 0, UINT32_MAX),
	PLAIN("resets_f_cnt", STYLE_TRUTH, 0, 1),
	PLAIN("supports_32_bit_f_cnt", STYLE_TRUTH, 0, 1),
	NAMED("desired_rx1_data_rate_offset", "DATA_RATE_OFFSET_", 7),
	NAMED("desired_rx2_data_rate_index", "DATA_RATE_", 15),
	PLAIN("desired_rx2_frequency", STYLE_HZ, 0, UINT32_MAX),
	PLAIN("status_time_periodicity", STYLE_SECONDS, 0, UINT32_MAX),
	PLAIN("status_count_periodicity", STYLE_NUMBER, 0, UINT32_MAX),
	POWER("max_duty_cycle", "DUTY_CYCLE_", "", 0, 15),
	POWER("desired_max_duty_cycle", "DUTY_CYCLE_", "", 0, 15),
	POWER("desired_adr_ack_limit_exponent", "ADR_ACK_LIMIT_", "", 0, 15),
	POWER("desired_adr_ack_delay_exponent", "ADR_ACK_DELAY_", "", 0, 15),
	PLAIN("desired_max_eirp", STYLE_EIRP, 8, 36),
	PLAIN("uplink_dwell_time", STYLE_TRUTH, 0, 1),
	PLAIN("downlink_dwell_time", STYLE_TRUTH, 0, 1),
	PLAIN("factory_preset_frequencies", STYLE_LIST, 0, 0),
	PLAIN("schedule_downlinks", STYLE_TRUTH, 0, 1),
	PLAIN("class_b_timeout", STYLE_SECONDS, 0, UINT32_MAX),
	PLAIN("class_c_timeout", STYLE_SECONDS, 1, UINT32_MAX),
	PLAIN("class_b_c_downlink_interval", STYLE_MILLIS, 0, 600000),
	POWER("ping_slot_periodicity", "PING_EVERY_", "S", 0, 7),
	NAMED("ping_slot_data_rate_index", "DATA_RATE_", 15),
	PLAIN("ping_slot_frequency", STYLE_HZ, 0, UINT32_MAX),
	PLAIN("beacon_frequency", STYLE_HZ, 0, UINT32_MAX),
	NAMED("desired_ping_slot_data_rate_index", "DATA_RATE_", 15),
	PLAIN("desired_ping_slot_frequency", STYLE_HZ, 0, UINT32_MAX),
	PLAIN("desired_beacon_frequency", STYLE_HZ, 0, UINT32_MAX),
	PLAIN("use_adr", STYLE_TRUTH, 0, 1),
	PLAIN("adr_margin", STYLE_DB, 0, 500),
	PLAIN("adr", STYLE_MODE, 0, 2),
	PLAIN("adr.dynamic.margin", STYLE_DB, 0, 500),
	NAMED("adr.dynamic.min_data_rate_index", "DATA_RATE_", 15),
	NAMED("adr.dynamic.max_data_rate_index", "DATA_RATE_", 15),
	PLAIN("adr.dynamic.min_tx_power_index", STYLE_NUMBER, 0, 15),
	PLAIN("adr.dynamic.max_tx_power_index", STYLE_NUMBER, 0, 15),
	PLAIN("adr.dynamic.min_nb_trans", STYLE_NUMBER, 1, TRANS_MAX),
	PLAIN("adr.dynamic.max_nb_trans", STYLE_NUMBER, 1, TRANS_MAX),
	PLAIN("adr.dynamic.channel_steering.lora_narrow", STYLE_TRUTH, 0, 1),
	PLAIN("adr.dynamic.overrides", STYLE_OVERRIDES, 0, 0),
	NAMED("adr.static.data_rate_index", "DATA_RATE_", 15),
	PLAIN("adr.static.tx_power_index", STYLE_NUMBER, 0, 15),
	PLAIN("adr.static.nb_trans", STYLE_NUMBER, 1, TRANS_MAX),
	NAMED("desired_rejoin_time_periodicity", "REJOIN_TIME_", 15),
	POWER("desired_rejoin_count_periodicity", "REJOIN_COUNT_", "", 4, 15),
	PLAIN("desired_downlink_frequencies", STYLE_LIST, 0, 0),
};
#undef NAMED
#undef POWER
#undef PLAIN

const struct mac_rule *mac_rule_at(size_t i, const struct field **ret_field, unsigned *ret_bit)
{
	const struct schema *s = mac_settings_schema();
	if (i >= COUNT(rules))
		return NULL;
	for (unsigned k = 0; k < s->n; k++)
		if (strcmp(s->f[k].json, rules[i].json) == 0) {
			*ret_field = &s->f[k];
			*ret_bit = k;
		}
	return &rules[i];
}

/* ---- errors ---- */

static int wrong_below(struct problem *p, const char *above, const char *json, const char *what)
{
	char path[PATH_CAP + 32];
	snprintf(path, sizeof path, "%s.%s", above, json);
	return problem_say(p, REGISTRY_E_INVALID, path, "%s", what);
}

static int wrong(struct problem *p, const char *json, const char *what)
{
	return wrong_below(p, "mac_settings", json, what);
}

int mac_rule_complain(const struct mac_rule *r, const char *above, struct problem *p)
{
	char what[160];
	switch (r->style) {
	case STYLE_TRUTH: return wrong_below(p, above, r->json, "must be true or false");
	case STYLE_NAMED:
		snprintf(what, sizeof what, "must be a whole number of at most %u, or %s0 to %s%u", (unsigned)r->max, r->prefix, r->prefix,
			(unsigned)r->max);
		break;
	case STYLE_POWER:
		snprintf(what, sizeof what, "must be a whole number of at most %u, or %s%u%s to %s%u%s", (unsigned)r->max, r->prefix,
			1U << r->base, r->suffix, r->prefix, 1U << (r->base + r->max), r->suffix);
		break;
	case STYLE_EIRP: return wrong_below(p, above, r->json, "must be 8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33 or 36 dBm, or DEVICE_EIRP_8 to DEVICE_EIRP_36");
	case STYLE_SECONDS: return wrong_below(p, above, r->json, "must be a duration such as 300s, 5m, 24h, or whole seconds");
	case STYLE_MILLIS: return wrong_below(p, above, r->json, "must be a duration such as 1s or 1500ms of at most 10m");
	case STYLE_HZ: return wrong_below(p, above, r->json, "must be a frequency in Hz");
	case STYLE_DB: return wrong_below(p, above, r->json, "must be a number of dB from 0 to 50");
	case STYLE_LIST: return wrong_below(p, above, r->json, "must be a list of at most 16 frequencies in Hz");
	case STYLE_MODE: return wrong_below(p, above, r->json, "must have one of dynamic, static, disabled");
	case STYLE_OVERRIDES:
		return wrong_below(p, above, r->json, "must be an object of data_rate_0 to data_rate_15 with min_nb_trans and max_nb_trans from 1 to 15");
	default: snprintf(what, sizeof what, "must be a whole number from %u to %u", (unsigned)r->min, (unsigned)r->max);
	}
	return wrong_below(p, above, r->json, what);
}

/* ---- values ---- */

/* Values of one member may be wrapped: {"value":x}; {"value":0} loses its member in The Things Stack's JSON. */
static bool unwrap(const struct json *j, json_val *v)
{
	if (json_type(j, *v) == JSON_OBJECT)
		*v = json_get(j, *v, "value");
	return *v >= 0;
}

static bool text_after(struct str s, const char *prefix, const char *suffix, struct str *ret)
{
	size_t a = strlen(prefix), b = strlen(suffix);
	if (s.n <= a + b || memcmp(s.p, prefix, a) != 0 || memcmp(s.p + s.n - b, suffix, b) != 0)
		return false;
	*ret = (struct str){ s.p + a, s.n - a - b };
	return true;
}

static int number_named(const struct mac_rule *r, struct str s, uint64_t *ret)
{
	struct str digits;
	if (num_u64(s, ret) == 0)
		return 0;
	if (!text_after(s, r->style == STYLE_EIRP ? "DEVICE_EIRP_" : r->prefix, r->suffix, &digits) || num_u64(digits, ret) != 0)
		return -EINVAL;
	if (r->style != STYLE_POWER)
		return 0;
	for (unsigned n = 0; n <= r->max; n++)
		if (*ret == UINT64_C(1) << (n + r->base)) {
			*ret = n;
			return 0;
		}
	return -EINVAL;
}

static int duration(struct str s, uint64_t unit_us, uint64_t *ret)
{
	uint64_t us;
	if (num_u64(s, ret) == 0) {
		*ret *= *ret < UINT32_MAX ? 1000000 / unit_us : 1;
		return 0;
	}
	if (num_duration_us(s, &us) != 0)
		return -EINVAL;
	*ret = us / unit_us;
	return 0;
}

static bool is_eirp(uint64_t dbm)
{
	static const uint8_t table[] = { 8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33, 36 };
	for (size_t i = 0; i < COUNT(table); i++)
		if (table[i] == dbm)
			return true;
	return false;
}

static int number_of_text(const struct mac_rule *r, struct str s, uint64_t *ret)
{
	switch (r->style) {
	case STYLE_SECONDS: return duration(s, 1000000, ret);
	case STYLE_MILLIS: return duration(s, 1000, ret);
	default: return number_named(r, s, ret);
	}
}

static int number_of(const struct mac_rule *r, const struct json *j, json_val v, uint64_t *ret)
{
	int64_t tenths;
	*ret = 0;
	if (!unwrap(j, &v))
		return r->min ? -EINVAL : 0;
	if (r->style == STYLE_DB) {
		if (json_decimal(j, v, 1, &tenths) != 0 || tenths < 0)
			return -EINVAL;
		*ret = (uint64_t)tenths;
	} else if (json_type(j, v) == JSON_STRING || json_type(j, v) == JSON_NUMBER) {
		if (number_of_text(r, json_raw(j, v), ret))
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	if (r->style == STYLE_EIRP && !is_eirp(*ret))
		return -EINVAL;
	return *ret < r->min || *ret > r->max ? -EINVAL : 0;
}

int mac_rule_read(const struct mac_rule *r, const struct json *j, json_val v, uint32_t *ret)
{
	uint64_t n;
	if (number_of(r, j, v, &n))
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

static int truth_of(const struct json *j, json_val v, bool *ret)
{
	*ret = false;
	if (json_type(j, v) == JSON_OBJECT) {
		/* {"value":true}; an empty object is a choice that was made, as in lora_narrow:{} */
		json_val inner = json_get(j, v, "value");
		*ret = inner < 0;
		v = inner;
	}
	return v < 0 ? 0 : json_bool(j, v, ret);
}

struct freqs {
	uint16_t len;
	struct freq v[16];
};

static int add_freq(struct freqs *l, struct str s)
{
	uint64_t hz;
	if (l->len == COUNT(l->v) || num_u64(s, &hz) != 0 || hz > UINT32_MAX)
		return -EINVAL;
	l->v[l->len++] = (struct freq){ .hz = (uint32_t)hz };
	return 0;
}

/* An array, or one text with commas, as a command line has it. */
static int freqs_of(const struct json *j, json_val v, struct freqs *ret)
{
	ret->len = 0;
	if (json_type(j, v) == JSON_STRING || json_type(j, v) == JSON_NUMBER) {
		struct str rest = json_raw(j, v), item;
		while (rest.n) {
			rest = str_cut(rest, ',', &item);
			if (add_freq(ret, item))
				return -EINVAL;
		}
		return 0;
	}
	if (json_type(j, v) != JSON_ARRAY)
		return -EINVAL;
	for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e))
		if ((json_type(j, e) != JSON_STRING && json_type(j, e) != JSON_NUMBER) || add_freq(ret, json_raw(j, e)))
			return -EINVAL;
	return 0;
}

static int trans_of(const struct json *j, json_val object, const char *name, uint32_t *ret, bool *ret_has)
{
	static const struct mac_rule trans = { "", STYLE_NUMBER, "", "", 0, 1, TRANS_MAX };
	uint64_t n;
	json_val v = json_get(j, object, name);
	*ret_has = v >= 0 && json_type(j, v) != JSON_NULL;
	if (*ret_has && number_of(&trans, j, v, &n))
		return -EINVAL;
	if (*ret_has)
		*ret = (uint32_t)n;
	return 0;
}

static int overrides_of(const struct json *j, json_val v, struct mac_settings *m)
{
	m->overrides.len = 0;
	if (json_type(j, v) != JSON_OBJECT)
		return -EINVAL;
	for (json_val name = json_first(j, v); name >= 0; name = json_next(j, name)) {
		json_val value = json_member_value(j, name);
		struct nb_trans_range *o = &m->overrides.v[m->overrides.len];
		struct str digits;
		uint64_t dr;
		bool has_min, has_max;
		if (m->overrides.len == DRS || !text_after(json_raw(j, name), "data_rate_", "", &digits) || num_u64(digits, &dr) != 0 ||
			dr >= DRS || json_type(j, value) != JSON_OBJECT)
			return -EINVAL;
		*o = (struct nb_trans_range){ .dr = (uint32_t)dr };
		if (trans_of(j, value, "min_nb_trans", &o->min, &has_min) || trans_of(j, value, "max_nb_trans", &o->max, &has_max))
			return -EINVAL;
		if (has_min)
			MSG_MARK(o, min);
		if (has_max)
			MSG_MARK(o, max);
		m->overrides.len++;
	}
	return 0;
}

/* ---- reading ---- */

/* The member at a dotted path; absent, or null on the way, as json_get says it. */
static json_val member_at(const struct json *j, json_val object, const char *path)
{
	struct str rest = str_of(path), part;
	json_val v = object;
	while (rest.n && v >= 0 && json_type(j, v) == JSON_OBJECT) {
		char name[PATH_CAP];
		rest = str_cut(rest, '.', &part);
		if (str_copy(part, name, sizeof name) != 0)
			return -1;
		v = json_get(j, v, name);
	}
	return rest.n ? -1 : v;
}

static int read_field(const struct mac_rule *r, const struct field *f, const struct json *j, json_val v, struct mac_settings *io)
{
	uint64_t n;
	bool on;
	switch (r->style) {
	case STYLE_TRUTH:
		if (truth_of(j, v, &on))
			return -EINVAL;
		memcpy((char *)io + f->off, &on, sizeof on);
		return 0;
	case STYLE_LIST: {
		struct freqs l;
		if (freqs_of(j, v, &l))
			return -EINVAL;
		memcpy((char *)io + f->off, &l.len, sizeof l.len);
		memcpy((char *)io + f->off_v, l.v, sizeof l.v);
		return 0;
	}
	case STYLE_OVERRIDES: return overrides_of(j, v, io);
	default:
		if (number_of(r, j, v, &n))
			return -EINVAL;
		memcpy((char *)io + f->off, &(uint32_t){ (uint32_t)n }, sizeof(uint32_t));
		return 0;
	}
}

static void forget_adr(struct mac_settings *io)
{
	const struct field *f;
	unsigned bit;
	for (size_t i = 0; i < COUNT(rules); i++)
		if (mac_rule_at(i, &f, &bit) && !strncmp(rules[i].json, "adr", 3) && (rules[i].json[3] == '.' || !rules[i].json[3]))
			io->has &= ~(UINT64_C(1) << bit);
}

/* The mode of ADR is the member that is there. */
static int read_mode(const struct json *j, json_val adr, struct mac_settings *io, struct problem *p)
{
	static const char *const modes[] = { "dynamic", "static", "disabled" };
	int mode = -1;
	if (adr < 0)
		return 0;
	if (json_type(j, adr) == JSON_NULL) {
		forget_adr(io);
		return 0;
	}
	for (size_t i = 0; i < COUNT(modes); i++) {
		json_val v = json_get(j, adr, modes[i]);
		bool on = false;
		if (v < 0 || json_type(j, v) == JSON_NULL || (json_type(j, v) == JSON_BOOL && json_bool(j, v, &on) == 0 && !on))
			continue;
		if (mode >= 0)
			return wrong(p, "adr", "must have one of dynamic, static, disabled");
		mode = (int)i;
	}
	if (mode < 0)
		return wrong(p, "adr", "must have one of dynamic, static, disabled");
	if (!MSG_HAS(io, adr_mode) || io->adr_mode != (uint32_t)mode)
		forget_adr(io);
	MSG_SET(io, adr_mode, (uint32_t)mode);
	return 0;
}

static bool is_known(const char *path, size_t n, bool *ret_has_more)
{
	*ret_has_more = false;
	for (size_t i = 0; i < COUNT(rules); i++) {
		size_t m = strlen(rules[i].json);
		if (m < n || memcmp(rules[i].json, path, n) != 0 || (m > n && rules[i].json[n] != '.'))
			continue;
		*ret_has_more |= m > n;
		if (m == n && rules[i].style != STYLE_MODE)
			return true;
	}
	return *ret_has_more || !strcmp(path, "adr.disabled") || !strcmp(path, "adr.dynamic.channel_steering.disabled");
}

/* A member that nobody knows has no effect: better to say so than to take it. */
static int check_names(const struct json *j, json_val object, const char *above, struct problem *p)
{
	for (json_val name = json_first(j, object); name >= 0; name = json_next(j, name)) {
		char path[PATH_CAP];
		struct str s = json_raw(j, name);
		bool has_more;
		int n = snprintf(path, sizeof path, "%s%s%.*s", above, *above ? "." : "", (int)s.n, s.p);
		json_val v = json_member_value(j, name);
		if (n < 0 || (size_t)n >= sizeof path)
			return wrong(p, above, "has a member that is no MAC setting");
		if (!strcmp(path, "relay") || !strcmp(path, "desired_relay"))
			return wrong(p, path, "is not possible: relays are not served");
		if (!is_known(path, (size_t)n, &has_more))
			return wrong(p, path, "is no MAC setting");
		if (has_more && json_type(j, v) == JSON_OBJECT) {
			int e = check_names(j, v, path, p);
			if (e)
				return e;
		} else if (has_more && json_type(j, v) != JSON_NULL && json_type(j, v) != JSON_BOOL) {
			return wrong(p, path, "must be an object");
		}
	}
	return 0;
}

int mac_settings_read(const struct json *j, json_val object, bool is_strict, struct mac_settings *io, struct problem *p)
{
	const struct field *f = NULL;
	unsigned bit = 0;
	if (object < 0) {
		*io = (struct mac_settings){ .has = 0 };
		return 0;
	}
	int e = is_strict ? check_names(j, object, "", p) : 0;
	if (!e)
		e = read_mode(j, json_get(j, object, "adr"), io, p);
	for (size_t i = 0; !e && i < COUNT(rules); i++) {
		json_val v = member_at(j, object, rules[i].json);
		if (v < 0 || rules[i].style == STYLE_MODE || !mac_rule_at(i, &f, &bit))
			continue;
		if (json_type(j, v) == JSON_NULL) {
			io->has &= ~(UINT64_C(1) << bit);
			continue;
		}
		if (read_field(&rules[i], f, j, v, io))
			return mac_rule_complain(&rules[i], "mac_settings", p);
		io->has |= UINT64_C(1) << bit;
	}
	return e;
}

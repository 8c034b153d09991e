/** @file What the operator says about a device's MAC, read along the table of the bus message. */
#include "as/core/registry/mac_settings.h"
#include "proto/region/region.h"
#include <stdio.h>
#include <string.h>

/** What a value may be at most, by the end of its name; the first match counts. */
static const struct {
	const char *suffix;
	uint64_t max;
} bounds[] = {
	{ "rx1_delay", 15 },
	{ "data_rate_offset", 7 },
	{ "data_rate_index", 15 },
	{ "frequency", 1677721500 },
};

static uint64_t bound_of(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < COUNT(bounds); i++) {
		size_t m = strlen(bounds[i].suffix);
		if (n >= m && strcmp(name + n - m, bounds[i].suffix) == 0)
			return bounds[i].max;
	}
	return UINT32_MAX;
}

/** The number in "5", "RX_DELAY_5", "10s". @return 0; -EINVAL */
static int number_of_text(struct str s, uint64_t *ret)
{
	uint64_t us;
	size_t from = s.n;
	if (num_u64(s, ret) == 0)
		return 0;
	if (s.n && s.p[0] >= '0' && s.p[0] <= '9' && num_duration_us(s, &us) == 0) {
		*ret = us / 1000000;
		return 0;
	}
	while (from > 0 && s.p[from - 1] >= '0' && s.p[from - 1] <= '9')
		from--;
	if (from == 0 || s.p[from - 1] != '_')
		return -EINVAL;
	return num_u64((struct str){ s.p + from, s.n - from }, ret);
}

static int read_number(const struct json *j, json_val v, uint64_t *ret)
{
	struct str s;
	if (json_type(j, v) == JSON_OBJECT)
		v = json_get(j, v, "value");
	if (v < 0) { /* {"value":0} loses its member in The Things Stack's JSON */
		*ret = 0;
		return 0;
	}
	if (json_type(j, v) == JSON_STRING)
		return json_plain(j, v, &s) ? -EINVAL : number_of_text(s, ret);
	return json_u64(j, v, ret);
}

static int read_member(const struct field *f, const struct json *j, json_val v, void *msg)
{
	uint64_t n = 0;
	if (f->kind == FIELD_BOOL) {
		json_val b = json_type(j, v) == JSON_OBJECT ? json_get(j, v, "value") : v;
		bool on = false;
		if (b >= 0 && json_bool(j, b, &on))
			return -EINVAL;
		memcpy((char *)msg + f->off, &on, sizeof on);
		return 0;
	}
	if (read_number(j, v, &n) || n > bound_of(f->json))
		return -EINVAL;
	if (f->kind == FIELD_U64) {
		memcpy((char *)msg + f->off, &n, sizeof n);
	} else {
		uint32_t n32 = (uint32_t)n;
		memcpy((char *)msg + f->off, &n32, sizeof n32);
	}
	return 0;
}

int mac_settings_read(const struct json *j, json_val object, struct mac_settings *ret, struct problem *p)
{
	const struct schema *s = mac_settings_schema();
	struct mac_settings m = { 0 };
	for (size_t i = 0; object >= 0 && i < s->n; i++) {
		const struct field *f = &s->f[i];
		json_val v = json_get(j, object, f->json);
		if (v < 0 || json_type(j, v) == JSON_NULL)
			continue;
		if (f->kind != FIELD_U32 && f->kind != FIELD_I32 && f->kind != FIELD_U64 &&
			f->kind != FIELD_BOOL)
			continue;
		if (read_member(f, j, v, &m)) {
			char path[64];
			snprintf(path, sizeof path, "mac_settings.%s", f->json);
			if (f->kind == FIELD_BOOL)
				return problem_say(p, REGISTRY_E_INVALID, path, "must be true or false");
			return problem_say(p, REGISTRY_E_INVALID, path,
				"must be a whole number of at most %u", (unsigned)bound_of(f->json));
		}
		m.has |= UINT64_C(1) << i;
	}
	*ret = m;
	return 0;
}

static int refuse(struct problem *p, const char *name, const char *what, const char *plan)
{
	char path[64];
	snprintf(path, sizeof path, "mac_settings.%s", name);
	return problem_say(p, REGISTRY_E_INVALID, path, "is no %s of %s", what, plan);
}

int mac_settings_check(const struct mac_settings *m, const char *plan, struct problem *p)
{
	const struct plan *known = plan_find(str_of(plan));
	const struct region *r = known ? known->region : NULL;
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
	for (size_t i = 0; r && i < 2; i++) {
		if (offset[i].has && offset[i].value > r->rx1_offset_max)
			return refuse(p, offset[i].name, "RX1 data rate offset", plan);
		if (dr[i].has && !region_modu(r, false, dr[i].value))
			return refuse(p, dr[i].name, "data rate for downlinks", plan);
		if (freq[i].has && !region_band(r, freq[i].value))
			return refuse(p, freq[i].name, "frequency for downlinks", plan);
	}
	return 0;
}

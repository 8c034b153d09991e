/** @file Gateways as JSON. */
#include "as/core/registry/entity_json.h"
#include <string.h>

static int read_gateway_id(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct gateway *g = record;
	struct str s;
	if (v < 0)
		return 0;
	if (json_plain(rd->j, v, &s) || !id_valid(s))
		return record_bad(
			rd, f, "must be 2 to 36 of a-z, 0-9 and single dashes inside, as in my-gateway-1");
	if (g->id[0] && !str_is(s, g->id))
		return record_bad(rd, f, "cannot be changed");
	return str_copy(s, g->id, sizeof g->id) ? record_bad(rd, f, "is too long") : 0;
}

static int read_gateway_eui(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	return v < 0 ? 0 : read_eui(record, f, rd, v);
}

/** The Things Stack's list of plans: the first counts. */
static int read_plans(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	if (v >= 0 && json_type(rd->j, v) == JSON_ARRAY)
		v = json_first(rd->j, v);
	return v < 0 ? 0 : read_word(record, f, rd, v);
}

static int read_location(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct gateway *g = record;
	int64_t lat = 0, lon = 0, alt = 0;
	if (v < 0 || json_count(rd->j, v) == 0) {
		g->has_location = false;
		return 0;
	}
	/* A coordinate of 0 is left out in The Things Stack's JSON. */
	int r = json_decimal(rd->j, json_get(rd->j, v, "latitude"), 7, &lat);
	if ((r && r != -ENOENT) || lat < -900000000 || lat > 900000000)
		return problem_say(
			rd->problem, REGISTRY_E_INVALID, "location.latitude", "must be -90 to 90 degrees");
	r = json_decimal(rd->j, json_get(rd->j, v, "longitude"), 7, &lon);
	if ((r && r != -ENOENT) || lon < -1800000000 || lon > 1800000000)
		return problem_say(
			rd->problem, REGISTRY_E_INVALID, "location.longitude", "must be -180 to 180 degrees");
	r = json_decimal(rd->j, json_get(rd->j, v, "altitude"), 0, &alt);
	if ((r && r != -ENOENT) || alt < -20000 || alt > 1000000)
		return record_bad(rd, f, "altitude must be in metres");
	g->latitude_e7 = (int32_t)lat;
	g->longitude_e7 = (int32_t)lon;
	g->altitude_m = (int32_t)alt;
	g->has_location = true;
	return 0;
}

static int read_antennas(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	if (v >= 0 && json_type(rd->j, v) != JSON_ARRAY)
		return record_bad(rd, f, "must be an array");
	json_val location = v >= 0 ? json_get(rd->j, json_first(rd->j, v), "location") : -1;
	int r = location >= 0 ? read_location(record, f, rd, location) : 0;
	return r ? r : read_json(record, f, rd, v);
}

static int read_duty_cycle(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	if (v < 0) {
		((struct gateway *)record)->enforce_duty_cycle = true;
		return 0;
	}
	return read_bool(record, f, rd, v);
}

static int read_number(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	uint64_t n;
	if (!rd->envelope || v < 0)
		return 0;
	if (json_u64(rd->j, v, &n))
		return record_bad(rd, f, "is damaged");
	memcpy((char *)record + f->off, &n, sizeof n);
	return 0;
}

#define AT(member) .off = offsetof(struct gateway, member)
static const struct record_field fields[] = {
	{ .path = "ids.gateway_id", .read = read_gateway_id },
	{ "ids.eui", read_gateway_eui, AT(eui), offsetof(struct gateway, has_eui) },
	{ "created_at", read_time, AT(created_unix_us) },
	{ "updated_at", read_time, AT(updated_unix_us) },
	{ "name", read_text, AT(texts), .arg = TEXT_NAME },
	{ "description", read_text, AT(texts), .arg = TEXT_DESCRIPTION },
	{ "attributes", read_object, AT(texts), .arg = TEXT_ATTRIBUTES },
	{ "version_ids", read_object, AT(texts), .arg = TEXT_VERSION_IDS },
	{ "frequency_plan_id", read_word, AT(plan), .arg = sizeof ((struct gateway *)0)->plan },
	{ "frequency_plan_ids", read_plans, AT(plan), .arg = sizeof ((struct gateway *)0)->plan },
	{ "enforce_duty_cycle", read_duty_cycle, AT(enforce_duty_cycle) },
	{ "antennas", read_antennas, AT(texts), .arg = TEXT_LOCATIONS },
	{ .path = "location", .read = read_location },
	{ "godwit.uid", read_number, AT(entry.uid) },
	{ "godwit.revision", read_number, AT(entry.revision) },
};

int gateway_json_read(struct gateway *g, const struct field_mask *m, const struct record_source *rd)
{
	return record_read(g, fields, COUNT(fields), m, rd);
}

static void write_location(struct text *t, const struct gateway *g)
{
	json_name(t, "location");
	json_open(t, '{');
	json_name(t, "latitude");
	json_dec(t, g->latitude_e7, 7);
	json_name(t, "longitude");
	json_dec(t, g->longitude_e7, 7);
	json_name(t, "altitude");
	json_num(t, g->altitude_m);
	json_name(t, "source");
	json_puts(t, "SOURCE_REGISTRY");
	json_close(t, '}');
}

static void write_plan(struct text *t, const char *plan)
{
	json_name(t, "frequency_plan_id");
	json_puts(t, plan);
	json_name(t, "frequency_plan_ids");
	json_open(t, '[');
	json_puts(t, plan);
	json_close(t, ']');
}

void gateway_json_write(struct text *t, const struct gateway *g, bool store)
{
	static const char *const names[TEXT_N] = {
		[TEXT_NAME] = "name", [TEXT_DESCRIPTION] = "description", [TEXT_ATTRIBUTES] = "attributes",
		[TEXT_VERSION_IDS] = "version_ids", [TEXT_LOCATIONS] = "antennas",
	};
	json_open(t, '{');
	json_name(t, "ids");
	json_open(t, '{');
	json_name(t, "gateway_id");
	json_puts(t, g->id);
	if (g->has_eui) {
		json_name(t, "eui");
		json_eui(t, g->eui);
	}
	json_close(t, '}');
	write_times(t, g->created_unix_us, g->updated_unix_us);
	write_texts(t, &g->texts, names);
	if (g->plan[0])
		write_plan(t, g->plan);
	json_name(t, "enforce_duty_cycle");
	json_truth(t, g->enforce_duty_cycle);
	if (g->has_location)
		write_location(t, g);
	if (store) {
		json_name(t, "godwit");
		json_open(t, '{');
		json_name(t, "uid");
		json_unum(t, g->entry.uid);
		json_name(t, "revision");
		json_unum(t, g->entry.revision);
		json_close(t, '}');
	}
	json_close(t, '}');
}

/** @file Where a device is, out of what its payload decodes to. */
#include "as/core/formatters/location.h"
#include "as/core/registry/json_copy.h"
#include <stdlib.h>
#include <string.h>

enum { DEGREE_E9 = 1000000000 };

/** A number in 10^-digits; strings are none, as in The Things Stack. */
static bool number_at(const struct json *j, json_val object, const char *name, unsigned digits, int64_t *ret)
{
	json_val v = json_get(j, object, name);
	return v >= 0 && json_type(j, v) == JSON_NUMBER && !json_decimal(j, v, digits, ret);
}

/** Whole metres, rounded towards zero; 0 if there are none, or too many. */
static int32_t metres_at(const struct json *j, json_val object, const char *name)
{
	int64_t mm = 0;
	if (!number_at(j, object, name, 3, &mm) || mm / 1000 > INT32_MAX || mm / 1000 < INT32_MIN)
		return 0;
	return (int32_t)(mm / 1000);
}

static bool place_at(const struct json *j, json_val object, const char *lat, const char *lon, struct tts_location *ret)
{
	int64_t latitude, longitude;
	if (!number_at(j, object, lat, 9, &latitude) || !number_at(j, object, lon, 9, &longitude))
		return false;
	if (latitude < -90LL * DEGREE_E9 || latitude > 90LL * DEGREE_E9 || longitude < -180LL * DEGREE_E9 || longitude > 180LL * DEGREE_E9)
		return false;
	if (!latitude && !longitude) /* what receivers say that have no fix */
		return false;
	*ret = (struct tts_location){ .latitude_e9 = latitude, .longitude_e9 = longitude };
	return true;
}

/** gps_1: the name that CayenneLPP has for it. */
static bool is_gps_channel(struct str name)
{
	if (!str_starts(name, "gps_") || name.n == 4)
		return false;
	for (size_t i = 4; i < name.n; i++)
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
	return true;
}

static bool find_channel(const struct json *j, json_val root, struct tts_location *ret)
{
	for (json_val m = json_first(j, root); m >= 0; m = json_next(j, m)) {
		json_val v = json_member_value(j, m);
		if (!is_gps_channel(json_raw(j, m)) || json_type(j, v) != JSON_OBJECT || !place_at(j, v, "latitude", "longitude", ret))
			continue;
		ret->altitude_m = metres_at(j, v, "altitude");
		return true;
	}
	return false;
}

static bool find_pair(const struct json *j, json_val root, struct tts_location *ret)
{
	static const struct {
		const char *lat, *lon, *alt, *other_alt;
	} names[] = {
		{ "lat", "lon", "alt", NULL },
		{ "lat", "lng", "alt", NULL },
		{ "lat", "long", "alt", NULL },
		{ "latitude", "longitude", "altitude", NULL },
		{ "Latitude", "Longitude", "Altitude", NULL },
		{ "latitudeDeg", "longitudeDeg", "altitude", "height" },
		{ "gps_lat", "gps_lng", "gps_alt", "gpsalt" },
	};
	static const char *const accuracies[] = { "acc", "accuracy", "hacc", "hdop", "gps_hdop" };
	bool found = false;
	for (size_t i = 0; i < COUNT(names) && !found; i++) {
		found = place_at(j, root, names[i].lat, names[i].lon, ret);
		if (found)
			ret->altitude_m = metres_at(j, root, names[i].alt);
		if (found && !ret->altitude_m && names[i].other_alt)
			ret->altitude_m = metres_at(j, root, names[i].other_alt);
	}
	for (size_t i = 0; found && i < COUNT(accuracies); i++) {
		int64_t mm;
		if (number_at(j, root, accuracies[i], 3, &mm)) {
			ret->accuracy_m = metres_at(j, root, accuracies[i]);
			break;
		}
	}
	return found;
}

/** Parse JSON that is no longer than it has octets. @return the tokens, on the heap; NULL: not JSON, or no memory */
static struct json_tok *parse(struct str text, struct json *ret, int *ret_e)
{
	size_t max = text.n / 2 + 2;
	struct json_tok *tok = reallocarray(NULL, max, sizeof *tok);
	*ret_e = tok ? json_parse(text, tok, max, ret, NULL) : -ENOMEM;
	if (*ret_e) {
		free(tok);
		return NULL;
	}
	return tok;
}

bool location_find(struct str decoded, struct tts_location *ret)
{
	struct json j;
	int e;
	struct json_tok *tok = parse(decoded, &j, &e);
	if (!tok)
		return false;
	json_val root = json_root(&j);
	bool found = json_type(&j, root) == JSON_OBJECT && (find_channel(&j, root, ret) || find_pair(&j, root, ret));
	free(tok);
	return found;
}

int locations_with(struct text *t, struct str locations, const struct tts_location *l)
{
	char room[256];
	struct text own = text_fixed(room, sizeof room);
	struct json jo, ja;
	int e;
	json_open(&own, '{');
	json_name(&own, LOCATION_SERVICE);
	tts_location_object(&own, l);
	json_close(&own, '}');
	struct json_tok *add = parse(text_str(&own), &ja, &e);
	if (!add)
		return e;
	struct json_tok *old = parse(locations.n ? locations : STR("{}"), &jo, &e);
	if (old)
		json_merge(t, &jo, json_root(&jo), &ja, json_root(&ja));
	free(old);
	free(add);
	return e == -ENOMEM || (!e && t->failed) ? -ENOMEM : e ? -EBADMSG : 0;
}

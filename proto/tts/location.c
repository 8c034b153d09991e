/** @file Locations in The Things Stack's JSON. */
#include "common/core/json_out.h"
#include "proto/tts/parts.h"

static void write_nonzero(struct text *t, const char *name, int64_t v, unsigned digits)
{
	if (!v)
		return;
	json_name(t, name);
	json_dec(t, v, digits);
}

void tts_location_object(struct text *t, const struct tts_location *l)
{
	json_open(t, '{');
	write_nonzero(t, "latitude", l->latitude_e9, 9);
	write_nonzero(t, "longitude", l->longitude_e9, 9);
	write_nonzero(t, "altitude", l->altitude_m, 0);
	write_nonzero(t, "accuracy", l->accuracy_m, 0);
	json_name(t, "source");
	json_puts(t, "SOURCE_GPS");
	json_close(t, '}');
}

void tts_location_solved(struct text *t, const struct tts_up *u, const char *service, const struct tts_location *l)
{
	tts_envelope(t, u);
	json_name(t, "location_solved");
	json_open(t, '{');
	json_name(t, "service");
	json_puts(t, service);
	json_name(t, "location");
	tts_location_object(t, l);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

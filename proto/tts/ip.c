/** @file What devices that speak IP send, in the JSON that applications know from The Things Stack. */
#include "common/core/json_out.h"
#include "proto/tts/parts.h"

void tts_ip_uplink(struct text *t, const struct tts_up *u, const char *decoded_payload, const uint64_t *time_unix_ms)
{
	enum { NS_PER_MS = 1000000 };
	tts_envelope(t, u);
	json_name(t, "uplink_message");
	json_open(t, '{');
	tts_raw(t, "decoded_payload", decoded_payload);
	if (time_unix_ms) {
		json_name(t, "settings");
		json_open(t, '{');
		json_name(t, "time");
		json_time(t, *time_unix_ms * NS_PER_MS);
		json_close(t, '}');
	}
	json_name(t, "received_at");
	json_time(t, u->received_unix_ns);
	tts_about(t, u, NULL);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

void tts_service(struct text *t, const struct tts_up *u, const char *service, const char *data)
{
	tts_envelope(t, u);
	json_name(t, "service_data");
	json_open(t, '{');
	json_name(t, "service");
	json_puts(t, service);
	json_name(t, "data");
	json_raw_out(t, str_of(data));
	tts_about(t, u, NULL);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

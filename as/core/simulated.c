/** @file Reading an uplink that somebody makes up. */
#include "as/core/simulated.h"
#include "as/core/registry/json_copy.h"
#include "common/core/clock.h"
#include <string.h>

/* Inside, what is refused is -EINVAL, which TRY hands up. */
#define UP "uplink_message."
enum { PORT_MAX = 255, SF_MIN = 5, SF_MAX = 12, LORA = 0, FSK = 1 };

static bool is_there(const struct json *j, json_val v)
{
	return v >= 0 && json_type(j, v) != JSON_NULL;
}

/** A whole number that may be absent. @return 0; -EINVAL with the problem */
static int read_number(const struct json *j, json_val object, const char *name, uint64_t max, const char *field, uint32_t *ret,
	struct problem *p)
{
	json_val v = json_get(j, object, name);
	uint64_t n;
	if (!is_there(j, v))
		return 0;
	if (json_u64(j, v, &n) || n > max)
		return problem_say(p, -EINVAL, field, "must be a whole number of at most %llu", (unsigned long long)max);
	*ret = (uint32_t)n;
	return 0;
}

/** A level in tenths. @return whether it is there, in *ret_outcome whether it is good */
static bool read_tenths(const struct json *j, json_val object, const char *name, const char *field, int32_t *ret, int *ret_outcome,
	struct problem *p)
{
	enum { MOST = 10000 };
	json_val v = json_get(j, object, name);
	int64_t n;
	*ret_outcome = 0;
	if (!is_there(j, v))
		return false;
	if (json_decimal(j, v, 1, &n) || n > MOST || n < -MOST)
		*ret_outcome = problem_say(p, -EINVAL, field, "must be a number between -1000 and 1000");
	else
		*ret = (int32_t)n;
	return true;
}

static int read_gateway(const struct json *j, json_val v, struct rx_meta *ret, struct problem *p)
{
	json_val ids = json_get(j, v, "gateway_ids"), eui = json_get(j, ids, "eui");
	char hex[40];
	int32_t tenths;
	int r;
	if (json_string(j, json_get(j, ids, "gateway_id"), ret->gateway_id, sizeof ret->gateway_id) || !*ret->gateway_id ||
		!utf8_valid(str_of(ret->gateway_id)))
		return problem_say(p, -EINVAL, UP "rx_metadata.gateway_ids.gateway_id", "must be the id of a gateway");
	if (is_there(j, eui) && (json_string(j, eui, hex, sizeof hex) || hex_eui(str_of(hex), &ret->gateway_eui)))
		return problem_say(p, -EINVAL, UP "rx_metadata.gateway_ids.eui", "must be 16 hex digits");
	TRY(read_number(j, v, "timestamp", UINT32_MAX, UP "rx_metadata.timestamp", &ret->tmst_us, p));
	if (is_there(j, json_get(j, v, "channel_index"))) {
		MSG_MARK(ret, channel);
		TRY(read_number(j, v, "channel_index", PORT_MAX, UP "rx_metadata.channel_index", &ret->channel, p));
	}
	read_tenths(j, v, "rssi", UP "rx_metadata.rssi", &ret->rssi_ddbm, &r, p);
	TRY(r);
	if (read_tenths(j, v, "snr", UP "rx_metadata.snr", &tenths, &r, p) && !r)
		MSG_SET(ret, snr_ddb, tenths);
	return r;
}

static int read_gateways(const struct json *j, json_val up, struct up_data *ret, struct problem *p)
{
	json_val list = json_get(j, up, "rx_metadata");
	if (!is_there(j, list))
		return 0;
	if (json_type(j, list) != JSON_ARRAY || json_count(j, list) > COUNT(ret->rx.v))
		return problem_say(p, -EINVAL, UP "rx_metadata", "must be an array of at most %zu", COUNT(ret->rx.v));
	for (json_val v = json_first(j, list); v >= 0; v = json_next(j, v)) {
		struct rx_meta *rx = &ret->rx.v[ret->rx.len++];
		*rx = (struct rx_meta){ .received_unix_us = ret->received_unix_us };
		TRY(read_gateway(j, v, rx, p));
	}
	return 0;
}

static int read_lora(const struct json *j, json_val lora, struct modulation *ret, struct problem *p)
{
	static const char field[] = UP "settings.data_rate.lora";
	json_val rate = json_get(j, lora, "coding_rate");
	TRY(read_number(j, lora, "bandwidth", UINT32_MAX, field, &ret->bw_hz, p));
	TRY(read_number(j, lora, "spreading_factor", SF_MAX, field, &ret->sf, p));
	if (!ret->bw_hz || ret->sf < SF_MIN)
		return problem_say(p, -EINVAL, field, "must have a bandwidth [Hz] and a spreading_factor, %d to %d", SF_MIN, SF_MAX);
	if (is_there(j, rate) && (json_string(j, rate, ret->coding_rate, sizeof ret->coding_rate) || !utf8_valid(str_of(ret->coding_rate))))
		return problem_say(p, -EINVAL, field, "must have a coding_rate as 4/5, or none");
	return 0;
}

static int read_settings(const struct json *j, json_val up, struct up_data *ret, struct problem *p)
{
	json_val settings = json_get(j, up, "settings"), rate = json_get(j, settings, "data_rate");
	json_val lora = json_get(j, rate, "lora"), fsk = json_get(j, rate, "fsk");
	TRY(read_number(j, settings, "frequency", UINT32_MAX, UP "settings.frequency", &ret->freq_hz, p));
	if (is_there(j, lora))
		return read_lora(j, lora, &ret->mod, p);
	if (!is_there(j, fsk))
		return 0;
	ret->mod.kind = FSK;
	TRY(read_number(j, fsk, "bit_rate", UINT32_MAX, UP "settings.data_rate.fsk.bit_rate", &ret->mod.bit_rate, p));
	return ret->mod.bit_rate ? 0 : problem_say(p, -EINVAL, UP "settings.data_rate.fsk", "must have a bit_rate");
}

static int read_payload(const struct json *j, json_val up, struct simulated *ret, struct problem *p)
{
	json_val frm = json_get(j, up, "frm_payload"), decoded = json_get(j, up, "decoded_payload");
	struct text t = text_fixed(ret->decoded, sizeof ret->decoded);
	if (is_there(j, frm)) {
		int r = json_base64(j, frm, ret->item.payload, sizeof ret->item.payload, &ret->item.payload_n);
		if (r)
			return problem_say(p, -EINVAL, UP "frm_payload", r == -ENOSPC ? "must be of at most %zu octets" :
				"must be base64 of at most %zu octets", sizeof ret->item.payload);
	}
	if (!is_there(j, decoded))
		return 0;
	if (json_type(j, decoded) == JSON_OBJECT)
		json_copy(&t, j, decoded);
	if (json_type(j, decoded) != JSON_OBJECT || t.failed)
		return problem_say(p, -EINVAL, UP "decoded_payload", "must be an object of at most %d octets", SIMULATED_DECODED_MAX);
	return 0;
}

/** When the network is to have received it, and in which session. */
static int read_origin(const struct json *j, json_val up, struct up_data *ret, struct problem *p)
{
	json_val at = json_get(j, up, "received_at"), session = json_get(j, up, "session_key_id");
	char when[40];
	uint64_t unix_ns;
	size_t n = 0;
	if (is_there(j, at)) {
		if (json_string(j, at, when, sizeof when) || clock_parse_rfc3339(str_of(when), &unix_ns))
			return problem_say(p, -EINVAL, UP "received_at", "must be a time as 2026-01-31T12:00:00Z");
		ret->received_unix_us = unix_ns / 1000;
	}
	if (is_there(j, session) &&
		(json_base64(j, session, ret->session_key_id.b, sizeof ret->session_key_id.b, &n) || n != sizeof ret->session_key_id.b))
		return problem_say(p, -EINVAL, UP "session_key_id", "must be base64 of %zu octets", sizeof ret->session_key_id.b);
	return 0;
}

static int read_flags(const struct json *j, json_val up, struct up_data *ret, struct problem *p)
{
	json_val confirmed = json_get(j, up, "confirmed");
	TRY(read_number(j, up, "f_cnt", UINT32_MAX, UP "f_cnt", &ret->f_cnt, p));
	MSG_MARK(ret, f_port);
	TRY(read_number(j, up, "f_port", PORT_MAX, UP "f_port", &ret->f_port, p));
	if (!is_there(j, confirmed))
		return 0;
	MSG_MARK(ret, confirmed);
	return json_bool(j, confirmed, &ret->confirmed) ? problem_say(p, -EINVAL, UP "confirmed", "must be true or false") : 0;
}

static int read_all(const struct json *j, json_val root, struct simulated *ret, struct problem *p)
{
	struct tts_error e;
	json_val up = json_get(j, root, "uplink_message");
	if (json_type(j, up) != JSON_OBJECT)
		return problem_say(p, -EINVAL, "uplink_message", "must be an object: uplinks are what can be simulated");
	if (tts_request_cids(j, root, &ret->item, &e))
		return problem_say(p, -EINVAL, "correlation_ids", "must be an array of at most %d texts of at most %d characters",
			TTS_OWN_CIDS, TTS_OWN_CID);
	TRY(read_flags(j, up, &ret->data, p));
	TRY(read_payload(j, up, ret, p));
	TRY(read_origin(j, up, &ret->data, p));
	TRY(read_gateways(j, up, &ret->data, p));
	return read_settings(j, up, &ret->data, p);
}

int simulated_read(const struct json *j, json_val root, uint64_t now_us, struct simulated *ret, struct problem *p)
{
	memset(ret, 0, sizeof *ret);
	ret->data.received_unix_us = now_us;
	return read_all(j, root, ret, p) ? REGISTRY_E_INVALID : 0;
}

/** @file uplink_message, uplink_normalized, join_accept and service_data in The Things Stack's JSON. */
#include "common/core/json_out.h"
#include "common/core/clock.h"
#include "proto/tts/parts.h"
#include <string.h>

static size_t put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;
	for (; v > 127; v >>= 7)
		p[n++] = (uint8_t)(v | 128);
	p[n++] = (uint8_t)v;
	return n;
}

/** The Things Stack's uplink token: a protobuf of gateway and counter, which applications only hand back.
 * {1: {1: {1: gateway id, 2: EUI}}, 2: counter} */
static void write_token(struct text *t, const struct rx_meta *rx)
{
	uint8_t b[96];
	size_t id_n = strlen(rx->gateway_id), n = 0;
	size_t ids_n = 2 + id_n + 2 + 8;
	b[n++] = 0x0a;
	b[n++] = (uint8_t)(ids_n + 2);
	b[n++] = 0x0a;
	b[n++] = (uint8_t)ids_n;
	b[n++] = 0x0a;
	b[n++] = (uint8_t)id_n;
	memcpy(b + n, rx->gateway_id, id_n);
	n += id_n;
	b[n++] = 0x12;
	b[n++] = 8;
	struct writer w = writer_of(b + n, 8);
	writer_be64(&w, rx->gateway_eui);
	n += 8;
	b[n++] = 0x10;
	n += put_varint(b + n, rx->tmst_us);
	tts_bytes(t, "uplink_token", b, n);
}

static void write_location(struct text *t, const struct rx_meta *rx)
{
	if (!MSG_HAS(rx, latitude_e7) || !MSG_HAS(rx, longitude_e7))
		return;
	json_name(t, "location");
	json_open(t, '{');
	if (rx->latitude_e7) {
		json_name(t, "latitude");
		json_dec(t, rx->latitude_e7, 7);
	}
	if (rx->longitude_e7) {
		json_name(t, "longitude");
		json_dec(t, rx->longitude_e7, 7);
	}
	if (MSG_HAS(rx, altitude_m) && rx->altitude_m) {
		json_name(t, "altitude");
		json_num(t, rx->altitude_m);
	}
	json_name(t, "source");
	json_puts(t, MSG_HAS(rx, location_source) && rx->location_source == 1 ? "SOURCE_GPS" : "SOURCE_REGISTRY");
	json_close(t, '}');
}

static void write_signed_text(struct text *t, const char *name, int64_t v)
{
	char buf[24];
	struct text n = text_fixed(buf, sizeof buf);
	text_i64(&n, v);
	json_name(t, name);
	json_puts(t, buf);
}

static void write_nonzero(struct text *t, const char *name, uint32_t v)
{
	if (!v)
		return;
	json_name(t, name);
	json_unum(t, v);
}

static void write_decimal(struct text *t, const char *name, int32_t tenths)
{
	if (!tenths)
		return;
	json_name(t, name);
	json_dec(t, tenths, 1);
}

/** When the frame was received by the gateway's own clock [unix ns]; 0: it did not say. */
static uint64_t gateway_time_ns(const struct rx_meta *rx)
{
	if (MSG_HAS(rx, time_unix_ns))
		return rx->time_unix_ns;
	return MSG_HAS(rx, gps_ms) ? clock_unix_us_of_gps(rx->gps_ms * MS_US) * 1000 : 0;
}

static void write_gateway_ids(struct text *t, const struct rx_meta *rx, bool is_simulated)
{
	json_name(t, "gateway_ids");
	json_open(t, '{');
	json_name(t, "gateway_id");
	json_puts(t, rx->gateway_id);
	if (rx->gateway_eui || !is_simulated) {
		json_name(t, "eui");
		json_eui(t, rx->gateway_eui);
	}
	json_close(t, '}');
}

static void write_meta(struct text *t, const struct rx_meta *rx, bool is_simulated)
{
	json_open(t, '{');
	write_gateway_ids(t, rx, is_simulated);
	if (MSG_HAS(rx, antenna))
		write_nonzero(t, "antenna_index", rx->antenna);
	if (gateway_time_ns(rx)) {
		json_name(t, "time");
		json_time(t, gateway_time_ns(rx));
	}
	write_nonzero(t, "timestamp", rx->tmst_us);
	if (MSG_HAS(rx, fine_ns) && rx->fine_ns)
		write_signed_text(t, "fine_timestamp", rx->fine_ns);
	write_decimal(t, "rssi", rx->rssi_ddbm);
	if (MSG_HAS(rx, signal_rssi_ddbm))
		write_decimal(t, "signal_rssi", rx->signal_rssi_ddbm);
	write_decimal(t, "channel_rssi", rx->rssi_ddbm);
	if (MSG_HAS(rx, snr_ddb))
		write_decimal(t, "snr", rx->snr_ddb);
	if (MSG_HAS(rx, foff_hz) && rx->foff_hz)
		write_signed_text(t, "frequency_offset", rx->foff_hz);
	write_location(t, rx);
	if (!is_simulated && (!MSG_HAS(rx, antenna) || !rx->antenna))
		write_token(t, rx);
	if (MSG_HAS(rx, channel))
		write_nonzero(t, "channel_index", rx->channel);
	if (MSG_HAS(rx, gps_ms)) {
		json_name(t, "gps_time");
		json_time(t, clock_unix_us_of_gps(rx->gps_ms * MS_US) * 1000);
	}
	json_name(t, "received_at");
	json_time(t, rx->received_unix_us * 1000);
	json_close(t, '}');
}

static void write_settings(struct text *t, const struct up_data *d)
{
	const struct rx_meta *first = d->rx.len ? &d->rx.v[0] : NULL;
	json_name(t, "settings");
	json_open(t, '{');
	if (d->mod.bw_hz || d->mod.bit_rate)
		tts_data_rate(t, &d->mod);
	/* The seeds' members stand beside today's: clients were written against both. */
	write_nonzero(t, "data_rate_index", d->dr);
	if (d->mod.coding_rate[0]) {
		json_name(t, "coding_rate");
		json_puts(t, d->mod.coding_rate);
	}
	if (d->freq_hz)
		write_signed_text(t, "frequency", d->freq_hz);
	if (first && MSG_HAS(first, channel))
		write_nonzero(t, "gateway_channel_index", first->channel);
	if (MSG_HAS(d, device_channel))
		write_nonzero(t, "device_channel_index", d->device_channel);
	if (first)
		write_nonzero(t, "timestamp", first->tmst_us);
	if (first && gateway_time_ns(first)) {
		json_name(t, "time");
		json_time(t, gateway_time_ns(first));
	}
	json_close(t, '}');
}

/** The first members: session, port and counter. */
static void write_frame(struct text *t, const struct tts_up *u, const struct up_data *d)
{
	if (!u->is_simulated || !ulid_is_none(&d->session_key_id))
		tts_bytes(t, "session_key_id", d->session_key_id.b, sizeof d->session_key_id.b);
	if (MSG_HAS(d, f_port))
		write_nonzero(t, "f_port", d->f_port);
	write_nonzero(t, "f_cnt", d->f_cnt);
}

/** How it was received. */
static void write_reception(struct text *t, const struct tts_up *u, const struct up_data *d)
{
	json_name(t, "rx_metadata");
	json_open(t, '[');
	for (size_t i = 0; i < d->rx.len; i++)
		write_meta(t, &d->rx.v[i], u->is_simulated);
	json_close(t, ']');
	write_settings(t, d);
	json_name(t, "received_at");
	json_time(t, d->received_unix_us * 1000);
	if (MSG_HAS(d, confirmed) && d->confirmed) {
		json_name(t, "confirmed");
		json_truth(t, true);
	}
	if (d->airtime_us || !u->is_simulated) {
		json_name(t, "consumed_airtime");
		tts_duration(t, d->airtime_us);
	}
}

void tts_uplink(struct text *t, const struct tts_up *u, const struct up_data *d, struct slice payload, const struct tts_extras *x)
{
	tts_envelope(t, u);
	json_name(t, "uplink_message");
	json_open(t, '{');
	write_frame(t, u, d);
	if (payload.n)
		tts_bytes(t, "frm_payload", payload.p, payload.n);
	tts_raw(t, "decoded_payload", x->decoded_payload);
	tts_raw(t, "decoded_payload_warnings", x->decoded_warnings);
	tts_raw(t, "normalized_payload", x->normalized_payload);
	tts_raw(t, "normalized_payload_warnings", x->normalized_warnings);
	write_reception(t, u, d);
	if (MSG_HAS(d, per_e4) && d->per_e4) {
		json_name(t, "packet_error_rate");
		json_dec(t, d->per_e4, 4);
	}
	tts_about(t, u, x->battery);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

void tts_normalized(struct text *t, const struct tts_up *u, const struct up_data *d, struct str measurement, const char *warnings)
{
	tts_envelope(t, u);
	json_name(t, "uplink_normalized");
	json_open(t, '{');
	write_frame(t, u, d);
	json_name(t, "normalized_payload");
	json_raw_out(t, measurement);
	tts_raw(t, "normalized_payload_warnings", warnings);
	write_reception(t, u, d);
	tts_about(t, u, NULL);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

void tts_join(struct text *t, const struct tts_up *u, const struct up_join *j)
{
	tts_envelope(t, u);
	json_name(t, "join_accept");
	json_open(t, '{');
	tts_bytes(t, "session_key_id", j->session_key_id.b, sizeof j->session_key_id.b);
	json_name(t, "received_at");
	json_time(t, j->received_unix_us * 1000);
	tts_about(t, u, NULL);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

void tts_status(struct text *t, const struct tts_up *u, const struct up_status *s)
{
	int percent_e2 = tts_battery_e2((uint8_t)s->battery);
	tts_envelope(t, u);
	json_name(t, "service_data");
	json_open(t, '{');
	json_name(t, "service");
	json_puts(t, "lorawan-device-status");
	json_name(t, "data");
	json_open(t, '{');
	json_name(t, "battery_level");
	json_unum(t, s->battery);
	if (percent_e2 >= 0) {
		json_name(t, "battery_percentage");
		json_dec(t, percent_e2, 2);
	}
	json_name(t, "external_power");
	json_truth(t, !s->battery);
	json_name(t, "margin");
	json_num(t, s->margin_db);
	json_name(t, "f_cnt");
	json_unum(t, s->f_cnt);
	json_close(t, '}');
	tts_about(t, u, NULL);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

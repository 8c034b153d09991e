/** @file Telemetry of LoRaWAN devices. */
#include "as/core/series/lorawan.h"
#include "proto/tts/parts.h"

enum { LORA, FSK, LR_FHSS };

/** Tenths as a whole number where they are one. */
static struct value tenths(int32_t v)
{
	return v % 10 ? value_of_double((double)v / 10) : value_of_long(v / 10);
}

/** The reception of best SNR; where there are none (FSK), of best RSSI. */
static const struct rx_meta *best(const struct up_data *up)
{
	const struct rx_meta *found = NULL;
	for (size_t i = 0; i < up->rx.len; i++) {
		const struct rx_meta *rx = &up->rx.v[i];
		bool has_snr = MSG_HAS(rx, snr_ddb), found_snr = found && MSG_HAS(found, snr_ddb);
		if (!found || has_snr > found_snr || (has_snr && rx->snr_ddb > found->snr_ddb) ||
			(has_snr == found_snr && (!has_snr || rx->snr_ddb == found->snr_ddb) && rx->rssi_ddbm > found->rssi_ddbm))
			found = rx;
	}
	return found;
}

/** "SF7BW125", "FSK50000", "LRFHSS137"; nothing where it is not known, as of an uplink that was made up. */
static void write_rate(struct text *t, const struct modulation *m)
{
	enum { KHZ = 1000 };
	if (m->kind == LORA && m->sf && m->bw_hz)
		text_printf(t, "SF%uBW%u", (unsigned)m->sf, (unsigned)(m->bw_hz / KHZ));
	else if (m->kind == FSK && m->bit_rate)
		text_printf(t, "FSK%u", (unsigned)m->bit_rate);
	else if (m->kind == LR_FHSS && m->bw_hz)
		text_printf(t, "LRFHSS%u", (unsigned)(m->bw_hz / KHZ));
}

size_t lorawan_uplink(const struct up_data *up, char words[LORAWAN_WORDS], struct reading ret[LORAWAN_READINGS_MAX])
{
	const struct rx_meta *rx = best(up);
	struct text rate = text_fixed(words, LORAWAN_WORDS);
	size_t n = 0;
	if (rx)
		ret[n++] = (struct reading){ STR("rssi"), tenths(rx->rssi_ddbm) };
	if (rx && MSG_HAS(rx, snr_ddb))
		ret[n++] = (struct reading){ STR("snr"), tenths(rx->snr_ddb) };
	write_rate(&rate, &up->mod);
	if (rate.len)
		ret[n++] = (struct reading){ STR("data_rate"), value_of_text(text_str(&rate)) };
	if (up->freq_hz)
		ret[n++] = (struct reading){ STR("frequency"), value_of_long(up->freq_hz) };
	ret[n++] = (struct reading){ STR("f_cnt"), value_of_long(up->f_cnt) };
	if (MSG_HAS(up, f_port))
		ret[n++] = (struct reading){ STR("f_port"), value_of_long(up->f_port) };
	return n;
}

size_t lorawan_status(const struct up_status *s, struct reading ret[LORAWAN_READINGS_MAX])
{
	int percent_e2 = tts_battery_e2((uint8_t)s->battery);
	size_t n = 0;
	if (percent_e2 >= 0)
		ret[n++] = (struct reading){ STR("battery_percentage"), value_of_double((double)percent_e2 / 100) };
	ret[n++] = (struct reading){ STR("margin"), value_of_long(s->margin_db) };
	return n;
}

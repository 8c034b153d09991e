/** @file The state of a device's MAC, written as The Things Stack does. */
#include "as/core/registry/mac_state.h"

static void write_number(struct text *t, const char *name, bool has, uint32_t n)
{
	if (has) {
		json_name(t, name);
		json_unum(t, n);
	}
}

static void write_enum(struct text *t, const char *name, const char *prefix, bool has, uint32_t n)
{
	char buf[32];
	struct text v = text_fixed(buf, sizeof buf);
	if (!has)
		return;
	text_printf(&v, "%s%u", prefix, (unsigned)n);
	json_name(t, name);
	json_puts(t, buf);
}

static void write_text_number(struct text *t, const char *name, bool has, uint32_t n)
{
	write_enum(t, name, "", has, n); /* frequencies are 64 bits wide there, and those are texts */
}

static void write_truth(struct text *t, const char *name, bool has, bool on)
{
	if (has) {
		json_name(t, name);
		json_truth(t, on);
	}
}

static void write_channel(struct text *t, const struct channel_params *c)
{
	json_open(t, '{');
	write_text_number(t, "uplink_frequency", true, c->up_hz);
	write_text_number(t, "downlink_frequency", true, MSG_HAS(c, down_hz) ? c->down_hz : c->up_hz);
	write_enum(t, "min_data_rate_index", "DATA_RATE_", c->min_dr > 0, c->min_dr);
	write_enum(t, "max_data_rate_index", "DATA_RATE_", true, c->max_dr);
	write_truth(t, "enable_uplink", MSG_HAS(c, enabled) && c->enabled, true);
	json_close(t, '}');
}

/* A channel's index is its place in the list. */
static void write_channels(struct text *t, const struct mac_params *m)
{
	uint32_t next = 0;
	if (!MSG_HAS(m, channels))
		return;
	json_name(t, "channels");
	json_open(t, '[');
	for (size_t i = 0; i < m->channels.len; i++) {
		for (; next < m->channels.v[i].index; next++) {
			json_open(t, '{');
			json_close(t, '}');
		}
		write_channel(t, &m->channels.v[i]);
		next++;
	}
	json_close(t, ']');
}

void mac_params_write(struct text *t, const char *name, const struct mac_params *m)
{
	json_name(t, name);
	json_open(t, '{');
	write_number(t, "max_eirp", MSG_HAS(m, max_eirp), m->max_eirp);
	write_enum(t, "adr_data_rate_index", "DATA_RATE_", MSG_HAS(m, dr), m->dr);
	write_number(t, "adr_tx_power_index", MSG_HAS(m, power), m->power);
	write_number(t, "adr_nb_trans", MSG_HAS(m, nb_trans), m->nb_trans);
	write_enum(t, "adr_ack_limit_exponent", "ADR_ACK_LIMIT_", MSG_HAS(m, ack_limit), 1U << (m->ack_limit & 15));
	write_enum(t, "adr_ack_delay_exponent", "ADR_ACK_DELAY_", MSG_HAS(m, ack_delay), 1U << (m->ack_delay & 15));
	write_enum(t, "rx1_delay", "RX_DELAY_", MSG_HAS(m, rx1_delay), m->rx1_delay);
	write_enum(t, "rx1_data_rate_offset", "DATA_RATE_OFFSET_", MSG_HAS(m, rx1_dr_offset), m->rx1_dr_offset);
	write_enum(t, "rx2_data_rate_index", "DATA_RATE_", MSG_HAS(m, rx2_dr), m->rx2_dr);
	write_text_number(t, "rx2_frequency", MSG_HAS(m, rx2_freq_hz), m->rx2_freq_hz);
	write_enum(t, "max_duty_cycle", "DUTY_CYCLE_", MSG_HAS(m, duty_cycle), 1U << (m->duty_cycle & 15));
	write_enum(t, "rejoin_time_periodicity", "REJOIN_TIME_", MSG_HAS(m, rejoin_time), m->rejoin_time);
	write_enum(t, "rejoin_count_periodicity", "REJOIN_COUNT_", MSG_HAS(m, rejoin_count), 16U << (m->rejoin_count & 15));
	write_truth(t, "uplink_dwell_time", MSG_HAS(m, up_dwell), m->up_dwell);
	write_truth(t, "downlink_dwell_time", MSG_HAS(m, down_dwell), m->down_dwell);
	write_channels(t, m);
	json_close(t, '}');
}

static void write_bits(struct text *t, const char *name, const char *prefix, uint32_t bits)
{
	if (!bits)
		return;
	json_name(t, name);
	json_open(t, '[');
	for (uint32_t i = 0; i < 16; i++) {
		char word[32];
		struct text v = text_fixed(word, sizeof word);
		text_printf(&v, "%s%u", prefix, (unsigned)i);
		if (!(bits >> i & 1))
			continue;
		if (*prefix)
			json_puts(t, word);
		else
			json_unum(t, i);
	}
	json_close(t, ']');
}

void mac_rejected_write(struct text *t, uint32_t refused_drs, uint32_t refused_powers)
{
	write_bits(t, "rejected_adr_data_rate_indexes", "DATA_RATE_", refused_drs);
	write_bits(t, "rejected_adr_tx_power_indexes", "", refused_powers);
}

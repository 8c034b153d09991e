/** @file Parts of The Things Stack's JSON that several of its messages have. */
#include "proto/tts/parts.h"
#include "common/core/clock.h"
#include "common/core/json_out.h"
#include <string.h>

static void write_device(struct text *t, const struct tts_device *d)
{
	json_name(t, "end_device_ids");
	json_open(t, '{');
	json_name(t, "device_id");
	json_puts(t, d->device_id);
	json_name(t, "application_ids");
	json_open(t, '{');
	json_name(t, "application_id");
	json_puts(t, d->application_id);
	json_close(t, '}');
	if (d->has_dev_eui) {
		json_name(t, "dev_eui");
		json_eui(t, d->dev_eui);
	}
	if (d->has_join_eui) {
		json_name(t, "join_eui");
		json_eui(t, d->join_eui);
	}
	if (d->has_dev_addr) {
		char hex[9];
		struct text h = text_fixed(hex, sizeof hex);
		text_printf(&h, "%08X", d->dev_addr);
		json_name(t, "dev_addr");
		json_puts(t, hex);
	}
	json_close(t, '}');
}

void tts_cids(struct text *t, const struct cid *cids, size_t n, const char *own, size_t own_n)
{
	if (!n && !own_n)
		return;
	json_name(t, "correlation_ids");
	json_open(t, '[');
	for (size_t i = 0; i < own_n; i += strlen(own + i) + 1)
		json_puts(t, own + i);
	for (size_t i = 0; i < n; i++) {
		char id[CID_TEXT_MAX];
		struct text one = text_fixed(id, sizeof id);
		cid_text(&one, &cids[i]);
		json_puts(t, id);
	}
	json_close(t, ']');
}

void tts_envelope(struct text *t, const struct tts_up *u)
{
	json_open(t, '{');
	write_device(t, &u->device);
	tts_cids(t, u->cids, u->n_cids, u->own_cids, u->own_cids_n);
	json_name(t, "received_at");
	json_time(t, u->received_unix_ns);
}

void tts_envelope_end(struct text *t, const struct tts_up *u)
{
	if (u->is_simulated) {
		json_name(t, "simulated");
		json_truth(t, true);
	}
	json_close(t, '}');
}

void tts_raw(struct text *t, const char *name, const char *json)
{
	if (!json || !*json || !strcmp(json, "{}"))
		return;
	json_name(t, name);
	json_raw_out(t, str_of(json));
}

static void write_network(struct text *t, const struct tts_up *u)
{
	char hex[7];
	struct text h = text_fixed(hex, sizeof hex);
	if (!u->has_net_id)
		return;
	text_printf(&h, "%06X", u->net_id & 0xffffff);
	json_name(t, "network_ids");
	json_open(t, '{');
	json_name(t, "net_id");
	json_puts(t, hex);
	if (u->tenant_id && *u->tenant_id) {
		json_name(t, "tenant_id");
		json_puts(t, u->tenant_id);
	}
	json_close(t, '}');
}

int tts_battery_e2(uint8_t level)
{
	enum { EXTERNAL = 0, EMPTY = 1, FULL = 254, UNKNOWN = 255 };
	return level == EXTERNAL || level == UNKNOWN ? -1 : (level - EMPTY) * 10000 / (FULL - EMPTY);
}

static void write_battery(struct text *t, const struct tts_battery *b)
{
	int e2 = b ? tts_battery_e2(b->level) : -1;
	if (e2 < 0)
		return;
	json_name(t, "last_battery_percentage");
	json_open(t, '{');
	if (b->f_cnt) {
		json_name(t, "f_cnt");
		json_unum(t, b->f_cnt);
	}
	if (e2) {
		json_name(t, "value");
		json_dec(t, e2, 2);
	}
	json_name(t, "received_at");
	json_time(t, b->received_unix_us * 1000);
	json_close(t, '}');
}

void tts_about(struct text *t, const struct tts_up *u, const struct tts_battery *b)
{
	tts_raw(t, "locations", u->locations);
	tts_raw(t, "version_ids", u->version_ids);
	write_network(t, u);
	write_battery(t, b);
	tts_raw(t, "attributes", u->attributes);
}

static void write_lora(struct text *t, const struct modulation *m)
{
	json_name(t, "lora");
	json_open(t, '{');
	json_name(t, "bandwidth");
	json_unum(t, m->bw_hz);
	json_name(t, "spreading_factor");
	json_unum(t, m->sf);
	if (m->coding_rate[0]) {
		json_name(t, "coding_rate");
		json_puts(t, m->coding_rate);
	}
	json_close(t, '}');
}

void tts_data_rate(struct text *t, const struct modulation *m)
{
	enum { LORA, FSK, LR_FHSS };
	json_name(t, "data_rate");
	json_open(t, '{');
	switch (m->kind) {
	case LORA: write_lora(t, m); break;
	case FSK:
		json_name(t, "fsk");
		json_open(t, '{');
		json_name(t, "bit_rate");
		json_unum(t, m->bit_rate);
		json_close(t, '}');
		break;
	case LR_FHSS:
		json_name(t, "lrfhss");
		json_open(t, '{');
		json_name(t, "operating_channel_width");
		json_unum(t, m->bw_hz);
		json_name(t, "coding_rate");
		json_puts(t, m->coding_rate);
		json_close(t, '}');
		break;
	default: break;
	}
	json_close(t, '}');
}

void tts_bytes(struct text *t, const char *name, const void *p, size_t n)
{
	json_name(t, name);
	json_b64(t, p, n);
}

void tts_duration(struct text *t, uint64_t us)
{
	char buf[40];
	struct text d = text_fixed(buf, sizeof buf);
	text_u64(&d, us / SEC_US);
	if (us % SEC_US) {
		if (us % MS_US)
			text_printf(&d, ".%06u", (unsigned)(us % SEC_US));
		else
			text_printf(&d, ".%03u", (unsigned)(us % SEC_US / MS_US));
	}
	text_putc(&d, 's');
	json_puts(t, buf);
}

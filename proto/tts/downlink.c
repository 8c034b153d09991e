/** @file Application downlinks and what became of them in The Things Stack's JSON. */
#include "common/core/json_out.h"
#include "proto/tts/parts.h"

static const char *const priorities[] = { "LOWEST", "LOW", "BELOW_NORMAL", "NORMAL", "ABOVE_NORMAL", "HIGH", "HIGHEST" };

const char *tts_priority(unsigned priority)
{
	return priority < COUNT(priorities) ? priorities[priority] : "";
}

const char *tts_down_topic(enum tts_down_kind k)
{
	static const char *const topics[] = {
		[TTS_QUEUED] = "down/queued", [TTS_SENT] = "down/sent", [TTS_ACK] = "down/ack", [TTS_NACK] = "down/nack", [TTS_FAILED] = "down/failed",
	};
	return topics[k];
}

static void write_retry(struct text *t, const struct tts_downlink *d)
{
	if (!d->confirmed || (!d->attempt && !d->max_attempts))
		return;
	json_name(t, "confirmed_retry");
	json_open(t, '{');
	if (d->attempt) {
		json_name(t, "attempt");
		json_unum(t, d->attempt);
	}
	if (d->max_attempts) {
		json_name(t, "max_attempts");
		json_unum(t, d->max_attempts);
	}
	json_close(t, '}');
}

static void write_members(struct text *t, const struct tts_downlink *d)
{
	if (d->has_session)
		tts_bytes(t, "session_key_id", d->session_key_id.b, sizeof d->session_key_id.b);
	if (d->f_port) {
		json_name(t, "f_port");
		json_unum(t, d->f_port);
	}
	if (d->has_f_cnt && d->f_cnt) {
		json_name(t, "f_cnt");
		json_unum(t, d->f_cnt);
	}
	if (d->payload.n)
		tts_bytes(t, "frm_payload", d->payload.p, d->payload.n);
	tts_raw(t, "decoded_payload", d->decoded_payload);
	tts_raw(t, "decoded_payload_warnings", d->decoded_warnings);
	if (d->confirmed) {
		json_name(t, "confirmed");
		json_truth(t, true);
	}
	if (d->class_b_c) {
		json_name(t, "class_b_c");
		json_raw_out(t, str_of(d->class_b_c));
	}
	if (d->priority && d->priority < COUNT(priorities)) {
		json_name(t, "priority");
		json_puts(t, tts_priority(d->priority));
	}
	struct cid item = { .kind = CID_AS_DOWNLINK };
	if (d->item)
		item.id = *d->item;
	tts_cids(t, &item, d->item ? 1 : 0, d->own_cids, d->own_cids_n);
	write_retry(t, d);
}

void tts_downlink_object(struct text *t, const struct tts_downlink *d)
{
	json_open(t, '{');
	write_members(t, d);
	json_close(t, '}');
}

static void write_error(struct text *t, const struct tts_error *e)
{
	json_name(t, "error");
	json_open(t, '{');
	json_name(t, "namespace");
	json_puts(t, down_error_namespace(e->row));
	json_name(t, "name");
	json_puts(t, e->row->name);
	json_name(t, "message_format");
	json_puts(t, e->row->message_format);
	if (e->text_attribute || e->num_attribute[0]) {
		json_name(t, "attributes");
		json_open(t, '{');
		if (e->text_attribute) {
			json_name(t, e->text_attribute);
			json_puts(t, e->text_value);
		}
		for (size_t i = 0; i < COUNT(e->num_attribute) && e->num_attribute[i]; i++) {
			json_name(t, e->num_attribute[i]);
			json_unum(t, e->num_value[i]);
		}
		json_close(t, '}');
	}
	char hex[33];
	struct text h = text_fixed(hex, sizeof hex);
	text_hex(&h, e->id.b, sizeof e->id.b, false);
	json_name(t, "correlation_id");
	json_puts(t, hex);
	json_name(t, "code");
	json_unum(t, e->row->code);
	json_close(t, '}');
}

void tts_down(struct text *t, const struct tts_up *u, enum tts_down_kind k, const struct tts_downlink *d, const struct tts_error *e)
{
	static const char *const names[] = {
		[TTS_QUEUED] = "downlink_queued", [TTS_SENT] = "downlink_sent", [TTS_ACK] = "downlink_ack", [TTS_NACK] = "downlink_nack",
		[TTS_FAILED] = "downlink_failed",
	};
	tts_envelope(t, u);
	json_name(t, names[k]);
	json_open(t, '{');
	if (k != TTS_FAILED) {
		write_members(t, d);
	} else if (d) {
		json_name(t, "downlink");
		tts_downlink_object(t, d);
	}
	if (e)
		write_error(t, e);
	tts_about(t, u, NULL);
	json_close(t, '}');
	tts_envelope_end(t, u);
}

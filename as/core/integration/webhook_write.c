/** @file Webhooks written as JSON, and messages cut down to what one wants of them. */
#include "as/core/integration/webhook.h"
#include "as/core/registry/json_mask.h"
#include <stdlib.h>
#include <string.h>

/** Is it JSON, or a text? */
static void write_member(struct text *t, const char *name, const char *value, bool is_json)
{
	json_name(t, name);
	if (is_json)
		json_raw_out(t, str_of(value));
	else
		json_puts(t, value);
}

static void write_mask(struct text *t, struct str mask)
{
	struct str path;
	json_name(t, "field_mask");
	json_open(t, '{');
	json_name(t, "paths");
	json_open(t, '[');
	while (mask.n) {
		mask = str_cut(mask, ',', &path);
		json_str(t, path);
	}
	json_close(t, ']');
	json_close(t, '}');
}

static void write_kinds(struct text *t, const struct webhook *w)
{
	for (enum message_kind k = 0; k < KIND_N; k++) {
		if (!w->path[k])
			continue;
		json_name(t, message_kinds[k].member);
		json_open(t, '{');
		if (*w->path[k])
			write_member(t, "path", w->path[k], false);
		json_close(t, '}');
	}
}

/** Members of which none is a secret. */
static void write_open_members(struct text *t, const struct webhook *w)
{
	write_times(t, w->created_unix_us, w->updated_unix_us);
	write_member(t, "base_url", webhook_text_of(w, WEBHOOK_BASE_URL), false);
	write_member(t, "format", "json", false);
	if (w->text[WEBHOOK_TEMPLATE_IDS])
		write_member(t, "template_ids", w->text[WEBHOOK_TEMPLATE_IDS], true);
	write_kinds(t, w);
	if (w->text[WEBHOOK_FIELD_MASK])
		write_mask(t, str_of(w->text[WEBHOOK_FIELD_MASK]));
	if (w->is_paused) {
		json_name(t, "paused");
		json_truth(t, true);
	}
	if (w->text[WEBHOOK_TLS_CA])
		write_member(t, "tls_ca", w->text[WEBHOOK_TLS_CA], false);
	json_name(t, "connections");
	json_unum(t, w->connections);
}

/** An object of texts, without those that nobody is to see. */
static void write_hidden(struct text *t, const char *name, const char *object, bool is_all_secret)
{
	struct json_tok tok[4 * WEBHOOK_HEADERS_N + 1];
	struct json j;
	if (json_parse(str_of(object), tok, COUNT(tok), &j, NULL))
		return;
	json_name(t, name);
	json_open(t, '{');
	for (json_val m = json_first(&j, json_root(&j)); m >= 0; m = json_next(&j, m)) {
		char member[WEBHOOK_HEADER_NAME_MAX + 1];
		if (json_string(&j, m, member, sizeof member))
			continue;
		json_name(t, member);
		if (is_all_secret || webhook_header_is_secret(member))
			json_puts(t, WEBHOOK_HIDDEN);
		else
			json_raw_out(t, json_whole(&j, json_member_value(&j, m)));
	}
	json_close(t, '}');
}

void webhook_write(struct text *t, const struct webhook *w)
{
	write_open_members(t, w);
	if (w->text[WEBHOOK_HEADERS])
		write_hidden(t, "headers", w->text[WEBHOOK_HEADERS], false);
	if (w->text[WEBHOOK_TEMPLATE_FIELDS])
		write_hidden(t, "template_fields", w->text[WEBHOOK_TEMPLATE_FIELDS], true);
	if (w->text[WEBHOOK_DOWNLINK_API_KEY])
		write_member(t, "downlink_api_key", WEBHOOK_HIDDEN, false);
	if (w->text[WEBHOOK_SIGNATURE_SECRET])
		write_member(t, "signature_secret", WEBHOOK_HIDDEN, false);
}

int webhook_store(struct text *t, const struct webhook *w, const struct envelope *e)
{
	static const struct {
		enum webhook_text which;
		const char *name;
	} secrets[] = {
		{ WEBHOOK_HEADERS, "headers" },
		{ WEBHOOK_TEMPLATE_FIELDS, "template_fields" },
		{ WEBHOOK_DOWNLINK_API_KEY, "downlink_api_key" },
		{ WEBHOOK_SIGNATURE_SECRET, "signature_secret" },
	};
	json_open(t, '{');
	write_open_members(t, w);
	for (size_t i = 0; i < COUNT(secrets); i++) {
		if (!w->text[secrets[i].which])
			continue;
		__attribute__((cleanup(text_done_auto))) struct text sealed = text_growing(2 * WEBHOOK_RECORD_MAX);
		TRY(envelope_seal_text(e, str_of(w->text[secrets[i].which]), &sealed));
		json_name(t, secrets[i].name);
		json_str(t, text_str(&sealed));
	}
	json_close(t, '}');
	return t->failed ? -ENOMEM : 0;
}

int webhook_body(const struct webhook *w, struct str message, struct text *t)
{
	struct str rest = str_of(webhook_text_of(w, WEBHOOK_FIELD_MASK)), path;
	struct field_mask m = { .given = rest.n > 0 };
	while (rest.n && m.n < MASK_MAX) {
		rest = str_cut(rest, ',', &path);
		/* The Things Stack's paths go through the one of several messages that an object holds by its name there, which JSON has not. */
		if (str_is(path, "up"))
			m.given = false;
		m.v[m.n++] = str_starts(path, "up.") ? (struct str){ path.p + strlen("up."), path.n - strlen("up.") } : path;
	}
	if (m.given)
		return json_masked(t, message, &m, NULL);
	text_put(t, message);
	return t->failed ? -ENOMEM : 0;
}

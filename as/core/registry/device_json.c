/** @file Devices as JSON: the table of their fields, and the writer. */
#include "as/core/registry/device_json.h"
#include "as/core/registry/formatters_json.h"
#include "as/core/registry/mac_settings.h"
#include "as/core/registry/mac_state.h"
#include "proto/lorawan/version.h"
#include <inttypes.h>
#include <string.h>

static int read_device_id(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	struct str s;
	if (v < 0)
		return 0;
	if (json_plain(rd->j, v, &s) || !id_valid(s))
		return record_bad(
			rd, f, "must be 2 to 36 of a-z, 0-9 and single dashes inside, as in my-device-1");
	if (d->id[0] && !str_is(s, d->id))
		return record_bad(rd, f, "cannot be changed");
	return str_copy(s, d->id, sizeof d->id) ? record_bad(rd, f, "is too long") : 0;
}

/** EUIs may be added to a device, and changed; never taken away by leaving them out of a mask of ids. */
static int read_device_eui(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	return v < 0 ? 0 : read_eui(record, f, rd, v);
}

static int read_mac_version(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	enum mac_version m = LW_NONE;
	struct str s;
	if (v >= 0 && (json_plain(rd->j, v, &s) || mac_version_parse(s, &m)))
		return record_bad(rd, f, "is none of 1.0.0, 1.0.1, 1.0.2, 1.0.3, 1.0.4, 1.1.0");
	d->mac_version = m;
	return 0;
}

static int read_phy_version(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	enum phy_version m = RP_NONE;
	struct str s;
	if (v >= 0 && (json_plain(rd->j, v, &s) || phy_version_parse(s, &m)))
		return record_bad(rd, f,
			"is none of 1.0.0, 1.0.1, 1.0.2-a, 1.0.2-b, 1.0.3-a, 1.1.0-a, 1.1.0-b, rp002-1.0.0 "
			"to rp002-1.0.4");
	d->phy_version = m;
	return 0;
}

static int read_dev_addr(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	char text[16] = "";
	uint32_t addr = 0;
	if (v >= 0 &&
		(json_string(rd->j, v, text, sizeof text) || (*text && hex_u32(str_of(text), 8, &addr))))
		return record_bad(rd, f, "must be 8 hex digits");
	d->session.dev_addr = addr;
	d->session.present = *text != '\0';
	return 0;
}

static int read_session_key_id(
	void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	struct ulid u = { { 0 } };
	uint8_t id[64];
	size_t n = 0;
	if (v >= 0 && json_base64(rd->j, v, id, sizeof id, &n))
		return record_bad(rd, f, "must be at most 64 octets in base64");
	if (n == sizeof u.b)
		memcpy(u.b, id, n); /* one of another length is replaced by one of ours */
	d->session.session_key_id = u;
	return 0;
}

static int read_mac_settings(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	AUTO(text_done) struct text t = text_growing(JSON_TEXT_MAX);
	if (v >= 0 && json_type(rd->j, v) != JSON_OBJECT)
		return record_bad(rd, f, "must be an object");
	int r = mac_settings_read(rd->j, v, !rd->is_import, &d->mac, rd->problem);
	if (r)
		return r;
	if (rd->is_import)
		mac_settings_drop_idle(&d->mac, d->plan, d->mac_version);
	mac_settings_write(&t, &d->mac);
	if (t.failed)
		return record_bad(rd, f, "holds too much");
	return texts_set(&d->texts, TEXT_MAC_SETTINGS, d->mac.has ? text_str(&t) : STR(""));
}

static int read_started(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	char text[48];
	uint64_t ns = 0;
	if (v >= 0 && (json_string(rd->j, v, text, sizeof text) || clock_parse_rfc3339(str_of(text), &ns)))
		return record_bad(rd, f, "must be a time such as 2026-03-02T10:15:30Z");
	d->session.started_unix_us = ns / 1000;
	return 0;
}

static int read_net_id(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	char text[16] = "";
	d->net_id = 0;
	if (v >= 0 && (json_string(rd->j, v, text, sizeof text) || (*text && hex_u32(str_of(text), 6, &d->net_id))))
		return record_bad(rd, f, "must be 6 hex digits");
	d->has_net_id = *text != '\0';
	return 0;
}

/** When the device said its status last; it stands beside the MAC state there. */
static int read_status_time(const struct record_source *rd, struct mac_import *m)
{
	char text[48];
	uint64_t ns;
	json_val v = json_get(rd->j, rd->root, "last_dev_status_received_at");
	if (v < 0 || json_type(rd->j, v) == JSON_NULL)
		return 0;
	if (json_string(rd->j, v, text, sizeof text) || clock_parse_rfc3339(str_of(text), &ns))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "last_dev_status_received_at", "must be a time such as 2026-03-02T10:15:30Z");
	MSG_SET(m, status_unix_us, ns / 1000);
	return 0;
}

static int read_mac_state(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	AUTO(text_done) struct text t = text_growing(JSON_TEXT_MAX);
	struct mac_import m;
	if (rd->envelope)
		return 0; /* in the store it stands packed */
	/* One that does not say how the device listens says nothing. */
	bool is_object = v >= 0 && json_type(rd->j, v) == JSON_OBJECT;
	if (is_object ? json_get(rd->j, v, "current_parameters") >= 0 : v >= 0) {
		int r = mac_state_read(rd->j, v, d->mac_version, &m, rd->problem);
		if (!r)
			r = read_status_time(rd, &m);
		if (r)
			return r;
		if (mac_state_pack(&t, &m))
			return record_bad(rd, f, "holds too much");
	}
	return texts_set(&d->texts, TEXT_MAC_STATE, text_str(&t));
}

static int read_stored_mac_state(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	struct mac_import m;
	struct str s;
	if (!rd->envelope || v < 0)
		return 0;
	if (json_plain(rd->j, v, &s) || mac_state_unpack(s, &m))
		return record_bad(rd, f, "is damaged");
	return texts_set(&d->texts, TEXT_MAC_STATE, s);
}

/** A registry number or revision: a text of digits, from the store only. */
static int read_number(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	uint64_t n;
	if (!rd->envelope || v < 0)
		return 0;
	if (json_u64(rd->j, v, &n))
		return record_bad(rd, f, "is damaged");
	memcpy((char *)record + f->off, &n, sizeof n);
	return 0;
}

static int read_stored_u32(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	return rd->envelope && v >= 0 ? read_u32(record, f, rd, v) : 0;
}

/** Multicast groups, from the store only. */
static int read_groups(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct device *d = record;
	if (!rd->envelope || v < 0)
		return 0;
	for (json_val e = json_first(rd->j, v); e >= 0; e = json_next(rd->j, e)) {
		if (d->n_groups == DEVICE_GROUPS_MAX || json_u64(rd->j, e, &d->groups[d->n_groups]))
			return record_bad(rd, f, "is damaged");
		d->n_groups++;
	}
	return 0;
}

#define AT(member) .off = offsetof(struct device, member)
#define HAS_AT(member) .arg = offsetof(struct device, member)
static const struct record_field fields[] = {
	{ .path = "ids.device_id", .read = read_device_id },
	{ "ids.dev_eui", read_device_eui, AT(dev_eui), HAS_AT(has_dev_eui) },
	{ "ids.join_eui", read_device_eui, AT(join_eui), HAS_AT(has_join_eui) },
	{ "created_at", read_time, AT(created_unix_us) },
	{ "updated_at", read_time, AT(updated_unix_us) },
	{ "name", read_text, AT(texts), .arg = TEXT_NAME },
	{ "description", read_text, AT(texts), .arg = TEXT_DESCRIPTION },
	{ "attributes", read_object, AT(texts), .arg = TEXT_ATTRIBUTES },
	{ "version_ids", read_object, AT(texts), .arg = TEXT_VERSION_IDS },
	{ "locations", read_object, AT(texts), .arg = TEXT_LOCATIONS },
	{ .path = "lorawan_version", .read = read_mac_version },
	{ .path = "lorawan_phy_version", .read = read_phy_version },
	{ "frequency_plan_id", read_word, AT(plan), .arg = sizeof((struct device *)0)->plan },
	{ "supports_join", read_bool, AT(supports_join) },
	{ "supports_class_b", read_bool, AT(class_b) },
	{ "supports_class_c", read_bool, AT(class_c) },
	{ "multicast", read_bool, AT(multicast) },
	{ "resets_join_nonces", read_bool, AT(resets_join_nonces) },
	{ "skip_payload_crypto", read_bool, AT(skip_payload_crypto) },
	{ .path = "net_id", .read = read_net_id },
	{ .path = "mac_settings", .read = read_mac_settings },
	{ "root_keys.app_key", read_key, AT(app_key), HAS_AT(has_app_key) },
	{ "root_keys.nwk_key", read_key, AT(nwk_key), HAS_AT(has_nwk_key) },
	{ .path = "session.dev_addr", .read = read_dev_addr },
	{ .path = "session.keys.session_key_id", .read = read_session_key_id },
	{ "session.keys.f_nwk_s_int_key", read_key, AT(session.f_nwk_s_int_key),
		HAS_AT(session.has_f_nwk_s_int_key) },
	{ "session.keys.s_nwk_s_int_key", read_key, AT(session.s_nwk_s_int_key),
		HAS_AT(session.has_s_nwk_s_int_key) },
	{ "session.keys.nwk_s_enc_key", read_key, AT(session.nwk_s_enc_key),
		HAS_AT(session.has_nwk_s_enc_key) },
	{ "session.keys.app_s_key", read_key, AT(session.app_s_key), HAS_AT(session.has_app_s_key) },
	{ "session.last_f_cnt_up", read_u32, AT(session.last_f_cnt_up), HAS_AT(session.has_f_cnt_up) },
	{ "session.last_n_f_cnt_down", read_u32, AT(session.last_n_f_cnt_down),
		HAS_AT(session.has_n_f_cnt_down) },
	{ "session.last_a_f_cnt_down", read_u32, AT(session.last_a_f_cnt_down),
		HAS_AT(session.has_a_f_cnt_down) },
	{ "session.last_conf_f_cnt_down", read_u32, AT(session.last_conf_f_cnt_down), HAS_AT(session.has_conf_f_cnt_down) },
	{ .path = "session.started_at", .read = read_started },
	{ "last_rj_count_0", read_u32, AT(session.last_rj_count_0), HAS_AT(session.has_rj_count_0) },
	{ .path = "mac_state", .read = read_mac_state },
	{ .path = "godwit.mac_state", .read = read_stored_mac_state },
	{ "godwit.uid", read_number, AT(entry.uid) },
	{ "godwit.revision", read_number, AT(entry.revision) },
	{ "godwit.reset", read_stored_u32, AT(reset) },
	{ "godwit.rejoin", read_stored_u32, AT(rejoin) },
	{ .path = "godwit.groups", .read = read_groups },
	{ "godwit.generation", read_stored_u32, AT(session.generation) },
};
/** The NwkSKey of 1.0.x under its own name, where f_nwk_s_int_key is not given. */
static const struct record_field nwk_s_key = {
	"session.keys.nwk_s_key", read_key, AT(session.f_nwk_s_int_key), HAS_AT(session.has_f_nwk_s_int_key)
};

/** The Things Stack leaves zeros out: in a session that was in use, a downlink counter that is absent may have been used once. To
 * go on behind it costs nothing, to use it again would encrypt two payloads alike. */
static void counters_settle(struct device_session *s)
{
	s->last_n_f_cnt_down = s->has_n_f_cnt_down ? s->last_n_f_cnt_down : 0;
	s->last_a_f_cnt_down = s->has_a_f_cnt_down ? s->last_a_f_cnt_down : 0;
	s->has_n_f_cnt_down = s->has_a_f_cnt_down = true;
}

int device_json_read(struct device *d, const struct field_mask *m, const struct record_source *rd)
{
	static const struct field_mask all = { 0 };
	struct device_session was = d->session;
	bool had = was.present;
	int r = record_read(d, fields, COUNT(fields), m, rd);
	if (!r)
		r = formatters_read(&d->formatters, "formatters", m, rd);
	if (!r && record_find(rd->j, rd->root, nwk_s_key.path) >= 0 &&
	    record_find(rd->j, rd->root, "session.keys.f_nwk_s_int_key") < 0)
		r = record_read(d, &nwk_s_key, 1, &all, rd);
	json_val session = json_get(rd->j, rd->root, "session");
	if (!r && had && !m->given && session >= 0 && json_type(rd->j, session) == JSON_NULL)
		d->session = (struct device_session){ .generation = was.generation };
	if (!r && !rd->envelope && !m->given && d->session.present && record_find(rd->j, rd->root, "mac_state.current_parameters") >= 0)
		counters_settle(&d->session);
	crypto_forget(&was, sizeof was);
	return r;
}

void app_json_ids(struct text *t, const struct app *a)
{
	json_open(t, '{');
	json_name(t, "application_id");
	json_puts(t, a->id);
	if (a->tenant[0]) {
		json_name(t, "tenant_id");
		json_puts(t, a->tenant);
	}
	json_close(t, '}');
}

void device_json_ids(struct text *t, const struct device *d, const uint32_t *dev_addr)
{
	json_open(t, '{');
	json_name(t, "device_id");
	json_puts(t, d->id);
	json_name(t, "application_ids");
	app_json_ids(t, d->app);
	if (d->has_dev_eui) {
		json_name(t, "dev_eui");
		json_eui(t, d->dev_eui);
	}
	if (d->has_join_eui) {
		json_name(t, "join_eui");
		json_eui(t, d->join_eui);
	}
	if (dev_addr) {
		char text[9];
		struct text a = text_fixed(text, sizeof text);
		text_printf(&a, "%08" PRIX32, *dev_addr);
		json_name(t, "dev_addr");
		json_puts(t, text);
	}
	json_close(t, '}');
}

static void write_true(struct text *t, const char *name, bool on)
{
	if (on) {
		json_name(t, name);
		json_truth(t, true);
	}
}

static void write_word(struct text *t, const char *name, const char *z)
{
	if (*z) {
		json_name(t, name);
		json_puts(t, z);
	}
}

static void write_count(struct text *t, const char *name, bool has, uint32_t n)
{
	if (has) {
		json_name(t, name);
		json_unum(t, n);
	}
}

static void write_root_keys(struct text *t, const struct device *d, const struct envelope *e)
{
	if (!d->has_app_key && !d->has_nwk_key)
		return;
	json_name(t, "root_keys");
	json_open(t, '{');
	if (d->has_app_key)
		write_key(t, "app_key", &d->app_key, e);
	if (d->has_nwk_key)
		write_key(t, "nwk_key", &d->nwk_key, e);
	json_close(t, '}');
}

static void write_session(struct text *t, const struct device *d, bool keys, const struct envelope *e)
{
	const struct device_session *s = &d->session;
	char addr[9];
	struct text a = text_fixed(addr, sizeof addr);
	text_printf(&a, "%08" PRIX32, s->dev_addr);
	json_name(t, "session");
	json_open(t, '{');
	write_word(t, "dev_addr", addr);
	json_name(t, "keys");
	json_open(t, '{');
	json_name(t, "session_key_id");
	json_b64(t, s->session_key_id.b, sizeof s->session_key_id.b);
	if (keys) {
		write_key(t, "f_nwk_s_int_key", &s->f_nwk_s_int_key, e);
		if (d->mac_version >= LW_1_1_0) {
			write_key(t, "s_nwk_s_int_key", &s->s_nwk_s_int_key, e);
			write_key(t, "nwk_s_enc_key", &s->nwk_s_enc_key, e);
		}
		write_key(t, "app_s_key", &s->app_s_key, e);
	}
	json_close(t, '}');
	write_count(t, "last_f_cnt_up", s->has_f_cnt_up, s->last_f_cnt_up);
	write_count(t, "last_n_f_cnt_down", s->has_n_f_cnt_down, s->last_n_f_cnt_down);
	write_count(t, "last_a_f_cnt_down", s->has_a_f_cnt_down, s->last_a_f_cnt_down);
	write_count(t, "last_conf_f_cnt_down", s->has_conf_f_cnt_down, s->last_conf_f_cnt_down);
	if (s->started_unix_us) {
		json_name(t, "started_at");
		json_time(t, s->started_unix_us * 1000);
	}
	json_close(t, '}');
}

static void write_stored(struct text *t, const struct device *d)
{
	json_name(t, "godwit");
	json_open(t, '{');
	write_word(t, "app", d->app->key);
	json_name(t, "uid");
	json_unum(t, d->entry.uid);
	json_name(t, "revision");
	json_unum(t, d->entry.revision);
	write_count(t, "reset", d->reset, d->reset);
	write_count(t, "rejoin", d->rejoin, d->rejoin);
	write_word(t, "mac_state", texts_get(&d->texts, TEXT_MAC_STATE));
	if (d->n_groups) {
		json_name(t, "groups");
		json_open(t, '[');
		for (size_t i = 0; i < d->n_groups; i++)
			json_unum(t, d->groups[i]);
		json_close(t, ']');
	}
	write_count(t, "generation", d->session.generation, d->session.generation);
	json_close(t, '}');
}

void device_json_members(
	struct text *t, const struct device *d, unsigned what, const struct envelope *envelope)
{
	static const char *const texts[TEXT_N] = {
		[TEXT_NAME] = "name",
		[TEXT_DESCRIPTION] = "description",
		[TEXT_ATTRIBUTES] = "attributes",
		[TEXT_VERSION_IDS] = "version_ids",
		[TEXT_LOCATIONS] = "locations",
		[TEXT_MAC_SETTINGS] = "mac_settings",
	};
	const struct envelope *e = what & DEVICE_JSON_STORE ? envelope : NULL;
	bool keys = what & (DEVICE_JSON_KEYS | DEVICE_JSON_STORE);
	json_name(t, "ids");
	device_json_ids(t, d, d->session.present ? &d->session.dev_addr : NULL);
	write_times(t, d->created_unix_us, d->updated_unix_us);
	write_texts(t, &d->texts, texts);
	formatters_write(t, "formatters", &d->formatters, !(what & DEVICE_JSON_BRIEF));
	write_word(t, "lorawan_version", mac_version_json(d->mac_version));
	write_word(t, "lorawan_phy_version", phy_version_json(d->phy_version));
	write_word(t, "frequency_plan_id", d->plan);
	write_true(t, "supports_join", d->supports_join);
	write_true(t, "supports_class_b", d->class_b);
	write_true(t, "supports_class_c", d->class_c);
	write_true(t, "multicast", d->multicast);
	write_true(t, "resets_join_nonces", d->resets_join_nonces);
	write_true(t, "skip_payload_crypto", d->skip_payload_crypto);
	if (d->has_net_id) {
		char text[7];
		struct text id = text_fixed(text, sizeof text);
		text_printf(&id, "%06" PRIX32, d->net_id);
		write_word(t, "net_id", text);
	}
	if (keys)
		write_root_keys(t, d, e);
	if (d->session.present && (what & (DEVICE_JSON_SESSION | DEVICE_JSON_STORE))) {
		write_session(t, d, keys, e);
		write_count(t, "last_rj_count_0", d->session.has_rj_count_0, d->session.last_rj_count_0);
	}
	if (what & DEVICE_JSON_STORE)
		write_stored(t, d);
}

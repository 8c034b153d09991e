/** @file One value of an answer as people read it. */
#include "as/cli/show/cell.h"
#include "as/cli/show/width.h"
#include "common/core/clock.h"
#include <string.h>

enum { TEXT_MAX = 4096 };

json_val cell_at(const struct json *j, json_val v, struct str path)
{
	while (path.n && v >= 0) {
		char name[96];
		struct str part;
		path = str_cut(path, '.', &part);
		if (json_type(j, v) != JSON_OBJECT || str_copy(part, name, sizeof name))
			return -1;
		v = json_get(j, v, name);
	}
	return v;
}

static void write_text(struct text *t, const struct json *j, json_val v)
{
	char buf[TEXT_MAX];
	if (!json_string(j, v, buf, sizeof buf))
		width_safe(t, str_of(buf));
	else if (v >= 0 && json_type(j, v) != JSON_NULL)
		width_safe(t, json_raw(j, v));
}

/** Of UTC, as logs and JSON have it. */
static void write_time(struct text *t, const struct json *j, json_val v, bool has_ms)
{
	char buf[64];
	uint64_t ns;
	if (json_string(j, v, buf, sizeof buf))
		return;
	if (clock_parse_rfc3339(str_of(buf), &ns)) {
		width_safe(t, str_of(buf));
		return;
	}
	struct civil c = clock_civil(ns / 1000000000);
	text_printf(t, "%04lld-%02u-%02u %02u:%02u:%02u", (long long)c.year, c.month, c.day, c.hour, c.minute, c.second);
	if (has_ms)
		text_printf(t, ".%03u", (unsigned)(ns / 1000000 % 1000));
}

/** RIGHT_APPLICATION_TRAFFIC_READ is traffic-read: whose right it is, the table says. */
static void write_right(struct text *t, struct str name)
{
	static const char *const prefixes[] = { "RIGHT_APPLICATION_", "RIGHT_GATEWAY_", "RIGHT_" };
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (str_starts(name, prefixes[i])) {
			size_t n = strlen(prefixes[i]);
			name = (struct str){ name.p + n, name.n - n };
			break;
		}
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		text_putc(t, c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c);
	}
}

static void write_list(struct text *t, enum cell_kind kind, const struct json *j, json_val list)
{
	if (list < 0 || json_type(j, list) != JSON_ARRAY)
		return;
	bool is_first = true;
	for (json_val v = json_first(j, list); v >= 0; v = json_next(j, v), is_first = false) {
		struct str name;
		text_puts(t, is_first ? "" : kind == CELL_LIST ? ", " : ",");
		if (kind == CELL_GATEWAYS)
			write_text(t, j, cell_at(j, v, STR("gateway_ids.gateway_id")));
		else if (kind == CELL_RIGHTS && !json_plain(j, v, &name))
			write_right(t, name);
		else
			write_text(t, j, v);
	}
}

/** The members of an event's data: reason=late rx=2 */
static void write_data(struct text *t, const struct json *j, json_val data)
{
	if (data < 0 || json_type(j, data) != JSON_OBJECT)
		return;
	bool is_first = true;
	for (json_val m = json_first(j, data); m >= 0; m = json_next(j, m), is_first = false) {
		text_puts(t, is_first ? "" : " ");
		write_text(t, j, m);
		text_putc(t, '=');
		json_val v = json_member_value(j, m);
		char buf[TEXT_MAX];
		bool has_blank = json_type(j, v) == JSON_STRING && !json_string(j, v, buf, sizeof buf) && strpbrk(buf, " =\"");
		text_puts(t, has_blank ? "\"" : "");
		cell_guess(j, v) == CELL_LIST ? write_list(t, CELL_RIGHTS, j, v) : write_text(t, j, v);
		text_puts(t, has_blank ? "\"" : "");
	}
}

/** MAC_V1_0_3 is 1.0.3. */
static void write_version(struct text *t, const struct json *j, json_val v)
{
	struct str s;
	if (json_plain(j, v, &s))
		return;
	if (str_starts(s, "MAC_V"))
		s = (struct str){ s.p + 5, s.n - 5 };
	for (size_t i = 0; i < s.n; i++)
		text_putc(t, s.p[i] == '_' ? '.' : s.p[i]);
}

/** A fraction of 1. */
static void write_percent(struct text *t, const struct json *j, json_val v)
{
	int64_t ppm;
	if (!json_decimal(j, v, 6, &ppm))
		text_printf(t, "%lld.%02lld %%", (long long)(ppm / 10000), (long long)(ppm % 10000 / 100));
}

/* ---- of a whole object ---- */

static bool is_true(const struct json *j, json_val object, const char *name)
{
	bool on = false;
	return !json_bool(j, json_get(j, object, name), &on) && on;
}

static void write_class(struct text *t, const struct json *j, json_val device)
{
	bool b = is_true(j, device, "supports_class_b"), c = is_true(j, device, "supports_class_c");
	if (json_get(j, device, "lorawan_version") < 0 && cell_at(j, device, STR("ids.dev_eui")) < 0)
		text_puts(t, "IP");
	else
		text_puts(t, b && c ? "B C" : b ? "B" : c ? "C" : "A");
	text_puts(t, is_true(j, device, "multicast") ? " multicast" : "");
}

static void write_app_id(struct text *t, const struct json *j, json_val ids)
{
	write_text(t, j, json_get(j, ids, "application_id"));
	json_val tenant = json_get(j, ids, "tenant_id");
	text_puts(t, tenant >= 0 ? "@" : "");
	write_text(t, j, tenant);
}

static void write_connected(struct text *t, const struct json *j, json_val stats)
{
	bool is_there = json_get(j, stats, "connected_at") >= 0 && json_get(j, stats, "disconnected_at") < 0;
	text_puts(t, !is_there ? "no" : is_true(j, stats, "can_send") ? "yes" : "hears only");
}

/** In hex, for that is how it is pushed; else what it is to be made of. */
static void write_octets(struct text *t, const struct json *j, json_val item)
{
	uint8_t octets[512];
	size_t n;
	if (!json_base64(j, json_get(j, item, "frm_payload"), octets, sizeof octets, &n))
		text_hex(t, octets, n, true);
	else
		write_text(t, j, json_get(j, item, "decoded_payload"));
}

/** Whom an event is about: app1/dev1, an address that nobody has, a gateway; all that it says. */
static void write_who(struct text *t, const struct json *j, json_val ids)
{
	json_val app = json_get(j, ids, "application_id"), device = json_get(j, ids, "device_id"), gateway = json_get(j, ids, "gateway_id");
	size_t before = t->len;
	write_text(t, j, app);
	text_puts(t, device >= 0 ? "/" : "");
	write_text(t, j, device);
	if (t->len == before)
		write_text(t, j, json_get(j, ids, json_get(j, ids, "dev_addr") >= 0 ? "dev_addr" : "dev_eui"));
	text_puts(t, gateway >= 0 && t->len > before ? " " : "");
	write_text(t, j, gateway);
}

static void write_mhz(struct text *t, const struct json *j, json_val v)
{
	uint64_t hz;
	if (!json_u64(j, v, &hz))
		text_printf(t, "%.3f", (double)hz / 1e6);
}

static void write_band(struct text *t, const struct json *j, json_val band)
{
	uint64_t low, high;
	if (json_u64(j, json_get(j, band, "min_frequency"), &low) || json_u64(j, json_get(j, band, "max_frequency"), &high))
		return;
	text_printf(t, "%.3f to %.3f", (double)low / 1e6, (double)high / 1e6);
}

/** The address of its session, pending or not. */
static void write_address(struct text *t, const struct json *j, json_val device)
{
	json_val v = cell_at(j, device, STR("session.dev_addr"));
	if (v < 0)
		v = cell_at(j, device, STR("ids.dev_addr"));
	write_text(t, j, v);
}

static void write_or(struct text *t, const struct json *j, json_val v, const char *absent)
{
	if (v < 0 || json_type(j, v) == JSON_NULL)
		text_puts(t, absent);
	else
		write_text(t, j, v);
}

static void write_of_object(struct text *t, enum cell_kind kind, const struct json *j, json_val v)
{
	switch (kind) {
	case CELL_APP_ID:    write_app_id(t, j, v); break;
	case CELL_CLASS:     write_class(t, j, v); break;
	case CELL_ADDRESS:   write_address(t, j, v); break;
	case CELL_CONNECTED: write_connected(t, j, v); break;
	case CELL_OCTETS:    write_octets(t, j, v); break;
	case CELL_WHO:       write_who(t, j, v); break;
	case CELL_BAND:      write_band(t, j, v); break;
	default:             write_text(t, j, v); break;
	}
}

void cell_write(struct text *t, enum cell_kind kind, const struct json *j, json_val v)
{
	bool on;
	switch (kind == CELL_ANY ? cell_guess(j, v) : kind) {
	case CELL_TIME:     write_time(t, j, v, false); break;
	case CELL_TIME_MS:  write_time(t, j, v, true); break;
	case CELL_EXPIRY:   v < 0 || json_type(j, v) == JSON_NULL ? text_puts(t, "never") : write_time(t, j, v, false); break;
	case CELL_YES:      text_puts(t, !json_bool(j, v, &on) && on ? "yes" : ""); break;
	case CELL_LIST:
	case CELL_RIGHTS:
	case CELL_GATEWAYS: write_list(t, kind == CELL_ANY ? CELL_LIST : kind, j, v); break;
	case CELL_DATA:     write_data(t, j, v); break;
	case CELL_VERSION:  write_version(t, j, v); break;
	case CELL_PERCENT:  write_percent(t, j, v); break;
	case CELL_MHZ:      write_mhz(t, j, v); break;
	case CELL_PRIORITY: write_or(t, j, v, "LOWEST"); break;
	default:            write_of_object(t, kind, j, v); break;
	}
}

bool cell_is_number(enum cell_kind kind)
{
	return kind == CELL_NUMBER || kind == CELL_PERCENT || kind == CELL_MHZ;
}

enum cell_kind cell_guess(const struct json *j, json_val v)
{
	struct str s;
	uint64_t ns;
	if (v >= 0 && json_type(j, v) == JSON_ARRAY && json_first(j, v) >= 0 && json_type(j, json_first(j, v)) != JSON_OBJECT)
		return CELL_LIST;
	if (v >= 0 && json_type(j, v) == JSON_STRING && !json_plain(j, v, &s) && s.n >= 20 && s.p[4] == '-' && !clock_parse_rfc3339(s, &ns))
		return CELL_TIME;
	return CELL_WORD;
}

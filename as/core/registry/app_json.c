/** @file Applications as JSON. */
#include "as/core/registry/entity_json.h"
#include "as/core/registry/device_json.h"
#include "as/core/registry/formatters_json.h"
#include <string.h>

static int read_app_id(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct app *a = record;
	struct str s, tenant = { "", 0 };
	char key[APP_KEY_TEXT];
	if (v < 0)
		return 0;
	if (json_plain(rd->j, v, &s))
		return record_bad(rd, f, "must be a text");
	json_val tv = record_find(rd->j, rd->root, "ids.tenant_id");
	if (tv >= 0 && json_plain(rd->j, tv, &tenant))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "ids.tenant_id", "must be a text");
	struct text t = text_fixed(key, sizeof key);
	text_put(&t, s);
	if (tenant.n && !memchr(s.p, '@', s.n)) {
		text_putc(&t, '@');
		text_put(&t, tenant);
	}
	if (t.failed)
		return record_bad(rd, f, "is too long");
	if (a->key[0])
		return str_is(s, a->id) || strcmp(key, a->key) == 0 ? 0
								    : record_bad(rd, f, "cannot be changed");
	return app_set_ids(a, text_str(&t), rd->problem);
}

#define AT(member) .off = offsetof(struct app, member)
static const struct record_field fields[] = {
	{ .path = "ids.application_id", .read = read_app_id },
	{ "created_at", read_time, AT(created_unix_us) },
	{ "updated_at", read_time, AT(updated_unix_us) },
	{ "name", read_text, AT(texts), .arg = TEXT_NAME },
	{ "description", read_text, AT(texts), .arg = TEXT_DESCRIPTION },
	{ "attributes", read_object, AT(texts), .arg = TEXT_ATTRIBUTES },
	{ "godwit_link", read_object, AT(texts), .arg = TEXT_LINK },
};

int app_json_read(struct app *a, const struct field_mask *m, const struct record_source *rd)
{
	int e = record_read(a, fields, COUNT(fields) - (rd->envelope ? 0 : 1), m, rd);
	return e ? e : formatters_read(&a->formatters, "default_formatters", m, rd);
}

static void write_members(struct text *t, const struct app *a, const char *const names[TEXT_N], bool store)
{
	json_open(t, '{');
	json_name(t, "ids");
	app_json_ids(t, a);
	write_times(t, a->created_unix_us, a->updated_unix_us);
	write_texts(t, &a->texts, names);
	if (store)
		formatters_write(t, "default_formatters", &a->formatters, true);
	json_close(t, '}');
}

void app_json_write(struct text *t, const struct app *a)
{
	static const char *const names[TEXT_N] = {
		[TEXT_NAME] = "name", [TEXT_DESCRIPTION] = "description", [TEXT_ATTRIBUTES] = "attributes",
	};
	write_members(t, a, names, false);
}

void app_json_store(struct text *t, const struct app *a)
{
	static const char *const names[TEXT_N] = {
		[TEXT_NAME] = "name", [TEXT_DESCRIPTION] = "description", [TEXT_ATTRIBUTES] = "attributes",
		[TEXT_LINK] = "godwit_link",
	};
	write_members(t, a, names, true);
}

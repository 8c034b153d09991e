/** @file Bus messages for people: one of them as JSON, all of them as a Markdown page. */
#include "common/core/json_out.h"
#include "proto/schema.h"
#include <string.h>

/** Does the field's name end so? Names say how a number wants to be read: an EUI in hex, a time as digits. */
static bool ends_in(const struct field *f, const char *suffix)
{
	size_t n = strlen(f->name), k = strlen(suffix);
	return n >= k && !strcmp(f->name + n - k, suffix);
}

static void print_u32(struct text *t, const struct field *f, uint32_t v)
{
	if (!ends_in(f, "dev_addr")) {
		json_unum(t, v);
		return;
	}
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
	json_hex(t, b, sizeof b);
}

static void print_octets(struct text *t, const struct field *f, const uint8_t *m)
{
	const void *p = m + f->off;
	char buf[ULID_TEXT + 1];
	struct text id = text_fixed(buf, sizeof buf);
	switch ((enum field_kind)f->kind) {
	case FIELD_TEXT:
		json_puts(t, p);
		return;
	case FIELD_ULID:
		ulid_text(&id, p);
		json_str(t, text_str(&id));
		return;
	case FIELD_KEY:
		json_puts(t, "(secret)");
		return;
	default:
		json_hex(t, m + f->off_v, *(const uint16_t *)p);
		return;
	}
}

static void print_list(struct text *t, const struct field *f, const uint8_t *m)
{
	const void *len = m + f->off;
	json_open(t, '[');
	for (unsigned i = 0; i < *(const uint16_t *)len; i++)
		msg_print_json(t, f->sub(), m + f->off_v + (size_t)i * f->elem);
	json_close(t, ']');
}

static void print_value(struct text *t, const struct field *f, const uint8_t *m)
{
	const void *p = m + f->off;
	switch ((enum field_kind)f->kind) {
	case FIELD_U32:
		print_u32(t, f, *(const uint32_t *)p);
		return;
	case FIELD_U64:
		if (ends_in(f, "_eui"))
			json_eui(t, *(const uint64_t *)p);
		else
			json_unum(t, *(const uint64_t *)p);
		return;
	case FIELD_I32:
		json_num(t, *(const int32_t *)p);
		return;
	case FIELD_BOOL:
		json_truth(t, *(const bool *)p);
		return;
	case FIELD_SUB:
		msg_print_json(t, f->sub(), p);
		return;
	case FIELD_LIST:
		print_list(t, f, m);
		return;
	default:
		print_octets(t, f, m);
		return;
	}
}

void msg_print_json(struct text *t, const struct schema *s, const void *m)
{
	const uint64_t *has = m;
	json_open(t, '{');
	for (unsigned i = 0; i < s->n; i++)
		if (!s->f[i].opt || (*has >> i & 1)) {
			json_name(t, s->f[i].json);
			print_value(t, &s->f[i], m);
		}
	json_close(t, '}');
}

/** A cell of a Markdown table: a bar inside would end it. */
static void print_cell(struct text *t, const char *z)
{
	for (; *z; z++) {
		if (*z == '|')
			text_putc(t, '\\');
		text_putc(t, *z);
	}
}

static void print_type(struct text *t, const struct field *f)
{
	static const char *const words[FIELD_KIND_N] = {
		"u32", "u64", "i32", "bool", "text", "bytes", "ULID", "key (secret)", "", "list of "
	};
	text_puts(t, words[f->kind]);
	if (f->sub)
		text_printf(t, "[%s](#%s)", f->sub()->name, f->sub()->name);
	if (f->max)
		text_printf(t, ", at most %u", f->max);
}

static void print_message(struct text *t, const struct schema *s)
{
	text_printf(t, "### %s\n%s.\n\n", s->name, s->doc);
	if (!s->n) {
		text_puts(t, "No fields.\n\n");
		return;
	}
	text_puts(t, "| id | member | name | type | | meaning |\n| --- | --- | --- | --- | --- | --- |\n");
	for (unsigned i = 0; i < s->n; i++) {
		const struct field *f = &s->f[i];
		text_printf(t, "| %u | `%s` | %s | ", f->id, f->name, f->json);
		print_type(t, f);
		text_printf(t, " | %s | ", f->opt ? "optional" : "required");
		print_cell(t, f->doc);
		text_puts(t, " |\n");
	}
	text_putc(t, '\n');
}

void msg_print_doc(struct text *t)
{
	text_puts(t, "# The messages of the bus\n"
		"Made from `proto/messages.def`; see `proto/README.md` for how to renew it.\n\n"
		"## Methods\n| method | who calls whom | request | reply |\n| --- | --- | --- | --- |\n");
	for (unsigned i = 0; i < METHOD_N; i++) {
		const struct method_info *m = method_info((enum method)i);
		const char *request = m->request()->name;
		text_printf(t, "| `%s` | %s | [%s](#%s) | ", m->name, m->way, request, request);
		if (m->reply)
			text_printf(t, "[%s](#%s) |\n", m->reply()->name, m->reply()->name);
		else
			text_puts(t, "none: a notification |\n");
	}
	text_puts(t, "\n## Messages\n");
	for (size_t i = 0; i < schema_all_n; i++)
		print_message(t, schema_all[i]());
}

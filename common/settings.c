/** @file Settings as tables: an INI file, then the environment, then flags. */
#include "common/settings.h"
#include "common/core/ini.h"
#include "common/settings_value.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20, NAME_MAX_BYTES = 128 };
static const char default_file[] = "/etc/godwit/godwit.conf";
static const char env_prefix[] = "GODWIT_";
static const char *const known_sections[] = { "", "gs", "ns", "as", "bus", "log", "trace" };

struct loading {
	const struct settings_table *table;
	const struct settings_source *src;
	void *settings;
	struct text *error;
	const char *file;
};

bool settings_known_section(struct str section)
{
	for (size_t i = 0; i < COUNT(known_sections); i++)
		if (str_is(section, known_sections[i]))
			return true;
	return false;
}

static bool owns(const struct settings_table *t, struct str section)
{
	for (const char *const *s = t->sections; s && *s; s++)
		if (str_is(section, *s))
			return true;
	return false;
}

/** "gs" of "gs.udp-listen"; "" of "state-dir". */
static struct str section_of(struct str name, struct str *ret_key)
{
	struct str head, rest = str_cut(name, '.', &head);
	*ret_key = head.n == name.n ? name : rest;
	return head.n == name.n ? STR("") : head;
}

/** "GODWIT_GS_UDP_LISTEN" of "gs.udp-listen". */
static void env_name(struct text *t, const char *name)
{
	text_puts(t, env_prefix);
	for (; *name; name++)
		text_putc(t, *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name == '.' || *name == '-' ? '_' : *name);
}

static void put_where(struct text *out, const struct loading *l, struct settings_origin o, struct str name)
{
	switch (o.from) {
	case SETTINGS_FILE:
		text_printf(out, "%s:%u: %.*s", l->file, o.line, STR_ARG(name));
		break;
	case SETTINGS_FLAG:
		text_printf(out, "--%.*s", STR_ARG(name));
		break;
	case SETTINGS_ENV:
	case SETTINGS_DEFAULT:
		text_put(out, name);
		break;
	}
}

/** Set every row of this name. @return how many there are; -EINVAL; -ENOMEM */
static int set_rows(struct loading *l, struct str name, struct str value, struct settings_origin origin, struct str shown)
{
	int found = 0;
	for (size_t i = 0; i < l->table->n; i++) {
		const struct setting *row = &l->table->rows[i];
		if (!str_is(name, row->name))
			continue;
		int rc = settings_value_set(row, value, l->settings);
		if (rc == -EINVAL) {
			put_where(l->error, l, origin, shown);
			text_printf(l->error, ": \"%.*s\" is not ", STR_ARG(value));
			settings_value_hint(l->error, row);
		}
		TRY(rc);
		if (l->src->ret_origins)
			l->src->ret_origins[i] = origin;
		found++;
	}
	return found;
}

/** Apply "section.key" and its value, or say why not. */
static int apply(struct loading *l, struct str name, struct str value, struct settings_origin origin)
{
	struct str key, section = section_of(name, &key);
	int n = set_rows(l, name, value, origin, name);
	if (n)
		return n < 0 ? n : 0;
	bool known = settings_known_section(section) || owns(l->table, section);
	if (known && !owns(l->table, section))
		return 0;
	put_where(l->error, l, origin, name);
	text_puts(l->error, known ? ": there is no such setting" : ": there is no such section; known are gs, ns, as, bus and log");
	return -EINVAL;
}

static int on_line(void *ctx, const struct ini_line *line)
{
	struct loading *l = ctx;
	char buf[NAME_MAX_BYTES];
	struct text name = text_fixed(buf, sizeof buf);
	if (line->section.n) {
		text_put(&name, line->section);
		text_putc(&name, '.');
	}
	text_put(&name, line->key);
	/* A name that does not fit is none of ours; cut, it is still the best thing to show. */
	return apply(l, text_str(&name), line->value, (struct settings_origin){ SETTINGS_FILE, line->number });
}

static int parse_file(struct loading *l, struct str text)
{
	unsigned line = 0;
	int rc = ini_parse(text, on_line, l, &line);
	if (rc != INI_E_SYNTAX)
		return rc;
	text_printf(l->error, "%s:%u: this is neither [section] nor key = value", l->file, line);
	return -EINVAL;
}

/** @return bytes read, at most cap; -errno */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t n = 0;
	while (n < cap) {
		ssize_t got = read(fd, buf + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int load_file(struct loading *l)
{
	if (l->src->text.p)
		return parse_file(l, l->src->text);
	int fd = open(l->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !l->src->file)
		return 0;
	char *buf = fd < 0 ? NULL : malloc(FILE_MAX_BYTES + 1);
	ssize_t n = fd < 0 ? -errno : buf ? read_all(fd, buf, FILE_MAX_BYTES + 1) : -ENOMEM;
	int rc = n < 0 ? -EINVAL : 0;
	if (n < 0)
		text_printf(l->error, "%s: %s", l->file, strerror((int)-n));
	else if (n > FILE_MAX_BYTES)
		text_printf(l->error, "%s: larger than 1 MiB, so hardly a configuration", l->file);
	else
		rc = parse_file(l, (struct str){ buf, (size_t)n });
	free(buf);
	if (fd >= 0)
		close(fd);
	return n > FILE_MAX_BYTES ? -EINVAL : rc;
}

/** A variable that begins like one of an owned section but is none of its settings. */
static int refuse_variable(struct loading *l, struct str variable)
{
	for (const char *const *s = l->table->sections; s && *s; s++) {
		char buf[NAME_MAX_BYTES];
		struct text prefix = text_fixed(buf, sizeof buf);
		if (!**s)
			continue;
		env_name(&prefix, *s);
		text_putc(&prefix, '_');
		if (!str_starts(variable, prefix.p))
			continue;
		text_printf(l->error, "%.*s: there is no such setting", STR_ARG(variable));
		return -EINVAL;
	}
	return 0;
}

static int apply_variable(struct loading *l, struct str entry)
{
	struct str variable, value = str_cut(entry, '=', &variable);
	if (!str_starts(variable, env_prefix))
		return 0;
	for (size_t i = 0; i < l->table->n; i++) {
		char buf[NAME_MAX_BYTES];
		struct text name = text_fixed(buf, sizeof buf);
		env_name(&name, l->table->rows[i].name);
		if (!str_eq(text_str(&name), variable))
			continue;
		int n = set_rows(l, str_of(l->table->rows[i].name), value, (struct settings_origin){ .from = SETTINGS_ENV }, variable);
		return n < 0 ? n : 0;
	}
	return refuse_variable(l, variable);
}

static int apply_flag(struct loading *l, struct str flag)
{
	struct str name, value = str_cut(flag, '=', &name);
	if (name.n == flag.n) {
		text_printf(l->error, "--%.*s: needs a value, as in --%.*s=VALUE", STR_ARG(name), STR_ARG(name));
		return -EINVAL;
	}
	return apply(l, name, value, (struct settings_origin){ .from = SETTINGS_FLAG });
}

static int load_defaults(struct loading *l)
{
	for (size_t i = 0; i < l->table->n; i++) {
		const struct setting *row = &l->table->rows[i];
		if (row->kind == SETTING_TEXT)
			TRY(settings_value_set(row, str_of(row->dflt), l->settings));
		else if (settings_value_set(row, str_of(row->dflt), l->settings)) {
			text_printf(l->error, "%s: the default \"%s\" is out of its own bounds", row->name, row->dflt);
			return -EINVAL;
		}
		if (l->src->ret_origins)
			l->src->ret_origins[i] = (struct settings_origin){ .from = SETTINGS_DEFAULT };
	}
	return 0;
}

static const struct setting *find_row(const struct settings_table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->rows[i].name, name))
			return &t->rows[i];
	return NULL;
}

/** Put the final state directory into what is still its default. */
static int fill_state_dir(struct loading *l)
{
	static const char mark[] = "${state-dir}";
	const struct setting *dir_row = find_row(l->table, "state-dir");
	if (!dir_row || dir_row->kind != SETTING_TEXT)
		return 0;
	const char *dir = *(char **)settings_member(dir_row, l->settings);
	for (size_t i = 0; i < l->table->n; i++) {
		const struct setting *row = &l->table->rows[i];
		const char *at = row->kind == SETTING_TEXT ? strstr(row->dflt, mark) : NULL;
		char **member = settings_member(row, l->settings);
		if (!at || strcmp(*member, row->dflt))
			continue;
		char *filled = NULL;
		if (asprintf(&filled, "%.*s%s%s", (int)(at - row->dflt), row->dflt, dir, at + sizeof mark - 1) < 0)
			return -ENOMEM;
		free(*member);
		*member = filled;
	}
	return 0;
}

static int load_all(struct loading *l)
{
	TRY(load_defaults(l));
	TRY(load_file(l));
	for (const char *const *e = l->src->env; e && *e; e++)
		TRY(apply_variable(l, str_of(*e)));
	for (const char *const *f = l->src->flags; f && *f; f++)
		TRY(apply_flag(l, str_of(*f)));
	return fill_state_dir(l);
}

int settings_load(const struct settings_table *t, const struct settings_source *src, void *ret, struct text *ret_error)
{
	struct loading l = { t, src, ret, ret_error, src->file ? src->file : default_file };
	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i].kind == SETTING_TEXT)
			*(char **)settings_member(&t->rows[i], ret) = NULL;
	int rc = load_all(&l);
	if (rc)
		settings_done(t, ret);
	return rc;
}

void settings_done(const struct settings_table *t, void *settings)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->rows[i].kind != SETTING_TEXT)
			continue;
		char **member = settings_member(&t->rows[i], settings);
		free(*member);
		*member = NULL;
	}
}

void settings_where(struct text *out, const struct settings_table *t, const struct settings_source *src, const char *name)
{
	struct loading l = { .file = src->file ? src->file : default_file };
	const struct setting *row = find_row(t, name);
	struct settings_origin o = { .from = SETTINGS_DEFAULT };
	if (row && src->ret_origins)
		o = src->ret_origins[row - t->rows];
	if (o.from == SETTINGS_ENV)
		env_name(out, name);
	else
		put_where(out, &l, o, str_of(name));
}

static void put_kind(const struct setting *row, struct text *out)
{
	if (row->kind == SETTING_TEXT)
		return;
	text_puts(out, " (");
	settings_value_hint(out, row);
	text_putc(out, ')');
}

void settings_help(const struct settings_table *t, struct text *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct setting *row = &t->rows[i];
		text_printf(out, "  --%s=%s\n      %s", row->name, row->dflt, row->doc);
		put_kind(row, out);
		text_puts(out, "\n");
	}
}

static void put_section(const struct settings_table *t, struct str section, struct text *out)
{
	if (section.n)
		text_printf(out, "[%.*s]\n", STR_ARG(section));
	for (size_t i = 0; i < t->n; i++) {
		struct str key;
		if (!str_eq(section_of(str_of(t->rows[i].name), &key), section))
			continue;
		text_printf(out, "# %s", t->rows[i].doc);
		put_kind(&t->rows[i], out);
		text_printf(out, "\n#%.*s =%s%s\n\n", STR_ARG(key), t->rows[i].dflt[0] ? " " : "", t->rows[i].dflt);
	}
}

void settings_example(const struct settings_table *t, struct text *out)
{
	put_section(t, STR(""), out);
	for (size_t i = 0; i < t->n; i++) {
		struct str key, section = section_of(str_of(t->rows[i].name), &key);
		bool is_first = section.n > 0;
		for (size_t j = 0; j < i && is_first; j++)
			is_first = !str_eq(section_of(str_of(t->rows[j].name), &key), section);
		if (is_first)
			put_section(t, section, out);
	}
}

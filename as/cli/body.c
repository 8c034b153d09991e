/** @file From flags to the JSON of a request: a flag's path says where its value goes. */
#include "as/cli/cli.h"
#include "common/core/json_out.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES = ARGS_FLAGS + 8, PATH_CAP = 96, FILE_MAX_ = (64 << 10) + 1 };

struct leaf {
	char path[PATH_CAP];
	const struct arg *arg;
};

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct leaf *)a)->path, ((const struct leaf *)b)->path);
}

/** Dashes of a flag's name are underscores in JSON. */
static void path_of(const struct arg *a, char *ret)
{
	if (a->flag) {
		str_copy(str_of(a->flag->path), ret, PATH_CAP);
		return;
	}
	str_copy((struct str){ a->name, a->name_n < PATH_CAP ? a->name_n : PATH_CAP - 1 }, ret, PATH_CAP);
	for (char *p = ret; *p; p++)
		if (*p == '-')
			*p = '_';
}

/** Octets, given as hex or base64. */
static int write_octets(struct text *t, const struct arg *a, struct text *err)
{
	uint8_t bytes[512];
	size_t n;
	bool is_hex = a->flag->kind == FLAG_HEX;
	if (is_hex ? hex_decode(str_of(a->value), bytes, sizeof bytes, &n) : base64_decode(str_of(a->value), bytes, sizeof bytes, &n)) {
		text_printf(err, "--%s: %s is not %s of at most %zu octets", a->flag->name, a->value, is_hex ? "hex" : "base64", sizeof bytes);
		return CLI_USAGE;
	}
	json_b64(t, bytes, n);
	return CLI_OK;
}

static int write_json(struct text *t, const struct arg *a, struct text *err)
{
	struct json_tok tok[512];
	struct json j;
	size_t at = 0;
	if (json_parse(str_of(a->value), tok, COUNT(tok), &j, &at)) {
		text_printf(err, "--%s: not JSON at character %zu", a->flag->name, at + 1);
		return CLI_USAGE;
	}
	json_raw_out(t, str_of(a->value));
	return CLI_OK;
}

/** A list with commas between; for gateways each becomes {"gateway_ids":{"gateway_id":…}}. */
static void write_list(struct text *t, const struct arg *a)
{
	struct str rest = str_of(a->value), item;
	json_open(t, '[');
	while (rest.n) {
		rest = str_cut(rest, ',', &item);
		if (a->flag->kind == FLAG_GATEWAYS) {
			json_open(t, '{');
			json_name(t, "gateway_ids");
			json_open(t, '{');
			json_name(t, "gateway_id");
			json_str(t, item);
			json_close(t, '}');
			json_close(t, '}');
		} else {
			json_str(t, item);
		}
	}
	json_close(t, ']');
}

/** "NAME=VALUE,NAME=VALUE", or JSON where a value has commas of its own. */
static int write_map(struct text *t, const struct arg *a, struct text *err)
{
	struct str rest = str_of(a->value), item, name, value;
	if (str_starts(rest, "{"))
		return write_json(t, a, err);
	json_open(t, '{');
	while (rest.n) {
		char buf[PATH_CAP];
		rest = str_cut(rest, ',', &item);
		value = str_cut(item, '=', &name);
		if (!memchr(item.p, '=', item.n) || str_copy(str_trim(name), buf, sizeof buf) || !*buf) {
			text_printf(err, "--%s: \"%.*s\" is not NAME=VALUE", a->flag->name, STR_ARG(item));
			return CLI_USAGE;
		}
		json_name(t, buf);
		json_str(t, value);
	}
	json_close(t, '}');
	return CLI_OK;
}

int cli_file(const char *path, const char *flag, struct text *ret, struct text *err)
{
	const char *dashes = flag ? "--" : "", *colon = flag ? ": " : "", *name = flag ? flag : "";
	char *buf = malloc(FILE_MAX_);
	FILE *f = buf ? fopen(path, "re") : NULL;
	size_t n = f ? fread(buf, 1, FILE_MAX_, f) : 0;
	int status = CLI_USAGE;
	if (!f || ferror(f))
		text_printf(err, "%s%s%s%s cannot be read: %s", dashes, name, colon, path, strerror(errno));
	else if (n == FILE_MAX_)
		text_printf(err, "%s%s%s%s is longer than %d octets", dashes, name, colon, path, FILE_MAX_ - 1);
	else if (!utf8_valid((struct str){ buf, n }) || memchr(buf, '\0', n))
		text_printf(err, "%s%s%s%s is not text in UTF-8", dashes, name, colon, path);
	else
		status = CLI_OK;
	if (status == CLI_OK)
		text_put(ret, (struct str){ buf, n });
	if (f)
		fclose(f);
	free(buf);
	return status;
}

/** What a file holds, as a text. */
static int write_file(struct text *t, const struct arg *a, struct text *err)
{
	__attribute__((cleanup(text_done_auto))) struct text held = text_growing(FILE_MAX_);
	int status = cli_file(a->value, a->flag->name, &held, err);
	if (status == CLI_OK)
		json_str(t, text_str(&held));
	return status;
}

static int write_value(struct text *t, const struct arg *a, struct text *err)
{
	enum flag_kind kind = a->flag ? a->flag->kind : FLAG_VALUE;
	bool no = !strcmp(a->value, "false") || !strcmp(a->value, "0") || !strcmp(a->value, "no");
	bool yes = !strcmp(a->value, "true") || !strcmp(a->value, "1") || !strcmp(a->value, "yes");
	switch (kind) {
	case FLAG_HEX:
	case FLAG_BASE64:   return write_octets(t, a, err);
	case FLAG_JSON:     return write_json(t, a, err);
	case FLAG_FILE:     return write_file(t, a, err);
	case FLAG_MAP:      return write_map(t, a, err);
	case FLAG_LIST_OF:
	case FLAG_GATEWAYS: write_list(t, a); return CLI_OK;
	case FLAG_TRUTH:
		if (!no && !yes) {
			text_printf(err, "--%s is true or false, not %s", a->flag->name, a->value);
			return CLI_USAGE;
		}
		json_truth(t, yes);
		return CLI_OK;
	case FLAG_VALUE: break;
	}
	if (!a->flag && (!strcmp(a->value, "true") || !strcmp(a->value, "false")))
		json_truth(t, yes);
	else
		json_puts(t, a->value);
	return CLI_OK;
}

/** How many path parts two paths share, up to the last part of the shorter one. */
static size_t shared_parts(const char *a, const char *b)
{
	size_t parts = 0;
	for (; *a && *a == *b; a++, b++)
		parts += *a == '.';
	return parts;
}

static size_t count_parts(const char *path)
{
	size_t n = 0;
	for (; *path; path++)
		n += *path == '.';
	return n;
}

/** Leaves in order of path become nested objects: close what the next one does not share, open what it adds. */
static int write_leaves(struct text *t, const struct leaf *v, size_t n, struct text *err)
{
	const char *before = "";
	json_open(t, '{');
	for (size_t i = 0; i < n; i++) {
		size_t depth = count_parts(before), shared = shared_parts(before, v[i].path);
		for (; depth > shared; depth--)
			json_close(t, '}');
		struct str rest = str_of(v[i].path), part;
		for (size_t k = 0; k < shared; k++)
			rest = str_cut(rest, '.', &part);
		for (;;) {
			char name[PATH_CAP];
			rest = str_cut(rest, '.', &part);
			str_copy(part, name, sizeof name);
			json_name(t, name);
			if (!rest.n)
				break;
			json_open(t, '{');
		}
		int status = write_value(t, v[i].arg, err);
		if (status)
			return status;
		before = v[i].path;
	}
	for (size_t depth = count_parts(before) + 1; depth > 0; depth--)
		json_close(t, '}');
	return CLI_OK;
}

/** Is there a flag for it, or for what is in it? */
static bool is_known(struct str path, int groups)
{
	const struct flag *f;
	for (size_t i = 0; (f = args_flag(i)); i++) {
		size_t n = strlen(f->path);
		if ((f->groups & groups) && n >= path.n && !memcmp(f->path, path.p, path.n) && (n == path.n || f->path[path.n] == '.'))
			return true;
	}
	return (groups & IN_DEV) && (str_is(path, "mac_settings") || str_starts(path, "mac_settings."));
}

/** Nothing but a mask: what it names, and the object does not hold, is cleared. */
static int write_unset(struct cli *c, int groups, const char *wrap, const char *list, struct text *ret)
{
	struct str rest = str_of(list), item;
	json_open(ret, '{');
	json_name(ret, wrap);
	json_raw_out(ret, STR("{}"));
	json_name(ret, "field_mask");
	json_open(ret, '[');
	do {
		char path[PATH_CAP];
		rest = str_cut(rest, ',', &item);
		if (str_copy(str_trim(item), path, sizeof path))
			path[0] = '\0';
		for (char *p = path; *p; p++)
			*p = *p == '-' ? '_' : *p;
		if (!*path || !is_known(str_of(path), groups)) {
			text_printf(&c->err, "--unset: there is no %.*s to clear", STR_ARG(item));
			return CLI_USAGE;
		}
		json_puts(ret, path);
	} while (rest.n);
	json_close(ret, ']');
	json_close(ret, '}');
	return CLI_OK;
}

/** The flags of these groups, in order of path. @return how many */
static size_t collect(const struct cli *c, int groups, const struct arg *extra, size_t n_extra, struct leaf v[LEAVES])
{
	size_t n = 0;
	for (size_t i = 0; i < n_extra; i++, n++) {
		path_of(&extra[i], v[n].path);
		v[n].arg = &extra[i];
	}
	for (size_t i = 0; i < c->args.n_flags; i++) {
		const struct arg *a = &c->args.flags[i];
		bool of_group = a->flag ? a->flag->path[0] && (a->flag->groups & groups) : args_is_mac_setting(a) && (groups & IN_DEV);
		if (!of_group)
			continue;
		path_of(a, v[n].path);
		v[n++].arg = a;
	}
	qsort(v, n, sizeof *v, by_path);
	/* Of a flag given twice the last one counts; two names of one member must not write it twice. */
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (kept && !strcmp(v[kept - 1].path, v[i].path))
			kept--;
		v[kept++] = v[i];
	}
	return kept;
}

int cli_body(struct cli *c, int groups, const char *wrap, const struct arg *extra, size_t n_extra, struct text *ret)
{
	struct leaf v[LEAVES];
	size_t n = collect(c, groups, extra, n_extra, v);
	const char *unset = wrap && (groups & (IN_APP | IN_DEV | IN_GTW | IN_LINK)) ? args_get(&c->args, "unset") : NULL;
	if (unset && n) {
		text_puts(&c->err, "--unset goes alone: set the others by a command of their own");
		return CLI_USAGE;
	}
	if (unset)
		return write_unset(c, groups, wrap, unset, ret);
	if (wrap) {
		json_open(ret, '{');
		json_name(ret, wrap);
	}
	int status = write_leaves(ret, v, n, &c->err);
	if (wrap)
		json_close(ret, '}');
	return status;
}

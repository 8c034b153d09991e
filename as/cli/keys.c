/** @file Commands for API keys: of applications, of gateways, and the operator's. */
#include "as/cli/keys.h"
#include "common/core/json_out.h"
#include <string.h>

enum { PATH_CAP = 2048, BODY_MAX_ = 1 << 16 };

/** What keys belong to: where they are, and the flag that names one. */
struct owner {
	const char *path, *flag; /**< no flag: there is but one */
	const char *words;       /**< of its commands, before "api-keys" */
};
static const struct owner of_app = { "/api/v3/applications", "application-id", "applications " },
	of_gtw = { "/api/v3/gateways", "gateway-id", "gateways " }, of_operator = { "/api/v3/users/admin", NULL, "" };

/** Whose keys: a flag, or a word; append where they are. @return NULL without, and says so */
static const char *owner_path(struct cli *c, const struct owner *of, struct text *path)
{
	const char *id = of->flag ? args_get(&c->args, of->flag) : "";
	if (!id && c->n_operands)
		id = c->operand[0];
	if (!id) {
		text_printf(&c->err, "--%s says for which %.*s", of->flag, (int)strcspn(of->flag, "-"), of->flag);
		return NULL;
	}
	text_puts(path, of->path);
	if (of->flag)
		cli_path(path, id, NULL);
	text_puts(path, "/api-keys");
	return id;
}

/** The rights that are said, as an array; nothing where none is. */
static void write_rights(const struct cli *c, struct text *body)
{
	bool is_first = true;
	for (size_t i = 0; i < c->args.n_flags; i++) {
		const struct arg *a = &c->args.flags[i];
		char right[64];
		if (!args_is_right(a))
			continue;
		if (is_first) {
			json_name(body, "rights");
			json_open(body, '[');
		}
		is_first = false;
		if (!strcmp(a->value, "false"))
			continue;
		str_copy((struct str){ a->name, a->name_n < sizeof right ? a->name_n : sizeof right - 1 }, right, sizeof right);
		for (char *p = right; *p; p++)
			*p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		json_puts(body, right);
	}
	if (!is_first)
		json_close(body, ']');
}

/** Name, rights and end of a key, each where it is said. */
static void write_key(const struct cli *c, struct text *body)
{
	const char *name = args_get(&c->args, "name"), *ends = args_get(&c->args, "expires-at");
	if (!ends)
		ends = args_get(&c->args, "api-key-expiry");
	json_open(body, '{');
	if (name) {
		json_name(body, "name");
		json_puts(body, name);
	}
	if (ends) {
		json_name(body, "expires_at");
		strcmp(ends, "never") ? json_puts(body, ends) : json_null(body);
	}
	write_rights(c, body);
	json_close(body, '}');
}

static int create(struct cli *c, const struct owner *of)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	char buf[PATH_CAP];
	struct text path = text_fixed(buf, sizeof buf);
	if (!owner_path(c, of, &path))
		return CLI_USAGE;
	write_key(c, &body);
	return cli_call(c, "POST", buf, text_str(&body), NULL);
}

static int list(struct cli *c, const struct owner *of)
{
	char buf[PATH_CAP];
	struct text path = text_fixed(buf, sizeof buf);
	return owner_path(c, of, &path) ? cli_list(c, &(struct cli_list){ .path = buf, .member = "api_keys" }) : CLI_USAGE;
}

/** The path of the key that is named, by flags or words. @return exit status */
static int key_path(struct cli *c, const struct owner *of, char (*buf)[PATH_CAP])
{
	struct text path = text_fixed(*buf, sizeof *buf);
	const char *owner = owner_path(c, of, &path), *id = args_get(&c->args, "api-key-id");
	if (!owner)
		return CLI_USAGE;
	if (!id && c->n_operands)
		id = c->operand[c->n_operands - 1];
	if (!id || id == owner) {
		text_printf(&c->err, "--api-key-id says which key; `godwit %sapi-keys list` shows them", of->words);
		return CLI_USAGE;
	}
	cli_path(&path, id, NULL);
	return CLI_OK;
}

static int call(struct cli *c, const struct owner *of, const char *method)
{
	char buf[PATH_CAP];
	int status = key_path(c, of, &buf);
	return status ? status : cli_call(c, method, buf, STR(""), NULL);
}

static int get(struct cli *c, const struct owner *of) { return call(c, of, "GET"); }
static int delete(struct cli *c, const struct owner *of) { return call(c, of, "DELETE"); }

static int update(struct cli *c, const struct owner *of)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	char buf[PATH_CAP];
	int status = key_path(c, of, &buf);
	write_key(c, &body);
	if (!status && str_is(text_str(&body), "{}")) {
		text_puts(&c->err, "nothing to change: give --name, --expires-at, or all rights that the key is to have");
		status = CLI_USAGE;
	}
	return status ? status : cli_call(c, "PUT", buf, text_str(&body), NULL);
}

#define FOR_ALL(name)                                                   \
	int key_##name##_app(struct cli *c) { return name(c, &of_app); } \
	int key_##name##_gtw(struct cli *c) { return name(c, &of_gtw); } \
	int key_##name(struct cli *c) { return name(c, &of_operator); }
FOR_ALL(create)
FOR_ALL(list)
FOR_ALL(get)
FOR_ALL(update)
FOR_ALL(delete)

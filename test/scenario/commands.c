/** @file MAC commands by their names, in both directions. */
#include "test/scenario/story.h"
#include "proto/lorawan/mac_cmds.h"

static const struct mac_cmd_info *command_named(struct str name, bool is_up)
{
	const struct mac_cmd_info *c;
	for (size_t i = 0; (c = mac_cmd_at(i)); i++)
		if (name.n && str_is(name, is_up ? c->up_name : c->down_name))
			return c;
	return NULL;
}

void command_put(struct story *s, struct writer *w)
{
	uint8_t arg[MAC_PAYLOAD_MAX];
	size_t n = 0;
	struct str name = next(s);
	const struct mac_cmd_info *c = command_named(name, true);
	if (!c)
		FAIL(s, "no device sends a command \"%.*s\"", STR_ARG(name));
	if (c->up_len > 0 && (hex_decode(next(s), arg, sizeof(arg), &n) != 0 || n != (size_t)c->up_len))
		FAIL(s, "%s has %d octets", c->up_name, c->up_len);
	writer_u8(w, c->cid);
	writer_put(w, arg, n);
}

static const char *hex_of(struct slice s, char hex[LINE_MAX_CHARS])
{
	hex[0] = '\0';
	for (size_t i = 0; i < s.n && 2 * i + 3 < LINE_MAX_CHARS / 2; i++)
		snprintf(hex + 2 * i, 3, "%02x", s.p[i]);
	return hex;
}

static bool is_like(struct slice arg, struct str pattern)
{
	char hex[LINE_MAX_CHARS];
	if (pattern.n > strlen(hex_of(arg, hex)))
		return false;
	for (size_t i = 0; i < pattern.n; i++)
		if (pattern.p[i] != '.' && pattern.p[i] != hex[i])
			return false;
	return true;
}

static struct slice commands_heard(const struct w_device *d)
{
	bool is_port_0 = d->heard.port == PORT_MAC && d->heard.n;
	return is_port_0 ? (struct slice){ d->heard.frm, d->heard.n } : (struct slice){ d->heard.opts, d->heard.n_opts };
}

static unsigned count(const struct w_device *d, uint8_t cid, struct str pattern)
{
	struct mac_cmd c;
	size_t pos = 0;
	unsigned n = 0;
	while (mac_walk(commands_heard(d), false, &pos, &c) == MAC_WALK_CMD)
		n += c.info->cid == cid && is_like(c.arg, pattern);
	return n;
}

void expect_command(struct story *s, const struct w_device *d, bool is_wanted)
{
	struct str name = next(s);
	const struct mac_cmd_info *c = command_named(name, false);
	if (!c)
		FAIL(s, "no server sends a command \"%.*s\"", STR_ARG(name));
	struct str pattern = STR("");
	if (is_wanted && c->down_len > 0 && s->at < s->n && strspn(s->word[s->at].p, "0123456789abcdef.") >= s->word[s->at].n)
		pattern = next(s);
	if ((count(d, c->cid, pattern) > 0) == is_wanted)
		return;
	char hex[LINE_MAX_CHARS];
	FAIL(s, "%s %.*s is %sin the last downlink: %s", c->down_name, STR_ARG(pattern), is_wanted ? "not " : "",
		hex_of(commands_heard(d), hex));
}

void expect_octets(struct story *s, const char *what, struct slice have, struct str pattern)
{
	char hex[LINE_MAX_CHARS];
	if (!is_like(have, pattern) || pattern.n != 2 * have.n)
		FAIL(s, "%s is %s", what, hex_of(have, hex));
}

void expect_commands(struct story *s, const struct w_device *d)
{
	struct str pattern = take(s, "none") ? STR("") : next(s);
	expect_octets(s, "what it was told", commands_heard(d), pattern);
}

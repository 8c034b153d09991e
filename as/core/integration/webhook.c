/** @file Settings of webhooks as JSON. */
#include "as/core/integration/webhook.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { API_KEY_MAX = 128, SECRET_MIN = 16, SECRET_MAX = 256, PEM_MAX = 32768, MASK_TEXT_MAX = 2048, CONNECTIONS_DEFAULT = 1 };

struct webhook *webhook_new(void)
{
	struct webhook *w = calloc(1, sizeof *w);
	if (w)
		w->connections = CONNECTIONS_DEFAULT;
	return w;
}

static void forget(char **s)
{
	if (*s)
		crypto_forget(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void webhook_free(struct webhook *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < WEBHOOK_TEXT_N; i++)
		forget(&w->text[i]);
	for (size_t i = 0; i < KIND_N; i++)
		free(w->path[i]);
	free(w);
}

const char *webhook_text_of(const struct webhook *w, enum webhook_text which)
{
	return w->text[which] ? w->text[which] : "";
}

uint32_t webhook_kinds(const struct webhook *w)
{
	uint32_t kinds = 0;
	for (enum message_kind k = 0; k < KIND_N; k++)
		kinds |= w->path[k] ? KIND_BIT(k) : 0;
	return kinds;
}

/** @param s  NULL: none */
static int set(char **member, const struct str *s)
{
	char *copy = s ? strndup(s->p, s->n) : NULL;
	if (s && !copy)
		return -ENOMEM;
	forget(member);
	*member = copy;
	return 0;
}

int webhook_copy(struct webhook *dst, const struct webhook *src)
{
	int e = 0;
	dst->created_unix_us = src->created_unix_us;
	dst->updated_unix_us = src->updated_unix_us;
	dst->is_paused = src->is_paused;
	dst->connections = src->connections;
	for (size_t i = 0; i < WEBHOOK_TEXT_N && !e; i++)
		e = set(&dst->text[i], src->text[i] ? &(struct str){ src->text[i], strlen(src->text[i]) } : NULL);
	for (size_t i = 0; i < KIND_N && !e; i++)
		e = set(&dst->path[i], src->path[i] ? &(struct str){ src->path[i], strlen(src->path[i]) } : NULL);
	return e;
}

/* ---- headers ---- */

bool webhook_header_next(const struct json *headers, json_val *at, struct webhook_header *ret)
{
	json_val root = json_root(headers);
	*at = *at == 0 ? json_first(headers, root) : json_next(headers, *at);
	if (*at < 0)
		return false;
	return !json_string(headers, *at, ret->name, sizeof ret->name) &&
	       !json_string(headers, json_member_value(headers, *at), ret->value, sizeof ret->value);
}

static bool is_listed(const char *name, const char *const *list, size_t n, bool is_part)
{
	for (size_t i = 0; i < n; i++)
		if (is_part ? strcasestr(name, list[i]) != NULL : !strcasecmp(name, list[i]))
			return true;
	return false;
}

bool webhook_header_is_secret(const char *name)
{
	static const char *const parts[] = { "auth", "key", "token", "secret", "password", "cookie", "credential", "signature" };
	return is_listed(name, parts, COUNT(parts), true);
}

static bool is_token(const char *z)
{
	bool is_some = *z;
	for (; *z; z++) {
		bool is_alnum = (*z >= '0' && *z <= '9') || (*z >= 'a' && *z <= 'z') || (*z >= 'A' && *z <= 'Z');
		if (!is_alnum && !strchr("!#$%&'*+-.^_`|~", *z))
			return false;
	}
	return is_some;
}

static const char *wrong_with(const struct webhook_header *h)
{
	/* These say where the message ends, and are the connection's own. */
	static const char *const own[] = { "Host", "Connection", "Content-Length", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive" };
	if (!is_token(h->name))
		return "is no name of a header";
	if (is_listed(h->name, own, COUNT(own), false))
		return "cannot be set: it is of the connection itself";
	for (const char *p = h->value; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return "has a value with control characters";
	return NULL;
}

/** The value of a header that is set already; NULL: none. */
static const char *value_of(const struct json *headers, const char *name, struct webhook_header *buf)
{
	json_val at = 0;
	while (webhook_header_next(headers, &at, buf))
		if (!strcasecmp(buf->name, name))
			return buf->value;
	return NULL;
}

static int copy_header(struct text *t, const struct record_source *rd, json_val name, const struct json *before, size_t *n)
{
	struct webhook_header h, old;
	const char *kept, *wrong;
	if (json_string(rd->j, name, h.name, sizeof h.name))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "headers", "has a name of more than %d characters", WEBHOOK_HEADER_NAME_MAX);
	if (json_string(rd->j, json_member_value(rd->j, name), h.value, sizeof h.value))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "headers", "%s must be a text of at most %d characters", h.name, WEBHOOK_HEADER_VALUE_MAX);
	if (!strcmp(h.value, WEBHOOK_HIDDEN) && (kept = value_of(before, h.name, &old)))
		memcpy(h.value, kept, strlen(kept) + 1);
	if ((wrong = wrong_with(&h)))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "headers", "%s %s", h.name, wrong);
	if (++*n > WEBHOOK_HEADERS_N)
		return problem_say(rd->problem, REGISTRY_E_INVALID, "headers", "at most %d", WEBHOOK_HEADERS_N);
	json_name(t, h.name);
	json_puts(t, h.value);
	return 0;
}

/** Replaced as a whole; what is hidden in it stays as it is. */
static int read_headers(const struct record_source *rd, json_val v, struct text *t, const char *before)
{
	struct json_tok tok[4 * WEBHOOK_HEADERS_N + 1];
	struct json old;
	size_t n = 0;
	if (json_type(rd->j, v) != JSON_OBJECT)
		return problem_say(rd->problem, REGISTRY_E_INVALID, "headers", "must be an object of texts");
	if (json_parse(str_of(*before ? before : "{}"), tok, COUNT(tok), &old, NULL))
		return -ENOMEM;
	json_open(t, '{');
	for (json_val m = json_first(rd->j, v); m >= 0; m = json_next(rd->j, m)) {
		int e = copy_header(t, rd, m, &old, &n);
		if (e)
			return e;
	}
	json_close(t, '}');
	return 0;
}

/* ---- texts ---- */

static const struct webhook_variables sample = { "app1", "dev1", "0000000000000001", "70B3D57ED0051234", "260B12AB" };

/** Does a base URL, with a path, come to something that can be asked? */
static int check_url(const struct record_source *rd, const char *field, struct str base, struct str path)
{
	struct webhook_target target;
	const char *why;
	int e = webhook_target_of(base, path, &sample, &target, &why);
	text_done(&target.target);
	return e == -EINVAL ? problem_say(rd->problem, REGISTRY_E_INVALID, field, "%s", why) : e;
}

static int check_pem(const struct record_source *rd, struct str s)
{
	if (!s.n || memmem(s.p, s.n, "-----BEGIN CERTIFICATE-----", strlen("-----BEGIN CERTIFICATE-----")))
		return 0;
	return problem_say(rd->problem, REGISTRY_E_INVALID, "tls_ca", "must be certificates in PEM, or their base64");
}

static int check_text(const struct record_source *rd, enum webhook_text which, struct str s)
{
	switch (which) {
	case WEBHOOK_BASE_URL:
		return s.n ? check_url(rd, "base_url", s, STR("")) : 0;
	case WEBHOOK_SIGNATURE_SECRET:
		return s.n && s.n < SECRET_MIN ? problem_say(rd->problem, REGISTRY_E_INVALID, "signature_secret", "must be at least %d characters", SECRET_MIN) : 0;
	case WEBHOOK_DOWNLINK_API_KEY:
		for (size_t i = 0; i < s.n; i++)
			if (s.p[i] <= ' ' || s.p[i] > '~')
				return problem_say(rd->problem, REGISTRY_E_INVALID, "downlink_api_key", "must be an API key");
		return 0;
	case WEBHOOK_TLS_CA:
		return check_pem(rd, s);
	default:
		return 0;
	}
}

static const struct webhook_text_info {
	const char *name;
	size_t max;
	bool is_secret;
} infos[WEBHOOK_TEXT_N] = {
	[WEBHOOK_BASE_URL] = { "base_url", WEBHOOK_BASE_MAX, false },
	[WEBHOOK_HEADERS] = { "headers", WEBHOOK_RECORD_MAX, true },
	[WEBHOOK_DOWNLINK_API_KEY] = { "downlink_api_key", API_KEY_MAX, true },
	[WEBHOOK_SIGNATURE_SECRET] = { "signature_secret", SECRET_MAX, true },
	[WEBHOOK_TLS_CA] = { "tls_ca", PEM_MAX, false },
	[WEBHOOK_FIELD_MASK] = { "field_mask", MASK_TEXT_MAX, false },
	[WEBHOOK_TEMPLATE_IDS] = { "template_ids", JSON_TEXT_MAX, false },
	[WEBHOOK_TEMPLATE_FIELDS] = { "template_fields", JSON_TEXT_MAX, true },
};

static bool is_json(enum webhook_text which)
{
	return which == WEBHOOK_HEADERS || which == WEBHOOK_TEMPLATE_IDS || which == WEBHOOK_TEMPLATE_FIELDS;
}

/** PEM as a JSON client of The Things Stack writes it, in base64 around it, as it is. */
static void undo_base64(struct text *t)
{
	size_t n;
	char *plain = t->len && t->p[0] != '-' ? malloc(t->len) : NULL;
	if (plain && !base64_decode(text_str(t), plain, t->len, &n) && n && !memchr(plain, '\0', n)) {
		text_reset(t);
		text_put(t, (struct str){ plain, n });
	}
	free(plain);
}

/** Append the paths of a list with commas between. @return how many it holds now, at most one more than there may be */
static size_t add_paths(struct text *t, struct str paths, size_t n)
{
	while (paths.n && n <= MASK_MAX) {
		struct str path;
		paths = str_cut(paths, ',', &path);
		path = str_trim(path);
		if (!path.n)
			continue;
		text_puts(t, t->len ? "," : "");
		text_put(t, path);
		n++;
	}
	return n;
}

/** {"paths":[…]}, a list or a text, as a text. Not field_mask_read, as these paths are of messages. */
static int read_mask(const struct record_source *rd, json_val v, struct text *t)
{
	struct str s;
	size_t n = 0;
	if (json_type(rd->j, v) == JSON_OBJECT)
		v = json_get(rd->j, v, "paths");
	bool is_list = json_type(rd->j, v) == JSON_ARRAY, is_text = !is_list && json_plain(rd->j, v, &s) == 0;
	bool is_good = is_list || is_text || v < 0 || json_type(rd->j, v) == JSON_NULL;
	if (is_text)
		n = add_paths(t, s, n);
	for (json_val e = is_list ? json_first(rd->j, v) : -1; e >= 0 && is_good; e = json_next(rd->j, e)) {
		is_good = json_type(rd->j, e) == JSON_STRING && json_plain(rd->j, e, &s) == 0;
		n = is_good ? add_paths(t, s, n) : n;
	}
	if (!is_good)
		return problem_say(rd->problem, REGISTRY_E_INVALID, "field_mask", "must be {\"paths\":[...]} or a text of paths with commas");
	return n > MASK_MAX ? problem_say(rd->problem, REGISTRY_E_INVALID, "field_mask", "names more than %d paths", MASK_MAX) : 0;
}

static int read_plain(const struct record_source *rd, enum webhook_text which, json_val v, struct text *t)
{
	size_t cap = infos[which].max + 1;
	char *buf = calloc(1, cap);
	int e = buf ? json_string(rd->j, v, buf, cap) : -ENOMEM;
	if (!e)
		text_puts(t, buf);
	else if (e != -ENOMEM)
		e = problem_say(rd->problem, REGISTRY_E_INVALID, infos[which].name, "must be a text of at most %zu characters", infos[which].max);
	if (buf)
		crypto_forget(buf, cap);
	free(buf);
	if (!e && which == WEBHOOK_TLS_CA)
		undo_base64(t);
	return e;
}

/** What the outside says of it. */
static int read_from_outside(struct webhook *w, enum webhook_text which, const struct record_source *rd, json_val v, struct text *t)
{
	const struct webhook_text_info *info = &infos[which];
	if (which == WEBHOOK_HEADERS)
		return read_headers(rd, v, t, webhook_text_of(w, WEBHOOK_HEADERS));
	if (which == WEBHOOK_FIELD_MASK)
		return read_mask(rd, v, t);
	if (!is_json(which))
		return read_plain(rd, which, v, t);
	if (json_type(rd->j, v) != JSON_OBJECT)
		return problem_say(rd->problem, REGISTRY_E_INVALID, info->name, "must be an object");
	json_copy(t, rd->j, v);
	return 0;
}

static int unseal(const struct record_source *rd, enum webhook_text which, json_val v, struct text *t)
{
	struct str sealed;
	int e = json_plain(rd->j, v, &sealed) ? -EBADMSG : envelope_open_text(rd->envelope, sealed, t);
	return e == -EBADMSG ? problem_say(rd->problem, REGISTRY_E_INVALID, infos[which].name,
				       "was sealed with another key-encryption key than the one of as.kek-file") : e;
}

/** Was it given back as it is shown? */
static bool is_hidden(const struct record_source *rd, enum webhook_text which, json_val v)
{
	struct str plain;
	return !rd->envelope && infos[which].is_secret && json_plain(rd->j, v, &plain) == 0 && str_is(plain, WEBHOOK_HIDDEN);
}

static int read_member(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	enum webhook_text which = (enum webhook_text)f->arg;
	struct webhook *w = record;
	struct text t = text_growing(infos[which].max);
	if (is_hidden(rd, which, v))
		return 0;
	int e = v < 0 ? 0 : rd->envelope && infos[which].is_secret ? unseal(rd, which, v, &t) : read_from_outside(w, which, rd, v, &t);
	if (!e && t.failed)
		e = problem_say(rd->problem, REGISTRY_E_INVALID, f->path, "is longer than %zu characters", infos[which].max);
	struct str s = text_str(&t);
	if (!e && !utf8_valid(s))
		e = record_bad(rd, f, "must be a text in UTF-8");
	if (!e)
		e = check_text(rd, which, s);
	if (!e)
		e = set(&w->text[which], s.n && !str_is(s, "{}") ? &s : NULL);
	if (t.p)
		crypto_forget(t.p, t.len);
	text_done(&t);
	return e;
}

/* ---- the other members ---- */

/** {"path":"up"}: of that kind, messages are sent; null, or a mask without it: they are not. */
static int read_kind(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct webhook *w = record;
	char buf[WEBHOOK_PATH_MAX + 1] = "";
	struct str s;
	if (v < 0)
		return set(&w->path[f->arg], NULL);
	if (json_type(rd->j, v) != JSON_OBJECT)
		return record_bad(rd, f, "must be an object with a path: {\"path\":\"up\"}");
	json_val path = json_get(rd->j, v, "path");
	if (path >= 0 && json_type(rd->j, path) != JSON_NULL && json_string(rd->j, path, buf, sizeof buf))
		return problem_say(rd->problem, REGISTRY_E_INVALID, f->path, "its path must be a text of at most %d characters", WEBHOOK_PATH_MAX);
	s = str_of(buf);
	if (!utf8_valid(s))
		return record_bad(rd, f, "its path must be a text in UTF-8");
	int e = check_url(rd, f->path, STR("http://localhost"), s);
	return e ? e : set(&w->path[f->arg], &s);
}

static int read_format(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct str s = STR("json");
	(void)record;
	return v < 0 || (!json_plain(rd->j, v, &s) && (!s.n || str_is(s, "json"))) ? 0 : record_bad(rd, f, "must be json");
}

static int read_connections(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct webhook *w = record;
	uint64_t n = CONNECTIONS_DEFAULT;
	if (v >= 0 && (json_u64(rd->j, v, &n) || n < 1 || n > WEBHOOK_CONNECTIONS_MAX))
		return problem_say(rd->problem, REGISTRY_E_INVALID, f->path, "must be from 1 (messages in order) to %d", WEBHOOK_CONNECTIONS_MAX);
	w->connections = (uint32_t)n;
	return 0;
}

#define AT(member) .off = offsetof(struct webhook, member)
static const struct record_field fields[] = {
	{ "created_at", read_time, AT(created_unix_us) },
	{ "updated_at", read_time, AT(updated_unix_us) },
	{ .path = "base_url", .read = read_member, .arg = WEBHOOK_BASE_URL },
	{ .path = "headers", .read = read_member, .arg = WEBHOOK_HEADERS },
	{ .path = "format", .read = read_format },
	{ .path = "template_ids", .read = read_member, .arg = WEBHOOK_TEMPLATE_IDS },
	{ .path = "template_fields", .read = read_member, .arg = WEBHOOK_TEMPLATE_FIELDS },
	{ .path = "downlink_api_key", .read = read_member, .arg = WEBHOOK_DOWNLINK_API_KEY },
	{ .path = "field_mask", .read = read_member, .arg = WEBHOOK_FIELD_MASK },
	{ "paused", read_bool, AT(is_paused) },
	{ .path = "signature_secret", .read = read_member, .arg = WEBHOOK_SIGNATURE_SECRET },
	{ .path = "tls_ca", .read = read_member, .arg = WEBHOOK_TLS_CA },
	{ .path = "connections", .read = read_connections },
#define KIND(symbol, member, suffix, meaning) { .path = member, .read = read_kind, .arg = KIND_##symbol },
#include "as/core/integration/kinds.def"
#undef KIND
};

int webhook_read(struct webhook *w, const struct field_mask *m, const struct record_source *rd)
{
	int e = record_read(w, fields, COUNT(fields), m, rd);
	if (!e && !w->text[WEBHOOK_BASE_URL])
		e = problem_say(rd->problem, REGISTRY_E_INVALID, "base_url", "is missing: https://example.com/lora");
	return e;
}

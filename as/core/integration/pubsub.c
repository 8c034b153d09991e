/** @file Settings of Pub/Sub integrations as JSON. */
#include "as/core/integration/pubsub.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 512 };
static const char *const qos_names[] = { "AT_MOST_ONCE", "AT_LEAST_ONCE", "EXACTLY_ONCE" };

struct pubsub *pubsub_new(void)
{
	return calloc(1, sizeof(struct pubsub));
}

static void clear(char **text)
{
	if (*text)
		crypto_forget(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void pubsub_free(struct pubsub *p)
{
	for (size_t i = 0; p && i < COUNT(p->v); i++)
		clear(&p->v[i]);
	free(p);
}

const char *pubsub_get(const struct pubsub *p, unsigned which)
{
	return p->v[which] ? p->v[which] : "";
}

uint32_t pubsub_kinds(const struct pubsub *p)
{
	uint32_t kinds = 0;
	for (enum message_kind k = 0; k < KIND_N; k++)
		if (p->v[PUBSUB_UP + k])
			kinds |= KIND_BIT(k);
	return kinds;
}

/* ---- reading ---- */

static int set(struct pubsub *p, size_t which, struct str s)
{
	char *text = s.n ? strndup(s.p, s.n) : NULL;
	if (s.n && !text)
		return -ENOMEM;
	clear(&p->v[which]);
	p->v[which] = text;
	return 0;
}

static size_t text_max(size_t which)
{
	switch (which) {
	case PUBSUB_URL:
		return PUBSUB_URL_MAX;
	case PUBSUB_CLIENT_ID:
		return PUBSUB_CLIENT_ID_MAX;
	case PUBSUB_USERNAME:
	case PUBSUB_PASSWORD:
		return PUBSUB_LOGIN_MAX;
	case PUBSUB_CA:
	case PUBSUB_CERTIFICATE:
	case PUBSUB_KEY:
		return PUBSUB_PEM_MAX;
	default:
		return PUBSUB_PART_MAX;
	}
}

static int too_long(const struct record_field *f, const struct record_source *rd)
{
	return problem_say(rd->problem, REGISTRY_E_INVALID, f->path, "must be at most %zu octets", text_max(f->arg));
}

/** A text, f->arg says which. */
static int read_part(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	size_t cap = text_max(f->arg) + 1;
	char *text = calloc(1, cap);
	if (!text)
		return -ENOMEM;
	int r = v >= 0 ? json_string(rd->j, v, text, cap) : 0;
	if (r == -ENOSPC)
		r = too_long(f, rd);
	else if (r || !utf8_valid(str_of(text)))
		r = record_bad(rd, f, "must be a text");
	else
		r = set(record, f->arg, str_of(text));
	crypto_forget(text, cap);
	free(text);
	return r;
}

/** PEM: as it is, or in base64, as The Things Stack has it. */
static int read_pem(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	size_t cap = text_max(f->arg) + 1, n = 0;
	struct str raw = json_raw(rd->j, v);
	if (v < 0 || memmem(raw.p, raw.n, "-----BEGIN", 10))
		return read_part(record, f, rd, v);
	char *text = malloc(cap);
	if (!text)
		return -ENOMEM;
	int r = json_base64(rd->j, v, text, cap - 1, &n);
	if (r == -ENOSPC)
		r = too_long(f, rd);
	else if (r || memchr(text, 0, n))
		r = record_bad(rd, f, "must be PEM, or that in base64");
	else
		r = set(record, f->arg, (struct str){ text, n });
	crypto_forget(text, cap);
	free(text);
	return r;
}

/** What the store has is sealed. */
static int read_sealed(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct str sealed;
	if (json_plain(rd->j, v, &sealed))
		return record_bad(rd, f, "is damaged");
	AUTO(text_done) struct text t = text_growing(PUBSUB_PEM_MAX + 1);
	int r = envelope_open_text(rd->envelope, sealed, &t);
	if (!r)
		r = set(record, f->arg, text_str(&t));
	crypto_forget(t.p, t.len);
	return r;
}

static int read_password(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	return (rd->envelope && v >= 0 ? read_sealed : read_part)(record, f, rd, v);
}

static int read_private_key(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	return (rd->envelope && v >= 0 ? read_sealed : read_pem)(record, f, rd, v);
}

static int read_qos(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	char text[32] = "0";
	uint64_t n = 0;
	if (v >= 0 && json_string(rd->j, v, text, sizeof text))
		return record_bad(rd, f, "must be 0, 1, 2, AT_MOST_ONCE, AT_LEAST_ONCE or EXACTLY_ONCE");
	if (num_u64(str_of(text), &n))
		while (n < COUNT(qos_names) && strcmp(text, qos_names[n]))
			n++;
	if (n >= COUNT(qos_names))
		return record_bad(rd, f, "must be 0, 1, 2, AT_MOST_ONCE, AT_LEAST_ONCE or EXACTLY_ONCE");
	*((uint8_t *)record + f->off) = (uint8_t)n;
	return 0;
}

static int read_format(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct str s = STR("json");
	(void)record;
	if (v >= 0 && (json_plain(rd->j, v, &s) || !(str_is(s, "json") || !s.n)))
		return record_bad(rd, f, "must be json");
	return 0;
}

static int read_nobody(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	(void)record;
	return v < 0 ? 0 : record_bad(rd, f, "is not served here: the provider is mqtt");
}

#define AT(member) .off = offsetof(struct pubsub, member)
static const struct record_field fields[] = {
	{ "created_at", read_time, AT(created_unix_us) },
	{ "updated_at", read_time, AT(updated_unix_us) },
	{ .path = "format", .read = read_format },
	{ .path = "nats", .read = read_nobody },
	{ .path = "aws_iot", .read = read_nobody },
	{ .path = "base_topic", .read = read_part, .arg = PUBSUB_BASE },
	{ .path = "mqtt.server_url", .read = read_part, .arg = PUBSUB_URL },
	{ .path = "mqtt.client_id", .read = read_part, .arg = PUBSUB_CLIENT_ID },
	{ .path = "mqtt.username", .read = read_part, .arg = PUBSUB_USERNAME },
	{ .path = "mqtt.password", .read = read_password, .arg = PUBSUB_PASSWORD },
	{ "mqtt.subscribe_qos", read_qos, AT(subscribe_qos) },
	{ "mqtt.publish_qos", read_qos, AT(publish_qos) },
	{ "mqtt.use_tls", read_bool, AT(use_tls) },
	{ .path = "mqtt.tls_ca", .read = read_pem, .arg = PUBSUB_CA },
	{ .path = "mqtt.tls_client_cert", .read = read_pem, .arg = PUBSUB_CERTIFICATE },
	{ .path = "mqtt.tls_client_key", .read = read_private_key, .arg = PUBSUB_KEY },
#define KIND(symbol, member, suffix, meaning) { .path = member ".topic", .read = read_part, .arg = PUBSUB_UP + KIND_##symbol },
#include "as/core/integration/kinds.def"
#undef KIND
	{ .path = "downlink_push.topic", .read = read_part, .arg = PUBSUB_DOWN + PUBSUB_PUSH },
	{ .path = "downlink_replace.topic", .read = read_part, .arg = PUBSUB_DOWN + PUBSUB_REPLACE },
};

int pubsub_json_read(struct pubsub *p, const struct field_mask *m, const struct record_source *rd)
{
	return record_read(p, fields, COUNT(fields), m, rd);
}

static int check_topics(const struct pubsub *p, struct problem *problem)
{
	char why[200];
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct text t = text_fixed(why, sizeof why);
		size_t which = fields[i].arg;
		if (which >= PUBSUB_UP && p->v[which] &&
			pubsub_topic_check(pubsub_get(p, PUBSUB_BASE), p->v[which], which >= PUBSUB_DOWN, &t))
			return problem_say(problem, REGISTRY_E_INVALID, fields[i].path, "%s", why);
	}
	return 0;
}

int pubsub_check(const struct pubsub *p, struct problem *problem)
{
	if (!p->v[PUBSUB_URL])
		return problem_say(problem, REGISTRY_E_INVALID, "mqtt.server_url", "is missing: mqtt://HOST:PORT, or mqtts:// with TLS");
	if (p->v[PUBSUB_PASSWORD] && !p->v[PUBSUB_USERNAME])
		return problem_say(problem, REGISTRY_E_INVALID, "mqtt.username", "is missing: MQTT has no password without one");
	if (!p->v[PUBSUB_CERTIFICATE] != !p->v[PUBSUB_KEY])
		return problem_say(problem, REGISTRY_E_INVALID, p->v[PUBSUB_KEY] ? "mqtt.tls_client_cert" : "mqtt.tls_client_key",
			"is missing: a client's certificate and its key go together");
	return check_topics(p, problem);
}

/* ---- writing ---- */

static void write_part(struct text *t, const struct pubsub *p, const char *name, unsigned which)
{
	if (!p->v[which])
		return;
	json_name(t, name);
	json_puts(t, p->v[which]);
}

static void write_pem(struct text *t, const struct pubsub *p, const char *name, unsigned which)
{
	if (!p->v[which])
		return;
	json_name(t, name);
	json_b64(t, p->v[which], strlen(p->v[which]));
}

static void write_sealed(struct text *t, const struct pubsub *p, const char *name, unsigned which, const struct envelope *e)
{
	if (!p->v[which])
		return;
	json_name(t, name);
	text_putc(t, '"');
	if (envelope_seal_text(e, str_of(p->v[which]), t))
		t->failed = true;
	text_putc(t, '"');
}

static void write_topic(struct text *t, const struct pubsub *p, const char *name, unsigned which)
{
	if (!p->v[which])
		return;
	json_name(t, name);
	json_open(t, '{');
	write_part(t, p, "topic", which);
	json_close(t, '}');
}

/** @param e  NULL: without secrets */
static void write_mqtt(struct text *t, const struct pubsub *p, const struct envelope *e)
{
	json_name(t, "mqtt");
	json_open(t, '{');
	write_part(t, p, "server_url", PUBSUB_URL);
	write_part(t, p, "client_id", PUBSUB_CLIENT_ID);
	write_part(t, p, "username", PUBSUB_USERNAME);
	if (e)
		write_sealed(t, p, "password", PUBSUB_PASSWORD, e);
	json_name(t, "subscribe_qos");
	json_puts(t, qos_names[p->subscribe_qos]);
	json_name(t, "publish_qos");
	json_puts(t, qos_names[p->publish_qos]);
	if (p->use_tls) {
		json_name(t, "use_tls");
		json_truth(t, true);
	}
	write_pem(t, p, "tls_ca", PUBSUB_CA);
	write_pem(t, p, "tls_client_cert", PUBSUB_CERTIFICATE);
	if (e)
		write_sealed(t, p, "tls_client_key", PUBSUB_KEY, e);
	json_close(t, '}');
}

static void write_members(struct text *t, const struct pubsub *p, const struct envelope *e)
{
	write_times(t, p->created_unix_us, p->updated_unix_us);
	json_name(t, "format");
	json_puts(t, "json");
	write_mqtt(t, p, e);
	write_part(t, p, "base_topic", PUBSUB_BASE);
	write_topic(t, p, "downlink_push", PUBSUB_DOWN + PUBSUB_PUSH);
	write_topic(t, p, "downlink_replace", PUBSUB_DOWN + PUBSUB_REPLACE);
	for (enum message_kind k = 0; k < KIND_N; k++)
		write_topic(t, p, message_kinds[k].member, PUBSUB_UP + k);
}

void pubsub_json_write(struct text *t, const struct pubsub *p)
{
	write_members(t, p, NULL);
}

int pubsub_json_store(struct text *t, const struct pubsub *p, const struct envelope *e)
{
	json_open(t, '{');
	write_members(t, p, e);
	json_close(t, '}');
	return t->failed ? -ENOMEM : 0;
}

int pubsub_load(struct pubsub *p, struct str record, const struct envelope *e)
{
	static const struct field_mask all = { 0 };
	struct json_tok tok[TOKENS_MAX];
	struct problem problem;
	struct json j;
	if (json_parse(record, tok, COUNT(tok), &j, NULL) || json_type(&j, json_root(&j)) != JSON_OBJECT)
		return -EPROTO;
	int r = pubsub_json_read(p, &all, &(struct record_source){ .j = &j, .root = json_root(&j), .envelope = e, .problem = &problem });
	return r > 0 ? -EPROTO : r;
}

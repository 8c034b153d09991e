/** @file Provisioning as ThingsBoard has it. */
#include "as/core/device_api/provision.h"
#include "common/core/json_out.h"
#include <string.h>

enum { CERTIFICATE_MAX = 16 << 10 };

int provision_id(struct str name, char ret[ID_MAX + 1])
{
	size_t n = 0;
	bool is_gap = false;
	for (size_t i = 0; i < name.n && n < ID_MAX; i++) {
		char c = name.p[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (is_plain && is_gap && n && n + 1 < ID_MAX)
			ret[n++] = '-';
		if (is_plain)
			ret[n++] = c;
		is_gap = !is_plain;
	}
	ret[n] = '\0';
	return id_valid(str_of(ret)) ? 0 : -EINVAL;
}

static int read_name(const struct json *j, json_val v, const struct rng *rng, struct provision_request *ret)
{
	char made[ACCESS_TOKEN_MADE + 1];
	int r = json_string(j, v, ret->name, sizeof ret->name);
	if (r == -ENOENT) {
		credentials_make_token(rng, made);
		return provision_id(str_of(made), ret->id);
	}
	struct str name = str_trim(str_of(ret->name));
	return r || !utf8_valid(name) || provision_id(name, ret->id) ? -EBADMSG : 0;
}

/** @return 0; -EBADMSG. What is absent becomes 20 random letters and digits */
static int read_or_make(const struct json *j, json_val v, const struct rng *rng, char ret[CREDENTIALS_TEXT_MAX + 1])
{
	int r = json_string(j, v, ret, CREDENTIALS_TEXT_MAX + 1);
	if (r == -ENOENT)
		credentials_make_token(rng, ret);
	return r && r != -ENOENT ? -EBADMSG : utf8_valid(str_of(ret)) ? 0 : -EBADMSG;
}

static int read_token(const struct json *j, const struct rng *rng, struct credentials_wish *w)
{
	w->kind = CREDENTIALS_TOKEN;
	return read_or_make(j, json_get(j, json_root(j), "token"), rng, w->token);
}

/** A client id and a user name stand as they are given; where neither is, the user name is made. */
static int read_basic(const struct json *j, const struct rng *rng, struct credentials_wish *w)
{
	json_val root = json_root(j), client = json_get(j, root, "clientId"), user = json_get(j, root, "username"), password = json_get(j, root, "password");
	int r = json_string(j, client, w->client_id, sizeof w->client_id);
	w->kind = CREDENTIALS_BASIC;
	if (r && r != -ENOENT)
		return -EBADMSG;
	if ((user >= 0 || client < 0) && read_or_make(j, user, rng, w->user))
		return -EBADMSG;
	return (password >= 0 || (user < 0 && client < 0)) && read_or_make(j, password, rng, w->password) ? -EBADMSG : 0;
}

static int read_hash(const struct json *j, const struct rng *rng, struct credentials_wish *w)
{
	char pem[CERTIFICATE_MAX];
	(void)rng;
	w->kind = CREDENTIALS_X509;
	return json_string(j, json_get(j, json_root(j), "hash"), pem, sizeof pem) || credentials_certificate(str_of(pem), w->certificate) ? -EBADMSG : 0;
}

int provision_read(const struct json *j, const struct rng *rng, struct provision_request *ret)
{
	static const struct {
		const char *type;
		int (*read)(const struct json *j, const struct rng *rng, struct credentials_wish *w);
	} types[] = { { "ACCESS_TOKEN", read_token }, { "MQTT_BASIC", read_basic }, { "X509_CERTIFICATE", read_hash } };
	json_val root = json_root(j), type = json_get(j, root, "credentialsType");
	struct str wanted = STR("ACCESS_TOKEN");
	*ret = (struct provision_request){ .id = "" };
	if (json_type(j, root) != JSON_OBJECT || json_string(j, json_get(j, root, "provisionDeviceKey"), ret->key, sizeof ret->key) ||
		json_string(j, json_get(j, root, "provisionDeviceSecret"), ret->secret, sizeof ret->secret) ||
		(type >= 0 && json_type(j, type) != JSON_NULL && json_plain(j, type, &wanted)))
		return -EBADMSG;
	for (size_t i = 0; i < COUNT(types); i++)
		if (str_is(wanted, types[i].type))
			return read_name(j, json_get(j, root, "deviceName"), rng, ret) ? -EBADMSG : types[i].read(j, rng, &ret->login);
	return -EBADMSG;
}

static void write_word(struct text *t, const char *name, const char *z)
{
	if (*z) {
		json_name(t, name);
		json_puts(t, z);
	}
}

static void write_value(struct text *t, const struct credentials_wish *w)
{
	char hex[2 * SHA256_LEN + 1];
	struct text h = text_fixed(hex, sizeof hex);
	json_name(t, "credentialsValue");
	if (w->kind == CREDENTIALS_BASIC) {
		json_open(t, '{');
		write_word(t, "clientId", w->client_id);
		write_word(t, "userName", w->user);
		write_word(t, "password", w->password);
		json_close(t, '}');
		return;
	}
	text_hex(&h, w->certificate, SHA256_LEN, false);
	json_puts(t, w->kind == CREDENTIALS_TOKEN ? w->token : hex);
}

void provision_success(struct text *t, const struct credentials_wish *w)
{
	json_open(t, '{');
	write_value(t, w);
	write_word(t, "credentialsType", w->kind == CREDENTIALS_TOKEN ? "ACCESS_TOKEN" : w->kind == CREDENTIALS_BASIC ? "MQTT_BASIC" : "X509_CERTIFICATE");
	write_word(t, "status", "SUCCESS");
	json_close(t, '}');
}

void provision_not_found(struct text *t)
{
	text_puts(t, "{\"errorMsg\":\"Provision data was not found!\",\"status\":\"NOT_FOUND\"}");
}

void provision_failure(struct text *t)
{
	text_puts(t, "{\"errorMsg\":\"Failed to provision device!\",\"status\":\"FAILURE\"}");
}

/** @file Credentials of devices as JSON, and certificates as text. */
#include "as/core/device_api/credentials.h"
#include "common/core/json_out.h"
#include <string.h>

enum { CERTIFICATE_MAX = 16 << 10 };

int credentials_certificate(struct str pem, uint8_t ret[SHA256_LEN])
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	char packed[CERTIFICATE_MAX];
	uint8_t der[CERTIFICATE_MAX];
	size_t n = 0, der_n;
	pem = str_trim(pem);
	if (pem.n == 2 * SHA256_LEN)
		return hex_exact(pem, ret, SHA256_LEN);
	const char *from = memmem(pem.p, pem.n, begin, sizeof begin - 1);
	const char *to = from ? memmem(from, pem.n - (size_t)(from - pem.p), end, sizeof end - 1) : NULL;
	if (!to)
		return -EINVAL;
	for (const char *p = from + sizeof begin - 1; p < to; p++) {
		if (strchr("\r\n\t ", *p))
			continue;
		if (n == sizeof packed)
			return -EINVAL;
		packed[n++] = *p;
	}
	if (base64_decode((struct str){ packed, n }, der, sizeof der, &der_n) || !der_n)
		return -EINVAL;
	return crypto_sha256(der, der_n, ret);
}

/** @return 0; REGISTRY_E_INVALID. *ret_given: whether it is there */
static int read_one(const struct json *j, json_val object, const char *name, char ret[CREDENTIALS_TEXT_MAX + 1], bool *ret_given, struct problem *p)
{
	char field[64];
	struct text f = text_fixed(field, sizeof field);
	int r = json_string(j, json_get(j, object, name), ret, CREDENTIALS_TEXT_MAX + 1);
	text_printf(&f, "credentials.%s", name);
	*ret_given |= r != -ENOENT;
	if (r == -ENOENT)
		return 0;
	if (r == -ENOSPC)
		return problem_say(p, REGISTRY_E_INVALID, field, "must be at most %d octets", CREDENTIALS_TEXT_MAX);
	return r || !utf8_valid(str_of(ret)) ? problem_say(p, REGISTRY_E_INVALID, field, "must be a text") : 0;
}

static int read_certificate(const struct json *j, json_val object, struct credentials_wish *ret, bool *ret_given, struct problem *p)
{
	char pem[CERTIFICATE_MAX];
	int r = json_string(j, json_get(j, object, "x509_certificate"), pem, sizeof pem);
	if (r == -ENOENT)
		return 0;
	*ret_given = true;
	if (r || credentials_certificate(str_of(pem), ret->certificate))
		return problem_say(p, REGISTRY_E_INVALID, "credentials.x509_certificate", "must be a certificate in PEM, or its SHA-256 in 64 hex digits");
	return 0;
}

int credentials_read(const struct json *j, json_val v, struct credentials_wish *ret, struct problem *p)
{
	bool has_token = false, has_basic = false, has_x509 = false;
	*ret = (struct credentials_wish){ .kind = CREDENTIALS_NONE };
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_type(j, v) != JSON_OBJECT)
		return problem_say(p, REGISTRY_E_INVALID, "credentials", "must be an object");
	int e = read_one(j, v, "access_token", ret->token, &has_token, p);
	if (!e)
		e = read_one(j, v, "mqtt_client_id", ret->client_id, &has_basic, p);
	if (!e)
		e = read_one(j, v, "mqtt_username", ret->user, &has_basic, p);
	if (!e)
		e = read_one(j, v, "mqtt_password", ret->password, &has_basic, p);
	if (!e)
		e = read_certificate(j, v, ret, &has_x509, p);
	if (!e && has_token + has_basic + has_x509 > 1)
		e = problem_say(p, REGISTRY_E_INVALID, "credentials", "must be an access token, or MQTT ones, or a certificate");
	ret->kind = has_token ? CREDENTIALS_TOKEN : has_basic ? CREDENTIALS_BASIC : has_x509 ? CREDENTIALS_X509 : CREDENTIALS_NONE;
	return e;
}

static void write_word(struct text *t, const char *name, const char *z)
{
	if (*z) {
		json_name(t, name);
		json_puts(t, z);
	}
}

void credentials_write(struct text *t, const struct credentials_wish *w, bool secrets)
{
	static const char *const kinds[] = { "NONE", "ACCESS_TOKEN", "MQTT_BASIC", "X509_CERTIFICATE" };
	json_open(t, '{');
	write_word(t, "credentials_type", kinds[w->kind]);
	if (secrets)
		write_word(t, "access_token", w->token);
	write_word(t, "mqtt_client_id", w->client_id);
	write_word(t, "mqtt_username", w->user);
	if (secrets)
		write_word(t, "mqtt_password", w->password);
	if (w->kind == CREDENTIALS_X509) {
		char hex[2 * SHA256_LEN + 1];
		struct text h = text_fixed(hex, sizeof hex);
		text_hex(&h, w->certificate, SHA256_LEN, false);
		write_word(t, "x509_certificate", hex);
	}
	json_close(t, '}');
}

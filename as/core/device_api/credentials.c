/** @file Credentials of devices: looking them up, changing them, and their records. */
#include "as/core/device_api/credentials.h"
#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX = 4 * (CREDENTIALS_TEXT_MAX + 1), HEAD = 1 + SHA256_LEN, SEALED_MAX = 2 * RECORD_MAX };

/** What is hashed in front of the texts, so that a client id is never taken for a user name. */
enum key_of { KEY_USER = 'u', KEY_CLIENT = 'c', KEY_BOTH = 'b', KEY_CERTIFICATE = 'x' };

static void key_make(enum key_of of, struct str a, struct str b, uint8_t ret[SHA256_LEN])
{
	uint8_t buf[2 * CREDENTIALS_TEXT_MAX + 3];
	struct writer w = writer_of(buf, sizeof buf);
	writer_u8(&w, (uint8_t)of);
	writer_be16(&w, (uint16_t)a.n);
	writer_put(&w, a.p, a.n);
	writer_put(&w, b.p, b.n);
	if (w.failed || crypto_sha256(buf, w.len, ret))
		memset(ret, 0, SHA256_LEN); /* of nobody: longer than anything that is kept */
}

static void key_of_wish(const struct credentials_wish *w, uint8_t ret[SHA256_LEN])
{
	struct str client = str_of(w->client_id), user = str_of(w->user);
	if (w->kind == CREDENTIALS_TOKEN)
		key_make(KEY_USER, str_of(w->token), STR(""), ret);
	else if (w->kind == CREDENTIALS_X509)
		key_make(KEY_CERTIFICATE, (struct str){ (const char *)w->certificate, SHA256_LEN }, STR(""), ret);
	else if (!client.n)
		key_make(KEY_USER, user, STR(""), ret);
	else
		key_make(user.n ? KEY_BOTH : KEY_CLIENT, client, user, ret);
}

static struct credentials *find_key(const struct credential_ring *c, const uint8_t key[SHA256_LEN])
{
	struct credentials *it;
	HASH_FIND(by_key, c->by_key, key, SHA256_LEN, it);
	return it;
}

static struct credentials *find_device(const struct credential_ring *c, uint64_t device)
{
	struct credentials *it;
	HASH_FIND(by_device, c->by_device, &device, sizeof device, it);
	return it;
}

static void release(struct credentials *it)
{
	if (it)
		crypto_forget(it->text, it->n);
	free(it);
}

static void unlink_it(struct credential_ring *c, struct credentials *it)
{
	HASH_DELETE(by_key, c->by_key, it);
	HASH_DELETE(by_device, c->by_device, it);
}

static int link_it(struct credential_ring *c, struct credentials *it)
{
	HASH_ADD(by_key, c->by_key, key, SHA256_LEN, it);
	if (!it->by_key.tbl)
		return -ENOMEM;
	HASH_ADD(by_device, c->by_device, device, sizeof it->device, it);
	if (it->by_device.tbl)
		return 0;
	HASH_DELETE(by_key, c->by_key, it);
	return -ENOMEM;
}

/** The texts one behind another, each terminated. */
static size_t pack(const struct credentials_wish *w, char buf[RECORD_MAX])
{
	const char *const texts[] = { w->token, w->client_id, w->user, w->password };
	size_t n = 0;
	for (size_t i = 0; i < COUNT(texts); i++) {
		size_t len = strlen(texts[i]) + 1;
		memcpy(buf + n, texts[i], len);
		n += len;
	}
	return n;
}

/** @return 0; -EINVAL it is no such thing */
static int unpack(const char *text, size_t n, struct credentials_wish *w)
{
	char *const texts[] = { w->token, w->client_id, w->user, w->password };
	size_t at = 0;
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *end = at < n ? memchr(text + at, '\0', n - at) : NULL;
		if (!end || str_copy((struct str){ text + at, (size_t)(end - text) - at }, texts[i], CREDENTIALS_TEXT_MAX + 1))
			return -EINVAL;
		at = (size_t)(end - text) + 1;
	}
	return at == n ? 0 : -EINVAL;
}

static struct credentials *make(uint64_t device, const struct credentials_wish *w)
{
	char buf[RECORD_MAX];
	size_t n = pack(w, buf);
	struct credentials *it = calloc(1, sizeof *it + n);
	if (it) {
		it->device = device;
		it->kind = w->kind;
		it->n = n;
		memcpy(it->text, buf, n);
		memcpy(it->certificate, w->certificate, SHA256_LEN);
		key_of_wish(w, it->key);
	}
	crypto_forget(buf, sizeof buf);
	return it;
}

/* ---- the store ---- */

static struct slice record_key(uint64_t device, uint8_t buf[8])
{
	struct writer w = writer_of(buf, 8);
	writer_be64(&w, device);
	return (struct slice){ buf, 8 };
}

/** Kind, certificate, sealed texts. */
static int put_record(const struct credential_ring *c, const struct credentials *it)
{
	const struct registry *r = c->registry;
	uint8_t key[8];
	char value[HEAD + SEALED_MAX];
	struct text t = text_fixed(value, sizeof value);
	text_putc(&t, (char)it->kind);
	text_put(&t, (struct str){ (const char *)it->certificate, SHA256_LEN });
	TRY(envelope_seal_text(r->envelope, (struct str){ it->text, it->n }, &t));
	return r->sink.put(r->sink.ctx, REGISTRY_CREDENTIALS, record_key(it->device, key), (struct slice){ (const uint8_t *)value, t.len });
}

int credentials_load(struct credential_ring *c, struct slice key, struct slice value, struct problem *p)
{
	struct reader k = reader_of(key.p, key.n);
	uint64_t device = reader_be64(&k);
	char room[RECORD_MAX + 1];
	struct text text = text_fixed(room, sizeof room);
	struct credentials_wish w = { .kind = CREDENTIALS_NONE };
	if (k.failed || value.n <= HEAD || !value.p[0] || value.p[0] >= CREDENTIALS_KINDS)
		return problem_say(p, REGISTRY_E_INVALID, "", "a device's credentials are damaged");
	if (!registry_device_by_uid(c->registry, device))
		return REGISTRY_E_NOT_FOUND;
	w.kind = (enum credentials_kind)value.p[0];
	memcpy(w.certificate, value.p + 1, SHA256_LEN);
	int r = envelope_open_text(c->registry->envelope, (struct str){ (const char *)value.p + HEAD, value.n - HEAD }, &text);
	if (r || unpack(text.p, text.len, &w) || find_device(c, device))
		return problem_say(p, REGISTRY_E_INVALID, "", r == -EBADMSG ? "a device's credentials are sealed with another as/kek, or damaged"
									      : "a device's credentials are damaged");
	struct credentials *it = make(device, &w);
	r = it ? link_it(c, it) : -ENOMEM;
	if (r)
		release(it);
	crypto_forget(room, sizeof room);
	crypto_forget(&w, sizeof w);
	return r;
}

/* ---- changes ---- */

static int refuse(struct problem *p, const char *field, const char *why)
{
	return problem_say(p, REGISTRY_E_INVALID, field, "%s", why);
}

/** Words that CONNECT takes for something else. */
static int name_check(const struct credential_ring *c, const char *name, const char *field, struct problem *p)
{
	if (!strcmp(name, "provision"))
		return refuse(p, field, "provision is what devices are called that have no credentials yet");
	if (registry_app(c->registry, str_of(name)))
		return problem_say(p, REGISTRY_E_INVALID, field, "an application is called so, and would log in in the device's place");
	return 0;
}

static int wish_check(const struct credential_ring *c, const struct credentials_wish *w, struct problem *p)
{
	if (w->kind == CREDENTIALS_TOKEN)
		return w->token[0] ? name_check(c, w->token, "credentials.access_token", p) : refuse(p, "credentials.access_token", "is empty");
	if (w->kind != CREDENTIALS_BASIC)
		return 0;
	if (!w->client_id[0] && !w->user[0])
		return refuse(p, "credentials.mqtt_username", "is missing; a client id or a user name is what a device is known by");
	if (!w->user[0] && w->password[0])
		return refuse(p, "credentials.mqtt_password", "needs a user name");
	if (str_starts(str_of(w->password), "NNSXS."))
		return refuse(p, "credentials.mqtt_password", "begins as an API key does, and would be taken for one");
	int e = name_check(c, w->client_id, "credentials.mqtt_client_id", p);
	return e ? e : name_check(c, w->user, "credentials.mqtt_username", p);
}

int credentials_check(const struct credential_ring *c, const struct device *d, const struct credentials_wish *w, struct problem *p)
{
	uint8_t key[SHA256_LEN];
	int e = wish_check(c, w, p);
	if (e || w->kind == CREDENTIALS_NONE)
		return e;
	key_of_wish(w, key);
	const struct credentials *other = find_key(c, key);
	if (!other || (d && other->device == d->entry.uid))
		return 0;
	return problem_say(p, REGISTRY_E_EXISTS, "credentials", "another device has these credentials");
}

static void tell(const struct credential_ring *c, uint64_t device)
{
	if (c->watch.fn)
		c->watch.fn(c->watch.ctx, device);
}

static int del_record(const struct credential_ring *c, uint64_t device)
{
	const struct registry *r = c->registry;
	uint8_t key[8];
	return r->sink.del(r->sink.ctx, REGISTRY_CREDENTIALS, record_key(device, key));
}

int credentials_set(struct credential_ring *c, const struct device *d, const struct credentials_wish *w, struct problem *p)
{
	int e = credentials_check(c, d, w, p);
	if (e)
		return e;
	struct credentials *was = find_device(c, d->entry.uid), *it = NULL;
	if (w->kind != CREDENTIALS_NONE) {
		it = make(d->entry.uid, w);
		if (!it)
			return -ENOMEM;
	}
	e = it ? put_record(c, it) : was ? del_record(c, d->entry.uid) : 0;
	if (!e && was)
		unlink_it(c, was);
	if (!e && it)
		e = link_it(c, it);
	if (e) {
		release(it);
		return e;
	}
	release(was);
	tell(c, d->entry.uid);
	return 0;
}

void credentials_make_token(const struct rng *rng, char ret[ACCESS_TOKEN_MADE + 1])
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	for (size_t i = 0; i < ACCESS_TOKEN_MADE; i++)
		ret[i] = letters[rng_below(rng, sizeof letters - 1)];
	ret[ACCESS_TOKEN_MADE] = '\0';
}

static void on_device(void *ctx, struct device *d, enum change change)
{
	struct credential_ring *c = ctx;
	struct credentials *it = find_device(c, d->entry.uid);
	if (change == CHANGE_DELETED && it) {
		(void)del_record(c, d->entry.uid); /* what a full disk leaves goes at the next start */
		unlink_it(c, it);
		release(it);
		tell(c, d->entry.uid);
	}
	if (change == CHANGE_DELETED || it || device_is_lorawan(d))
		return;
	struct credentials_wish w = { .kind = CREDENTIALS_TOKEN };
	credentials_make_token(&c->registry->rng, w.token);
	(void)credentials_set(c, d, &w, NULL);
}

void credentials_init(struct credential_ring *c, struct registry *r)
{
	*c = (struct credential_ring){ .registry = r };
	registry_watch(r, &(struct registry_watch){ .device = on_device, .ctx = c });
}

void credentials_done(struct credential_ring *c)
{
	struct credentials *it, *next;
	HASH_ITER(by_device, c->by_device, it, next) {
		unlink_it(c, it);
		release(it);
	}
	*c = (struct credential_ring){ 0 };
}

int credentials_get(const struct credential_ring *c, uint64_t device, struct credentials_wish *ret)
{
	const struct credentials *it = find_device(c, device);
	*ret = (struct credentials_wish){ .kind = CREDENTIALS_NONE };
	if (!it || unpack(it->text, it->n, ret))
		return -ENOENT;
	ret->kind = it->kind;
	memcpy(ret->certificate, it->certificate, SHA256_LEN);
	return 0;
}

bool credentials_eq(const struct credentials_wish *a, const struct credentials_wish *b)
{
	return a->kind == b->kind && !strcmp(a->token, b->token) && !strcmp(a->client_id, b->client_id) && !strcmp(a->user, b->user) &&
	       !strcmp(a->password, b->password) && !memcmp(a->certificate, b->certificate, SHA256_LEN);
}

/* ---- who is it ---- */

static const struct credentials *find_shown(const struct credential_ring *c, enum key_of of, struct str a, struct str b)
{
	uint8_t key[SHA256_LEN];
	key_make(of, a, b, key);
	return find_key(c, key);
}

static bool password_fits(const struct credentials *it, struct str password)
{
	struct credentials_wish w = { .kind = CREDENTIALS_NONE };
	if (it->kind == CREDENTIALS_TOKEN)
		return true; /* it is all that counts */
	if (unpack(it->text, it->n, &w))
		return false;
	struct str own = str_of(w.password);
	bool fits = !own.n || (own.n == password.n && crypto_equal(own.p, password.p, own.n));
	crypto_forget(&w, sizeof w);
	return fits;
}

int credentials_judge(const struct credential_ring *c, const struct credentials_shown *s, uint64_t *ret)
{
	const struct credentials *it = NULL;
	if (s->certificate)
		it = find_shown(c, KEY_CERTIFICATE, (struct str){ (const char *)s->certificate, SHA256_LEN }, STR(""));
	if (!it && s->user.n && s->client_id.n)
		it = find_shown(c, KEY_BOTH, s->client_id, s->user);
	if (!it && s->user.n)
		it = find_shown(c, KEY_USER, s->user, STR(""));
	else if (!it && s->client_id.n)
		it = find_shown(c, KEY_CLIENT, s->client_id, STR(""));
	if (!it)
		return s->user.n ? -ENOENT : -EINVAL;
	if (it->kind == CREDENTIALS_BASIC && !password_fits(it, s->password))
		return -EINVAL;
	*ret = it->device;
	return 0;
}

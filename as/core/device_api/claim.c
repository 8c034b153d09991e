/** @file Claims: what a device offers, and whether somebody may take it. */
#include "as/core/device_api/claim.h"
#include <string.h>

enum { DURATION_MAX_MS = 1000000000 };

int claim_read(const struct json *j, uint64_t now_unix_us, uint64_t usual_us, struct claim *ret)
{
	char secret[CLAIM_SECRET_MAX + 1] = "";
	int64_t ms = 0;
	if (j && json_type(j, json_root(j)) != JSON_OBJECT)
		return -EBADMSG;
	int r = j ? json_string(j, json_get(j, json_root(j), "secretKey"), secret, sizeof secret) : -ENOENT;
	int q = j ? json_i64(j, json_get(j, json_root(j), "durationMs"), &ms) : -ENOENT;
	if ((r && r != -ENOENT) || (q && q != -ENOENT))
		return -EBADMSG;
	struct str s = str_of(secret);
	uint64_t us = ms <= 0 ? usual_us : (uint64_t)(ms < DURATION_MAX_MS ? ms : DURATION_MAX_MS) * MS_US;
	*ret = (struct claim){ .expires_unix_us = now_unix_us + us };
	return crypto_sha256(s.p, s.n, ret->secret) ? -EBADMSG : 0;
}

bool claim_offer(struct claim *c, const struct claim *offer, uint64_t now_unix_us)
{
	if (c->claimed_unix_us || c->expires_unix_us > now_unix_us)
		return false;
	*c = *offer;
	return true;
}

enum claim_outcome claim_take(struct claim *c, struct str secret, uint64_t now_unix_us)
{
	uint8_t hash[SHA256_LEN];
	if (c->claimed_unix_us)
		return CLAIM_CLAIMED;
	bool is_right = c->expires_unix_us > now_unix_us && !crypto_sha256(secret.p, secret.n, hash) && crypto_equal(hash, c->secret, sizeof hash);
	c->expires_unix_us = 0;
	if (!is_right)
		return CLAIM_FAILURE;
	c->claimed_unix_us = now_unix_us;
	return CLAIM_SUCCESS;
}

void claim_pack(const struct claim *c, uint8_t ret[CLAIM_RECORD])
{
	struct writer w = writer_of(ret, CLAIM_RECORD);
	writer_be64(&w, c->expires_unix_us);
	writer_be64(&w, c->claimed_unix_us);
	writer_put(&w, c->secret, sizeof c->secret);
}

int claim_unpack(struct slice s, struct claim *ret)
{
	struct reader r = reader_of(s.p, s.n);
	ret->expires_unix_us = reader_be64(&r);
	ret->claimed_unix_us = reader_be64(&r);
	struct slice secret = reader_take(&r, sizeof ret->secret);
	if (r.failed || s.n != CLAIM_RECORD)
		return -EPROTO;
	memcpy(ret->secret, secret.p, sizeof ret->secret);
	return 0;
}

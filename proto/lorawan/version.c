/** @file The version tables and the many spellings of their rows. */
#include "proto/lorawan/version.h"
#include <string.h>

static const struct mac_rules mac_rows[] = {
#define PHY_VERSION(...)
#define MAC_VERSION(symbol, number, json_name, plain_name, usual, gap, rises, c32, nbt, keep, block, single, drops, v11) \
	{ .version = symbol, .usual_phy = usual, .json = json_name, .plain = plain_name, .has_max_gap = gap,             \
		.nonce_rises = rises, .has_cnt32 = c32, .nb_trans_confirmed = nbt, .keep_15 = keep, .adr_block = block,  \
		.single_adr_ans = single, .drops_long = drops, .is_v11 = v11 },
#include "proto/lorawan/versions.def"
#undef MAC_VERSION
#undef PHY_VERSION
};

struct phy_row {
	enum phy_version version;
	const char *json, *plain, *other;
};

static const struct phy_row phy_rows[] = {
#define MAC_VERSION(...)
#define PHY_VERSION(symbol, number, json_name, plain_name, other_name) { symbol, json_name, plain_name, other_name },
#include "proto/lorawan/versions.def"
#undef MAC_VERSION
#undef PHY_VERSION
};

static const struct phy_row *phy_row(uint32_t version)
{
	for (size_t i = 0; i < COUNT(phy_rows); i++)
		if (phy_rows[i].version == version)
			return &phy_rows[i];
	return NULL;
}

const struct mac_rules *mac_rules(uint32_t version)
{
	for (size_t i = 0; i < COUNT(mac_rows); i++)
		if (mac_rows[i].version == version)
			return &mac_rows[i];
	return NULL;
}

enum { SPELLING_MAX = 24 };

/** Cut the next word off, in lower case, at `.`, `_` or `-`. false: too long for any row. */
static bool word_take(struct str *s, char ret[SPELLING_MAX], size_t *ret_n)
{
	size_t n = 0;
	while (s->n && s->p[0] != '.' && s->p[0] != '_' && s->p[0] != '-') {
		if (n == SPELLING_MAX)
			return false;
		ret[n++] = (char)(s->p[0] >= 'A' && s->p[0] <= 'Z' ? s->p[0] | 0x20 : s->p[0]);
		s->p++, s->n--;
	}
	if (s->n)
		s->p++, s->n--;
	*ret_n = n;
	return true;
}

static bool word_says_nothing(struct str word)
{
	return str_is(word, "mac") || str_is(word, "phy") || str_is(word, "rp001") || str_is(word, "ts001") || str_is(word, "rev");
}

/** Bring a spelling to its bones: lower case words joined by dots, without prefixes and without "rev", so that
 * "PHY_V1_0_3_REV_A" and "1.0.3-a" are one. "rp002" stays, as its numbers count from 1.0.0 again. */
static bool spelling_reduce(struct str s, char ret[SPELLING_MAX])
{
	size_t n = 0;
	while (s.n) {
		char buf[SPELLING_MAX];
		struct str word = { .p = buf };
		if (!word_take(&s, buf, &word.n))
			return false;
		if (word_says_nothing(word))
			continue;
		if (word.n > 1 && word.p[0] == 'v')
			word.p++, word.n--;
		if (n + word.n + 2 > SPELLING_MAX)
			return false;
		if (n)
			ret[n++] = '.';
		memcpy(ret + n, word.p, word.n);
		n += word.n;
	}
	ret[n] = '\0';
	return n > 0;
}

/** Does a reduced spelling name this row? Trailing parts that are ".0" or a revision may be left out. */
static bool spelling_fits(const char *reduced, const char *plain)
{
	char row[SPELLING_MAX];
	if (!spelling_reduce(str_of(plain), row))
		return false;
	struct str s = str_of(reduced), full = str_of(row);
	if (!str_starts(full, reduced))
		return false;
	struct str rest = { full.p + s.n, full.n - s.n };
	while (rest.n >= 2 && rest.p[0] == '.' && (rest.p[1] == '0' || rest.p[1] == 'a' || rest.p[1] == 'b'))
		rest.p += 2, rest.n -= 2;
	return rest.n == 0;
}

int mac_version_parse(struct str s, enum mac_version *ret)
{
	char reduced[SPELLING_MAX];
	if (!spelling_reduce(s, reduced) || str_of(reduced).n < 3)
		return -EINVAL;
	for (size_t i = 0; i < COUNT(mac_rows); i++) {
		if (!spelling_fits(reduced, mac_rows[i].plain))
			continue;
		*ret = mac_rows[i].version;
		return 0;
	}
	return -EINVAL;
}

int phy_version_parse(struct str s, enum phy_version *ret)
{
	char reduced[SPELLING_MAX];
	if (!spelling_reduce(s, reduced))
		return -EINVAL;
	struct str bones = str_of(reduced);
	if (bones.n < 3 || str_is(bones, "rp002") || str_is(bones, "rp002.1"))
		return -EINVAL;
	enum phy_version found = RP_NONE;
	size_t found_len = SPELLING_MAX;
	/* "1.0" is 1.0.0 and not 1.0.2, but "1.0.2" is the last revision of 1.0.2: of the rows that fit, the shortest
	 * name wins, and among equals the last. "1.0" only fits rows that go on with .0. */
	for (size_t i = 0; i < COUNT(phy_rows); i++) {
		size_t len = str_of(phy_rows[i].plain).n;
		if (spelling_fits(reduced, phy_rows[i].plain) && len <= found_len)
			found = phy_rows[i].version, found_len = len;
	}
	if (found == RP_NONE)
		return -EINVAL;
	*ret = found;
	return 0;
}

const char *mac_version_json(uint32_t version)
{
	const struct mac_rules *r = mac_rules(version);
	return r ? r->json : "";
}

const char *mac_version_plain(uint32_t version)
{
	const struct mac_rules *r = mac_rules(version);
	return r ? r->plain : "";
}

const char *phy_version_json(uint32_t version)
{
	const struct phy_row *r = phy_row(version);
	return r ? r->json : "";
}

const char *phy_version_plain(uint32_t version)
{
	const struct phy_row *r = phy_row(version);
	return r ? r->plain : "";
}

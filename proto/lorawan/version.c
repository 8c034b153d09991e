/** @file The version tables and the many spellings of their rows. */
#include "proto/lorawan/version.h"
#include <string.h>

static const struct mac_rules mac_rows[] = {
#define PHY_VERSION(...)
#define MAC_VERSION(symbol, number, json_name, plain_name, usual, ...) \
	{ symbol, usual, json_name, plain_name, __VA_ARGS__ },
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
#define PHY_VERSION(symbol, number, json_name, plain_name, other_name)                                       \
	{ symbol, json_name, plain_name, other_name },
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

enum { WORD_MAX = 8, NUMBERS = 3 };

/** A spelling taken apart: [rp002-]1.0.3[-a]. */
struct spelling {
	bool is_rp002;
	unsigned n_numbers;
	uint8_t number[NUMBERS];
	char revision; /**< 0: none given */
};

/** Cut the next word off, in lower case, at `.`, `_` or `-`. false: longer than any word of a version. */
static bool word_take(struct str *s, char buf[WORD_MAX], struct str *ret)
{
	size_t n = 0;
	for (; s->n && s->p[0] != '.' && s->p[0] != '_' && s->p[0] != '-'; s->p++, s->n--) {
		if (n == WORD_MAX)
			return false;
		buf[n++] = (char)(s->p[0] >= 'A' && s->p[0] <= 'Z' ? s->p[0] | 0x20 : s->p[0]);
	}
	if (s->n)
		s->p++, s->n--;
	*ret = (struct str){ buf, n };
	return true;
}

static bool is_prefix(struct str word)
{
	static const char *const prefixes[] = { "mac", "phy", "rp001", "ts001", "rp002" };
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (str_is(word, prefixes[i]))
			return true;
	return false;
}

static bool number_place(struct str word, struct spelling *sp)
{
	uint64_t number;
	if (word.n == 2 && word.p[0] == 'v' && sp->n_numbers == 0)
		word.p++, word.n--;
	if (word.n != 1 || num_u64(word, &number) || sp->n_numbers == NUMBERS)
		return false;
	sp->number[sp->n_numbers++] = (uint8_t)number;
	return true;
}

/** Take a word into a spelling: prefixes, numbers, then a revision. false: it has no place there. */
static bool word_place(struct str word, struct spelling *sp)
{
	if (is_prefix(word)) {
		sp->is_rp002 |= str_is(word, "rp002");
		return sp->n_numbers == 0;
	}
	if (sp->revision)
		return false;
	if (str_is(word, "rev"))
		return sp->n_numbers > 1;
	if (sp->n_numbers > 1 && word.n == 1 && word.p[0] >= 'a' && word.p[0] <= 'z') {
		sp->revision = word.p[0];
		return true;
	}
	return number_place(word, sp);
}

static bool spelling_read(struct str s, struct spelling *ret)
{
	struct spelling sp = { 0 };
	while (s.n) {
		char buf[WORD_MAX];
		struct str word;
		if (!word_take(&s, buf, &word) || !word_place(word, &sp))
			return false;
	}
	*ret = sp;
	return sp.n_numbers > 1;
}

/** Does a spelling name this row? Its revision may be left out. */
static bool spelling_fits(const struct spelling *sp, const char *plain)
{
	struct spelling row;
	return spelling_read(str_of(plain), &row) && sp->is_rp002 == row.is_rp002 &&
	       memcmp(sp->number, row.number, sizeof row.number) == 0 &&
	       (!sp->revision || sp->revision == row.revision);
}

int mac_version_parse(struct str s, enum mac_version *ret)
{
	struct spelling sp;
	if (!spelling_read(s, &sp) || sp.revision)
		return -EINVAL;
	for (size_t i = 0; i < COUNT(mac_rows); i++) {
		if (!spelling_fits(&sp, mac_rows[i].plain))
			continue;
		*ret = mac_rows[i].version;
		return 0;
	}
	return -EINVAL;
}

int phy_version_parse(struct str s, enum phy_version *ret)
{
	struct spelling sp;
	enum phy_version found = RP_NONE;
	if (!spelling_read(s, &sp))
		return -EINVAL;
	for (size_t i = 0; i < COUNT(phy_rows); i++) {
		/* "RP001_V1_0_2" was given to revision A before there was a B. */
		if (str_is(s, phy_rows[i].other)) {
			found = phy_rows[i].version;
			break;
		}
		if (spelling_fits(&sp, phy_rows[i].plain))
			found = phy_rows[i].version;
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

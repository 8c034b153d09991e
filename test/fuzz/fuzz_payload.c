/** @file What devices and scripts say of their payloads: CayenneLPP decodes to JSON that encodes to CayenneLPP of the same meaning; and
 * JSON of a script is checked, and looked through for a location. */
#include "as/core/formatters/cayenne.h"
#include "as/core/formatters/location.h"
#include "as/core/formatters/normalized.h"
#include "common/core/json.h"
#include <stdlib.h>
#include <string.h>

static char one[16384], two[16384], words[1024];

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_json(struct str s)
{
	static struct json_tok tok[16384];
	struct json j;
	require(!json_parse(s, tok, COUNT(tok), &j, NULL));
}

static void of_octets(struct slice payload)
{
	struct text a = text_fixed(one, sizeof one), b = text_fixed(two, sizeof two), why = text_fixed(words, sizeof words);
	uint8_t out[CAYENNE_BYTES_MAX];
	size_t n;
	if (!cayenne_decode_down(&a, payload, &why))
		require_json(text_str(&a));
	text_reset(&a);
	text_reset(&why);
	if (cayenne_decode(&a, payload, &why)) {
		require(why.len && !a.len);
		return;
	}
	require(!a.failed);
	require_json(text_str(&a));
	if (cayenne_encode(text_str(&a), out, &n, &why)) {
		require(!payload.n);
		return;
	}
	require(n <= payload.n && !cayenne_decode(&b, (struct slice){ out, n }, &why));
	require(str_eq(text_str(&a), text_str(&b)));
}

/** What was found valid is valid altogether. */
static void of_valid(const struct normalized *v)
{
	struct text why = text_fixed(words, sizeof words);
	struct normalized again = { 0 };
	require(!normalized_check(&again, text_str(&v->valid), STR(""), &why));
	require(!again.warnings.len && str_eq(text_str(&again.valid), text_str(&v->valid)));
	normalized_done(&again);
}

static void of_json(struct str json)
{
	struct text why = text_fixed(words, sizeof words), t = text_fixed(one, sizeof one);
	struct normalized v = { 0 };
	struct tts_location l;
	uint8_t out[CAYENNE_BYTES_MAX];
	size_t n;
	if (!cayenne_encode(json, out, &n, &why))
		require(n && n <= sizeof out);
	if (!normalized_check(&v, json, STR(""), &why)) {
		for (size_t i = 0; i < v.n; i++)
			require_json(normalized_at(&v, i));
		if (v.n)
			of_valid(&v);
	}
	normalized_done(&v);
	if (location_find(json, &l)) {
		tts_location_object(&t, &l);
		require_json(text_str(&t));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	of_octets((struct slice){ data, size });
	of_json((struct str){ (const char *)data, size });
	return 0;
}

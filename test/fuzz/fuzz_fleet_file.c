/** @file Fuzzes the file of an import: devices come out of it until it ends, and of a JSON array of objects all of them, as they are. */
#include "as/cli/fleet.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { TOKENS = 8192 };

/** An array of nothing but objects, and no list of devices inside the first, which would be gone into. */
static bool is_plain_array(struct str text, struct json *j)
{
	static struct json_tok tok[TOKENS];
	if (json_parse(text, tok, TOKENS, j, NULL) || json_type(j, json_root(j)) != JSON_ARRAY || memchr(text.p, '\0', text.n))
		return false;
	for (json_val v = json_first(j, json_root(j)); v >= 0; v = json_next(j, v))
		if (json_type(j, v) != JSON_OBJECT || json_get(j, v, "end_devices") >= 0)
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fleet_file f = { .line = 1, .json = text_growing(1 << 20) };
	struct json j;
	char buf[256];
	bool is_array = n && is_plain_array((struct str){ (const char *)data, n }, &j);
	json_val want = is_array ? json_first(&j, json_root(&j)) : -1;
	int r = FLEET_DEVICE;
	csv_init(&f.csv);
	f.f = n ? fmemopen((void *)(uintptr_t)data, n, "r") : NULL;
	while (f.f && r >= 0 && r != FLEET_END) {
		struct text why = text_fixed(buf, sizeof buf);
		r = fleet_file_next(&f, &why);
		assert(f.octets <= n && f.item_line <= f.line);
		assert(r == FLEET_DEVICE || r == FLEET_END || why.len);
		if (!is_array)
			continue;
		assert((r == FLEET_DEVICE) == (want >= 0) && r >= 0);
		if (want >= 0)
			assert(str_eq(text_str(&f.json), json_whole(&j, want)));
		want = want >= 0 ? json_next(&j, want) : -1;
	}
	if (f.f)
		fclose(f.f);
	f.f = NULL;
	fleet_file_close(&f);
	return 0;
}

/** @file Records of series: whatever a chunk or a head holds, reading ends, and what was read can be written, reads as the same, and be split. */
#include "as/core/series/names.h"
#include "as/core/series/split.h"
#include "common/core/seal.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { BYTES = 256 << 10, RECORD_MAX = 8192 };
static uint8_t written[BYTES];
static struct rows reading, writing, checking;
static struct row row, again;

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void check_same(const struct row *a, const struct row *b)
{
	expect(a->ts_ms == b->ts_ms && a->n == b->n);
	for (size_t i = 0; i < a->n; i++)
		expect(str_eq(a->v[i].key, b->v[i].key) && value_eq(&a->v[i].value, &b->v[i].value));
}

/** Write what the chunk holds. @return how many rows */
static size_t rewrite(struct slice chunk, struct writer *w)
{
	size_t n = 0;
	rows_begin(&writing, w);
	if (rows_open(&reading, chunk))
		return 0;
	while (!rows_next(&reading, &row))
		if (rows_add(&writing, w, row.ts_ms, row.v, row.n))
			return n;
		else
			n++;
	return n;
}

/** Skipping values leaves the same behind as reading them. */
static void check_skipping(struct slice chunk)
{
	int64_t ts_ms;
	int r = 0;
	if (rows_open(&reading, chunk) || rows_open(&checking, chunk))
		return;
	while (!r) {
		r = rows_next(&reading, &row);
		expect(rows_skip(&checking, &ts_ms) == r);
		expect(r != 0 || ts_ms == row.ts_ms);
	}
	for (size_t i = 0; r == -ENOENT && i < reading.n_slots; i++)
		expect(reading.slots[i].number == checking.slots[i].number && str_eq(reading.slots[i].text, checking.slots[i].text));
}

static int put_part(void *ctx, int64_t first_ms, struct slice part)
{
	int64_t *last_ms = ctx;
	expect(rows_open(&checking, part) == 0);
	int r;
	while (!(r = rows_next(&checking, &again))) {
		expect(again.ts_ms >= *last_ms);
		*last_ms = again.ts_ms;
	}
	(void)first_ms;
	expect(r == -ENOENT);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t sealed[RECORD_MAX];
	struct names names = { 0 }, names_again = { 0 };
	if (n > RECORD_MAX || n < ROWS_HEAD)
		return 0;
	/* As it is, and with the check that it should have. */
	if (!rows_open(&reading, (struct slice){ data, n }))
		while (!rows_next(&reading, &row))
			;
	memcpy(sealed, data, n);
	seal_close(sealed, n);
	check_skipping((struct slice){ sealed, n });
	struct slice chunk = { sealed, n };
	struct writer w = writer_of(written, sizeof written);
	size_t rows = rewrite(chunk, &w);
	struct slice copy = rows_seal(&w);
	expect(rows_open(&reading, chunk) == 0 && rows_open(&checking, copy) == 0);
	for (size_t i = 0; i < rows; i++) {
		expect(rows_next(&reading, &row) == 0 && rows_next(&checking, &again) == 0);
		check_same(&row, &again);
	}
	expect(rows_next(&checking, &again) == -ENOENT);
	int64_t last_ms = 0;
	struct reading v = { STR("fuzz"), value_of_long(1) };
	int r = split_chunk(chunk, 0, &(struct row_of){ 1000, &v, 1 }, &(struct split_to){ 100, BYTES, put_part, &last_ms });
	expect(r == 0 || r == SPLIT_E_LARGE || r == -EBADMSG);
	if (!names_read(&names, chunk, 0)) {
		w = writer_of(written, sizeof written);
		expect(names_write(&names, (struct slice){ 0 }, &w) == 0);
		expect(names_read(&names_again, (struct slice){ w.p, w.len }, 0) == 0 && names.n == names_again.n);
		for (size_t i = 0; i < names.n; i++)
			expect(str_eq(names.v[i].name, names_again.v[i].name) && value_eq(&names.v[i].value, &names_again.v[i].value));
	}
	names_done(&names);
	names_done(&names_again);
	return 0;
}

/** @file A CSV of end devices: rows read one character at a time, and devices as JSON from rows and back.
 *
 * As The Things Stack has it: a header names the columns (unknown ones are passed over), `;` or `,` stands between, whichever the
 * header has; quotes hold separators, line breaks and doubled quotes.
 */
#pragma once
#include "as/cli/cli.h"

enum { CSV_COLUMNS = 96, CSV_ROW_MAX = 256 * 1024 };

struct csv {
	struct text cells;         /**< of this row, each with its terminator */
	size_t at[CSV_COLUMNS], n; /**< where each begins */
	char sep;                  /**< 0: the header has not told yet */
	bool is_quoted, was_quote, is_cell; /**< inside quotes; the last was one, which may be the first of two; the cell has begun */
	bool is_bad;               /**< the row holds too much, or a quote is in the wrong place */
	bool has_header;
	size_t n_columns;
	const struct flag *column[CSV_COLUMNS]; /**< NULL: unknown */
};

void csv_init(struct csv *c);
void csv_done(struct csv *c);
/** Take the next character; EOF ends the last row.
 * @return true: a row is whole, ready for csv_header or csv_device; empty lines are none */
bool csv_take(struct csv *c, int ch);
/** The row names the columns. @return 0; -EINVAL with a line in *err: it names none that is known */
int csv_header(struct csv *c, struct text *err);
/** The row as an end device. Empty cells say nothing; without an id, it is "eui-" and the DevEUI; with a root key, the device joins.
 * @return 0; -EINVAL with a line in *err */
int csv_device(struct csv *c, struct text *ret_json, struct text *err);

/** The header of an export. */
void csv_write_header(struct text *t);
/** A device as a row of it. */
void csv_write_device(struct text *t, const struct json *j, json_val device);

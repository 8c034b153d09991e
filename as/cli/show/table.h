/** @file --table: a list as rows and columns, one object as a sheet; for people. */
#pragma once
#include "as/cli/show/cell.h"

enum { TABLE_COLUMNS = 16, TABLE_CELL = 4096 };

struct column {
	const char *object, *heading, *path;
	enum cell_kind kind;
};

/** Rows are taken until they are printed; a long list is printed piece by piece, and a later piece may widen a column. */
struct table {
	struct column col[TABLE_COLUMNS];
	size_t n, width[TABLE_COLUMNS];
	bool has_any[TABLE_COLUMNS]; /**< something but the heading */
	size_t terminal;             /**< columns of it */
	bool is_begun;               /**< the headings are printed */
	struct text cells;           /**< what is not printed yet: NUL after each */
};

/** What a document says about a row, besides what the row does. */
struct row {
	const struct json *j;
	json_val v;
	const struct json *more; /**< may be NULL */
};

/** @param object  as in columns.def
 * @param fields  paths with commas between, which are shown instead; NULL
 * @return 0; -ENOENT there are no columns for it and none are said; -E2BIG too many fields */
int table_begin(struct table *t, const char *object, const char *fields);
void table_row(struct table *t, const struct row *r);
/** Print what has been taken. @param is_whole  nothing was printed before or comes after: empty columns are left out */
void table_print(struct table *t, bool is_whole);
void table_done(struct table *t);
/** Does any column look further than the row? */
bool table_wants_more(const struct table *t);

/** One object: a line for each member, lists of objects as tables below. */
void table_sheet(const struct json *j, json_val object);

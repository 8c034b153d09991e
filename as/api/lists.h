/** @file Lists over HTTP: searched, sorted, in pages, with the members that were asked for. */
#pragma once
#include "as/api/api.h"

/** What rows are sorted by (?order=name, ?order=-name) and searched in. */
struct api_column {
	const char *name;
	const char *contains; /**< the parameter that searches it: "name_contains"; NULL: none */
	void (*get)(const void *object, struct text *ret); /**< as a text whose order is the rows' */
};

struct api_listing {
	const char *member; /**< "applications" */
	const struct api_column *columns;
	size_t n_columns;
	void (*write)(struct api_call *c, const void *object);
	/** Rows beyond those that were added, where all are asked for; NULL: none. */
	void (*more)(struct api_call *c);
};

struct api_rows {
	const void **v;
	size_t n, cap;
	bool failed;
};

/** Add an object to the list if it is what the query searches for. */
void api_rows_add(struct api_call *c, const struct api_listing *l, struct api_rows *rows, const void *object);
/** Answer with them: sorted, the page that is asked for, X-Total-Count with how many there are. Frees the rows. */
void api_rows_reply(struct api_call *c, const struct api_listing *l, struct api_rows *rows);
/** Write an object with the members that the mask names, and those that every object has. */
void api_masked(struct text *out, struct str object, const struct field_mask *mask);
/** A time as a text that is sorted as it is. */
void api_sortable(struct text *ret, uint64_t unix_us);

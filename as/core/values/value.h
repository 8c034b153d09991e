/** @file The values of telemetry and attributes, ThingsBoard's five kinds, out of JSON and back.
 *
 * Numbers: whole without a point, or with an exponent and whole (1e5), are long; others double. What neither can hold as it stands (beyond
 * 64 bits, more than 16 digits behind the point) becomes a string, also where strings do not become numbers. Strings that read as numbers ("25", "-3.50", ".5") become numbers
 * where the rules say so.
 */
#pragma once
#include "common/core/json.h"

enum value_kind { VALUE_BOOLEAN, VALUE_LONG, VALUE_DOUBLE, VALUE_STRING, VALUE_JSON, VALUE_KIND_N };

struct value {
	enum value_kind kind;
	union {
		bool truth;
		int64_t whole;
		double real;     /**< finite */
		struct str text; /**< of a string, unescaped; of JSON, as it is written; borrowed; well-formed UTF-8, no U+0000 */
	};
};

struct value_rules {
	bool casts;            /**< strings that read as numbers are numbers */
	size_t max_text_bytes; /**< of a string or JSON; 0: as long as it may be */
};

enum { VALUE_NUMBER_TEXT = 40 /**< the longest text that a number becomes, but for one that is longer as it stands */ };

/** Read a value.
 * @param words  where strings go that cannot be borrowed from the document; it must not grow. Enough is what the document has
 *               characters, and VALUE_NUMBER_TEXT for each number that has an exponent
 * @return 0; VALUE_E_NULL it is null; -E2BIG a text is too long; -EINVAL absent, or U+0000; -ENOSPC no room in words */
enum { VALUE_E_NULL = 1 };
int value_read(const struct json *j, json_val v, const struct value_rules *rules, struct text *words, struct value *ret);

/** Write it as JSON. A double has a point or an exponent, and reads as the same double. */
void value_json(struct text *t, const struct value *v);
/** Octets of its text; 0: it has none. */
size_t value_text_bytes(const struct value *v);
bool value_eq(const struct value *a, const struct value *b);
/** As a number, if it is a long or a double. @return whether it is */
bool value_number(const struct value *v, double *ret);
/** Write a number as value_json does. */
void value_double_json(struct text *t, double d);

struct value value_of_bool(bool truth);
struct value value_of_long(int64_t whole);
struct value value_of_double(double real);
struct value value_of_text(struct str text);

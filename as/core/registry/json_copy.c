/** @file Copying and merging JSON values. */
#include "as/core/registry/json_copy.h"
#include <string.h>

/** A string as it came, between quotes: the reader has checked its escapes, and refused bare control
 * characters. */
static void copy_string(struct text *t, struct str s)
{
	text_putc(t, '"');
	text_put(t, s);
	text_putc(t, '"');
}

static void copy_value(struct text *t, const struct json *j, json_val v, int depth);

static void copy_container(struct text *t, const struct json *j, json_val v, int depth)
{
	bool object = json_type(j, v) == JSON_OBJECT;
	text_putc(t, object ? '{' : '[');
	bool first = true;
	for (json_val m = json_first(j, v); m >= 0; m = json_next(j, m)) {
		if (!first)
			text_putc(t, ',');
		first = false;
		if (object) {
			copy_string(t, json_raw(j, m));
			text_putc(t, ':');
			copy_value(t, j, json_member_value(j, m), depth - 1);
		} else {
			copy_value(t, j, m, depth - 1);
		}
	}
	text_putc(t, object ? '}' : ']');
}

static void copy_value(struct text *t, const struct json *j, json_val v, int depth)
{
	if (depth == 0) {
		text_puts(t, "null");
		return;
	}
	switch (json_type(j, v)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		copy_container(t, j, v, depth);
		break;
	case JSON_STRING:
		copy_string(t, json_raw(j, v));
		break;
	case JSON_NONE:
		text_puts(t, "null");
		break;
	default:
		text_put(t, json_raw(j, v));
	}
}

void json_copy(struct text *t, const struct json *j, json_val v)
{
	if (v >= 0)
		copy_value(t, j, v, JSON_DEPTH);
}

static json_val member_named(const struct json *j, json_val object, struct str name)
{
	for (json_val m = json_first(j, object); m >= 0; m = json_next(j, m))
		if (str_eq(json_raw(j, m), name))
			return json_member_value(j, m);
	return -1;
}

static void put_member(struct text *t, const struct json *j, json_val name, bool *first)
{
	if (!*first)
		text_putc(t, ',');
	*first = false;
	copy_string(t, json_raw(j, name));
	text_putc(t, ':');
	copy_value(t, j, json_member_value(j, name), JSON_DEPTH);
}

void json_merge(struct text *t, const struct json *jo, json_val old, const struct json *ja, json_val add)
{
	bool first = true;
	text_putc(t, '{');
	if (old >= 0 && json_type(jo, old) == JSON_OBJECT)
		for (json_val m = json_first(jo, old); m >= 0; m = json_next(jo, m))
			if (member_named(ja, add, json_raw(jo, m)) < 0)
				put_member(t, jo, m, &first);
	for (json_val m = json_first(ja, add); m >= 0; m = json_next(ja, m))
		if (json_type(ja, json_member_value(ja, m)) != JSON_NULL)
			put_member(t, ja, m, &first);
	text_putc(t, '}');
}

/** @file --fields: of an object only what is asked for. */
#pragma once
#include "common/core/json.h"

/** Append the value with only these members: "a,b.c" with commas between. In a list, of each of its elements. */
void select_write(struct text *t, const struct json *j, json_val v, const char *fields);
/** Is something asked for that is this member, or inside it, or that it is inside of? */
bool select_touches(const char *fields, const char *path);

/** @file One value of an answer as people read it. */
#pragma once
#include "common/core/json.h"

enum cell_kind {
	CELL_TEXT,     /**< may be cut */
	CELL_WORD, CELL_NUMBER, CELL_TIME, CELL_TIME_MS, CELL_EXPIRY, CELL_YES, CELL_LIST, CELL_DATA, CELL_VERSION, CELL_RIGHTS, CELL_PERCENT,
	CELL_PRIORITY, CELL_GATEWAYS, CELL_MHZ,
	CELL_ANY,      /**< what it looks like */
	/* Of a whole object: */
	CELL_APP_ID, CELL_CLASS, CELL_ADDRESS, CELL_CONNECTED, CELL_OCTETS, CELL_WHO, CELL_BAND
};

/** The value at a path such as "ids.device_id"; "" is the object itself. Negative: absent. */
json_val cell_at(const struct json *j, json_val object, struct str path);
/** Append it, safe to print; nothing where it is absent. */
void cell_write(struct text *t, enum cell_kind kind, const struct json *j, json_val v);
/** Do its columns stand at the right side? */
bool cell_is_number(enum cell_kind kind);
/** Which kind is a value that no table says? */
enum cell_kind cell_guess(const struct json *j, json_val v);

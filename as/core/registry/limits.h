/** @file What the application server keeps at most, and for whom it is charged. */
#pragma once

enum {
	APPS_MAX = 100000,
	DEVICES_MAX = 2000000,
	GATEWAYS_MAX = 200000,
	API_KEYS_PER_ENTITY_MAX = 100,
	NAME_TEXT_MAX = 100, /**< characters of a name, octets of UTF-8 */
	DESCRIPTION_TEXT_MAX = 2000,
	JSON_TEXT_MAX = 16384,        /**< attributes and other JSON kept as it came [octets] */
	RECORD_TEXT_MAX = 1024 * 1024, /**< a whole record as JSON, two scripts with all of their escapes included [octets] */
	RECORD_TOKENS_MAX = 4096,     /**< JSON tokens of a record or of a request */
	TOMBSTONES_MAX = 10000, /**< deletions remembered for replicas; one that is further behind is sent
				   everything */
};

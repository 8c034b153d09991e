/** @file Topic names and topic filters: what is well-formed, what matches [MQTT311 4.7]. */
#pragma once
#include "common/core/text.h"

/** The deepest topic or filter taken. */
enum { MQTT_LEVELS_MAX = 128 };

/** A string as this project takes it: well-formed UTF-8 without U+0000, control characters and non-characters
 * [MQTT311 1.5.3-1, 1.5.3-2 and the SHOULD after it]. */
bool mqtt_string_valid(struct str s);
/** May it be published to? At least one octet, no wildcard, not too deep; s is a valid string. */
bool mqtt_topic_valid(struct str topic);
/** May it be subscribed to? `#` last and alone in its level, `+` alone in its level; s is a valid string. Depth is not looked at. */
bool mqtt_filter_valid(struct str filter);
size_t mqtt_topic_levels(struct str s);
/** Take the first level off *s, which may be empty; *ret_more: another one follows. */
struct str mqtt_level_take(struct str *s, bool *ret_more);
/** Does a valid filter match a valid topic? Wildcards at the start never match a leading `$` [MQTT311 4.7.2-1]. */
bool mqtt_topic_match(struct str filter, struct str topic);
/** Take `$share/GROUP/FILTER` apart.
 * @return 0 and *ret_group, *ret_filter; 1 not a shared subscription (*ret_filter is all of it); -EINVAL malformed [MQTT5 4.8.2] */
int mqtt_topic_share(struct str s, struct str *ret_group, struct str *ret_filter);

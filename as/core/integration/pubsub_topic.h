/** @file Topics of a Pub/Sub integration: base and sub-topic joined by exactly one slash, with {application_id}, {device_id} and {dev_eui} in
 * them.
 *
 * Downstream, a place of a device is subscribed as `+`; the topic of a message then says which device it is for.
 */
#pragma once
#include "common/core/text.h"

enum { PUBSUB_TOPIC_MAX = 1024 }; /**< of a topic with everything filled in */

struct pubsub_names {
	const char *application_id; /**< without its tenant */
	struct str device_id;
	bool has_dev_eui;
	uint64_t dev_eui;
};

/** What a topic said of the device; empty: nothing. Borrowed from the topic. */
struct pubsub_place {
	struct str device_id, dev_eui; /**< dev_eui: an EUI, or the id of a device that has none */
};

/** Can base and sub-topic be published to (is_filter: be subscribed to)?
 * @param why  if not: what is wrong with them, in words @return 0; -EINVAL */
int pubsub_topic_check(const char *base, const char *sub, bool is_filter, struct text *why);
/** Append the topic of a message. What a device id may not hold becomes `_`. */
void pubsub_topic(struct text *t, const char *base, const char *sub, const struct pubsub_names *names);
/** Append the filter to subscribe to. */
void pubsub_filter(struct text *t, const char *base, const char *sub, const char *application_id);
/** Take from a topic what it says of the device. @return false: it is none that the filter matches */
bool pubsub_topic_place(const char *base, const char *sub, const char *application_id, struct str topic, struct pubsub_place *ret);

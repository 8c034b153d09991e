/** @file Topics of the device API: what a device publishes to, what it may subscribe to, where it is answered.
 *
 * Three families say the same: v1/devices/me/…, and the short ones v2/… and v2/…/j. An answer is of the family of its question.
 */
#pragma once
#include "common/core/text.h"

enum device_topic {
	TOPIC_OTHER, TOPIC_TELEMETRY, TOPIC_ATTRIBUTES, TOPIC_ATTRIBUTES_REQUEST, TOPIC_RPC_RESPONSE, TOPIC_RPC_REQUEST, TOPIC_CLAIM,
	TOPIC_PROVISION
};
/** What devices are told: where. */
enum device_answer { ANSWER_ATTRIBUTES, ANSWER_ATTRIBUTES_RESPONSE, ANSWER_RPC_REQUEST, ANSWER_RPC_RESPONSE, ANSWERS };
enum { DEVICE_FAMILIES = 3, DEVICE_TOPIC_MAX = 64 };

/** A topic that a device publishes to. */
struct device_said {
	enum device_topic topic;
	unsigned family;
	int32_t id; /**< of a request or its answer; 0 or more */
};
/** @return 0 (also for TOPIC_OTHER); -EINVAL a request's number is none */
int device_topic_read(struct str topic, struct device_said *ret);
/** Where an answer goes. @param id  not looked at for ANSWER_ATTRIBUTES */
void device_topic_answer(struct text *t, enum device_answer answer, unsigned family, int32_t id);
/** May a device have this filter? Those of the original, and any other that can only match what it is told. */
bool device_filter_is_own(struct str filter);
/** The same of a device that has no credentials yet. */
bool device_filter_is_provision(struct str filter);
#define PROVISION_RESPONSE "/provision/response"

/** @file An uplink that somebody makes up: The Things Stack's ApplicationUp, as POST …/up/simulate takes it. */
#pragma once
#include "as/core/registry/record.h"
#include "common/core/json.h"
#include "proto/tts/request.h"

enum { SIMULATED_DECODED_MAX = 8192 /**< octets of decoded_payload as strict JSON */ };

struct simulated {
	struct tts_item item; /**< payload and own correlation ids; the rest is not used */
	struct up_data data;  /**< rx as far as it was given: `len` of them */
	char decoded[SIMULATED_DECODED_MAX + 1]; /**< JSON object, or "" */
};

/** Read one. What it does not say, and may be left out of a message, stays zero or absent; members that are not known are passed
 * over, as The Things Stack does.
 * @param root     the ApplicationUp; of its payloads only an uplink_message can be simulated
 * @param now_us   what it was received at, where it does not say [unix us]
 * @return 0; REGISTRY_E_INVALID, the problem names the member */
int simulated_read(const struct json *j, json_val root, uint64_t now_us, struct simulated *ret, struct problem *p);

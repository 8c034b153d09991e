/** @file Items of a down/push to a device that speaks IP: calls. */
#pragma once
#include "as/as.h"
#include "proto/tts/request.h"

struct rpc;

/** Take one item: its decoded_payload {"method","params"} is the call; any other object is what method `downlink` is called with.
 * @param ret_item   its confirmed and own_cids
 * @param ret_shown  it, as a refusal shows it; borrows from room and ret_item
 * @return 0, *ret borrowed until the next turn of the loop; TTS_E_REFUSED, err says why; -errno */
int device_push_item(struct as *as, const struct device *d, const struct json *j, json_val item, struct text *room, struct tts_item *ret_item,
	struct rpc **ret, struct tts_downlink *ret_shown, struct tts_error *err);
/** Append what was pushed and has not been sent, as elements of `downlinks`. */
void device_push_list(struct as *as, const struct device *d, struct text *ret);
/** Forget what was pushed and has not been sent. */
void device_push_clear(struct as *as, const struct device *d);

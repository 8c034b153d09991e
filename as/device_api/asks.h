/** @file Calls from devices: answered here, by the application, or not at all. */
#pragma once
#include "as/as.h"

/** Is it v3/{application}/devices/{device}/rpc/response/{number}? */
bool asks_is_answer(struct str topic);
/** The application a answers on such a topic. @return 0; -EINVAL the topic is of another application, or its number is none; -EBADMSG the
 * body is no JSON; -ENOENT the device has made no call of this number, or has been answered */
int asks_take_answer(struct as *as, const struct app *a, struct str topic, struct str body);
/** The application answers. @return 0; -ENOENT the device has made no call of this number, or has been answered */
int asks_answer(struct as *as, const struct device *d, int32_t request, struct str json);

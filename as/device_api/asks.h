/** @file Calls from devices: answered here, by the application, or not at all. */
#pragma once
#include "as/as.h"

/** The application answers. @return 0; -ENOENT the device has made no call of this number, or has been answered */
int asks_answer(struct as *as, const struct device *d, int32_t request, struct str json);

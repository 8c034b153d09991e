/** @file The state of a device's MAC as operators see it. */
#pragma once
#include "ns/core/device.h"
#include "proto/schema.h"

/** Fill in what is in force, what is wished, and what is asked and not answered. */
void mac_report(const struct session *s, struct device_state *ret);

/** @file Why a message of a device that speaks IP goes no further. */
#pragma once

enum device_drop {
#define DEVICE_DROP(symbol, word) DEVICE_DROP_##symbol,
#include "as/core/device_api/drops.def"
#undef DEVICE_DROP
	DEVICE_DROP_N
};
const char *device_drop_label(unsigned why);

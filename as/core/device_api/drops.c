/** @file Words for why a message of a device goes no further. */
#include "as/core/device_api/drops.h"

const char *device_drop_label(unsigned why)
{
	static const char *const words[] = {
#define DEVICE_DROP(symbol, word) word,
#include "as/core/device_api/drops.def"
#undef DEVICE_DROP
	};
	return why < DEVICE_DROP_N ? words[why] : "";
}

/** @file The devices of a file. */
#pragma once
#include "test/sim/device.h"

/** Read opt.device_file: one JSON object a line, with dev_eui, join_eui, app_key, or with dev_addr,
 * nwk_s_key, app_s_key.
 * Fills s->devices and opt.devices. @return 0; -EINVAL, after a line on stderr; -ENOMEM */
int devices_read(struct sim *s);

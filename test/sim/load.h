/** @file As many uplinks as asked for, as cheaply as possible. */
#pragma once
#include "test/sim/sim.h"

/** Send opt.rate uplinks a second for opt.duration_us, then end. The first eight octets of each payload are
 * the time of
 * sending [us since 1970, most significant octet first]. @return 0; -ENOMEM */
int load_start(struct sim *s);
void load_stop(struct sim *s);

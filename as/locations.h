/** @file Room locations: where devices are, as their own payloads say. */
#pragma once
#include "as/as.h"

struct tts_location;
/** Put it beside the locations of the device's record, under "frm-payload". The record gets no new revision by that, and is not written:
 * what the payload says is stored by itself. @return 0; -errno of the store */
int locations_keep(struct as *as, uint64_t uid, const struct tts_location *l);

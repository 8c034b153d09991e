/** @file A device as the network server has it now: session and MAC state. */
#pragma once
#include "as/api/api.h"

/** Ask the network server (for at most a second) and answer the call with the device and its live state.
 * @param parts  DEVICE_JSON_*
 * @param mask   which members of it; it names texts of the request
 * @return 0: the call is answered, now or later; -ENOTCONN, -errno: nobody could be asked, answer without */
int device_live_reply(struct api_call *c, unsigned parts, const struct field_mask *mask);
/** Answer with all that brings the device back elsewhere: its live session and MAC state, and what the join server remembers;
 * 503 where the network server cannot be asked. */
void device_export_reply(struct api_call *c, unsigned parts);

/** @file Where and when an item is to be sent: what its class_b_c says, and which gateways that means. */
#pragma once
#include "as/traffic.h"

/** Is there something in a wish that can never be sent?
 * @param ret_error  its row and attributes set if so; its texts are borrowed from *ret_place
 * @param ret_place  scratch
 * @return 0; TTS_E_REFUSED */
int placing_check(struct as *as, const struct device *d, const struct tts_item *wish, struct tts_class_b_c *ret_place,
	struct tts_error *ret_error);
/** Say in an answer through whom the item goes, and when. Gateways that are gone are left out.
 * @return 0; -ENOENT none that it names is there, *ret_missing says the first (borrowed from *ret_place) */
int placing_fill(struct as *as, const struct item *i, struct tts_class_b_c *ret_place, struct pulled *ret, const char **ret_missing);

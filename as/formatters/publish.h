/** @file What devices sent, on its last steps: decrypted, published with what a formatter made of it, kept as telemetry. */
#pragma once
#include "as/as.h"
#include "as/core/formatters/location.h"
#include "as/core/formatters/normalized.h"
#include "as/formatters/kept.h"

/** What a formatter made of an uplink's payload: JSON; NULL, "": none. */
struct decoded {
	const char *payload, *warnings;
	const struct normalized *normalized; /**< NULL: none */
	const struct tts_location *location; /**< NULL: none */
};

/** Tell that it came. */
void publish_received(struct as *as, const struct device *d, const struct kept *k);
/** FRMPayload becomes plain, in place. @return 0; -ENOKEY its session is not known here; -EIO */
int publish_decrypt(struct as *as, const struct device *d, struct kept *k);
/** It cannot be decrypted, and is lost. @param e  of publish_decrypt */
void publish_undecrypted(struct as *as, const struct device *d, const struct kept *k, int e);
/** Publish it, or keep it while the application has no link.
 * @param x  of a data uplink, which is plain by now; NULL: nothing
 * @return 0; -errno of the store: what it came with must come again */
int publish_kept(struct as *as, const struct device *d, const struct kept *k, const struct decoded *x);

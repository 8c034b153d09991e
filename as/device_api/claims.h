/** @file Claims of devices, in the store. */
#pragma once
#include "as/as.h"
#include "as/core/device_api/claim.h"

/** What a device offers, or what has become of it. @return 0; -ENOENT nothing; -errno */
int claims_get(struct as *as, const struct device *d, struct claim *ret);
/** Somebody claims it. @return 0; -errno of the store */
int claims_claim(struct as *as, const struct device *d, struct str secret, enum claim_outcome *ret);
/** It belongs to nobody again. @return 0; -errno */
int claims_release(struct as *as, const struct device *d);

/** @file godwit-as --restored: the store was put back from a copy, and is made safe to go on from. */
#pragma once
#include "as/as.h"

/** Raise every device's JoinNonce, and let the registry go on behind all numbers and revisions that were given after the copy.
 * For when store and registry are loaded; closes the store; prints how many devices' nonces it raised.
 * @return 0; -errno with one line in *err */
int restored_apply(struct as *as, struct text *err);

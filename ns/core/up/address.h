/** @file Addresses for devices that join: by chance out of the network's blocks, spread so that few devices share one. */
#pragma once
#include "ns/core/state.h"

/** A new address for a device: that of the fewest sessions among a few that chance picks. */
uint32_t address_choose(const struct ns *ns);

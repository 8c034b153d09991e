/** @file NetIDs and the device addresses that belong to them. [TS002, lorawan backend interfaces 13] */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>
#include <stdint.h>

/** A block of addresses: those whose upper `bits` are those of `prefix`. */
struct devaddr_block {
	uint32_t prefix;
	uint8_t bits;
};

/** The block of a NetID (24 bits, all types 0 to 7). */
struct devaddr_block devaddr_block(uint32_t net_id);
bool devaddr_in(struct devaddr_block block, uint32_t dev_addr);
/** An address of the NetID: its prefix, then the low bits of `value` (chance or a count). */
uint32_t devaddr_make(uint32_t net_id, uint32_t value);
/** Read "26011000/20": the upper bits of an address, and how many they are.
 * @return 0; -EINVAL bits below the prefix are set, no such length, or not that form */
int devaddr_block_parse(struct str s, struct devaddr_block *ret);
/** 0xFF as the first octet belongs to no NetID type. */
bool devaddr_valid(uint32_t dev_addr);

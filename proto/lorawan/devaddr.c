/** @file NetID types 0 to 7 and their address blocks. */
#include "proto/lorawan/devaddr.h"
#include "common/core/err.h"

/** Bits of NwkID in the address, by NetID type; the type itself takes type + 1 bits of prefix. */
static const uint8_t nwk_id_bits[8] = { 6, 6, 9, 11, 12, 13, 15, 17 };

struct devaddr_block devaddr_block(uint32_t net_id)
{
	unsigned type = net_id >> 21 & 7;
	unsigned bits = type + 1 + nwk_id_bits[type];
	uint32_t type_prefix = (UINT32_C(1) << (type + 1)) - 2; /* `type` ones, then a zero */
	uint32_t nwk_id = net_id & ((UINT32_C(1) << nwk_id_bits[type]) - 1);
	return (struct devaddr_block){
		.prefix = (type_prefix << nwk_id_bits[type] | nwk_id) << (32 - bits),
		.bits = (uint8_t)bits,
	};
}

static uint32_t mask_of(struct devaddr_block b)
{
	return b.bits ? ~UINT32_C(0) << (32 - b.bits) : 0;
}

bool devaddr_in(struct devaddr_block block, uint32_t dev_addr)
{
	return (dev_addr & mask_of(block)) == block.prefix;
}

uint32_t devaddr_make(uint32_t net_id, uint32_t value)
{
	struct devaddr_block b = devaddr_block(net_id);
	return b.prefix | (value & ~mask_of(b));
}

int devaddr_block_parse(struct str s, struct devaddr_block *ret)
{
	struct str prefix, length = str_cut(s, '/', &prefix);
	struct devaddr_block b;
	uint64_t bits;
	if (hex_u32(prefix, 8, &b.prefix) != 0 || num_u64(length, &bits) != 0 || bits > 32)
		return -EINVAL;
	b.bits = (uint8_t)bits;
	if (b.prefix & ~mask_of(b))
		return -EINVAL;
	*ret = b;
	return 0;
}

bool devaddr_valid(uint32_t dev_addr)
{
	return dev_addr >> 24 != 0xFF;
}

/** @file Any octets as a PHYPayload: what is taken must be written again as it was, and read again the
 * same. */
#include "proto/lorawan/frame.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/** Bits that are reserved and not kept: RFU of MHDR, and bit 6 of FCtrl downwards. */
static void reserved_clear(uint8_t *phy, const struct frame *f)
{
	phy[0] &= 0xE3;
	if (mtype_is_data(f->mtype) && !f->is_up)
		phy[5] &= 0xBF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct frame f;
	int e = frame_parse((struct slice){ data, n }, &f);
	if (e) {
		if (e < 0 || e >= FRAME_E_N || !*frame_error_word(e))
			abort();
		return 0;
	}
	uint8_t again[PHY_MAX], expected[PHY_MAX];
	memcpy(expected, data, n);
	reserved_clear(expected, &f);
	struct writer w = writer_of(again, sizeof again);
	if (frame_write(&f, &w) || w.len != n || memcmp(again, expected, n) != 0)
		abort();
	if (mtype_is_data(f.mtype) && frame_data_length(&f.data) != n)
		abort();
	return 0;
}

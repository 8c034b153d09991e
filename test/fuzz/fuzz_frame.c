/** @file Any octets as a PHYPayload: what is taken must be written again as it was, and read again the
 * same. And as a join-accept: opened as it comes, and with any fields sealed and opened again. */
#include "proto/lorawan/security.h"
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

static struct join_accept accept_of(struct reader *r)
{
	struct join_accept a = { .join_nonce = reader_le24(r), .net_id = reader_le24(r), .dev_addr = reader_le32(r), .dl_settings = reader_u8(r),
		.rx_delay = reader_u8(r), .has_cf_list = reader_left(r) >= CF_LIST_LEN };
	if (a.has_cf_list)
		memcpy(a.cf_list, reader_take(r, CF_LIST_LEN).p, CF_LIST_LEN);
	return a;
}

static void join_accepts(const uint8_t *data, size_t n)
{
	static struct crypto *c;
	static const struct key enc = { { 1 } }, mic = { { 2 } };
	struct join_seal seal = { .enc = &enc, .mic = &mic, .req_type = n ? data[0] & 3 : 0, .join_eui = 3, .dev_nonce = (uint16_t)n };
	struct reader r = reader_of(data, n);
	struct join_accept a = accept_of(&r), b;
	uint8_t phy[JOIN_ACCEPT_MAX];
	size_t len;
	if (!c)
		c = crypto_new();
	if (n)
		join_accept_open(c, &seal, (struct slice){ data, n }, &b);
	if (join_accept_seal(c, &seal, &a, phy, &len) || join_accept_open(c, &seal, (struct slice){ phy, len }, &b))
		abort();
	if (a.join_nonce != b.join_nonce || a.net_id != b.net_id || a.dev_addr != b.dev_addr || a.dl_settings != b.dl_settings ||
		a.rx_delay != b.rx_delay || a.has_cf_list != b.has_cf_list || memcmp(a.cf_list, b.cf_list, CF_LIST_LEN) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	join_accepts(data, n);
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

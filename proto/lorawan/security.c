/** @file The blocks that LoRaWAN feeds to AES and CMAC. */
#include "proto/lorawan/security.h"
#include <string.h>

enum { BLOCK_CIPHER = 0x01, BLOCK_MIC = 0x49, JOIN_ACCEPT_BODY = 12 };

/** The part that B0, B1 and A share: octets 5 to 14. */
static void block_fill(uint8_t block[AES_BLOCK], const struct frame_id *id)
{
	block[5] = id->is_up ? 0 : 1;
	struct writer w = writer_of(block + 6, 8);
	writer_le32(&w, id->dev_addr);
	writer_le32(&w, id->f_cnt);
}

static int mic_of_block(struct crypto *c, const struct key *k, const uint8_t block[AES_BLOCK],
	struct slice msg, uint8_t ret[MIC_LEN])
{
	struct slice parts[] = { { block, AES_BLOCK }, msg };
	uint8_t mac[AES_BLOCK];
	TRY(crypto_cmac(c, k, parts, COUNT(parts), mac));
	memcpy(ret, mac, MIC_LEN);
	return 0;
}

int mic_data(struct crypto *c, const struct key *k, const struct frame_id *id, struct slice msg,
	uint8_t ret[MIC_LEN])
{
	uint8_t b0[AES_BLOCK] = { BLOCK_MIC };
	block_fill(b0, id);
	if (!id->is_up) {
		b0[1] = (uint8_t)id->conf_f_cnt;
		b0[2] = (uint8_t)(id->conf_f_cnt >> 8);
	}
	b0[15] = (uint8_t)msg.n;
	return mic_of_block(c, k, b0, msg, ret);
}

int mic_data_up_1_1(struct crypto *c, const struct key *s_nwk_s_int, const struct key *f_nwk_s_int,
	const struct frame_id *id, struct slice msg, uint8_t ret[MIC_LEN])
{
	uint8_t b1[AES_BLOCK] = { BLOCK_MIC, (uint8_t)id->conf_f_cnt, (uint8_t)(id->conf_f_cnt >> 8),
		id->tx_dr, id->tx_ch };
	block_fill(b1, id);
	b1[15] = (uint8_t)msg.n;
	uint8_t s[MIC_LEN], f[MIC_LEN];
	TRY(mic_of_block(c, s_nwk_s_int, b1, msg, s));
	TRY(mic_data(c, f_nwk_s_int, id, msg, f));
	memcpy(ret, s, 2);
	memcpy(ret + 2, f, 2);
	return 0;
}

int mic_join(struct crypto *c, const struct key *k, struct slice msg, uint8_t ret[MIC_LEN])
{
	uint8_t mac[AES_BLOCK];
	TRY(crypto_cmac(c, k, &msg, 1, mac));
	memcpy(ret, mac, MIC_LEN);
	return 0;
}

bool mic_eq(const uint8_t a[MIC_LEN], const uint8_t b[MIC_LEN])
{
	return crypto_equal(a, b, MIC_LEN);
}

int cipher_frm(struct crypto *c, const struct key *k, const struct frame_id *id, void *buf, size_t n)
{
	uint8_t blocks[AES_BLOCK * (PHY_MAX / AES_BLOCK + 1)];
	size_t n_blocks = (n + AES_BLOCK - 1) / AES_BLOCK;
	if (n > PHY_MAX)
		return -EINVAL;
	if (n == 0)
		return 0;
	memset(blocks, 0, n_blocks * AES_BLOCK);
	for (size_t i = 0; i < n_blocks; i++) {
		uint8_t *a = blocks + i * AES_BLOCK;
		a[0] = BLOCK_CIPHER;
		block_fill(a, id);
		a[15] = (uint8_t)(i + 1);
	}
	TRY(crypto_aes_encrypt(c, k, blocks, blocks, n_blocks * AES_BLOCK));
	uint8_t *p = buf;
	for (size_t i = 0; i < n; i++)
		p[i] ^= blocks[i];
	return 0;
}

int cipher_f_opts(struct crypto *c, const struct key *k, const struct frame_id *id, bool is_a_counter,
	void *buf, size_t n)
{
	uint8_t a[AES_BLOCK] = { BLOCK_CIPHER, 0, 0, 0, is_a_counter ? 2 : 1 };
	if (n > FOPTS_MAX)
		return -EINVAL;
	if (n == 0)
		return 0;
	block_fill(a, id);
	a[15] = 1;
	TRY(crypto_aes_encrypt(c, k, a, a, AES_BLOCK));
	uint8_t *p = buf;
	for (size_t i = 0; i < n; i++)
		p[i] ^= a[i];
	return 0;
}

/** MIC of a join-accept in the clear: 1.0.x and OptNeg 0 over the frame, OptNeg 1 with the request before
 * it. */
static int mic_join_accept(
	struct crypto *c, const struct join_seal *s, bool opt_neg, struct slice msg, uint8_t ret[MIC_LEN])
{
	if (!opt_neg)
		return mic_join(c, s->mic, msg, ret);
	uint8_t request[11];
	struct writer w = writer_of(request, sizeof request);
	writer_u8(&w, s->req_type);
	writer_le64(&w, s->join_eui);
	writer_le16(&w, s->dev_nonce);
	struct slice parts[] = { { request, w.len }, msg };
	uint8_t mac[AES_BLOCK];
	TRY(crypto_cmac(c, s->mic, parts, COUNT(parts), mac));
	memcpy(ret, mac, MIC_LEN);
	return 0;
}

int join_accept_seal(struct crypto *c, const struct join_seal *s, const struct join_accept *a,
	uint8_t ret_phy[JOIN_ACCEPT_MAX], size_t *ret_n)
{
	uint8_t phy[JOIN_ACCEPT_MAX];
	struct writer w = writer_of(phy, sizeof phy);
	writer_u8(&w, MTYPE_JOIN_ACCEPT << 5);
	writer_le24(&w, a->join_nonce);
	writer_le24(&w, a->net_id);
	writer_le32(&w, a->dev_addr);
	writer_u8(&w, a->dl_settings);
	writer_u8(&w, a->rx_delay);
	if (a->has_cf_list)
		writer_put(&w, a->cf_list, CF_LIST_LEN);
	uint8_t mic[MIC_LEN];
	TRY(mic_join_accept(c, s, a->dl_settings & DL_OPT_NEG, (struct slice){ phy, w.len }, mic));
	writer_put(&w, mic, MIC_LEN);
	/* Decrypting is meant: the device only has AES encrypt, and undoes this with it. */
	TRY(crypto_aes_decrypt(c, s->enc, phy + 1, phy + 1, w.len - 1));
	memcpy(ret_phy, phy, w.len);
	*ret_n = w.len;
	return 0;
}

int join_accept_open(struct crypto *c, const struct join_seal *s, struct slice phy, struct join_accept *ret)
{
	uint8_t clear[JOIN_ACCEPT_MAX];
	if ((phy.n != JOIN_ACCEPT_MAX && phy.n != JOIN_ACCEPT_MAX - CF_LIST_LEN) ||
		phy.p[0] >> 5 != MTYPE_JOIN_ACCEPT)
		return -EINVAL;
	clear[0] = phy.p[0];
	TRY(crypto_aes_encrypt(c, s->enc, phy.p + 1, clear + 1, phy.n - 1));
	struct reader r = reader_of(clear + 1, phy.n - 1);
	struct join_accept a = { .join_nonce = reader_le24(&r) };
	a.net_id = reader_le24(&r);
	a.dev_addr = reader_le32(&r);
	a.dl_settings = reader_u8(&r);
	a.rx_delay = reader_u8(&r);
	a.has_cf_list = reader_left(&r) > MIC_LEN;
	if (a.has_cf_list)
		memcpy(a.cf_list, reader_take(&r, CF_LIST_LEN).p, CF_LIST_LEN);
	struct slice msg = { clear, phy.n - MIC_LEN };
	uint8_t mic[MIC_LEN];
	TRY(mic_join_accept(c, s, a.dl_settings & DL_OPT_NEG, msg, mic));
	if (!mic_eq(mic, clear + msg.n))
		return -EBADMSG;
	*ret = a;
	return 0;
}

/** @file Every derived key is one AES block: a type octet, the values it depends on, zeros. */
#include "proto/lorawan/keys.h"

static int key_derive(
	struct crypto *c, const struct key *root, const uint8_t block[AES_BLOCK], struct key *ret)
{
	return crypto_aes_encrypt(c, root, block, ret->b, AES_BLOCK);
}

/** The key of a block that is a type octet and nothing else. */
static int key_of_type(struct crypto *c, const struct key *root, uint8_t type, struct key *ret)
{
	uint8_t block[AES_BLOCK] = { type };
	return key_derive(c, root, block, ret);
}

static int key_of_address(
	struct crypto *c, const struct key *root, uint8_t type, uint32_t address, struct key *ret)
{
	uint8_t block[AES_BLOCK] = { type };
	struct writer w = writer_of(block + 1, 4);
	writer_le32(&w, address);
	return key_derive(c, root, block, ret);
}

static int key_1_0(
	struct crypto *c, const struct key *root, uint8_t type, const struct join_values *v, struct key *ret)
{
	uint8_t block[AES_BLOCK] = { type };
	struct writer w = writer_of(block + 1, AES_BLOCK - 1);
	writer_le24(&w, v->join_nonce);
	writer_le24(&w, v->net_id);
	writer_le16(&w, v->dev_nonce);
	return key_derive(c, root, block, ret);
}

static int key_1_1(
	struct crypto *c, const struct key *root, uint8_t type, const struct join_values *v, struct key *ret)
{
	uint8_t block[AES_BLOCK] = { type };
	struct writer w = writer_of(block + 1, AES_BLOCK - 1);
	writer_le24(&w, v->join_nonce);
	writer_le64(&w, v->join_eui);
	writer_le16(&w, v->dev_nonce);
	return key_derive(c, root, block, ret);
}

int keys_session_1_0(
	struct crypto *c, const struct key *root, const struct join_values *v, struct session_keys *ret)
{
	struct session_keys k;
	TRY(key_1_0(c, root, 0x01, v, &k.f_nwk_s_int));
	TRY(key_1_0(c, root, 0x02, v, &k.app_s));
	k.s_nwk_s_int = k.nwk_s_enc = k.f_nwk_s_int;
	*ret = k;
	return 0;
}

int keys_session_1_1(struct crypto *c, const struct key *nwk_key, const struct key *app_key,
	const struct join_values *v, struct session_keys *ret)
{
	struct session_keys k;
	TRY(key_1_1(c, nwk_key, 0x01, v, &k.f_nwk_s_int));
	TRY(key_1_1(c, app_key, 0x02, v, &k.app_s));
	TRY(key_1_1(c, nwk_key, 0x03, v, &k.s_nwk_s_int));
	TRY(key_1_1(c, nwk_key, 0x04, v, &k.nwk_s_enc));
	*ret = k;
	return 0;
}

int keys_js(struct crypto *c, const struct key *nwk_key, uint64_t dev_eui, struct key *ret_int,
	struct key *ret_enc)
{
	uint8_t block[AES_BLOCK] = { 0x06 };
	struct writer w = writer_of(block + 1, 8);
	writer_le64(&w, dev_eui);
	struct key js_int, js_enc;
	TRY(key_derive(c, nwk_key, block, &js_int));
	block[0] = 0x05;
	TRY(key_derive(c, nwk_key, block, &js_enc));
	*ret_int = js_int;
	*ret_enc = js_enc;
	return 0;
}

int keys_mc_root(struct crypto *c, const struct key *root, bool is_v11, struct key *ret)
{
	return key_of_type(c, root, is_v11 ? 0x20 : 0x00, ret);
}

int keys_mc_kek(struct crypto *c, const struct key *mc_root, struct key *ret)
{
	return key_of_type(c, mc_root, 0x00, ret);
}

int keys_mc_sealed(struct crypto *c, const struct key *mc_kek, const struct key *mc_key, struct key *ret)
{
	/* Decrypting is meant: the device only has AES encrypt, and undoes this with it. */
	return crypto_aes_decrypt(c, mc_kek, mc_key->b, ret->b, AES_BLOCK);
}

int keys_mc_session(struct crypto *c, const struct key *mc_key, uint32_t mc_addr, struct key *ret_nwk,
	struct key *ret_app)
{
	struct key nwk, app;
	TRY(key_of_address(c, mc_key, 0x01, mc_addr, &app));
	TRY(key_of_address(c, mc_key, 0x02, mc_addr, &nwk));
	*ret_nwk = nwk;
	*ret_app = app;
	return 0;
}

int keys_wor_root(struct crypto *c, const struct key *nwk_s_enc, struct key *ret)
{
	return key_of_type(c, nwk_s_enc, 0x01, ret);
}

int keys_wor_session(struct crypto *c, const struct key *wor_root, uint32_t dev_addr, struct key *ret_int,
	struct key *ret_enc)
{
	struct key wor_int, wor_enc;
	TRY(key_of_address(c, wor_root, 0x01, dev_addr, &wor_int));
	TRY(key_of_address(c, wor_root, 0x02, dev_addr, &wor_enc));
	*ret_int = wor_int;
	*ret_enc = wor_enc;
	return 0;
}

int keys_data_block(struct crypto *c, const struct key *root, struct key *ret)
{
	return key_of_type(c, root, 0x30, ret);
}

/** @file WebSocket frames: the examples of RFC 6455, and each of its rules that a client can break. */
#include "as/websocket.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct side {
	uint8_t data[300000], out[300000];
	size_t data_n, out_n;
} side;
static struct websocket *w;

static int on_data(void *ctx, struct slice octets)
{
	struct side *s = ctx;
	ck_assert_uint_le(s->data_n + octets.n, sizeof s->data);
	memcpy(s->data + s->data_n, octets.p, octets.n);
	s->data_n += octets.n;
	return 0;
}

static int on_write(void *ctx, struct slice octets)
{
	struct side *s = ctx;
	ck_assert_uint_le(s->out_n + octets.n, sizeof s->out);
	memcpy(s->out + s->out_n, octets.p, octets.n);
	s->out_n += octets.n;
	return 0;
}

static void begin(void)
{
	const struct websocket_io io = { &side, on_data, on_write };
	side.data_n = side.out_n = 0;
	w = websocket_new(&io);
	ck_assert_ptr_nonnull(w);
}

static void end(void)
{
	websocket_free(w);
}

static int take(const char *hex)
{
	uint8_t octets[1024];
	size_t n;
	ck_assert_int_eq(hex_decode(str_of(hex), octets, sizeof octets, &n), 0);
	return websocket_receive(w, (struct slice){ octets, n });
}

static void wrote(const char *hex)
{
	uint8_t octets[1024];
	size_t n;
	ck_assert_int_eq(hex_decode(str_of(hex), octets, sizeof octets, &n), 0);
	ck_assert_mem_eq(side.out, octets, n);
	ck_assert_uint_eq(side.out_n, n);
}

START_TEST(the_handshake_of_the_rfc)
{
	char accept[WEBSOCKET_KEY_TEXT + 1];
	ck_assert_int_eq(websocket_accept(STR("dGhlIHNhbXBsZSBub25jZQ=="), accept), 0); /* 1.3 */
	ck_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	ck_assert_int_eq(websocket_accept(STR("dGhlIHNhbXBsZSBub25jZQ"), accept), -EINVAL);
	ck_assert_int_eq(websocket_accept(STR("dGhlIHNhbXBsZSBub25jZSE="), accept), -EINVAL); /* 17 octets */
	ck_assert_int_eq(websocket_accept(STR(""), accept), -EINVAL);
}
END_TEST

START_TEST(frames_of_all_lengths_carry_one_stream)
{
	begin();
	/* 5.7: "Hello" masked with 37fa213d, here as a binary message; then in two fragments around a Ping. */
	ck_assert_int_eq(take("82 85 37fa213d 7f9f4d5158"), 0);
	ck_assert_int_eq(take("02 83 37fa213d 7f9f4d"), 0);
	ck_assert_int_eq(take("89 85 37fa213d 7f9f4d5158"), 0);
	ck_assert_int_eq(take("80 82 37fa213d 5b95"), 0);
	ck_assert_mem_eq(side.data, "HelloHello", 10);
	ck_assert_uint_eq(side.data_n, 10);
	wrote("8a 05 48656c6c6f");
	/* Empty frames, and a Pong nobody asked for. */
	ck_assert_int_eq(take("82 80 00000000 02 80 00000000 00 80 00000000 80 80 00000000 8a 81 00000000 41"), 0);
	ck_assert_uint_eq(side.data_n, 10);
	end();
}
END_TEST

START_TEST(long_frames_are_read_in_any_pieces)
{
	static const size_t lengths[] = { 125, 126, 127, 65535, 65536, 70000 };
	static uint8_t frame[70100];
	for (size_t i = 0; i < COUNT(lengths); i++)
		for (size_t piece = 1; piece < 100000; piece = piece * 7 + 1) {
			size_t n = lengths[i];
			int wrong = 0; /* an assertion an octet takes long */
			struct writer h = writer_of(frame, sizeof frame);
			writer_u8(&h, 0x82);
			writer_u8(&h, (uint8_t)(0x80 | (n < 126 ? n : n < 65536 ? 126 : 127)));
			if (n >= 126 && n < 65536)
				writer_be16(&h, (uint16_t)n);
			else if (n >= 65536)
				writer_be64(&h, n);
			writer_be32(&h, 0x01020304);
			for (size_t k = 0; k < n; k++)
				writer_u8(&h, (uint8_t)(k * 31 ^ (k % 4 + 1)));
			ck_assert(!h.failed);
			begin();
			for (size_t at = 0; at < h.len; at += piece)
				wrong |= websocket_receive(w, (struct slice){ frame + at, h.len - at < piece ? h.len - at : piece });
			for (size_t k = 0; k < n; k++)
				wrong |= side.data[k] ^ (uint8_t)(k * 31);
			ck_assert(wrong == 0 && side.data_n == n);
			end();
		}
}
END_TEST

START_TEST(what_is_sent_is_one_unmasked_binary_frame)
{
	static const uint8_t big[70000] = { 1 };
	begin();
	ck_assert_int_eq(websocket_send(w, (struct slice[]){ { (const uint8_t *)"He", 2 }, { NULL, 0 }, { (const uint8_t *)"llo", 3 } }, 3), 0);
	wrote("82 05 48656c6c6f");
	side.out_n = 0;
	ck_assert_int_eq(websocket_send(w, &(struct slice){ big, 126 }, 1), 0);
	ck_assert_mem_eq(side.out, "\x82\x7e\x00\x7e\x01", 5);
	ck_assert_uint_eq(side.out_n, 4 + 126);
	side.out_n = 0;
	ck_assert_int_eq(websocket_send(w, &(struct slice){ big, sizeof big }, 1), 0);
	ck_assert_mem_eq(side.out, "\x82\x7f\0\0\0\0\0\x01\x11\x70\x01", 11);
	ck_assert_uint_eq(side.out_n, 10 + sizeof big);
	end();
}
END_TEST

START_TEST(after_a_close_frame_nothing_is_sent_or_taken)
{
	begin();
	websocket_close(w, WEBSOCKET_NORMAL);
	websocket_close(w, WEBSOCKET_TOO_BIG);
	ck_assert_int_eq(websocket_send(w, &(struct slice){ (const uint8_t *)"x", 1 }, 1), 0);
	ck_assert_int_eq(take("82 81 00000000 41"), WEBSOCKET_E_CLOSED);
	wrote("88 02 03e8");
	ck_assert_uint_eq(side.data_n, 0);
	end();
}
END_TEST

/* RFC 6455: what a client sends, and the Close frame that answers it. */
static const struct row {
	const char *rule, *in, *out;
} rows[] = {
	{ "5.5.1 a Close is answered with its code", "88 82 00000000 03e8", "88 02 03e8" },
	{ "5.5.1 one without a code, without", "88 80 00000000", "88 00" },
	{ "5.5.1 one with a reason", "88 85 00000000 03e9 627965", "88 02 03e9" },
	{ "7.4.2 a code of an application", "88 82 00000000 0fa0", "88 02 0fa0" },
	{ "5.5.1 half a code", "88 81 00000000 03", "88 02 03ea" },
	{ "7.4.1 1005 is never sent", "88 82 00000000 03ed", "88 02 03ea" },
	{ "7.4.1 1006 is never sent", "88 82 00000000 03ee", "88 02 03ea" },
	{ "7.4.1 1015 is never sent", "88 82 00000000 03f7", "88 02 03ea" },
	{ "7.4.2 999", "88 82 00000000 03e7", "88 02 03ea" },
	{ "7.4.2 5000", "88 82 00000000 1388", "88 02 03ea" },
	{ "5.5.1 the reason is UTF-8", "88 83 00000000 03e8 ff", "88 02 03ef" },
	{ "5.1 a client's frame is masked", "82 01 41", "88 02 03ea" },
	{ "5.1 a client's Ping as well", "89 00", "88 02 03ea" },
	{ "5.2 RSV1", "c2 81 00000000 41", "88 02 03ea" },
	{ "5.2 RSV2", "a2 81 00000000 41", "88 02 03ea" },
	{ "5.2 RSV3", "92 81 00000000 41", "88 02 03ea" },
	{ "5.2 a reserved data opcode", "83 81 00000000 41", "88 02 03ea" },
	{ "5.2 a reserved control opcode", "8b 80 00000000", "88 02 03ea" },
	{ "5.2 a length of 7 bits in 16", "82 fe 007d 00000000 41", "88 02 03ea" },
	{ "5.2 a length of 16 bits in 64", "82 ff 000000000000ffff 00000000 41", "88 02 03ea" },
	{ "5.2 a length of more than 63 bits", "82 ff 8000000000000000 00000000 41", "88 02 03ea" },
	{ "5.4 a continuation of nothing", "80 81 00000000 41", "88 02 03ea" },
	{ "5.4 a message inside another one", "02 81 00000000 41 82 81 00000000 41", "88 02 03ea" },
	{ "5.4 a Ping in fragments", "09 80 00000000", "88 02 03ea" },
	{ "5.5 a Ping of 126 octets", "89 fe 007e 00000000", "88 02 03ea" },
	{ "MQTT 6.0 text", "81 85 37fa213d 7f9f4d5158", "88 02 03eb" },
	{ "MQTT 6.0 text of nothing", "81 80 00000000", "88 02 03eb" },
	{ "a frame of 16 MiB and one octet", "82 ff 0000000001000001 00000000 41", "88 02 03f1" },
	{ "a frame of 2^62 octets", "82 ff 4000000000000000 00000000 41", "88 02 03f1" },
};

START_TEST(what_a_close_frame_says)
{
	const struct row *r = &rows[_i];
	begin();
	ck_assert_msg(take(r->in) == WEBSOCKET_E_CLOSED, "%s: not closed", r->rule);
	wrote(r->out);
	ck_assert_int_eq(take("82 81 00000000 41"), WEBSOCKET_E_CLOSED);
	wrote(r->out);
	end();
}
END_TEST

START_TEST(a_frame_of_16_mib_is_taken)
{
	begin();
	ck_assert_int_eq(take("82 ff 0000000001000000 00000000 41"), 0);
	ck_assert_uint_eq(side.data_n, 1);
	end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("websocket");
	TCase *t = tcase_create("websocket");
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_test(t, the_handshake_of_the_rfc);
	tcase_add_test(t, frames_of_all_lengths_carry_one_stream);
	tcase_add_test(t, long_frames_are_read_in_any_pieces);
	tcase_add_test(t, what_is_sent_is_one_unmasked_binary_frame);
	tcase_add_test(t, after_a_close_frame_nothing_is_sent_or_taken);
	tcase_add_loop_test(t, what_a_close_frame_says, 0, (int)COUNT(rows));
	tcase_add_test(t, a_frame_of_16_mib_is_taken);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

/** @file Frames against published PHYPayloads, and the lengths and bits that must be refused. */
#include "common/core/err.h"
#include "proto/lorawan/frame.h"
#include "test/unit/vec_lines.h"
#include <check.h>

static void data_matches(const struct vectors *v, const struct frame *f)
{
	uint8_t buf[PHY_MAX];
	const struct frame_data *d = &f->data;
	unsigned ctrl = (unsigned)vec_hexnum(v, "fctrl_hex");
	ck_assert_uint_eq(d->dev_addr, vec_hexnum(v, "devaddr"));
	ck_assert_uint_eq(d->f_cnt16, vec_num(v, "fcnt16"));
	ck_assert(d->adr == !!(ctrl & 0x80));
	ck_assert(d->ack == !!(ctrl & 0x20));
	ck_assert(d->adr_ack_req == (f->is_up && ctrl & 0x40));
	ck_assert(d->class_b == (f->is_up && ctrl & 0x10));
	ck_assert(d->f_pending == (!f->is_up && ctrl & 0x10));
	ck_assert(d->has_port == vec_has(v, "fport"));
	ck_assert_uint_eq(d->f_port, vec_num(v, "fport"));
	ck_assert_uint_eq(d->f_opts.n, vec_bytes(v, "fopts", buf, sizeof buf));
	ck_assert(d->f_opts.n == 0 || memcmp(d->f_opts.p, buf, d->f_opts.n) == 0);
	ck_assert_uint_eq(d->frm.n, vec_bytes(v, "frm", buf, sizeof buf));
	ck_assert(d->frm.n == 0 || memcmp(d->frm.p, buf, d->frm.n) == 0);
}

static void frame_matches(const struct vectors *v, const struct frame *f)
{
	uint8_t buf[PHY_MAX];
	ck_assert_uint_eq(f->mtype, vec_num(v, "mtype"));
	if (mtype_is_data(f->mtype))
		data_matches(v, f);
	if (f->mtype == MTYPE_JOIN_REQUEST || f->mtype == MTYPE_REJOIN) {
		ck_assert_uint_eq(f->join.join_eui, vec_hexnum(v, "join_eui"));
		ck_assert_uint_eq(f->join.dev_eui, vec_hexnum(v, "dev_eui"));
		ck_assert_uint_eq(f->join.net_id, vec_hexnum(v, "net_id"));
		ck_assert_uint_eq(f->join.dev_nonce, vec_num(v, "dev_nonce"));
		ck_assert_uint_eq(f->join.rejoin_type, vec_num(v, "rejoin_type"));
	}
	if (f->mtype == MTYPE_PROPRIETARY) {
		ck_assert_uint_eq(f->sealed.n, vec_bytes(v, "opaque", buf, sizeof buf));
	} else if (f->mtype != MTYPE_JOIN_ACCEPT) {
		vec_bytes(v, "mic", buf, sizeof buf);
		ck_assert(memcmp(f->mic, buf, MIC_LEN) == 0);
	}
}

START_TEST(every_published_frame_is_taken_apart_and_put_together_again)
{
	struct vectors v = vectors_open("phy/frames.txt");
	int n = 0;
	while (vectors_next(&v)) {
		uint8_t phy[PHY_MAX], again[PHY_MAX];
		size_t len = vec_bytes(&v, "phy", phy, sizeof phy);
		struct frame f;
		ck_assert_msg(frame_parse((struct slice){ phy, len }, &f) == 0, "%s", v.line);
		frame_matches(&v, &f);
		struct writer w = writer_of(again, sizeof again);
		ck_assert_int_eq(frame_write(&f, &w), 0);
		ck_assert_msg(w.len == len && memcmp(again, phy, len) == 0, "%s", v.line);
		if (mtype_is_data(f.mtype))
			ck_assert_uint_eq(frame_data_length(&f.data), len);
		n++;
	}
	ck_assert_int_eq(n, 73);
}
END_TEST

static int parse_hex(const char *hex)
{
	uint8_t phy[PHY_MAX + 8];
	size_t n = 0;
	struct frame f;
	ck_assert_int_eq(hex_decode(str_of(hex), phy, sizeof phy, &n), 0);
	return frame_parse((struct slice){ phy, n }, &f);
}

START_TEST(what_is_no_frame_is_refused_with_its_reason)
{
	static const struct {
		const char *hex;
		int error;
	} rows[] = {
		{ "", FRAME_E_EMPTY },
		{ "41", FRAME_E_MAJOR },
		{ "e1", FRAME_E_MAJOR },
		{ "40", FRAME_E_SHORT },
		{ "40 04030201 80 0100 d6c3b5", FRAME_E_SHORT },
		{ "40 04030201 01 0100 d6c3b582", FRAME_E_FOPTS_LENGTH },
		{ "40 04030201 0f 0100 0102030405060708090a0b0c0d0e d6c3b582", FRAME_E_FOPTS_LENGTH },
		{ "40 04030201 01 0100 02 00 d6c3b582", FRAME_E_FOPTS_AND_PORT_0 },
		{ "60 04030201 01 0100 06 00 06 d6c3b582", FRAME_E_FOPTS_AND_PORT_0 },
		{ "00040302010403020105040302050403022d106a990e", FRAME_E_LENGTH },
		{ "00040302010403020105040302050403022d106a990e1200", FRAME_E_LENGTH },
		{ "20493eeb51fba2116f810edb37429751", FRAME_E_LENGTH },
		{ "20493eeb51fba2116f810edb374297514200", FRAME_E_LENGTH },
		{ "c0030302010807060504030201020111da47bd", FRAME_E_REJOIN_TYPE },
		{ "c00003020108070605040302010201aa11da47bd", FRAME_E_LENGTH },
		{ "c00108070605040302010807060504030201020167f9abe7ff", FRAME_E_LENGTH },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_msg(parse_hex(rows[i].hex) == rows[i].error, "%s", rows[i].hex);
		ck_assert_uint_gt(strlen(frame_error_word(rows[i].error)), 5);
	}
	ck_assert_str_eq(frame_error_word(0), "");
	ck_assert_str_eq(frame_error_word(FRAME_E_N), "");
	uint8_t long_phy[PHY_MAX + 1] = { 0x40 };
	struct frame f;
	ck_assert_int_eq(frame_parse((struct slice){ long_phy, sizeof long_phy }, &f), FRAME_E_LENGTH);
	ck_assert_int_eq(frame_parse((struct slice){ long_phy, PHY_MAX }, &f), 0);
}
END_TEST

START_TEST(rfu_bits_of_mhdr_are_ignored)
{
	ck_assert_int_eq(parse_hex("5c 04030201 80 0100 d6c3b582"), 0);
}
END_TEST

START_TEST(what_cannot_be_a_frame_is_not_written)
{
	uint8_t octets[20] = { 0 }, buf[PHY_MAX];
	struct frame f = { .mtype = MTYPE_DATA_DOWN };
	struct writer w = writer_of(buf, sizeof buf);
	f.data.frm = (struct slice){ octets, 1 };
	ck_assert_int_eq(frame_write(&f, &w), -EINVAL);
	f.data.has_port = true;
	f.data.f_opts = (struct slice){ octets, 1 };
	w = writer_of(buf, sizeof buf);
	ck_assert_int_eq(frame_write(&f, &w), -EINVAL);
	f.data.f_port = 1;
	f.data.f_opts.n = 16;
	w = writer_of(buf, sizeof buf);
	ck_assert_int_eq(frame_write(&f, &w), -EINVAL);
	f.data.f_opts.n = 15;
	w = writer_of(buf, 20);
	ck_assert_int_eq(frame_write(&f, &w), -ENOSPC);
	f = (struct frame){ .mtype = MTYPE_REJOIN, .join.rejoin_type = 3 };
	w = writer_of(buf, sizeof buf);
	ck_assert_int_eq(frame_write(&f, &w), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *c = tcase_create("frame");
	tcase_add_test(c, every_published_frame_is_taken_apart_and_put_together_again);
	tcase_add_test(c, what_is_no_frame_is_refused_with_its_reason);
	tcase_add_test(c, rfu_bits_of_mhdr_are_ignored);
	tcase_add_test(c, what_cannot_be_a_frame_is_not_written);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

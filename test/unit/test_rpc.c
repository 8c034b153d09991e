/** @file Frames of msgpack-RPC: the scanner however the stream is cut, the bounds, what is no frame; against msgpack-c's packer. */
#include "proto/bus/rpc.h"
#include <check.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/** [0, 4711, "NsAs/PullDownlink", [{1: {"deep": [nil, 1.5]}, 2: h'00ff'}]] as msgpack-c packs it. */
static size_t some_request(uint8_t *buf)
{
	msgpack_sbuffer s;
	msgpack_packer pk;
	msgpack_sbuffer_init(&s);
	msgpack_packer_init(&pk, &s, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, 4);
	msgpack_pack_int(&pk, 0);
	msgpack_pack_int(&pk, 4711);
	msgpack_pack_str_with_body(&pk, "NsAs/PullDownlink", 17);
	msgpack_pack_array(&pk, 1);
	msgpack_pack_map(&pk, 2);
	msgpack_pack_int(&pk, 1);
	msgpack_pack_map(&pk, 1);
	msgpack_pack_str_with_body(&pk, "deep", 4);
	msgpack_pack_array(&pk, 2);
	msgpack_pack_nil(&pk);
	msgpack_pack_double(&pk, 1.5);
	msgpack_pack_int(&pk, 2);
	msgpack_pack_bin_with_body(&pk, "\0\377", 2);
	memcpy(buf, s.data, s.size);
	size_t n = s.size;
	msgpack_sbuffer_destroy(&s);
	return n;
}

START_TEST(a_frame_ends_where_it_ends_however_it_is_cut)
{
	uint8_t buf[300];
	size_t n = some_request(buf);
	n += some_request(buf + n);
	for (size_t piece = 1; piece <= n; piece++) {
		struct rpc_scan s = { 0 };
		size_t frames = 0, at = 0, taken;
		while (at < n) {
			size_t give = piece < n - at ? piece : n - at;
			int r = rpc_scan(&s, buf + at, give, &taken);
			ck_assert_int_ge(r, 0);
			at += taken;
			frames += r == 0;
			if (r == 0)
				ck_assert_uint_eq(at, frames * n / 2);
		}
		ck_assert_uint_eq(frames, 2);
	}
}
END_TEST

START_TEST(a_request_is_taken_apart)
{
	uint8_t buf[300];
	size_t n = some_request(buf);
	struct rpc_frame f;
	ck_assert_int_eq(rpc_parse((struct slice){ buf, n }, &f), 0);
	ck_assert_int_eq(f.type, RPC_REQUEST);
	ck_assert_uint_eq(f.id, 4711);
	ck_assert(str_is(f.method, "NsAs/PullDownlink"));
	ck_assert_ptr_eq(f.message.p + f.message.n, buf + n);
	ck_assert_uint_eq(f.message.p[0], 0x82);
	for (size_t k = 0; k < n; k++)
		ck_assert_int_eq(rpc_parse((struct slice){ buf, k }, &f), -EBADMSG);
}
END_TEST

static int parse(const void *p, size_t n, struct rpc_frame *f)
{
	return rpc_parse((struct slice){ p, n }, f);
}
#define PARSE(f, ...) parse((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), f)

START_TEST(an_answer_is_a_result_or_an_error)
{
	static const uint8_t result[] = { 0x94, 1, 5, 0xc0, 0x80 }, error[] = { 0x94, 1, 5, 0xa1, 'x', 0xc0 };
	struct rpc_frame f;
	ck_assert_int_eq(parse(result, sizeof result, &f), 0);
	ck_assert(f.type == RPC_RESPONSE && f.id == 5 && !f.is_error && f.message.n == 1 && f.message.p[0] == 0x80);
	ck_assert_int_eq(parse(error, sizeof error, &f), 0);
	ck_assert(f.is_error && f.message.n == 2 && f.message.p[0] == 0xa1);
}
END_TEST

START_TEST(what_is_no_frame_is_refused)
{
	struct rpc_frame f;
	ck_assert_int_eq(PARSE(&f, 0x93, 2, 0xa1, 'm', 0x91, 0x80), 0);
	ck_assert_int_eq(f.type, RPC_NOTIFY);
	ck_assert_int_eq(PARSE(&f, 0x93, 2, 0xa1, 'm', 0x92, 0x80, 1), 0);         /* a newer peer's second parameter */
	ck_assert_int_eq(PARSE(&f, 0x93, 2, 0xa1, 'm', 0x90), -EBADMSG);           /* no parameter */
	ck_assert_int_eq(PARSE(&f, 0x94, 2, 0xa1, 'm', 0x91, 0x80, 1), -EBADMSG);  /* one too many */
	ck_assert_int_eq(PARSE(&f, 0x93, 0, 5, 0x91, 0x80), -EBADMSG);
	ck_assert_int_eq(PARSE(&f, 0x94, 3, 5, 0xc0, 0xc0), -EBADMSG);             /* no such type */
	ck_assert_int_eq(PARSE(&f, 0x94, 0xff, 5, 0xc0, 0xc0), -EBADMSG);
	ck_assert_int_eq(PARSE(&f, 0x94, 1, 0xff, 0xc0, 0xc0), -EBADMSG);          /* id -1 */
	ck_assert_int_eq(PARSE(&f, 0x94, 1, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 0xc0), -EBADMSG);
	ck_assert_int_eq(PARSE(&f, 0x94, 0, 5, 7, 0x91, 0x80), -EBADMSG);          /* the method is no text */
	ck_assert_int_eq(PARSE(&f, 0x84, 0, 5, 0xa1, 'm', 0x91, 0x80), -EBADMSG);
}
END_TEST

static int scan(const void *p, size_t n)
{
	struct rpc_scan s = { 0 };
	size_t taken;
	return rpc_scan(&s, p, n, &taken);
}
#define SCAN(...) scan((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

START_TEST(a_stream_of_something_else_is_refused_at_its_first_octet)
{
	ck_assert_int_eq(SCAN('G', 'E', 'T'), -EBADMSG);
	ck_assert_int_eq(SCAN(0x16, 3, 1), -EBADMSG); /* TLS */
	ck_assert_int_eq(SCAN(0x92), -EBADMSG);
	ck_assert_int_eq(SCAN(0x95), -EBADMSG);
	ck_assert_int_eq(SCAN(0xc1), -EBADMSG);
	ck_assert_int_eq(SCAN(0x94, 0xc1), -EBADMSG);
	ck_assert_int_eq(SCAN(0x94), RPC_E_MORE);
}
END_TEST

START_TEST(claims_beyond_the_bound_are_refused_before_they_are_waited_for)
{
	ck_assert_int_eq(SCAN(0x94, 0xc6, 0xff, 0xff, 0xff, 0xff), -EMSGSIZE);
	ck_assert_int_eq(SCAN(0x94, 0xdd, 0xff, 0xff, 0xff, 0xff), -EMSGSIZE);
	ck_assert_int_eq(SCAN(0x94, 0xdf, 0xff, 0xff, 0xff, 0xff), -EMSGSIZE);
	ck_assert_int_eq(SCAN(0x94, 0xc6, 0, 0x0f, 0xff, 0xf7), RPC_E_MORE);  /* with three more values, 2^20 exactly */
	ck_assert_int_eq(SCAN(0x94, 0xc6, 0, 0x0f, 0xff, 0xf8), -EMSGSIZE);
}
END_TEST

START_TEST(a_million_brackets_cost_no_stack)
{
	size_t n = RPC_FRAME_MAX - 1;
	uint8_t *deep = malloc(n);
	ck_assert_ptr_nonnull(deep);
	memset(deep, 0x91, n);
	deep[0] = 0x93;
	deep[n - 3] = deep[n - 2] = deep[n - 1] = 0;
	ck_assert_int_eq(scan(deep, n), 0);
	struct rpc_frame f;
	ck_assert_int_eq(parse(deep, n, &f), -EBADMSG);
	free(deep);
}
END_TEST

START_TEST(what_we_write_is_what_we_read)
{
	static const uint32_t ids[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, UINT32_MAX };
	uint8_t buf[RPC_HEAD_MAX + 2];
	struct rpc_frame f;
	for (size_t i = 0; i < COUNT(ids); i++) {
		size_t n = rpc_put_request(buf, ids[i], "rpc/AMethodWhoseNameIsLongerThanThirtyOne");
		buf[n++] = 0x80;
		ck_assert_int_eq(scan(buf, n), 0);
		ck_assert_int_eq(parse(buf, n, &f), 0);
		ck_assert(f.type == RPC_REQUEST && f.id == ids[i] && str_is(f.method, "rpc/AMethodWhoseNameIsLongerThanThirtyOne"));
		n = rpc_put_result(buf, ids[i]);
		buf[n++] = 0x80;
		ck_assert_int_eq(parse(buf, n, &f), 0);
		ck_assert(f.type == RPC_RESPONSE && f.id == ids[i] && !f.is_error);
		n = rpc_put_error(buf, ids[i]);
		buf[n++] = 0x80;
		buf[n++] = RPC_NIL;
		ck_assert_int_eq(parse(buf, n, &f), 0);
		ck_assert(f.type == RPC_RESPONSE && f.id == ids[i] && f.is_error && f.message.p[0] == 0x80);
	}
	size_t n = rpc_put_notify(buf, "NsAs/Event");
	buf[n++] = 0x80;
	ck_assert_int_eq(parse(buf, n, &f), 0);
	ck_assert(f.type == RPC_NOTIFY && str_is(f.method, "NsAs/Event"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rpc");
	TCase *t = tcase_create("frames");
	tcase_add_test(t, a_frame_ends_where_it_ends_however_it_is_cut);
	tcase_add_test(t, a_request_is_taken_apart);
	tcase_add_test(t, an_answer_is_a_result_or_an_error);
	tcase_add_test(t, what_is_no_frame_is_refused);
	tcase_add_test(t, a_stream_of_something_else_is_refused_at_its_first_octet);
	tcase_add_test(t, claims_beyond_the_bound_are_refused_before_they_are_waited_for);
	tcase_add_test(t, a_million_brackets_cost_no_stack);
	tcase_add_test(t, what_we_write_is_what_we_read);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

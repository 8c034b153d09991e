/** @file The codec of bus messages, against msgpack-c's unpacker and against bytes made by Python's msgpack. */
#include "proto/schema.h"
#include <check.h>
#include <inttypes.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum { BIG = 1 << 20 };

static struct gs_uplink some_uplink(void)
{
	struct gs_uplink u = {
		.cids = { 1, { { .kind = 2, .id = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } } } } },
		.rx = { .gateway_id = "eui-0102030405060708", .gateway_eui = 0x0102030405060708, .tmst_us = 4000000000,
			.received_unix_us = 1700000000000000, .rssi_ddbm = -1170, .snr_ddb = -75, .has = HAS(rx_meta, snr_ddb) },
		.freq_hz = 868100000,
		.mod = { .kind = 0 },
		.phy = { 3, { 0x40, 0, 0xff } },
		.age_us = 1500,
		.path_us = 20000,
		.can_send = true,
	};
	MSG_SET(&u.mod, sf, 7);
	MSG_SET(&u.mod, bw_hz, 125000);
	return u;
}

START_TEST(a_message_comes_back_as_it_was)
{
	struct gs_uplink a = some_uplink(), b;
	uint8_t buf[1024];
	size_t n;
	ck_assert_int_eq(msg_encode(gs_uplink_schema(), &a, buf, sizeof buf, &n), 0);
	memset(&b, 0xee, sizeof b);
	ck_assert_int_eq(msg_decode(gs_uplink_schema(), buf, n, &b), 0);
	ck_assert_uint_eq(b.cids.len, 1);
	ck_assert_uint_eq(b.cids.v[0].kind, 2);
	ck_assert_mem_eq(&b.cids.v[0].id, &a.cids.v[0].id, sizeof(struct ulid));
	ck_assert_str_eq(b.rx.gateway_id, a.rx.gateway_id);
	ck_assert_uint_eq(b.rx.gateway_eui, a.rx.gateway_eui);
	ck_assert_uint_eq(b.rx.received_unix_us, a.rx.received_unix_us);
	ck_assert_int_eq(b.rx.rssi_ddbm, -1170);
	ck_assert_int_eq(b.rx.snr_ddb, -75);
	ck_assert(MSG_HAS(&b.rx, snr_ddb));
	ck_assert(MSG_HAS(&b.rx, rssi_ddbm));
	ck_assert(!MSG_HAS(&b.rx, channel));
	ck_assert_uint_eq(b.rx.channel, 0);
	ck_assert_uint_eq(b.mod.bw_hz, 125000);
	ck_assert_uint_eq(b.phy.len, 3);
	ck_assert_mem_eq(b.phy.p, a.phy.p, 3);
	ck_assert(b.can_send);
	ck_assert(!MSG_HAS(&b, plan));
	ck_assert_str_eq(b.plan, "");
}
END_TEST

START_TEST(presence_is_told_by_name)
{
	struct rx_meta m = { 0 };
	ck_assert(!MSG_HAS(&m, snr_ddb));
	MSG_SET(&m, snr_ddb, -5);
	ck_assert(m.has & HAS(rx_meta, snr_ddb));
	ck_assert_uint_eq(m.has, HAS(rx_meta, snr_ddb));
	MSG_MARK(&m, gateway_id);
	ck_assert_uint_eq(m.has, 1 | HAS(rx_meta, snr_ddb));
	MSG_UNMARK(&m, snr_ddb);
	ck_assert_uint_eq(m.has, 1);
	ck_assert_uint_eq(HAS(gateway_status, path_us), UINT64_C(1) << 25);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct gs_uplink a = some_uplink(), b;
	uint8_t buf[1024];
	size_t n, unused;
	ck_assert_int_eq(msg_encode(gs_uplink_schema(), &a, buf, sizeof buf, &n), 0);
	for (size_t k = 0; k < n; k++) {
		ck_assert_int_eq(msg_decode(gs_uplink_schema(), buf, k, &b), -EBADMSG);
		ck_assert_int_eq(msg_encode(gs_uplink_schema(), &a, buf, k, &unused), -ENOSPC);
	}
	ck_assert_int_eq(msg_encode(gs_uplink_schema(), &a, buf, n, &unused), 0);
	buf[n] = 0;
	ck_assert_int_eq(msg_decode(gs_uplink_schema(), buf, n + 1, &b), -EBADMSG);
}
END_TEST

START_TEST(a_length_beyond_the_room_is_never_encoded)
{
	uint8_t buf[1024];
	size_t n;
	struct gs_uplink a = some_uplink();
	a.phy.len = 256;
	ck_assert_int_eq(msg_encode(gs_uplink_schema(), &a, buf, sizeof buf, &n), -EINVAL);
	a = some_uplink();
	a.cids.len = 13;
	ck_assert_int_eq(msg_encode(gs_uplink_schema(), &a, buf, sizeof buf, &n), -EINVAL);
}
END_TEST

#define BYTES_OF(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

START_TEST(what_is_malformed_is_refused)
{
	struct waiting w;
	struct downlink_queued *q = malloc(sizeof *q);
	struct failure f;
	struct sync_state s;
	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x82, 1, 5, 2, 6), &w), 0);
	ck_assert_uint_eq(w.items, 6);
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x81, 1, 5), &w), -EBADMSG);             /* REQ missing */
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x83, 1, 5, 2, 6, 1, 5), &w), -EBADMSG); /* twice */
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x82, 1, 5, 2, 0xff), &w), -EBADMSG);    /* negative */
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x82, 1, 5, 2, 0xc3), &w), -EBADMSG);    /* a truth */
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x82, 1, 5, 2, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0), &w), -EBADMSG);
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x92, 1, 5), &w), -EBADMSG); /* no map */
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0xdf, 0xff, 0xff, 0xff, 0xff), &w), -EBADMSG);
	ck_assert_int_eq(msg_decode(downlink_queued_schema(), BYTES_OF(0x81, 2, 0xdd, 0xff, 0xff, 0xff, 0xff), q), -EBADMSG);
	ck_assert_int_eq(msg_decode(downlink_queued_schema(), BYTES_OF(0x81, 2, 0xdc, 1, 1), q), -EBADMSG); /* 257 items */
	ck_assert_int_eq(msg_decode(failure_schema(), BYTES_OF(0x82, 1, 0xa1, 0, 2, 0xa1, 'x'), &f), -EBADMSG); /* NUL */
	ck_assert_int_eq(msg_decode(failure_schema(), BYTES_OF(0x82, 1, 0xc4, 1, 'a', 2, 0xa1, 'x'), &f), -EBADMSG); /* bin */
	ck_assert_int_eq(msg_decode(sync_state_schema(), BYTES_OF(0x81, 1, 0xc4, 2, 1, 2), &s), -EBADMSG); /* short ULID */
	free(q);
}
END_TEST

START_TEST(texts_and_octets_are_taken_up_to_their_most_and_not_beyond)
{
	struct failure f;
	uint8_t buf[300] = { 0x82, 1, 0xd9, 40 };
	memset(buf + 4, 'n', 41);
	memcpy(buf + 44, (const uint8_t[]){ 2, 0xa1, 'm' }, 3);
	ck_assert_int_eq(msg_decode(failure_schema(), buf, 47, &f), 0);
	ck_assert_uint_eq(strlen(f.name), 40);
	buf[3] = 41;
	buf[44] = 'n';
	memcpy(buf + 45, (const uint8_t[]){ 2, 0xa1, 'm' }, 3);
	ck_assert_int_eq(msg_decode(failure_schema(), buf, 48, &f), -EBADMSG);
}
END_TEST

START_TEST(unknown_ids_are_skipped_whatever_they_hold)
{
	struct waiting w;
	/* 99: [{"a": nil, 1: -1.5f}, bin, fixext 2]; "word": 7; [1, 2]: {} */
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x85, 99, 0x93, 0x82, 0xa1, 'a', 0xc0, 1, 0xca, 0xbf, 0xc0, 0, 0,
		0xc4, 2, 9, 9, 0xd5, 1, 2, 3, 1, 5, 0xa4, 'w', 'o', 'r', 'd', 7, 0x92, 1, 2, 0x80, 2, 6), &w), 0);
	ck_assert_uint_eq(w.device, 5);
	ck_assert_uint_eq(w.items, 6);
	ck_assert_uint_eq(w.has, 3);
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x83, 1, 5, 2, 6, 99, 0xc1), &w), -EBADMSG);
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x83, 1, 5, 2, 6, 99, 0xdd, 0xff, 0xff, 0xff, 0xff), &w), -EBADMSG);
	ck_assert_int_eq(msg_decode(waiting_schema(), BYTES_OF(0x83, 1, 5, 2, 6, 99, 0xc9, 0xff, 0xff, 0xff, 0xff), &w), -EBADMSG);
}
END_TEST

START_TEST(a_deep_nest_in_an_unknown_field_costs_no_stack)
{
	size_t deep = BIG - 16;
	uint8_t *buf = malloc(BIG);
	struct waiting w;
	ck_assert_ptr_nonnull(buf);
	memcpy(buf, (const uint8_t[]){ 0x83, 1, 5, 2, 6, 99 }, 6);
	memset(buf + 6, 0x91, deep);
	ck_assert_int_eq(msg_decode(waiting_schema(), buf, 6 + deep, &w), -EBADMSG);
	buf[6 + deep] = 0xc0;
	ck_assert_int_eq(msg_decode(waiting_schema(), buf, 7 + deep, &w), 0);
	free(buf);
}
END_TEST

START_TEST(decoding_clears_all_but_the_elements_that_did_not_come)
{
	struct ns_up *up = malloc(sizeof *up), *seen = malloc(sizeof *seen);
	uint8_t *buf = malloc(BIG);
	size_t n;
	ck_assert(up && seen && buf);
	memset(up, 0, sizeof *up);
	up->data.rx.len = 2;
	MSG_MARK(up, data);
	ck_assert_int_eq(msg_encode(ns_up_schema(), up, buf, BIG, &n), 0);
	memset(seen, 0x55, sizeof *seen);
	ck_assert_int_eq(msg_decode(ns_up_schema(), buf, n, seen), 0);
	ck_assert_uint_eq(seen->data.rx.len, 2);
	ck_assert_uint_eq(seen->data.rx.v[1].channel, 0);
	ck_assert_uint_eq(seen->data.rx.v[2].channel, 0x55555555);
	ck_assert_uint_eq(seen->cids.len, 0);
	ck_assert_uint_eq(seen->outcome.has, 0);
	ck_assert_str_eq(seen->outcome.error, "");
	ck_assert_uint_eq(seen->data.frm.len, 0);
	free(up);
	free(seen);
	free(buf);
}
END_TEST

/** Walk a message's bytes with msgpack-c's unpacker: an independent reader must see our fields under our ids. */
START_TEST(msgpack_c_reads_what_we_write)
{
	struct gs_uplink a = some_uplink();
	uint8_t buf[1024];
	size_t n, off = 0;
	ck_assert_int_eq(msg_encode(gs_uplink_schema(), &a, buf, sizeof buf, &n), 0);
	msgpack_unpacked u;
	msgpack_unpacked_init(&u);
	ck_assert_int_eq(msgpack_unpack_next(&u, (const char *)buf, n, &off), MSGPACK_UNPACK_SUCCESS);
	ck_assert_uint_eq(off, n);
	ck_assert_int_eq(u.data.type, MSGPACK_OBJECT_MAP);
	ck_assert_uint_eq(u.data.via.map.size, 8);
	const msgpack_object_kv *kv = u.data.via.map.ptr;
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(kv[i].key.via.u64, i + 1);
	ck_assert_int_eq(kv[0].val.type, MSGPACK_OBJECT_ARRAY);
	ck_assert_int_eq(kv[1].val.type, MSGPACK_OBJECT_MAP);
	ck_assert_uint_eq(kv[2].val.via.u64, 868100000);
	ck_assert_int_eq(kv[4].val.type, MSGPACK_OBJECT_BIN);
	ck_assert_uint_eq(kv[4].val.via.bin.size, 3);
	ck_assert_int_eq(kv[7].val.type, MSGPACK_OBJECT_BOOLEAN);
	const msgpack_object_kv *rx = kv[1].val.via.map.ptr;
	ck_assert_int_eq(rx[0].val.type, MSGPACK_OBJECT_STR);
	ck_assert_uint_eq(rx[1].val.via.u64, 0x0102030405060708);
	ck_assert_int_eq(rx[4].val.type, MSGPACK_OBJECT_NEGATIVE_INTEGER);
	ck_assert_int_eq(rx[4].val.via.i64, -1170);
	msgpack_unpacked_destroy(&u);
}
END_TEST

/** Put something into every field, so that all presence bits, kinds and nested structs are in use. */
static void fill(const struct schema *s, uint8_t *m, unsigned seed)
{
	void *has = m;
	*(uint64_t *)has = s->n < 64 ? (UINT64_C(1) << s->n) - 1 : UINT64_MAX;
	for (unsigned i = 0; i < s->n; i++) {
		const struct field *f = &s->f[i];
		void *p = m + f->off, *v = m + f->off_v;
		unsigned n = f->max < 3 ? f->max : 3;
		switch ((enum field_kind)f->kind) {
		case FIELD_U32: *(uint32_t *)p = UINT32_MAX >> (seed + i) % 32; break;
		case FIELD_U64: *(uint64_t *)p = UINT64_MAX >> (seed + i) % 64; break;
		case FIELD_I32: *(int32_t *)p = INT32_MIN >> (seed + i) % 32; break;
		case FIELD_BOOL: *(bool *)p = i % 2; break;
		case FIELD_TEXT: memset(p, 'a' + (int)i % 26, f->max); break;
		case FIELD_ULID: case FIELD_KEY: memset(p, (int)(seed + i), 16); break;
		case FIELD_SUB: fill(f->sub(), p, seed + i); break;
		case FIELD_BYTES: *(uint16_t *)p = f->max; memset(v, (int)i, f->max); break;
		case FIELD_LIST:
			*(uint16_t *)p = (uint16_t)n;
			for (unsigned k = 0; k < n; k++)
				fill(f->sub(), (uint8_t *)v + k * f->elem, seed + i + k);
			break;
		case FIELD_KIND_N: break;
		}
	}
}

START_TEST(every_field_of_every_message_comes_back)
{
	uint8_t *buf = malloc(BIG), *again = malloc(BIG);
	ck_assert(buf && again);
	for (size_t i = 0; i < schema_all_n; i++) {
		const struct schema *s = schema_all[i]();
		uint8_t *a = calloc(1, s->size), *b = malloc(s->size);
		size_t n, n_again;
		ck_assert(a && b);
		for (unsigned seed = 0; seed < 32; seed++) {
			fill(s, a, seed);
			memcpy(b, a, s->size); /* what no list of *b uses stays, so the whole can be compared */
			ck_assert_int_eq(msg_encode(s, a, buf, BIG, &n), 0);
			ck_assert_int_eq(msg_decode(s, buf, n, b), 0);
			ck_assert_msg(!memcmp(a, b, s->size), "%s", s->name);
			ck_assert_int_eq(msg_encode(s, b, again, BIG, &n_again), 0);
			ck_assert(n == n_again && !memcmp(buf, again, n));
		}
		free(a);
		free(b);
	}
	free(buf);
	free(again);
}
END_TEST

START_TEST(methods_are_found_by_name)
{
	enum method m;
	for (unsigned i = 0; i < METHOD_N; i++) {
		const struct method_info *info = method_info((enum method)i);
		ck_assert_int_eq(method_find((struct str){ info->name, strlen(info->name) }, &m), 0);
		ck_assert_uint_eq(m, i);
		ck_assert_ptr_nonnull(info->request());
	}
	ck_assert_int_eq(method_find(STR("NsAs/Nothing"), &m), -ENOENT);
	ck_assert_int_eq(method_find(STR(""), &m), -ENOENT);
	ck_assert_ptr_null(method_info(GSNS_STATUS)->reply);
	ck_assert_ptr_eq(method_info(NSAS_PULL)->reply(), pulled_schema());
}
END_TEST

static const char *const kinds[FIELD_KIND_N] = { "u32", "u64", "i32", "bool", "text", "bytes", "ulid", "key", "sub", "list" };

static const struct field *find(const char *message, const char *member)
{
	for (size_t i = 0; i < schema_all_n; i++) {
		const struct schema *s = schema_all[i]();
		for (unsigned k = 0; !strcmp(s->name, message) && k < s->n; k++)
			if (!strcmp(s->f[k].name, member))
				return &s->f[k];
	}
	return NULL;
}

static FILE *open_source(const char *path)
{
	char full[4096];
	const char *source = getenv("GODWIT_SOURCE");
	snprintf(full, sizeof full, "%s/%s", source ? source : ".", path);
	FILE *f = fopen(full, "r");
	ck_assert_msg(f, "%s", full);
	return f;
}

static unsigned hex_line(const char *hex, uint8_t *out)
{
	unsigned n = 0, v;
	while (sscanf(hex + 2 * n, "%2x", &v) == 1)
		out[n++] = (uint8_t)v;
	return n;
}

/** Bytes that Python's msgpack made: what we read of them we must write as the same bytes. */
START_TEST(python_writes_the_same_bytes)
{
	FILE *f = open_source("test/vectors/bus/python.txt");
	static char line[4000], hex[4000], message[64];
	static uint8_t bytes[2000], ours[2000];
	unsigned rows = 0;
	while (fgets(line, sizeof line, f)) {
		if (line[0] == '#')
			continue;
		ck_assert_int_eq(sscanf(line, "%63s %3999s", message, hex), 2);
		unsigned n = hex_line(hex, bytes);
		size_t i = 0, n_ours;
		while (i < schema_all_n && strcmp(schema_all[i]()->name, message))
			i++;
		ck_assert_msg(i < schema_all_n, "%s", message);
		const struct schema *s = schema_all[i]();
		void *m = malloc(s->size);
		ck_assert_ptr_nonnull(m);
		ck_assert_msg(!msg_decode(s, bytes, n, m), "%s", line);
		ck_assert_int_eq(msg_encode(s, m, ours, sizeof ours, &n_ours), 0);
		ck_assert_msg(n == n_ours && !memcmp(bytes, ours, n), "%s", line);
		free(m);
		rows++;
	}
	fclose(f);
	ck_assert_uint_ge(rows, 5);
}
END_TEST

/** Each line of the list was released once: message, id, member, kind. Versions are mixed during an upgrade, so it stays true. */
START_TEST(ids_only_grow)
{
	FILE *f = open_source("test/vectors/messages.txt");
	char line[200], message[64], member[64], kind[16];
	unsigned id, rows = 0;
	while (fgets(line, sizeof line, f)) {
		if (line[0] == '#')
			continue;
		ck_assert_int_eq(sscanf(line, "%63s %u %63s %15s", message, &id, member, kind), 4);
		const struct field *field = find(message, member);
		ck_assert_msg(field, "%s.%s is gone", message, member);
		ck_assert_msg(field->id == id && !strcmp(kinds[field->kind], kind), "%s.%s changed", message, member);
		rows++;
	}
	fclose(f);
	unsigned fields = 0;
	for (size_t i = 0; i < schema_all_n; i++)
		fields += schema_all[i]()->n;
	ck_assert_msg(rows == fields, "%u fields, %u rows: add the new ones to test/vectors/messages.txt", fields, rows);
}
END_TEST

START_TEST(no_id_or_name_stands_twice_in_a_message)
{
	for (size_t i = 0; i < schema_all_n; i++) {
		const struct schema *s = schema_all[i]();
		for (unsigned k = 0; k < s->n; k++)
			for (unsigned l = 0; l < k; l++)
				ck_assert_msg(s->f[k].id != s->f[l].id && strcmp(s->f[k].json, s->f[l].json), "%s.%s", s->name, s->f[k].name);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("schema");
	TCase *t = tcase_create("codec");
	tcase_add_test(t, a_message_comes_back_as_it_was);
	tcase_add_test(t, presence_is_told_by_name);
	tcase_add_test(t, every_truncation_is_refused);
	tcase_add_test(t, a_length_beyond_the_room_is_never_encoded);
	tcase_add_test(t, what_is_malformed_is_refused);
	tcase_add_test(t, texts_and_octets_are_taken_up_to_their_most_and_not_beyond);
	tcase_add_test(t, unknown_ids_are_skipped_whatever_they_hold);
	tcase_add_test(t, a_deep_nest_in_an_unknown_field_costs_no_stack);
	tcase_add_test(t, decoding_clears_all_but_the_elements_that_did_not_come);
	tcase_add_test(t, msgpack_c_reads_what_we_write);
	tcase_add_test(t, every_field_of_every_message_comes_back);
	tcase_add_test(t, python_writes_the_same_bytes);
	tcase_add_test(t, methods_are_found_by_name);
	tcase_add_test(t, ids_only_grow);
	tcase_add_test(t, no_id_or_name_stands_twice_in_a_message);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

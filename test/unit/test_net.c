/** @file Addresses as text and back, and the sockets made from them. */
#include "common/net.h"
#include "test/scratch.h"
#include <check.h>
#include <sys/un.h>

static const char *shown(const struct net_address *a)
{
	static char buf[200];
	struct text t = text_fixed(buf, sizeof buf);
	net_text(&t, a);
	return buf;
}

START_TEST(an_address_reads_back_as_it_was_written)
{
	static const char *const rows[][2] = {
		{ "127.0.0.1:1700", "127.0.0.1:1700" }, { "[::]:1700", "[::]:1700" }, { "[::1]", "[::1]:1910" },
		{ "::1", "[::1]:1910" }, { "10.0.0.1", "10.0.0.1:1910" }, { "tcp:10.0.0.1", "10.0.0.1:1910" },
		{ "tcp:[fe80::1]:5", "[fe80::1]:5" }, { "0.0.0.0:0", "0.0.0.0:0" }, { "unix:/run/x.sock", "unix:/run/x.sock" },
		{ "localhost:1883", "127.0.0.1:1883" }, { "LocalHost", "127.0.0.1:1910" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct net_address a;
		ck_assert_msg(net_parse(str_of(rows[i][0]), 1910, &a) == 0, "%s", rows[i][0]);
		ck_assert_str_eq(shown(&a), rows[i][1]);
	}
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const rows[] = {
		"", ":1700", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:x", "1.2.3.4:-1", "[::1", "[::1]x", "[::1]:", "unix:", "tcp:",
		"no..such.name:1", "[]:1", /* an empty label: no resolver is asked */
	};
	struct net_address a;
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(net_parse(str_of(rows[i]), 1, &a) == -EINVAL, "%s", rows[i]);
	char path[200];
	snprintf(path, sizeof path, "unix:/%0150d", 0);
	ck_assert_int_eq(net_parse(str_of(path), 1, &a), -ENAMETOOLONG);
}
END_TEST

START_TEST(port_zero_becomes_the_port_in_use)
{
	struct net_address a, bound;
	ck_assert_int_eq(net_parse(STR("127.0.0.1:0"), 0, &a), 0);
	int udp = net_udp_bind(&a), tcp = net_listen(&a);
	ck_assert_int_ge(udp, 0);
	ck_assert_int_ge(tcp, 0);
	ck_assert_int_eq(net_local(udp, &bound), 0);
	ck_assert_uint_ne(net_port(&bound), 0);
	ck_assert_int_eq(net_udp_bind(&bound), -EADDRINUSE);
	ck_assert_int_eq(net_local(tcp, &bound), 0);
	ck_assert_int_eq(net_listen(&bound), -EADDRINUSE);
	ck_assert_int_eq(fcntl(udp, F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(udp, F_GETFL) & O_NONBLOCK);
	close(udp);
	close(tcp);
}
END_TEST

START_TEST(both_families_can_have_the_same_port)
{
	struct net_address a, bound;
	ck_assert_int_eq(net_parse(STR("0.0.0.0:0"), 0, &a), 0);
	int v4 = net_udp_bind(&a);
	ck_assert_int_eq(net_local(v4, &bound), 0);
	ck_assert_int_eq(net_parse(STR("[::]:0"), net_port(&bound), &a), 0);
	char text[32];
	snprintf(text, sizeof text, "[::]:%u", net_port(&bound));
	ck_assert_int_eq(net_parse(str_of(text), 0, &a), 0);
	int v6 = net_udp_bind(&a);
	if (v6 != -EAFNOSUPPORT && v6 != -EADDRNOTAVAIL)
		ck_assert_int_ge(v6, 0);
	close(v4);
	close(v6);
}
END_TEST

START_TEST(a_stale_socket_file_is_replaced_and_a_live_one_is_not)
{
	struct scratch dir = scratch_new();
	char text[200];
	struct net_address a;
	snprintf(text, sizeof text, "unix:%s", scratch_file(&dir, "s"));
	ck_assert_int_eq(net_parse(str_of(text), 0, &a), 0);
	int first = net_listen(&a);
	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(net_listen(&a), -EADDRINUSE);
	close(first);
	int second = net_listen(&a);
	ck_assert_int_ge(second, 0);
	ck_assert_str_eq(shown(&a), text);
	close(second);
	scratch_free(&dir);
}
END_TEST

START_TEST(a_plain_file_in_the_way_is_not_removed)
{
	struct scratch dir = scratch_new();
	char text[200];
	struct net_address a;
	scratch_write(&dir, "s", "precious");
	snprintf(text, sizeof text, "unix:%s", scratch_file(&dir, "s"));
	ck_assert_int_eq(net_parse(str_of(text), 0, &a), 0);
	ck_assert_int_eq(net_listen(&a), -EADDRINUSE);
	ck_assert_str_eq(scratch_read(&dir, "s"), "precious");
	scratch_free(&dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net");
	TCase *c = tcase_create("addresses");
	tcase_add_test(c, an_address_reads_back_as_it_was_written);
	tcase_add_test(c, what_is_no_address_is_refused);
	tcase_add_test(c, port_zero_becomes_the_port_in_use);
	tcase_add_test(c, both_families_can_have_the_same_port);
	tcase_add_test(c, a_stale_socket_file_is_replaced_and_a_live_one_is_not);
	tcase_add_test(c, a_plain_file_in_the_way_is_not_removed);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file Addresses of devices that join: from the network's blocks, and as few devices as possible at one. */
#include "ns/core/up/address.h"
#include "test/unit/ns_life.h"
#include <check.h>

static struct rng_seeded seed;
static struct ns ns;

static void setup(void)
{
	ns = (struct ns){ .config.rng = rng_seeded(&seed, 5) };
	ck_assert_int_eq(devices_init(&ns.devices), 0);
}

static void teardown(void)
{
	devices_done(&ns.devices);
}

static void join(uint64_t uid, uint32_t addr)
{
	struct dev *d = devices_make(&ns.devices, uid);
	struct session *s = session_new(d);
	s->dev_addr = addr;
	devices_take_current(&ns.devices, d, s);
}

START_TEST(addresses_come_from_the_block_of_the_net_id)
{
	ns.config.net_id = 0x000013;
	for (unsigned i = 0; i < 1000; i++)
		ck_assert(devaddr_in(devaddr_block(0x13), address_choose(&ns)));
}
END_TEST

START_TEST(or_from_the_blocks_that_the_operator_names_each_by_its_size)
{
	unsigned small = 0;
	ns.config.net_id = 0x000013;
	ns.config.n_prefixes = 2;
	ns.config.prefix[0] = (struct devaddr_block){ 0x26011000, 20 };
	ns.config.prefix[1] = (struct devaddr_block){ 0x27000000, 22 };
	for (unsigned i = 0; i < 5000; i++) {
		uint32_t a = address_choose(&ns);
		bool is_small = devaddr_in(ns.config.prefix[1], a);
		ck_assert(is_small || devaddr_in(ns.config.prefix[0], a));
		small += is_small;
	}
	ck_assert(small > 850 && small < 1150);
}
END_TEST

START_TEST(no_address_is_shared_while_others_are_free)
{
	ns.config.n_prefixes = 1;
	ns.config.prefix[0] = (struct devaddr_block){ 0x26011000, 24 };
	for (unsigned i = 0; i < 128; i++) {
		uint32_t a = address_choose(&ns);
		ck_assert_ptr_null(sessions_first(&ns.devices, a));
		join(i + 1, a);
	}
}
END_TEST

START_TEST(a_full_block_is_shared_evenly)
{
	unsigned n[16] = { 0 };
	ns.config.n_prefixes = 1;
	ns.config.prefix[0] = (struct devaddr_block){ 0x26011000, 28 };
	for (unsigned i = 0; i < 160; i++) {
		uint32_t a = address_choose(&ns);
		n[a & 15]++;
		join(i + 1, a);
	}
	for (unsigned i = 0; i < 16; i++)
		ck_assert_msg(n[i] >= 9 && n[i] <= 11, "%u at %u", n[i], i);
}
END_TEST

START_TEST(devices_of_one_dev_eui_are_all_found_and_lost_one_by_one)
{
	struct dev *d[4];
	for (uint64_t i = 0; i < 4; i++) {
		d[i] = devices_make(&ns.devices, i + 1);
		devices_set_euis(&ns.devices, d[i], true, 42, true, i);
	}
	for (unsigned gone = 0; gone < 4; gone++) {
		unsigned n = 0;
		for (const struct dev *x = devices_by_dev_eui(&ns.devices, 42); x; x = x->same_dev_eui)
			n++;
		ck_assert_uint_eq(n, 4 - gone);
		if (gone % 2)
			devices_set_euis(&ns.devices, d[(gone + 1) % 4], true, 7, true, gone);
		else
			devices_delete(&ns.devices, d[(gone + 1) % 4]);
	}
	ck_assert_ptr_null(devices_by_dev_eui(&ns.devices, 42));
	ck_assert_ptr_nonnull(devices_by_dev_eui(&ns.devices, 7));
}
END_TEST

START_TEST(when_the_first_of_a_dev_eui_goes_the_next_leads)
{
	struct dev *d[3];
	for (uint64_t i = 0; i < 3; i++) {
		d[i] = devices_make(&ns.devices, i + 1);
		devices_set_euis(&ns.devices, d[i], true, 42, true, i);
	}
	for (unsigned gone = 0; gone < 3; gone++) {
		struct dev *first = devices_by_dev_eui(&ns.devices, 42);
		unsigned n = 0;
		for (const struct dev *x = first; x; x = x->same_dev_eui)
			n++;
		ck_assert_uint_eq(n, 3 - gone);
		devices_delete(&ns.devices, first);
	}
	ck_assert_ptr_null(devices_by_dev_eui(&ns.devices, 42));
}
END_TEST

START_TEST(a_pair_of_euis_that_moves_belongs_to_the_last_one)
{
	struct dev *a = devices_make(&ns.devices, 1), *b = devices_make(&ns.devices, 2);
	devices_set_euis(&ns.devices, a, true, 42, true, 7);
	devices_set_euis(&ns.devices, b, true, 42, true, 7);
	ck_assert_ptr_eq(devices_by_euis(&ns.devices, 7, 42), b);
	devices_set_euis(&ns.devices, a, true, 43, true, 7);
	ck_assert_ptr_eq(devices_by_euis(&ns.devices, 7, 42), b);
	ck_assert_ptr_eq(devices_by_euis(&ns.devices, 7, 43), a);
}
END_TEST

START_TEST(sessions_are_found_however_many_there_are)
{
	enum { MANY = 3000 };
	for (uint32_t i = 0; i < MANY; i++)
		join(i + 1, 0x26000000 + i / 2 * 7919); /* two at each address */
	ck_assert_uint_ge(ns.devices.n_addr, MANY / 2);
	for (uint32_t i = 0; i < MANY; i++) {
		unsigned n = 0, found = 0;
		for (struct session *s = sessions_first(&ns.devices, 0x26000000 + i / 2 * 7919); s; s = sessions_next(s)) {
			n++;
			found += s->dev->uid == i + 1;
		}
		ck_assert(n == 2 && found == 1);
	}
	for (uint32_t i = 0; i < MANY; i += 2)
		devices_delete(&ns.devices, devices_find(&ns.devices, i + 1));
	ck_assert_uint_eq(ns.devices.n_sessions, MANY / 2);
	struct session *left = sessions_first(&ns.devices, 0x26000000);
	ck_assert(left && left->dev->uid == 2 && !sessions_next(left));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_address");
	TCase *t = tcase_create("address");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, addresses_come_from_the_block_of_the_net_id);
	tcase_add_test(t, or_from_the_blocks_that_the_operator_names_each_by_its_size);
	tcase_add_test(t, no_address_is_shared_while_others_are_free);
	tcase_add_test(t, a_full_block_is_shared_evenly);
	tcase_add_test(t, devices_of_one_dev_eui_are_all_found_and_lost_one_by_one);
	tcase_add_test(t, when_the_first_of_a_dev_eui_goes_the_next_leads);
	tcase_add_test(t, a_pair_of_euis_that_moves_belongs_to_the_last_one);
	tcase_add_test(t, sessions_are_found_however_many_there_are);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

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
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

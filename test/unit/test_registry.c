/** @file The registry: ids, EUIs, what a device must have, revisions, and what a restart finds. */
#include "proto/lorawan/version.h"
#include "test/unit/registry_world.h"

static struct world w;
static struct problem p;
static struct app *app1;

static void setup(void)
{
	world_open(&w);
	p = (struct problem){ 0 };
	app1 = world_app(&w, "app1");
}

static void teardown(void)
{
	world_close(&w);
}

static struct device *add(const char *json)
{
	struct device *d = NULL;
	int e = world_device(&w, app1, json, &d, &p);
	ck_assert_msg(e == 0, "%s: %s", p.field, p.message);
	return d;
}

START_TEST(applications_of_different_tenants_are_different)
{
	struct app *t = world_app(&w, "app1@tenant1");
	ck_assert_ptr_eq(registry_app(&w.r, STR("app1")), app1);
	ck_assert_ptr_eq(registry_app(&w.r, STR("app1@tenant1")), t);
	ck_assert_str_eq(t->id, "app1");
	ck_assert_str_eq(t->tenant, "tenant1");
	ck_assert_ptr_null(registry_app(&w.r, STR("app1@other")));
	ck_assert_ptr_null(registry_app(&w.r, STR("")));
	ck_assert_ptr_null(registry_app(&w.r, STR("app2")));
}
END_TEST

START_TEST(the_default_tenant_names_an_application_without_one)
{
	ck_assert_ptr_eq(registry_app(&w.r, STR("app1@ttn")), app1);
	ck_assert_ptr_null(registry_app(&w.r, STR("app1@")));
	ck_assert_ptr_null(registry_app(&w.r, STR("app1@tt")));
}
END_TEST

START_TEST(a_taken_application_id_is_a_conflict)
{
	static const char *const bad[] = { "", "a", "App1", "app_1", "-app", "app1@", "app1@T", "@ttn",
		"app1@x@y" };
	struct app *a = app_new();
	ck_assert_int_eq(app_set_ids(a, STR("app1"), &p), 0);
	ck_assert_int_eq(registry_app_create(&w.r, a, &w.now, &p), REGISTRY_E_EXISTS);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(app_set_ids(a, str_of(bad[i]), &p) == REGISTRY_E_INVALID, "%s", bad[i]);
	app_free(a);
}
END_TEST

START_TEST(an_application_with_devices_stays)
{
	struct device *d = add(OTAA("dev1", "70B3D57ED0051234"));
	ck_assert_int_eq(registry_app_delete(&w.r, app1, &p), REGISTRY_E_IN_USE);
	ck_assert_int_eq(registry_device_delete(&w.r, d), 0);
	ck_assert_int_eq(registry_app_delete(&w.r, app1, &p), 0);
	ck_assert_ptr_null(registry_app(&w.r, STR("app1")));
}
END_TEST

START_TEST(a_device_is_found_by_id_number_and_euis)
{
	struct device *d = add(OTAA("dev1", "70B3D57ED0051234"));
	ck_assert_ptr_eq(registry_device(&w.r, app1, STR("dev1")), d);
	ck_assert_ptr_eq(registry_device_by_uid(&w.r, d->entry.uid), d);
	ck_assert_ptr_eq(registry_device_by_eui(&w.r, 1, UINT64_C(0x70B3D57ED0051234)), d);
	ck_assert_ptr_null(registry_device_by_eui(&w.r, 2, UINT64_C(0x70B3D57ED0051234)));
	ck_assert_ptr_null(registry_device(&w.r, app1, STR("dev2")));
	ck_assert_uint_eq(d->mac_version, LW_1_0_3);
	ck_assert_uint_eq(d->phy_version, RP_1_0_3_A);
}
END_TEST

START_TEST(a_pair_of_euis_belongs_to_one_device)
{
	struct app *app2 = world_app(&w, "app2");
	add(OTAA("dev1", "70B3D57ED0051234"));
	ck_assert_int_eq(
		world_device(&w, app1, OTAA("dev1", "70B3D57ED0051235"), NULL, &p), REGISTRY_E_EXISTS);
	ck_assert_str_eq(p.field, "ids.device_id");
	ck_assert_int_eq(
		world_device(&w, app2, OTAA("dev1", "70B3D57ED0051234"), NULL, &p), REGISTRY_E_EXISTS);
	ck_assert_str_eq(p.field, "ids.dev_eui");
	ck_assert_ptr_nonnull(strstr(p.message, "device dev1 of application app1"));
	ck_assert_int_eq(world_device(&w, app2, OTAA("dev1", "70B3D57ED0051235"), NULL, &p), 0);
}
END_TEST

START_TEST(a_change_of_eui_moves_the_index)
{
	struct device *d = add(OTAA("dev1", "70B3D57ED0051234"));
	add(OTAA("dev2", "70B3D57ED0051235"));
	ck_assert_int_eq(world_update(&w, d, "{\"ids\":{\"dev_eui\":\"70B3D57ED0051235\"}}", NULL, &p),
		REGISTRY_E_EXISTS);
	ck_assert_ptr_eq(registry_device_by_eui(&w.r, 1, UINT64_C(0x70B3D57ED0051234)), d);
	ck_assert_int_eq(world_update(&w, d, "{\"ids\":{\"dev_eui\":\"70B3D57ED0051236\"}}", NULL, &p), 0);
	ck_assert_ptr_null(registry_device_by_eui(&w.r, 1, UINT64_C(0x70B3D57ED0051234)));
	ck_assert_ptr_eq(registry_device_by_eui(&w.r, 1, UINT64_C(0x70B3D57ED0051236)), d);
}
END_TEST

static const struct {
	const char *json, *field;
} refused[] = {
	{ "{}", "ids.device_id" },
	{ "{\"ids\":{\"device_id\":\"Dev\"}}", "ids.device_id" },
	{ "{\"ids\":{\"device_id\":\"dev\",\"dev_eui\":\"70B3D57ED005123\"}}", "ids.dev_eui" },
	{ "{\"ids\":{\"device_id\":\"dev\",\"join_eui\":\"0000000000000001\"}}", "ids.dev_eui" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"supports_join\":true}", "ids.dev_eui" },
	{ "{\"ids\":{\"device_id\":\"dev\",\"dev_eui\":\"70B3D57ED0051234\"},\"supports_join\":true}",
		"ids.join_eui" },
	{ "{\"ids\":{\"device_id\":\"dev\",\"dev_eui\":\"70B3D57ED0051234\",\"join_eui\":"
	  "\"0000000000000001\"},\"supports_join\":true,"
	  "\"frequency_plan_id\":\"EU_863_870\"}",
		"root_keys.app_key.key" },
	{ "{\"ids\":{\"device_id\":\"dev\",\"dev_eui\":\"70B3D57ED0051234\",\"join_eui\":"
	  "\"0000000000000001\"},\"supports_join\":true,"
	  "\"lorawan_version\":\"1.1\",\"root_keys\":{\"app_key\":{\"key\":"
	  "\"000102030405060708090A0B0C0D0E0F\"}}}",
		"root_keys.nwk_key.key" },
	{ "{\"ids\":{\"device_id\":\"dev\",\"dev_eui\":\"70B3D57ED0051234\",\"join_eui\":"
	  "\"0000000000000001\"},"
	  "\"root_keys\":{\"app_key\":{\"key\":\"0001\"}}}",
		"root_keys.app_key" },
	{ "{\"ids\":{\"device_id\":\"dev\",\"dev_eui\":\"70B3D57ED0051234\",\"join_eui\":"
	  "\"0000000000000001\"},"
	  "\"root_keys\":{\"app_key\":{\"key\":\"000102030405060708090A0B0C0D0E0F\"}}}",
		"frequency_plan_id" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"lorawan_version\":\"2.0\"}", "lorawan_version" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"lorawan_phy_version\":\"x\"}", "lorawan_phy_version" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"session\":{\"dev_addr\":\"01DA1F1\"}}", "session.dev_addr" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"session\":{\"dev_addr\":\"01DA1F15\"}}",
		"session.keys.f_nwk_s_int_key" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"session\":{\"keys\":{\"app_s_key\":{\"key\":"
	  "\"000102030405060708090A0B0C0D0E0F\"}}}}",
		"session.dev_addr" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"multicast\":true}", "session" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"resets_join_nonces\":true}", "resets_join_nonces" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"attributes\":[]}", "attributes" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"supports_class_c\":\"maybe\"}", "supports_class_c" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"mac_settings\":{\"rx1_delay\":16}}", "mac_settings.rx1_delay" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"mac_settings\":{\"desired_rx2_data_rate_index\":\"DATA_RATE_"
	  "16\"}}",
		"mac_settings.desired_rx2_data_rate_index" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"root_keys\":{\"app_key\":{\"encrypted_key\":\"AAAA\"}}}",
		"root_keys.app_key" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"frequency_plan_id\":\"EU_863\"}", "frequency_plan_id" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"frequency_plan_id\":\"EU_863_870\",\"mac_settings\":{\"desired_rx1_data_rate_offset\":6}}",
		"mac_settings.desired_rx1_data_rate_offset" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"frequency_plan_id\":\"EU_863_870\",\"mac_settings\":{\"rx2_data_rate_index\":14}}",
		"mac_settings.rx2_data_rate_index" },
	{ "{\"ids\":{\"device_id\":\"dev\"},\"frequency_plan_id\":\"EU_863_870\",\"mac_settings\":{\"rx2_frequency\":869300000}}",
		"mac_settings.rx2_frequency" },
};

START_TEST(what_is_wrong_with_a_device_is_named)
{
	uint64_t revision = w.r.revision;
	int e = world_device(&w, app1, refused[_i].json, NULL, &p);
	ck_assert_int_eq(e, REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, refused[_i].field);
	ck_assert_uint_eq(w.r.revision, revision);
	ck_assert_uint_eq(app1->n_devices, 0);
}
END_TEST

START_TEST(an_abp_device_of_1_0_needs_one_network_key)
{
	struct device *d = add(ABP("dev1", "01DA1F15"));
	ck_assert_uint_eq(d->session.dev_addr, 0x01DA1F15);
	ck_assert_mem_eq(&d->session.f_nwk_s_int_key, &d->session.nwk_s_enc_key, AES_KEY);
	ck_assert_mem_eq(&d->session.f_nwk_s_int_key, &d->session.s_nwk_s_int_key, AES_KEY);
	ck_assert(!ulid_is_none(&d->session.session_key_id));
	ck_assert_uint_eq(d->session.generation, 1);
	struct ns_device n;
	device_to_ns(d, &n);
	ck_assert(MSG_HAS(&n, session) && !MSG_HAS(&n, dev_eui) && !n.supports_join);
	ck_assert_str_eq(n.application_id, "app1");
}
END_TEST

START_TEST(the_nwk_s_key_may_be_called_so)
{
	struct device *d = add("{\"ids\":{\"device_id\":\"dev1\"},\"frequency_plan_id\":\"EU_863_870\","
			       "\"session\":{\"devAddr\":\"01da1f15\","
			       "\"keys\":{\"nwk_s_key\":\"0F0E0D0C0B0A09080706050403020100\",\"app_s_key\":"
			       "\"00000000000000000000000000000001\"}}}");
	ck_assert_uint_eq(d->session.nwk_s_enc_key.b[0], 0x0F);
	ck_assert_uint_eq(d->session.app_s_key.b[15], 1);
}
END_TEST

START_TEST(a_session_goes_on_until_the_operator_changes_it)
{
	struct device *d = add(ABP("dev1", "01DA1F15"));
	struct ulid id = d->session.session_key_id;
	ck_assert_int_eq(world_update(&w, d, ABP("dev1", "01DA1F15"), NULL, &p), 0);
	ck_assert_int_eq(world_update(&w, d, "{\"name\":\"x\"}", NULL, &p), 0);
	ck_assert_uint_eq(d->session.generation, 1);
	ck_assert(ulid_eq(&id, &d->session.session_key_id));
	ck_assert_int_eq(world_update(&w, d, ABP("dev1", "01DA1F16"), NULL, &p), 0);
	ck_assert_uint_eq(d->session.generation, 2);
	ck_assert(!ulid_eq(&id, &d->session.session_key_id));
	id = d->session.session_key_id;
	ck_assert_int_eq(registry_device_reset(&w.r, d, &w.now), 0);
	ck_assert_uint_eq(d->session.generation, 3);
	ck_assert_uint_eq(d->reset, 1);
	ck_assert(!ulid_eq(&id, &d->session.session_key_id));
}
END_TEST

START_TEST(a_mask_changes_what_it_names_and_nothing_else)
{
	struct device *d = add(OTAA("dev1", "70B3D57ED0051234"));
	ck_assert_int_eq(
		world_update(&w, d, "{\"name\":\"one\",\"description\":\"two\",\"supports_class_c\":true}",
			"name", &p),
		0);
	ck_assert_str_eq(texts_get(&d->texts, TEXT_NAME), "one");
	ck_assert_str_eq(texts_get(&d->texts, TEXT_DESCRIPTION), "");
	ck_assert(!d->class_c && d->has_app_key);
	ck_assert_int_eq(
		world_update(&w, d, "{\"description\":\"two\"}", "end_device.description,name", &p), 0);
	ck_assert_str_eq(texts_get(&d->texts, TEXT_NAME), "");
	ck_assert_str_eq(texts_get(&d->texts, TEXT_DESCRIPTION), "two");
	ck_assert_int_eq(world_update(&w, d, "{}", "ids", &p), 0);
	ck_assert(d->has_dev_eui && d->has_join_eui);
	ck_assert_int_eq(
		world_update(&w, d, "{\"ids\":{\"device_id\":\"dev2\"}}", NULL, &p), REGISTRY_E_INVALID);
}
END_TEST

START_TEST(mac_settings_are_merged_and_understood)
{
	struct device *d = add(OTAA("dev1", "70B3D57ED0051234"));
	ck_assert_int_eq(world_update(&w, d,
				 "{\"mac_settings\":{\"rx1_delay\":{\"value\":5},\"rx2_frequency\":"
				 "\"869525000\",}}",
				 NULL, &p),
		0);
	ck_assert_int_eq(world_update(&w, d,
				 "{\"mac_settings\":{\"desired_rx1_delay\":\"RX_DELAY_3\",\"supports_32_bit_"
				 "f_cnt\":false,"
				 "\"rx2_data_rate_index\":\"DATA_RATE_0\"}}",
				 NULL, &p),
		0);
	ck_assert_uint_eq(d->mac.rx1_delay, 5);
	ck_assert_uint_eq(d->mac.desired_rx1_delay, 3);
	ck_assert_uint_eq(d->mac.rx2_freq_hz, 869525000);
	ck_assert(MSG_HAS(&d->mac, f_cnt_32) && !d->mac.f_cnt_32 && MSG_HAS(&d->mac, rx2_dr) &&
		  d->mac.rx2_dr == 0);
	ck_assert(!MSG_HAS(&d->mac, resets_f_cnt));
	ck_assert_str_eq(texts_get(&d->texts, TEXT_MAC_SETTINGS),
		"{\"rx1_delay\":\"RX_DELAY_5\",\"desired_rx1_delay\":\"RX_DELAY_3\",\"rx2_data_rate_index\":\"DATA_RATE_0\","
		"\"rx2_frequency\":\"869525000\",\"supports_32_bit_f_cnt\":false}");
	ck_assert_int_eq(world_update(&w, d, "{\"mac_settings\":{\"rx1_delay\":null}}", NULL, &p), 0);
	ck_assert(!MSG_HAS(&d->mac, rx1_delay) && MSG_HAS(&d->mac, desired_rx1_delay));
	ck_assert_int_eq(world_update(&w, d, "{}", "mac_settings", &p), 0);
	ck_assert(d->mac.has == 0 && !d->texts.v[TEXT_MAC_SETTINGS]);
}
END_TEST

START_TEST(the_plan_of_the_gateways_is_taken_where_none_is_given)
{
	ck_assert_int_eq(world_gateway(&w, "gtw1", 1, NULL, &p), 0);
	struct device *d = add("{\"ids\":{\"device_id\":\"dev1\"},\"session\":{\"dev_addr\":\"01DA1F15\","
			       "\"keys\":{\"nwk_s_key\":\"0F0E0D0C0B0A09080706050403020100\",\"app_s_key\":"
			       "\"00000000000000000000000000000001\"}}}");
	ck_assert_str_eq(d->plan, "EU_863_870");
}
END_TEST

START_TEST(a_device_without_eui_and_session_speaks_ip)
{
	struct device *d = add("{\"ids\":{\"device_id\":\"thermometer\"},\"name\":\"T\"}");
	struct sync_entry s;
	ck_assert(!device_is_lorawan(d));
	registry_entry_to_sync(&d->entry, &s);
	ck_assert(s.deleted && !MSG_HAS(&s, dev) && s.device == d->entry.uid);
}
END_TEST

START_TEST(a_gateway_eui_belongs_to_one_gateway)
{
	struct gateway *g;
	ck_assert_int_eq(world_gateway(&w, "gtw1", 7, &g, &p), 0);
	ck_assert_int_eq(world_gateway(&w, "gtw2", 7, NULL, &p), REGISTRY_E_EXISTS);
	ck_assert_str_eq(p.field, "ids.eui");
	ck_assert_int_eq(world_gateway(&w, "gtw1", 8, NULL, &p), REGISTRY_E_EXISTS);
	ck_assert_ptr_eq(registry_gateway_by_eui(&w.r, 7), g);
	struct gateway *wish = gateway_clone(g);
	wish->eui = 9;
	ck_assert_int_eq(registry_gateway_update(&w.r, g, wish, &w.now, &p), 0);
	ck_assert_ptr_null(registry_gateway_by_eui(&w.r, 7));
	ck_assert_ptr_eq(registry_gateway_by_eui(&w.r, 9), g);
	ck_assert_int_eq(world_gateway(&w, "eui-00000000000000ff", 0, &g, &p), 0);
	ck_assert(g->has_eui && g->eui == 0xFF);
	ck_assert_int_eq(registry_gateway_delete(&w.r, g), 0);
	ck_assert_ptr_null(registry_gateway_by_eui(&w.r, 0xFF));
}
END_TEST

START_TEST(every_change_has_the_next_revision)
{
	struct device *a = add(OTAA("dev1", "0000000000000011")), *b = add(OTAA("dev2", "0000000000000012"));
	struct gateway *g;
	ck_assert_int_eq(world_gateway(&w, "gtw1", 7, &g, &p), 0);
	ck_assert(a->entry.revision == 1 && b->entry.revision == 2 && g->entry.revision == 3);
	ck_assert_int_eq(world_update(&w, a, "{\"name\":\"x\"}", NULL, &p), 0);
	ck_assert_uint_eq(a->entry.revision, 4);
	ck_assert_ptr_eq(registry_since(&w.r, 0), &b->entry);
	ck_assert_ptr_eq(registry_since(&w.r, 3), &a->entry);
	ck_assert_ptr_null(registry_since(&w.r, 4));
	uint64_t uid = b->entry.uid;
	ck_assert_int_eq(registry_device_delete(&w.r, b), 0);
	struct entry *stone = registry_since(&w.r, 4);
	ck_assert(stone && stone->deleted && stone->uid == uid && stone->revision == 5 && !stone->newer);
	ck_assert_uint_gt(add(OTAA("dev2", "0000000000000012"))->entry.uid, g->entry.uid);
	ck_assert(registry_can_follow(&w.r, &w.r.store_id, 2));
	ck_assert(!registry_can_follow(&w.r, &w.r.store_id, 99));
	struct ulid other = w.r.store_id;
	other.b[0] ^= 1;
	ck_assert(!registry_can_follow(&w.r, &other, 2));
}
END_TEST

START_TEST(the_replicas_cursor_survives_what_it_points_at)
{
	struct device *a = add(OTAA("dev1", "0000000000000011")), *b = add(OTAA("dev2", "0000000000000012"));
	w.r.unsent = &a->entry;
	ck_assert_int_eq(world_update(&w, a, "{\"name\":\"x\"}", NULL, &p), 0);
	ck_assert_ptr_eq(w.r.unsent, &b->entry);
	ck_assert_int_eq(registry_device_delete(&w.r, b), 0);
	ck_assert_ptr_eq(w.r.unsent, &a->entry);
	w.r.unsent = NULL;
	struct device *c = add(OTAA("dev3", "0000000000000013"));
	ck_assert_ptr_eq(w.r.unsent, &c->entry);
	ck_assert_int_eq(world_update(&w, c, "{\"name\":\"x\"}", NULL, &p), 0);
	ck_assert_ptr_eq(w.r.unsent, &c->entry);
}
END_TEST

static void text_of(struct text *t)
{
	struct app *a, *tmp;
	HASH_ITER(hh, w.r.apps, a, tmp) {
		app_json_store(t, a);
		for (struct device *d = a->devices; d; d = d->next_of_app) {
			json_open(t, '{');
			device_json_members(t, d, DEVICE_JSON_STORE, &w.envelope);
			json_close(t, '}');
		}
	}
	for (struct entry *e = w.r.oldest; e; e = e->newer)
		text_printf(t, "\n%d %d %u %u", (int)e->kind, e->deleted, (unsigned)e->uid,
			(unsigned)e->revision);
}

START_TEST(a_restart_finds_everything)
{
	AUTO(text_done) struct text before = text_growing(1 << 20), after = text_growing(1 << 20);
	struct device *gone;
	add(OTAA("dev1", "0000000000000011"));
	gone = add(OTAA("dev2", "0000000000000012"));
	struct device *d = add(ABP("dev3", "01DA1F15"));
	ck_assert_int_eq(
		world_update(&w, d,
			"{\"name\":\"\xc3\xa4 \\\"x\\\" "
			"\\u00e4\",\"attributes\":{\"a\":\"b\",},\"mac_settings\":{\"rx1_delay\":2}}",
			NULL, &p),
		0);
	ck_assert_int_eq(registry_device_reset(&w.r, d, &w.now), 0);
	ck_assert_int_eq(world_gateway(&w, "gtw1", 7, NULL, &p), 0);
	ck_assert_int_eq(registry_device_delete(&w.r, gone), 0);
	world_app(&w, "app1@tenant1");
	text_of(&before);
	uint64_t revision = w.r.revision, uid = w.r.next_uid;
	struct ulid id = w.r.store_id;
	int e = world_restart(&w, &p);
	ck_assert_msg(e == 0, "%s: %s", p.field, p.message);
	text_of(&after);
	ck_assert_str_eq(before.p, after.p);
	ck_assert(w.r.revision == revision && w.r.next_uid == uid && ulid_eq(&id, &w.r.store_id));
	ck_assert_uint_eq(
		registry_device(&w.r, registry_app(&w.r, STR("app1")), STR("dev1"))->app_key.b[15], 0x0F);
	ck_assert_ptr_nonnull(registry_gateway(&w.r, STR("gtw1")));
}
END_TEST

START_TEST(no_key_is_stored_in_the_open)
{
	static const uint8_t octets[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	add(OTAA("dev1", "0000000000000011"));
	for (size_t i = 0; i < w.n_kept; i++) {
		ck_assert_ptr_null(memmem(w.kept[i].value, w.kept[i].n, "000102030405", 12));
		ck_assert_ptr_null(memmem(w.kept[i].value, w.kept[i].n, "AAECAwQF", 8));
		ck_assert_ptr_null(memmem(w.kept[i].value, w.kept[i].n, octets, sizeof octets));
	}
}
END_TEST

START_TEST(another_kek_is_noticed)
{
	add(OTAA("dev1", "0000000000000011"));
	w.envelope.kek.b[3] ^= 1;
	ck_assert_int_eq(world_restart(&w, &p), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, "root_keys.app_key");
	ck_assert_ptr_nonnull(strstr(p.message, "as.kek-file"));
}
END_TEST

START_TEST(what_cannot_be_stored_has_not_happened)
{
	struct device *d = add(OTAA("dev1", "0000000000000011"));
	uint64_t revision = w.r.revision;
	w.is_broken = true;
	ck_assert_int_eq(world_device(&w, app1, OTAA("dev2", "0000000000000012"), NULL, &p), -EIO);
	ck_assert_int_eq(world_update(&w, d, "{\"name\":\"x\"}", NULL, &p), -EIO);
	ck_assert_int_eq(registry_device_delete(&w.r, d), -EIO);
	ck_assert_int_eq(registry_device_reset(&w.r, d, &w.now), -EIO);
	ck_assert_int_eq(world_gateway(&w, "gtw1", 7, NULL, &p), -EIO);
	ck_assert_ptr_eq(registry_device(&w.r, app1, STR("dev1")), d);
	ck_assert_ptr_null(registry_device(&w.r, app1, STR("dev2")));
	ck_assert_ptr_null(registry_device_by_eui(&w.r, 1, 0x12));
	ck_assert(
		w.r.revision == revision && app1->n_devices == 1 && d->reset == 0 && !d->texts.v[TEXT_NAME]);
	w.is_broken = false;
}
END_TEST

START_TEST(devices_are_listed_as_they_came)
{
	struct device *a = add(OTAA("dev1", "0000000000000011")), *b = add(OTAA("dev2", "0000000000000012")),
		      *c = add(OTAA("dev3", "0000000000000013"));
	ck_assert(app1->devices == a && a->next_of_app == b && b->next_of_app == c && !c->next_of_app);
	registry_device_delete(&w.r, b);
	ck_assert(app1->devices == a && a->next_of_app == c && !c->next_of_app && c->prev_of_app == a);
	registry_device_delete(&w.r, c);
	b = add(OTAA("dev2", "0000000000000012"));
	ck_assert(a->next_of_app == b && !b->next_of_app);
	registry_device_delete(&w.r, a);
	ck_assert(app1->devices == b && app1->n_devices == 1);
	registry_device_delete(&w.r, b);
	ck_assert(!app1->devices && app1->n_devices == 0);
}
END_TEST

START_TEST(a_device_is_shown_as_the_things_stack_shows_it)
{
	AUTO(text_done) struct text t = text_growing(1 << 16);
	struct device *d = add(OTAA("dev1", "70B3D57ED0051234"));
	json_open(&t, '{');
	device_json_members(&t, d, DEVICE_JSON_KEYS | DEVICE_JSON_SESSION, NULL);
	json_close(&t, '}');
	ck_assert_str_eq(t.p, "{\"ids\":{\"device_id\":\"dev1\",\"application_ids\":{\"application_id\":"
			      "\"app1\"},\"dev_eui\":\"70B3D57ED0051234\","
			      "\"join_eui\":\"0000000000000001\"},\"created_at\":\"2023-11-14T22:13:20Z\","
			      "\"updated_at\":\"2023-11-14T22:13:20Z\","
			      "\"lorawan_version\":\"MAC_V1_0_3\",\"lorawan_phy_version\":\"PHY_V1_0_3_REV_"
			      "A\",\"frequency_plan_id\":\"EU_863_870\","
			      "\"supports_join\":true,\"root_keys\":{\"app_key\":{\"key\":"
			      "\"000102030405060708090A0B0C0D0E0F\"}}}");
	text_reset(&t);
	json_open(&t, '{');
	device_json_members(&t, d, DEVICE_JSON_SESSION, NULL);
	json_close(&t, '}');
	ck_assert_ptr_null(strstr(t.p, "root_keys"));
}
END_TEST

static int seen_created, seen_updated, seen_deleted;
static void on_device(void *ctx, struct device *d, enum change c)
{
	(void)ctx;
	ck_assert_str_eq(d->id, "dev1");
	seen_created += c == CHANGE_CREATED;
	seen_updated += c == CHANGE_UPDATED;
	seen_deleted += c == CHANGE_DELETED;
}

START_TEST(watchers_hear_of_each_change_once)
{
	seen_created = seen_updated = seen_deleted = 0;
	registry_watch(&w.r, &(struct registry_watch){ .device = on_device });
	struct device *d = add(OTAA("dev1", "0000000000000011"));
	world_update(&w, d, "{\"name\":\"x\"}", NULL, &p);
	registry_device_delete(&w.r, d);
	ck_assert(seen_created == 1 && seen_updated == 1 && seen_deleted == 1);
}
END_TEST

static int put_nothing(void *ctx, enum registry_table t, struct slice key, struct slice value)
{
	(void)ctx;
	(void)t;
	(void)key;
	(void)value;
	return 0;
}

static int del_nothing(void *ctx, enum registry_table t, struct slice key)
{
	(void)ctx;
	(void)t;
	(void)key;
	return 0;
}

START_TEST(old_deletions_are_forgotten_and_whoever_missed_them_is_told_all)
{
	struct gateway *stays, *g;
	w.r.sink.put = put_nothing;
	w.r.sink.del = del_nothing;
	ck_assert_int_eq(world_gateway(&w, "gtw1", 7, &stays, &p), 0);
	for (unsigned i = 0; i <= TOMBSTONES_MAX; i++) {
		ck_assert_int_eq(world_gateway(&w, "gtw2", 8, &g, &p), 0);
		ck_assert_int_eq(registry_gateway_delete(&w.r, g), 0);
	}
	ck_assert_uint_le(w.r.n_tombstones, TOMBSTONES_MAX);
	ck_assert_uint_ge(w.r.n_tombstones, TOMBSTONES_MAX / 2);
	ck_assert(w.r.forgotten > 0 && !registry_can_follow(&w.r, &w.r.store_id, w.r.forgotten - 1));
	ck_assert(registry_can_follow(&w.r, &w.r.store_id, w.r.forgotten));
	size_t n = 0;
	for (struct entry *e = registry_since(&w.r, w.r.forgotten); e; e = e->newer)
		n += e->deleted;
	ck_assert_uint_eq(n, w.r.n_tombstones);
	ck_assert_ptr_eq(registry_since(&w.r, 0), &stays->entry);
	w.r.sink.put = world_put;
	w.r.sink.del = world_del;
}
END_TEST

START_TEST(after_a_restore_no_number_comes_again_and_replicas_are_told_all)
{
	struct gateway *g;
	struct device *before = add(OTAA("dev1", "0000000000000011"));
	uint64_t uid = before->entry.uid, revision = w.r.revision;
	ck_assert_int_eq(registry_leap(&w.r, 1000), 0);
	ck_assert(!registry_can_follow(&w.r, &w.r.store_id, revision));
	ck_assert(!registry_can_follow(&w.r, &w.r.store_id, revision + 7)); /* what it had after that day */
	ck_assert_int_eq(world_gateway(&w, "gtw1", 7, &g, &p), 0);
	ck_assert_uint_ge(g->entry.uid, uid + 1000);
	ck_assert_uint_eq(g->entry.revision, revision + 1001);
	ck_assert(!registry_can_follow(&w.r, &w.r.store_id, revision + 7));
	ck_assert(registry_can_follow(&w.r, &w.r.store_id, w.r.revision));
	ck_assert_ptr_eq(registry_since(&w.r, 0), &before->entry);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		applications_of_different_tenants_are_different,
		the_default_tenant_names_an_application_without_one,
		a_taken_application_id_is_a_conflict,
		an_application_with_devices_stays,
		a_device_is_found_by_id_number_and_euis,
		a_pair_of_euis_belongs_to_one_device,
		a_change_of_eui_moves_the_index,
		an_abp_device_of_1_0_needs_one_network_key,
		the_nwk_s_key_may_be_called_so,
		a_session_goes_on_until_the_operator_changes_it,
		a_mask_changes_what_it_names_and_nothing_else,
		mac_settings_are_merged_and_understood,
		the_plan_of_the_gateways_is_taken_where_none_is_given,
		a_device_without_eui_and_session_speaks_ip,
		a_gateway_eui_belongs_to_one_gateway,
		every_change_has_the_next_revision,
		the_replicas_cursor_survives_what_it_points_at,
		a_restart_finds_everything,
		no_key_is_stored_in_the_open,
		another_kek_is_noticed,
		what_cannot_be_stored_has_not_happened,
		devices_are_listed_as_they_came,
		a_device_is_shown_as_the_things_stack_shows_it,
		watchers_hear_of_each_change_once,
		old_deletions_are_forgotten_and_whoever_missed_them_is_told_all,
		after_a_restore_no_number_comes_again_and_replicas_are_told_all,
	};
	Suite *s = suite_create("registry");
	TCase *t = tcase_create("registry");
	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < COUNT(tests); i++)
		tcase_add_test(t, tests[i]);
	tcase_add_loop_test(t, what_is_wrong_with_a_device_is_named, 0, COUNT(refused));
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file The gateway server's core on virtual time: connections, uplinks, registration, status. */
#include "test/unit/gs_world.h"
#include "test/unit/semtech_vectors.h"

static const uint64_t EUI = UINT64_C(0x0242020000247803);
static const char FRAME[] = "QBEiM0QAAQABhaq7zN0=", OTHER[] = "QBEiM0QAAgABhaq7zN0=";

START_TEST(an_uplink_is_handed_on_with_its_ids_and_reception)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
	world_pull(w, EUI);
	world_rxpk(w, EUI, 500904, 1, FRAME);
	ck_assert_uint_eq(w->ups, 1);
	const struct gs_uplink *up = &w->up[0];
	ck_assert_uint_eq(up->cids.len, 3);
	ck_assert_uint_eq(up->cids.v[0].kind, CID_GS_CONN);
	ck_assert_uint_eq(up->cids.v[1].kind, CID_GS_UPLINK);
	ck_assert_uint_eq(up->cids.v[2].kind, CID_RPC_GSNS_UPLINK);
	ck_assert_str_eq(up->rx.gateway_id, "eui-0242020000247803");
	ck_assert_uint_eq(up->rx.gateway_eui, EUI);
	ck_assert_uint_eq(up->rx.tmst_us, 500904);
	ck_assert_uint_eq(up->rx.received_unix_us, w->now.unix_us);
	ck_assert_int_eq(up->rx.rssi_ddbm, -570);
	ck_assert(MSG_HAS(&up->rx, snr_ddb) && up->rx.snr_ddb == 92);
	ck_assert(MSG_HAS(&up->rx, channel) && up->rx.channel == 2);
	ck_assert(MSG_HAS(&up->rx, rf_chain) && up->rx.rf_chain == 1);
	ck_assert(!MSG_HAS(&up->rx, foff_hz) && !MSG_HAS(&up->rx, time_unix_ns) &&
		  !MSG_HAS(&up->rx, latitude_e7));
	ck_assert_uint_eq(up->freq_hz, 868300000);
	ck_assert_uint_eq(up->mod.kind, RADIO_LORA);
	ck_assert(MSG_HAS(&up->mod, sf) && up->mod.sf == 9 && MSG_HAS(&up->mod, bw_hz) &&
		  up->mod.bw_hz == 125000);
	ck_assert(!MSG_HAS(&up->mod, bit_rate));
	ck_assert_str_eq(up->mod.coding_rate, "4/5");
	ck_assert_uint_eq(up->phy.len, 14);
	ck_assert_uint_eq(up->path_us, 50000);
	ck_assert(up->can_send);
	ck_assert_str_eq(up->plan, "EU_863_870");
	uint8_t wire[1024];
	size_t n;
	ck_assert_int_eq(msg_encode(gs_uplink_schema(), up, wire, sizeof wire, &n), 0);
	world_free(w);
}
END_TEST

START_TEST(its_event_says_whose_frame_it_is)
{
	struct world *w = world_new((struct gs_config){0});
	world_rxpk(w, EUI, 1, 1, FRAME);
	ck_assert_uint_eq(world_events(w, "gs.gateway.connect"), 1);
	ck_assert_uint_eq(world_events(w, "gs.up.receive"), 1);
	const struct trace_event *e = &w->event[w->events - 1];
	ck_assert(MSG_HAS(e, dev_addr) && e->dev_addr == 0x44332211);
	ck_assert(!MSG_HAS(e, dev_eui));
	ck_assert_uint_eq(e->cids.len, 3);
	ck_assert(MSG_HAS(e, data));
	ck_assert_str_eq(e->data, "{\"frequency\":868300000,\"modu\":\"LORA\",\"datr\":\"SF9BW125\",\"codr\":"
				  "\"4/5\",\"rssi\":-57,\"snr\":9.2,\"tmst\":1,\"size\":14}");
	/* a join-request: MHDR, JoinEUI, DevEUI 70B3D57ED0051234, DevNonce, MIC */
	world_rxpk(w, EUI, 2, 1, "AAEAAAAAAAAANBIF0H7Vs3ABAAAAAAA=");
	e = &w->event[w->events - 1];
	ck_assert(MSG_HAS(e, dev_eui) && e->dev_eui == UINT64_C(0x70b3d57ed0051234));
	world_free(w);
}
END_TEST

START_TEST(frames_without_a_good_crc_go_no_further_and_are_counted)
{
	struct world *w = world_new((struct gs_config){0});
	world_rxpk(w, EUI, 1, -1, FRAME);
	world_rxpk(w, EUI, 2, 0, FRAME);
	world_rxpk(w, EUI, 3, 1, "");
	world_push(w, EUI, "{\"rxpk\":[{\"tmst\":1}]}");
	world_push(w, EUI, "{\"rxpk\":");
	ck_assert_uint_eq(w->ups, 0);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_CRC_BAD], 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_CRC_NONE], 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_EMPTY], 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_FREQ], 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_JSON], 1);
	ck_assert_uint_eq(world_events(w, "gs.up.drop"), 5);
	ck_assert_ptr_nonnull(strstr(w->event[1].data, "\"reason\":\"crc_bad\""));
	ck_assert(!MSG_HAS(&w->event[1], dev_addr));
	world_free(w);
}
END_TEST

START_TEST(a_reception_told_twice_is_dropped_but_a_repetition_of_the_device_is_not)
{
	struct world *w = world_new((struct gs_config){0});
	world_rxpk(w, EUI, 500904, 1, FRAME);
	world_rxpk(w, EUI, 500904, 1, FRAME);
	ck_assert_uint_eq(w->ups, 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_REPEAT], 1);
	world_rxpk(w, EUI, 500904, 1, OTHER); /* another frame that ended at the same microsecond */
	world_rxpk(w, EUI, 2500904, 1, FRAME);
	ck_assert_uint_eq(w->ups, 3);
	world_rxpk(w, EUI + 1, 500904, 1, FRAME); /* another gateway's clock */
	ck_assert_uint_eq(w->ups, 4);
	world_pass(w, 11 * SEC_US);
	world_rxpk(w, EUI, 500904, 1, FRAME);
	ck_assert_uint_eq(w->ups, 5);
	world_free(w);
}
END_TEST

static void replay(void *ctx, const struct capture *c)
{
	struct world *w = ctx;
	if (!c->is_server)
		world_send_in(w, 2, c->eui, c->type, c->token, c->json);
}

START_TEST(every_capture_runs_through)
{
	for (size_t i = 0; i < COUNT(capture_names); i++) {
		struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
		captures_each(capture_names[i], replay, w);
		ck_assert_uint_gt(w->gs->metrics.datagrams, 2);
		ck_assert_uint_eq(w->gs->metrics.gateways, 1);
		ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_JSON], 0);
		for (unsigned k = 1; k <= SEMTECH_E_RFCH; k++)
			ck_assert_uint_eq(w->gs->metrics.drops[k], 0);
		world_free(w);
	}
}
END_TEST

START_TEST(a_connection_ends_after_three_silent_minutes_and_its_path_after_ninety_seconds)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
	world_pull(w, EUI);
	ck_assert_uint_eq(w->statuses, 1);
	ck_assert(w->status[0].connected && w->status[0].can_send);
	struct ulid first = w->status[0].conn;
	world_pass(w, 89 * SEC_US);
	ck_assert(w->status[w->statuses - 1].can_send);
	world_pass(w, 2 * SEC_US);
	ck_assert(!w->status[w->statuses - 1].can_send && w->status[w->statuses - 1].connected);
	world_pass(w, 90 * SEC_US);
	ck_assert(!w->status[w->statuses - 1].connected);
	ck_assert_uint_eq(world_events(w, "gs.gateway.disconnect"), 1);
	ck_assert_uint_eq(w->gs->metrics.gateways, 0);
	ck_assert_uint_eq(gs_deadline(w->gs), UINT64_MAX);
	world_pull(w, EUI);
	ck_assert(w->status[w->statuses - 1].connected);
	ck_assert(!ulid_eq(&first, &w->status[w->statuses - 1].conn));
	world_free(w);
}
END_TEST

START_TEST(uplinks_alone_keep_it_connected_but_open_no_path)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
	for (int i = 0; i < 10; i++) {
		world_rxpk(w, EUI, 1000000u * (unsigned)i, 1, FRAME);
		world_pass(w, 60 * SEC_US);
	}
	ck_assert_uint_eq(w->ups, 10);
	ck_assert(!w->up[9].can_send);
	ck_assert_uint_eq(world_notes(w, GS_NOTE_CONNECT), 1);
	ck_assert_uint_eq(world_notes(w, GS_NOTE_DISCONNECT), 0);
	world_free(w);
}
END_TEST

START_TEST(a_gateway_without_a_plan_is_heard_and_that_is_said_once)
{
	struct world *w = world_new((struct gs_config){0});
	world_pull(w, EUI);
	ck_assert_uint_eq(world_notes(w, GS_NOTE_NO_PLAN), 0); /* the registry may still know it */
	world_register(w, true, 1, EUI + 1, "other", "EU_863_870");
	ck_assert_uint_eq(world_notes(w, GS_NOTE_NO_PLAN), 1);
	world_rxpk(w, EUI, 1, 1, FRAME);
	world_register(w, false, 2, EUI + 2, "third", "EU_863_870");
	ck_assert_uint_eq(world_notes(w, GS_NOTE_NO_PLAN), 1);
	ck_assert_uint_eq(w->ups, 1);
	ck_assert(!w->up[0].can_send && !MSG_HAS(&w->up[0], plan));
	struct tx_request r = world_request(EUI, 1000001, 900000);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_NOT_CONNECTED);
	ck_assert_uint_eq(w->sends, 0);
	world_free(w);
}
END_TEST

START_TEST(the_registry_names_a_gateway_at_once)
{
	struct world *w = world_new((struct gs_config){0});
	world_pull(w, EUI);
	world_register(w, true, 5, EUI, "gtw1", "EU_863_870");
	const struct gateway_status *s = &w->status[w->statuses - 1];
	ck_assert_str_eq(s->gateway_id, "gtw1");
	ck_assert_str_eq(s->plan, "EU_863_870");
	ck_assert(s->registered && s->can_send);
	world_rxpk(w, EUI, 1, 1, FRAME);
	ck_assert_str_eq(w->up[0].rx.gateway_id, "gtw1");
	world_register(w, true, 0, 0, NULL, NULL); /* a full set without it */
	s = &w->status[w->statuses - 1];
	ck_assert_str_eq(s->gateway_id, "eui-0242020000247803");
	ck_assert(!s->registered && !s->can_send);
	ck_assert_uint_eq(w->gs->metrics.registered, 0);
	world_free(w);
}
END_TEST

START_TEST(an_uplink_that_waited_gets_the_name_of_its_gateway)
{
	struct world *w = world_new((struct gs_config){.require_registered = true});
	world_rxpk(w, EUI, 1, 1, FRAME);
	world_rxpk(w, EUI + 1, 1, 1, FRAME);
	ck_assert_uint_eq(w->ups, 2); /* nobody knows yet who is registered */
	world_register(w, true, 5, EUI, "gtw1", "EU_863_870");
	ck_assert(gs_uplink_refresh(w->gs, &w->up[0]));
	ck_assert_str_eq(w->up[0].rx.gateway_id, "gtw1");
	ck_assert_str_eq(w->up[0].plan, "EU_863_870");
	ck_assert(!gs_uplink_refresh(w->gs, &w->up[1]));
	ck_assert_uint_eq(w->gs->metrics.gateways, 1);
	world_rxpk(w, EUI + 1, 2, 1, FRAME);
	ck_assert_uint_eq(w->ups, 2);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_UNREGISTERED], 2);
	ck_assert_int_eq(w->note[w->notes - 1].kind,
		GS_NOTE_DISCONNECT); /* the refusal was noted before, and is once a minute */
	world_free(w);
}
END_TEST

START_TEST(strangers_never_take_the_place_of_registered_gateways)
{
	struct world *w = world_new((struct gs_config){.max_gateways = 4});
	world_register(w, true, 1, EUI, "gtw1", "EU_863_870");
	for (uint64_t i = 1; i <= 6; i++) {
		world_pull(w, EUI + i);
		world_pass(w, SEC_US);
	}
	ck_assert_uint_eq(w->gs->metrics.gateways, 4);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_TABLE_FULL], 2);
	world_pull(w, EUI);
	ck_assert_uint_eq(w->gs->metrics.gateways, 4);
	ck_assert_str_eq(w->status[w->statuses - 1].gateway_id, "gtw1");
	world_rxpk(w, EUI + 1, 1, 1, FRAME); /* the one that had to go: silent for longest */
	ck_assert_uint_eq(w->ups, 0);
	world_rxpk(w, EUI + 2, 1, 1, FRAME);
	ck_assert_uint_eq(w->ups, 1);
	world_free(w);
}
END_TEST

START_TEST(one_gateway_cannot_take_everybodys_time)
{
	struct world *w = world_new((struct gs_config){.uplinks_per_s = 10});
	for (uint32_t i = 0; i < 100; i++) {
		world_rxpk(w, EUI, i, 1, FRAME);
		world_rxpk(w, EUI + 1, i, 1, i % 4 ? "" : FRAME);
	}
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_QUOTA] > 0, 1);
	ck_assert_uint_le(w->ups, 2 * 20);
	unsigned before = w->ups;
	world_pass(w, SEC_US);
	for (uint32_t i = 0; i < 100; i++)
		world_rxpk(w, EUI, 1000 + i, 1, FRAME);
	ck_assert_uint_eq(w->ups - before, 10);
	world_free(w);
}
END_TEST

START_TEST(a_status_is_told_on_change_and_every_half_minute)
{
	struct world *w = world_new((struct gs_config){0});
	world_pull(w, EUI);
	ck_assert_uint_eq(w->statuses, 1);
	ck_assert(MSG_HAS(&w->status[0], clock_known) && !w->status[0].clock_known);
	for (uint32_t i = 0; i < 50; i++)
		world_rxpk(w, EUI, i + 1, 1, FRAME);
	ck_assert_uint_eq(w->statuses, 1);
	world_pass(w, 2 * SEC_US);
	ck_assert_uint_eq(w->statuses, 2);
	ck_assert_uint_eq(w->status[1].uplinks, 50);
	ck_assert(w->status[1].clock_known && !w->status[1].has_gps);
	world_pass(w, 29 * SEC_US);
	ck_assert_uint_eq(w->statuses, 2);
	world_pass(w, 2 * SEC_US);
	ck_assert_uint_eq(w->statuses, 3);
	world_free(w);
}
END_TEST

START_TEST(a_stat_is_passed_on_with_the_place_it_gives)
{
	struct world *w = world_new((struct gs_config){0});
	world_push(w, EUI,
		"{\"stat\":{\"time\":\"2026-11-20 23:36:29 "
		"GMT\",\"lati\":47.20000,\"long\":8.50000,\"alti\":410,\"rxnb\":0}}");
	world_pass(w, 2 * SEC_US);
	const struct gateway_status *s = &w->status[w->statuses - 1];
	ck_assert(MSG_HAS(s, latitude_e7) && s->latitude_e7 == 472000000 && MSG_HAS(s, altitude_m) &&
		  s->altitude_m == 410);
	ck_assert(MSG_HAS(s, stat) && MSG_HAS(s, last_status_unix_us));
	ck_assert_int_eq(s->stat[0], '{');
	ck_assert_uint_eq(world_events(w, "gs.status.receive"), 1);
	world_rxpk(w, EUI, 1, 1, FRAME);
	ck_assert(MSG_HAS(&w->up[0].rx, latitude_e7) && w->up[0].rx.location_source == 1);
	world_free(w);
}
END_TEST

START_TEST(datagrams_that_only_servers_send_and_rubbish_are_dropped)
{
	struct world *w = world_new((struct gs_config){0});
	struct gs_peer from = {.len = 1};
	gs_datagram(w->gs, &from, (struct slice){(const uint8_t *)"\2\0\0\1", 4}, &w->now);
	gs_datagram(w->gs, &from, (struct slice){(const uint8_t *)"\7\0\0\1", 4}, &w->now);
	gs_datagram(w->gs, &from, (struct slice){(const uint8_t *)"\2", 1}, &w->now);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_NOT_GATEWAY], 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_PROTOCOL], 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_SHORT], 1);
	ck_assert_uint_eq(w->notes, 3);
	gs_datagram(w->gs, &from, (struct slice){(const uint8_t *)"\2", 1}, &w->now);
	ck_assert_uint_eq(w->notes, 3);
	ck_assert_uint_eq(w->gs->metrics.gateways, 0);
	world_free(w);
}
END_TEST

START_TEST(a_restart_of_the_concentrator_is_noticed_and_a_wrap_is_not_one)
{
	struct world *w = world_new((struct gs_config){0});
	world_rxpk(w, EUI, 4290000000u, 1, FRAME);
	world_pass(w, 10 * SEC_US);
	world_rxpk(w, EUI, 5032704u, 1, FRAME);
	ck_assert_uint_eq(w->gs->metrics.restarts, 0);
	world_pass(w, 60 * SEC_US);
	world_rxpk(w, EUI, 1000u, 1, FRAME);
	ck_assert_uint_eq(w->gs->metrics.restarts, 1);
	ck_assert_uint_eq(world_notes(w, GS_NOTE_RESTART), 1);
	world_free(w);
}
END_TEST

START_TEST(without_room_for_events_frames_still_pass)
{
	struct world *w = world_new((struct gs_config){0});
	w->no_events = true;
	world_rxpk(w, EUI, 1, 1, FRAME);
	ck_assert_uint_eq(w->ups, 1);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gs");
	TCase *t = tcase_create("uplinks");
	tcase_add_test(t, an_uplink_is_handed_on_with_its_ids_and_reception);
	tcase_add_test(t, its_event_says_whose_frame_it_is);
	tcase_add_test(t, frames_without_a_good_crc_go_no_further_and_are_counted);
	tcase_add_test(t, a_reception_told_twice_is_dropped_but_a_repetition_of_the_device_is_not);
	tcase_add_test(t, every_capture_runs_through);
	tcase_add_test(t, one_gateway_cannot_take_everybodys_time);
	tcase_add_test(t, datagrams_that_only_servers_send_and_rubbish_are_dropped);
	tcase_add_test(t, a_restart_of_the_concentrator_is_noticed_and_a_wrap_is_not_one);
	tcase_add_test(t, without_room_for_events_frames_still_pass);
	suite_add_tcase(s, t);
	t = tcase_create("connections");
	tcase_add_test(t, a_connection_ends_after_three_silent_minutes_and_its_path_after_ninety_seconds);
	tcase_add_test(t, uplinks_alone_keep_it_connected_but_open_no_path);
	tcase_add_test(t, strangers_never_take_the_place_of_registered_gateways);
	tcase_add_test(t, a_status_is_told_on_change_and_every_half_minute);
	tcase_add_test(t, a_stat_is_passed_on_with_the_place_it_gives);
	suite_add_tcase(s, t);
	t = tcase_create("registry");
	tcase_add_test(t, a_gateway_without_a_plan_is_heard_and_that_is_said_once);
	tcase_add_test(t, the_registry_names_a_gateway_at_once);
	tcase_add_test(t, an_uplink_that_waited_gets_the_name_of_its_gateway);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

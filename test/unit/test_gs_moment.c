/** @file The gateway server's core on virtual time: when a PULL_RESP leaves, and what moment it names. */
#include "test/unit/gs_world.h"

static const uint64_t EUI = UINT64_C(0x0242020000247803);
static const uint64_t GPS_MS = UINT64_C(1479253008000); /* the world's first moment, by the leap seconds of 2026 */

/** A frame at a counter, with GPS time or (0) without. */
static void heard(struct world *w, uint32_t tmst, uint64_t tmms)
{
	char body[512], gps[40] = "";
	if (tmms)
		snprintf(gps, sizeof gps, "\"tmms\":%llu,", (unsigned long long)tmms);
	snprintf(body, sizeof body,
		"{\"rxpk\":[{\"tmst\":%u,%s\"freq\":868.3,\"stat\":1,\"modu\":\"LORA\",\"datr\":\"SF9BW125\",\"codr\":\"4/5\","
		"\"rssi\":-57,\"data\":\"QBEiM0QAAQABhaq7zN0=\"}]}",
		tmst, gps);
	world_push(w, EUI, body);
}

static struct world *connected(uint8_t version)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
	world_send_in(w, version, EUI, SEMTECH_PULL_DATA, 7, "");
	return w;
}

static struct tx_request at_request(uint32_t at_us)
{
	struct tx_request r = world_request(EUI, 0, 0);
	MSG_SET(&r, at_us, at_us);
	return r;
}

static enum tx_result at(struct world *w, uint32_t at_us)
{
	struct tx_request r = at_request(at_us);
	return gs_tx(w->gs, &r, &w->now);
}

static enum tx_result gps(struct world *w, uint64_t gps_ms)
{
	struct tx_request r = world_request(EUI, 0, 0);
	MSG_SET(&r, gps_ms, gps_ms);
	return gs_tx(w->gs, &r, &w->now);
}

static enum tx_result imme(struct world *w)
{
	struct tx_request r = world_request(EUI, 0, 0);
	return gs_tx(w->gs, &r, &w->now);
}

START_TEST(a_delay_becomes_a_counter_where_the_clock_is_known)
{
	struct world *w = connected(2);
	heard(w, 4294000000u, 0);
	world_pass(w, 2 * SEC_US);
	ck_assert_int_eq(at(w, 500000), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 1);
	struct txpk tx = world_txpk(w);
	ck_assert_int_eq(tx.when, TXPK_TMST);
	ck_assert_uint_eq(tx.tmst_us, 4294000000u + 2500000u); /* over the wrap */
	/* as soon as possible: 85 ms beyond the path, of which the first answer has told that it takes no time */
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_int_eq(at(w, 0), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 4294000000u + 2000000u + 85000u);
	ck_assert_int_eq(at(w, 512000001), TX_RESULT_TOO_EARLY);
	world_free(w);
}
END_TEST

START_TEST(half_the_round_trip_is_added_to_the_counter)
{
	struct world *w = connected(2);
	heard(w, 1000000, 0);
	ck_assert_int_eq(at(w, 500000), TX_RESULT_SUCCESS);
	world_pass(w, 40000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_int_eq(at(w, 700000), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 1000000u + 40000u + 700000u + 20000u);
	world_free(w);
}
END_TEST

START_TEST(without_a_clock_it_is_held_and_sent_at_its_moment)
{
	struct world *w = connected(2);
	ck_assert_int_eq(at(w, 500000), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 0);
	ck_assert_uint_eq(world_events(w, "gs.down.hold"), 1);
	world_pass(w, 419999); /* an immediate frame leaves 80 ms after it came */
	ck_assert_uint_eq(w->sends, 0);
	world_pass(w, 1);
	ck_assert_uint_eq(w->sends, 1);
	ck_assert_int_eq(world_txpk(w).when, TXPK_IMME);
	world_pass(w, 5 * SEC_US - 1);
	ck_assert_uint_eq(w->acks, 0);
	world_pass(w, 1);
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_NO_TX_ACK);
	world_free(w);
}
END_TEST

START_TEST(a_gateway_that_speaks_from_elsewhere_may_have_another_counter)
{
	struct world *w = connected(2);
	uint8_t pull[] = {2, 0, 1, 2, 0x02, 0x42, 0x02, 0, 0, 0x24, 0x78, 0x03};
	struct gs_peer elsewhere = {.listener = 1, .len = 1, .sa = {77}};
	heard(w, 1000000, 0);
	gs_datagram(w->gs, &elsewhere, (struct slice){pull, sizeof pull}, &w->now);
	gs_time(w->gs, &w->now);
	ck_assert_uint_eq(world_notes(w, GS_NOTE_MOVE), 1);
	ck_assert_uint_eq(w->gs->metrics.moves, 1);
	ck_assert_int_eq(at(w, 0), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 1);
	ck_assert_int_eq(world_txpk(w).when, TXPK_IMME);
	world_pass(w, 10 * SEC_US);
	heard(w, 5000000, 0);
	ck_assert_int_eq(at(w, 0), TX_RESULT_SUCCESS);
	ck_assert_int_eq(world_txpk(w).when, TXPK_TMST);
	world_free(w);
}
END_TEST

START_TEST(gps_time_is_kept_by_whoever_knows_it)
{
	struct world *w = connected(2);
	/* Nobody but the server's clock: held, then immediate. */
	ck_assert_int_eq(gps(w, GPS_MS + 3000), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 0);
	world_pass(w, 3 * SEC_US - 80000);
	ck_assert_uint_eq(w->sends, 1);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	world_pass(w, 7 * SEC_US + 80000);
	/* The concentrator's clock. */
	heard(w, 7000000, 0);
	ck_assert_int_eq(gps(w, GPS_MS + 13000), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 10000000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	/* GPS, which is 30 ms from the server's clock. */
	heard(w, 7000001, GPS_MS + 10030);
	ck_assert_int_eq(gps(w, GPS_MS + 14000), TX_RESULT_SUCCESS);
	ck_assert_int_eq(world_txpk(w).when, TXPK_TMMS);
	ck_assert_uint_eq(world_txpk(w).tmms, GPS_MS + 14000);
	/* Lost, as the forwarder says: what was heard of it still tells better than the server's clock. */
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "{\"txpk_ack\":{\"error\":\"GPS_UNLOCKED\"}}");
	ck_assert_uint_eq(w->ack[w->acks - 1].result, TX_RESULT_GPS_UNLOCKED);
	ck_assert_int_eq(gps(w, GPS_MS + 14000), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 7000001 + 3970000);
	ck_assert_int_eq(gps(w, GPS_MS + 10050), TX_RESULT_TOO_LATE);
	ck_assert_int_eq(gps(w, GPS_MS - 1000), TX_RESULT_TOO_LATE);
	ck_assert_int_eq(gps(w, 0), TX_RESULT_TOO_LATE);
	ck_assert_int_eq(gps(w, UINT64_MAX), TX_RESULT_TOO_EARLY);
	ck_assert_int_eq(gps(w, GPS_MS + 600000), TX_RESULT_TOO_EARLY);
	world_free(w);
}
END_TEST

START_TEST(version_1_is_told_a_counter_since_it_knows_no_gps_time)
{
	struct world *w = connected(1);
	heard(w, 7000000, GPS_MS);
	ck_assert_int_eq(gps(w, GPS_MS + 3000), TX_RESULT_SUCCESS);
	world_pass(w, 3 * SEC_US);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 10000000);
	world_free(w);
}
END_TEST

START_TEST(immediate_frames_wait_until_the_one_before_is_over)
{
	struct world *w = connected(2);
	struct tx_request r = world_request(EUI, 0, 0);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 1);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	/* which may be 1 s later: nobody knows what forwarder it is. 50 ms path, twice; 50 ms on air; 20 ms guard */
	world_pass(w, 1000000 + 100000 + 50000 + 20000 - 1);
	ck_assert_uint_eq(w->sends, 1);
	world_pass(w, 1000);
	ck_assert_uint_eq(w->sends, 2);
	world_free(w);
}
END_TEST

START_TEST(an_sx1302_forwarder_sends_immediate_frames_soon)
{
	struct world *w = connected(2);
	world_push(w, EUI, "{\"stat\":{\"time\":\"2026-11-20 23:36:29 GMT\",\"temp\":23.4}}");
	ck_assert_int_eq(imme(w), TX_RESULT_SUCCESS);
	ck_assert_int_eq(imme(w), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 1);
	world_pass(w, 80000 + 50000 + 50000 + 20000 - 1);
	ck_assert_uint_eq(w->sends, 1);
	world_pass(w, 1);
	ck_assert_uint_eq(w->sends, 2);
	world_free(w);
}
END_TEST

START_TEST(what_was_refused_keeps_no_antenna)
{
	struct world *w = connected(2);
	ck_assert_int_eq(imme(w), TX_RESULT_SUCCESS);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "{\"txpk_ack\":{\"error\":\"TX_FREQ\"}}");
	ck_assert_int_eq(imme(w), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 2);
	world_free(w);
}
END_TEST

START_TEST(an_immediate_frame_stays_out_of_the_one_on_air)
{
	struct world *w = connected(2);
	struct tx_request r = world_request(EUI, 1504005, 900000);
	r.airtime_us = 1500000;
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	ck_assert_int_eq(imme(w), TX_RESULT_SUCCESS); /* the forwarder's queue knows of it still, and sorts it out */
	ck_assert_uint_eq(w->sends, 2);
	world_pass(w, 850000);
	ck_assert_int_eq(imme(w), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(w->sends, 2);
	world_pass(w, 3 * SEC_US);
	ck_assert_uint_eq(w->sends, 3);
	world_free(w);
}
END_TEST

/* A forwarder takes a frame from its queue 40 ms before its start, and drops it if the concentrator is sending then. */
START_TEST(a_delay_ends_when_the_frame_on_air_is_over)
{
	struct world *w = connected(2);
	heard(w, 1000000, 0);
	ck_assert_int_eq(at(w, 500000), TX_RESULT_SUCCESS);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 1500000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_int_eq(at(w, 100000), TX_RESULT_SUCCESS); /* over before that one leaves the queue */
	ck_assert_uint_eq(world_txpk(w).tmst_us, 1100000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	world_pass(w, 501000);
	ck_assert_int_eq(at(w, 0), TX_RESULT_SUCCESS);
	/* 50 ms on air, 20 ms guard, 52.5 ms lead */
	ck_assert_uint_eq(world_txpk(w).tmst_us, 1500000 + 50000 + 20000 + 52500);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	struct tx_request r = at_request(1000000);
	r.airtime_us = 4000000;
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	world_pass(w, SEC_US);
	ck_assert_int_eq(at(w, 0), TX_RESULT_COLLISION_PACKET);
	world_free(w);
}
END_TEST

START_TEST(what_would_wait_too_long_is_refused)
{
	struct world *w = connected(2);
	struct tx_request r = world_request(EUI, 0, 0);
	r.airtime_us = 2000000;
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_COLLISION_PACKET);
	ck_assert_uint_eq(w->gs->metrics.downlinks_refused[TX_RESULT_COLLISION_PACKET], 1);
	ck_assert_uint_eq(w->gs->metrics.pending, 1);
	world_free(w);
}
END_TEST

START_TEST(version_1_has_one_frame_at_a_time)
{
	struct world *w = connected(1);
	struct tx_request late = world_request(EUI, 5000000, 4000000), early = world_request(EUI, 2000000, 1000000);
	ck_assert_int_eq(gs_tx(w->gs, &late, &w->now), TX_RESULT_SUCCESS);
	ck_assert_int_eq(gs_tx(w->gs, &early, &w->now), TX_RESULT_SUCCESS);
	early.tmst_us += 20000;
	early.wait_us += 20000;
	ck_assert_int_eq(gs_tx(w->gs, &early, &w->now), TX_RESULT_COLLISION_PACKET);
	world_pass(w, 1000000);
	ck_assert_uint_eq(w->sends, 1);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 2000000);
	world_pass(w, 3000000);
	ck_assert_uint_eq(w->sends, 2);
	ck_assert_uint_eq(world_txpk(w).tmst_us, 5000000);
	world_pass(w, SEC_US);
	ck_assert_uint_eq(w->acks, 2);
	world_free(w);
}
END_TEST

START_TEST(what_is_held_for_a_gateway_that_goes_was_not_sent)
{
	struct world *w = connected(2);
	ck_assert_int_eq(at(w, 200 * SEC_US), TX_RESULT_SUCCESS);
	world_pass(w, 181 * SEC_US);
	ck_assert_uint_eq(w->acks, 1);
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_NOT_CONNECTED);
	ck_assert_uint_eq(w->sends, 0);
	world_pull(w, EUI);
	ck_assert_int_eq(at(w, 100 * SEC_US), TX_RESULT_SUCCESS);
	world_pass(w, 95 * SEC_US); /* the path closes after 90 s, the connection does not */
	ck_assert_uint_eq(w->acks, 1);
	world_pass(w, 5 * SEC_US);
	ck_assert_uint_eq(w->ack[1].result, TX_RESULT_NOT_CONNECTED);
	ck_assert_uint_eq(w->gs->metrics.pending, 0);
	world_free(w);
}
END_TEST

START_TEST(a_stranger_with_the_same_eui_does_not_use_up_the_gateways_share)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870", .uplinks_per_s = 10});
	struct gs_peer stranger = {.listener = 0, .len = 1, .sa = {99}};
	uint8_t buf[600];
	world_pull(w, EUI);
	heard(w, 1, 0);
	unsigned ups = w->ups;
	for (uint32_t i = 0; i < 1000; i++) {
		char body[300];
		snprintf(body, sizeof body,
			"{\"rxpk\":[{\"tmst\":%u,\"freq\":868.3,\"stat\":1,\"modu\":\"LORA\",\"datr\":\"SF9BW125\",\"rssi\":-57,"
			"\"data\":\"QBEiM0QAAQABhaq7zN0=\"}]}",
			1000 + i);
		struct writer out = writer_of(buf, sizeof buf);
		semtech_write(&out, &(struct semtech_datagram){
					    .version = 2, .type = SEMTECH_PUSH_DATA, .eui = EUI, .body = str_of(body)});
		gs_datagram(w->gs, &stranger, (struct slice){buf, out.len}, &w->now);
	}
	ck_assert_uint_eq(w->ups - ups, 20); /* two seconds of its share */
	ck_assert_uint_gt(w->gs->metrics.drops[GS_DROP_QUOTA], 900);
	heard(w, 2000000, 0);
	ck_assert_uint_eq(w->ups - ups, 21);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gs_moment");
	TCase *t = tcase_create("moment");
	tcase_add_test(t, a_delay_becomes_a_counter_where_the_clock_is_known);
	tcase_add_test(t, half_the_round_trip_is_added_to_the_counter);
	tcase_add_test(t, without_a_clock_it_is_held_and_sent_at_its_moment);
	tcase_add_test(t, a_gateway_that_speaks_from_elsewhere_may_have_another_counter);
	tcase_add_test(t, gps_time_is_kept_by_whoever_knows_it);
	tcase_add_test(t, version_1_is_told_a_counter_since_it_knows_no_gps_time);
	suite_add_tcase(s, t);
	t = tcase_create("spacing");
	tcase_add_test(t, immediate_frames_wait_until_the_one_before_is_over);
	tcase_add_test(t, an_sx1302_forwarder_sends_immediate_frames_soon);
	tcase_add_test(t, what_was_refused_keeps_no_antenna);
	tcase_add_test(t, an_immediate_frame_stays_out_of_the_one_on_air);
	tcase_add_test(t, a_delay_ends_when_the_frame_on_air_is_over);
	tcase_add_test(t, what_would_wait_too_long_is_refused);
	tcase_add_test(t, version_1_has_one_frame_at_a_time);
	tcase_add_test(t, what_is_held_for_a_gateway_that_goes_was_not_sent);
	tcase_add_test(t, a_stranger_with_the_same_eui_does_not_use_up_the_gateways_share);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file The gateway server's core on virtual time: PULL_RESP, TX_ACK and their absence. */
#include "test/unit/gs_world.h"

static const uint64_t EUI = UINT64_C(0x0242020000247803);

static struct world *connected(void)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
	world_pull(w, EUI);
	return w;
}

static void request_send(struct world *w, uint32_t wait_us)
{
	struct tx_request r = world_request(EUI, 1504005, wait_us);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
}

START_TEST(a_downlink_goes_to_where_pull_data_came_from)
{
	struct world *w = connected();
	world_push(w, EUI, "{}");
	request_send(w, 900000);
	ck_assert_uint_eq(w->sends, 1);
	ck_assert_uint_eq(w->sent_to.sa[0], 1); /* the port of PULL_DATA, not of PUSH_DATA */
	struct txpk tx = world_txpk(w);
	ck_assert_int_eq(tx.when, TXPK_TMST);
	ck_assert_uint_eq(tx.tmst_us, 1504005);
	ck_assert_uint_eq(tx.freq_hz, 868300000);
	ck_assert_uint_eq(tx.rfch, 0);
	ck_assert(tx.ipol && tx.ncrc);
	ck_assert_str_eq(tx.radio.codr, "4/5");
	ck_assert_uint_eq(tx.phy_len, 14);
	ck_assert_uint_eq(w->sent[0], 2);
	ck_assert_uint_eq(world_events(w, "gs.down.send"), 1);
	world_free(w);
}
END_TEST

static const struct {
	int eirp, powe;
} powers[] = {{16, 14}, {29, 27}, {30, 27}, {14, 12}, {2, 0}, {-1, -3}};

START_TEST(power_is_given_the_way_forwarders_take_it)
{
	struct world *w = connected();
	struct tx_request r = world_request(EUI, 1, 900000);
	r.eirp_dbm = powers[_i].eirp;
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	ck_assert_int_eq(world_txpk(w).powe_dbm, powers[_i].powe);
	world_free(w);
}
END_TEST

START_TEST(fsk_gps_time_and_immediate_are_spelled_out)
{
	struct world *w = connected();
	struct tx_request r = world_request(EUI, 0, 0);
	r.mod = (struct modulation){.kind = RADIO_FSK};
	MSG_SET(&r.mod, bit_rate, 50000);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	struct txpk tx = world_txpk(w);
	ck_assert_int_eq(tx.when, TXPK_IMME);
	ck_assert_uint_eq(tx.fdev_hz, 25000);
	ck_assert(!tx.ncrc);
	world_push(w, EUI, "{\"rxpk\":[{\"tmst\":9,\"tmms\":1479253008000,\"freq\":868.3,\"stat\":1,\"modu\":\"LORA\",\"datr\":\"SF9BW125\","
			   "\"codr\":\"4/5\",\"rssi\":-57,\"data\":\"QBEiM0QAAQABhaq7zN0=\"}]}");
	r = world_request(EUI, 0, 0);
	MSG_SET(&r, gps_ms, 1479253008550);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	tx = world_txpk(w);
	ck_assert_int_eq(tx.when, TXPK_TMMS);
	ck_assert_uint_eq(tx.tmms, UINT64_C(1479253008550));
	world_free(w);
}
END_TEST

START_TEST(a_tx_ack_is_reported_with_the_ids_of_its_request)
{
	struct world *w = connected();
	request_send(w, 900000);
	world_pass(w, 37000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(w->acks, 1);
	const struct tx_ack *a = &w->ack[0];
	ck_assert_uint_eq(a->result, TX_RESULT_SUCCESS);
	ck_assert_uint_eq(a->transmission.b[0], 9);
	ck_assert_uint_eq(a->gateway_eui, EUI);
	ck_assert(MSG_HAS(a, rtt_us) && a->rtt_us == 37000);
	ck_assert_ptr_nonnull(CIDS_FIND(&a->cids, CID_NS_TRANSMISSION));
	ck_assert_ptr_nonnull(CIDS_FIND(&a->cids, CID_GS_TX_ACK));
	ck_assert_ptr_nonnull(CIDS_FIND(&a->cids, CID_RPC_GSNS_TX_ACK));
	ck_assert_uint_eq(world_events(w, "gs.txack.receive"), 1);
	ck_assert_uint_eq(world_events(w, "gs.down.tx.success"), 1);
	world_rxpk(w, EUI, 9, 1, "QBEiM0QAAQABhaq7zN0=");
	ck_assert_uint_eq(w->up[0].path_us, 18500);
	ck_assert_uint_eq(w->up[0].rx.received_unix_us, w->now.unix_us - 18500);
	world_pass(w, 10 * SEC_US);
	ck_assert_uint_eq(w->acks, 1);
	ck_assert_uint_eq(w->gs->metrics.pending, 0);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(w->acks, 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_REPEATED_ACK], 1);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, (uint16_t)(world_token(w) + 1), "");
	ck_assert_uint_eq(w->acks, 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_UNKNOWN_TOKEN], 1);
	world_free(w);
}
END_TEST

START_TEST(an_answer_after_that_is_late_and_changes_nothing)
{
	struct world *w = connected();
	request_send(w, 900000);
	world_pass(w, 3 * SEC_US);
	ck_assert_uint_eq(w->acks, 1);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(w->acks, 1);
	ck_assert_uint_eq(w->gs->metrics.drops[GS_DROP_LATE_ACK], 1);
	ck_assert_uint_eq(world_events(w, "gs.txack.drop"), 1);
	world_free(w);
}
END_TEST

START_TEST(a_refusal_of_the_forwarder_is_reported_by_its_number)
{
	struct world *w = connected();
	request_send(w, 900000);
	world_send_in(
		w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "{\"txpk_ack\":{\"error\":\"COLLISION_PACKET\"}}");
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_COLLISION_PACKET);
	ck_assert_uint_eq(world_events(w, "gs.down.tx.fail"), 1);
	request_send(w, 900000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "{\"txpk_ack\":{\"error\":\"NO_IDEA\"}}");
	ck_assert_uint_eq(w->ack[1].result, TX_RESULT_UNKNOWN_ERROR);
	ck_assert_ptr_nonnull(strstr(w->event[w->events - 1].data, "NO_IDEA"));
	world_free(w);
}
END_TEST

START_TEST(another_power_is_reported_as_eirp)
{
	struct world *w = connected();
	request_send(w, 900000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w),
		"{\"txpk_ack\":{\"warn\":\"TX_POWER\",\"value\":12}}");
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_SUCCESS);
	ck_assert(MSG_HAS(&w->ack[0], power_dbm) && w->ack[0].power_dbm == 14);
	world_free(w);
}
END_TEST

START_TEST(without_tx_ack_the_outcome_is_unknown_one_second_after_the_emission)
{
	struct world *w = connected();
	request_send(w, 900000);
	world_pass(w, 900000 + 50000 + SEC_US - 1);
	ck_assert_uint_eq(w->acks, 0);
	world_pass(w, 1);
	ck_assert_uint_eq(w->acks, 1);
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_NO_TX_ACK);
	ck_assert(!MSG_HAS(&w->ack[0], rtt_us));
	ck_assert_uint_eq(w->gs->metrics.tx[TX_RESULT_NO_TX_ACK], 1);
	request_send(w, 0);
	world_pass(w, 5 * SEC_US - 1);
	ck_assert_uint_eq(w->acks, 1);
	world_pass(w, 1);
	ck_assert_uint_eq(w->acks, 2);
	world_free(w);
}
END_TEST

START_TEST(an_answer_that_is_no_json_is_no_answer)
{
	struct world *w = connected();
	request_send(w, 900000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "{\"txpk_ack\":");
	ck_assert_uint_eq(w->acks, 0);
	world_pass(w, 2 * SEC_US);
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_NO_TX_ACK);
	world_free(w);
}
END_TEST

START_TEST(version_1_never_answers_and_counts_as_sent_when_emitted)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
	world_send_in(w, 1, EUI, SEMTECH_PULL_DATA, 7, "");
	request_send(w, 900000);
	/* It has no queue: the datagram leaves shortly before its time. */
	world_pass(w, 699999);
	ck_assert_uint_eq(w->sends, 0);
	world_pass(w, 1);
	ck_assert_uint_eq(w->sends, 1);
	ck_assert_uint_eq(w->sent[0], 1);
	ck_assert_uint_eq(world_token(w), 0);
	world_pass(w, 249999);
	ck_assert_uint_eq(w->acks, 0);
	world_pass(w, 1);
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_SUCCESS);
	world_free(w);
}
END_TEST

START_TEST(a_client_that_answers_after_the_emission_says_nothing_of_its_path)
{
	struct world *w = connected();
	request_send(w, 980000);
	world_pass(w, 985000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(w->acks, 1);
	world_rxpk(w, EUI, 9, 1, "QBEiM0QAAQABhaq7zN0=");
	ck_assert_uint_eq(w->up[0].path_us, 50000);
	request_send(w, 500000);
	world_pass(w, 600000); /* a far gateway that missed the slot: this is its path */
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "{\"txpk_ack\":{\"error\":\"TOO_EARLY\"}}");
	world_rxpk(w, EUI, 10, 1, "QBEiM0QAAQABhaq7zN0=");
	ck_assert_uint_eq(w->up[1].path_us, 300000);
	world_free(w);
}
END_TEST

START_TEST(without_a_path_a_request_is_refused_and_nothing_is_sent)
{
	struct world *w = world_new((struct gs_config){.default_plan = "EU_863_870"});
	struct tx_request r = world_request(EUI, 1, 900000);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_NOT_CONNECTED);
	world_push(w, EUI, "{}");
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_NOT_CONNECTED);
	world_pull(w, EUI);
	w->send_error = -ENETUNREACH;
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_NOT_CONNECTED);
	ck_assert_uint_eq(w->gs->metrics.pending, 0);
	w->send_error = 0;
	r.mod.kind = RADIO_LR_FHSS;
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_UNKNOWN_ERROR);
	r.mod.kind = RADIO_LORA;
	world_pass(w, 91 * SEC_US);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_NOT_CONNECTED);
	ck_assert_uint_eq(w->sends, 0);
	ck_assert_uint_eq(w->acks, 0);
	ck_assert_uint_eq(w->gs->metrics.downlinks_refused[TX_RESULT_NOT_CONNECTED], 4);
	ck_assert_uint_eq(w->gs->metrics.downlinks_refused[TX_RESULT_UNKNOWN_ERROR], 1);
	world_free(w);
}
END_TEST

START_TEST(a_gateway_has_at_most_64_downlinks_on_their_way_each_with_a_token_of_its_own)
{
	struct world *w = connected();
	static bool used[65536];
	uint16_t tokens[GATEWAY_PENDING_MAX];
	for (int i = 0; i < GATEWAY_PENDING_MAX; i++) {
		request_send(w, 900000);
		tokens[i] = world_token(w);
		ck_assert(!used[tokens[i]]);
		used[tokens[i]] = true;
	}
	struct tx_request r = world_request(EUI, 1, 900000);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_COLLISION_PACKET);
	for (int i = 0; i < GATEWAY_PENDING_MAX; i += 2)
		world_send_in(w, 2, EUI, SEMTECH_TX_ACK, tokens[i], "");
	ck_assert_uint_eq(w->acks, GATEWAY_PENDING_MAX / 2);
	ck_assert_int_eq(gs_tx(w->gs, &r, &w->now), TX_RESULT_SUCCESS);
	world_pass(w, 5 * SEC_US);
	ck_assert_uint_eq(w->acks, GATEWAY_PENDING_MAX + 1);
	ck_assert_uint_eq(w->gs->metrics.pending, 0);
	world_free(w);
}
END_TEST

START_TEST(the_same_token_of_two_gateways_is_told_apart)
{
	struct world *w = connected();
	world_pull(w, EUI + 1);
	request_send(w, 900000);
	world_send_in(w, 2, EUI + 1, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(w->acks, 0);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(w->acks, 1);
	world_free(w);
}
END_TEST

START_TEST(a_gateway_that_must_go_leaves_no_downlink_open)
{
	struct world *w =
		world_new((struct gs_config){.default_plan = "EU_863_870", .require_registered = true});
	world_pull(w, EUI);
	request_send(w, 900000);
	world_register(w, true, 1, EUI + 1, "other", "EU_863_870");
	ck_assert_uint_eq(w->gs->metrics.gateways, 0);
	ck_assert_uint_eq(w->ack[0].result, TX_RESULT_NO_TX_ACK);
	ck_assert_uint_eq(w->gs->metrics.pending, 0);
	world_free(w);
}
END_TEST

START_TEST(a_moved_gateway_is_answered_where_it_is_now)
{
	struct world *w = connected();
	uint8_t pull[] = {2, 0, 1, 2, 0x02, 0x42, 0x02, 0, 0, 0x24, 0x78, 0x03};
	struct gs_peer elsewhere = {.listener = 1, .len = 1, .sa = {77}};
	gs_datagram(w->gs, &elsewhere, (struct slice){pull, sizeof pull}, &w->now);
	request_send(w, 900000);
	ck_assert_uint_eq(w->sent_to.sa[0], 77);
	ck_assert_uint_eq(w->sent_to.listener, 1);
	world_free(w);
}
END_TEST

START_TEST(how_early_a_request_came_and_how_fast_its_answer_is_counted)
{
	struct world *w = connected();
	const struct gs_metrics *m = &w->gs->metrics;
	request_send(w, 900000);
	world_pass(w, 37000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(m->downlink_lead.n[12], 1); /* up to 1 s */
	ck_assert_uint_eq(m->downlink_lead.sum_us, 900000);
	ck_assert_uint_eq(m->tx_ack.sum_us, 37000);
	ck_assert_uint_eq(m->round_trip.sum_us, 37000);
	ck_assert_uint_eq(m->tx[TX_RESULT_SUCCESS], 1);
	/* An answer that came after the emission says nothing of the way. */
	request_send(w, 900000);
	world_pass(w, 950000);
	world_send_in(w, 2, EUI, SEMTECH_TX_ACK, world_token(w), "");
	ck_assert_uint_eq(m->tx_ack.sum_us, 987000);
	ck_assert_uint_eq(m->round_trip.sum_us, 37000);
	/* What has to go at once comes neither early nor late. */
	ck_assert_uint_eq(m->downlink_lead.sum_us, 1800000);
	world_free(w);
	w = connected();
	request_send(w, 0);
	ck_assert_int_eq(world_txpk(w).when, TXPK_IMME);
	ck_assert_uint_eq(w->gs->metrics.downlinks, 1);
	ck_assert_uint_eq(w->gs->metrics.downlink_lead.sum_us, 0);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		ck_assert_uint_eq(w->gs->metrics.downlink_lead.n[i], 0);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gs_down");
	TCase *t = tcase_create("requests");
	tcase_add_test(t, a_downlink_goes_to_where_pull_data_came_from);
	tcase_add_loop_test(t, power_is_given_the_way_forwarders_take_it, 0, COUNT(powers));
	tcase_add_test(t, fsk_gps_time_and_immediate_are_spelled_out);
	tcase_add_test(t, without_a_path_a_request_is_refused_and_nothing_is_sent);
	tcase_add_test(t, a_moved_gateway_is_answered_where_it_is_now);
	tcase_add_test(t, a_gateway_has_at_most_64_downlinks_on_their_way_each_with_a_token_of_its_own);
	suite_add_tcase(s, t);
	t = tcase_create("answers");
	tcase_add_test(t, a_tx_ack_is_reported_with_the_ids_of_its_request);
	tcase_add_test(t, an_answer_after_that_is_late_and_changes_nothing);
	tcase_add_test(t, a_refusal_of_the_forwarder_is_reported_by_its_number);
	tcase_add_test(t, another_power_is_reported_as_eirp);
	tcase_add_test(t, without_tx_ack_the_outcome_is_unknown_one_second_after_the_emission);
	tcase_add_test(t, an_answer_that_is_no_json_is_no_answer);
	tcase_add_test(t, version_1_never_answers_and_counts_as_sent_when_emitted);
	tcase_add_test(t, a_client_that_answers_after_the_emission_says_nothing_of_its_path);
	tcase_add_test(t, the_same_token_of_two_gateways_is_told_apart);
	tcase_add_test(t, a_gateway_that_must_go_leaves_no_downlink_open);
	tcase_add_test(t, how_early_a_request_came_and_how_fast_its_answer_is_counted);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

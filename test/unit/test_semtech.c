/** @file The Semtech UDP protocol against what real forwarders sent, and against what they refuse. */
#include "proto/semtech/push.h"
#include "proto/semtech/txack.h"
#include "proto/semtech/txpk.h"
#include "test/unit/semtech_vectors.h"

static struct push_scratch scratch;

struct heard {
	unsigned rxpks, stats, refused;
	int why;
	struct rxpk last;
	struct gwstat stat;
};

static void on_rxpk(void *ctx, const struct rxpk *rx)
{
	struct heard *h = ctx;
	h->rxpks++;
	h->last = *rx;
}

static void on_refused(void *ctx, int why, struct str element)
{
	struct heard *h = ctx;
	(void)element;
	h->refused++;
	h->why = why;
}

static void on_stat(void *ctx, const struct gwstat *st, struct str raw)
{
	struct heard *h = ctx;
	ck_assert_int_eq(raw.p[0], '{');
	h->stats++;
	h->stat = *st;
}

static int hear(const char *body, struct heard *h)
{
	*h = (struct heard){0};
	struct push_sink sink = {on_rxpk, on_refused, on_stat, h};
	return push_read(str_of(body), &scratch, &sink);
}

static struct rxpk hear_one(const char *members)
{
	char body[4096];
	struct heard h;
	snprintf(body, sizeof body, "{\"rxpk\":[{%s}]}", members);
	ck_assert_int_eq(hear(body, &h), 0);
	ck_assert_msg(h.rxpks == 1 && !h.refused, "%s: %s", members, semtech_refusal_word(h.why));
	return h.last;
}

static int refusal_of(const char *members)
{
	char body[4096];
	struct heard h;
	snprintf(body, sizeof body, "{\"rxpk\":[{%s}]}", members);
	ck_assert_int_eq(hear(body, &h), 0);
	ck_assert_uint_eq(h.rxpks + h.refused, 1);
	return h.refused ? h.why : 0;
}

static unsigned occurrences(const char *in, const char *what)
{
	unsigned n = 0;
	for (; (in = strstr(in, what)); in += strlen(what))
		n++;
	return n;
}

struct tally {
	unsigned datagrams, rxpks, stats, silent, answered;
};

static void push_check(const struct capture *c, struct str body, struct tally *t)
{
	struct heard h;
	ck_assert_int_eq(hear(body.n ? c->json : "", &h), 0);
	ck_assert_uint_eq(h.refused, 0);
	ck_assert_uint_eq(h.rxpks, occurrences(c->json, "\"tmst\""));
	ck_assert_uint_eq(h.stats, occurrences(c->json, "\"rxnb\""));
	ck_assert(!h.stats || h.stat.has & GWSTAT_TIME);
	if (h.rxpks) {
		ck_assert_uint_ge(h.last.freq_hz, 863000000);
		ck_assert_uint_le(h.last.freq_hz, 870000000);
		ck_assert(h.last.radio.kind == RADIO_FSK ? h.last.radio.bit_rate == 50000
							 : h.last.radio.sf >= 5);
	}
	t->rxpks += h.rxpks;
	t->stats += h.stats;
}

static void datagram_check(void *ctx, const struct capture *c)
{
	struct tally *t = ctx;
	uint8_t buf[LINE_MAX_OCTETS], again[LINE_MAX_OCTETS], ack[SEMTECH_HEAD];
	struct semtech_datagram d;
	size_t n = capture_datagram(c, buf, sizeof buf);
	ck_assert_int_eq(semtech_read(buf, n, &d), 0);
	ck_assert_uint_eq(d.version, 2);
	ck_assert_uint_eq(d.token, c->token);
	ck_assert_int_eq(d.type, c->type);
	ck_assert_uint_eq(d.eui, c->eui);
	ck_assert_uint_eq(d.body.n, strlen(c->json));
	struct writer w = writer_of(again, sizeof again);
	semtech_write(&w, &d);
	ck_assert_uint_eq(w.len, n);
	ck_assert_mem_eq(again, buf, n);
	bool wants_ack = d.type == SEMTECH_PUSH_DATA || d.type == SEMTECH_PULL_DATA;
	ck_assert_uint_eq(semtech_ack(&d, ack), wants_ack ? SEMTECH_HEAD : 0);
	if (wants_ack) {
		ck_assert_mem_eq(ack, buf, 3);
		ck_assert_uint_eq(ack[3], d.type == SEMTECH_PUSH_DATA ? 1 : 4);
	}
	if (d.type == SEMTECH_PUSH_DATA)
		push_check(c, d.body, t);
	t->datagrams++;
}

START_TEST(every_captured_datagram_is_read_and_written_back_the_same)
{
	struct tally t = {0};
	for (size_t i = 0; i < COUNT(capture_names); i++)
		captures_each(capture_names[i], datagram_check, &t);
	ck_assert_uint_gt(t.datagrams, 300);
	ck_assert_uint_gt(t.rxpks, 100);
	ck_assert_uint_gt(t.stats, 10);
}
END_TEST

/* The downlink captures: what a forwarder answered to each PULL_RESP, by its token. */
struct answers {
	bool answered[65536];
};
static struct answers answers;

static void answer_note(void *ctx, const struct capture *c)
{
	struct txack a;
	(void)ctx;
	if (c->type != SEMTECH_TX_ACK)
		return;
	ck_assert_int_eq(txack_read(str_of(c->json), &a), 0);
	const char *error = strstr(c->json, "\"error\":\"");
	if (!error) {
		ck_assert_int_eq(a.result, TX_RESULT_SUCCESS);
	} else {
		const char *word = tx_result_info(a.result)->word;
		ck_assert_int_eq(strncmp(error + strlen("\"error\":\""), word, strlen(word)), 0);
		ck_assert_int_ne(a.result, TX_RESULT_SUCCESS);
		ck_assert_int_ne(a.result, TX_RESULT_UNKNOWN_ERROR);
	}
	ck_assert_int_eq(a.has_power, strstr(c->json, "\"warn\"") != NULL);
	answers.answered[c->token] = true;
}

/* What a strict reader refuses, but the forwarders take: contradictions, texts for numbers, comments. */
static bool is_leniency(const char *note)
{
	static const char *const cases[] = {
		"size too small", "size too big", "tmst >2^32", "comment in JSON", "tmst negative"};
	for (size_t i = 0; i < COUNT(cases); i++)
		if (!strcmp(note, cases[i]))
			return true;
	return false;
}

static void txpk_check(void *ctx, const struct capture *c)
{
	struct tally *t = ctx;
	struct json_tok tok[TXPK_TOKENS];
	struct txpk tx;
	if (c->type != SEMTECH_PULL_RESP || is_leniency(c->note) || !strcmp(c->note, "rfch 1"))
		return;
	bool fits = strlen(c->json) + SEMTECH_HEAD <= SEMTECH_PULL_RESP_MAX;
	int why = txpk_read(str_of(c->json), tok, COUNT(tok), &tx);
	ck_assert_msg(
		(!why && fits) == answers.answered[c->token], "%s: %s", c->note, semtech_refusal_word(why));
	if (!why)
		t->answered++;
	else
		t->silent++;
}

START_TEST(a_txpk_is_refused_where_the_forwarders_said_nothing)
{
	struct tally t = {0};
	captures_each("sx1302-downlinks", answer_note, NULL);
	captures_each("sx1302-downlinks", txpk_check, &t);
	ck_assert_uint_ge(t.silent, 13);
	ck_assert_uint_ge(t.answered, 60);
}
END_TEST

START_TEST(numbers_are_read_as_forwarders_write_them)
{
	struct rxpk rx = hear_one(
		"\"jver\":1,\"tmst\":4294967295,\"chan\":0,\"rfch\":1,\"freq\":868.100000,\"mid\": "
		"8,\"stat\":1,\"modu\":\"LORA\","
		"\"datr\":\"SF7BW125\",\"codr\":\"4/"
		"5\",\"rssis\":-58,\"lsnr\":-12.3,\"foff\":-137,\"rssi\":-0,\"size\":2,\"data\":\"QBE=\"");
	ck_assert_uint_eq(rx.tmst_us, UINT32_MAX);
	ck_assert_uint_eq(rx.freq_hz, 868100000);
	ck_assert_uint_eq(rx.mid, 8);
	ck_assert_int_eq(rx.crc, RXPK_CRC_OK);
	ck_assert_int_eq(rx.rssi_ddbm, 0);
	ck_assert_int_eq(rx.rssis_ddbm, -580);
	ck_assert_int_eq(rx.lsnr_ddb, -123);
	ck_assert_int_eq(rx.foff_hz, -137);
	ck_assert_uint_eq(rx.radio.sf, 7);
	ck_assert_uint_eq(rx.radio.bw_hz, 125000);
	ck_assert_str_eq(rx.radio.codr, "4/5");
	ck_assert_uint_eq(rx.phy_len, 2);
	ck_assert_mem_eq(rx.phy, "\x40\x11", 2);
	ck_assert_uint_eq(
		rx.has, RXPK_CHAN | RXPK_RFCH | RXPK_MID | RXPK_RSSIS | RXPK_LSNR | RXPK_FOFF | RXPK_JVER);
}
END_TEST

START_TEST(a_bare_rxpk_with_blanks_and_unpadded_numbers_is_read)
{
	struct rxpk rx = hear_one(" \"tmst\" : 7 , \"freq\" : 869.05 , \"modu\" : \"LORA\" , \"datr\" : "
				  "\"SF12BW500\" , \"rssi\" : -57.5 , \"data\" : \"\" ");
	ck_assert_uint_eq(rx.freq_hz, 869050000);
	ck_assert_uint_eq(rx.radio.sf, 12);
	ck_assert_uint_eq(rx.radio.bw_hz, 500000);
	ck_assert_str_eq(rx.radio.codr, "");
	ck_assert_int_eq(rx.rssi_ddbm, -575);
	ck_assert_uint_eq(rx.phy_len, 0);
	ck_assert_uint_eq(rx.has, 0);
	ck_assert_int_eq(rx.crc, RXPK_CRC_OK);
}
END_TEST

#define LORA                                                                                                 \
	"\"tmst\":1,\"freq\":868.1,\"stat\":1,\"modu\":\"LORA\",\"datr\":\"SF7BW125\",\"codr\":\"4/"         \
	"5\",\"rssi\":-1,"
#define RADIO(rest) "\"tmst\":1,\"freq\":868.1,\"stat\":1,\"rssi\":-1,\"data\":\"QA==\"," rest

START_TEST(base64_comes_padded_unpadded_urlsafe_and_with_escaped_slashes)
{
	struct rxpk rx = hear_one(LORA "\"size\":3,\"data\":\"-_-_\"");
	ck_assert_mem_eq(rx.phy, "\xfb\xff\xbf", 3);
	rx = hear_one(LORA "\"size\":3,\"data\":\"+\\/+\\/\"");
	ck_assert_mem_eq(rx.phy, "\xfb\xff\xbf", 3);
	rx = hear_one(LORA "\"size\":1,\"data\":\"QA\"");
	ck_assert_uint_eq(rx.phy_len, 1);
	rx = hear_one("\"tmst\":1,\"freq\":868.1,\"modu\":\"LORA\",\"datr\":\"SF7BW125\",\"codr\":\"4\\/"
		      "5\",\"rssi\":-1,\"data\":\"QA==\"");
	ck_assert_str_eq(rx.radio.codr, "4/5");
}
END_TEST

START_TEST(every_modulation_is_read)
{
	struct rxpk rx = hear_one(RADIO("\"modu\":\"FSK\",\"datr\":50000"));
	ck_assert_int_eq(rx.radio.kind, RADIO_FSK);
	ck_assert_uint_eq(rx.radio.bit_rate, 50000);
	rx = hear_one(RADIO("\"modu\":\"LR-FHSS\",\"datr\":\"M0CW137\",\"codr\":\"4/6\",\"hpw\":8"));
	ck_assert_int_eq(rx.radio.kind, RADIO_LR_FHSS);
	ck_assert_uint_eq(rx.radio.bw_hz, 137000);
	ck_assert_str_eq(rx.radio.codr, "4/6");
	ck_assert_uint_eq(rx.hpw, 8);
	rx = hear_one(RADIO("\"datr\":\"SF5BW125\",\"modu\":\"LORA\""));
	ck_assert_uint_eq(rx.radio.sf, 5);
	rx = hear_one(RADIO("\"datr\":\"SF6BW812.5\",\"modu\":\"LORA\""));
	ck_assert_uint_eq(rx.radio.bw_hz, 812500);
}
END_TEST

START_TEST(times_come_as_utc_gps_and_fine)
{
	struct rxpk rx = hear_one(LORA "\"data\":\"QA==\",\"time\":\"2026-11-20T23:36:30.550205Z\",\"tmms\":"
				       "1479253008550,\"ftime\":123456789");
	ck_assert_uint_eq(rx.time_unix_ns, UINT64_C(1795217790550205000));
	ck_assert_uint_eq(rx.tmms, UINT64_C(1479253008550));
	ck_assert_uint_eq(rx.ftime_ns, 123456789);
	ck_assert_uint_eq(rx.has, RXPK_TIME | RXPK_TMMS | RXPK_FTIME);
	rx = hear_one(LORA "\"data\":\"QA==\",\"time\":\"yesterday\",\"tmms\":null,\"foff\":{}");
	ck_assert_uint_eq(rx.has, 0);
}
END_TEST

START_TEST(of_several_antennas_the_best_speaks)
{
	struct rxpk rx = hear_one(
		"\"tmst\":1,\"freq\":868.1,\"stat\":1,\"modu\":\"LORA\",\"datr\":\"SF7BW125\",\"data\":\"QA=="
		"\",\"rsig\":["
		"{\"ant\":0,\"chan\":7,\"rssic\":-100,\"lsnr\":-3.5,\"etime\":\"42QMzOlYSSPMMeqVPrY0fQ==\"},"
		"{\"ant\":1,\"chan\":23,\"rssic\":-74,\"rssis\":-75,\"lsnr\":9.0,\"ftime\":1255738435,"
		"\"foff\":-8898},"
		"{\"ant\":2,\"chan\":8,\"rssic\":-20,\"lsnr\":8.0}]");
	ck_assert_uint_eq(rx.antenna, 1);
	ck_assert_uint_eq(rx.chan, 23);
	ck_assert_int_eq(rx.rssi_ddbm, -740);
	ck_assert_int_eq(rx.lsnr_ddb, 90);
	ck_assert_int_eq(rx.foff_hz, -8898);
}
END_TEST

START_TEST(a_contradiction_or_a_missing_member_is_a_refusal_with_its_reason)
{
	ck_assert_int_eq(refusal_of(LORA "\"size\":2,\"data\":\"QA==\""), SEMTECH_E_SIZE);
	ck_assert_int_eq(refusal_of(LORA "\"size\":\"one\",\"data\":\"QA==\""), SEMTECH_E_SIZE);
	ck_assert_int_eq(refusal_of(LORA "\"size\":1"), SEMTECH_E_DATA);
	ck_assert_int_eq(refusal_of(LORA "\"data\":\"Q*==\""), SEMTECH_E_DATA);
	ck_assert_int_eq(refusal_of(LORA "\"data\":17"), SEMTECH_E_DATA);
	ck_assert_int_eq(refusal_of("\"freq\":868.1"), SEMTECH_E_TMST);
	ck_assert_int_eq(refusal_of("\"tmst\":4294967296,\"freq\":868.1"), SEMTECH_E_TMST);
	ck_assert_int_eq(refusal_of("\"tmst\":-1,\"freq\":868.1"), SEMTECH_E_TMST);
	ck_assert_int_eq(refusal_of("\"tmst\":1"), SEMTECH_E_FREQ);
	ck_assert_int_eq(refusal_of("\"tmst\":1,\"freq\":-868.1"), SEMTECH_E_FREQ);
	ck_assert_int_eq(refusal_of("\"tmst\":1,\"freq\":868100000"), SEMTECH_E_FREQ);
	ck_assert_int_eq(refusal_of(RADIO("\"modu\":\"QAM\"")), SEMTECH_E_MODU);
	ck_assert_int_eq(refusal_of(RADIO("\"modu\":\"LORA\"")), SEMTECH_E_DATR);
	ck_assert_int_eq(refusal_of(RADIO("\"modu\":\"LORA\",\"datr\":\"SF13BW125\"")), SEMTECH_E_DATR);
	ck_assert_int_eq(refusal_of(RADIO("\"modu\":\"LORA\",\"datr\":50000")), SEMTECH_E_DATR);
	ck_assert_int_eq(refusal_of(RADIO("\"modu\":\"FSK\",\"datr\":\"SF7BW125\"")), SEMTECH_E_DATR);
	ck_assert_int_eq(refusal_of("\"tmst\":1,\"freq\":868.1,\"modu\":\"LORA\",\"datr\":\"SF7BW125\","
				    "\"data\":\"QA==\""),
		SEMTECH_E_RSSI);
}
END_TEST

START_TEST(a_bad_rxpk_spoils_no_other)
{
	struct heard h;
	ck_assert_int_eq(hear("{\"time\":\"x\",\"rxpk\":[{" LORA
			      "\"data\":\"QA==\"},{},null,17,{\"tmst\":[[]]},{" LORA "\"data\":\"QA==\"}],"
			      "\"extra\":{\"a\":[1,{}]},\"stat\":{\"rxnb\":3}}",
				 &h),
		0);
	ck_assert_uint_eq(h.rxpks, 2);
	ck_assert_uint_eq(h.refused, 4);
	ck_assert_uint_eq(h.stats, 1);
}
END_TEST

START_TEST(a_body_that_is_no_object_is_refused_but_what_came_first_is_kept)
{
	struct heard h;
	ck_assert_int_eq(hear("", &h), SEMTECH_E_JSON);
	ck_assert_int_eq(hear("[]", &h), SEMTECH_E_JSON);
	ck_assert_int_eq(hear("{\"rxpk\":{}}", &h), SEMTECH_E_JSON);
	ck_assert_int_eq(hear("{\"rxpk\":[{" LORA "\"data\":\"QA==\"},{\"tmst\":1", &h), SEMTECH_E_JSON);
	ck_assert_uint_eq(h.rxpks, 1);
	ck_assert_int_eq(hear("{\"rxpk\":[]}", &h), 0);
	ck_assert_int_eq(hear("{\"rxpk\":[],}", &h), 0);
	ck_assert_int_eq(hear("{}\n", &h), 0);
	ck_assert_int_eq(hear("{\"a\":\"\\", &h), SEMTECH_E_JSON);
}
END_TEST

START_TEST(a_datagram_of_250_frames_is_read)
{
	static char body[SEMTECH_DATAGRAM_MAX];
	struct text t = text_fixed(body, sizeof body);
	struct heard h;
	text_puts(&t, "{\"rxpk\":[");
	for (int i = 0; i < 250; i++)
		text_printf(&t,
			"%s{\"jver\":1,\"chan\":0,\"rfch\":1,\"mid\": "
			"8,\"rssis\":-58,\"lsnr\":9.2,\"foff\":-137," LORA
			"\"size\":14,\"data\":\"QBEiM0QAAQABhaq7zN0=\"}",
			i ? "," : "");
	text_puts(&t, "]}");
	ck_assert(!t.failed);
	ck_assert_uint_gt(t.len, 40000);
	ck_assert_int_eq(hear(body, &h), 0);
	ck_assert_uint_eq(h.rxpks, 250);
}
END_TEST

START_TEST(what_is_written_as_rxpk_is_read_back_the_same)
{
	char buf[1024];
	struct json_tok tok[RXPK_TOKENS];
	struct rxpk back, rx = {.has = RXPK_TIME | RXPK_TMMS | RXPK_CHAN | RXPK_RFCH | RXPK_LSNR | RXPK_FOFF |
				       RXPK_RSSIS,
				  .tmst_us = 5,
				  .freq_hz = 867100000,
				  .crc = RXPK_CRC_OK,
				  .radio = {RADIO_LORA, 9, 125000, 0, "4/5"},
				  .time_unix_ns = UINT64_C(1795217790550205000),
				  .tmms = 1479253008550,
				  .chan = 3,
				  .rssi_ddbm = -1170,
				  .rssis_ddbm = -1180,
				  .lsnr_ddb = -75,
				  .foff_hz = 12,
				  .phy_len = 3,
				  .phy = {1, 2, 3}};
	struct text t = text_fixed(buf, sizeof buf);
	rxpk_write(&t, &rx);
	ck_assert_int_eq(rxpk_read(text_str(&t), tok, COUNT(tok), &back), 0);
	ck_assert_uint_eq(back.has, rx.has);
	ck_assert_uint_eq(back.freq_hz, rx.freq_hz);
	ck_assert_uint_eq(back.time_unix_ns, rx.time_unix_ns);
	ck_assert_int_eq(back.lsnr_ddb, -75);
	ck_assert_mem_eq(back.phy, rx.phy, 3);
	ck_assert_ptr_nonnull(strstr(buf, "\"freq\":867.100000,"));
}
END_TEST

START_TEST(a_stat_is_read_with_its_place_and_without_a_made_up_one)
{
	struct heard h;
	ck_assert_int_eq(hear("{\"stat\":{\"time\":\"2026-11-20 23:36:29 "
			      "GMT\",\"lati\":47.20000,\"long\":8.50000,\"alti\":410,\"rxnb\":25,\"rxok\":23,"
			      "\"rxfw\":25,\"ackr\":99.5,\"dwnb\":2,\"txnb\":1,\"temp\":23.4}}",
				 &h),
		0);
	ck_assert_uint_eq(
		h.stat.has, GWSTAT_TIME | GWSTAT_POSITION | GWSTAT_ALTI | GWSTAT_ACKR | GWSTAT_TEMP);
	ck_assert_uint_eq(h.stat.time_unix_us, UINT64_C(1795217789000000));
	ck_assert_int_eq(h.stat.latitude_e7, 472000000);
	ck_assert_int_eq(h.stat.longitude_e7, 85000000);
	ck_assert_int_eq(h.stat.altitude_m, 410);
	ck_assert_uint_eq(h.stat.ackr_permille, 995);
	ck_assert_int_eq(h.stat.temp_dc, 234);
	ck_assert_int_eq(hear("{\"stat\":{\"lati\":0.0,\"long\":-0.0}}", &h), 0);
	ck_assert_uint_eq(h.stat.has & GWSTAT_POSITION, 0);
	ck_assert_int_eq(hear("{\"stat\":{\"lati\":10.0,\"long\":20.0,\"alti\":-1}}", &h), 0);
	ck_assert_uint_eq(h.stat.has & GWSTAT_POSITION, 0);
	ck_assert_int_eq(hear("{\"stat\":{\"lati\":91.0,\"long\":20.0}}", &h), 0);
	ck_assert_uint_eq(h.stat.has & GWSTAT_POSITION, 0);
	ck_assert_int_eq(hear("{\"stat\":{\"time\":\"2026-11-21T00:19:01.403643Z\",\"ackr\":0.0}}", &h), 0);
	ck_assert_uint_eq(h.stat.time_unix_us, UINT64_C(1795220341403643));
}
END_TEST

START_TEST(a_stat_is_written_as_forwarders_write_it)
{
	char buf[512];
	struct text t = text_fixed(buf, sizeof buf);
	gwstat_write(&t, &(struct gwstat){.has = GWSTAT_TIME,
				 .time_unix_us = UINT64_C(1795217789000000),
				 .rxnb = 1,
				 .rxok = 1,
				 .rxfw = 1,
				 .ackr_permille = 1000});
	ck_assert_str_eq(buf, "{\"time\":\"2026-11-20 23:36:29 "
			      "GMT\",\"rxnb\":1,\"rxok\":1,\"rxfw\":1,\"ackr\":100,\"dwnb\":0,\"txnb\":0}");
}
END_TEST

START_TEST(a_txpk_says_everything_that_forwarders_need)
{
	char buf[SEMTECH_PULL_RESP_MAX];
	struct text t = text_fixed(buf, sizeof buf);
	struct txpk tx = {.when = TXPK_TMST,
		.tmst_us = 1504005,
		.freq_hz = 868100000,
		.powe_dbm = 14,
		.radio = {RADIO_LORA, 7, 125000, 0, "4/5"},
		.ipol = true,
		.ncrc = true,
		.phy_len = 1,
		.phy = {0x60}};
	txpk_write(&t, &tx);
	ck_assert_str_eq(buf, "{\"txpk\":{\"tmst\":1504005,\"freq\":868.100000,\"rfch\":0,\"powe\":14,"
			      "\"modu\":\"LORA\",\"datr\":\"SF7BW125\",\"codr\":\"4/5\","
			      "\"ipol\":true,\"ncrc\":true,\"size\":1,\"data\":\"YA==\"}}");
	tx = (struct txpk){.when = TXPK_IMME,
		.freq_hz = 868800000,
		.powe_dbm = 14,
		.radio = {RADIO_FSK, 0, 0, 50000, ""},
		.fdev_hz = 25000};
	text_reset(&t);
	txpk_write(&t, &tx);
	ck_assert_str_eq(buf, "{\"txpk\":{\"imme\":true,\"freq\":868.800000,\"rfch\":0,\"powe\":14,\"modu\":"
			      "\"FSK\",\"datr\":50000,\"fdev\":25000,"
			      "\"ipol\":false,\"ncrc\":false,\"size\":0,\"data\":\"\"}}");
	tx.when = TXPK_TMMS;
	tx.tmms = 1285579871592;
	text_reset(&t);
	txpk_write(&t, &tx);
	ck_assert_ptr_nonnull(strstr(buf, "{\"tmms\":1285579871592,"));
	ck_assert_ptr_null(strstr(buf, "imme"));
}
END_TEST

START_TEST(the_longest_txpk_fits_what_forwarders_take)
{
	char buf[SEMTECH_PULL_RESP_MAX];
	struct json_tok tok[TXPK_TOKENS];
	struct text t = text_fixed(buf, sizeof buf);
	struct txpk back, tx = {.when = TXPK_TMMS,
				  .tmms = UINT64_MAX / 1000,
				  .freq_hz = UINT32_MAX,
				  .powe_dbm = -99,
				  .radio = {RADIO_LORA, 12, 125000, 0, "4/5"},
				  .prea = 65535,
				  .ipol = true,
				  .ncrc = true,
				  .phy_len = 255};
	txpk_write(&t, &tx);
	ck_assert(!t.failed);
	ck_assert_uint_lt(t.len + SEMTECH_HEAD, SEMTECH_PULL_RESP_MAX);
	ck_assert_int_eq(txpk_read(text_str(&t), tok, COUNT(tok), &back), 0);
	ck_assert_uint_eq(back.phy_len, 255);
	ck_assert_uint_eq(back.prea, 65535);
	ck_assert(back.ipol && back.ncrc);
}
END_TEST

static const struct {
	const char *body;
	int read;
	enum tx_result result;
	int power;
	const char *word;
} acks[] = {
	{"", 0, TX_RESULT_SUCCESS, 0, ""},
	{" \n\t", 0, TX_RESULT_SUCCESS, 0, ""},
	{"{}", 0, TX_RESULT_SUCCESS, 0, ""},
	{"{\"txpk_ack\":{}}", 0, TX_RESULT_SUCCESS, 0, ""},
	{"{\"txpk_ack\":{\"error\":\"NONE\"}}", 0, TX_RESULT_SUCCESS, 0, ""},
	{"{\"txpk_ack\":{\"error\":\"\"}}", 0, TX_RESULT_SUCCESS, 0, ""},
	{"{\"txpk_ack\":{\"error\":null}}", 0, TX_RESULT_SUCCESS, 0, ""},
	{"{\"txpk_ack\":{\"error\":\"TOO_LATE\"}}", 0, TX_RESULT_TOO_LATE, 0, ""},
	{"{\"txpk_ack\":{\"error\":\"TX_POWER\"}}", 0, TX_RESULT_TX_POWER, 0, ""},
	{"{\"txpk_ack\":{\"warn\":\"TX_POWER\",\"value\":20}}", 0, TX_RESULT_SUCCESS, 20, ""},
	{"{\"txpk_ack\":{\"warn\":\"TX_POWER\",\"value\":\"-3\"}}", 0, TX_RESULT_SUCCESS, -3, ""},
	{"{\"txpk_ack\":{\"warn\":\"TX_POWER\"}}", 0, TX_RESULT_SUCCESS, 0, ""},
	{"{\"txpk_ack\":{\"error\":\"DUTY_CYCLE_OVERFLOW\"}}", 0, TX_RESULT_UNKNOWN_ERROR, 0,
		"DUTY_CYCLE_OVERFLOW"},
	{"{\"txpk_ack\":{\"error\":[]}}", 0, TX_RESULT_UNKNOWN_ERROR, 0, "?"},
	{"{\"txpk_ack\"", SEMTECH_E_JSON, TX_RESULT_SUCCESS, 0, ""},
	{"nonsense", SEMTECH_E_JSON, TX_RESULT_SUCCESS, 0, ""},
};

START_TEST(a_tx_ack_means_what_the_forwarders_mean)
{
	struct txack a;
	ck_assert_int_eq(txack_read(str_of(acks[_i].body), &a), acks[_i].read);
	if (acks[_i].read)
		return;
	ck_assert_int_eq(a.result, acks[_i].result);
	ck_assert_str_eq(a.word, acks[_i].word);
	ck_assert_int_eq(a.has_power, acks[_i].power != 0);
	ck_assert_int_eq(a.power_dbm, acks[_i].power);
}
END_TEST

START_TEST(nothing_but_nuls_is_a_success)
{
	struct txack a;
	ck_assert_int_eq(txack_read((struct str){"\0\0\0", 3}, &a), 0);
	ck_assert_int_eq(a.result, TX_RESULT_SUCCESS);
}
END_TEST

START_TEST(a_tx_ack_is_written_as_forwarders_write_it)
{
	char buf[128];
	struct text t = text_fixed(buf, sizeof buf);
	txack_write(&t, &(struct txack){.result = TX_RESULT_SUCCESS});
	ck_assert_str_eq(buf, "");
	txack_write(&t, &(struct txack){.result = TX_RESULT_TOO_EARLY});
	ck_assert_str_eq(buf, "{\"txpk_ack\":{\"error\":\"TOO_EARLY\"}}");
	text_reset(&t);
	txack_write(&t, &(struct txack){.result = TX_RESULT_SUCCESS, .has_power = true, .power_dbm = 12});
	ck_assert_str_eq(buf, "{\"txpk_ack\":{\"warn\":\"TX_POWER\",\"value\":12}}");
	text_reset(&t);
	txack_write(&t, &(struct txack){.result = TX_RESULT_UNKNOWN_ERROR});
	ck_assert_str_eq(buf, "{\"txpk_ack\":{\"error\":\"UNKNOWN\"}}");
}
END_TEST

START_TEST(datagrams_that_are_cut_or_foreign_are_refused)
{
	struct semtech_datagram d;
	const uint8_t pull[] = {2, 0x67, 0xc6, 2, 0xaa, 0x55, 0x5a, 0, 0, 0, 1, 1};
	ck_assert_int_eq(semtech_read(pull, sizeof pull, &d), 0);
	ck_assert_uint_eq(d.eui, UINT64_C(0xaa555a0000000101));
	ck_assert_uint_eq(d.token, 0x67c6);
	for (size_t n = 0; n < sizeof pull; n++)
		ck_assert_int_eq(semtech_read(pull, n, &d), SEMTECH_E_SHORT);
	ck_assert_int_eq(semtech_read((const uint8_t[]){1, 0, 0, 4}, 4, &d), 0);
	ck_assert_uint_eq(d.version, 1);
	ck_assert_int_eq(semtech_read((const uint8_t[]){0, 0, 0, 4}, 4, &d), SEMTECH_E_PROTOCOL);
	ck_assert_int_eq(semtech_read((const uint8_t[]){3, 0, 0, 4}, 4, &d), SEMTECH_E_PROTOCOL);
	ck_assert_int_eq(semtech_read((const uint8_t[]){2, 0, 0, 6}, 4, &d), SEMTECH_E_TYPE);
	ck_assert_int_eq(semtech_read((const uint8_t[]){2, 0, 0, 2}, 4, &d), SEMTECH_E_SHORT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("semtech");
	TCase *t = tcase_create("datagrams");
	tcase_add_test(t, every_captured_datagram_is_read_and_written_back_the_same);
	tcase_add_test(t, datagrams_that_are_cut_or_foreign_are_refused);
	suite_add_tcase(s, t);
	t = tcase_create("rxpk");
	tcase_add_test(t, numbers_are_read_as_forwarders_write_them);
	tcase_add_test(t, a_bare_rxpk_with_blanks_and_unpadded_numbers_is_read);
	tcase_add_test(t, base64_comes_padded_unpadded_urlsafe_and_with_escaped_slashes);
	tcase_add_test(t, every_modulation_is_read);
	tcase_add_test(t, times_come_as_utc_gps_and_fine);
	tcase_add_test(t, of_several_antennas_the_best_speaks);
	tcase_add_test(t, a_contradiction_or_a_missing_member_is_a_refusal_with_its_reason);
	tcase_add_test(t, a_bad_rxpk_spoils_no_other);
	tcase_add_test(t, a_body_that_is_no_object_is_refused_but_what_came_first_is_kept);
	tcase_add_test(t, a_datagram_of_250_frames_is_read);
	tcase_add_test(t, what_is_written_as_rxpk_is_read_back_the_same);
	suite_add_tcase(s, t);
	t = tcase_create("stat");
	tcase_add_test(t, a_stat_is_read_with_its_place_and_without_a_made_up_one);
	tcase_add_test(t, a_stat_is_written_as_forwarders_write_it);
	suite_add_tcase(s, t);
	t = tcase_create("txpk");
	tcase_add_test(t, a_txpk_is_refused_where_the_forwarders_said_nothing);
	tcase_add_test(t, a_txpk_says_everything_that_forwarders_need);
	tcase_add_test(t, the_longest_txpk_fits_what_forwarders_take);
	suite_add_tcase(s, t);
	t = tcase_create("tx_ack");
	tcase_add_loop_test(t, a_tx_ack_means_what_the_forwarders_mean, 0, COUNT(acks));
	tcase_add_test(t, nothing_but_nuls_is_a_success);
	tcase_add_test(t, a_tx_ack_is_written_as_forwarders_write_it);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

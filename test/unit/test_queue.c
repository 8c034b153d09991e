/** @file The downlink queue: order, one counter for one item, and what comes back. */
#include "as/core/queue.h"
#include "common/core/rng.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A store of records in memory. */
static struct {
	uint64_t seq;
	uint8_t bytes[512];
	size_t n;
} kept[64];

/** The sink fails once this many more calls have gone well; -1: never. */
static int good_calls = -1;

static bool sink_fails(void)
{
	return good_calls >= 0 && good_calls-- == 0;
}

static int put(void *ctx, uint64_t uid, uint64_t seq, struct slice record)
{
	(void)ctx;
	(void)uid;
	if (sink_fails())
		return -ENOMEM;
	size_t at = 0;
	while (kept[at].seq && kept[at].seq != seq)
		at++;
	ck_assert_uint_le(record.n, sizeof kept[at].bytes);
	kept[at].seq = seq;
	kept[at].n = record.n;
	memcpy(kept[at].bytes, record.p, record.n);
	return 0;
}

static int del(void *ctx, uint64_t uid, uint64_t seq)
{
	(void)ctx;
	(void)uid;
	if (sink_fails())
		return -ENOMEM;
	for (size_t i = 0; i < COUNT(kept); i++)
		if (kept[i].seq == seq) {
			kept[i] = kept[COUNT(kept) - 1];
			memmove(&kept[i], &kept[i + 1], (COUNT(kept) - i - 1) * sizeof kept[0]);
		}
	return 0;
}

static int put_nothing(void *ctx, uint64_t uid, uint64_t seq, struct slice record)
{
	(void)ctx, (void)uid, (void)seq, (void)record;
	return 0;
}

static int del_nothing(void *ctx, uint64_t uid, uint64_t seq)
{
	(void)ctx, (void)uid, (void)seq;
	return 0;
}

static const struct queue_sink sink = { put, del, NULL };
static struct queue q;
static struct now now = { .mono_us = 1000, .unix_us = 2000 };
static struct rng_seeded seeded;
static struct rng rng;

static void setup(void)
{
	memset(kept, 0, sizeof kept);
	q = (struct queue){ 0 };
	good_calls = -1;
	rng = rng_seeded(&seeded, 7);
}

static void teardown(void)
{
	queue_done(&q);
}

static const struct item *push(uint64_t seq, uint8_t port, uint8_t priority, bool confirmed, size_t size)
{
	struct tts_item wish = { .f_port = port, .priority = priority, .confirmed = confirmed, .payload_n = size };
	const struct item *i = NULL;
	memset(wish.payload, port, size);
	memcpy(wish.own_cids, "mine", 5);
	wish.own_cids_n = 5;
	ck_assert_int_eq(queue_push(&q, &sink, 1, seq, &wish, ulid_make(now.unix_us, &rng), &now, &i), 0);
	return i;
}

static struct item *pull_offered(uint32_t f_cnt, uint32_t room, uint64_t durable, bool *ret_more, struct item **ret_too_long)
{
	struct item *i, *too_long;
	bool more;
	struct pull p = { .device = 1, .session_key_id = { { 9 } }, .f_cnt = f_cnt, .room = room, .room_max = 242 };
	ck_assert_int_eq(queue_pull(&q, &sink, &p, durable, &now, &i, &too_long, &more), 0);
	if (ret_more)
		*ret_more = more;
	if (ret_too_long)
		*ret_too_long = too_long;
	else
		ck_assert_ptr_null(too_long);
	return i;
}

/** The device was heard, and the offer is on disk. */
static struct item *pull(uint32_t f_cnt, uint32_t room, bool *ret_more, struct item **ret_too_long)
{
	queue_offer(&q, &sink, 1, 1, &now);
	return pull_offered(f_cnt, room, 1, ret_more, ret_too_long);
}

/** What the store kept, as another process finds it. */
static void crash(void)
{
	queue_done(&q);
	for (size_t k = 0; kept[k].seq; k++)
		ck_assert_int_eq(queue_load(&q, kept[k].seq, (struct slice){ kept[k].bytes, kept[k].n }), 0);
}

static int hear(void *ctx, const struct item *i, enum queue_news news)
{
	enum queue_news *heard = ctx;
	ck_assert_ptr_nonnull(i);
	*heard = news;
	return 0;
}

static enum queue_news outcome(const struct item *of, uint32_t what, bool *ret_gone)
{
	struct up_outcome o = { .item = of->id, .outcome = what, .f_cnt = of->f_cnt, .session_key_id = of->session_key_id };
	struct item *i;
	enum queue_news news = NEWS_NONE;
	ck_assert_int_eq(queue_outcome(&q, &sink, 1, &o, &(struct queue_teller){ hear, &news }, &i, ret_gone), 0);
	ck_assert_ptr_eq(i, of);
	if (*ret_gone)
		item_free(i);
	return news;
}

START_TEST(priority_comes_first_then_age)
{
	bool more, gone;
	push(1, 1, 0, false, 1);
	push(2, 2, 5, false, 1);
	push(3, 3, 0, false, 1);
	push(4, 4, 5, false, 1);
	static const uint8_t order[] = { 2, 4, 1, 3 };
	for (size_t k = 0; k < COUNT(order); k++) {
		struct item *i = pull((uint32_t)k, 50, &more, NULL);
		ck_assert_ptr_nonnull(i);
		ck_assert_uint_eq(i->f_port, order[k]);
		ck_assert_int_eq(more, k + 1 < COUNT(order));
		ck_assert_int_eq(outcome(i, OUTCOME_SENT, &gone), NEWS_SENT);
		ck_assert(gone);
	}
	ck_assert_ptr_null(pull(9, 50, &more, NULL));
	ck_assert(!more);
	ck_assert_uint_eq(kept[0].seq, 0);
}
END_TEST

START_TEST(the_same_question_gets_the_same_answer_and_nothing_overtakes_it)
{
	push(1, 1, 0, false, 1);
	push(2, 2, 0, false, 1);
	struct item *i = pull(7, 50, NULL, NULL);
	ck_assert_ptr_eq(pull(7, 50, NULL, NULL), i);
	ck_assert(i->is_repeat);
	ck_assert_ptr_null(pull(8, 50, NULL, NULL));
}
END_TEST

START_TEST(an_unsent_item_comes_back_to_its_place)
{
	bool gone;
	push(1, 1, 0, false, 1);
	push(2, 2, 0, false, 1);
	struct item *i = pull(7, 50, NULL, NULL);
	ck_assert_int_eq(outcome(i, OUTCOME_RETURNED, &gone), NEWS_NONE);
	ck_assert(!gone);
	ck_assert_ptr_eq(pull(8, 50, NULL, NULL), i);
	ck_assert_uint_eq(i->f_cnt, 8);
}
END_TEST

START_TEST(a_confirmed_item_is_tried_until_its_attempts_are_used_up)
{
	bool gone = false;
	push(1, 1, 0, true, 1);
	for (uint32_t k = 1; k <= QUEUE_ATTEMPTS; k++) {
		struct item *i = pull(k, 50, NULL, NULL);
		ck_assert_uint_eq(i->attempt, k);
		ck_assert_int_eq(outcome(i, OUTCOME_SENT, &gone), NEWS_SENT);
		ck_assert(!gone);
		ck_assert_ptr_null(pull(k + 100, 50, NULL, NULL));
		ck_assert_int_eq(outcome(i, OUTCOME_NACK, &gone), k < QUEUE_ATTEMPTS ? NEWS_NACK : NEWS_NACK_LAST);
	}
	ck_assert(gone);
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

START_TEST(an_acknowledged_item_is_gone)
{
	bool gone;
	push(1, 1, 0, true, 1);
	struct item *i = pull(1, 50, NULL, NULL);
	outcome(i, OUTCOME_SENT, &gone);
	ck_assert_int_eq(outcome(i, OUTCOME_ACK, &gone), NEWS_ACK);
	ck_assert(gone);
}
END_TEST

START_TEST(too_long_for_any_window_fails_at_once_and_for_this_one_after_eight)
{
	struct item *too_long;
	push(1, 1, 0, false, 200);
	push(2, 2, 0, false, 1);
	for (int k = 1; k < QUEUE_WINDOWS; k++) {
		ck_assert_ptr_null(pull((uint32_t)k, 51, NULL, &too_long));
		ck_assert_ptr_null(too_long);
	}
	ck_assert_ptr_null(pull(20, 51, NULL, &too_long));
	ck_assert_uint_eq(too_long->f_port, 1);
	ck_assert_ptr_eq(q.first, too_long); /* until somebody has said so */
	ck_assert_int_eq(queue_remove(&q, &sink, 1, too_long), 0);
	item_free(too_long);
	ck_assert_uint_eq(pull(20, 51, NULL, NULL)->f_port, 2);
	push(3, 3, 6, false, 242);
	struct item *i, *never;
	bool more;
	struct pull p = { .device = 1, .session_key_id = { { 9 } }, .f_cnt = 21, .room = 51, .room_max = 100 };
	queue_offer(&q, &sink, 1, 1, &now);
	ck_assert_int_eq(queue_pull(&q, &sink, &p, 1, &now, &i, &never, &more), 0);
	ck_assert_uint_eq(never->f_port, 3);
}
END_TEST

START_TEST(what_is_out_when_the_queue_is_cleared_does_not_come_back)
{
	bool gone;
	push(1, 1, 0, false, 1);
	push(2, 2, 0, false, 1);
	struct item *i = pull(1, 50, NULL, NULL);
	ck_assert_int_eq(queue_clear(&q, &sink, 1), 0);
	ck_assert_uint_eq(q.n, 1);
	ck_assert_uint_eq(queue_waiting(&q), 0);
	ck_assert_int_eq(outcome(i, OUTCOME_RETURNED, &gone), NEWS_NONE);
	ck_assert(gone);
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

START_TEST(everything_is_there_again_after_a_restart)
{
	push(1, 1, 0, true, 3);
	push(2, 2, 4, false, 2);
	struct item *out = pull(5, 50, NULL, NULL);
	struct ulid id = out->id;
	crash();
	ck_assert_uint_eq(q.n, 2);
	ck_assert_uint_eq(q.first->f_port, 2);
	ck_assert_int_eq(q.first->state, ITEM_FLYING);
	ck_assert_uint_eq(q.first->f_cnt, 5);
	ck_assert(ulid_eq(&q.first->id, &id));
	ck_assert_uint_eq(q.first->next->f_port, 1);
	ck_assert(q.first->next->confirmed);
	ck_assert_str_eq(item_own_cids(q.first->next), "mine");
	for (size_t cut = 0; cut < kept[0].n; cut++)
		ck_assert_int_eq(queue_load(&q, 9, (struct slice){ kept[0].bytes, cut }), -EPROTO);
}
END_TEST

/** Push an item with values, as a formatter has encoded them. */
static const struct item *push_decoded(uint64_t seq, const char *decoded, const char *warnings)
{
	struct tts_item wish = { .f_port = 1, .payload_n = 3, .decoded_payload = decoded, .decoded_warnings = warnings };
	const struct item *i = NULL;
	memcpy(wish.own_cids, "mine", 5);
	wish.own_cids_n = 5;
	wish.has_class_b_c = true;
	snprintf(wish.class_b_c, sizeof wish.class_b_c, "{\"absolute_time\":\"1970-01-01T00:00:09Z\"}");
	ck_assert_int_eq(queue_push(&q, &sink, 1, seq, &wish, ulid_make(now.unix_us, &rng), &now, &i), 0);
	return i;
}

START_TEST(values_of_an_item_are_kept_with_it)
{
	const struct item *i = push_decoded(1, "{\"led\":\"on\"}", "[\"dim\"]");
	ck_assert_str_eq(item_show(i, true).decoded_payload, "{\"led\":\"on\"}");
	queue_done(&q);
	ck_assert_int_eq(queue_load(&q, 1, (struct slice){ kept[0].bytes, kept[0].n }), 0);
	ck_assert_str_eq(item_own_cids(q.first), "mine");
	ck_assert_str_eq(item_class_b_c(q.first), "{\"absolute_time\":\"1970-01-01T00:00:09Z\"}");
	ck_assert_str_eq(item_decoded(q.first), "{\"led\":\"on\"}");
	ck_assert_str_eq(item_show(q.first, false).decoded_warnings, "[\"dim\"]");
	/* Cut anywhere, or a text that is not ended, it is damaged. */
	for (size_t cut = 0; cut < kept[0].n; cut++)
		ck_assert_int_eq(queue_load(&q, 9, (struct slice){ kept[0].bytes, cut }), -EPROTO);
	kept[0].bytes[kept[0].n - 1] = 'x';
	ck_assert_int_eq(queue_load(&q, 9, (struct slice){ kept[0].bytes, kept[0].n }), -EPROTO);
}
END_TEST

START_TEST(items_of_older_stores_have_no_values_and_stay_readable)
{
	/* As the version before wrote it: no lengths of values. */
	uint8_t record[512];
	push(1, 5, 2, true, 4);
	ck_assert_uint_eq(kept[0].bytes[0], 1);
	memcpy(record, kept[0].bytes, kept[0].n);
	size_t n = kept[0].n;
	queue_done(&q);
	ck_assert_int_eq(queue_load(&q, 1, (struct slice){ record, n }), 0);
	ck_assert_ptr_null(item_decoded(q.first));
	ck_assert_ptr_null(item_warnings(q.first));
	ck_assert_str_eq(item_own_cids(q.first), "mine");
	record[0] = 3;
	ck_assert_int_eq(queue_load(&q, 2, (struct slice){ record, n }), -EPROTO);
}
END_TEST

START_TEST(values_that_are_too_long_are_not_kept_and_cost_nothing_else)
{
	static const struct queue_sink nowhere = { put_nothing, del_nothing, NULL };
	static char longest[QUEUE_DECODED_MAX + 1], longer[QUEUE_DECODED_MAX + 2], words[QUEUE_WARNINGS_MAX + 2];
	struct tts_item wish = { .f_port = 1, .payload_n = 3, .decoded_payload = longest, .decoded_warnings = words };
	const struct item *i;
	memset(longest, ' ', QUEUE_DECODED_MAX);
	memset(longer, ' ', QUEUE_DECODED_MAX + 1);
	memset(words, ' ', QUEUE_WARNINGS_MAX + 1);
	ck_assert_int_eq(queue_push(&q, &nowhere, 1, 1, &wish, ulid_make(now.unix_us, &rng), &now, &i), 0);
	ck_assert_str_eq(item_decoded(i), longest);
	ck_assert_ptr_null(item_warnings(i));
	wish.decoded_payload = longer;
	ck_assert_int_eq(queue_push(&q, &nowhere, 1, 2, &wish, ulid_make(now.unix_us, &rng), &now, &i), 0);
	ck_assert_ptr_null(item_decoded(i));
	ck_assert_uint_eq(i->payload_n, 3);
}
END_TEST

START_TEST(the_queue_is_full_at_its_limit)
{
	struct tts_item wish = { .f_port = 1 };
	const struct item *i;
	struct queue_sink none = { put, del, NULL };
	q.n = QUEUE_MAX;
	ck_assert_int_eq(queue_push(&q, &none, 1, 1, &wish, (struct ulid){ { 1 } }, &now, &i), QUEUE_E_FULL);
	q.n = 0;
}
END_TEST

START_TEST(an_item_whose_time_has_passed_while_it_waited_is_found)
{
	/* The clock of the test stands at 2 ms after the beginning of 1970. */
	static const char *const times[] = { NULL, "1970-01-01T00:00:09Z", "1970-01-01T00:00:05.5Z" };
	for (uint64_t i = 0; i < COUNT(times); i++) {
		struct tts_item wish = { .f_port = 1 };
		const struct item *it;
		if (times[i]) {
			wish.has_class_b_c = true;
			snprintf(wish.class_b_c, sizeof wish.class_b_c, "{\"absolute_time\":\"%s\"}", times[i]);
		}
		ck_assert_int_eq(queue_push(&q, &sink, 1, i + 1, &wish, (struct ulid){ { (uint8_t)(i + 1) } }, &now, &it), 0);
	}
	ck_assert_uint_eq(queue_first_time(&q), 5500000);
	ck_assert_ptr_null(queue_outdated(&q, 5499999));
	struct item *late = queue_outdated(&q, 5500000);
	ck_assert_uint_eq(late->seq, 3);
	late->state = ITEM_FLYING; /* what is out is not taken back */
	ck_assert_ptr_null(queue_outdated(&q, 8999999));
	ck_assert_uint_eq(queue_first_time(&q), 9000000);
	late->state = ITEM_WAITING;
	ck_assert_int_eq(queue_remove(&q, &sink, 1, late), 0);
	item_free(late);
	ck_assert_uint_eq(queue_outdated(&q, 9000000)->seq, 2);
	queue_done(&q);
	/* It is known again after a restart. */
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(queue_load(&q, kept[i].seq, (struct slice){ kept[i].bytes, kept[i].n }), 0);
	ck_assert_uint_eq(queue_first_time(&q), 9000000);
}
END_TEST

START_TEST(a_lease_ends_after_thirty_seconds)
{
	push(1, 1, 0, false, 1);
	struct item *i = pull(1, 50, NULL, NULL);
	ck_assert_uint_eq(queue_deadline(&q), now.mono_us + QUEUE_LEASE_US);
	ck_assert_ptr_null(queue_expired(&q, now.mono_us + QUEUE_LEASE_US - 1));
	ck_assert_ptr_eq(queue_expired(&q, now.mono_us + QUEUE_LEASE_US), i);
}
END_TEST

/** What the sink refuses has not happened: neither here nor, when it is asked again, twice. */
START_TEST(a_failing_store_changes_nothing)
{
	struct item *i, *too_long;
	bool more, gone;
	struct pull p = {.device = 1, .session_key_id = {{9}}, .f_cnt = 7, .room = 50, .room_max = 242};
	push(1, 1, 0, true, 1);
	queue_offer(&q, &sink, 1, 1, &now);
	good_calls = 0;
	ck_assert_int_eq(queue_pull(&q, &sink, &p, 1, &now, &i, &too_long, &more), -ENOMEM);
	ck_assert_int_eq(q.first->state, ITEM_WAITING);
	ck_assert_uint_eq(queue_waiting(&q), 1);
	i = pull(7, 50, NULL, NULL);
	ck_assert_ptr_nonnull(i);
	static const uint32_t outcomes[] = {OUTCOME_SENT, OUTCOME_NACK};
	for (size_t k = 0; k < COUNT(outcomes); k++) {
		struct up_outcome o = {
			.item = i->id, .outcome = outcomes[k], .f_cnt = 7, .session_key_id = {{9}}};
		struct item *got;
		good_calls = 0;
		ck_assert_int_eq(queue_outcome(&q, &sink, 1, &o, NULL, &got, &gone), -ENOMEM);
		ck_assert(!gone);
		ck_assert_ptr_null(got);
		ck_assert_ptr_eq(q.first, i);
		ck_assert_int_eq(queue_outcome(&q, &sink, 1, &o, NULL, &got, &gone), 0);
		ck_assert_ptr_eq(got, i);
	}
	ck_assert_uint_eq(i->attempt, 2);
	pull(8, 50, NULL, NULL);
	struct up_outcome ack = {.item = i->id, .outcome = OUTCOME_ACK, .f_cnt = 8, .session_key_id = {{9}}};
	struct item *got;
	good_calls = 0;
	ck_assert_int_eq(queue_outcome(&q, &sink, 1, &ack, NULL, &got, &gone), -ENOMEM);
	ck_assert_uint_eq(q.n, 1);
	ck_assert_int_eq(outcome(i, OUTCOME_ACK, &gone), NEWS_ACK);
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

static int say_nothing(void *ctx, const struct item *i, enum queue_news news)
{
	(void)ctx, (void)i, (void)news;
	return -ENOSPC;
}

/** An application that cannot be told now is told when the outcome is reported again. */
START_TEST(what_cannot_be_told_has_not_happened)
{
	static const struct {
		uint32_t outcome;
		enum queue_news news;
		bool gone;
	} rows[] = {{OUTCOME_SENT, NEWS_SENT, false}, {OUTCOME_NACK, NEWS_NACK, false}, {OUTCOME_ACK, NEWS_ACK, true},
		{OUTCOME_FAILED, NEWS_FAILED, true}};
	for (size_t k = 0; k < COUNT(rows); k++) {
		struct item *got;
		bool gone;
		push(k + 1, 1, 0, true, 1);
		struct item *i = pull((uint32_t)k + 1, 50, NULL, NULL);
		struct up_outcome o = {.item = i->id, .outcome = rows[k].outcome, .f_cnt = i->f_cnt, .session_key_id = {{9}}};
		ck_assert_int_eq(queue_outcome(&q, &sink, 1, &o, &(struct queue_teller){say_nothing, NULL}, &got, &gone), -ENOSPC);
		ck_assert(!gone && !got && q.first == i && q.n == 1);
		ck_assert_int_eq(i->state, ITEM_FLYING);
		ck_assert_uint_eq(i->attempt, 1);
		ck_assert_int_eq(outcome(i, rows[k].outcome, &gone), rows[k].news);
		ck_assert_int_eq(gone, rows[k].gone);
		if (!gone) {
			ck_assert_int_eq(queue_remove(&q, &sink, 1, i), 0);
			item_free(i);
		}
	}
}
END_TEST

START_TEST(a_damaged_record_is_refused_before_it_can_overrun_anything)
{
	static const struct {
		size_t at;
		uint8_t bad;
	} rows[] = {
		{0, 3},
		{1, 3},
		{3, 0},
		{3, 234},
		{4, 7},
		{52, 243},
		{52, 255},
		{53, 255},
		{55, 255},
	};
	uint8_t record[1024] = {0};
	push(1, 1, 0, true, 242);
	size_t n = kept[0].n;
	for (size_t k = 0; k < COUNT(rows); k++) {
		memcpy(record, kept[0].bytes, n);
		record[rows[k].at] = rows[k].bad;
		/* There is more behind it, so that a wrong length is not found by the record's end. */
		ck_assert_int_eq(queue_load(&q, 9, (struct slice){record, sizeof record}), -EPROTO);
	}
	ck_assert_uint_eq(q.n, 1);
}
END_TEST

START_TEST(an_item_that_awaits_another_sessions_acknowledgement_is_found)
{
	bool gone;
	push(1, 1, 0, true, 1);
	push(2, 2, 0, false, 1);
	struct item *i = pull(1, 50, NULL, NULL);
	ck_assert_ptr_null(queue_stranded(&q, &(struct ulid){{8}}));
	outcome(i, OUTCOME_SENT, &gone);
	ck_assert_ptr_null(queue_stranded(&q, &(struct ulid){{9}}));
	ck_assert_ptr_eq(queue_stranded(&q, &(struct ulid){{8}}), i);
	ck_assert_int_eq(outcome(i, OUTCOME_NACK, &gone), NEWS_NACK);
	ck_assert_ptr_null(queue_stranded(&q, &(struct ulid){{8}}));
}
END_TEST

START_TEST(a_full_queue_keeps_its_order_through_all_that_is_taken_out)
{
	static const struct queue_sink nowhere = {put_nothing, del_nothing, NULL};
	struct tts_item wish = {.f_port = 1};
	struct pull p = {.device = 1, .session_key_id = {{9}}, .room = 50, .room_max = 242};
	const struct item *pushed;
	struct item *i, *too_long;
	bool more, gone;
	for (uint64_t seq = 1; seq <= QUEUE_MAX; seq++) {
		wish.priority = (uint8_t)(rng_u64(&rng) % QUEUE_PRIORITIES);
		ck_assert_int_eq(
			queue_push(&q, &nowhere, 1, seq, &wish, ulid_make(now.unix_us, &rng), &now, &pushed),
			0);
		if (seq % 3)
			continue;
		struct up_outcome o = {.outcome = OUTCOME_SENT};
		p.f_cnt++;
		queue_offer(&q, &nowhere, 1, 1, &now);
		ck_assert_int_eq(queue_pull(&q, &nowhere, &p, 1, &now, &i, &too_long, &more), 0);
		o.item = i->id;
		ck_assert_int_eq(queue_outcome(&q, &nowhere, 1, &o, NULL, &i, &gone), 0);
		item_free(i);
	}
	size_t n = 0;
	for (const struct item *at = q.first; at; at = at->next, n++) {
		ck_assert(!at->prev || at->prev->priority > at->priority ||
			  (at->prev->priority == at->priority && at->prev->seq < at->seq));
		ck_assert(!at->next || at->next->prev == at);
		ck_assert_int_eq(q.last[at->priority] == at, !at->next || at->next->priority != at->priority);
	}
	ck_assert_uint_eq(n, q.n);
	ck_assert_int_eq(queue_clear(&q, &nowhere, 1), 0);
	ck_assert_ptr_null(q.first);
	for (size_t k = 0; k < QUEUE_PRIORITIES; k++)
		ck_assert_ptr_null(q.last[k]);
}
END_TEST

START_TEST(nothing_is_handed_out_before_its_offer_is_on_disk)
{
	bool more;
	push(1, 1, 0, false, 1);
	ck_assert_ptr_null(pull_offered(1, 50, 9, &more, NULL));
	ck_assert(more);
	ck_assert_int_eq(queue_offer(&q, &sink, 1, 10, &now), 1);
	ck_assert_int_eq(queue_offer(&q, &sink, 1, 11, &now), 0);
	ck_assert_ptr_null(pull_offered(2, 50, 9, &more, NULL));
	struct item *i = pull_offered(3, 50, 10, &more, NULL);
	ck_assert_ptr_nonnull(i);
	ck_assert_int_eq(queue_offer(&q, &sink, 1, 12, &now), 0);
}
END_TEST

START_TEST(what_was_offered_before_a_crash_is_doubtful_until_it_is_pulled_or_withdrawn)
{
	push(1, 1, 5, false, 1);
	push(2, 2, 0, false, 1);
	crash();
	ck_assert_ptr_null(queue_doubtful(&q));
	queue_offer(&q, &sink, 1, 7, &now);
	ck_assert_ptr_null(queue_doubtful(&q)); /* this process would know of a pull */
	crash();
	ck_assert_ptr_eq(queue_doubtful(&q), q.first);
	ck_assert_uint_eq(queue_waiting(&q), 2);
	ck_assert_ptr_eq(pull_offered(3, 50, 1, NULL, NULL), q.first);
	ck_assert_int_eq(q.first->state, ITEM_FLYING);
	crash();
	ck_assert_ptr_eq(queue_doubtful(&q), q.first);
	bool gone;
	outcome(q.first, OUTCOME_RETURNED, &gone);
	ck_assert_ptr_null(queue_doubtful(&q));
	queue_offer(&q, &sink, 1, 8, &now);
	crash();
	q.first->flying_us = now.mono_us;
	ck_assert_ptr_eq(queue_expired(&q, now.mono_us + QUEUE_LEASE_US), q.first);
	ck_assert_int_eq(queue_withdraw(&sink, 1, q.first), 0);
	ck_assert_ptr_null(queue_doubtful(&q));
	crash();
	ck_assert_ptr_null(queue_doubtful(&q));
}
END_TEST

START_TEST(a_pull_that_stayed_on_the_way_gives_back_what_is_out_for_its_counter)
{
	push(1, 1, 0, false, 1);
	struct item *i = pull(7, 50, NULL, NULL), *got;
	struct up_outcome o = { .outcome = OUTCOME_RETURNED, .f_cnt = 8, .session_key_id = { { 9 } } };
	bool gone;
	enum queue_news news = NEWS_NONE;
	struct queue_teller teller = { hear, &news };
	ck_assert_int_eq(queue_outcome(&q, &sink, 1, &o, &teller, &got, &gone), 0);
	ck_assert_ptr_null(got);
	o.f_cnt = 7;
	ck_assert_int_eq(queue_outcome(&q, &sink, 1, &o, &teller, &got, &gone), 0);
	ck_assert_ptr_eq(got, i);
	ck_assert(i->state == ITEM_WAITING && news == NEWS_NONE && !gone);
}
END_TEST

START_TEST(a_confirmed_item_that_may_have_been_sent_waits_for_the_next_uplink_without_a_lease)
{
	bool gone;
	push(1, 1, 0, true, 1);
	struct item *i = pull(7, 50, NULL, NULL);
	ck_assert_int_eq(outcome(i, OUTCOME_AWAITED, &gone), NEWS_NONE);
	ck_assert_uint_eq(queue_deadline(&q), UINT64_MAX);
	ck_assert_ptr_null(queue_doubtful(&q));
	ck_assert_int_eq(outcome(i, OUTCOME_ACK, &gone), NEWS_ACK);
	ck_assert(gone);
}
END_TEST

START_TEST(the_oldest_is_found_whatever_its_priority)
{
	static const uint8_t priorities[] = { 3, 0, 3, 6, 0, 6 };
	ck_assert_uint_eq(queue_oldest_unix_us(&q), UINT64_MAX);
	for (size_t i = 0; i < COUNT(priorities); i++) {
		now.unix_us = 1000000 + i * 1000;
		push(i + 1, (uint8_t)(i + 1), priorities[i], false, 1);
		ck_assert_uint_eq(queue_oldest_unix_us(&q), 1000000);
	}
	/* The one of priority 3 that came first is the third in line. */
	struct item *oldest = q.first->next->next;
	ck_assert_uint_eq(oldest->seq, 1);
	ck_assert_int_eq(queue_remove(&q, &sink, 1, oldest), 0);
	item_free(oldest);
	ck_assert_uint_eq(queue_oldest_unix_us(&q), 1001000);
	now.unix_us = 2000;
}
END_TEST

START_TEST(only_queues_that_hold_anything_stand_in_the_list)
{
	struct queue_list list = LIST_HEAD_INITIALIZER(list);
	bool gone;
	q.list = &list;
	ck_assert(LIST_EMPTY(&list));
	push(1, 1, 0, false, 1);
	push(2, 2, 0, false, 1);
	ck_assert_ptr_eq(LIST_FIRST(&list), &q);
	outcome(pull(1, 50, NULL, NULL), OUTCOME_SENT, &gone);
	ck_assert_ptr_eq(LIST_FIRST(&list), &q);
	outcome(pull(2, 50, NULL, NULL), OUTCOME_SENT, &gone);
	ck_assert(LIST_EMPTY(&list));
	push(3, 3, 0, false, 1);
	crash(); /* forgets, and loads: it stands there again, once */
	ck_assert_ptr_eq(LIST_FIRST(&list), &q);
	ck_assert_ptr_null(LIST_NEXT(&q, in_list));
	ck_assert_int_eq(queue_clear(&q, &sink, 1), 0);
	ck_assert(LIST_EMPTY(&list));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("life of an item");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, priority_comes_first_then_age);
	tcase_add_test(t, the_same_question_gets_the_same_answer_and_nothing_overtakes_it);
	tcase_add_test(t, an_unsent_item_comes_back_to_its_place);
	tcase_add_test(t, a_confirmed_item_is_tried_until_its_attempts_are_used_up);
	tcase_add_test(t, an_acknowledged_item_is_gone);
	tcase_add_test(t, too_long_for_any_window_fails_at_once_and_for_this_one_after_eight);
	tcase_add_test(t, what_is_out_when_the_queue_is_cleared_does_not_come_back);
	tcase_add_test(t, everything_is_there_again_after_a_restart);
	tcase_add_test(t, the_queue_is_full_at_its_limit);
	tcase_add_test(t, values_of_an_item_are_kept_with_it);
	tcase_add_test(t, items_of_older_stores_have_no_values_and_stay_readable);
	tcase_add_test(t, values_that_are_too_long_are_not_kept_and_cost_nothing_else);
	tcase_add_test(t, a_failing_store_changes_nothing);
	tcase_add_test(t, what_cannot_be_told_has_not_happened);
	tcase_add_test(t, a_damaged_record_is_refused_before_it_can_overrun_anything);
	tcase_add_test(t, an_item_that_awaits_another_sessions_acknowledgement_is_found);
	tcase_add_test(t, a_full_queue_keeps_its_order_through_all_that_is_taken_out);
	tcase_add_test(t, an_item_whose_time_has_passed_while_it_waited_is_found);
	tcase_add_test(t, a_lease_ends_after_thirty_seconds);
	tcase_add_test(t, nothing_is_handed_out_before_its_offer_is_on_disk);
	tcase_add_test(t, what_was_offered_before_a_crash_is_doubtful_until_it_is_pulled_or_withdrawn);
	tcase_add_test(t, a_pull_that_stayed_on_the_way_gives_back_what_is_out_for_its_counter);
	tcase_add_test(t, a_confirmed_item_that_may_have_been_sent_waits_for_the_next_uplink_without_a_lease);
	tcase_add_test(t, the_oldest_is_found_whatever_its_priority);
	tcase_add_test(t, only_queues_that_hold_anything_stand_in_the_list);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** @file Looking for events in chunks: three visits for a story, one for a list, and then telling. */
#include "as/core/trace/search.h"
#include <stdlib.h>

enum { TOLD_AT_ONCE = 64 };

/** Where an event is. */
struct place {
	uint64_t number; /**< of the chunk */
	size_t at;       /**< in its records */
};

struct row {
	uint64_t time_us;
	struct place place;
};

/** Visits have the numbers of the story's. */
enum phase { SEEDING = STORY_SEED, FOLLOWING = STORY_FOLLOW, COLLECTING = STORY_COLLECT, TELLING, CATCHING_UP, DONE };

struct search {
	struct shelf shelf;
	struct search_ask ask;
	struct story story;
	enum phase phase;
	uint32_t prints[STORY_IDS]; /**< of a story: what this visit is about */
	size_t n_prints;
	struct place end;  /**< what was there when it began ends here; then: what was told */
	uint64_t next;     /**< the chunk that is looked at next, if it is not past the first */
	uint64_t first;
	bool is_seen;      /**< the asker may see some of the story */
	struct row *rows;
	size_t n, told;
	uint64_t damaged;
};

static size_t open_end(const struct search *s, uint64_t number)
{
	struct slice records;
	return s->shelf.records(s->shelf.ctx, number, &records) ? 0 : records.n;
}

/** Begin a visit with the newest chunk; a visit that can find nothing is over at once. */
static void visit(struct search *s, enum phase phase)
{
	uint64_t open;
	s->phase = phase;
	s->shelf.range(s->shelf.ctx, &s->first, &open);
	s->next = s->end.number;
	if (s->ask.correlation_id) {
		s->n_prints = story_prints(&s->story, (enum story_visit)phase, s->prints);
		if (!s->n_prints)
			s->next = s->first - 1;
	}
}

struct search *search_new(const struct shelf *shelf, const struct search_ask *ask)
{
	struct search *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->shelf = *shelf;
	s->ask = *ask;
	s->rows = calloc(ask->max, sizeof *s->rows);
	if (!s->rows) {
		free(s);
		return NULL;
	}
	shelf->range(shelf->ctx, &s->first, &s->end.number);
	s->end.at = open_end(s, s->end.number);
	if (ask->correlation_id)
		story_ask(&s->story, ask->correlation_id);
	visit(s, ask->correlation_id ? SEEDING : COLLECTING);
	return s;
}

void search_free(struct search *s)
{
	if (!s)
		return;
	free(s->rows);
	free(s);
}

uint64_t search_damaged(const struct search *s)
{
	return s->damaged;
}

/* ---- visits ---- */

static bool may_be_in(struct search *s, uint64_t number)
{
	struct chunk_index i;
	uint64_t first, open;
	s->shelf.range(s->shelf.ctx, &first, &open);
	if (number == open)
		return true;
	int r = s->shelf.index(s->shelf.ctx, number, &i);
	s->damaged += r == -EBADMSG;
	if (r)
		return false;
	return s->ask.correlation_id ? chunk_may_have_any(&i, s->prints, s->n_prints) : s->ask.may_be_in(s->ask.ctx, &i);
}

/** What only a gateway says of a message belongs to whom the message belongs. */
static bool is_part(const struct search *s, const struct trace_event *e)
{
	bool is_story = s->ask.correlation_id;
	if (s->ask.sees(s->ask.ctx, e))
		return !is_story || story_has(&s->story, e);
	return is_story && s->is_seen && s->ask.sees_of_message(s->ask.ctx, e) && story_has_message(&s->story, e);
}

/** The newest of a chunk come to stand behind what newer chunks had, as far as there is room. */
struct found {
	size_t from, n;
};

static void visit_event(struct search *s, struct found *f, struct place place, const struct trace_event *e)
{
	if (s->phase == SEEDING && s->ask.sees(s->ask.ctx, e))
		story_seed(&s->story, e);
	else if (s->phase == FOLLOWING && s->ask.sees(s->ask.ctx, e))
		s->is_seen |= story_follow(&s->story, e);
	else if (s->phase == COLLECTING && is_part(s, e))
		s->rows[f->from + f->n++ % (s->ask.max - f->from)] = (struct row){ e->time_unix_us, place };
}

static void read_chunk(struct search *s, uint64_t number, struct trace_event *scratch)
{
	struct slice records;
	struct place place = { .number = number };
	struct found f = { .from = s->n };
	int r = s->shelf.records(s->shelf.ctx, number, &records);
	s->damaged += r == -EBADMSG;
	if (r)
		return;
	size_t end = number == s->end.number && s->end.at < records.n ? s->end.at : records.n, at = 0;
	while (at < end) {
		place.at = at;
		if (!chunk_next(records, &at, scratch))
			visit_event(s, &f, place, scratch);
		else
			s->damaged++;
	}
	size_t room = s->ask.max - s->n;
	s->n += f.n < room ? f.n : room;
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	if (x->place.number != y->place.number)
		return x->place.number < y->place.number ? -1 : 1;
	return x->place.at < y->place.at ? -1 : x->place.at > y->place.at;
}

static void visit_step(struct search *s, struct trace_event *scratch)
{
	bool is_over = s->next < s->first || s->n == s->ask.max;
	if (!is_over) {
		uint64_t number = s->next--;
		if (may_be_in(s, number))
			read_chunk(s, number, scratch);
	} else if (s->phase < COLLECTING) {
		visit(s, s->phase == SEEDING ? FOLLOWING : COLLECTING);
	} else {
		qsort(s->rows, s->n, sizeof *s->rows, by_time);
		s->phase = TELLING;
	}
}

/* ---- telling ---- */

static void tell_step(struct search *s, struct trace_event *scratch)
{
	struct slice records = { NULL, 0 };
	for (size_t i = 0; s->told < s->n && i < TOLD_AT_ONCE; i++) {
		struct place place = s->rows[s->told].place;
		bool is_other = !records.p || place.number != s->rows[s->told - 1].place.number;
		s->told++;
		if (is_other && s->shelf.records(s->shelf.ctx, place.number, &records))
			records = (struct slice){ NULL, 0 };
		if (!chunk_next(records, &place.at, scratch))
			s->ask.tell(s->ask.ctx, scratch);
	}
	if (s->told == s->n)
		s->phase = s->ask.goes_on ? CATCHING_UP : DONE;
}

/** One chunk, or what there is of it. */
static void catch_up_step(struct search *s, struct trace_event *scratch)
{
	struct slice records;
	uint64_t first, open;
	s->shelf.range(s->shelf.ctx, &first, &open);
	if (!s->shelf.records(s->shelf.ctx, s->end.number, &records))
		while (s->end.at < records.n)
			if (!chunk_next(records, &s->end.at, scratch) && s->ask.sees(s->ask.ctx, scratch))
				s->ask.tell(s->ask.ctx, scratch);
	if (s->end.number == open)
		s->phase = DONE;
	else
		s->end = (struct place){ .number = s->end.number + 1 };
}

bool search_step(struct search *s, struct trace_event *scratch)
{
	if (s->phase <= COLLECTING)
		visit_step(s, scratch);
	else if (s->phase == TELLING)
		tell_step(s, scratch);
	else if (s->phase == CATCHING_UP)
		catch_up_step(s, scratch);
	return s->phase != DONE;
}

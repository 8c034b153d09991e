/** @file Chunks of the trace and their indexes, as a damaged disk may give them: read to the end, within their bounds, and never
 * for ever. The first octet says what it is, whether it has the right check (most input would get no further), and whether it is
 * what stands in an LZ4 block. */
#include "as/core/trace/chunk.h"
#include "common/core/seal.h"
#include "as/core/trace/story.h"
#include <stdlib.h>
#include <string.h>

enum { IS_INDEX = 1, IS_SEALED = 2, IS_RECORDS = 4 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void read_records(struct slice records)
{
	static struct trace_event e;
	static struct story story;
	uint32_t prints[PRINTS_OF_EVENT];
	int r;
	story_ask(&story, "x");
	for (size_t at = 0, before = 0; (r = chunk_next(records, &at, &e)) != -ENOENT; before = at) {
		require(at > before && at <= records.n);
		if (r)
			continue;
		require(prints_of(&e, "", prints) <= PRINTS_OF_EVENT);
		story_seed(&story, &e);
		story_follow(&story, &e);
		require(story.n <= STORY_IDS);
	}
}

static void read_index(struct slice value)
{
	struct chunk_index i;
	static const uint32_t any[] = { 1, 0x40000000, 0x40000001, 0xF0000000 };
	if (chunk_index_read(value, &i))
		return;
	require(i.prints.n % 4 == 0 && i.prints.n <= value.n);
	if (chunk_may_have_any(&i, any, COUNT(any)))
		require(i.prints.n > 0);
	(void)chunk_may_have(&i, 0x40000001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[CHUNK_MAX];
	struct slice records;
	if (n < 1 || n > CHUNK_MAX)
		return 0;
	uint8_t *copy = malloc(n); /* so that a read beyond it is seen */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, n - 1);
	struct slice value = { copy, n - 1 };
	if (data[0] & IS_SEALED)
		seal_close(copy, value.n);
	if (data[0] & IS_INDEX)
		read_index(value);
	else if (data[0] & IS_RECORDS)
		read_records((struct slice){ copy, n - 1 });
	else if (!chunk_open(value, room, &records))
		read_records(records);
	free(copy);
	return 0;
}

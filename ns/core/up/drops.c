/** @file Reasons why a frame goes no further. */
#include "ns/core/up/drops.h"
#include "ns/core/state.h"

static const struct {
	const char *word;
	size_t counter; /**< offset in ns_counters */
} rows[DROP_N] = {
	[DROP_NONE] = { "", 0 },
#define DROP(symbol, w, meaning) [DROP_##symbol] = { w, offsetof(struct ns_counters, drop_##symbol) },
#include "ns/core/up/drops.def"
#undef DROP
};

const char *drop_word(enum drop d)
{
	return d < DROP_N ? rows[d].word : "";
}

void drop_count(struct ns *ns, enum drop d)
{
	if (d > DROP_NONE && d < DROP_N)
		++*(uint64_t *)(void *)((char *)&ns->counters + rows[d].counter);
}

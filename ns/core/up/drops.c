/** @file Reasons why a frame goes no further. */
#include "ns/core/up/drops.h"
#include "ns/core/state.h"

static const char *const words[DROP_N] = {
	[DROP_NONE] = "",
#define DROP(symbol, word, meaning) [DROP_##symbol] = word,
#include "ns/core/up/drops.def"
#undef DROP
};

const char *drop_word(enum drop d)
{
	return d < DROP_N ? words[d] : "";
}

void drop_count(struct ns *ns, enum drop d)
{
	if (d > DROP_NONE && d < DROP_N)
		ns->counters.drops[d]++;
}

/** @file The table of kinds of messages. */
#include "as/core/integration/kinds.h"

const struct message_kind_info message_kinds[KIND_N] = {
#define KIND(symbol, member, suffix, meaning) { member, suffix, meaning },
#include "as/core/integration/kinds.def"
#undef KIND
};

enum message_kind message_kind_of(struct str suffix)
{
	enum message_kind k = 0;
	while (k < KIND_N && !str_is(suffix, message_kinds[k].suffix))
		k++;
	return k;
}

/** @file The kinds of messages that an application is sent, of which each integration takes those that it has a place for. */
#pragma once
#include "common/core/text.h"

enum message_kind {
#define KIND(symbol, member, suffix, meaning) KIND_##symbol,
#include "as/core/integration/kinds.def"
#undef KIND
	KIND_N
};
#define KIND_BIT(k) (UINT32_C(1) << (k))

struct message_kind_info {
	const char *member, *suffix, *meaning;
};
extern const struct message_kind_info message_kinds[KIND_N];

/** The kind of a topic's end, "down/queued". KIND_N: none that integrations are sent. */
enum message_kind message_kind_of(struct str suffix);

/** @file A stranger's pattern and a name: it ends, and finds the same whether it stands in a group, twice, or as one of two. */
#include "as/core/event_names.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool same(const char *format, struct str inner, struct str name, bool expected)
{
	char text[300];
	struct event_names e = { .n_steps = 0 };
	const char *why;
	struct text t = text_fixed(text, sizeof text);
	for (const char *c = format; *c; c++)
		if (*c == '@')
			text_put(&t, inner);
		else
			text_putc(&t, *c);
	return event_names_add(&e, text_str(&t), &why) || event_names_find(&e, name) == expected;
}

/** The first line is the pattern, what follows the name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str pattern, name = str_cut((struct str){ (const char *)data, n }, '\n', &pattern);
	struct event_names e = { .n_steps = 0 };
	const char *why = NULL;
	if (event_names_add(&e, pattern, &why)) {
		if (!why || !*why)
			abort();
		return 0;
	}
	bool found = event_names_find(&e, name);
	if (pattern.p[0] != '/') {
		if (found != str_eq(pattern, name))
			abort();
		return 0;
	}
	struct str inner = { pattern.p + 1, pattern.n - 2 };
	static const char *const same_as[] = { "/(@)/", "/(?:@)|(@)/", "/@|@/", "/.*(@)/", "/(@).*/", "/(@)+/" };
	for (size_t i = 0; i < COUNT(same_as); i++)
		if (!same(same_as[i], inner, name, found))
			abort();
	return 0;
}

/** @file The table events.def: look-ups, and the page that is made from it. */
#include "proto/events.h"
#include <string.h>

static const struct event_info events[] = {
#define EVENT(symbol, name, process, outcome, meaning, data) \
	{ name, EVENT_PROCESS_##process, EVENT_OUTCOME_##outcome, meaning, data },
#define EVENT_DATA(name, kind, meaning)
#include "proto/events.def"
#undef EVENT
#undef EVENT_DATA
};

static const struct event_data_info members[] = {
#define EVENT(symbol, name, process, outcome, meaning, data)
#define EVENT_DATA(name, kind, meaning) { #name, kind, meaning },
#include "proto/events.def"
#undef EVENT
#undef EVENT_DATA
};

const struct event_info *events_info(enum event_id e)
{
	return &events[e];
}

int events_find(struct str name, enum event_id *ret)
{
	for (size_t i = 0; i < COUNT(events); i++)
		if (str_is(name, events[i].name)) {
			*ret = (enum event_id)i;
			return 0;
		}
	return -ENOENT;
}

static bool ends_in(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);
	return s.n >= n && !memcmp(s.p + s.n - n, suffix, n);
}

bool events_is_failure(struct str name)
{
	enum event_id e;
	if (!events_find(name, &e))
		return events[e].outcome == EVENT_OUTCOME_FAIL;
	return ends_in(name, ".fail") || ends_in(name, ".drop") || ends_in(name, ".reject");
}

bool events_is_told(enum event_id e, enum event_level level)
{
	return level == EVENT_LEVEL_ALL || (level == EVENT_LEVEL_FAILURES && events[e].outcome != EVENT_OUTCOME_STEP);
}

const struct event_data_info *events_data_info(struct str name)
{
	for (size_t i = 0; i < COUNT(members); i++)
		if (str_is(name, members[i].name))
			return &members[i];
	return NULL;
}

bool events_has_data(enum event_id e, struct str member)
{
	struct str rest = str_of(events[e].data), one;
	if (str_is(rest, "*"))
		return true;
	while (rest.n) {
		rest = str_cut(rest, ' ', &one);
		if (str_eq(one, member))
			return true;
	}
	return false;
}

int events_level_parse(struct str s, enum event_level *ret)
{
	static const char *const words[] = { [EVENT_LEVEL_OFF] = "off", [EVENT_LEVEL_FAILURES] = "failures", [EVENT_LEVEL_ALL] = "all" };
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_is(s, words[i])) {
			*ret = (enum event_level)i;
			return 0;
		}
	return -EINVAL;
}

static void print_members(struct text *t, struct str data)
{
	struct str one;
	if (str_is(data, "*")) {
		text_puts(t, "as it was said");
		return;
	}
	for (size_t n = 0; data.n; n++) {
		data = str_cut(data, ' ', &one);
		text_puts(t, n ? ", `" : "`");
		text_put(t, one);
		text_putc(t, '`');
	}
}

static void print_process(struct text *t, enum event_process p)
{
	static const char *const titles[] = { "The gateway server", "The network server", "The application server" };
	static const char *const outcomes[] = { "", "failure", "state" };
	text_printf(t, "\n## %s\n| event | | meaning | data |\n| --- | --- | --- | --- |\n", titles[p]);
	for (size_t i = 0; i < COUNT(events); i++) {
		if (events[i].process != p)
			continue;
		text_printf(t, "| `%s` | %s | %s | ", events[i].name, outcomes[events[i].outcome], events[i].meaning);
		print_members(t, str_of(events[i].data));
		text_puts(t, " |\n");
	}
}

void events_print_doc(struct text *t)
{
	text_puts(t, "# The events of the trace\n"
		"Made from `proto/events.def`; see `proto/README.md` for how to renew it.\n\n"
		"Events marked `failure` say that a message goes no further, or not this way; those marked `state` what is so from now on. "
		"With `trace.events=failures` only these are told; the others are steps of messages that go well.\n\n"
		"Each has a `time`, the moment at which its process decided, and `identifiers` and `correlation_ids` as far as they are "
		"known. Members of `data` may be missing where they do not apply; those that end in `_us` are microseconds. "
		"Windows: decided at `time`, due at `due`, `lead_us` between them, `margin_us` to spare; on its way to the gateway at "
		"the time of `gs.down.send`; off the air at `due` + `airtime_us`.\n");
	for (int p = EVENT_PROCESS_GS; p <= EVENT_PROCESS_AS; p++)
		print_process(t, (enum event_process)p);
	text_puts(t, "\n## Members of data\n| member | kind | meaning |\n| --- | --- | --- |\n");
	for (size_t i = 0; i < COUNT(members); i++)
		text_printf(t, "| `%s` | %s | %s |\n", members[i].name, members[i].kind, members[i].meaning);
}

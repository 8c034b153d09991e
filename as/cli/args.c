/** @file Sorting the command line's words from its flags. */
#include "as/cli/args.h"
#include <string.h>

static const struct flag flags[] = {
#define FLAG(name, kind, groups, path, doc) { name, path, doc, FLAG_##kind, (groups) },
#define ANY   IN_ANY
#define LIST  IN_LIST
#define NAMED IN_NAMED
#define APP   IN_APP
#define DEV   IN_DEV
#define DOWN  IN_DOWN
#define GTW   IN_GTW
#define KEY   IN_KEY
#define EVENT IN_EVENT
#define HOST  IN_HOST
#define FLEET IN_FLEET
#define APP_KEY IN_KEY_OF_APP
#define GTW_KEY IN_KEY_OF_GTW
#define LINK  IN_LINK
#define UP    IN_UP
#define UP_ROOT IN_UP_ROOT
#define LOGS  IN_LOG
#define LIST_DEV IN_LIST_DEV
#define LIST_GTW IN_LIST_GTW
#define FIND  IN_FIND
#define WHY   IN_WHY
#define TELEMETRY IN_TELEMETRY
#define ATTRIBUTES IN_ATTRIBUTES
#define PUBSUB IN_PUBSUB
#define LOGIN IN_LOGIN
#define CALL  IN_CALL
#define CLAIM IN_CLAIM
#define PROVISION IN_PROVISION
#define PROFILE IN_PROFILE
#define WEBHOOK IN_WEBHOOK
#define TRIAL IN_TRIAL
#include "as/cli/flags.def"
#undef FLAG
};

const struct flag *args_flag(size_t i)
{
	return i < COUNT(flags) ? &flags[i] : NULL;
}

/** Names are the same with dashes and underscores. */
static bool same_name(const char *a, size_t n, const char *b)
{
	if (strlen(b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && !(a[i] == '_' && b[i] == '-'))
			return false;
	return true;
}

static const struct flag *find(const char *name, size_t n)
{
	for (size_t i = 0; i < COUNT(flags); i++)
		if (same_name(name, n, flags[i].name))
			return &flags[i];
	return NULL;
}

bool args_is_right(const struct arg *a)
{
	return !a->flag && a->name_n > 6 && !strncmp(a->name, "right-", 6);
}

int args_right(size_t i, char ret[ARGS_RIGHT])
{
	enum { APPLICATION = IN_KEY_OF_APP, GATEWAY = IN_KEY_OF_GTW, ADMIN = IN_KEY_OF_HOST };
	static const struct {
		const char *name;
		int groups;
	} rights[] = {
#define RIGHT(name, scope) { "right-" #name, scope },
#include "as/core/registry/rights.def"
#undef RIGHT
	};
	if (i >= COUNT(rights) || str_copy(str_of(rights[i].name), ret, ARGS_RIGHT))
		return 0;
	for (char *p = ret; *p; p++)
		*p = *p == '_' ? '-' : *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
	return rights[i].groups;
}

static bool is_known_right(const struct arg *a)
{
	char name[ARGS_RIGHT];
	for (size_t i = 0; args_is_right(a) && args_right(i, name); i++)
		if (same_name(a->name, a->name_n, name))
			return true;
	return false;
}

/** The Things Stack's; those with a point have members of their own. */
static const char *const mac_settings[] = {
	"adr.",
	"adr-margin",
	"beacon-frequency",
	"class-b-c-downlink-interval",
	"class-b-timeout",
	"class-c-timeout",
	"desired-adr-ack-delay-exponent",
	"desired-adr-ack-limit-exponent",
	"desired-beacon-frequency",
	"desired-downlink-frequencies",
	"desired-max-duty-cycle",
	"desired-max-eirp",
	"desired-ping-slot-data-rate-index",
	"desired-ping-slot-frequency",
	"desired-rejoin-count-periodicity",
	"desired-rejoin-time-periodicity",
	"desired-rx1-data-rate-offset",
	"desired-rx1-delay",
	"desired-rx2-data-rate-index",
	"desired-rx2-frequency",
	"downlink-dwell-time",
	"factory-preset-frequencies",
	"max-duty-cycle",
	"ping-slot-data-rate-index",
	"ping-slot-frequency",
	"ping-slot-periodicity",
	"resets-f-cnt",
	"rx1-data-rate-offset",
	"rx1-delay",
	"rx2-data-rate-index",
	"rx2-frequency",
	"schedule-downlinks",
	"status-count-periodicity",
	"status-time-periodicity",
	"supports-32-bit-f-cnt",
	"uplink-dwell-time",
	"use-adr",
};

const char *args_mac_setting(size_t i)
{
	return i < COUNT(mac_settings) ? mac_settings[i] : NULL;
}

bool args_is_mac_setting(const struct arg *a)
{
	enum { PREFIX = sizeof "mac-settings." - 1 };
	if (a->flag || a->name_n <= PREFIX || !same_name(a->name, PREFIX, "mac-settings."))
		return false;
	for (size_t i = 0; i < COUNT(mac_settings); i++) {
		size_t n = strlen(mac_settings[i]);
		bool has_members = mac_settings[i][n - 1] == '.' && a->name_n - PREFIX > n;
		if (same_name(a->name + PREFIX, has_members ? n : a->name_n - PREFIX, mac_settings[i]))
			return true;
	}
	return false;
}

/** Is a flag without `=` a bare truth, so that the next word is not its value? */
static bool stands_alone(const struct arg *a, const char *next)
{
	if (args_is_mac_setting(a))
		return !next || !strncmp(next, "--", 2);
	return args_is_right(a) || a->flag->kind == FLAG_TRUTH;
}

/** Take one `--name`, `--name=value` or `--name value`; *at moves over a value that was the next word. */
static int take_flag(int argc, char *const *argv, int *at, struct args *ret, struct text *err)
{
	const char *name = argv[*at] + 2, *equals = strchr(name, '=');
	size_t n = equals ? (size_t)(equals - name) : strlen(name);
	if (ret->n_flags == ARGS_FLAGS) {
		text_printf(err, "more than %d flags", ARGS_FLAGS);
		return -EINVAL;
	}
	struct arg *a = &ret->flags[ret->n_flags];
	*a = (struct arg){ .flag = find(name, n), .name = name, .name_n = n, .value = equals ? equals + 1 : NULL };
	if (!a->flag && !is_known_right(a) && !args_is_mac_setting(a)) {
		text_printf(err, "unknown flag --%.*s", (int)n, name);
		ret->unknown = (struct str){ name, n };
		return -EINVAL;
	}
	const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
	if (!a->value && stands_alone(a, next))
		a->value = "true";
	else if (!a->value && next && strncmp(next, "--", 2) && ++*at)
		a->value = next;
	if (!a->value) {
		text_printf(err, "--%.*s wants a value", (int)n, name);
		return -EINVAL;
	}
	ret->n_flags++;
	return 0;
}

static void take_help(struct args *ret)
{
	static const char name[] = "help";
	if (ret->n_flags < ARGS_FLAGS)
		ret->flags[ret->n_flags++] = (struct arg){.flag = find(name, sizeof name - 1),
			.name = name,
			.name_n = sizeof name - 1,
			.value = "true"};
}

/** The words that are left, for who is to be told of which command a flag is none. */
static void take_words(int argc, char *const *argv, int from, struct args *ret)
{
	for (int i = from; i < argc && ret->n_words < ARGS_WORDS; i++)
		if (argv[i][0] != '-')
			ret->words[ret->n_words++] = argv[i];
}

int args_parse(int argc, char *const *argv, struct args *ret, struct text *err)
{
	*ret = (struct args){ 0 };
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--", 2) && argv[i][2]) {
			int r = take_flag(argc, argv, &i, ret, err);
			if (r) {
				take_words(argc, argv, i + 1, ret);
				return r;
			}
		} else if (!strcmp(argv[i], "-h")) {
			take_help(ret);
		} else if (argv[i][0] == '-' && argv[i][1]) {
			text_printf(err, "unknown flag %s", argv[i]);
			return -EINVAL;
		} else if (ret->n_words == ARGS_WORDS) {
			text_printf(err, "too many words, from %s on", argv[i]);
			return -EINVAL;
		} else {
			ret->words[ret->n_words++] = argv[i];
		}
	}
	return 0;
}

void args_resolve(struct args *a, int groups)
{
	for (struct arg *g = a->flags; g < a->flags + a->n_flags; g++)
		for (size_t i = 0; g->flag && !(g->flag->groups & groups) && i < COUNT(flags); i++)
			if ((flags[i].groups & groups) && same_name(g->name, g->name_n, flags[i].name))
				g->flag = &flags[i];
}

const char *args_get(const struct args *a, const char *name)
{
	for (size_t i = a->n_flags; i > 0; i--)
		if (same_name(a->flags[i - 1].name, a->flags[i - 1].name_n, name))
			return a->flags[i - 1].value;
	return NULL;
}

bool args_on(const struct args *a, const char *name)
{
	const char *v = args_get(a, name);
	return v && strcmp(v, "false") && strcmp(v, "0") && strcmp(v, "no");
}

/** @file What the commands are, for who asks and for who is wrong. */
#include "as/cli/help.h"
#include "as/cli/hint.h"
#include <stdio.h>
#include <string.h>

/** Other names that The Things Stack's command line has for its words. */
static const struct {
	const char *name, *alias;
} aliases[] = {
	{ "applications", "application" }, { "applications", "apps" }, { "applications", "app" }, { "applications", "a" },
	{ "end-devices", "end-device" }, { "end-devices", "devices" }, { "end-devices", "device" }, { "end-devices", "dev" }, { "end-devices", "ed" },
	{ "end-devices", "d" }, { "gateways", "gateway" }, { "gateways", "gtw" }, { "gateways", "g" }, { "api-keys", "api-key" },
	{ "api-keys", "keys" }, { "api-keys", "key" }, { "downlink", "downlinks" }, { "downlink", "down" }, { "create", "add" },
	{ "create", "register" }, { "list", "ls" }, { "get", "info" }, { "delete", "del" }, { "delete", "remove" }, { "delete", "rm" },
};

static bool is_word(struct str word, const char *said, bool by_alias)
{
	if (str_is(word, said))
		return true;
	for (size_t i = 0; by_alias && i < COUNT(aliases); i++)
		if (!strcmp(aliases[i].alias, said) && str_is(word, aliases[i].name))
			return true;
	return false;
}

/** How many of the command's words the words given begin with; 0 unless all of them. */
static size_t matches(const struct command *cmd, const struct args *a, bool by_alias)
{
	struct str rest = str_of(cmd->words), word;
	size_t n = 0;
	while (rest.n) {
		rest = str_cut(rest, ' ', &word);
		if (n == a->n_words || !is_word(word, a->words[n], by_alias))
			return 0;
		n++;
	}
	return n;
}

const struct command *help_find(const struct args *a, size_t *ret_n)
{
	for (int by_alias = 0; by_alias <= 1; by_alias++)
		for (const struct command *cmd = cli_commands; cmd->words; cmd++) {
			*ret_n = matches(cmd, a, by_alias);
			if (*ret_n)
				return cmd;
		}
	return NULL;
}

const char *help_example(const struct command *cmd)
{
	static const struct {
		const char *words, *rest;
	} examples[] = {
#define EXAMPLE(words, rest) { words, rest },
#include "as/cli/examples.def"
#undef EXAMPLE
	};
	for (size_t i = 0; i < COUNT(examples); i++)
		if (!strcmp(examples[i].words, cmd->words))
			return examples[i].rest;
	return NULL;
}

/** How many of the words given the command begins with. */
static size_t common_words(const struct command *cmd, const struct args *a)
{
	struct str rest = str_of(cmd->words), word;
	size_t n = 0;
	while (rest.n && n < a->n_words) {
		rest = str_cut(rest, ' ', &word);
		if (!is_word(word, a->words[n], true))
			break;
		n++;
	}
	return n;
}

/** The commands that have most of their first words in common with those given. */
static void list_commands(FILE *out, const struct args *a)
{
	size_t most = 0;
	for (const struct command *cmd = cli_commands; cmd->words; cmd++)
		if (common_words(cmd, a) > most)
			most = common_words(cmd, a);
	for (const struct command *cmd = cli_commands; cmd->words; cmd++)
		if (common_words(cmd, a) == most)
			fprintf(out, "  godwit %s%s%s\n      %s\n", cmd->words, cmd->operands[0] ? " " : "", cmd->operands, cmd->about);
}

static void list_flags(FILE *out, int groups, bool common)
{
	const struct flag *f;
	for (size_t i = 0; (f = args_flag(i)); i++)
		if (common ? f->groups == IN_ANY : f->groups != IN_ANY && (f->groups & groups))
			fprintf(out, "  --%-34s %s\n", f->name, f->doc);
}

/** The rights that a key may have, as flags. */
static void list_rights(int groups)
{
	char name[ARGS_RIGHT];
	for (int i = 0, of; (of = args_right((size_t)i, name)); i++)
		if (of & groups)
			printf("  --%s\n", name);
}

static void print_command(const struct command *cmd)
{
	const char *example = help_example(cmd);
	printf("godwit %s%s%s\n  %s\n", cmd->words, cmd->operands[0] ? " " : "", cmd->operands, cmd->about);
	if (example)
		printf("\nExample:\n  godwit %s%s%s\n", cmd->words, *example ? " " : "", example);
	putchar('\n');
	list_flags(stdout, cmd->groups, false);
	list_rights(cmd->groups);
	if (cmd->groups & IN_DEV)
		printf("  --%-34s %s\n", "mac-settings.FIELD", "any of the MAC settings, e.g. --mac-settings.desired-rx1-delay 1");
}

/** Help on words that begin no command is help on nothing. */
static bool begins_some(const struct args *a)
{
	for (const struct command *cmd = cli_commands; cmd->words; cmd++)
		if (common_words(cmd, a) == a->n_words)
			return true;
	return !a->n_words;
}

int help_print(const struct args *asked)
{
	size_t n;
	struct args a = *asked;
	if (a.n_words && !strcmp(a.words[0], "help"))
		memmove(a.words, a.words + 1, --a.n_words * sizeof *a.words);
	const struct command *cmd = help_find(&a, &n);
	if (!cmd && !begins_some(&a))
		return help_usage(&a);
	if (cmd) {
		print_command(cmd);
	} else {
		printf("godwit: a LoRaWAN stack; its command line\n\n  godwit up [--config FILE] [--state-dir DIR] [--section.key=value …]\n"
		       "      run godwit-gs, godwit-ns and godwit-as on this host\n");
		list_commands(stdout, &a);
		printf("  godwit help [COMMAND]\n      this, or what a command takes, with an example\n");
	}
	printf("\nEvery command takes:\n");
	list_flags(stdout, 0, true);
	printf("\nExit status: 0; 1 it was refused or did not work, 2 the command line is not understood; the reason is on stderr.\n");
	return CLI_OK;
}

int help_usage(const struct args *a)
{
	const struct command *near = hint_command(a);
	fputs("error: there is no such command:", stderr);
	for (size_t i = 0; i < a->n_words; i++)
		fprintf(stderr, " %s", a->words[i]);
	if (near) {
		fprintf(stderr, "; did you mean godwit %s?\n", near->words);
		return CLI_USAGE;
	}
	const struct args first = { .words = { a->words[0] }, .n_words = 1 };
	if (begins_some(&first)) {
		fputs("; there are\n", stderr);
		list_commands(stderr, a);
	} else {
		fputs("; godwit help shows what there is\n", stderr);
	}
	return CLI_USAGE;
}

/** @file godwit: the operator's command line. */
#include "as/cli/cli.h"
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERR_MAX = 2048 };

/** How many of the command's words the words given begin with; 0 unless all of them. */
static size_t matches(const struct command *cmd, const struct args *a)
{
	struct str rest = str_of(cmd->words), word;
	size_t n = 0;
	while (rest.n) {
		rest = str_cut(rest, ' ', &word);
		if (n == a->n_words || !str_is(word, a->words[n]))
			return 0;
		n++;
	}
	return n;
}

static const struct command *find(const struct args *a, size_t *ret_n)
{
	for (const struct command *cmd = cli_commands; cmd->words; cmd++) {
		*ret_n = matches(cmd, a);
		if (*ret_n)
			return cmd;
	}
	return NULL;
}

/** How many of the words given the command begins with. */
static size_t common_words(const struct command *cmd, const struct args *a)
{
	struct str rest = str_of(cmd->words), word;
	size_t n = 0;
	while (rest.n && n < a->n_words) {
		rest = str_cut(rest, ' ', &word);
		if (!str_is(word, a->words[n]))
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
			fprintf(out, "  godwit %s %s\n      %s\n", cmd->words, cmd->operands, cmd->about);
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

static int help(const struct args *a)
{
	size_t n;
	const struct command *cmd = find(a, &n);
	if (cmd) {
		printf("godwit %s %s\n  %s\n\n", cmd->words, cmd->operands, cmd->about);
		list_flags(stdout, cmd->groups, false);
		list_rights(cmd->groups);
		if (cmd->groups & IN_DEV)
			printf("  --%-34s %s\n", "mac-settings.FIELD", "any of the MAC settings, e.g. --mac-settings.desired-rx1-delay 1");
	} else {
		printf("godwit: a LoRaWAN stack; its command line\n\n  godwit up [--config FILE] [--state-dir DIR] [--section.key=value …]\n"
		       "      run godwit-gs, godwit-ns and godwit-as on this host\n");
		list_commands(stdout, a);
	}
	printf("\nEvery command takes:\n");
	list_flags(stdout, 0, true);
	return CLI_OK;
}

static int usage(const struct args *a)
{
	fputs("error: there is no such command:", stderr);
	for (size_t i = 0; i < a->n_words; i++)
		fprintf(stderr, " %s", a->words[i]);
	fputs("; there are\n", stderr);
	list_commands(stderr, a);
	return CLI_USAGE;
}

/** Does the command take every flag that was given, and the number of words? */
static int check_words(const struct command *cmd, struct cli *c)
{
	size_t least = 0, most = 0;
	struct str rest = str_of(cmd->operands), word;
	while (rest.n) {
		rest = str_cut(rest, ' ', &word);
		most += word.n > 3 && !memcmp(word.p + word.n - 3, "...", 3) ? ARGS_WORDS : 1;
		least += word.p[0] != '[' && !(word.n && word.p[word.n - 1] == ']');
	}
	if (c->n_operands < least || c->n_operands > most) {
		text_printf(&c->err, "usage: godwit %s %s", cmd->words, cmd->operands);
		return CLI_USAGE;
	}
	for (size_t i = 0; i < c->args.n_flags; i++) {
		const struct arg *a = &c->args.flags[i];
		int groups = a->flag ? a->flag->groups : args_is_right(a) ? IN_KEY : IN_DEV;
		if (groups != IN_ANY && !(groups & cmd->groups)) {
			text_printf(&c->err, "godwit %s takes no flag --%.*s", cmd->words, (int)a->name_n, a->name);
			return CLI_USAGE;
		}
	}
	return CLI_OK;
}

static int run(const struct command *cmd, size_t words, struct cli *c)
{
	c->operand = c->args.words + words;
	c->n_operands = c->args.n_words - words;
	args_resolve(&c->args, cmd->groups);
	int status = check_words(cmd, c);
	if (!status && !(cmd->groups & (IN_HOST | IN_SHELL)) && client_find(&c->client, args_get(&c->args, "address"), args_get(&c->args, "api-key"), args_get(&c->args, "state-dir"), &c->err))
		status = CLI_FAILED;
	if (!status)
		status = cmd->run(c);
	if (status)
		fprintf(stderr, "error: %s\n", c->err.len ? c->err.p : "out of memory");
	return status;
}

/** `up` takes the flags of the three processes, which we do not know: if it is the first word, it is moved
 * before them. */
static bool put_up_first(int argc, char **argv)
{
	int at = 1;
	for (; at < argc && argv[at][0] == '-'; at++)
		at += !strcmp(argv[at], "--config") || !strcmp(argv[at], "--state-dir");
	if (at >= argc || strcmp(argv[at], "up"))
		return false;
	char *up = argv[at];
	memmove(&argv[2], &argv[1], (size_t)(at - 1) * sizeof *argv);
	argv[1] = up;
	return true;
}

int main(int argc, char **argv)
{
	char err[ERR_MAX];
	signal(SIGPIPE, SIG_IGN);
	setlocale(LC_CTYPE, "C.UTF-8"); /* how wide characters are, whatever the language */
	if (put_up_first(argc, argv))
		return up_main(argc - 1, argv + 1);
	struct cli *c = calloc(1, sizeof *c);
	if (!c)
		return CLI_FAILED;
	c->err = text_fixed(err, sizeof err);
	int status;
	size_t n = 0;
	const struct command *cmd = NULL;
	if (args_parse(argc, argv, &c->args, &c->err))
		status = fprintf(stderr, "error: %s; godwit --help shows what there is\n", err) < 0 ? CLI_FAILED : CLI_USAGE;
	else if (args_on(&c->args, "version"))
		status = printf("godwit %s\n", VERSION) < 0;
	else if (args_on(&c->args, "help") || !c->args.n_words || !strcmp(c->args.words[0], "help"))
		status = help(&c->args);
	else if (!(cmd = find(&c->args, &n)))
		status = usage(&c->args);
	else
		status = run(cmd, n, c);
	free(c);
	return fflush(stdout) ? CLI_FAILED : status;
}

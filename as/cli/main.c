/** @file godwit: the operator's command line. */
#include "as/cli/help.h"
#include "as/cli/hint.h"
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERR_MAX = 2048 };

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
		text_printf(&c->err, "usage: godwit %s %s; `godwit help %s` has an example", cmd->words, cmd->operands, cmd->words);
		return CLI_USAGE;
	}
	for (size_t i = 0; i < c->args.n_flags; i++) {
		const struct arg *a = &c->args.flags[i];
		int groups = a->flag ? a->flag->groups : args_is_right(a) ? IN_KEY : IN_DEV;
		if (groups != IN_ANY && !(groups & cmd->groups)) {
			text_printf(&c->err, "godwit %s takes no flag --%.*s", cmd->words, (int)a->name_n, a->name);
			hint_flag(&c->err, (struct str){ a->name, a->name_n }, cmd->groups);
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
	if (!status && !(cmd->groups & (IN_HOST | IN_SHELL)))
		status = cli_connect(c);
	if (!status)
		status = cmd->run(c);
	if (status)
		fprintf(stderr, "%s%s\n", c->has_place ? "" : "error: ", c->err.len ? c->err.p : "out of memory");
	client_done(&c->client);
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

/** A flag that is none: of those that the command takes, which was meant? */
static int not_understood(struct cli *c)
{
	size_t n;
	const struct command *cmd = help_find(&c->args, &n);
	if (c->args.unknown.n)
		hint_flag(&c->err, c->args.unknown, cmd ? cmd->groups : IN_ANY);
	fprintf(stderr, "error: %s; godwit %s%s shows what there is\n", c->err.p, cmd ? "help " : "--help", cmd ? cmd->words : "");
	return CLI_USAGE;
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
		status = not_understood(c);
	else if (args_on(&c->args, "version"))
		status = printf("godwit %s\n", VERSION) < 0;
	else if (args_on(&c->args, "help") || !c->args.n_words || !strcmp(c->args.words[0], "help"))
		status = help_print(&c->args);
	else if (!(cmd = help_find(&c->args, &n)))
		status = help_usage(&c->args);
	else
		status = run(cmd, n, c);
	free(c);
	return fflush(stdout) ? CLI_FAILED : status;
}

/** @file What a shell is to know to complete godwit's command line, printed from the tables of commands and flags. */
#include "as/cli/cli.h"
#include <stdio.h>
#include <string.h>

/* `up` is no row of the table: it takes the flags of three processes. */
static const char head[] =
	"# bash completion of godwit, as godwit completion bash prints it\n"
	"_godwit_commands() {\n"
	"\tcat <<'END'\n";

static const char middle[] =
	"help\n"
	"up\n"
	"END\n"
	"}\n"
	"_godwit_flags() { # COMMAND\n"
	"\tcase $1 in\n"
	"\tup) echo --config --state-dir ;;\n";

/* Words are sorted from flags and their values, as the program does it; the words name a command, or begin one. `=` is a word of its
 * own to bash. Where nothing is offered, bash offers the names of files. */
static const char tail[] =
	"_godwit() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} words='' command='' next='' line i w\n"
	"\tCOMPREPLY=()\n"
	"\t[[ $cur == = ]] && return\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tw=${COMP_WORDS[i]}\n"
	"\t\tcase $w in\n"
	"\t\t=) ((++i)) ;;\n"
	"\t\t--*) [[ $_godwit_alone == *\" $w \"* || $w == --right-* || ${COMP_WORDS[i + 1]} == = || ${COMP_WORDS[i + 1]} == --* ]] || ((++i)) ;;\n"
	"\t\t-*) ;;\n"
	"\t\t*) words+=${words:+ }$w ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t((i > COMP_CWORD)) && return\n"
	"\twhile IFS= read -r line; do\n"
	"\t\t[[ \"$words \" == \"$line \"* ]] && command=$line\n"
	"\t\t[[ $line == \"${words:+$words }\"?* ]] || continue\n"
	"\t\tline=${line#\"${words:+$words }\"}\n"
	"\t\tnext+=\" ${line%% *}\"\n"
	"\tdone < <(_godwit_commands)\n"
	"\t[[ $cur == -* ]] && next=$(_godwit_flags \"$command\")\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tCOMPREPLY+=(\"$line\")\n"
	"\tdone < <(compgen -W \"$next\" -- \"$cur\" | LC_ALL=C sort -u)\n"
	"}\n"
	"complete -o bashdefault -o default -F _godwit godwit\n";

static void put_flags(int groups)
{
	const struct flag *f;
	const char *mac;
	char right[ARGS_RIGHT];
	for (size_t i = 0; (f = args_flag(i)); i++)
		if (groups == IN_ANY ? f->groups == IN_ANY : f->groups != IN_ANY && (f->groups & groups))
			printf(" --%s", f->name);
	for (size_t i = 0; groups != IN_ANY && (groups & IN_DEV) && (mac = args_mac_setting(i)); i++)
		printf(" --mac-settings.%s", mac);
	for (int i = 0, of; groups != IN_ANY && (of = args_right((size_t)i, right)); i++)
		if (of & groups)
			printf(" --%s", right);
}

/** One case for all commands that take the same flags, at the first of them. */
static void put_case(const struct command *first)
{
	for (const struct command *c = cli_commands; c < first; c++)
		if (c->groups == first->groups)
			return;
	putchar('\t');
	for (const struct command *c = first; c->words; c++)
		if (c->groups == first->groups)
			printf("%s'%s'", c == first ? "" : " | ", c->words);
	fputs(") echo", stdout);
	put_flags(first->groups);
	puts(" ;;");
}

static void put_alone(void)
{
	const struct flag *f;
	fputs("_godwit_alone='", stdout);
	for (size_t i = 0; (f = args_flag(i)); i++)
		if (f->kind == FLAG_TRUTH)
			printf(" --%s", f->name);
	puts(" '");
}

int completion(struct cli *c)
{
	if (strcmp(c->operand[0], "bash")) {
		text_printf(&c->err, "bash is the only shell that it is there for, not %s", c->operand[0]);
		return CLI_USAGE;
	}
	fputs(head, stdout);
	for (const struct command *cmd = cli_commands; cmd->words; cmd++)
		puts(cmd->words);
	fputs(middle, stdout);
	for (const struct command *cmd = cli_commands; cmd->words; cmd++)
		put_case(cmd);
	fputs("\tesac\n\techo", stdout);
	put_flags(IN_ANY);
	puts("\n}");
	put_alone();
	fputs(tail, stdout);
	return CLI_OK;
}

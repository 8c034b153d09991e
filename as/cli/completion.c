/** @file What a shell, bash or zsh, is to know to complete godwit's command line, printed from the tables of commands and flags. */
#include "as/cli/cli.h"
#include <stdio.h>
#include <string.h>

/* `up` is no row of the table: it takes the flags of three processes. */
static const char head[] =
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
static const char bash[] =
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

/* The same in zsh, where `--flag=value` is one word. It may be evaluated, or be loaded by the first completion. */
static const char zsh[] =
	"_godwit() {\n"
	"\temulate -L zsh\n"
	"\tlocal cur=${words[CURRENT]} said='' command='' line w\n"
	"\tlocal -a next\n"
	"\tinteger i=2\n"
	"\twhile ((i < CURRENT)); do\n"
	"\t\tw=${words[i]}\n"
	"\t\tcase $w in\n"
	"\t\t--*=*) ;;\n"
	"\t\t--*) [[ $_godwit_alone == *\" $w \"* || $w == --right-* || ${words[i + 1]} == --* ]] || ((++i)) ;;\n"
	"\t\t-*) ;;\n"
	"\t\t*) said+=${said:+ }$w ;;\n"
	"\t\tesac\n"
	"\t\t((++i))\n"
	"\tdone\n"
	"\tif ((i > CURRENT)); then\n"
	"\t\t_files\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tfor line in ${(f)\"$(_godwit_commands)\"}; do\n"
	"\t\t[[ \"$said \" == \"$line \"* ]] && command=$line\n"
	"\t\t[[ $line == \"${said:+$said }\"?* ]] || continue\n"
	"\t\tline=${line#\"${said:+$said }\"}\n"
	"\t\tnext+=(${line%% *})\n"
	"\tdone\n"
	"\t[[ $cur == -* ]] && next=(${=\"$(_godwit_flags \"$command\")\"})\n"
	"\tif ((#next)); then\n"
	"\t\tcompadd -- ${(u)next}\n"
	"\telse\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"if ((${+functions[compdef]})); then\n"
	"\tcompdef _godwit godwit\n"
	"fi\n";

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
	bool is_zsh = !strcmp(c->operand[0], "zsh");
	if (!is_zsh && strcmp(c->operand[0], "bash")) {
		text_printf(&c->err, "it is there for bash and zsh, not for %s", c->operand[0]);
		return CLI_USAGE;
	}
	printf("%s# %s completion of godwit, as godwit completion %s prints it\n", is_zsh ? "#compdef godwit\n" : "", c->operand[0], c->operand[0]);
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
	fputs(is_zsh ? zsh : bash, stdout);
	return CLI_OK;
}

/** @file The operator's command line: a table of commands over the HTTP API. */
#pragma once
#include "as/cli/args.h"
#include "as/cli/client.h"
#include "common/core/json.h"

/** What a command works with. */
struct cli {
	struct args args;
	const char *const *operand; /**< the words after the command's own */
	size_t n_operands;
	struct client client;
	struct text err; /**< why, without "error: " */
};

/** Exit statuses. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct command {
	const char *words;    /**< "end-devices downlink push" */
	const char *operands; /**< "APP DEV"; optional ones in brackets, ... where several may stand */
	const char *about;
	int groups;           /**< flags it takes, besides those that every command takes */
	int (*run)(struct cli *c);
};

/** The table, ended by words NULL. */
extern const struct command cli_commands[];

/** Call the API and print its answer.
 * @param path    ready for the wire (see cli_path)
 * @param body    JSON, or the empty string
 * @param member  print only this member of the answer; NULL: all of it
 * @return exit status */
int cli_call(struct cli *c, const char *method, const char *path, struct str body, const char *member);
/** Append `/` and each part to the path, percent-encoded; parts end with NULL. */
void cli_path(struct text *path, ...) __attribute__((sentinel));
/** Append a member of the query, percent-encoded; nothing where the value is NULL. */
void cli_query(struct text *path, const char *name, const char *value);
/** Say why the API refused: the message of its answer. @return CLI_FAILED */
int cli_refused(struct cli *c, int status, struct str body);
/** The JSON object that the flags of `groups` say; `wrap`: the member it is put into, or NULL. @return exit status */
int cli_body(struct cli *c, int groups, const char *wrap, const struct arg *extra, size_t n_extra, struct text *ret);
/** Print JSON for people: indented, or as a table. */
void cli_print(const struct cli *c, struct str json);

/** The folder of this program, where the others of this release are too. @return 0; -errno */
int cli_programs(char ret[4096]);

int backup_main(struct cli *c);
int restore_main(struct cli *c);
int completion(struct cli *c);
int up_main(int argc, char **argv);

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
	bool has_place;  /**< it begins with FILE:LINE, as compilers say it, and "error: " does not stand before it */
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
/** What a file of at most 64 KiB holds, UTF-8. @param flag  that names it, or NULL: a word does @return exit status */
int cli_file(const char *path, const char *flag, struct text *ret, struct text *err);
/** Print JSON for people: indented, or as a table; of each object only what --fields says.
 * @param object  what a list is of, as in show/columns.def; may be NULL */
void cli_print(const struct cli *c, struct str json, const char *object);
/** Print a list piece by piece: each element, then its end. */
void cli_print_element(struct str json, bool is_first);
void cli_print_end(bool is_empty);

/** A list of the API. */
struct cli_list {
	const char *path;   /**< ready for the wire */
	const char *member; /**< of the answer, and what it is called in show/columns.def */
	const char *id;     /**< where a row has its id */
	const char *more;   /**< what to ask about a row for what the list does not say: a path, with * where its id stands; NULL */
	const char *app;    /**< the application that its devices are of, which stands before the id; NULL */
	bool is_paged;      /**< what the server has no bound for is asked for in pages */
	bool has_live;      /**< rows have members that only the network server knows (see cli_live) */
};
/** Print all of it, or what --limit and --page say. @return exit status */
int cli_list(struct cli *c, const struct cli_list *what);
/** Print events as they come, until whoever reads them has enough. @return exit status */
int cli_follow(struct cli *c, const char *path);
/** The members that are asked for of a device and that the network server knows, with commas between. @return false: none */
bool cli_live(const struct cli *c, struct text *ret);

/** The folder of this program, where the others of this release are too. @return 0; -errno */
int cli_programs(char ret[4096]);

/** Find the server, for a command of IN_SHELL that asks it after all. @return exit status */
int cli_connect(struct cli *c);
/** Try a payload formatter, here or on the server. */
int formatters_test_main(struct cli *c);
/** After formatters were set, or refused: a note on a script that lacks the function it is for, or its place in the file as compilers say it.
 * @param object  what has them: "formatters", "default_formatters" @param status  of the call @return status */
int formatters_told(struct cli *c, const char *object, int status);

int telemetry_main(struct cli *c);
int attributes_get_main(struct cli *c);
int attributes_set_main(struct cli *c);
int attributes_delete_main(struct cli *c);
int trace_main(struct cli *c);
int why_main(struct cli *c);
int backup_main(struct cli *c);
int restore_main(struct cli *c);
int completion(struct cli *c);
int up_main(int argc, char **argv);

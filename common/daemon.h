/** @file Starting a daemon: arguments, settings, state directory, pid file, addresses, signals, readiness.
 *
 * main() of each process is one call of daemon_main with a table. Only main exits.
 */
#pragma once
#include "common/loop.h"
#include "common/settings.h"

struct daemon;

struct daemon_program {
	const char *name;    /**< "gs": the pid file's name and the log's process= */
	const char *program; /**< "godwit-gs" */
	const char *about;   /**< one sentence for --help */
	struct settings_table settings;
	size_t settings_size; /**< of the struct */
	/** Look at the settings beyond their bounds; also for --check-config, so it opens nothing. May be NULL. On failure say
	 * in *err what is wrong; daemon_where names the place. @return 0; -errno */
	int (*check)(const struct daemon *d, const void *settings, struct text *err);
	/** Open everything; register with the loop. On failure say in *err, in one line for the operator, what and what to do.
	 * @param ret_state  handed to the others */
	int (*start)(struct daemon *d, const void *settings, void **ret_state, struct text *err);
	void (*reload)(void *state);                            /**< SIGHUP; may be NULL */
	/** SIGTERM, SIGINT: flush and commit, then call done within 5 s, or the process is ended with status 1. May be NULL. */
	void (*stop)(void *state, void (*done)(void *ctx), void *ctx);
	void (*free)(void *state);
	/** --restored: the state directory was put back from a copy. Change in its store what must not go back to that day, and
	 * print what was changed as JSON. Serves nothing, and is ended by its return. May be NULL. @return 0; -errno */
	int (*restored)(struct daemon *d, const void *settings, struct text *err);
};

/** Settings every process has: --config, state-dir, log.*; see common/settings.def. */
struct common_settings {
#define SETTING(member, name, kind, dflt, min, max, doc) SETTING_MEMBER_##kind member;
#include "common/settings.def"
#undef SETTING
};

/** @return the process's exit status: 0; 1 with one line on stderr; 2 for usage */
int daemon_main(const struct daemon_program *p, int argc, char **argv);

struct loop *daemon_loop(struct daemon *d);
const struct common_settings *daemon_common(const struct daemon *d);
/** How the operator finds a setting: "FILE:12: gs.udp-listen", "--gs.udp-listen"; for errors that settings cannot see. */
void daemon_where(const struct daemon *d, struct text *out, const char *name);
/** Path of a file in the state directory, e.g. "ns" or "ns.sock", appended to *ret. @return 0; -ENAMETOOLONG */
int daemon_path(const struct daemon *d, struct text *ret, const char *leaf);
/** Record an address in use ("gs.udp", "127.0.0.1:1700") in <state-dir>/addresses.json, written atomically and shared by
 * the three processes (flock). Those of this process are taken out when it starts and when it stops. @return 0; -errno */
int daemon_address(struct daemon *d, const char *name, const char *address);
/** The process serves now: log `ready`, sd_notify READY=1. */
void daemon_ready(struct daemon *d);
/** A failure that cannot be lived with: log it and stop with status 1. */
void daemon_fatal(struct daemon *d, const char *word, const char *why);

/** @file Room scripts of the application server: JavaScript of payload formatters, in processes of their own.
 *
 * The processes are started at the first script, as many as as.script-processes says, and ended when they have had nothing to do for
 * some minutes. What a script costs at most (100 ms of processor time, 8 MiB, no file, no network) is seen to in there (sandbox.h); a
 * script that hangs, bloats or crashes costs its own message's decoding, and whatever else its process was given is done by another.
 * Applications take turns, so that one whose scripts hang costs others little. The loop never waits for a script.
 */
#pragma once
#include "as/as.h"
#include "as/scripts/job.h"

struct script_job {
	enum script_call call;
	struct script *script;     /**< held until it is done or cancelled */
	const char *whose;         /**< the application's key, or "": applications take turns; copied */
	uint8_t f_port;
	uint64_t received_unix_us; /**< recvTime */
	struct slice bytes;        /**< decode; at most SCRIPT_BYTES_MAX; copied */
	struct str data;           /**< encode: a JSON object of at most SCRIPT_JSON_MAX; copied */
	void (*done)(void *ctx, const struct script_result *r); /**< from the loop, never from within scripts_start; *r is gone when it returns */
	void *ctx;
};

/** Have a script called. @return its ticket; 0: no memory, or too many wait */
uint64_t scripts_start(struct as *as, const struct script_job *job);
/** `done` is not called any more. */
void scripts_cancel(struct as *as, uint64_t ticket);
/** Can scripts run here at all? */
bool scripts_available(const struct as *as);

/** A process that main() finds to be one of these (by its first argument) becomes it, and does not return. To be called before
 * anything else, by every program that uses scripts_start. */
void scripts_child(int argc, char **argv);

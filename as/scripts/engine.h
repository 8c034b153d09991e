/** @file The narrow interface of a JavaScript engine, inside the child: text of scripts in, text of answers out.
 *
 * What a call means is in prelude.js, which every engine runs before the user's script: a function expression that is called once, and
 * returns an object of three functions:
 *
 *     prepare(text)  before a script is compiled: adds to the globals the library functions that its text names and the engine lacks
 *     run(request)   after a script's top level has run: takes a request (JSON, as engine_request writes it), calls the user's function,
 *                    and returns the answer as text (lines, see answer.h)
 *     failed(error)  where the top level threw: returns the answer that says so
 *
 * The user's script is compiled under the name of formatter.js: the prelude looks for "formatter.js:LINE" in an error's stack.
 *
 * Nothing survives a call: each one finds globals, prototypes and caches as the prelude left them, and the script's top level is run
 * again. Each engine sees to that in its own way. Memory comes from arena.h, which bounds it. Time is not the engine's business: the
 * process is ended (child.h).
 */
#pragma once
#include "as/scripts/job.h"

struct engine;
struct engine_script;

enum { ENGINE_MEMORY_MAX = 8 << 20 /**< of an engine with a script that runs [octets] */ };
/** A script that wants more. */
#define ENGINE_OUT_OF_MEMORY ((struct engine_error){ .outcome = SCRIPT_MEMORY, .message = "it needs more than 8 MiB of memory" })

/** What an engine itself has to say; what the prelude found out is in the answer. */
struct engine_error {
	enum script_outcome outcome; /**< SCRIPT_SYNTAX, _THREW, _MEMORY, _STACK or _OUTPUT */
	unsigned line;               /**< in the user's script, from 1; 0: not known */
	char message[SCRIPT_WORDS_MAX + 1]; /**< "SyntaxError: ...", UTF-8 */
};

struct engine_kind {
	const char *name; /**< for people: "Duktape 2.7.0" */
	bool modern;      /**< it has the syntax of ECMAScript 2015 and later: no hints about what it lacks (syntax.h) */
	/** With the prelude in it. @return NULL: no memory */
	struct engine *(*create)(void);
	void (*destroy)(struct engine *e);
	/** Compile a script, UTF-8, to something that is kept.
	 * @return 0; 1 it does not compile: *ret_err says why; -ENOMEM */
	int (*compile)(struct engine *e, struct str text, struct engine_script **ret, struct engine_error *ret_err);
	void (*drop)(struct engine *e, struct engine_script *s);
	size_t (*kept)(const struct engine_script *s); /**< octets that it takes */
	/** Run its top level, then the prelude's run(request) or failed(error), with fresh globals.
	 * @param answer  appended to, UTF-8; it holds no more than its room, and what does not fit is SCRIPT_OUTPUT
	 * @return 0; 1 it failed: *ret_err says why */
	int (*run)(struct engine *e, struct engine_script *s, struct str request, struct text *answer, struct engine_error *ret_err);
};

/** The engine of this build: duktape.c or quickjs.c. */
extern const struct engine_kind the_engine;
/** The same, by a function in a file of its own, so that a test may put another in its place. */
const struct engine_kind *engine_kind(void);

/** prelude.js, embedded. */
struct str engine_prelude(void);
/** The request that the prelude's run is given. @return as text_put: cut and `failed` where it does not fit */
void engine_request(struct text *out, const struct script_question *q);

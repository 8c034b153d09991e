/** @file QuickJS (2025 or later) as the engine: ECMAScript 2023, ES modules too.
 *
 * The runtime, with all that it holds, lies in an arena. A script is compiled once, in an arena as the prelude left it, and what the
 * arena is then is kept: a call begins by putting that back, and so finds a fresh world and a compiled script in it.
 *
 * It needs no system call: memory is the arena's, time comes from the vDSO (where the kernel has none: clock_gettime, gettimeofday), and
 * Date asks the C library for the time zone, which the child has settled before it shut itself in. Neither `std` nor `os` is linked.
 */
#include "as/scripts/arena.h"
#include "as/scripts/engine.h"
#include <errno.h>
#include <quickjs/quickjs.h>
#include <stdlib.h>
#include <string.h>

/** What the C stack may take: the child's own is larger. */
enum { STACK_MAX = 512 << 10 };
/** Cycles of garbage are looked for when this much is in use, and then by QuickJS's own rule. */
enum { GC_FROM = 2 << 20 };
#define SCRIPT_FILE "formatter.js"
enum { SCRIPT_MEMORY_MAX = 8 << 20 };

struct engine {
	struct arena *arena;
	struct arena_image *fresh; /**< with the prelude in it, and no script */
	JSRuntime *rt;
	JSContext *ctx;
	JSValue prepare, run, failed; /**< the prelude's */
	JSValue publish;              /**< makes a module's exports global */
};

struct engine_script {
	struct arena_image *image;
	JSValue code; /**< in the image: bytecode, or a module */
};

/* ---- memory ---- */

/* The allocator is asked for a piece's size without being told whose it is, and a process has one engine. */
static struct arena *the_arena;

static void *take(JSMallocState *s, size_t n)
{
	void *p = arena_take(s->opaque, n);
	if (p) {
		s->malloc_count++;
		s->malloc_size += arena_room(s->opaque, p); /* it starts the collector */
	}
	return p;
}

static void give(JSMallocState *s, void *p)
{
	if (!p)
		return;
	s->malloc_count--;
	s->malloc_size -= arena_room(s->opaque, p);
	arena_give(s->opaque, p);
}

static void *resize(JSMallocState *s, void *p, size_t n)
{
	if (!p)
		return n ? take(s, n) : NULL;
	if (!n) {
		give(s, p);
		return NULL;
	}
	size_t before = arena_room(s->opaque, p);
	void *q = arena_resize(s->opaque, p, n);
	if (q)
		s->malloc_size = s->malloc_size - before + arena_room(s->opaque, q);
	return q;
}

static size_t room(const void *p)
{
	return p ? arena_room(the_arena, p) : 0;
}

static const JSMallocFunctions memory = { take, give, resize, room };

/* ---- errors ---- */

/** A member of an error in words. @return false: it has none, or it cannot be had */
static bool member(JSContext *ctx, JSValueConst error, const char *name, struct text *ret)
{
	size_t n;
	JSValue v = JS_GetPropertyStr(ctx, error, name);
	const char *z = JS_IsString(v) ? JS_ToCStringLen(ctx, &n, v) : NULL;
	if (z)
		text_put(ret, (struct str){ z, n });
	else
		JS_FreeValue(ctx, JS_GetException(ctx));
	JS_FreeCString(ctx, z);
	JS_FreeValue(ctx, v);
	return z;
}

static unsigned line_in(const char *stack)
{
	const char *at = strstr(stack, SCRIPT_FILE ":");
	return at ? (unsigned)strtoul(at + sizeof SCRIPT_FILE, NULL, 10) : 0;
}

/** Say what has been thrown, and forget it. @return 1 */
static int thrown(struct engine *e, enum script_outcome otherwise, struct engine_error *ret)
{
	char stack[1024];
	struct text t = text_fixed(ret->message, sizeof ret->message), s = text_fixed(stack, sizeof stack);
	JSValue error = JS_GetException(e->ctx);
	*ret = (struct engine_error){ .outcome = otherwise };
	if (JS_IsObject(error)) {
		if (member(e->ctx, error, "name", &t))
			text_puts(&t, ": ");
		member(e->ctx, error, "message", &t);
		member(e->ctx, error, "stack", &s);
	}
	if (!t.len)
		text_puts(&t, "it threw something that cannot be shown");
	JS_FreeValue(e->ctx, error);
	ret->line = line_in(stack);
	if (arena_exhausted(e->arena))
		ret->outcome = SCRIPT_MEMORY;
	else if (strstr(ret->message, "stack overflow"))
		ret->outcome = SCRIPT_STACK;
	return 1;
}

/* ---- the engine ---- */

/** Ends with a NUL, which QuickJS's parser wants. */
static JSValue evaluate(JSContext *ctx, struct str text, const char *name, int flags)
{
	char *z = malloc(text.n + 1);
	if (!z)
		return JS_ThrowOutOfMemory(ctx);
	memcpy(z, text.p, text.n);
	z[text.n] = 0;
	JSValue v = JS_Eval(ctx, z, text.n, name, flags);
	free(z);
	return v;
}

/* What a module exports is what a script declares; `export default { decodeUplink }` is understood too. */
static const char publishing[] =
	"(function (global) { return function (names) {"
	"	var from = [names.default, names], i, k;"
	"	for (i = 0; i < 2; i++)"
	"		for (k in from[i])"
	"			if (k !== 'default') global[k] = from[i][k];"
	"}; })(this)";

/** A script has no other modules beside it, not even on disk. */
static JSModuleDef *no_module(JSContext *ctx, const char *name, void *opaque)
{
	(void)opaque;
	JS_ThrowReferenceError(ctx, "there is no module '%.100s' to import", name);
	return NULL;
}

static bool furnish(struct engine *e)
{
	JSValue prelude = evaluate(e->ctx, engine_prelude(), "prelude.js", JS_EVAL_TYPE_GLOBAL);
	e->prepare = JS_GetPropertyStr(e->ctx, prelude, "prepare");
	e->run = JS_GetPropertyStr(e->ctx, prelude, "run");
	e->failed = JS_GetPropertyStr(e->ctx, prelude, "failed");
	e->publish = evaluate(e->ctx, (struct str){ publishing, sizeof publishing - 1 }, "prelude.js", JS_EVAL_TYPE_GLOBAL);
	JS_FreeValue(e->ctx, prelude);
	return JS_IsFunction(e->ctx, e->prepare) && JS_IsFunction(e->ctx, e->run) && JS_IsFunction(e->ctx, e->failed) &&
		JS_IsFunction(e->ctx, e->publish) && (e->fresh = arena_save(e->arena));
}

static void destroy(struct engine *e)
{
	if (!e)
		return;
	/* The runtime goes with its memory. */
	arena_image_free(e->fresh);
	arena_free(e->arena);
	free(e);
	the_arena = NULL;
}

static struct engine *create(void)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e || !(e->arena = the_arena = arena_new(SCRIPT_MEMORY_MAX)) || !(e->rt = JS_NewRuntime2(&memory, e->arena)))
		goto fail;
	JS_SetMaxStackSize(e->rt, STACK_MAX);
	JS_SetGCThreshold(e->rt, GC_FROM);
	JS_SetStripInfo(e->rt, JS_STRIP_SOURCE);
	JS_SetModuleLoaderFunc(e->rt, NULL, no_module, NULL);
	e->ctx = JS_NewContext(e->rt);
	if (e->ctx && furnish(e))
		return e;
fail:
	destroy(e);
	return NULL;
}

/** Only what says `export` or `import` is a module: a module is strict, and most scripts were not written for that. */
static JSValue compile_text(struct engine *e, struct str text)
{
	JSValue code = evaluate(e->ctx, text, SCRIPT_FILE, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
	if (!JS_IsException(code) || (!memmem(text.p, text.n, "export", 6) && !memmem(text.p, text.n, "import", 6)))
		return code;
	/* What was wrong with it as a script is of no interest. */
	arena_restore(e->arena, e->fresh);
	return evaluate(e->ctx, text, SCRIPT_FILE, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
}

static int compile(struct engine *e, struct str text, struct engine_script **ret, struct engine_error *ret_err)
{
	struct engine_script *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	arena_restore(e->arena, e->fresh);
	JS_UpdateStackTop(e->rt);
	s->code = compile_text(e, text);
	if (JS_IsException(s->code)) {
		free(s);
		return thrown(e, SCRIPT_SYNTAX, ret_err);
	}
	JSValue t = JS_NewStringLen(e->ctx, text.p, text.n);
	JSValue done = JS_Call(e->ctx, e->prepare, JS_UNDEFINED, 1, &t);
	JS_FreeValue(e->ctx, t);
	if (JS_IsException(done)) {
		free(s);
		return thrown(e, SCRIPT_MEMORY, ret_err);
	}
	JS_RunGC(e->rt);
	s->image = arena_save(e->arena);
	if (!s->image) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static void drop(struct engine *e, struct engine_script *s)
{
	(void)e;
	if (s)
		arena_image_free(s->image);
	free(s);
}

static size_t kept(const struct engine_script *s)
{
	return sizeof *s + arena_image_size(s->image);
}

/** Run the script's top level. @return true; false and what it threw */
static bool run_top(struct engine *e, const struct engine_script *s, JSValue *ret_error)
{
	JSModuleDef *module = JS_VALUE_GET_TAG(s->code) == JS_TAG_MODULE ? JS_VALUE_GET_PTR(s->code) : NULL;
	JSValue v = JS_EvalFunction(e->ctx, s->code); /* it frees the code, which is in the image again the next time */
	if (module && JS_IsObject(v)) {
		JSPromiseStateEnum state = JS_PromiseState(e->ctx, v);
		if (state == JS_PROMISE_REJECTED) {
			*ret_error = JS_PromiseResult(e->ctx, v);
			return false;
		}
		JSValue names = JS_GetModuleNamespace(e->ctx, module);
		v = JS_Call(e->ctx, e->publish, JS_UNDEFINED, 1, &names);
	}
	if (JS_IsException(v)) {
		*ret_error = JS_GetException(e->ctx);
		return false;
	}
	return true;
}

static int run(struct engine *e, struct engine_script *s, struct str request, struct text *answer, struct engine_error *ret_err)
{
	size_t n;
	JSValue argument = JS_UNDEFINED;
	arena_restore(e->arena, s->image);
	JS_UpdateStackTop(e->rt);
	bool up = run_top(e, s, &argument);
	if (up)
		argument = JS_NewStringLen(e->ctx, request.p, request.n);
	JSValue said = JS_Call(e->ctx, up ? e->run : e->failed, JS_UNDEFINED, 1, &argument);
	const char *z = JS_IsException(said) ? NULL : JS_ToCStringLen(e->ctx, &n, said);
	if (!z)
		return thrown(e, SCRIPT_THREW, ret_err);
	text_put(answer, (struct str){ z, n });
	*ret_err = (struct engine_error){ .outcome = SCRIPT_OUTPUT };
	if (arena_exhausted(e->arena) && !str_starts((struct str){ z, n }, "ok\n")) {
		/* To the prelude that was an error like any other. */
		ret_err->outcome = SCRIPT_MEMORY;
		const char *line = memchr(z, '\n', n);
		ret_err->line = line ? (unsigned)strtoul(line + 1, NULL, 10) : 0;
		return 1;
	}
	return answer->failed;
}

const struct engine_kind the_engine = { "QuickJS", true, create, destroy, compile, drop, kept, run };

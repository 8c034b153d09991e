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
#include <math.h>
#include <quickjs/quickjs.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/** What the C stack may take: the child's own is larger. */
enum { STACK_MAX = 512 << 10 };
/** Cycles of garbage are looked for when this much is in use, and then by QuickJS's own rule. */
enum { GC_FROM = 2 << 20 };
#define SCRIPT_FILE "formatter.js"

struct engine {
	struct arena *arena;
	struct arena_image *fresh; /**< with the prelude in it, and no script */
	JSRuntime *rt;
	JSContext *ctx;
	JSValue prepare, run, failed; /**< the prelude's */
	JSValue publish;              /**< makes a module's exports global */
	uint64_t random[2];           /**< outside of the arena, so that two calls do not get the same numbers */
	jmp_buf out;                  /**< where to go when there is no memory left */
	bool is_guarded;              /**< `out` may be taken */
	char *text;                   /**< while it is read */
};

struct engine_script {
	struct arena_image *image;
	JSValue code; /**< in the image: bytecode, or a module */
};

/* ---- memory ---- */

/* The allocator is asked for a piece's size without being told whose it is, and a process has one engine. */
static struct arena *the_arena;

/* QuickJS does not look after every allocation that may fail; and a script that has used up its memory is not to go on. What it leaves
 * behind halfway matters to nobody: all of it lies in the arena, which is put back. */
static void *got(struct engine *e, void *p)
{
	if (!p && e->is_guarded)
		longjmp(e->out, 1);
	return p;
}

static void *take(JSMallocState *s, size_t n)
{
	struct engine *e = s->opaque;
	void *p = got(e, arena_take(e->arena, n));
	if (p) {
		s->malloc_count++;
		s->malloc_size += arena_room(e->arena, p); /* it starts the collector */
	}
	return p;
}

static void give(JSMallocState *s, void *p)
{
	struct engine *e = s->opaque;
	if (!p)
		return;
	s->malloc_count--;
	s->malloc_size -= arena_room(e->arena, p);
	arena_give(e->arena, p);
}

static void *resize(JSMallocState *s, void *p, size_t n)
{
	struct engine *e = s->opaque;
	if (!p)
		return n ? take(s, n) : NULL;
	if (!n) {
		give(s, p);
		return NULL;
	}
	size_t before = arena_room(e->arena, p);
	void *q = got(e, arena_resize(e->arena, p, n));
	if (q)
		s->malloc_size = s->malloc_size - before + arena_room(e->arena, q);
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
	if (strstr(ret->message, "stack overflow"))
		ret->outcome = SCRIPT_STACK;
	return 1;
}

/* ---- the engine ---- */

/** QuickJS's parser wants a NUL at the end. */
static JSValue evaluate(struct engine *e, struct str text, const char *name, int flags)
{
	e->text = malloc(text.n + 1);
	if (!e->text)
		return JS_ThrowOutOfMemory(e->ctx);
	memcpy(e->text, text.p, text.n);
	e->text[text.n] = 0;
	JSValue v = JS_Eval(e->ctx, e->text, text.n, name, flags);
	free(e->text);
	e->text = NULL;
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

/** Math.random: xorshift128+, for nobody who needs secrets. */
static JSValue chance(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
	(void)self, (void)argc, (void)argv;
	struct engine *e = JS_GetContextOpaque(ctx);
	uint64_t a = e->random[0], b = e->random[1];
	a ^= a << 23;
	a ^= a >> 17 ^ b ^ b >> 26;
	e->random[0] = b, e->random[1] = a;
	return JS_NewFloat64(ctx, ldexp((double)((a + b) >> 11), -53));
}

static bool set_chance(struct engine *e)
{
	if (getrandom(e->random, sizeof e->random, 0) != (ssize_t)sizeof e->random)
		e->random[0] = 1;
	JS_SetContextOpaque(e->ctx, e);
	JSValue global = JS_GetGlobalObject(e->ctx), math = JS_GetPropertyStr(e->ctx, global, "Math");
	int r = JS_DefinePropertyValueStr(e->ctx, math, "random", JS_NewCFunction(e->ctx, chance, "random", 0), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
	JS_FreeValue(e->ctx, math);
	JS_FreeValue(e->ctx, global);
	return r > 0;
}

static bool furnish(struct engine *e)
{
	if (!set_chance(e))
		return false;
	JSValue prelude = evaluate(e, engine_prelude(), "prelude.js", JS_EVAL_TYPE_GLOBAL);
	e->prepare = JS_GetPropertyStr(e->ctx, prelude, "prepare");
	e->run = JS_GetPropertyStr(e->ctx, prelude, "run");
	e->failed = JS_GetPropertyStr(e->ctx, prelude, "failed");
	e->publish = evaluate(e, (struct str){ publishing, sizeof publishing - 1 }, "prelude.js", JS_EVAL_TYPE_GLOBAL);
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
	free(e->text);
	free(e);
	the_arena = NULL;
}

static struct engine *create(void)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e || !(e->arena = the_arena = arena_new(ENGINE_MEMORY_MAX)) || !(e->rt = JS_NewRuntime2(&memory, e)))
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
	JSValue code = evaluate(e, text, SCRIPT_FILE, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
	if (!JS_IsException(code) || (!memmem(text.p, text.n, "export", 6) && !memmem(text.p, text.n, "import", 6)))
		return code;
	/* What was wrong with it as a script is of no interest. */
	arena_restore(e->arena, e->fresh);
	JS_UpdateStackTop(e->rt);
	return evaluate(e, text, SCRIPT_FILE, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
}

/** What is done under guard: one of two things. */
struct work {
	struct engine_script *script;
	struct str text;     /**< a script's, or a request */
	struct text *answer; /**< NULL: compile */
	struct engine_error *err;
};

static int do_compile(struct engine *e, const struct work *w)
{
	struct engine_script *s = w->script;
	s->code = compile_text(e, w->text);
	if (JS_IsException(s->code))
		return thrown(e, SCRIPT_SYNTAX, w->err);
	JSValue t = JS_NewStringLen(e->ctx, w->text.p, w->text.n);
	JSValue done = JS_Call(e->ctx, e->prepare, JS_UNDEFINED, 1, &t);
	JS_FreeValue(e->ctx, t);
	return JS_IsException(done) ? thrown(e, SCRIPT_THREW, w->err) : 0;
}

static int do_run(struct engine *e, const struct work *w);

static int guarded(struct engine *e, const struct arena_image *from, const struct work *w)
{
	arena_restore(e->arena, from);
	JS_UpdateStackTop(e->rt);
	free(e->text); /* of one that did not come back */
	e->text = NULL;
	if (setjmp(e->out)) {
		e->is_guarded = false;
		*w->err = ENGINE_OUT_OF_MEMORY;
		return 1;
	}
	e->is_guarded = true;
	int r = w->answer ? do_run(e, w) : do_compile(e, w);
	e->is_guarded = false;
	return r;
}

static int compile(struct engine *e, struct str text, struct engine_script **ret, struct engine_error *ret_err)
{
	struct engine_script *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	int r = guarded(e, e->fresh, &(struct work){ .script = s, .text = text, .err = ret_err });
	if (!r && !(s->image = arena_save(e->arena)))
		r = -ENOMEM;
	if (r)
		free(s);
	else
		*ret = s;
	return r;
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
		if (state == JS_PROMISE_FULFILLED) {
			JSValue names = JS_GetModuleNamespace(e->ctx, module);
			v = JS_Call(e->ctx, e->publish, JS_UNDEFINED, 1, &names);
		} else {
			v = JS_ThrowTypeError(e->ctx, "await outside of functions: nothing comes here that could be waited for");
		}
	}
	if (JS_IsException(v)) {
		*ret_error = JS_GetException(e->ctx);
		return false;
	}
	return true;
}

/** Half a character is no UTF-8: JSON.stringify has it as \udXXX, the rest of the world as U+FFFD. */
static void put_answer(struct text *out, struct str s)
{
	size_t from = 0;
	for (size_t i = 0; i + 1 < s.n; i++) {
		if (s.p[i] != '\\')
			continue;
		if (i + 5 < s.n && s.p[i + 1] == 'u' && s.p[i + 2] == 'd' && strchr("89abcdef", s.p[i + 3])) {
			text_put(out, (struct str){ s.p + from, i - from });
			text_puts(out, "\xef\xbf\xbd");
			from = i + 6;
			i += 4;
		}
		i++;
	}
	text_put(out, (struct str){ s.p + from, s.n - from });
}

static int do_run(struct engine *e, const struct work *w)
{
	size_t n;
	JSValue argument = JS_UNDEFINED;
	bool up = run_top(e, w->script, &argument);
	if (up)
		argument = JS_NewStringLen(e->ctx, w->text.p, w->text.n);
	JSValue said = JS_Call(e->ctx, up ? e->run : e->failed, JS_UNDEFINED, 1, &argument);
	const char *z = JS_IsException(said) ? NULL : JS_ToCStringLen(e->ctx, &n, said);
	if (!z)
		return thrown(e, SCRIPT_THREW, w->err);
	put_answer(w->answer, (struct str){ z, n });
	if (!w->answer->failed)
		return 0;
	*w->err = (struct engine_error){ .outcome = SCRIPT_OUTPUT, .message = "it returned more than there may be" };
	return 1;
}

static int run(struct engine *e, struct engine_script *s, struct str request, struct text *answer, struct engine_error *ret_err)
{
	return guarded(e, s->image, &(struct work){ .script = s, .text = request, .answer = answer, .err = ret_err });
}

const struct engine_kind the_engine = {
	.name = "QuickJS",
	.modern = true,
	.create = create,
	.destroy = destroy,
	.compile = compile,
	.drop = drop,
	.kept = kept,
	.run = run,
};

/** @file Duktape as an engine: one heap, all of it in an arena, put back by copying before each call. */
#include "as/scripts/arena.h"
#include "as/scripts/engine.h"
#include <duktape.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { UNICODE_MAX = 0x10ffff, LONE = 0xfffd };

struct engine {
	struct arena *arena;
	duk_context *heap;         /* in the arena; its stack: the prelude's run and failed, then a script's program */
	struct arena_image *fresh; /* with the prelude: prepare lies on the stack as well, above the others */
	uint64_t random[2];        /* outside, so that two calls do not get the same numbers */
};

struct engine_script {
	struct arena_image *image;
};

/* What the protected functions below are given, and where they leave their result. */
struct work {
	struct engine *engine;
	struct str text;
	struct text *out;
	unsigned line;
};

/* ---- characters: Duktape has UTF-16's halves as three octets each (CESU-8) ---- */

static size_t put_code(char *p, uint32_t code)
{
	p[0] = (char)(0xe0 | code >> 12);
	p[1] = (char)(0x80 | (code >> 6 & 63));
	p[2] = (char)(0x80 | (code & 63));
	return 3;
}

/* Push UTF-8, its characters beyond U+FFFF as two halves. */
static void push_text(duk_context *c, struct str s)
{
	bool halves = false;
	for (size_t i = 0; i < s.n && !halves; i++)
		halves = (unsigned char)s.p[i] >= 0xf0;
	if (!halves) {
		duk_push_lstring(c, s.p, s.n);
		return;
	}
	char *buf = duk_push_fixed_buffer(c, s.n + s.n / 2 + 3); /* four octets become six */
	size_t n = 0;
	while (s.n) {
		size_t len = utf8_length(s);
		if (len == 4) {
			const unsigned char *p = (const unsigned char *)s.p;
			uint32_t code = (uint32_t)((p[0] & 7) << 18 | (p[1] & 63) << 12 | (p[2] & 63) << 6 | (p[3] & 63)) - 0x10000;
			n += put_code(buf + n, 0xd800 | code >> 10);
			n += put_code(buf + n, 0xdc00 | (code & 0x3ff));
		} else {
			len = len ? len : 1;
			memcpy(buf + n, s.p, len);
			n += len;
		}
		s.p += len, s.n -= len;
	}
	duk_push_lstring(c, buf, n);
	duk_remove(c, -2);
}

/* The code point at the front, surrogates and Duktape's own longer forms included. @return its octets */
static size_t take_code(const unsigned char *p, size_t n, uint32_t *ret)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
	*ret = LONE;
	if (!len || len > n)
		return 1;
	uint32_t code = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (p[i] & 63);
	}
	*ret = code;
	return len;
}

static void put_text(struct text *out, const char *z, size_t n)
{
	const unsigned char *p = (const unsigned char *)z;
	while (n) {
		uint32_t code, low = 0;
		char utf8[4];
		size_t len = take_code(p, n, &code), more = 0;
		if (code >= 0xd800 && code < 0xdc00 && n > len)
			more = take_code(p + len, n - len, &low);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			len += more;
		}
		if ((code >= 0xd800 && code < 0xe000) || code > UNICODE_MAX)
			code = LONE;
		text_put(out, (struct str){ utf8, utf8_encode(code, utf8) });
		p += len, n -= len;
	}
}

/* ---- the heap ---- */

static void *heap_take(void *e, duk_size_t n)
{
	return arena_take(((struct engine *)e)->arena, n);
}

static void *heap_resize(void *e, void *p, duk_size_t n)
{
	return arena_resize(((struct engine *)e)->arena, p, n);
}

static void heap_give(void *e, void *p)
{
	arena_give(((struct engine *)e)->arena, p);
}

/* Duktape itself is at its end: nothing in the process may go on. */
static void heap_fatal(void *e, const char *why)
{
	(void)e, (void)why;
	abort();
}

/* Math.random: xorshift128+, for nobody who needs secrets. */
static duk_ret_t chance(duk_context *c)
{
	duk_memory_functions f;
	duk_get_memory_functions(c, &f);
	struct engine *e = f.udata;
	uint64_t a = e->random[0], b = e->random[1];
	a ^= a << 23;
	a ^= a >> 17 ^ b ^ b >> 26;
	e->random[0] = b, e->random[1] = a;
	duk_push_number(c, ldexp((double)((a + b) >> 11), -53));
	return 1;
}

static duk_ret_t load_prelude(duk_context *c, void *ctx)
{
	(void)ctx;
	struct str prelude = engine_prelude();
	duk_get_global_string(c, "Math");
	duk_push_c_function(c, chance, 0);
	duk_put_prop_string(c, -2, "random");
	duk_pop(c);
	duk_push_global_object(c);
	duk_del_prop_string(c, -1, "Duktape"); /* finalizers, coroutines, internal views of values: nothing for a codec */
	duk_pop(c);
	duk_push_lstring(c, prelude.p, prelude.n);
	duk_push_string(c, "prelude.js");
	duk_compile(c, DUK_COMPILE_EVAL);
	duk_call(c, 0);
	duk_get_prop_string(c, -1, "run");
	duk_get_prop_string(c, -2, "failed");
	duk_get_prop_string(c, -3, "prepare");
	duk_remove(c, -4);
	return 3;
}

static void destroy(struct engine *e)
{
	if (!e)
		return;
	arena_image_free(e->fresh);
	arena_free(e->arena);
	free(e);
}

static struct engine *create(void)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	if (getrandom(e->random, sizeof e->random, 0) != (ssize_t)sizeof e->random)
		e->random[0] = 1;
	e->arena = arena_new(ENGINE_MEMORY_MAX);
	if (e->arena)
		e->heap = duk_create_heap(heap_take, heap_resize, heap_give, e, heap_fatal);
	if (e->heap && !duk_safe_call(e->heap, load_prelude, NULL, 0, 3))
		e->fresh = arena_save(e->arena);
	if (e->fresh)
		return e;
	destroy(e);
	return NULL;
}

/* ---- errors that no prelude has seen ---- */

/* Looking at an error may run a script's getters, hence protected. */
static duk_ret_t tell(duk_context *c, void *ctx)
{
	struct work *w = ctx;
	if (duk_is_object(c, -1)) {
		duk_get_prop_string(c, -1, "lineNumber");
		w->line = duk_get_uint(c, -1);
		duk_pop(c);
	}
	duk_size_t n;
	const char *z = duk_to_lstring(c, -1, &n);
	put_text(w->out, z, n);
	return 0;
}

/* The error lies on top of the stack. Duktape says the line once more at the end of a SyntaxError's message: that is cut off. */
static void read_error(struct engine *e, struct engine_error *ret)
{
	struct text message = text_fixed(ret->message, sizeof ret->message);
	struct work w = { .engine = e, .out = &message };
	ret->line = 0;
	if (duk_safe_call(e->heap, tell, &w, 1, 0)) {
		text_reset(&message);
		text_puts(&message, "something that cannot be shown");
	}
	ret->line = w.line;
	char *tail = strstr(ret->message, " (line ");
	if (tail && ret->outcome == SCRIPT_SYNTAX) {
		ret->line = (unsigned)strtoul(tail + 7, NULL, 10);
		*tail = '\0';
	}
	if (arena_exhausted(e->arena))
		*ret = ENGINE_OUT_OF_MEMORY;
	else if (strstr(ret->message, "recursion limit") || strstr(ret->message, "stack limit"))
		ret->outcome = SCRIPT_STACK;
}

/* ---- scripts ---- */

static duk_ret_t compile_text(duk_context *c, void *ctx)
{
	const struct work *w = ctx;
	push_text(c, w->text);
	duk_dup(c, -2);  /* prepare */
	duk_dup(c, -2);
	duk_call(c, 1);
	duk_pop(c);
	duk_push_string(c, "formatter.js");
	duk_compile(c, 0);
	return 1;
}

static int compile(struct engine *e, struct str text, struct engine_script **ret, struct engine_error *ret_err)
{
	struct work w = { .engine = e, .text = text };
	struct engine_script *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	arena_restore(e->arena, e->fresh);
	if (duk_safe_call(e->heap, compile_text, &w, 0, 1)) {
		free(s);
		ret_err->outcome = SCRIPT_SYNTAX;
		read_error(e, ret_err);
		return 1;
	}
	duk_remove(e->heap, -2); /* prepare, with the library of which the script needs no more than it has */
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
	return arena_image_size(s->image);
}

static duk_ret_t run_script(duk_context *c, void *ctx)
{
	const struct work *w = ctx;
	duk_dup(c, 2);
	if (duk_pcall(c, 0)) {
		duk_dup(c, 1);
		duk_insert(c, -2);
	} else {
		duk_pop(c);
		duk_dup(c, 0);
		push_text(c, w->text);
	}
	duk_call(c, 1);
	duk_size_t n;
	const char *z = duk_require_lstring(c, -1, &n);
	put_text(w->out, z, n);
	return 0;
}

static int run(struct engine *e, struct engine_script *s, struct str request, struct text *answer, struct engine_error *ret_err)
{
	struct work w = { .engine = e, .text = request, .out = answer };
	size_t before = answer->len;
	arena_restore(e->arena, s->image);
	if (duk_safe_call(e->heap, run_script, &w, 0, 1)) {
		ret_err->outcome = SCRIPT_THREW;
		read_error(e, ret_err);
		return 1;
	}
	if (answer->failed) {
		*ret_err = (struct engine_error){ .outcome = SCRIPT_OUTPUT, .message = "it returned more than there may be" };
		return 1;
	}
	struct str said = { answer->p + before, answer->len - before };
	if (arena_exhausted(e->arena) && !str_starts(said, "ok\n")) {
		*ret_err = ENGINE_OUT_OF_MEMORY;
		return 1;
	}
	return 0;
}

const struct engine_kind the_engine = {
	.name = "Duktape 2.7",
	.create = create,
	.destroy = destroy,
	.compile = compile,
	.drop = drop,
	.kept = kept,
	.run = run,
};

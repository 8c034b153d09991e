/** @file Parts of what runs scripts: the arena that is put back, the scanner that explains what an older engine refuses, and answers. */
#include "as/scripts/answer.h"
#include "as/scripts/arena.h"
#include "as/scripts/syntax.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- the arena ---- */

START_TEST(an_arena_is_what_it_was)
{
	struct arena *a = arena_new(1 << 20);
	ck_assert_ptr_nonnull(a);
	char *kept = arena_take(a, 100);
	strcpy(kept, "kept");
	arena_give(a, arena_take(a, 40));
	struct arena_image *i = arena_save(a);
	size_t used = arena_used(a);
	void *first = arena_take(a, 40), *second = arena_take(a, 5000);
	for (int round = 0; round < 3; round++) {
		strcpy(kept, "gone");
		arena_give(a, kept);
		while (arena_take(a, 3000))
			;
		ck_assert(arena_exhausted(a));
		arena_restore(a, i);
		ck_assert(!arena_exhausted(a));
		ck_assert_uint_eq(arena_used(a), used);
		ck_assert_str_eq(kept, "kept");
		ck_assert_ptr_eq(arena_take(a, 40), first);
		ck_assert_ptr_eq(arena_take(a, 5000), second);
	}
	arena_image_free(i);
	arena_free(a);
}
END_TEST

static bool all_are(const uint8_t *p, size_t n, unsigned k)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != k)
			return false;
	return true;
}

/* Pieces of all sizes, each filled with an octet of its own, that grow, shrink and go, by a generator of chance. */
START_TEST(pieces_of_an_arena_keep_apart)
{
	enum { PIECES = 200 };
	struct arena *a = arena_new(4 << 20);
	struct { uint8_t *p; size_t n; } piece[PIECES] = { { NULL, 0 } };
	uint32_t chance = 1;
	for (int step = 0; step < 20000; step++) {
		chance = chance * 1664525 + 1013904223;
		unsigned k = (chance >> 8) % PIECES;
		size_t n = (chance >> 16) % (k % 10 ? 300 : 20000);
		ck_assert(all_are(piece[k].p, piece[k].n, k));
		if (chance % 5 == 0) {
			arena_give(a, piece[k].p);
			piece[k].p = NULL, piece[k].n = 0;
			continue;
		}
		uint8_t *p = arena_resize(a, piece[k].p, n);
		ck_assert(p || !n);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		ck_assert_uint_ge(arena_room(a, p), n);
		ck_assert(all_are(p, piece[k].n < n ? piece[k].n : n, k));
		piece[k].p = p, piece[k].n = n;
		if (n)
			memset(p, (int)k, n);
	}
	for (unsigned k = 0; k < PIECES; k++)
		arena_give(a, piece[k].p);
	ck_assert_uint_eq(arena_used(a), 0);
	arena_free(a);
}
END_TEST

START_TEST(an_arena_has_its_limit)
{
	struct arena *a = arena_new(1 << 20);
	ck_assert_ptr_null(arena_take(a, (1 << 20) + 1));
	ck_assert_ptr_null(arena_take(a, SIZE_MAX));
	void *p = arena_take(a, 1000);
	ck_assert_ptr_null(arena_resize(a, p, SIZE_MAX - 4));
	ck_assert_ptr_nonnull(arena_resize(a, p, 900000)); /* the last piece grows where it is */
	ck_assert_ptr_null(arena_take(a, 200000));
	arena_free(a);
}
END_TEST

/* ---- syntax ---- */

static void lacks(const char *text, const char *what, unsigned line)
{
	struct syntax_lack l = syntax_lack(str_of(text));
	ck_assert_msg(l.what && strstr(l.what, what), "%s: %s instead of %s", text, l.what ? l.what : "nothing", what);
	ck_assert_msg(l.line == line, "%s: line %u", text, l.line);
}

START_TEST(what_came_after_5_1_is_named)
{
	lacks("var a = 1;\n\nlet b = 2;", "let", 3);
	lacks("a.map(function (x) { return x; }).map(x =>\n x)", "arrow", 1);
	lacks("// let\n/* `\n */ var s = `x`", "template", 3);
	lacks("var s = 'a\\\nb'; class A {}", "classes", 2);
	lacks("const { a } = b;", "destructuring", 1);
	lacks("function f(a, { b }) {}", "destructuring", 1);
	lacks("function f(a = 1) {}", "default values", 1);
	lacks("f(...a)", "spread", 1);
	lacks("for (var x of y) {}", "for ... of", 1);
	lacks("for (const k in o) {}", "for (const", 1);
	lacks("async function f() {}", "async", 1);
	lacks("function* g() {}", "generators", 1);
	lacks("a?.b", "optional chaining", 1);
	lacks("var x = a ?\?\nb", "??", 1);
	lacks("a ||= b", "||=", 1);
	lacks("var n = 10n;", "BigInt", 1);
	lacks("var n = 1_000;", "separators", 1);
	lacks("try { } catch { }", "catch", 1);
	lacks("export function f() {}", "modules", 1);
	lacks("/a/u.test(b)", "flags u and y", 1);
	lacks("/a/s.test(b)", "flag s", 1);
	lacks("var r = /(?<n>a)/;", "named groups", 1);
	lacks("function f(a,) {}", "comma", 1);
}
END_TEST

START_TEST(what_5_1_has_is_not)
{
	static const char *const old[] = {
		"", "var let, of; let = 1; of = 2; o.class = o.let + o.async; o = { class: 1, let: 2, await: 3, import: 4 };", "x = a ? .5 : b ? c : d;",
		"var r = /[/`]=>\\/`/g, s = \"=> ... `\", t = 'let x' // let x = `\n", "function f(a, b) { var c = a == b, d = { e: [a, b] }; for (var i = 0; i < d; i++) ; }",
		"a = b / c / d; e = f[0] / g(1) / 2; return /x/;", "for (var k in o) if (k) { continue; }", "x = 0x1n; y = 1e+5 + .5; var \xc3\xa9 = 1;", "/* never ends", "'nor does this",
		"/nor [this", "a++ / b; c-- / d", "f(function (a) { return { b: a }; }, [1, 2], { c: 3 })", "catch (e) { x = e; }", "\\", "\x01\xff\xfe",
	};
	for (size_t i = 0; i < COUNT(old); i++) {
		struct syntax_lack l = syntax_lack(str_of(old[i]));
		ck_assert_msg(!l.what, "%s: %s", old[i], l.what);
	}
}
END_TEST

/* ---- answers ---- */

START_TEST(answers_are_believed_as_far_as_they_can_be_checked)
{
	static struct script_answer m;
	struct script_result r;
	ck_assert_int_eq(script_answer_read(STR("ok\n\n\n{\"a\":1}\n[\"w\"]\n1\n[{}]\n[\"n\"]\n\"e\"\n\n"), SCRIPT_DECODE_UPLINK, &m, &r), 0);
	ck_assert(r.outcome == SCRIPT_OK && str_is(r.data, "{\"a\":1}") && str_is(r.warnings, "[\"w\"]") && r.has_normalizer && str_is(r.normalized, "[{}]"));
	ck_assert(str_is(r.normalized_warnings, "[\"n\"]") && str_is(r.normalized_error, "e"));
	ck_assert_int_eq(script_answer_read(STR("ok\n\n\n\n\n\n\n\n\n01ff\n255"), SCRIPT_ENCODE_DOWNLINK, &m, &r), 0);
	ck_assert(r.bytes.n == 2 && r.bytes.p[1] == 255 && r.has_f_port && r.f_port == 255);
	ck_assert_int_eq(script_answer_read(STR("threw\n7\n\"x\\ny\"\n\n\n\n\n\n\n\n"), SCRIPT_DECODE_UPLINK, &m, &r), 0);
	ck_assert(r.outcome == SCRIPT_THREW && r.line == 7 && str_is(r.message, "x\ny"));
	static const char *const none[] = {
		"", "ok", "ok\n\n\n\n\n\n\n\n\n", "ok\n\n\n\n\n\n\n\n\n\n\n", "fine\n\n\n\n\n\n\n\n\n\n", "ok\n\n\n[1]\n\n\n\n\n\n\n", "ok\n\n\n{\"a\":}\n\n\n\n\n\n\n",
		"ok\n\n\n{} \n\n\n\n\n\n\n", "ok\n\n\n{}{}\n\n\n\n\n\n\n", "ok\n\n\n{\"a\":\"\xff\"}\n\n\n\n\n\n\n", "ok\n\n\n\n{}\n\n\n\n\n\n", "ok\nx\n\n\n\n\n\n\n\n\n",
		"ok\n\nno string\n\n\n\n\n\n\n\n", "ok\n\n\"words\"\n\n\n\n\n\n\n\n", "ok\n\n\n\n\n\n\n\n\n0102\n", "ok\n\n\n\n\n\n\n\n\n\n3", "ok\n\n1\n\n\n\n\n\n\n\n",
	};
	for (size_t i = 0; i < COUNT(none); i++)
		ck_assert_msg(script_answer_read(str_of(none[i]), SCRIPT_DECODE_UPLINK, &m, &r) == -EBADMSG, "%s", none[i]);
	static const char *const encoders[] = { "ok\n\n\n{}\n\n\n\n\n\n\n", "ok\n\n\n\n\n\n\n\n\n0\n", "ok\n\n\n\n\n\n\n\n\n00\n0", "ok\n\n\n\n\n\n\n\n\n00\n256" };
	for (size_t i = 0; i < COUNT(encoders); i++)
		ck_assert_msg(script_answer_read(str_of(encoders[i]), SCRIPT_ENCODE_DOWNLINK, &m, &r) == -EBADMSG, "%s", encoders[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("script_parts");
	TCase *t = tcase_create("script_parts");
	suite_add_tcase(s, t);
	tcase_add_test(t, an_arena_is_what_it_was);
	tcase_add_test(t, pieces_of_an_arena_keep_apart);
	tcase_add_test(t, an_arena_has_its_limit);
	tcase_add_test(t, what_came_after_5_1_is_named);
	tcase_add_test(t, what_5_1_has_is_not);
	tcase_add_test(t, answers_are_believed_as_far_as_they_can_be_checked);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

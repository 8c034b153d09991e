/** @file Scripts in processes of their own: what they return, what they may not do, and that whatever one does costs itself only.
 *
 * The children are real: this program, started again. Its engine has three words more, which make it fail as no script
 * should be able to: see engine_kind below. */
#include "as/scripts/engine.h"
#include "as/scripts/once.h"
#include "as/scripts/pool.h"
#include "as/scripts/process.h"
#include "as/scripts/sandbox.h"
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- an engine with faults ---- */

static int faulty_run(struct engine *e, struct engine_script *s, struct str request, struct text *answer, struct engine_error *err)
{
	int r = the_engine.run(e, s, request, answer, err);
	struct str said = { answer->p, answer->len };
	if (memmem(said.p, said.n, "{\"do\":\"fault\"}", 14))
		__builtin_trap();
	if (memmem(said.p, said.n, "{\"do\":\"garbage\"}", 16))
		_exit(write(0, "\0\0\0\5garbage and more", 20) == 20 ? 0 : 1);
	if (memmem(said.p, said.n, "{\"do\":\"lie\"}", 12))
		(void)!write(0, "\0\0\0\12\4\0\0\0\0\0\0\0\0x", 14);
	return r;
}

const struct engine_kind *engine_kind(void)
{
	static struct engine_kind faulty;
	faulty = the_engine;
	faulty.run = faulty_run;
	return &faulty;
}

/* ---- the room ---- */

static struct as as;
static struct as_settings settings;

static void room(unsigned processes)
{
	char words[256];
	struct text err = text_fixed(words, sizeof words);
	settings.script_processes = processes;
	signal(SIGPIPE, SIG_IGN); /* as the server does: a process may end while it is written to */
	as = (struct as){ .loop = loop_new(), .settings = &settings };
	ck_assert_ptr_nonnull(as.loop);
	ck_assert_int_eq(script_pool_start(&as, &err), 0);
}

static void begin_two(void)
{
	room(2);
}

static void end(void)
{
	script_pool_stop(&as);
	loop_free(as.loop);
}

struct asked {
	struct script *script;
	enum script_outcome outcome;
	unsigned line, f_port, order, *counter;
	bool done, has_normalizer;
	char message[4096], data[SCRIPT_JSON_MAX + 1], warnings[4096], normalized[SCRIPT_JSON_MAX + 1], normalized_warnings[1024], normalized_error[2100], bytes[600];
	unsigned *left;
};

static unsigned orders;

static void on_done(void *ctx, const struct script_result *r)
{
	struct asked *a = ctx;
	struct text hex = text_fixed(a->bytes, sizeof a->bytes);
	a->outcome = r->outcome;
	a->line = r->line;
	a->f_port = r->has_f_port ? r->f_port : 0;
	a->has_normalizer = r->has_normalizer;
	a->order = ++orders;
	ck_assert_int_eq(str_copy(r->message, a->message, sizeof a->message), 0);
	ck_assert_int_eq(str_copy(r->data, a->data, sizeof a->data), 0);
	ck_assert_int_eq(str_copy(r->warnings, a->warnings, sizeof a->warnings), 0);
	ck_assert_int_eq(str_copy(r->normalized, a->normalized, sizeof a->normalized), 0);
	ck_assert_int_eq(str_copy(r->normalized_warnings, a->normalized_warnings, sizeof a->normalized_warnings), 0);
	ck_assert_int_eq(str_copy(r->normalized_error, a->normalized_error, sizeof a->normalized_error), 0);
	text_hex(&hex, r->bytes.p, r->bytes.n, false);
	a->done = true;
	if (a->left && !--*a->left)
		loop_stop(as.loop);
}

static uint64_t start(struct asked *a, enum script_call call, const char *text, uint64_t lane, unsigned *left)
{
	static const uint8_t octets[] = { 1, 2, 255 };
	*a = (struct asked){ .script = script_new(str_of(text)), .left = left };
	char app[24];
	snprintf(app, sizeof app, "app%u", (unsigned)lane);
	struct script_job j = { .call = call, .script = a->script, .whose = app, .f_port = 7, .received_unix_us = UINT64_C(1700000000123000),
		.bytes = { octets, sizeof octets }, .data = STR("{\"on\":true,\"name\":\"\xc3\xa9\xf0\x9f\x98\x80\"}"), .done = on_done, .ctx = a };
	uint64_t ticket = scripts_start(&as, &j);
	ck_assert_uint_ne(ticket, 0);
	return ticket;
}

static struct asked *ask(enum script_call call, const char *text)
{
	static struct asked a;
	unsigned left = 1;
	start(&a, call, text, 1, &left);
	ck_assert_int_eq(loop_run(as.loop), 0);
	script_release(a.script);
	ck_assert(a.done);
	return &a;
}

static struct asked *up(const char *text)
{
	return ask(SCRIPT_DECODE_UPLINK, text);
}

#define UP(body) "function decodeUplink(input) { " body " }"
#define DOWN(body) "function encodeDownlink(input) { " body " }"

static void gives(const char *text, const char *data)
{
	struct asked *a = up(text);
	ck_assert_msg(a->outcome == SCRIPT_OK, "%s: %s: %s", text, script_outcome_word(a->outcome), a->message);
	ck_assert_str_eq(a->data, data);
}

static void ends(const char *text, enum script_outcome outcome, const char *words)
{
	struct asked *a = up(text);
	ck_assert_msg(a->outcome == outcome, "%s: %s instead of %s: %s %s", text, script_outcome_word(a->outcome), script_outcome_word(outcome), a->message,
		a->data);
	ck_assert_msg(strstr(a->message, words), "%s: \"%s\" has no \"%s\"", text, a->message, words);
	ck_assert_str_eq(a->data, "");
}

/* Another application's script, right behind. */
static void the_next_is_well(void)
{
	gives(UP("return { data: { n: input.bytes[2] } };"), "{\"n\":255}");
}

/* ---- what functions are called with, and return ---- */

START_TEST(a_decoder_gets_what_the_things_stack_gives)
{
	gives(UP("return { data: { b: input.bytes, array: Array.isArray(input.bytes), port: input.fPort, at: input.recvTime.toISOString(), "
		 "vars: input.variables } };"),
		"{\"b\":[1,2,255],\"array\":true,\"port\":7,\"at\":\"2023-11-14T22:13:20.123Z\",\"vars\":{}}");
	gives("var decodeUplink = function (i) { return { data: { a: 1 }, errors: [], warnings: null }; };", "{\"a\":1}");
	gives("function Decoder(bytes, port) { return { s: bytes.length + port }; }", "{\"s\":10}");
	gives("function Decode(fPort, bytes, variables) { return { s: bytes.length - fPort, v: variables }; }", "{\"s\":-4,\"v\":{}}");
	struct asked *a = ask(SCRIPT_DECODE_DOWNLINK, "function decodeDownlink(i) { return { data: { n: i.bytes[1] + i.fPort } }; }");
	ck_assert_str_eq(a->data, "{\"n\":9}");
	a = up(UP("return { data: {}, warnings: ['w1', \"\\u2028\"], errors: [] };"));
	ck_assert_str_eq(a->data, "{}");
	/* ECMAScript 2019 leaves it as it is. */
	ck_assert_str_eq(a->warnings, the_engine.modern ? "[\"w1\",\"\xe2\x80\xa8\"]" : "[\"w1\",\"\\u2028\"]");
	ck_assert_int_eq(a->has_normalizer, false);
	ck_assert_str_eq(a->normalized, "[{}]");
}
END_TEST

START_TEST(an_encoder_gets_values_and_gives_octets)
{
	struct asked *a = ask(SCRIPT_ENCODE_DOWNLINK, DOWN("return { bytes: [input.data.on ? 1 : 0, input.data.name.length, input.fPort, 3.99], fPort: 9, warnings: ['w'] };"));
	ck_assert_msg(a->outcome == SCRIPT_OK, "%s", a->message);
	ck_assert_str_eq(a->bytes, "01030703");
	ck_assert_uint_eq(a->f_port, 9);
	ck_assert_str_eq(a->warnings, "[\"w\"]");
	a = ask(SCRIPT_ENCODE_DOWNLINK, "function Encoder(o, port) { return [port]; }");
	ck_assert_str_eq(a->bytes, "07");
	ck_assert_uint_eq(a->f_port, 0);
	a = ask(SCRIPT_ENCODE_DOWNLINK, "function Encode(fPort, o, v) { return new Uint8Array([fPort, 200]); }");
	ck_assert_str_eq(a->bytes, "07c8");
	a = ask(SCRIPT_ENCODE_DOWNLINK, DOWN("var b = new ArrayBuffer(2); new DataView(b).setInt16(0, -2); return { bytes: b };"));
	ck_assert_str_eq(a->bytes, "fffe");
	a = ask(SCRIPT_ENCODE_DOWNLINK, DOWN("return { bytes: [] };"));
	ck_assert_int_eq(a->outcome, SCRIPT_OK);
	static const char *const wrong[][2] = {
		{ "bytes: [-1]", "bytes[0] is -1" }, { "bytes: [0, 256]", "bytes[1] is 256" }, { "bytes: ['7']", "bytes[0] is \"7\"" },
		{ "bytes: [NaN]", "bytes[0] is NaN" }, { "bytes: [Infinity]", "Infinity" }, { "bytes: [,1]", "bytes[0] is nothing" },
		{ "bytes: 'ab'", "not an array" }, { "bytes: {}", "not an array" }, { "bytes: null", "not an array" }, { "", "not an array" },
		{ "bytes: new Array(256)", "256" }, { "bytes: { length: 1e9 }", "255" }, { "bytes: [1], fPort: 0", "fPort is 0" },
		{ "bytes: [1], fPort: 256", "fPort is 256" }, { "bytes: [1], fPort: '2'", "fPort is a string" },
	};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		char text[200];
		snprintf(text, sizeof text, DOWN("return { %s };"), wrong[i][0]);
		a = ask(SCRIPT_ENCODE_DOWNLINK, text);
		ck_assert_msg(a->outcome == SCRIPT_BAD_RESULT, "%s: %s", wrong[i][0], script_outcome_word(a->outcome));
		ck_assert_msg(strstr(a->message, wrong[i][1]), "%s: %s", wrong[i][0], a->message);
		ck_assert_str_eq(a->bytes, "");
	}
}
END_TEST

START_TEST(a_normalizer_is_called_with_the_data)
{
	struct asked *a = up(UP("return { data: { t: 21.5 } };") "function normalizeUplink(i) { return { data: { air: { temperature: i.data.t } }, warnings: ['w'] }; }");
	ck_assert(a->has_normalizer);
	ck_assert_str_eq(a->normalized, "[{\"air\":{\"temperature\":21.5}}]");
	ck_assert_str_eq(a->normalized_warnings, "[\"w\"]");
	a = up(UP("return { data: { t: 1 } };") "function normalizeUplink(i) { return { data: [{}, { time: 'x' }] }; }");
	ck_assert_str_eq(a->normalized, "[{},{\"time\":\"x\"}]");
	a = up(UP("return { data: { t: 1 } };") "function normalizeUplink(i) { return { errors: ['e1', 'e2'] }; }");
	ck_assert_str_eq(a->data, "{\"t\":1}");
	ck_assert_str_eq(a->normalized, "");
	ck_assert_str_eq(a->normalized_error, "normalizeUplink: e1, e2");
	a = up(UP("return { data: { t: 1 } };") "function normalizeUplink(i) {\n return i.x.y; }");
	ck_assert_msg(strstr(a->normalized_error, "normalizeUplink: line 2: TypeError"), "%s", a->normalized_error);
	a = up(UP("return { errors: ['no'] };") "function normalizeUplink(i) { for (;;) ; }");
	ck_assert_int_eq(a->outcome, SCRIPT_ERRORS);
	ck_assert_str_eq(a->message, "decodeUplink: no");
}
END_TEST

START_TEST(what_is_wrong_is_said_with_its_line)
{
	ends("function decodeUplink(input) {\n\n return input.no.such;\n}", SCRIPT_THREW, "decodeUplink: line 3: TypeError");
	ck_assert_uint_eq(up("\n\nnope();")->line, 3);
	ends("\n\nnope();" UP(""), SCRIPT_THREW, "line 3: ReferenceError");
	ends("\nfunction decodeUplink( ) { ] }", SCRIPT_SYNTAX, "line 2: SyntaxError");
	if (!the_engine.modern) {
		ends("var a = 1;\nvar b = (x) => x;", SCRIPT_SYNTAX, "line 2: arrow functions need an engine with ECMAScript 2015; this one (Duktape 2.7) has 5.1");
		ck_assert_uint_eq(up("var a = 1;\nlet b = 1;")->line, 2);
	}
	ends("", SCRIPT_NO_FUNCTION, "decodeUplink");
	ends("var decodeUplink = 3;", SCRIPT_NO_FUNCTION, "decodeUplink");
	ends(DOWN("return 1;"), SCRIPT_NO_FUNCTION, "decodeUplink");
	ends(UP("return { errors: ['a', 'b'] };"), SCRIPT_ERRORS, "decodeUplink: a, b");
	ends(UP("return { data: { a: 1 }, errors: 'one' };"), SCRIPT_ERRORS, "decodeUplink: one");
	ends(UP("return 3;"), SCRIPT_BAD_RESULT, "a number");
	ends(UP(""), SCRIPT_BAD_RESULT, "nothing");
	ends(UP("return null;"), SCRIPT_BAD_RESULT, "null");
	ends(UP("return { temperature: 1 };"), SCRIPT_BAD_RESULT, "neither data nor errors");
	ends(UP("return { data: [1] };"), SCRIPT_BAD_RESULT, "an array");
	ends(UP("return { data: 'x' };"), SCRIPT_BAD_RESULT, "a string");
	ends(UP("return { data: { toJSON: function () { return 1; } } };"), SCRIPT_BAD_RESULT, "no object of JSON");
	/* Nor does one that overwrites what the prelude might use cost more than its own call. */
	ends(UP("var e = new Error('x'); e.stack = 'formatter.js:99999999999999999999'; throw e;"), SCRIPT_THREW, "Error: x");
	struct asked *own = ask(SCRIPT_ENCODE_DOWNLINK, "String.prototype.charAt = function () { return '\\n'; };" DOWN("return { bytes: [1, 255] };"));
	ck_assert_int_eq(own->outcome, SCRIPT_OK);
	ck_assert_str_eq(own->bytes, "01ff");
	struct asked *a = up(UP("return { data: undefined };"));
	ck_assert_int_eq(a->outcome, SCRIPT_OK);
	ck_assert_str_eq(a->data, "");
	static char long_one[SCRIPT_TEXT_MAX];
	memset(long_one, ' ', sizeof long_one);
	memcpy(long_one + sizeof long_one - 60, UP("return { data: { a: 1 } };"), sizeof UP("return { data: { a: 1 } };"));
	gives(long_one, "{\"a\":1}");
}
END_TEST

START_TEST(values_that_are_no_json_become_what_json_makes_of_them)
{
	gives(UP("return { data: { a: NaN, b: Infinity, c: undefined, d: new Date(0), e: function () {}, f: -0, g: [undefined], h: 1e308 * 10 } };"),
		"{\"a\":null,\"b\":null,\"d\":\"1970-01-01T00:00:00.000Z\",\"f\":0,\"g\":[null],\"h\":null}");
	gives(UP("return { data: { s: '\\u00e9\\ud83d\\ude00', half: '\\ud83d', other: '\\ude00x' } };"),
		"{\"s\":\"\xc3\xa9\xf0\x9f\x98\x80\",\"half\":\"\xef\xbf\xbd\",\"other\":\"\xef\xbf\xbdx\"}");
	gives("var s = '\xc3\xa9\xf0\x9f\x98\x80';" UP("return { data: { s: s, n: s.length } };"), "{\"s\":\"\xc3\xa9\xf0\x9f\x98\x80\",\"n\":3}");
	gives(UP("return { data: { s: String.fromCharCode(0, 10, 0xffff) } };"), "{\"s\":\"\\u0000\\n\xef\xbf\xbf\"}");
	gives(UP("return { data: { b: new Uint8Array([1, 2]) } };"), "{\"b\":{\"0\":1,\"1\":2}}");
}
END_TEST

START_TEST(newer_library_functions_are_there)
{
	gives(UP("return { data: { a: [1, 2].includes(2), b: 'x'.padStart(3, '0'), c: Object.assign({}, { k: 1 }), d: Object.entries({ q: 2 }), "
		 "e: Math.trunc(-1.5), f: [3, 4].find(function (v) { return v > 3; }), g: 'ab'.repeat(2), h: Array.from('xy'), i: Number.isInteger(3), "
		 "j: atob('aGk='), k: btoa('hi!'), l: [0, 0].fill(7), m: Math.log2(8), n: 'abc'.startsWith('b', 1), o: [[1], [2]].flat() } };"),
		"{\"a\":true,\"b\":\"00x\",\"c\":{\"k\":1},\"d\":[[\"q\",2]],\"e\":-1,\"f\":4,\"g\":\"abab\",\"h\":[\"x\",\"y\"],\"i\":true,"
		"\"j\":\"hi\",\"k\":\"aGkh\",\"l\":[7,7],\"m\":3,\"n\":true,\"o\":[1,2]}");
	gives("console.log('x');" UP("var t = new Uint8Array(input.bytes); return { data: { h: t.slice(1).join('-'), m: Array.from(t.map(function (v) { return v + 1; })) } };"),
		"{\"h\":\"2-255\",\"m\":[2,3,0]}");
	gives("const K = 2; 'use strict';" UP("for (var k in [5]) { const q = K; } return { data: { k: 2 ** 3 } };"), "{\"k\":8}");
	gives(UP("var own = []; for (var k in [1]) own.push(k); for (var o in {}) own.push(o); return { data: { own: own, i: [].includes(1) } };"),
		"{\"own\":[\"0\"],\"i\":false}");
}
END_TEST

/* Most of today's codecs: what they return is the same. */
START_TEST(a_modern_engine_knows_the_language_of_today)
{
	if (!the_engine.modern)
		return;
	gives("const K = 10;\nlet calls = 0;\nclass Reader { #b; constructor(b) { this.#b = b; } get n() { return this.#b.length; } }\n"
	      "const decodeUplink = ({ bytes: [first, ...rest], fPort = 1 }) => ({ data: { s: `${first}/${rest}`, k: first ** 2 + K, n: new Reader(rest)?.n ?? 0, "
	      "c: ++calls, f: fPort, o: { ...{ a: 1 } }, b: Number(2n ** 8n) } });",
		"{\"s\":\"1/2,255\",\"k\":11,\"n\":2,\"c\":1,\"f\":7,\"o\":{\"a\":1},\"b\":256}");
	gives("export function decodeUplink(input) { return { data: { a: helper(input.bytes) } }; }\nconst helper = (b) => b.at(-1);", "{\"a\":255}");
	gives("function decodeUplink(input) { return { data: { a: 1 } }; }\nexport { decodeUplink };", "{\"a\":1}");
	gives("export default { decodeUplink: (input) => ({ data: { a: 2 } }) };", "{\"a\":2}");
	ends("import { Buffer } from 'buffer';\nfunction decodeUplink() { }", SCRIPT_SYNTAX, "there is no module 'buffer' to import");
	ends("export const a = 1;\nnope();", SCRIPT_THREW, "line 2: ReferenceError");
	ends("export const a = 1;\nfor (;;) ;", SCRIPT_TIMEOUT, "100 ms");
	ends("export const a = await new Promise(() => {});" UP("return { data: {} };"), SCRIPT_THREW, "nothing comes here that could be waited for");
	ends("async " UP("return { data: { a: 1 } };"), SCRIPT_BAD_RESULT, "neither data nor errors");
	gives(UP("try { Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1e6); } catch (e) { return { data: { e: e.name } }; }"), "{\"e\":\"TypeError\"}");
	gives(UP("return { data: { std: typeof std, os: typeof os, wasm: typeof WebAssembly, print: typeof print } };"),
		"{\"std\":\"undefined\",\"os\":\"undefined\",\"wasm\":\"undefined\",\"print\":\"undefined\"}");
	the_next_is_well();
}
END_TEST

/* ---- hostile ones ---- */

START_TEST(a_script_that_does_not_end_is_ended)
{
	static const char *const endless[] = {
		UP("for (;;) ;"), UP("while (true) { try { for (;;) ; } catch (e) { } finally { continue; } }"), "for (;;) ;",
		UP("return { data: { a: /^(a+)+$/.test(new Array(40).join('a') + 'b') } };"),
		UP("return { get data() { for (;;) ; } };"), UP("return { data: { toJSON: function () { for (;;) ; } } };"),
		UP("throw { get message() { for (;;) ; } };"), UP("return { data: {}, warnings: [{ get message() { for (;;) ; } }] };"),
		UP("return { errors: { valueOf: 1, toJSON: function () { for (;;) ; } } };"),
	};
	for (size_t i = 0; i < COUNT(endless); i++) {
		struct asked *a = up(endless[i]);
		ck_assert_msg(a->outcome == SCRIPT_TIMEOUT, "%s: %s: %s %s", endless[i], script_outcome_word(a->outcome), a->message, a->data);
		ck_assert_str_eq(a->message, "it took more than 100 ms of processor time");
		the_next_is_well();
	}
}
END_TEST

START_TEST(a_script_that_bloats_is_stopped)
{
	static const char *const bloated[] = {
		UP("var s = 'x'; for (;;) s += s;"), UP("var a = []; for (;;) a.push({});"), UP("var a = []; for (;;) a.push(new ArrayBuffer(100000));"),
		UP("return { data: { a: new ArrayBuffer(1e9) } };"), "var a = new Uint8Array(1e8);" UP(""), UP("var a = []; for (;;) a = [a].slice(0);"),
	};
	for (size_t i = 0; i < COUNT(bloated); i++) {
		struct asked *a = up(bloated[i]);
		/* QuickJS joins strings without copying them, up to a length that it refuses. */
		ck_assert_msg(a->outcome == SCRIPT_MEMORY || a->outcome == SCRIPT_TIMEOUT || strstr(a->message, "string too long"), "%s: %s: %s", bloated[i], script_outcome_word(a->outcome), a->message);
		the_next_is_well();
	}
	ends(UP("var a = []; for (;;) a.push(new ArrayBuffer(100000));"), SCRIPT_MEMORY, "8 MiB");
}
END_TEST

START_TEST(a_script_that_digs_is_stopped)
{
	static const char *const deep[] = {
		UP("function f() { return f() + 1; } return f();"), UP("var o = {}; o.toString = function () { return '' + o; }; return { data: { a: '' + o } };"),
		UP("return eval(new Array(20000).join('(') + 1);"), UP("return { data: JSON.parse(new Array(50000).join('[')) };"),
		UP("var d = {}, at = d; for (var i = 0; i < 5000; i++) at = at.a = {}; return { data: d };"),
		UP("var r = new RegExp(new Array(30000).join('(') + new Array(30000).join(')')); return { data: { a: r.test('x') } };"),
		UP("return { data: { a: /^(?:a|b)*$/.test(new Array(300000).join('a')) } };"),
	};
	for (size_t i = 0; i < COUNT(deep); i++) {
		struct asked *a = up(deep[i]);
		ck_assert_msg(a->outcome != SCRIPT_OK && a->outcome != SCRIPT_CRASHED, "%s: %s: %s", deep[i], script_outcome_word(a->outcome), a->message);
		the_next_is_well();
	}
	ends(UP("function f() { return f() + 1; } return f();"), SCRIPT_STACK, the_engine.modern ? "decodeUplink: line 1: InternalError" : "decodeUplink: line 1: RangeError");
	ends(UP("var d = {}, at = d; for (var i = 0; i < 40; i++) at = at.a = {}; return { data: d };"), SCRIPT_BAD_RESULT, "32");
}
END_TEST

START_TEST(output_is_bounded)
{
	ends(UP("return { data: { a: new Array(17000).join('x') } };"), SCRIPT_OUTPUT, "16 KiB");
	ends(UP("var s = 'x'; while (s.length < 200000) s += s; return { data: { a: s } };"), SCRIPT_OUTPUT, "more than");
	struct asked *a = up(UP("throw new Error(new Array(100000).join('x'));"));
	ck_assert_int_eq(a->outcome, SCRIPT_THREW);
	ck_assert_uint_lt(strlen(a->message), 600);
	a = up(UP("var w = []; for (var i = 0; i < 5000; i++) w.push('w'); return { data: {}, warnings: w };"));
	ck_assert_int_eq(a->outcome, SCRIPT_OK);
	the_next_is_well();
}
END_TEST

START_TEST(anything_may_be_thrown)
{
	static const char *const thrown[] = { "null", "undefined", "'text'", "42", "{}", "[]", "function () {}", "{ message: {} }", "{ toString: null }",
		"{ get message() { throw 1; } }", "{ get stack() { throw 1; }, message: 'm' }", "{ get name() { throw { get message() { throw 2; } }; } }",
		"new Proxy({}, { get: function () { throw 1; } })", "Object.create(null)", "{ message: 'a', name: { toString: function () { return {}; } } }",
		"(function () { var c = {}; c.c = c; return c; })()", "Symbol('s')", "new Uint8Array(3)", "new Error()" };
	for (size_t i = 0; i < COUNT(thrown); i++) {
		char text[300];
		snprintf(text, sizeof text, UP("throw %s;"), thrown[i]);
		struct asked *a = up(text);
		ck_assert_msg(a->outcome == SCRIPT_THREW, "%s: %s: %s", text, script_outcome_word(a->outcome), a->message);
		snprintf(text, sizeof text, "throw %s;", thrown[i]);
		ck_assert_int_eq(up(text)->outcome, SCRIPT_THREW);
	}
	the_next_is_well();
}
END_TEST

START_TEST(what_is_global_may_be_overwritten_and_is_fresh_again)
{
	static const char *const tricks[] = {
		"JSON = null;", "JSON.stringify = function () { return 'x'; };", "Object.keys = Array.isArray = null;", "String.prototype.charAt = null;",
		"Object.prototype.data = 3; Object.prototype.errors = ['polluted'];", "Array.prototype.push = function () { throw 1; };",
		"Object.defineProperty(Object.prototype, 'outcome', { set: function () { throw 1; }, get: function () { return 'ok'; } });",
		"Object.defineProperty(Array.prototype, '0', { set: function () {}, get: function () { return 1; } });",
		"Function.prototype.call = Function.prototype.apply = null;", "RegExp.prototype.exec = null; Error.prototype = null;",
		"Object.defineProperty(this, 'decodeUplink', { get: function () { throw 1; } });", "var undefined = 1, NaN = 2; this.Date = null;",
		"Object.freeze(Object.prototype); Object.freeze(this);", "Number.prototype.toString = null; Symbol = Proxy = null;",
		"Object.prototype.toJSON = function () { return 1; };", "Object.prototype.toString = Error.prototype.toString = null; throw new Error('x');",
	};
	for (size_t i = 0; i < COUNT(tricks); i++) {
		char text[500];
		snprintf(text, sizeof text, "%s " UP("return { data: { a: 1 } };"), tricks[i]);
		struct asked *a = up(text);
		ck_assert_msg(a->outcome != SCRIPT_CRASHED, "%s: %s", text, a->message);
		gives(UP("var own = []; for (var k in {}) own.push(k); for (var k in []) own.push(k); return { data: { n: JSON.stringify({ a: [1] }), own: own, d: new Date(0).getTime() } };"),
			"{\"n\":\"{\\\"a\\\":[1]}\",\"own\":[],\"d\":0}");
	}
	ck_assert_uint_eq(as.metrics.script_processes_started, 1);
}
END_TEST

START_TEST(nothing_is_left_from_one_call_to_the_next)
{
	static const char text[] = "var n = 0; function f() { } " UP(
		"n++; f.n = (f.n || 0) + 1; Math.count = (Math.count || 0) + 1; Object.prototype.p = 1; this.g = (this.g || 0) + 1; "
		"decodeUplink.m = (decodeUplink.m || 0) + 1; Array.prototype.q = (Array.prototype.q || 0) + 1; "
		"return { data: { a: [n, f.n, Math.count, decodeUplink.m, Array.prototype.q] } };");
	for (int i = 0; i < 3; i++)
		gives(text, "{\"a\":[1,1,1,1,1]}");
	/* Nor are two calls given the same chance. */
	char one[SCRIPT_JSON_MAX + 1];
	snprintf(one, sizeof one, "%s", up(UP("return { data: { r: Math.random() } };"))->data);
	ck_assert_str_ne(one, up(UP("return { data: { r: Math.random() } };"))->data);
	gives(UP("return { data: { d: typeof Duktape, r: typeof require, p: typeof process, x: typeof XMLHttpRequest } };"),
		"{\"d\":\"undefined\",\"r\":\"undefined\",\"p\":\"undefined\",\"x\":\"undefined\"}");
}
END_TEST

/* ---- children that end ---- */

START_TEST(an_engine_that_crashes_costs_its_own_message)
{
	ends(UP("return { data: { do: 'fault' } };"), SCRIPT_CRASHED, "signal");
	ck_assert_uint_eq(as.metrics.script_processes_started, 2); /* it was tried twice: somebody else might have done it */
	the_next_is_well();
	ends(UP("return { data: { do: 'garbage' } };"), SCRIPT_CRASHED, "none");
	the_next_is_well();
	ends(UP("return { data: { do: 'lie' } };"), SCRIPT_CRASHED, "none");
	the_next_is_well();
}
END_TEST

/* Of this program's children, the first. */
static pid_t a_child(void)
{
	char path[64];
	int n = 0;
	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%d", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

START_TEST(a_child_that_is_killed_costs_nothing)
{
	the_next_is_well();
	pid_t pid = a_child();
	if (!pid)
		return; /* a kernel without that file */
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	static struct asked a[20];
	unsigned left = COUNT(a);
	for (size_t i = 0; i < COUNT(a); i++)
		start(&a[i], SCRIPT_DECODE_UPLINK, UP("return { data: { n: 1 } };"), 1, &left);
	/* Some are with it, unanswered; the rest with another. */
	loop_defer(as.loop, (void (*)(void *))(void (*)(void))loop_stop, as.loop);
	loop_run(as.loop);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	loop_run(as.loop);
	for (size_t i = 0; i < COUNT(a); i++) {
		ck_assert_int_eq(a[i].outcome, SCRIPT_OK);
		ck_assert_str_eq(a[i].data, "{\"n\":1}");
		script_release(a[i].script);
	}
}
END_TEST

START_TEST(one_lane_that_hangs_does_not_hold_up_the_others)
{
	static struct asked bad[10], good[100];
	unsigned left = COUNT(bad) + COUNT(good);
	the_next_is_well();
	orders = 0;
	for (size_t i = 0; i < COUNT(bad); i++)
		start(&bad[i], SCRIPT_DECODE_UPLINK, UP("for (;;) ;"), 1, &left);
	for (size_t i = 0; i < COUNT(good); i++)
		start(&good[i], SCRIPT_DECODE_UPLINK, UP("return { data: { n: 1 } };"), 2 + i % 3, &left);
	loop_run(as.loop);
	unsigned last_good = 0, last_bad = 0;
	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(bad[i].outcome, SCRIPT_TIMEOUT);
		last_bad = bad[i].order > last_bad ? bad[i].order : last_bad;
		script_release(bad[i].script);
	}
	for (size_t i = 0; i < COUNT(good); i++) {
		ck_assert_int_eq(good[i].outcome, SCRIPT_OK);
		last_good = good[i].order > last_good ? good[i].order : last_good;
		script_release(good[i].script);
	}
	ck_assert_uint_lt(last_good, last_bad);
}
END_TEST

START_TEST(what_is_cancelled_is_not_told)
{
	static struct asked a[6];
	unsigned left = 3;
	uint64_t tickets[6];
	for (size_t i = 0; i < 6; i++)
		tickets[i] = start(&a[i], SCRIPT_DECODE_UPLINK, UP("return { data: {} };"), 1, &left);
	scripts_cancel(&as, tickets[0]);
	scripts_cancel(&as, tickets[3]);
	scripts_cancel(&as, tickets[5]);
	scripts_cancel(&as, tickets[5]);
	scripts_cancel(&as, 999);
	loop_run(as.loop);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_int_eq(a[i].done, i != 0 && i != 3 && i != 5);
		script_release(a[i].script);
	}
}
END_TEST

START_TEST(more_scripts_than_a_child_keeps_take_turns)
{
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++) {
			char text[100], data[40];
			snprintf(text, sizeof text, UP("return { data: { n: %d } };"), i);
			snprintf(data, sizeof data, "{\"n\":%d}", i);
			gives(text, data);
		}
}
END_TEST

START_TEST(without_processes_scripts_say_why_they_do_not_run)
{
	end();
	room(0);
	ck_assert(!scripts_available(&as));
	ends(UP("return { data: {} };"), SCRIPT_UNAVAILABLE, "as.script-processes is 0");
}
END_TEST

START_TEST(what_kept_processes_from_running_is_tried_again_after_a_while)
{
	ck_assert(scripts_available(&as));
	pool_hello(as.script_pool, false, STR("not today"));
	ck_assert(!scripts_available(&as));
	ends(UP("return { data: {} };"), SCRIPT_UNAVAILABLE, "not today");
	/* A minute, for as long as the loop does not look at the clock again. */
	((struct now *)(uintptr_t)loop_now(as.loop))->mono_us += 61 * SEC_US;
	ck_assert(scripts_available(&as));
}
END_TEST

/* ---- the sandbox ---- */

static int shut_in(int (*deed)(void))
{
	int fd[2], status = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		char words[256];
		struct text why = text_fixed(words, sizeof words);
		if (sandbox_enter(fd[1], &why))
			_exit(99);
		_exit(deed());
	}
	close(fd[0]), close(fd[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static int opens(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && errno == EPERM && open("/tmp/x", O_CREAT | O_WRONLY, 0600) < 0 ? 7 : 1;
}
static int connects(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM && socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ? 7 : 1;
}
static int starts(void)
{
	char *const argv[] = { NULL };
	return execve("/bin/true", argv, argv) < 0 && errno == EPERM && fork() < 0 && errno == EPERM ? 7 : 1;
}
static int kills(void)
{
	return kill(getppid(), SIGTERM) < 0 && errno == EPERM && kill(1, 0) < 0 ? 7 : 1;
}
static int spins(void)
{
	sandbox_begin();
	for (volatile unsigned i = 0; i < UINT32_MAX; i++)
		;
	return 1;
}
static int digs_in(volatile char *above)
{
	volatile char room_here[4096];
	room_here[0] = *above;
	return room_here[0] ? digs_in(room_here) + room_here[0] : 1;
}
static int digs(void)
{
	volatile char c = 1;
	return digs_in(&c);
}
static int reads(void)
{
	char c;
	return read(0, &c, 1) < 0 && errno == EPERM && write(1, "x", 1) < 0 && errno == EPERM ? 7 : 1;
}

START_TEST(a_child_can_only_compute)
{
	int (*const deeds[])(void) = { opens, connects, starts, kills, reads };
	for (size_t i = 0; i < COUNT(deeds); i++)
		ck_assert_msg(shut_in(deeds[i]) == 7, "deed %zu", i);
	ck_assert_int_eq(shut_in(spins), SANDBOX_TIMEOUT);
	ck_assert_int_eq(shut_in(digs), SANDBOX_STACK);
}
END_TEST

START_TEST(a_child_has_one_descriptor_and_no_environment)
{
	the_next_is_well();
	pid_t pid = a_child();
	if (!pid)
		return;
	char path[64], environment[8];
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	char line[256];
	bool seccomp = false, privileges = false;
	while (fgets(line, sizeof line, f)) {
		seccomp |= !strcmp(line, "Seccomp:\t2\n");
		privileges |= !strcmp(line, "NoNewPrivs:\t1\n");
	}
	fclose(f);
	ck_assert(seccomp && privileges);
	/* It is not dumpable, so that only root may look. */
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *d = opendir(path);
	if (!d)
		return;
	unsigned n = 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' && strcmp(e->d_name, "2") != 0;
	closedir(d);
	ck_assert_uint_eq(n, 1);
	snprintf(path, sizeof path, "/proc/%d/environ", pid);
	f = fopen(path, "r");
	if (f) {
		ck_assert_uint_eq(fread(environment, 1, sizeof environment, f), 0);
		fclose(f);
	}
}
END_TEST

START_TEST(one_call_is_made_in_a_child_of_ones_own)
{
	struct script_once_job job = { .text = str_of(UP("return { data: { n: input.bytes[0] } };")),
		.question = { .call = SCRIPT_DECODE_UPLINK, .f_port = 1, .bytes = { (const uint8_t *)"\5", 1 } } };
	struct script_once_result r;
	ck_assert_int_eq(script_once(&job, &r), 0);
	ck_assert_msg(r.result.outcome == SCRIPT_OK, "%.*s", STR_ARG(r.result.message));
	ck_assert(str_is(r.result.data, "{\"n\":5}"));
	script_once_done(&r);
	job.text = str_of(UP("for (;;) ;"));
	ck_assert_int_eq(script_once(&job, &r), 0);
	ck_assert_int_eq(r.result.outcome, SCRIPT_TIMEOUT);
	script_once_done(&r);
	job.text = str_of(UP("return { data: { do: 'fault' } };"));
	ck_assert_int_eq(script_once(&job, &r), 0);
	ck_assert_int_eq(r.result.outcome, SCRIPT_CRASHED);
	script_once_done(&r);
}
END_TEST

/* The unit of systemd refuses what is not in @system-service, or is in @privileged or @resources: of what the child asks for those that are
 * named here (systemd-analyze syscall-filter), and clone3, because it restricts name spaces. */
START_TEST(a_service_managers_filter_is_no_hindrance)
{
	static const int refused[] = { SCMP_SYS(seccomp), SCMP_SYS(setrlimit), SCMP_SYS(setpriority), SCMP_SYS(ioprio_set), SCMP_SYS(chroot), SCMP_SYS(setuid) };
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < COUNT(refused); i++)
		ck_assert_int_eq(seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), refused[i], 0), 0);
	ck_assert_int_eq(seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), 0);
	ck_assert_int_eq(seccomp_load(f), 0);
	seccomp_release(f);
	the_next_is_well();
	ck_assert_int_eq(shut_in(opens), 7);
	ck_assert_int_eq(shut_in(starts), 7);
	ck_assert_int_eq(shut_in(spins), SANDBOX_TIMEOUT);
}
END_TEST

/* An emulator of another processor has no seccomp, and then no script runs. */
static bool runs_here(void)
{
	struct script_once_job job = { .text = str_of(UP("return { data: {} };")), .question = { .call = SCRIPT_DECODE_UPLINK, .f_port = 1 } };
	struct script_once_result r;
	if (script_once(&job, &r))
		return false;
	bool runs = r.result.outcome != SCRIPT_UNAVAILABLE;
	if (!runs)
		printf("test_scripts is skipped: %.*s\n", STR_ARG(r.result.message));
	script_once_done(&r);
	return runs;
}

int main(int argc, char **argv)
{
	scripts_child(argc, argv);
	signal(SIGPIPE, SIG_IGN); /* as in every daemon: a child may be gone when it is written to */
	if (!runs_here())
		return 0;
	Suite *s = suite_create("scripts");
	TCase *t = tcase_create("scripts");
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, begin_two, end);
	tcase_add_test(t, a_decoder_gets_what_the_things_stack_gives);
	tcase_add_test(t, an_encoder_gets_values_and_gives_octets);
	tcase_add_test(t, a_normalizer_is_called_with_the_data);
	tcase_add_test(t, what_is_wrong_is_said_with_its_line);
	tcase_add_test(t, values_that_are_no_json_become_what_json_makes_of_them);
	tcase_add_test(t, newer_library_functions_are_there);
	tcase_add_test(t, a_modern_engine_knows_the_language_of_today);
	tcase_add_test(t, a_script_that_does_not_end_is_ended);
	tcase_add_test(t, a_script_that_bloats_is_stopped);
	tcase_add_test(t, a_script_that_digs_is_stopped);
	tcase_add_test(t, output_is_bounded);
	tcase_add_test(t, anything_may_be_thrown);
	tcase_add_test(t, what_is_global_may_be_overwritten_and_is_fresh_again);
	tcase_add_test(t, nothing_is_left_from_one_call_to_the_next);
	tcase_add_test(t, an_engine_that_crashes_costs_its_own_message);
	tcase_add_test(t, a_child_that_is_killed_costs_nothing);
	tcase_add_test(t, one_lane_that_hangs_does_not_hold_up_the_others);
	tcase_add_test(t, what_is_cancelled_is_not_told);
	tcase_add_test(t, more_scripts_than_a_child_keeps_take_turns);
	tcase_add_test(t, without_processes_scripts_say_why_they_do_not_run);
	tcase_add_test(t, what_kept_processes_from_running_is_tried_again_after_a_while);
	tcase_add_test(t, a_child_can_only_compute);
	tcase_add_test(t, a_child_has_one_descriptor_and_no_environment);
	tcase_add_test(t, one_call_is_made_in_a_child_of_ones_own);
	tcase_add_test(t, a_service_managers_filter_is_no_hindrance);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

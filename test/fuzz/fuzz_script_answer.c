/** @file What a child may say, and what it may be told: frames and answers of any octets. What is taken of an answer is JSON, UTF-8 and within
 * bounds, whoever made it; a frame that is read is written again as it was. The scanner that explains syntax errors takes any text. */
#include "as/scripts/syntax.h"
#include "as/scripts/wire.h"
#include "common/core/json.h"
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_json(struct str s, char open)
{
	size_t end, err;
	if (s.n)
		require(s.n <= SCRIPT_JSON_MAX && s.p[0] == open && !json_check(s, &end, &err) && end == s.n && utf8_valid(s));
}

static void answer(struct str text, enum script_call call)
{
	struct script_answer memory;
	struct script_result r;
	if (script_answer_read(text, call, &memory, &r))
		return;
	require(r.outcome < SCRIPT_OUTCOME_N);
	require_json(r.data, '{');
	require_json(r.warnings, '[');
	require_json(r.normalized, '[');
	require_json(r.normalized_warnings, '[');
	require(utf8_valid(r.message) && r.message.n <= SCRIPT_WORDS_MAX && utf8_valid(r.normalized_error));
	require(r.bytes.n <= SCRIPT_BYTES_MAX && (!r.has_f_port || r.f_port));
	require(r.outcome == SCRIPT_OK || (!r.data.n && !r.bytes.n && !r.normalized.n));
	require(call == SCRIPT_ENCODE_DOWNLINK ? !r.data.n : !r.bytes.n);
}

static void frame(const uint8_t *p, size_t n)
{
	struct slice it, rest;
	struct wire m;
	uint8_t head[WIRE_HEAD_MAX];
	if (wire_frame(p, n, &it) || wire_read(it, &m))
		return;
	size_t len = wire_head(&m, head, &rest);
	require(len + rest.n == WIRE_LENGTH + it.n && (!rest.n || !memcmp(p + len, rest.p, rest.n)));
	/* A truth may have been any octet. */
	require(m.kind == WIRE_HELLO || !memcmp(p, head, len));
	for (enum script_call call = 0; m.kind == WIRE_ANSWER && call < SCRIPT_CALL_N; call++)
		answer(m.text, call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };
	frame(data, n);
	for (enum script_call call = 0; call < SCRIPT_CALL_N; call++)
		answer(text, call);
	struct syntax_lack lack = syntax_lack(text);
	require(!lack.what || (lack.line >= 1 && lack.line <= n + 1 && lack.edition >= 2015));
	return 0;
}

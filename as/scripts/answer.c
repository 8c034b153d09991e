/** @file Reading the lines of an answer. */
#include "as/scripts/answer.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include <string.h>

enum { OUTCOME, LINE, MESSAGE, DATA, WARNINGS, HAS_NORMALIZER, NORMALIZED, NORMALIZED_WARNINGS, NORMALIZED_ERROR, BYTES, F_PORT, LINES };

void script_answer_write(struct text *out, enum script_outcome outcome, unsigned line, const char *message)
{
	text_puts(out, script_outcome_word(outcome));
	text_putc(out, '\n');
	if (line)
		text_u64(out, line);
	text_putc(out, '\n');
	json_puts(out, message);
	text_puts(out, "\n\n\n\n\n\n\n\n");
}

static int read_lines(struct str text, struct str line[LINES])
{
	for (int i = 0; i < LINES; i++) {
		size_t before = text.n;
		text = str_cut(text, '\n', &line[i]);
		bool cut = line[i].n < before;
		if (cut != (i < LINES - 1))
			return -EBADMSG;
	}
	return 0;
}

static int read_outcome(struct str word, enum script_outcome *ret)
{
	for (unsigned i = 0; i < SCRIPT_OUTCOME_N; i++)
		if (str_is(word, script_outcome_word(i))) {
			*ret = i;
			return 0;
		}
	return -EBADMSG;
}

/* A JSON string, into memory of its own. */
static int read_words(struct str s, char *buf, size_t cap, struct str *ret)
{
	struct json_tok tok[2];
	struct json j;
	if (!s.n)
		return 0;
	if (s.p[0] != '"' || json_parse(s, tok, COUNT(tok), &j, NULL))
		return -EBADMSG;
	/* Words with a NUL, or half a character, are not worth refusing an answer for. */
	if (json_string(&j, json_root(&j), buf, cap) || !utf8_valid(str_of(buf)))
		(void)str_copy(STR("something that cannot be shown"), buf, cap);
	*ret = str_of(buf);
	return 0;
}

/* Most of what is wrong with a value is the script's doing, and said so. */
static int read_json(struct str s, char open, struct script_result *r, struct str *ret)
{
	size_t end, err;
	if (!s.n)
		return 0;
	if (s.n > SCRIPT_JSON_MAX) {
		r->outcome = SCRIPT_OUTPUT;
		r->message = STR("it returned more than 16 KiB");
		return 0;
	}
	int e = s.p[0] == open && utf8_valid(s) ? json_check(s, &end, &err) : -EBADMSG;
	if (e == -E2BIG) {
		r->outcome = SCRIPT_BAD_RESULT;
		r->message = STR("what it returned is nested deeper than 32 levels");
		return 0;
	}
	if (e || end != s.n)
		return -EBADMSG;
	*ret = s;
	return 0;
}

static int read_numbers(const struct str line[LINES], struct script_answer *memory, struct script_result *r)
{
	uint64_t n = 0;
	size_t len;
	if (line[LINE].n && (num_u64(line[LINE], &n) || n > UINT32_MAX))
		return -EBADMSG;
	r->line = (unsigned)n;
	if (hex_decode(line[BYTES], memory->bytes, sizeof memory->bytes, &len))
		return -EBADMSG;
	r->bytes = (struct slice){ memory->bytes, len };
	if (!line[F_PORT].n)
		return 0;
	if (num_u64(line[F_PORT], &n) || !n || n > 255)
		return -EBADMSG;
	r->has_f_port = true;
	r->f_port = (uint8_t)n;
	return 0;
}

static int read_values(const struct str line[LINES], struct script_result *r)
{
	TRY(read_json(line[DATA], '{', r, &r->data));
	TRY(read_json(line[WARNINGS], '[', r, &r->warnings));
	TRY(read_json(line[NORMALIZED], '[', r, &r->normalized));
	return read_json(line[NORMALIZED_WARNINGS], '[', r, &r->normalized_warnings);
}

int script_answer_read(struct str text, enum script_call call, struct script_answer *memory, struct script_result *ret)
{
	struct str line[LINES];
	*ret = (struct script_result){ .outcome = SCRIPT_CRASHED };
	TRY(read_lines(text, line));
	TRY(read_outcome(line[OUTCOME], &ret->outcome));
	TRY(read_numbers(line, memory, ret));
	TRY(read_words(line[MESSAGE], memory->message, sizeof memory->message, &ret->message));
	TRY(read_words(line[NORMALIZED_ERROR], memory->normalized_error, sizeof memory->normalized_error, &ret->normalized_error));
	TRY(read_values(line, ret));
	ret->has_normalizer = line[HAS_NORMALIZER].n > 0;
	bool encodes = call == SCRIPT_ENCODE_DOWNLINK;
	if ((encodes && ret->data.n) || (!encodes && (ret->bytes.n || ret->has_f_port)))
		return -EBADMSG;
	if (ret->outcome != SCRIPT_OK) {
		/* Nothing of a call that failed is used, but its warnings. */
		ret->data = ret->normalized = ret->normalized_warnings = ret->normalized_error = STR("");
		ret->bytes.n = 0;
		ret->has_f_port = false;
	} else if (ret->message.n) {
		return -EBADMSG;
	}
	return 0;
}

/** @file CayenneLPP, asked as a script is. */
#include "as/scripts/builtin.h"
#include "common/core/err.h"

enum { WORDS_MAX = 1 << 17 };

int builtin_cayenne(struct builtin *b, const struct script_question *q, struct script_result *ret)
{
	AUTO(text_done) struct text why = text_growing(WORDS_MAX);
	int e;
	*ret = (struct script_result){ .outcome = SCRIPT_OK, .bytes = { b->bytes, 0 } };
	b->words = text_growing(WORDS_MAX);
	switch (q->call) {
	case SCRIPT_DECODE_UPLINK: e = cayenne_decode(&b->words, q->bytes, &why); break;
	case SCRIPT_DECODE_DOWNLINK: e = cayenne_decode_down(&b->words, q->bytes, &why); break;
	default: e = cayenne_encode(q->data, b->bytes, &ret->bytes.n, &why);
	}
	if (e == CAYENNE_E_BAD) {
		text_reset(&b->words);
		text_put(&b->words, text_str(&why));
		ret->outcome = SCRIPT_ERRORS;
		ret->message = text_str(&b->words);
		e = 0;
	} else if (q->call != SCRIPT_ENCODE_DOWNLINK) {
		ret->data = text_str(&b->words);
	}
	return e ? e : b->words.failed || why.failed ? -ENOMEM : 0;
}

void builtin_done(struct builtin *b)
{
	text_done(&b->words);
}

/** @file The body of TX_ACK. */
#include "proto/semtech/txack.h"
#include "common/core/json.h"
#include "common/core/json_out.h"

enum { TXACK_TOKENS = 64 };

/** Without leading and trailing blanks and NULs. */
static struct str body_trim(struct str s)
{
	while (s.n && (s.p[s.n - 1] == '\0' || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\n' ||
			      s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\t'))
		s.n--;
	return str_trim(s);
}

int txack_read(struct str body, struct txack *ret)
{
	struct json_tok tok[TXACK_TOKENS];
	struct json j;
	struct txack a = {.result = TX_RESULT_SUCCESS};
	int64_t value;
	body = body_trim(body);
	if (!body.n) {
		*ret = a;
		return 0;
	}
	if (json_parse(body, tok, TXACK_TOKENS, &j, NULL) || json_type(&j, json_root(&j)) != JSON_OBJECT)
		return SEMTECH_E_JSON;
	json_val ack = json_get(&j, json_root(&j), "txpk_ack");
	json_val error = json_get(&j, ack, "error");
	if (error >= 0 && json_type(&j, error) != JSON_NULL) {
		if (json_string(&j, error, a.word, sizeof a.word))
			a.word[0] = '?';
		if (a.word[0])
			a.result = tx_result_of_word(str_of(a.word));
		if (a.result != TX_RESULT_UNKNOWN_ERROR)
			a.word[0] = '\0';
	}
	/* Only a warning comes with the power that was taken instead; with an error nothing is emitted. */
	if (a.result == TX_RESULT_SUCCESS && json_get(&j, ack, "warn") >= 0 &&
		!json_decimal(&j, json_get(&j, ack, "value"), 0, &value) && value > -128 && value < 128) {
		a.has_power = true;
		a.power_dbm = (int32_t)value;
	}
	*ret = a;
	return 0;
}

/** What a forwarder writes as `error`; NULL: nothing. */
static const char *word_of(const struct txack *a)
{
	if (a->result == TX_RESULT_SUCCESS)
		return NULL;
	const char *word = a->word[0] ? a->word : tx_result_info(a->result)->word;
	return word[0] ? word : "UNKNOWN";
}

void txack_write(struct text *t, const struct txack *a)
{
	const char *word = word_of(a);
	if (!word && !a->has_power)
		return;
	json_open(t, '{');
	json_name(t, "txpk_ack");
	json_open(t, '{');
	json_name(t, word ? "error" : "warn");
	json_puts(t, word ? word : "TX_POWER");
	if (!word) {
		json_name(t, "value");
		json_num(t, a->power_dbm);
	}
	json_close(t, '}');
	json_close(t, '}');
}

/** @file The tables errors.def and tx_result.def. */
#include "proto/tables.h"
#include <string.h>

const struct down_error down_errors[] = {
#define DOWN_ERROR(name, code, process, message_format) { #name, code, process, message_format },
#include "proto/errors.def"
#undef DOWN_ERROR
};
_Static_assert(COUNT(down_errors) == DOWN_ERROR_N, "a row each");

const char *down_error_label(unsigned i)
{
	return i < DOWN_ERROR_N ? down_errors[i].name : NULL;
}

const struct down_error *down_error_find(struct str name)
{
	for (size_t i = 0; i < COUNT(down_errors); i++)
		if (str_is(name, down_errors[i].name))
			return &down_errors[i];
	return NULL;
}

const char *down_error_namespace(const struct down_error *e)
{
	return strcmp(e->process, "ns") ? "pkg/applicationserver" : "pkg/networkserver";
}

static const struct tx_result_info results[] = {
#define TX_RESULT(symbol, number, word, again, meaning) { #symbol, word, TX_RESULT_##symbol, again, meaning },
#include "proto/tx_result.def"
#undef TX_RESULT
};

const struct tx_result_info *tx_result_info(uint32_t result)
{
	const struct tx_result_info *unknown = NULL;
	for (size_t i = 0; i < COUNT(results); i++) {
		if ((uint32_t)results[i].result == result)
			return &results[i];
		if (results[i].result == TX_RESULT_UNKNOWN_ERROR)
			unknown = &results[i];
	}
	return unknown;
}

const char *tx_result_label(unsigned result)
{
	return tx_result_info(result)->name;
}

enum tx_result tx_result_of_word(struct str word)
{
	if (!word.n)
		return TX_RESULT_SUCCESS;
	for (size_t i = 0; i < COUNT(results); i++)
		if (str_is(word, results[i].word))
			return results[i].result;
	return TX_RESULT_UNKNOWN_ERROR;
}

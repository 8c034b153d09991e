/** @file Answers of foreign HTTP servers: read in one piece or octet by octet they are the same, and bounded. */
#include "as/core/integration/http_answer.h"
#include "as/core/integration/webhook_health.h"
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct http_answer whole, single;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct now now = { 0, UINT64_C(1772446530) * SEC_US };
	int e = 0;
	http_answer_init(&whole);
	http_answer_init(&single);
	int r = http_answer_take(&whole, data, n);
	for (size_t i = 0; i < n && !e; i++)
		e = http_answer_take(&single, data + i, 1);
	require(e == r);
	require(e == 0 || e == -EBADMSG || e == -EMSGSIZE);
	require(whole.has_head == single.has_head);
	if (!e)
		require(whole.state == single.state && whole.keeps_alive == single.keeps_alive);
	if (whole.has_head) {
		require(whole.status == single.status && whole.status >= 200 && whole.status <= 599);
		require(!strcmp(whole.retry_after, single.retry_after) && !strcmp(whole.location, single.location));
	}
	for (const char *p = whole.beginning; *p; p++)
		require(*p >= ' ' && *p <= '~');
	require(whole.state != ANSWER_DONE || whole.has_head);
	require(!(http_answer_end(&whole) == 0) || whole.state == ANSWER_DONE);
	(void)webhook_retry_after((struct str){ (const char *)data, n }, &now);
	return 0;
}

/** @file Heads of HTTP requests: everything that is accepted points into the buffer and is what it says. */
#include "common/core/http_fields.h"
#include "common/core/http_head.h"
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_inside(const char *z, const char *buf, size_t n)
{
	require(z >= buf && z < buf + n && memchr(z, '\0', (size_t)(buf + n - z)));
}

/** What the fields of a request lead to: a list that names an origin lets it in, and nothing else does. */
static void require_fields(const struct http_head *h)
{
	const char *origin = http_head_header(h, "Origin"), *list = http_head_header(h, "X-Origins");
	struct str origins = str_of(list ? list : ""), wrong = { NULL, 0 };
	(void)http_is_json(http_head_header(h, "Content-Type"));
	bool is_valid = http_origins_valid(origins, &wrong);
	require(is_valid || (wrong.n && wrong.p >= origins.p && wrong.p + wrong.n <= origins.p + origins.n));
	require(!http_origin_allowed(origins, NULL) && !http_origin_allowed(STR(""), origin));
	bool is_allowed = http_origin_allowed(origins, origin);
	require(!is_allowed || http_has_token(origins, "*") || strcasestr(list, origin));
	/* What is echoed to a browser goes into one line of a head, and has room there. */
	if (is_allowed && is_valid && !http_has_token(origins, "*"))
		require(strlen(origin) <= HTTP_ORIGIN_MAX && !strpbrk(origin, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_head h;
	uint64_t length;
	char *buf = malloc(n ? n : 1);
	if (!buf)
		return 0;
	if (n)
		memcpy(buf, data, n);
	(void)http_chunk_length((struct str){ buf, n }, &length);
	int status = http_head_parse(buf, n, &h);
	require(status == 0 || (status >= 400 && status <= 505));
	for (size_t i = 0; !status && i < h.header_n; i++) {
		require_inside(h.headers[i].name, buf, n);
		require_inside(h.headers[i].value, buf, n);
		require(http_head_header(&h, h.headers[i].name) != NULL);
	}
	for (size_t i = 0; !status && i < h.query_n; i++)
		require(http_head_query(&h, h.queries[i].name) != NULL);
	if (!status) {
		require_inside(h.path, buf, n);
		require_fields(&h);
		require(*h.path == '/' || (!strcmp(h.path, "*") && !strcmp(h.method, "OPTIONS")));
		require(!(h.is_chunked && h.content_length));
		require(http_percent_decode(h.path, false) == 0 || strchr(h.path, '%'));
	}
	free(buf);
	return 0;
}

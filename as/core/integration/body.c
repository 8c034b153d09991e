/** @file Reading the correlation ids of a message. */
#include "as/core/integration/body.h"
#include <string.h>

static void add(struct body_cids *c, struct str id)
{
	struct cid cid;
	if (memchr(id.p, '\\', id.n))
		return;
	if (cid_parse(id, &cid) == 0) {
		cids_add_all(&c->len, c->v, COUNT(c->v), &cid, 1);
	} else if (id.n && c->own_n + id.n < sizeof c->own) {
		memcpy(c->own + c->own_n, id.p, id.n);
		c->own_n += id.n;
		c->own[c->own_n++] = '\0';
	}
}

void body_cids(struct str body, struct body_cids *ret)
{
	/* Within a text the quotes would be escaped: this is the member, and the first is the envelope's. */
	static const char member[] = "\"correlation_ids\":[";
	const char *at = memmem(body.p, body.n, member, sizeof member - 1), *end = body.p + body.n;
	ret->len = 0;
	ret->own_n = 0;
	for (at = at ? at + sizeof member - 1 : end; at < end && *at == '"';) {
		const char *close = ++at;
		while (close < end && *close != '"')
			close += *close == '\\' && close + 1 < end ? 2 : 1;
		if (close >= end)
			return;
		add(ret, (struct str){ at, (size_t)(close - at) });
		at = close + 1;
		at += at < end && *at == ',';
	}
}

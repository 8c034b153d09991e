/** @file Answers to HTTP requests, as their octets come in. */
#include "as/core/integration/http_answer.h"
#include "common/core/http_fields.h"
#include "common/core/http_head.h"
#include <string.h>
#include <strings.h>

void http_answer_init(struct http_answer *a)
{
	a->state = ANSWER_STATUS;
	a->status = 0;
	a->has_head = a->keeps_alive = a->is_chunked = a->has_length = a->is_http10 = a->is_cut = false;
	a->retry_after[0] = a->location[0] = a->beginning[0] = '\0';
	a->left = a->body = 0;
	a->beginning_n = a->line_n = a->head_n = 0;
	a->n_interim = 0;
}

/* ---- the head ---- */

/** "HTTP/1.1 200 OK"; many leave out what comes behind the number. */
static int take_status(struct http_answer *a, struct str line)
{
	uint64_t status;
	if (!line.n) /* left over from the answer before [RFC 9112 2.2] */
		return 0;
	if (line.n < 12 || (!str_starts(line, "HTTP/1.1 ") && !str_starts(line, "HTTP/1.0 ")) || (line.n > 12 && line.p[12] != ' '))
		return -EBADMSG;
	if (num_u64((struct str){ line.p + 9, 3 }, &status) || status < 100 || status > 599)
		return -EBADMSG;
	a->is_http10 = line.p[7] == '0';
	a->keeps_alive = !a->is_http10;
	a->status = (unsigned)status;
	a->is_chunked = a->has_length = false;
	a->left = 0;
	a->retry_after[0] = a->location[0] = '\0';
	a->state = ANSWER_FIELDS;
	return 0;
}

static bool is_named(struct str name, const char *z)
{
	return name.n == strlen(z) && !strncasecmp(name.p, z, name.n);
}

static int take_length(struct http_answer *a, struct str value)
{
	uint64_t n;
	if (num_u64(value, &n) || (a->has_length && n != a->left))
		return -EBADMSG;
	a->has_length = true;
	a->left = n;
	return 0;
}

/** Of those that say nothing of the connection. */
static void note_field(struct http_answer *a, struct str name, struct str value)
{
	if (is_named(name, "Retry-After"))
		(void)str_copy(value, a->retry_after, sizeof a->retry_after);
	else if (is_named(name, "Location"))
		(void)str_copy(value, a->location, sizeof a->location);
}

static int take_field(struct http_answer *a, struct str line)
{
	struct str name, value;
	if (!memchr(line.p, ':', line.n) || line.p[0] == ' ' || line.p[0] == '\t')
		return -EBADMSG;
	value = str_trim(str_cut(line, ':', &name));
	if (is_named(name, "Content-Length"))
		return a->is_cut ? -EBADMSG : take_length(a, value);
	if (is_named(name, "Transfer-Encoding")) {
		if (a->is_cut || a->is_chunked || !is_named(value, "chunked"))
			return -EBADMSG;
		a->is_chunked = true;
	} else if (is_named(name, "Connection")) {
		if (http_has_token(value, "close"))
			a->keeps_alive = false;
		else if (http_has_token(value, "keep-alive"))
			a->keeps_alive = true;
	} else if (!a->is_cut) {
		note_field(a, name, value);
	}
	return 0;
}

/** The empty line: how long the body is [RFC 9112 6.3]. */
static int end_head(struct http_answer *a)
{
	if (a->status < 200) {
		if (a->status == 101 || ++a->n_interim > HTTP_ANSWER_INTERIM_MAX)
			return -EBADMSG;
		a->state = ANSWER_STATUS;
		return 0;
	}
	if (a->is_chunked && (a->has_length || a->is_http10))
		return -EBADMSG;
	a->has_head = true;
	a->head_n = 0;
	bool has_body = a->status != 204 && a->status != 304;
	if (has_body && a->is_chunked)
		a->state = ANSWER_CHUNK_SIZE;
	else if (has_body && !a->has_length)
		a->state = ANSWER_UNTIL_CLOSE;
	else
		a->state = has_body && a->left ? ANSWER_BODY : ANSWER_DONE;
	if (a->state == ANSWER_UNTIL_CLOSE)
		a->keeps_alive = false;
	return 0;
}

static int take_chunk_size(struct http_answer *a, struct str line)
{
	if (http_chunk_length(line, &a->left))
		return -EBADMSG;
	a->state = a->left ? ANSWER_CHUNK : ANSWER_TRAILERS;
	return 0;
}

static int take_line(struct http_answer *a, struct str line)
{
	if (memchr(line.p, '\0', line.n))
		return -EBADMSG;
	switch (a->state) {
	case ANSWER_STATUS:     return take_status(a, line);
	case ANSWER_FIELDS:     return line.n ? take_field(a, line) : end_head(a);
	case ANSWER_CHUNK_SIZE: return take_chunk_size(a, line);
	case ANSWER_CHUNK_END:  a->state = ANSWER_CHUNK_SIZE; return line.n ? -EBADMSG : 0;
	default:
		if (!line.n)
			a->state = ANSWER_DONE;
		return 0;
	}
}

/** Gather a line. @return octets taken; negative: an error */
static int64_t gather(struct http_answer *a, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	size_t take = lf ? (size_t)(lf - p) + 1 : n;
	size_t keep = take < sizeof a->line - a->line_n ? take : sizeof a->line - a->line_n;
	if (a->head_n + take > HTTP_ANSWER_HEAD_MAX)
		return -EMSGSIZE;
	memcpy(a->line + a->line_n, p, keep);
	a->line_n += keep;
	a->is_cut |= keep < take;
	/* Sizes of chunks are bounded with the body that they announce. */
	bool is_chunk = a->state == ANSWER_CHUNK_SIZE || a->state == ANSWER_CHUNK_END;
	a->head_n += is_chunk ? 0 : take;
	a->body += is_chunk ? take : 0;
	if (lf) {
		struct str line = { a->line, a->line_n - !a->is_cut };
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		int e = take_line(a, line);
		a->line_n = 0;
		a->is_cut = false;
		if (e)
			return e;
	}
	return a->body > HTTP_ANSWER_BODY_MAX ? -EMSGSIZE : (int64_t)take;
}

/* ---- the body ---- */

static int64_t skip(struct http_answer *a, const char *p, size_t n)
{
	bool is_bounded = a->state != ANSWER_UNTIL_CLOSE;
	size_t take = is_bounded && a->left < n ? (size_t)a->left : n;
	for (size_t i = 0; i < take && a->beginning_n < HTTP_ANSWER_BEGINNING; i++)
		a->beginning[a->beginning_n++] = p[i] >= ' ' && p[i] <= '~' ? p[i] : ' ';
	a->beginning[a->beginning_n] = '\0';
	a->body += take;
	if (is_bounded && !(a->left -= take))
		a->state = a->state == ANSWER_CHUNK ? ANSWER_CHUNK_END : ANSWER_DONE;
	return a->body > HTTP_ANSWER_BODY_MAX ? -EMSGSIZE : (int64_t)take;
}

int http_answer_take(struct http_answer *a, const void *p, size_t n)
{
	const char *at = p;
	while (n && a->state != ANSWER_DONE) {
		bool is_body = a->state == ANSWER_BODY || a->state == ANSWER_CHUNK || a->state == ANSWER_UNTIL_CLOSE;
		int64_t taken = is_body ? skip(a, at, n) : gather(a, at, n);
		if (taken < 0) {
			a->keeps_alive = false;
			return (int)taken;
		}
		at += taken;
		n -= (size_t)taken;
	}
	if (n) /* more than was asked for */
		a->keeps_alive = false;
	return 0;
}

int http_answer_end(struct http_answer *a)
{
	a->keeps_alive = false;
	if (a->state == ANSWER_UNTIL_CLOSE)
		a->state = ANSWER_DONE;
	return a->state == ANSWER_DONE ? 0 : -EBADMSG;
}

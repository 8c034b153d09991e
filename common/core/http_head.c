/** @file The head of an HTTP/1.x request, parsed in place. */
#include "common/core/http_head.h"
#include "common/core/http_fields.h"
#include <string.h>
#include <strings.h>

/** tchar of RFC 9110 5.6.2. */
static bool is_token(const char *z)
{
	if (!*z)
		return false;
	for (; *z; z++) {
		bool alnum = (*z >= '0' && *z <= '9') || (*z >= 'a' && *z <= 'z') || (*z >= 'A' && *z <= 'Z');
		if (!alnum && !strchr("!#$%&'*+-.^_`|~", *z))
			return false;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int http_percent_decode(char *z, bool plus)
{
	char *out = z;
	for (; *z; z++) {
		if (*z == '%') {
			int high = hex_digit(z[1]), low = high < 0 ? -1 : hex_digit(z[2]);
			if (low < 0 || high * 16 + low == 0)
				return -EINVAL;
			*out++ = (char)(high * 16 + low);
			z += 2;
		} else {
			*out++ = plus && *z == '+' ? ' ' : *z;
		}
	}
	*out = '\0';
	return 0;
}

int http_chunk_length(struct str line, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;
	for (; i < line.n && hex_digit(line.p[i]) >= 0; i++) {
		if (v >> 59)
			return -EINVAL;
		v = v << 4 | (uint64_t)hex_digit(line.p[i]);
	}
	if (i == 0 || (i < line.n && line.p[i] != ';' && line.p[i] != ' ' && line.p[i] != '\t'))
		return -EINVAL;
	*ret = v;
	return 0;
}

/** Cut a line off *at and terminate it. NULL: there is none. */
static char *take_line(char **at, char *end)
{
	char *line = *at;
	char *lf = memchr(line, '\n', (size_t)(end - line));
	if (!lf || lf == line || lf[-1] != '\r')
		return NULL;
	lf[-1] = '\0';
	*at = lf + 1;
	return line;
}

static char *cut(char *z, char c)
{
	char *found = strchr(z, c);
	if (found)
		*found++ = '\0';
	return found;
}

static int parse_queries(char *z, struct http_head *h)
{
	while (z && *z) {
		char *next = cut(z, '&');
		char *value = cut(z, '=');
		if (h->query_n == HTTP_QUERIES_MAX || http_percent_decode(z, true) || (value && http_percent_decode(value, true)))
			return 400;
		h->queries[h->query_n++] = (struct http_pair){ z, value ? value : "" };
		z = next;
	}
	return 0;
}

/** "/path?query", "http://host/path?query" as a proxy would get it, or the "*" of OPTIONS. */
static int parse_target(char *target, struct http_head *h)
{
	h->path = target;
	if (!strcmp(target, "*"))
		return strcmp(h->method, "OPTIONS") ? 400 : 0;
	if (!strncasecmp(target, "http://", 7) || !strncasecmp(target, "https://", 8))
		target = strchr(strstr(target, "://") + 3, '/');
	if (!target || *target != '/')
		return 400;
	for (const char *p = target; *p; p++)
		if (*p <= ' ' || *p == 0x7f)
			return 400;
	h->path = target;
	cut(target, '#');
	return parse_queries(cut(target, '?'), h);
}

static int parse_request_line(char *line, struct http_head *h)
{
	char *target = cut(line, ' ');
	char *version = target ? cut(target, ' ') : NULL;
	if (!version || !is_token(line))
		return 400;
	if (strncmp(version, "HTTP/", 5))
		return 400;
	if (strcmp(version, "HTTP/1.1") && strcmp(version, "HTTP/1.0"))
		return 505;
	h->is_http10 = version[7] == '0';
	h->keeps_alive = !h->is_http10;
	h->method = line;
	return parse_target(target, h);
}

static char *trim(char *z)
{
	z += strspn(z, " \t");
	size_t n = strlen(z);
	while (n && (z[n - 1] == ' ' || z[n - 1] == '\t'))
		n--;
	z[n] = '\0';
	return z;
}

static int parse_header(char *line, struct http_head *h)
{
	char *value = cut(line, ':');
	if (!value || !is_token(line))
		return 400;
	if (h->header_n == HTTP_HEADERS_MAX)
		return 431;
	value = trim(value);
	for (const char *p = value; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return 400;
	h->headers[h->header_n++] = (struct http_pair){ line, value };
	return 0;
}

static int read_transfer_encoding(const char *value, struct http_head *h)
{
	if (h->is_chunked || h->is_http10)
		return 400;
	h->is_chunked = true;
	return strcasecmp(value, "chunked") ? 501 : 0;
}

static int read_length(const char *value, struct http_head *h, bool *has_length)
{
	if (*has_length)
		return 400;
	*has_length = true;
	return num_u64(str_of(value), &h->content_length) ? 400 : 0;
}

/** What the headers say about the body and the connection. */
static int read_framing(struct http_head *h)
{
	bool has_length = false;
	int status = 0;
	for (size_t i = 0; i < h->header_n && !status; i++) {
		const char *name = h->headers[i].name, *value = h->headers[i].value;
		if (!strcasecmp(name, "Content-Length"))
			status = read_length(value, h, &has_length);
		else if (!strcasecmp(name, "Transfer-Encoding"))
			status = read_transfer_encoding(value, h);
		else if (!strcasecmp(name, "Connection") && http_has_token(str_of(value), "close"))
			h->keeps_alive = false;
		else if (!strcasecmp(name, "Connection") && http_has_token(str_of(value), "keep-alive"))
			h->keeps_alive = true;
		else if (!strcasecmp(name, "Expect"))
			h->expects_continue = !h->is_http10 && !strcasecmp(value, "100-continue");
	}
	return status ? status : has_length && h->is_chunked ? 400 : 0;
}

int http_head_parse(char *buf, size_t n, struct http_head *ret)
{
	char *at = buf, *end = buf + n;
	*ret = (struct http_head){ 0 };
	if (memchr(buf, '\0', n))
		return 400;
	char *line = take_line(&at, end);
	int status = line ? parse_request_line(line, ret) : 400;
	while (!status) {
		line = take_line(&at, end);
		if (!line)
			return 400;
		if (!*line)
			return at == end ? read_framing(ret) : 400;
		status = parse_header(line, ret);
	}
	return status;
}

const char *http_head_header(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->header_n; i++)
		if (!strcasecmp(h->headers[i].name, name))
			return h->headers[i].value;
	return NULL;
}

const char *http_head_query(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->query_n; i++)
		if (!strcmp(h->queries[i].name, name))
			return h->queries[i].value;
	return NULL;
}

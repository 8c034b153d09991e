/** @file The opening handshake of a WebSocket, read by its client. */
#include "as/core/integration/websocket_answer.h"
#include "common/core/http_fields.h"
#include <string.h>
#include <strings.h>

void websocket_question_write(struct text *t, const char *host, uint16_t port, bool is_default_port, const char *path, struct str key)
{
	bool is_ipv6 = strchr(host, ':') != NULL;
	text_printf(t, "GET %s HTTP/1.1\r\nHost: %s%s%s", path, is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "");
	if (!is_default_port)
		text_printf(t, ":%u", port);
	text_printf(t, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %.*s\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Protocol: mqtt\r\nUser-Agent: godwit/" VERSION "\r\n\r\n", STR_ARG(key));
}

/** The line that in begins with, without its end; -1: there is no end. */
static int line_cut(struct str *in, struct str *ret)
{
	const char *end = memmem(in->p, in->n, "\r\n", 2);
	if (!end)
		return -1;
	*ret = (struct str){ in->p, (size_t)(end - in->p) };
	*in = (struct str){ end + 2, in->n - ret->n - 2 };
	return 0;
}

static bool is_name(struct str name, const char *z)
{
	return name.n == strlen(z) && strncasecmp(name.p, z, name.n) == 0;
}

/** What of the fields counts. */
struct fields {
	bool is_upgrade, is_connection, is_accept, is_protocol;
};

static void field_take(struct str line, struct str accept, struct fields *f)
{
	struct str name, value = str_trim(str_cut(line, ':', &name));
	if (is_name(name, "Upgrade"))
		f->is_upgrade = is_name(value, "websocket");
	else if (is_name(name, "Connection"))
		f->is_connection = http_has_token(value, "Upgrade");
	else if (is_name(name, "Sec-WebSocket-Accept"))
		f->is_accept = str_eq(value, accept);
	else if (is_name(name, "Sec-WebSocket-Protocol"))
		f->is_protocol = is_name(value, "mqtt");
}

static bool is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

/** "HTTP/1.1 101 …" */
static int status_judge(struct str line, struct text *why)
{
	if (!str_starts(line, "HTTP/1.") || line.n < 12 || !is_clean(line)) {
		text_puts(why, "what answers on this port is no web server");
		return -EINVAL;
	}
	struct str status = { line.p + 9, line.n - 9 < 80 ? line.n - 9 : 80 };
	if (str_starts(status, "101"))
		return 0;
	text_printf(why, "the web server refused the WebSocket: %.*s; is the path right?", STR_ARG(status));
	return -EINVAL;
}

int websocket_answer_read(struct slice in, struct str accept, size_t *ret_used, struct text *why)
{
	struct str rest = { (const char *)in.p, in.n < WEBSOCKET_ANSWER_MAX ? in.n : WEBSOCKET_ANSWER_MAX }, line;
	struct fields f = { 0 };
	const char *end = memmem(rest.p, rest.n, "\r\n\r\n", 4);
	/* What is no HTTP is not waited for to end as such. */
	if ((in.n && in.p[0] != 'H') || (!end && rest.n == WEBSOCKET_ANSWER_MAX)) {
		text_puts(why, "what answers on this port is no web server");
		return -EINVAL;
	}
	if (!end)
		return WEBSOCKET_ANSWER_E_MORE;
	*ret_used = (size_t)(end - rest.p) + 4;
	rest.n = *ret_used - 2;
	(void)line_cut(&rest, &line);
	TRY(status_judge(line, why));
	while (line_cut(&rest, &line) == 0)
		field_take(line, accept, &f);
	if (f.is_upgrade && f.is_connection && f.is_accept && f.is_protocol)
		return 0;
	text_puts(why, f.is_upgrade && f.is_accept ? "the web server does not speak MQTT over its WebSocket on this path"
						  : "the web server's answer opens no WebSocket");
	return -EINVAL;
}

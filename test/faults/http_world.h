/** @file An HTTP server on loopback with a few routes, and a client that says exactly what a test wants said. */
#include "common/http.h"
#include "common/log.h"
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct http_server *server;
static struct loop_timer *timer;
static struct http_request *held;
static int closed, calls;
static char answer[1 << 18];

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void run_for(uint64_t us)
{
	loop_refresh(loop);
	loop_timer_in(timer, us);
	loop_run(loop);
}

static void on_echo(void *ctx, struct http_request *r)
{
	AUTO(text_done) struct text t = text_growing(4 << 20);
	(void)ctx;
	calls++;
	const char *q = http_query(r, "q"), *h = http_header(r, "X-Test");
	text_printf(&t, "a=%s b=%s q=%s h=%s body=", http_param(r, "a"), http_param(r, "b"), q ? q : "-", h ? h : "-");
	text_put(&t, http_body(r));
	http_reply_text(r, 200, "text/plain", text_str(&t));
}

static void on_count(void *ctx, struct http_request *r)
{
	char buf[32];
	(void)ctx;
	snprintf(buf, sizeof buf, "%zu", http_body(r).n);
	http_reply_json(r, 201, str_of(buf));
}

static void on_hold(void *ctx, struct http_request *r)
{
	(void)ctx;
	held = r;
}

static void on_gone(void *ctx)
{
	(void)ctx;
	closed++;
	held = NULL;
}

static void on_watch(void *ctx, struct http_request *r)
{
	(void)ctx;
	held = r;
	http_on_close(r, on_gone, NULL);
}

static void on_stream(void *ctx, struct http_request *r)
{
	(void)ctx;
	held = r;
	http_stream_begin(r, "text/event-stream", on_gone, NULL);
}

static void on_deny(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_reply_error(r, 401, "no \"key\"");
}

static void on_nothing(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_reply_json(r, 204, STR(""));
}

static const struct http_route routes[] = {
	{ HTTP_GET, "/v/{a}/w/{b}", on_echo }, { HTTP_POST, "/v/{a}", on_echo }, { HTTP_PUT, "/v/{a}", on_count },
	{ HTTP_GET, "/hold", on_hold }, { HTTP_GET, "/watch", on_watch }, { HTTP_GET, "/stream", on_stream },
	{ HTTP_GET, "/deny", on_deny }, { HTTP_DELETE, "/v/{a}", on_nothing }, { HTTP_GET, "/", on_echo }, { 0 },
};

/** A server with these bounds and answers to pages. */
static void setup_with(const struct http_options *o)
{
	char buf[128];
	struct text error = text_fixed(buf, sizeof buf);
	log_setup(LOG_LOGFMT, LOG_ERROR, "test");
	loop = loop_new();
	timer = loop_timer_new(loop, stop, NULL);
	server = http_new(loop, o);
	ck_assert_ptr_nonnull(server);
	http_add_routes(server, routes, NULL);
	ck_assert_int_eq(http_open(server, "127.0.0.1:0", NULL, &error), 0);
}

static inline void setup(void)
{
	setup_with(NULL);
}

static void teardown(void)
{
	http_free(server);
	loop_timer_free(timer);
	loop_free(loop);
}

/** @param host  127.0.0.host is who asks */
static int dial_from(uint8_t host)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host) };
	to.sin_port = htons((uint16_t)atoi(strchr(http_address(server, false), ':') + 1));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&from, sizeof from), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static int dial(void)
{
	return dial_from(1);
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/** Let the server work and take what it says, until it says nothing more for 20 ms (nothing at all for 300 ms, as a busy machine is
 * slow with the first word) or closes. @return is it open still */
static bool hear(int fd)
{
	size_t n = 0;
	answer[0] = '\0';
	for (int quiet = 0; quiet < (n ? 4 : 60) && n + 1 < sizeof answer;) {
		run_for(5000);
		ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		quiet = got > 0 ? 0 : quiet + 1;
		n += got > 0 ? (size_t)got : 0;
		answer[n] = '\0';
	}
	return true;
}

static const char *body(void)
{
	const char *b = strstr(answer, "\r\n\r\n");
	return b ? b + 4 : "";
}

static bool has(const char *text)
{
	return strstr(answer, text) != NULL;
}

/** One request on a connection of its own. */
static inline void ask(const char *text)
{
	int fd = dial();
	say(fd, text);
	hear(fd);
	close(fd);
}

/** @file Webhooks: URLs against RFC 6570's own examples, answers against RFC 9110 and 9112, signatures against RFC 4231; settings, secrets,
 * health. */
#include "as/core/integration/address.h"
#include "as/core/integration/http_answer.h"
#include "as/core/integration/webhook.h"
#include "as/core/integration/webhook_health.h"
#include "as/core/integration/webhook_request.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- URLs ---- */

static const struct webhook_variables device = { "app1", "dev1", "0000000000000001", "70B3D57ED0051234", "260B12AB" };

static void expands(const char *url_template, const char *expected, const struct webhook_variables *v)
{
	char buf[512];
	struct text t = text_fixed(buf, sizeof buf);
	const char *why = "";
	ck_assert_msg(!webhook_expand(&t, str_of(url_template), v, &why), "%s: %s", url_template, why);
	ck_assert_str_eq(buf, expected);
}

/* RFC 6570 1.2 and 3.2, with names that there are: var is devID, hello appID, path joinEUI, x devEUI, empty devAddr. */
START_TEST(templates_expand_as_in_rfc_6570)
{
	static const struct webhook_variables v = { "Hello World!", "value", "/foo/bar", "1024", "" };
	static const char *const rows[][2] = {
		{ "{devID}", "value" },
		{ "{appID}", "Hello%20World%21" },
		{ "{+devID}", "value" },
		{ "{+appID}", "Hello%20World!" },
		{ "{+joinEUI}/here", "/foo/bar/here" },
		{ "here?ref={+joinEUI}", "here?ref=/foo/bar" },
		{ "X{#devID}", "X#value" },
		{ "X{#appID}", "X#Hello%20World!" },
		{ "map?{devEUI,devID}", "map?1024,value" },
		{ "{devEUI,appID,devID}", "1024,Hello%20World%21,value" },
		{ "{+joinEUI,devEUI}/here", "/foo/bar,1024/here" },
		{ "{#devEUI,appID,devID}", "#1024,Hello%20World!,value" },
		{ "X{.devID}", "X.value" },
		{ "X{.devEUI,devID}", "X.1024.value" },
		{ "{/devID}", "/value" },
		{ "{/devID,devEUI}/here", "/value/1024/here" },
		{ "{;devEUI,devID}", ";devEUI=1024;devID=value" },
		{ "{;devEUI,devID,devAddr}", ";devEUI=1024;devID=value;devAddr" },
		{ "{?devEUI,devID}", "?devEUI=1024&devID=value" },
		{ "{?devEUI,devID,devAddr}", "?devEUI=1024&devID=value&devAddr=" },
		{ "?fixed=yes{&devEUI}", "?fixed=yes&devEUI=1024" },
		{ "{&devEUI,devID,devAddr}", "&devEUI=1024&devID=value&devAddr=" },
		{ "{devID:3}", "val" },
		{ "{devID:30}", "value" },
		{ "{+joinEUI:6}/here", "/foo/b/here" },
		{ "X{.devID:3}", "X.val" },
		{ "{/devID:1,devID}", "/v/value" },
		{ "{?devID:3}", "?devID=val" },
		{ "{devID*}", "value" },
		{ "{appEUI:1}{applicationID:1}{deviceID:1}", "%2FHv" },
		{ "a b%20c%zz\xc3\xa9", "a%20b%20c%25zz%C3%A9" },
		{ "", "" },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		expands(rows[i][0], rows[i][1], &v);
}
END_TEST

START_TEST(what_is_no_template_is_refused_with_the_reason)
{
	static const char *const rows[] = { "{", "}", "a{devID", "a}{devID}", "{}", "{device}", "{devID,}x", "{devID:0}", "{devID:99999}", "{devID:}",
		"{!devID}", "{{devID}}", "{devID:03}" };
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[512];
		struct text t = text_fixed(buf, sizeof buf);
		const char *why = "";
		/* A comma at the end of the list adds nothing. */
		int e = webhook_expand(&t, str_of(rows[i]), &device, &why);
		ck_assert_msg(e == -EINVAL || !strcmp(rows[i], "{devID,}x"), "%s", rows[i]);
		ck_assert(!e || *why);
	}
}
END_TEST

static void goes_to(const char *base, const char *path, const char *host, unsigned port, const char *authority, const char *target)
{
	struct webhook_target t;
	const char *why = "";
	int e = webhook_target_of(str_of(base), str_of(path), &device, &t, &why);
	ck_assert_msg(!e, "%s + %s: %s", base, path, why);
	ck_assert_str_eq(t.host, host);
	ck_assert_uint_eq(t.port, port);
	ck_assert_str_eq(t.authority, authority);
	ck_assert_str_eq(t.target.p, target);
	ck_assert_int_eq(t.is_tls, str_starts(str_of(base), "https"));
	text_done(&t.target);
}

START_TEST(base_and_path_are_joined_by_one_slash)
{
	goes_to("https://example.com", "", "example.com", 443, "example.com", "/");
	goes_to("https://example.com/", "", "example.com", 443, "example.com", "/");
	goes_to("https://example.com/in", "", "example.com", 443, "example.com", "/in");
	goes_to("https://example.com/in", "up", "example.com", 443, "example.com", "/in/up");
	goes_to("https://example.com/in/", "up", "example.com", 443, "example.com", "/in/up");
	goes_to("https://example.com/in", "/up", "example.com", 443, "example.com", "/in/up");
	goes_to("https://example.com/in/", "//up/", "example.com", 443, "example.com", "/in/up/");
	goes_to("https://example.com/in", "/", "example.com", 443, "example.com", "/in/");
	goes_to("https://example.com/in", "?a=1", "example.com", 443, "example.com", "/in?a=1");
	goes_to("https://example.com/in?token=x", "up?a=1", "example.com", 443, "example.com", "/in/up?token=x&a=1");
	goes_to("https://example.com/in?token=x", "up", "example.com", 443, "example.com", "/in/up?token=x");
	goes_to("https://example.com?token=x", "", "example.com", 443, "example.com", "/?token=x");
	goes_to("https://example.com/in#here", "up#there", "example.com", 443, "example.com", "/in/up");
}
END_TEST

START_TEST(a_url_is_taken_apart)
{
	goes_to("http://localhost:1880/{appID}", "{devID}/up{?devEUI,joinEUI}", "localhost", 1880, "localhost:1880",
		"/app1/dev1/up?devEUI=70B3D57ED0051234&joinEUI=0000000000000001");
	goes_to("http://[::1]:8080/x", "", "::1", 8080, "[::1]:8080", "/x");
	goes_to("https://[2001:db8::1]", "", "2001:db8::1", 443, "[2001:db8::1]", "/");
	goes_to("http://192.0.2.1:80", "", "192.0.2.1", 80, "192.0.2.1", "/");
	goes_to("https://{appID}.example.com:443/", "{devAddr}", "app1.example.com", 443, "app1.example.com", "/260B12AB");
	static const char *const wrong[] = { "", "example.com", "ftp://example.com", "https://", "https://:443", "https://user:secret@example.com",
		"https://exa mple.com", "https://example.com:0", "https://example.com:65536", "https://example.com:x", "https://[::1", "https://[::1]x",
		"https://b\xc3\xbc" "cher.example", "https://a/{devid}", "https://a[b]/" };
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct webhook_target t;
		const char *why = "";
		ck_assert_msg(webhook_target_of(str_of(wrong[i]), STR(""), &device, &t, &why) == -EINVAL, "%s", wrong[i]);
		ck_assert_msg(*why, "%s", wrong[i]);
		text_done(&t.target);
	}
}
END_TEST

/* ---- answers ---- */

static struct http_answer a;

/** In one piece, and cut in two everywhere. @return what the last piece came to */
static int answers(const char *text)
{
	size_t n = strlen(text);
	int whole;
	for (size_t i = 0; i <= n; i++) {
		http_answer_init(&a);
		int e = http_answer_take(&a, text, i);
		if (!e)
			e = http_answer_take(&a, text + i, n - i);
		if (i)
			ck_assert_int_eq(e, whole);
		whole = e;
	}
	return whole;
}

START_TEST(an_answer_ends_where_it_says)
{
	ck_assert_int_eq(answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: x\r\n\r\nok"), 0);
	ck_assert(a.state == ANSWER_DONE && a.status == 200 && a.keeps_alive);
	ck_assert_str_eq(a.beginning, "ok");
	ck_assert_int_eq(answers("HTTP/1.1 204 No Content\r\n\r\n"), 0);
	ck_assert(a.state == ANSWER_DONE && a.status == 204 && a.keeps_alive);
	/* RFC 9112 7.1, with trailers and an extension. */
	ck_assert_int_eq(answers("HTTP/1.1 503\r\nTransfer-Encoding: chunked\r\nRetry-After: 120\r\n\r\n4;x=y\r\nWiki\r\n7\r\npedia i\r\n0\r\nT: u\r\n\r\n"), 0);
	ck_assert(a.state == ANSWER_DONE && a.status == 503 && a.keeps_alive);
	ck_assert_str_eq(a.beginning, "Wikipedia i");
	ck_assert_str_eq(a.retry_after, "120");
	ck_assert_int_eq(answers("HTTP/1.0 301 Moved\r\nlocation: https://b.example/\r\n\r\nthere"), 0);
	ck_assert(a.state == ANSWER_UNTIL_CLOSE && a.has_head && a.status == 301);
	ck_assert_str_eq(a.location, "https://b.example/");
	ck_assert_int_eq(http_answer_end(&a), 0);
	ck_assert(a.state == ANSWER_DONE && !a.keeps_alive);
	ck_assert_int_eq(answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 Accepted\nContent-Length: 0\n\n"), 0);
	ck_assert(a.state == ANSWER_DONE && a.status == 202);
	ck_assert_int_eq(answers("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"), 0);
	ck_assert(a.state == ANSWER_DONE && !a.keeps_alive);
	ck_assert_int_eq(answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore"), 0);
	ck_assert(a.state == ANSWER_DONE && !a.keeps_alive);
	ck_assert_int_eq(answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), 0);
	ck_assert(a.state == ANSWER_BODY && a.has_head);
	ck_assert_int_eq(http_answer_end(&a), -EBADMSG);
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
	static const char *const rows[] = { "SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n", "HTTP/1.1 99 x\r\n", "HTTP/1.1 600 x\r\n", "HTTP/1.1 2000 x\r\n",
		"HTTP/1.1 200 OK\r\nnothing\r\n\r\n", "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "HTTP/1.1 101 Switching\r\n\r\n" };
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(answers(rows[i]) == -EBADMSG, "%s", rows[i]);
}
END_TEST

START_TEST(an_answer_is_listened_to_for_so_long_and_no_longer)
{
	char line[1024];
	int e = 0;
	memset(line, 'a', sizeof line);
	http_answer_init(&a);
	ck_assert_int_eq(http_answer_take(&a, "HTTP/1.1 200 OK\r\nX: ", 20), 0);
	for (int i = 0; i < 40 && !e; i++)
		e = http_answer_take(&a, line, sizeof line);
	ck_assert_int_eq(e, -EMSGSIZE);
	ck_assert(!a.has_head);
	/* A long line is no harm, where it does not say how long the body is. */
	http_answer_init(&a);
	ck_assert_int_eq(http_answer_take(&a, "HTTP/1.1 200 OK\r\nSet-Cookie: ", 29), 0);
	ck_assert_int_eq(http_answer_take(&a, line, sizeof line), 0);
	ck_assert_int_eq(http_answer_take(&a, line, sizeof line), 0);
	ck_assert_int_eq(http_answer_take(&a, "\r\nContent-Length: 0\r\n\r\n", 23), 0);
	ck_assert(a.state == ANSWER_DONE && a.status == 200 && a.keeps_alive);
	http_answer_init(&a);
	memset(line, '0', sizeof line);
	ck_assert_int_eq(http_answer_take(&a, "HTTP/1.1 200 OK\r\nContent-Length: ", 33), 0);
	ck_assert_int_eq(http_answer_take(&a, line, sizeof line), 0);
	ck_assert_int_eq(http_answer_take(&a, "5\r\n", 3), -EBADMSG);
	memset(line, 'a', sizeof line);
	http_answer_init(&a);
	e = http_answer_take(&a, "HTTP/1.1 200 OK\r\n", 17);
	for (int i = 0; i < 40 && !e; i++) {
		e = http_answer_take(&a, "X: ", 3);
		if (!e)
			e = http_answer_take(&a, line, sizeof line);
		if (!e)
			e = http_answer_take(&a, "\r\n", 2);
	}
	ck_assert_int_eq(e, -EMSGSIZE);
	http_answer_init(&a);
	e = http_answer_take(&a, "HTTP/1.1 200 OK\r\n\r\n", 19);
	size_t taken = 0;
	for (; !e && taken < 4 * HTTP_ANSWER_BODY_MAX; taken += sizeof line)
		e = http_answer_take(&a, line, sizeof line);
	ck_assert_int_eq(e, -EMSGSIZE);
	ck_assert_uint_le(taken, HTTP_ANSWER_BODY_MAX + 2 * sizeof line);
	ck_assert(a.has_head && a.status == 200);
	/* A chunk of one octet costs what it costs the sender, so sizes count too. */
	http_answer_init(&a);
	e = http_answer_take(&a, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47);
	for (taken = 0; !e && taken < 4 * HTTP_ANSWER_BODY_MAX; taken += 6)
		e = http_answer_take(&a, "1\r\na\r\n", 6);
	ck_assert_int_eq(e, -EMSGSIZE);
}
END_TEST

/* ---- signatures ---- */

static void signs(const char *key_hex, const char *data, const char *mac_hex)
{
	uint8_t key[256], mac[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	size_t n;
	struct text t = text_fixed(hex, sizeof hex);
	ck_assert_int_eq(hex_decode(str_of(key_hex), key, sizeof key, &n), 0);
	ck_assert_int_eq(crypto_hmac_sha256((struct slice){ key, n }, (struct slice){ (const uint8_t *)data, strlen(data) }, mac), 0);
	text_hex(&t, mac, sizeof mac, false);
	ck_assert_str_eq(hex, mac_hex);
}

START_TEST(signatures_are_those_of_rfc_4231)
{
	char long_key[2 * 131 + 1];
	memset(long_key, 'a', sizeof long_key - 1);
	long_key[sizeof long_key - 1] = '\0';
	signs("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	signs("4a656665", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	signs(long_key, "Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

/* ---- what an answer means ---- */

START_TEST(answers_are_final_or_not)
{
	static const struct {
		unsigned status;
		enum webhook_verdict v;
	} rows[] = { { 200, WEBHOOK_TAKEN }, { 201, WEBHOOK_TAKEN }, { 204, WEBHOOK_TAKEN }, { 299, WEBHOOK_TAKEN }, { 301, WEBHOOK_REFUSED },
		{ 304, WEBHOOK_REFUSED }, { 400, WEBHOOK_REFUSED }, { 401, WEBHOOK_REFUSED }, { 404, WEBHOOK_REFUSED }, { 410, WEBHOOK_REFUSED },
		{ 408, WEBHOOK_AGAIN }, { 425, WEBHOOK_AGAIN }, { 429, WEBHOOK_AGAIN }, { 500, WEBHOOK_AGAIN }, { 503, WEBHOOK_AGAIN }, { 0, WEBHOOK_AGAIN } };
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(webhook_judge(rows[i].status), rows[i].v);
}
END_TEST

/* RFC 9110 5.6.7: the same moment three times. */
START_TEST(retry_after_is_seconds_or_a_date)
{
	const uint64_t then_s = 784111777;
	struct now now = { 0, (then_s - 90) * SEC_US };
	ck_assert_uint_eq(webhook_retry_after(STR("120"), &now), 120 * SEC_US);
	ck_assert_uint_eq(webhook_retry_after(STR("0"), &now), 0);
	ck_assert_uint_eq(webhook_retry_after(STR("Sun, 06 Nov 1994 08:49:37 GMT"), &now), 90 * SEC_US);
	ck_assert_uint_eq(webhook_retry_after(STR("Sun Nov  6 08:49:37 1994"), &now), 90 * SEC_US);
	/* The year 94 was ahead once, and is not any more. */
	ck_assert_uint_eq(webhook_retry_after(STR("Sunday, 06-Nov-94 08:49:37 GMT"), &now), 0);
	now.unix_us = UINT64_C(1772446530) * SEC_US; /* 2026-03-02T10:15:30Z */
	ck_assert_uint_eq(webhook_retry_after(STR("Monday, 02-Mar-26 10:16:30 GMT"), &now), 60 * SEC_US);
	static const char *const rows[] = { "", "soon", "-5", "1.5", "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 02 Mar 2026 25:16:30 GMT",
		"Mon, 02 Mar 2026 10:16:30 CET", "Mon, 02 Foo 2026 10:16:30 GMT", "Mon, 2 Mar 2026 10:16:30 GMT", "Mon,", "Mon Mar", ",", " " };
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(webhook_retry_after(str_of(rows[i]), &now) == 0, "%s", rows[i]);
	ck_assert_uint_eq(webhook_retry_after(STR("18446744073709551615"), &now), 1000000000 * SEC_US);
}
END_TEST

START_TEST(a_server_that_fails_is_left_alone_longer_and_longer)
{
	const struct webhook_patience p = { SEC_US, 60 * SEC_US, 4, 100 * SEC_US, 900 * SEC_US, 600 * SEC_US };
	struct webhook_health h = { 0 };
	struct now now = { 1000 * SEC_US, 5000 * SEC_US };
	static const unsigned most_s[] = { 1, 2, 4, 100, 200, 400, 800, 900, 900 };
	for (size_t i = 0; i < COUNT(most_s); i++) {
		bool is_news = webhook_note(&h, &p, WEBHOOK_AGAIN, 0, &now, UINT64_C(0x123456789abcdef) * (i + 1));
		ck_assert_int_eq(is_news, i == 3);
		ck_assert_int_eq(webhook_is_unhealthy(&h, &p), i >= 3);
		uint64_t us = h.resumes_us - now.mono_us;
		ck_assert_uint_le(us, most_s[i] * SEC_US);
		ck_assert_uint_ge(us, most_s[i] * SEC_US / 2);
	}
	ck_assert_uint_eq(h.failed_unix_us, now.unix_us);
	ck_assert(webhook_note(&h, &p, WEBHOOK_TAKEN, 0, &now, 1));
	ck_assert(!webhook_is_unhealthy(&h, &p) && h.resumes_us == 0);
	ck_assert(!webhook_note(&h, &p, WEBHOOK_TAKEN, 0, &now, 1));
	/* Refusals hold nothing up, until there are too many in a row: what waits is kept then. */
	for (int i = 0; i < 3; i++) {
		webhook_note(&h, &p, WEBHOOK_REFUSED, 0, &now, 1);
		ck_assert_uint_eq(h.resumes_us, 0);
	}
	ck_assert(webhook_note(&h, &p, WEBHOOK_REFUSED, 0, &now, 1));
	ck_assert_uint_ge(h.resumes_us, now.mono_us + 50 * SEC_US);
}
END_TEST

START_TEST(retry_after_is_obeyed_within_bounds)
{
	const struct webhook_patience p = { SEC_US, 60 * SEC_US, 0, 0, 0, 600 * SEC_US };
	struct webhook_health h = { 0 };
	struct now now = { 1000 * SEC_US, 0 };
	webhook_note(&h, &p, WEBHOOK_AGAIN, 30 * SEC_US, &now, 1);
	ck_assert_uint_eq(h.resumes_us, 1030 * SEC_US);
	webhook_note(&h, &p, WEBHOOK_AGAIN, 86400 * SEC_US, &now, 1);
	ck_assert_uint_eq(h.resumes_us, 1600 * SEC_US);
	for (int i = 0; i < 100; i++)
		webhook_note(&h, &p, WEBHOOK_AGAIN, 0, &now, 0);
	ck_assert(!webhook_is_unhealthy(&h, &p));
	ck_assert_uint_eq(h.resumes_us, 1060 * SEC_US);
}
END_TEST

/* ---- addresses ---- */

START_TEST(addresses_of_ones_own_are_known)
{
	static const struct {
		uint8_t ip[16];
		bool is_public;
	} rows[] = {
#define V4(a, b, c, d) { [10] = 0xff, 0xff, a, b, c, d }
		{ V4(127, 0, 0, 1), false }, { V4(10, 1, 2, 3), false }, { V4(172, 16, 0, 1), false }, { V4(172, 31, 255, 255), false },
		{ V4(172, 32, 0, 1), true }, { V4(192, 168, 1, 1), false }, { V4(169, 254, 169, 254), false }, { V4(100, 64, 0, 1), false },
		{ V4(100, 128, 0, 1), true }, { V4(0, 0, 0, 0), false }, { V4(255, 255, 255, 255), false }, { V4(224, 0, 0, 1), false },
		{ V4(8, 8, 8, 8), true }, { V4(1, 1, 1, 1), true }, { V4(198, 19, 0, 1), false }, { V4(203, 0, 113, 5), false },
		{ { [15] = 1 }, false }, { { 0 }, false }, { { 0xfe, 0x80, [15] = 1 }, false }, { { 0xfd, 0x12, [15] = 1 }, false },
		{ { 0xfc, [15] = 1 }, false }, { { 0xff, 0x02, [15] = 1 }, false }, { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, false },
		{ { 0x26, 0x06, 0x47, 0x00, 0x47, 0x00, [14] = 0x11, 0x11 }, true },
		{ { 0x20, 0x02, 127, 0, 0, 1 }, false }, { { 0x20, 0x02, 8, 8, 8, 8 }, true },
		{ { 0, 0x64, 0xff, 0x9b, [12] = 10, 0, 0, 1 }, false }, { { 0, 0x64, 0xff, 0x9b, [12] = 8, 8, 8, 8 }, true },
		{ { [12] = 127, 0, 0, 1 }, false },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(address_is_public(rows[i].ip) == rows[i].is_public, "row %zu", i);
}
END_TEST

/* ---- settings ---- */

static struct json_tok tok[512];
static struct json j;
static struct problem p;
static struct envelope envelope;

static int reads(struct webhook *w, const char *json, const char *mask)
{
	struct field_mask m;
	p = (struct problem){ 0 };
	ck_assert_int_eq(json_parse(str_of(json), tok, COUNT(tok), &j, NULL), 0);
	ck_assert_int_eq(field_mask_parse(mask, &m, &p), 0);
	return webhook_read(w, &m, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = &p });
}

static void shows(const struct webhook *w, const char *expected)
{
	struct text t = text_growing(WEBHOOK_RECORD_MAX);
	json_open(&t, '{');
	webhook_write(&t, w);
	json_close(&t, '}');
	/* Behind the times, which are not set here. */
	const char *at = strstr(t.p, "\"base_url\"");
	ck_assert_ptr_nonnull(at);
	ck_assert_str_eq(at, expected);
	text_done(&t);
}

#define SETTINGS                                                                                                                      \
	"{\"base_url\":\"https://example.com/{appID}\",\"headers\":{\"Authorization\":\"Bearer abc\",\"X-Site\":\"roof\"},\"format\":\"json\"," \
	"\"downlink_api_key\":\"NNSXS.KEY.SECRET\",\"uplink_message\":{\"path\":\"up\"},\"join_accept\":{},\"downlink_queue_invalidated\":{\"path\":\"n\"}," \
	"\"field_mask\":{\"paths\":[\"end_device_ids\",\"up.uplink_message.frm_payload\"]},\"signature_secret\":\"sixteen or more letters\"," \
	"\"template_ids\":{\"template_id\":\"x\"},\"template_fields\":{\"token\":\"deep secret\"},\"paused\":true,\"connections\":4}"

START_TEST(secrets_are_never_shown)
{
	AUTO(webhook_free) struct webhook *w = webhook_new();
	ck_assert_int_eq(reads(w, SETTINGS, NULL), 0);
	shows(w, "\"base_url\":\"https://example.com/{appID}\",\"format\":\"json\",\"template_ids\":{\"template_id\":\"x\"},"
		"\"uplink_message\":{\"path\":\"up\"},\"join_accept\":{},"
		"\"field_mask\":{\"paths\":[\"end_device_ids\",\"up.uplink_message.frm_payload\"]},\"paused\":true,\"connections\":4,"
		"\"headers\":{\"Authorization\":\"********\",\"X-Site\":\"roof\"},\"template_fields\":{\"token\":\"********\"},"
		"\"downlink_api_key\":\"********\",\"signature_secret\":\"********\"}");
	ck_assert_uint_eq(webhook_kinds(w), KIND_BIT(KIND_UPLINK_MESSAGE) | KIND_BIT(KIND_JOIN_ACCEPT));
}
END_TEST

START_TEST(what_was_shown_may_be_given_back)
{
	AUTO(webhook_free) struct webhook *w = webhook_new();
	ck_assert_int_eq(reads(w, SETTINGS, NULL), 0);
	ck_assert_int_eq(reads(w, "{\"headers\":{\"authorization\":\"********\",\"X-New\":\"1\"},\"downlink_api_key\":\"********\",\"signature_secret\":\"********\"}", NULL), 0);
	ck_assert_str_eq(webhook_text_of(w, WEBHOOK_HEADERS), "{\"authorization\":\"Bearer abc\",\"X-New\":\"1\"}");
	ck_assert_str_eq(webhook_text_of(w, WEBHOOK_DOWNLINK_API_KEY), "NNSXS.KEY.SECRET");
	ck_assert_str_eq(webhook_text_of(w, WEBHOOK_SIGNATURE_SECRET), "sixteen or more letters");
	/* With a mask, what is not there is taken away. */
	ck_assert_int_eq(reads(w, "{}", "headers,signature_secret,uplink_message.path,paused"), 0);
	ck_assert_str_eq(webhook_text_of(w, WEBHOOK_HEADERS), "");
	ck_assert_str_eq(webhook_text_of(w, WEBHOOK_SIGNATURE_SECRET), "");
	ck_assert_uint_eq(webhook_kinds(w), KIND_BIT(KIND_JOIN_ACCEPT));
	ck_assert(!w->is_paused);
}
END_TEST

START_TEST(the_store_has_secrets_sealed_only)
{
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 1);
	envelope = (struct envelope){ crypto_new(), envelope_kek_make(&rng) };
	AUTO(webhook_free) struct webhook *w = webhook_new(), *again = webhook_new();
	ck_assert_int_eq(reads(w, SETTINGS, NULL), 0);
	w->created_unix_us = 1000;
	w->updated_unix_us = 2000;
	struct text t = text_growing(WEBHOOK_RECORD_MAX);
	ck_assert_int_eq(webhook_store(&t, w, &envelope), 0);
	static const char *const secrets[] = { "Bearer", "SECRET", "letters", "deep", "roof" };
	for (size_t i = 0; i < COUNT(secrets); i++)
		ck_assert_ptr_null(strstr(t.p, secrets[i]));
	static const struct field_mask all = { 0 };
	ck_assert_int_eq(json_parse(text_str(&t), tok, COUNT(tok), &j, NULL), 0);
	struct record_source rd = { .j = &j, .root = json_root(&j), .envelope = &envelope, .problem = &p };
	ck_assert_int_eq(webhook_read(again, &all, &rd), 0);
	for (size_t i = 0; i < WEBHOOK_TEXT_N; i++)
		ck_assert_str_eq(webhook_text_of(again, i), webhook_text_of(w, i));
	ck_assert(again->created_unix_us == 1000 && again->updated_unix_us == 2000 && again->is_paused && again->connections == 4);
	ck_assert_uint_eq(webhook_kinds(again), webhook_kinds(w));
	envelope.kek.b[0] ^= 1;
	ck_assert_int_eq(webhook_read(again, &all, &rd), REGISTRY_E_INVALID);
	text_done(&t);
	crypto_free(envelope.crypto);
}
END_TEST

START_TEST(what_cannot_be_is_refused_by_name)
{
	static const struct {
		const char *json, *field;
	} rows[] = {
		{ "{}", "base_url" },
		{ "{\"base_url\":\"example.com\"}", "base_url" },
		{ "{\"base_url\":\"https://a/{nothing}\"}", "base_url" },
		{ "{\"base_url\":\"https://a\",\"format\":\"protobuf\"}", "format" },
		{ "{\"base_url\":\"https://a\",\"headers\":[]}", "headers" },
		{ "{\"base_url\":\"https://a\",\"headers\":{\"Host\":\"b\"}}", "headers" },
		{ "{\"base_url\":\"https://a\",\"headers\":{\"a b\":\"c\"}}", "headers" },
		{ "{\"base_url\":\"https://a\",\"headers\":{\"a\":\"b\\r\\nc: d\"}}", "headers" },
		{ "{\"base_url\":\"https://a\",\"headers\":{\"a\":{}}}", "headers" },
		{ "{\"base_url\":\"https://a\",\"uplink_message\":\"up\"}", "uplink_message" },
		{ "{\"base_url\":\"https://a\",\"uplink_message\":{\"path\":\"{\"}}", "uplink_message" },
		{ "{\"base_url\":\"https://a\",\"downlink_api_key\":\"a b\"}", "downlink_api_key" },
		{ "{\"base_url\":\"https://a\",\"signature_secret\":\"short\"}", "signature_secret" },
		{ "{\"base_url\":\"https://a\",\"tls_ca\":\"/etc/ssl/ca.pem\"}", "tls_ca" },
		{ "{\"base_url\":\"https://a\",\"connections\":0}", "connections" },
		{ "{\"base_url\":\"https://a\",\"connections\":17}", "connections" },
		{ "{\"base_url\":\"https://a\",\"template_ids\":1}", "template_ids" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(webhook_free) struct webhook *w = webhook_new();
		ck_assert_msg(reads(w, rows[i].json, NULL) == REGISTRY_E_INVALID, "%s", rows[i].json);
		ck_assert_str_eq(p.field, rows[i].field);
	}
}
END_TEST

START_TEST(headers_are_walked)
{
	AUTO(webhook_free) struct webhook *w = webhook_new();
	struct webhook_header h;
	json_val at = 0;
	ck_assert_int_eq(reads(w, SETTINGS, NULL), 0);
	ck_assert_int_eq(json_parse(str_of(webhook_text_of(w, WEBHOOK_HEADERS)), tok, COUNT(tok), &j, NULL), 0);
	ck_assert(webhook_header_next(&j, &at, &h));
	ck_assert_str_eq(h.name, "Authorization");
	ck_assert_str_eq(h.value, "Bearer abc");
	ck_assert(webhook_header_next(&j, &at, &h));
	ck_assert_str_eq(h.name, "X-Site");
	ck_assert(!webhook_header_next(&j, &at, &h));
}
END_TEST

/* ---- bodies ---- */

static void body_is(const char *mask, const char *message, const char *expected)
{
	AUTO(webhook_free) struct webhook *w = webhook_new();
	char settings[256];
	struct text s = text_fixed(settings, sizeof settings), t = text_growing(4096);
	text_printf(&s, "{\"base_url\":\"http://a\",\"field_mask\":\"%s\"}", mask);
	ck_assert_int_eq(reads(w, settings, NULL), 0);
	ck_assert_int_eq(webhook_body(w, str_of(message), &t), 0);
	ck_assert_str_eq(t.p, expected);
	text_done(&t);
}

START_TEST(a_field_mask_cuts_a_message_down)
{
	static const char up[] = "{\"end_device_ids\":{\"device_id\":\"d\"},\"received_at\":\"t\",\"uplink_message\":{\"f_port\":1,\"settings\":{\"frequency\":\"1\",\"time\":\"2\"}}}";
	body_is("", up, up);
	body_is("up", up, up);
	body_is("up.uplink_message.f_port", up, "{\"uplink_message\":{\"f_port\":1}}");
	body_is("end_device_ids,up.uplink_message.settings.frequency", up,
		"{\"end_device_ids\":{\"device_id\":\"d\"},\"uplink_message\":{\"settings\":{\"frequency\":\"1\"}}}");
	body_is("received_at,up.join_accept", up, "{\"received_at\":\"t\"}");
	body_is("uplink_message", up, "{\"uplink_message\":{\"f_port\":1,\"settings\":{\"frequency\":\"1\",\"time\":\"2\"}}}");
}
END_TEST

/* ---- requests ---- */

#define HEAD_BEGIN "POST /in/app1/up?eui=70B3D57ED0051234 HTTP/1.1\r\nHost: example.com:8443\r\n"
#define HEAD_MIDDLE "Content-Type: application/json\r\nX-Downlink-Apikey: KEY\r\n"                                                      \
	"X-Downlink-Push: https://l.example/api/v3/as/applications/app1@t/webhooks/wh1/devices/dev1/down/push\r\n"                     \
	"X-Downlink-Replace: https://l.example/api/v3/as/applications/app1@t/webhooks/wh1/devices/dev1/down/replace\r\n"               \
	"X-Tts-Domain: l.example\r\nX-Godwit-Delivery: 7-8\r\n"

START_TEST(a_request_says_what_the_things_stack_says)
{
	static const char body[] = "{\"end_device_ids\":{\"device_id\":\"dev1\",\"dev_eui\":\"70B3D57ED0051234\"},\"uplink_message\":{}}";
	const struct webhook_sender s = { "app1@t", "wh1", "https://l.example/api/v3", "l.example", 7, 8 };
	const struct spool_message m = { .kind = KIND_UPLINK_MESSAGE, .device_id = STR("dev1"), .body = { body, sizeof body - 1 } };
	AUTO(webhook_free) struct webhook *w = webhook_new();
	struct text head = text_growing(8192), sent = text_growing(8192), expected = text_growing(8192);
	struct webhook_target to;
	const char *why;
	ck_assert_int_eq(reads(w, "{\"base_url\":\"https://example.com:8443/in/{appID}\",\"uplink_message\":{\"path\":\"/up?eui={devEUI}\"},\"downlink_api_key\":\"KEY\","
		"\"headers\":{\"X-A\":\"1\",\"content-type\":\"text/x\",\"user-agent\":\"me\",\"x-downlink-push\":\"elsewhere\"}}", NULL), 0);
	ck_assert_int_eq(webhook_request(w, &s, &m, &head, &sent, &to, &why), 0);
	text_printf(&expected, HEAD_BEGIN "X-A: 1\r\nuser-agent: me\r\n" HEAD_MIDDLE "Content-Length: %zu\r\n\r\n", sizeof body - 1);
	ck_assert_str_eq(head.p, expected.p);
	ck_assert_str_eq(sent.p, body);
	ck_assert(to.is_tls && to.port == 8443);
	text_done(&to.target);
	text_done(&head);
	text_done(&sent);
	text_done(&expected);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("webhook");
	TCase *t = tcase_create("webhook");
	suite_add_tcase(s, t);
	tcase_add_test(t, templates_expand_as_in_rfc_6570);
	tcase_add_test(t, what_is_no_template_is_refused_with_the_reason);
	tcase_add_test(t, base_and_path_are_joined_by_one_slash);
	tcase_add_test(t, a_url_is_taken_apart);
	tcase_add_test(t, an_answer_ends_where_it_says);
	tcase_add_test(t, what_is_no_answer_is_refused);
	tcase_add_test(t, an_answer_is_listened_to_for_so_long_and_no_longer);
	tcase_add_test(t, signatures_are_those_of_rfc_4231);
	tcase_add_test(t, answers_are_final_or_not);
	tcase_add_test(t, retry_after_is_seconds_or_a_date);
	tcase_add_test(t, a_server_that_fails_is_left_alone_longer_and_longer);
	tcase_add_test(t, retry_after_is_obeyed_within_bounds);
	tcase_add_test(t, addresses_of_ones_own_are_known);
	tcase_add_test(t, secrets_are_never_shown);
	tcase_add_test(t, what_was_shown_may_be_given_back);
	tcase_add_test(t, the_store_has_secrets_sealed_only);
	tcase_add_test(t, what_cannot_be_is_refused_by_name);
	tcase_add_test(t, headers_are_walked);
	tcase_add_test(t, a_field_mask_cuts_a_message_down);
	tcase_add_test(t, a_request_says_what_the_things_stack_says);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

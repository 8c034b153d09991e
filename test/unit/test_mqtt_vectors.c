/** @file The rules of MQTT as octets in and octets out: runs test/vectors/mqtt/ through the engine. The format is in the README there. */
#include "proto/mqtt/mqtt_write.h"
#include "test/unit/mqtt_open.h"
#include <check.h>
#include <dirent.h>
#include <stdio.h>

enum { LINE_BYTES = 200000 };

static char failures[4000];
static size_t cases, failures_n;

struct run {
	struct open_net net;
	char name[300], file[300];
	unsigned line;
	bool has_failed;
};

static void row_fail(struct run *r, const char *what, const uint8_t *got, size_t n)
{
	size_t at = strlen(failures);
	if (r->has_failed || at > sizeof failures - 600)
		return;
	int w = snprintf(failures + at, sizeof failures - at, "%s:%u: %s: %s", r->file, r->line, r->name, what);
	at += (size_t)w;
	for (size_t i = 0; i < n && i < 60 && at < sizeof failures - 8; i++)
		at += (size_t)snprintf(failures + at, sizeof failures - at, " %02x", got[i]);
	snprintf(failures + at, sizeof failures - at, "\n");
	r->has_failed = true;
	failures_n++;
}

struct octets {
	uint8_t *p;
	size_t n, remaining_at;
	bool closes;
};

/* Put the remaining length where R stood. */
static void packet_close(struct octets *o)
{
	uint8_t head[4];
	struct writer w = writer_of(head, sizeof head);
	if (o->remaining_at == SIZE_MAX)
		return;
	mqtt_varint_write(&w, (uint32_t)(o->n - o->remaining_at));
	memmove(o->p + o->remaining_at + w.len, o->p + o->remaining_at, o->n - o->remaining_at);
	memcpy(o->p + o->remaining_at, head, w.len);
	o->n += w.len;
	o->remaining_at = SIZE_MAX;
}

static const char *text_parse(const char *p, struct octets *o, bool has_length)
{
	size_t at = o->n;
	o->n += has_length ? 2 : 0;
	for (; *p && *p != '"'; p++)
		o->p[o->n++] = (uint8_t)*p;
	if (has_length) {
		o->p[at] = (uint8_t)((o->n - at - 2) >> 8);
		o->p[at + 1] = (uint8_t)(o->n - at - 2);
	}
	return *p ? p + 1 : p;
}

/* YES, YES1: the usual CONNACK of 5.0; NO 81: one that refuses; BYE 81: DISCONNECT of 5.0: both with the reason's own text, and closed. */
static const char *word_parse(const char *p, struct octets *o)
{
	static const uint8_t usual[] = { 0x20, 14, 0, 0, 11, 0x21, 0x03, 0xe8, 0x22, 0, 16, 0x27, 0, 0x10, 0, 0 };
	if (strncmp(p, "YES", 3) == 0) {
		memcpy(o->p + o->n, usual, sizeof usual);
		o->p[o->n + 2] = p[3] == '1';
		o->n += sizeof usual;
		return p + 3 + (p[3] == '1');
	}
	bool is_bye = strncmp(p, "BYE ", 4) == 0;
	if (!is_bye && strncmp(p, "NO ", 3) != 0)
		return NULL;
	char *end;
	unsigned long reason = strtoul(p + (is_bye ? 4 : 3), &end, 16);
	const char *text = mqtt_reason_text((uint8_t)reason);
	size_t n = strlen(text);
	const uint8_t head[] = { is_bye ? 0xe0 : 0x20, (uint8_t)(n + 5 + !is_bye), 0, (uint8_t)reason, (uint8_t)(n + 3), 0x1f, 0, (uint8_t)n };
	memcpy(o->p + o->n, head, sizeof head);
	if (is_bye) /* no acknowledge flags */
		memmove(o->p + o->n + 2, o->p + o->n + 3, sizeof head - 3);
	o->n += sizeof head - is_bye;
	memcpy(o->p + o->n, text, n);
	o->n += n;
	o->closes = true;
	return end;
}

static const char *token_parse(struct run *r, const char *p, struct octets *o)
{
	char *end;
	const char *word = word_parse(p, o);
	if (word)
		return word;
	switch (*p) {
	case ' ':
	case '\t': return p + 1;
	case '|': packet_close(o); return p + 1;
	case 'R': o->remaining_at = o->n; return p + 1;
	case '"': return text_parse(p + 1, o, false);
	case 's': return text_parse(p + 2, o, true);
	case '*': /* the last octet, so many times in all */
		for (size_t times = strtoul(p + 1, &end, 10); times > 1; times--, o->n++)
			o->p[o->n] = o->p[o->n - 1];
		return end;
	default: break;
	}
	if (strncmp(p, "CLOSE", 5) == 0) {
		o->closes = true;
		return p + 5;
	}
	unsigned v;
	if (sscanf(p, "%2x", &v) != 1) {
		row_fail(r, "not understood", (const uint8_t *)p, strlen(p));
		return p + strlen(p);
	}
	o->p[o->n++] = (uint8_t)v;
	return p + 2;
}

static struct octets octets_parse(struct run *r, const char *p, uint8_t *out)
{
	struct octets o = { .p = out, .remaining_at = SIZE_MAX };
	while (*p && *p != ';')
		p = token_parse(r, p, &o);
	packet_close(&o);
	return o;
}

static void expect(struct run *r, struct open_client *c, const uint8_t *want, size_t n, bool closes)
{
	if (c->out_n != n || (n && memcmp(c->out, want, n)))
		row_fail(r, "got", c->out, c->out_n);
	else if (closes && !c->was_closed)
		row_fail(r, "is still open", NULL, 0);
	else if (!closes && c->was_closed)
		row_fail(r, "was closed", NULL, 0);
	c->out_n = 0;
	if (closes)
		c->was_closed = false;
}

/* HELLO, STAY, HELLO5, STAY5: connect with the client's letter as id (STAY: keep the session), and see it accepted. */
static bool hello_run(struct run *r, struct open_client *c, char letter, const char *word)
{
	bool is_five = strchr(word, '5'), stays = strncmp(word, "STAY", 4) == 0;
	if (!stays && strncmp(word, "HELLO", 5) != 0)
		return false;
	struct mqtt_connect p = { .level = is_five ? MQTT_5 : MQTT_311, .is_clean = !stays, .client_id = { &letter, 1 } };
	if (is_five && stays)
		mqtt_props_set_u(&p.props, MQTT_PROP_SESSION_EXPIRY, 1000);
	uint8_t b[64];
	struct writer w = writer_of(b, sizeof b);
	mqtt_connect_write(&w, &p);
	open_forget(c);
	open_receive(&r->net, c, b, w.len);
	if (c->out_n < 4 || c->out[0] != 0x20 || c->out[3] != 0)
		row_fail(r, "no CONNACK", c->out, c->out_n);
	c->out_n = 0;
	return true;
}

static void client_run(struct run *r, char *line, uint8_t *out)
{
	struct open_client *c = &r->net.clients[(line[0] - 'a') & 3];
	if (strncmp(line + 1, "> LOST", 6) == 0) {
		open_lose(&r->net, c);
		open_forget(c);
	} else if (line[1] == '>' && hello_run(r, c, line[0], line + 3)) {
		return;
	} else if (line[1] == '>') {
		struct octets o = octets_parse(r, line + 2, out);
		open_receive(&r->net, c, o.p, o.n);
	} else {
		struct octets o = octets_parse(r, line + 2, out);
		expect(r, c, o.p, o.n, o.closes);
	}
}

/* limit NAME N: what logins are given from now on. */
static void limit_set(struct run *r, const char *line)
{
	struct open_net *net = &r->net;
	char name[40] = "";
	uint32_t v = 0;
	if (!net->limits.packet_bytes)
		net->limits = mqtt_limits_default();
	net->limits.retained_messages = 100;
	const struct {
		const char *name;
		uint32_t *at;
	} rows[] = { { "packet_bytes", &net->limits.packet_bytes }, { "topic_bytes", &net->limits.topic_bytes },
		{ "topic_levels", &net->limits.topic_levels }, { "topic_aliases", &net->limits.topic_aliases },
		{ "queue_messages", &net->limits.queue_messages }, { "queue_bytes", &net->limits.queue_bytes }, { "inflight", &net->limits.inflight },
		{ "receive_max", &net->limits.receive_max }, { "subscriptions", &net->limits.subscriptions }, { "filters", &net->limits.filters },
		{ "sessions", &net->limits.sessions }, { "session_expiry_s", &net->limits.session_expiry_s },
		{ "retained_messages", &net->limits.retained_messages } };
	if (sscanf(line, "%39s %u", name, &v) != 2)
		row_fail(r, "not understood", (const uint8_t *)line, strlen(line));
	if (strcmp(name, "keep_alive_max_s") == 0)
		net->keep_alive_max_s = (uint16_t)v;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strcmp(name, rows[i].name) == 0)
			*rows[i].at = v;
}

static void line_run(struct run *r, char *line, uint8_t *out)
{
	if (strncmp(line, "limit ", 6) == 0) {
		limit_set(r, line + 6);
		return;
	}
	if (strcmp(line, "restart") == 0) {
		if (open_restart(&r->net))
			row_fail(r, "the records were not understood", NULL, 0);
		return;
	}
	if (strncmp(line, "wait ", 5) == 0) {
		open_wait(&r->net, strtoull(line + 5, NULL, 10) * MS_US);
	} else if (strncmp(line, "taken ", 6) == 0) {
		mqtt_engine_taken(r->net.engine, r->net.tickets[strtoul(line + 6, NULL, 10) % OPEN_TICKETS], 0, &r->net.now);
		open_step(&r->net);
	} else if (strncmp(line, "failed ", 7) == 0) {
		mqtt_engine_taken(r->net.engine, r->net.tickets[strtoul(line + 7, NULL, 10) % OPEN_TICKETS], MQTT_UNAVAILABLE, &r->net.now);
		open_step(&r->net);
	} else if (line[0] >= 'a' && line[0] <= 'd' && (line[1] == '>' || line[1] == '<')) {
		client_run(r, line, out);
	} else {
		row_fail(r, "not understood", (const uint8_t *)line, strlen(line));
	}
}

static void case_end(struct run *r)
{
	if (!r->name[0])
		return;
	for (size_t i = 0; i < OPEN_CLIENTS; i++)
		if (r->net.clients[i].out_n || r->net.clients[i].was_closed)
			row_fail(r, "something nobody asked for at the end", r->net.clients[i].out, r->net.clients[i].out_n);
	open_stop(&r->net);
	cases++;
	r->name[0] = 0;
}

static void file_run(const char *path, const char *file)
{
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	char *line = malloc(LINE_BYTES);
	uint8_t *octets = calloc(1, LINE_BYTES * 2);
	struct run r = { .line = 0 };
	snprintf(r.file, sizeof r.file, "%s", file);
	while (fgets(line, LINE_BYTES, f)) {
		r.line++;
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#' || line[0] == 0)
			continue;
		if (line[0] == '[') {
			case_end(&r);
			snprintf(r.name, sizeof r.name, "%.290s", line);
			r.has_failed = false;
			open_start(&r.net, NULL, true);
		} else {
			line_run(&r, line, octets);
		}
	}
	case_end(&r);
	free(octets);
	free(line);
	fclose(f);
}

START_TEST(every_row_of_the_vectors_holds)
{
	const char *source = getenv("GODWIT_SOURCE");
	char path[1000];
	snprintf(path, sizeof path, "%s/test/vectors/mqtt", source ? source : ".");
	DIR *d = opendir(path);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d));)
		if (strstr(e->d_name, ".txt") && strcmp(e->d_name, "clauses.txt") != 0) {
			snprintf(path, sizeof path, "%s/test/vectors/mqtt/%s", source ? source : ".", e->d_name);
			file_run(path, e->d_name);
		}
	closedir(d);
	ck_assert_uint_gt(cases, 100);
	ck_assert_msg(failures_n == 0, "%zu of %zu cases failed:\n%s", failures_n, cases, failures);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_vectors");
	TCase *t = tcase_create("rules");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, every_row_of_the_vectors_holds);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

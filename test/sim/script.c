/** @file Commands on stdin, one JSON object a line. */
#include "test/sim/script.h"
#include "common/core/json.h"
#include "test/sim/device.h"
#include "test/sim/gateway.h"
#include "test/sim/report.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, TOKENS = 64 };

struct script {
	char line[LINE_MAX_BYTES];
	size_t n;
	struct loop_watch *watch;
};

struct command {
	struct sim *sim;
	struct json j;
	json_val root;
	struct device *device;
	struct gateway *gateway;
};

static json_val member(const struct command *c, const char *name)
{
	return json_get(&c->j, c->root, name);
}

static uint64_t number(const struct command *c, const char *name, uint64_t otherwise)
{
	uint64_t v;
	return json_u64(&c->j, member(c, name), &v) ? otherwise : v;
}

static bool flag(const struct command *c, const char *name, bool otherwise)
{
	bool v;
	return json_bool(&c->j, member(c, name), &v) ? otherwise : v;
}

/** Octets of a hex member; absent: none. @return 0; -EINVAL */
static int octets(const struct command *c, const char *name, void *buf, size_t cap, size_t *ret_n)
{
	struct str s;
	*ret_n = 0;
	int e = json_plain(&c->j, member(c, name), &s);
	return e == -ENOENT ? 0 : e ? -EINVAL : hex_decode(s, buf, cap, ret_n) ? -EINVAL : 0;
}

static const char *do_join(struct command *c)
{
	if (!c->device->otaa)
		return "this device does not join";
	device_want_join(c->device, c->sim);
	return NULL;
}

static const char *do_rejoin(struct command *c)
{
	uint64_t type = number(c, "type", 0);
	if (type > 2)
		return "type: 0, 1, 2";
	return device_want_rejoin(c->device, c->sim, (uint8_t)type) ? "this device has not joined with LoRaWAN 1.1" : NULL;
}

static const char *do_uplink(struct command *c)
{
	struct wish w = { .has_port = member(c, "f_port") >= 0, .f_port = (uint8_t)number(c, "f_port", 0),
		.confirmed = flag(c, "confirmed", false), .link_check = flag(c, "link_check", false),
		.device_time = flag(c, "device_time", false) };
	size_t n;
	if (octets(c, "payload", w.payload, sizeof w.payload, &n) || (n && !w.has_port))
		return "payload: hex of at most 242 octets, with an f_port";
	w.len = (uint8_t)n;
	if (!c->device->is_joined)
		return "this device has no session";
	return device_wish(c->device, c->sim, &w) ? "too many uplinks wait" : NULL;
}

static const char *do_repeat(struct command *c)
{
	device_repeat(c->device, c->sim);
	return NULL;
}

static const char *do_set(struct command *c)
{
	struct device *d = c->device;
	d->dr = (uint8_t)number(c, "dr", d->dr);
	d->battery = (uint8_t)number(c, "battery", d->battery);
	d->adr = flag(c, "adr", d->adr);
	d->is_deaf = flag(c, "deaf", d->is_deaf);
	d->f_cnt_up = (uint32_t)number(c, "f_cnt_up", d->f_cnt_up);
	return region_modu(c->sim->plan->region, true, d->dr) ? NULL : "dr: no such data rate";
}

static const char *do_multicast(struct command *c)
{
	struct group g = { 0 };
	struct str addr;
	size_t n, m;
	if (json_plain(&c->j, member(c, "dev_addr"), &addr) || hex_u32(addr, 8, &g.addr))
		return "dev_addr: 8 hex digits";
	if (octets(c, "nwk_s_key", g.nwk_s_key.b, AES_KEY, &n) ||
		octets(c, "app_s_key", g.app_s_key.b, AES_KEY, &m) || n != AES_KEY || m != AES_KEY)
		return "nwk_s_key, app_s_key: 32 hex digits";
	c->device->group = g;
	return NULL;
}

static const char *do_gateway(struct command *c)
{
	struct gateway *g = c->gateway;
	struct str word;
	char name[16];
	g->is_on = flag(c, "on", g->is_on);
	g->has_gps = flag(c, "gps", g->has_gps);
	g->answer_delay_us = number(c, "tx_ack_delay_us", g->answer_delay_us);
	if (!json_plain(&c->j, member(c, "tx_ack"), &word) && gateway_answer(g, word))
		return "tx_ack: a word of at most 31 characters";
	if (!json_plain(&c->j, member(c, "forwarder"), &word) &&
		(str_copy(word, name, sizeof name) || gateway_forwarder(g, name)))
		return "forwarder: sx1302, sx1301, v1";
	int e = flag(c, "reboot", false) ? gateway_reboot(g) : flag(c, "move", false) ? gateway_move(g) : 0;
	return e ? "no socket" : NULL;
}

static const char *do_raw(struct command *c)
{
	uint8_t phy[PHY_MAX];
	struct emission e = {
		.end_us = sim_now(c->sim), .phy = phy, .freq_hz = (uint32_t)number(c, "freq", 868100000)
	};
	struct str datr;
	if (octets(c, "phy", phy, sizeof phy, &e.phy_len))
		return "phy: hex of at most 255 octets";
	if (json_plain(&c->j, member(c, "datr"), &datr))
		datr = STR("SF7BW125");
	if (modu_parse(datr, &e.modu))
		return "datr: SF7BW125, 50000";
	gateway_hear(c->sim, c->gateway, &e, 0);
	return NULL;
}

static const char *do_quit(struct command *c)
{
	sim_end(c->sim);
	return NULL;
}

static const struct {
	const char *word;
	const char *(*run)(struct command *c); /**< what is wrong with it; NULL: done */
} commands[] = {
	{ "join", do_join },
	{ "rejoin", do_rejoin },
	{ "uplink", do_uplink },
	{ "repeat", do_repeat },
	{ "set", do_set },
	{ "multicast", do_multicast },
	{ "gateway", do_gateway },
	{ "raw", do_raw },
	{ "quit", do_quit },
};

static const char *command_run(struct sim *s, struct str line)
{
	struct json_tok tok[TOKENS];
	struct command c = { .sim = s };
	struct str word;
	if (json_parse(line, tok, TOKENS, &c.j, NULL))
		return "not JSON";
	c.root = json_root(&c.j);
	uint64_t device = number(&c, "device", 0), gateway = number(&c, "gateway", 0);
	if (json_plain(&c.j, member(&c, "cmd"), &word))
		return "cmd: missing";
	if (device >= s->opt.devices || gateway >= s->opt.gateways)
		return "no such device or gateway";
	c.device = &s->devices[device];
	c.gateway = &s->gateways[gateway];
	for (size_t i = 0; i < COUNT(commands); i++)
		if (str_is(word, commands[i].word))
			return commands[i].run(&c);
	return "cmd: no such command";
}

static void line_take(struct sim *s, struct str line)
{
	struct report r;
	line = str_trim(line);
	const char *wrong = line.n ? command_run(s, line) : NULL;
	if (!wrong)
		return;
	report_begin(&r, s, "error");
	report_word(&r, "message", wrong);
	report_end(&r);
}

static void on_input(int fd, void *ctx)
{
	struct sim *s = ctx;
	struct script *in = s->script;
	ssize_t n = read(fd, in->line + in->n, sizeof in->line - in->n);
	if (n <= 0) {
		loop_watch_free(in->watch);
		in->watch = NULL;
		sim_end(s);
		return;
	}
	in->n += (size_t)n;
	for (char *end; (end = memchr(in->line, '\n', in->n));) {
		size_t len = (size_t)(end - in->line);
		line_take(s, (struct str){ in->line, len });
		in->n -= len + 1;
		memmove(in->line, end + 1, in->n);
	}
	if (in->n == sizeof in->line)
		in->n = 0; /* longer than any command */
}

int script_start(struct sim *s)
{
	s->script = calloc(1, sizeof *s->script);
	if (!s->script)
		return -ENOMEM;
	s->script->watch = loop_watch_read(s->loop, STDIN_FILENO, on_input, s);
	return s->script->watch ? 0 : -ENOMEM;
}

void script_stop(struct sim *s)
{
	if (s->script)
		loop_watch_free(s->script->watch);
	free(s->script);
	s->script = NULL;
}

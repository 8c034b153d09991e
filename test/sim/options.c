/** @file The command line of godwit-sim: one table. */
#include "test/sim/options.h"
#include "common/core/err.h"
#include "test/sim/jit.h"
#include "proto/region/region.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum kind { FLAG, FLAG_OFF, U32, U64, DURATION, EUI, ADDR, KEY, WORD, SERVER, VERSION_WORD, PAYLOAD, OCTET };

struct option {
	const char *name;
	enum kind kind;
	size_t off;
	const char *help;
};

#define OPT(name, kind, member, help) { name, kind, offsetof(struct options, member), help }
static const struct option table[] = {
	OPT("server", SERVER, server, "HOST:PORT of the gateway server (127.0.0.1:1700)"),
	OPT("gateways", U32, gateways, "how many gateways (1)"),
	OPT("gateway-eui", EUI, gateway_eui, "EUI of the first gateway; the others follow"),
	OPT("keepalive", DURATION, keepalive_us, "between two PULL_DATA (10s)"),
	OPT("stat-interval", DURATION, stat_us, "between two stat (30s)"),
	OPT("forwarder", WORD, forwarder,
		"what the gateways run: sx1302, sx1301, or v1, which has no queue and no TX_ACK (sx1302)"),
	OPT("gps", FLAG, gps, "gateways have GPS: time and tmms in rxpk, downlinks by tmms"),
	OPT("beacon", DURATION, beacon_us, "with --gps: between two beacons, which downlinks must not meet (none)"),
	OPT("tx-ack", WORD, tx_ack,
		"what every PULL_RESP is answered: an error of TX_ACK, nothing (NEVER), or it does not arrive (LOST); "
		"NONE: what the forwarder's rules say (NONE)"),
	OPT("tx-ack-delay", DURATION, tx_ack_delay_us, "answer so much later (0s)"),
	OPT("capture", WORD, capture_file,
		"FILE for PULL_RESP and TX_ACK datagrams, one JSON object a line: time, gateway, its counter, octets"),
	OPT("plan", WORD, plan_id, "frequency plan (EU_863_870)"),
	OPT("devices", WORD, device_file,
		"FILE of devices, one JSON object a line: dev_eui, join_eui, app_key (1.1: and nwk_key); or dev_addr, "
		"nwk_s_key, app_s_key (1.1: also s_nwk_s_int_key, nwk_s_enc_key, if they differ from nwk_s_key)"),
	OPT("count", U32, devices, "how many devices, without a file (1)"),
	OPT("dev-eui-first", EUI, dev_eui_first, "DevEUI of the first device; the others follow"),
	OPT("join-eui", EUI, join_eui, "JoinEUI of all devices"),
	OPT("app-key", KEY, app_key, "AppKey of all devices (without: each one's DevEUI twice)"),
	OPT("nwk-key", KEY, nwk_key,
		"NwkKey of all devices of 1.1 (without: each one's DevEUI twice, every bit inverted)"),
	OPT("dev-nonce", U32, dev_nonce, "last DevNonce used, for 1.0.4 and 1.1, whose devices count (0)"),
	OPT("abp", FLAG, abp, "devices have sessions and do not join"),
	OPT("dev-addr-first", ADDR, dev_addr_first,
		"DevAddr of the first device with --abp; the others follow"),
	OPT("nwk-s-key", KEY, nwk_s_key,
		"NwkSKey, or FNwkSIntKey, of all devices with --abp (without: each one's DevAddr four times)"),
	OPT("s-nwk-s-int-key", KEY, s_nwk_s_int_key, "SNwkSIntKey of 1.1 likewise (without: the FNwkSIntKey)"),
	OPT("nwk-s-enc-key", KEY, nwk_s_enc_key, "NwkSEncKey of 1.1 likewise (without: the FNwkSIntKey)"),
	OPT("app-s-key", KEY, app_s_key, "AppSKey likewise"),
	OPT("f-cnt", U32, f_cnt, "first FCntUp with --abp (0)"),
	OPT("lorawan-version", VERSION_WORD, version, "1.0.0 to 1.0.4, or 1.1 (1.0.3)"),
	OPT("class-c", FLAG, class_c, "devices listen all the time"),
	OPT("class-c-count", U32, class_c_count, "so many of --count do, the last ones (0)"),
	OPT("interval", DURATION, interval_us, "between two uplinks of a device (10s)"),
	OPT("uplinks", U64, uplinks, "end after this many in all (never)"),
	OPT("confirmed", FLAG, confirmed, "uplinks ask for an acknowledgement"),
	OPT("f-port", OCTET, f_port, "FPort of uplinks (1)"),
	OPT("payload", PAYLOAD, payload, "HEX, or `counter` (counter)"),
	OPT("dr", OCTET, dr, "data rate of devices (the highest that ADR would choose)"),
	OPT("no-adr", FLAG_OFF, adr, "devices do not let the network choose their data rate"),
	OPT("link-check", FLAG, link_check, "every uplink asks how it was heard"),
	OPT("device-time", FLAG, device_time, "every uplink asks for the time"),
	OPT("eager", FLAG, eager,
		"devices answer at once with an empty uplink instead of with their next one"),
	OPT("loss", U32, loss_percent, "percent of frames lost, both ways (0)"),
	OPT("copies", U32, copies, "how many gateways hear each device (all)"),
	OPT("seed", U64, seed, "of all chance; without: another one each time"),
	OPT("script", FLAG, script, "devices do what commands on stdin say, one JSON object a line"),
	OPT("load", FLAG, load,
		"send --rate ABP uplinks a second for --duration, as cheaply as possible, then print totals"),
	OPT("rate", U32, rate, "uplinks a second in all with --load (100)"),
	OPT("duration", DURATION, duration_us, "of --load (10s)"),
	OPT("verbose", FLAG, verbose, "print the octets of frames too"),
};

struct key key_of_number(uint64_t number)
{
	struct key k;
	struct writer w = writer_of(k.b, sizeof k.b);
	writer_be64(&w, number);
	writer_be64(&w, number);
	return k;
}

static int payload_read(struct str s, struct options *o)
{
	size_t n;
	o->is_counter = str_is(s, "counter");
	if (o->is_counter)
		return 0;
	TRY(hex_decode(s, o->payload, sizeof o->payload, &n));
	o->payload_len = (uint32_t)n;
	return 0;
}

static int number_read(struct str s, uint64_t max, uint64_t *ret)
{
	TRY(num_u64(s, ret));
	return *ret <= max ? 0 : -ERANGE;
}

static int value_read(const struct option *opt, const char *word, struct options *o)
{
	void *at = (char *)o + opt->off;
	struct str s = str_of(word);
	uint64_t v = 0;
	int e;
	switch (opt->kind) {
	case FLAG: *(bool *)at = true; return 0;
	case FLAG_OFF: *(bool *)at = false; return 0;
	case U32:
		e = number_read(s, UINT32_MAX, &v);
		*(uint32_t *)at = (uint32_t)v;
		return e;
	case OCTET:
		e = number_read(s, UINT8_MAX, &v);
		*(uint8_t *)at = (uint8_t)v;
		return e;
	case U64: return num_u64(s, at);
	case DURATION: return num_duration_us(s, at);
	case EUI: return hex_eui(s, at);
	case ADDR: return hex_u32(s, 8, at);
	case KEY: return hex_exact(s, ((struct key *)at)->b, AES_KEY);
	case WORD: *(const char **)at = word; return 0;
	case SERVER: return net_parse(s, 1700, at);
	case VERSION_WORD: return mac_version_parse(s, at);
	case PAYLOAD: return payload_read(s, o);
	default: return -EINVAL;
	}
}

static void help_print(void)
{
	printf("godwit-sim: gateways and devices that are not there\n\n");
	for (size_t i = 0; i < COUNT(table); i++)
		printf("  --%-16s %s\n", table[i].name, table[i].help);
}

static const struct option *option_find(struct str name)
{
	for (size_t i = 0; i < COUNT(table); i++)
		if (str_is(name, table[i].name))
			return &table[i];
	return NULL;
}

/** Read one option, its value inside or in the next argument. @return arguments used; -EINVAL */
static int argument_read(const char *arg, const char *next, struct options *o)
{
	struct str name = str_of(arg);
	if (!str_starts(name, "--")) {
		fprintf(stderr, "error: %s: not an option; try --help\n", arg);
		return -EINVAL;
	}
	name.p += 2, name.n -= 2;
	const char *equals = memchr(name.p, '=', name.n);
	if (equals)
		name.n = (size_t)(equals - name.p);
	const struct option *opt = option_find(name);
	if (!opt) {
		fprintf(stderr, "error: --%.*s: no such option; try --help\n", STR_ARG(name));
		return -EINVAL;
	}
	bool is_flag = opt->kind == FLAG || opt->kind == FLAG_OFF;
	const char *value = equals ? equals + 1 : is_flag ? "" : next;
	if (!value || (is_flag && equals) || value_read(opt, value, o)) {
		fprintf(stderr, "error: --%s: %s is no value for it: %s\n", opt->name,
			value && *value ? value : "nothing", opt->help);
		return -EINVAL;
	}
	o->has_seed |= opt->off == offsetof(struct options, seed);
	return equals || is_flag ? 1 : 2;
}

static int options_check(const struct options *o)
{
	const char *wrong = NULL;
	if (o->gateways < 1 || o->gateways > 10000)
		wrong = "--gateways: 1 to 10000";
	else if (o->devices < 1 || o->devices > 1000000)
		wrong = "--count: 1 to 1000000";
	else if (mac_rules(o->version)->is_v11 && o->load)
		wrong = "--load: devices speak 1.0.0 to 1.0.4";
	else if (o->interval_us < 1000 || o->keepalive_us < 1000 || o->stat_us < 1000)
		wrong = "--interval, --keepalive, --stat-interval: at least 1ms";
	else if (!forwarder_find(o->forwarder))
		wrong = "--forwarder: sx1302, sx1301 or v1";
	else if (strlen(o->tx_ack) > TXACK_WORD_MAX)
		wrong = "--tx-ack: at most 31 characters";
	else if (o->beacon_us && o->beacon_us < 12000000)
		wrong = "--beacon: at least 12s";
	else if (o->load && !o->rate)
		wrong = "--rate: at least 1";
	if (!wrong)
		return 0;
	fprintf(stderr, "error: %s\n", wrong);
	return -EINVAL;
}

int options_read(int argc, char **argv, struct options *ret)
{
	struct options o = {
		.gateways = 1,
		.copies = UINT32_MAX,
		.gateway_eui = UINT64_C(0xAA555A0000000001),
		.keepalive_us = 10000000,
		.stat_us = 30000000,
		.forwarder = "sx1302",
		.tx_ack = "NONE",
		.plan_id = "EU_863_870",
		.devices = 1,
		.dev_eui_first = UINT64_C(0x70B3D57ED0050001),
		.dev_addr_first = 0x01000001,
		.version = LW_1_0_3,
		.adr = true,
		.interval_us = 10000000,
		.duration_us = 10000000,
		.f_port = 1,
		.dr = DR_NONE,
		.is_counter = true,
		.rate = 100,
	};
	if (net_parse(STR("127.0.0.1:1700"), 1700, &o.server))
		return -EINVAL;
	for (int i = 1; i < argc;) {
		if (strcmp(argv[i], "--help") == 0) {
			help_print();
			return 1;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("godwit-sim %s\n", VERSION);
			return 1;
		}
		int used = argument_read(argv[i], i + 1 < argc ? argv[i + 1] : NULL, &o);
		if (used < 0)
			return used;
		i += used;
	}
	TRY(options_check(&o));
	*ret = o;
	return 0;
}

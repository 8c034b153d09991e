/** @file What a script costs: calls in a second through the pool, with one child and with two, of a decoder of the usual size; and beside it
 * CayenneLPP, which takes no script. */
#include "as/core/formatters/cayenne.h"
#include "as/scripts/engine.h"
#include "as/scripts/pool.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 20000, AHEAD = 64, APPLICATIONS = 8 };

/* As sensors' makers write them: sixty lines, most of them cases. */
static const char decoder[] =
	"var kinds = {\n"
	"  1: { name: 'temperature', size: 2, signed: true, scale: 10 },\n"
	"  2: { name: 'humidity', size: 1, signed: false, scale: 2 },\n"
	"  3: { name: 'acceleration', size: 3, signed: true, scale: 63 },\n"
	"  4: { name: 'light', size: 2, signed: false, scale: 1 },\n"
	"  5: { name: 'motion', size: 1, signed: false, scale: 1 },\n"
	"  6: { name: 'co2', size: 2, signed: false, scale: 1 },\n"
	"  7: { name: 'battery', size: 2, signed: false, scale: 1000 },\n"
	"  8: { name: 'pulses', size: 4, signed: false, scale: 1 }\n"
	"};\n"
	"\n"
	"function number(bytes, from, size, signed) {\n"
	"  var v = 0;\n"
	"  for (var i = 0; i < size; i++) {\n"
	"    v = v * 256 + bytes[from + i];\n"
	"  }\n"
	"  if (signed && v >= Math.pow(2, 8 * size - 1)) {\n"
	"    v -= Math.pow(2, 8 * size);\n"
	"  }\n"
	"  return v;\n"
	"}\n"
	"\n"
	"function status(code) {\n"
	"  switch (code) {\n"
	"  case 0:\n"
	"    return 'ok';\n"
	"  case 1:\n"
	"    return 'low';\n"
	"  case 2:\n"
	"    return 'high';\n"
	"  default:\n"
	"    return 'unknown';\n"
	"  }\n"
	"}\n"
	"\n"
	"function decodeUplink(input) {\n"
	"  var bytes = input.bytes;\n"
	"  var data = {};\n"
	"  var warnings = [];\n"
	"  var at = 1;\n"
	"  data.status = status(bytes[0] >> 6);\n"
	"  data.tamper = (bytes[0] & 1) !== 0;\n"
	"  while (at < bytes.length) {\n"
	"    var kind = kinds[bytes[at]];\n"
	"    if (!kind) {\n"
	"      return { errors: ['unknown kind ' + bytes[at] + ' at ' + at] };\n"
	"    }\n"
	"    if (at + 1 + kind.size > bytes.length) {\n"
	"      warnings.push(kind.name + ' is cut short');\n"
	"      break;\n"
	"    }\n"
	"    data[kind.name] = number(bytes, at + 1, kind.size, kind.signed) / kind.scale;\n"
	"    at += 1 + kind.size;\n"
	"  }\n"
	"  if (data.battery < 2.2) {\n"
	"    warnings.push('battery');\n"
	"  }\n"
	"  return { data: data, warnings: warnings };\n"
	"}\n";
static const uint8_t payload[] = { 0x41, 1, 0x00, 0xd7, 2, 0x51, 4, 0x01, 0x2c, 6, 0x02, 0x58, 7, 0x0c, 0xe4, 8, 0, 0, 0x10, 0x00 };

static struct as as;
static struct script *script;
static unsigned started, done;

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void on_done(void *ctx, const struct script_result *r);

static void next(void)
{
	char app[16];
	snprintf(app, sizeof app, "app%zu", (size_t)(started % APPLICATIONS));
	struct script_job j = { .call = SCRIPT_DECODE_UPLINK, .script = script, .whose = app, .f_port = 2,
		.received_unix_us = 1700000000000000, .bytes = { payload, sizeof payload }, .done = on_done };
	started++;
	if (!scripts_start(&as, &j))
		exit(1);
}

static void on_done(void *ctx, const struct script_result *r)
{
	(void)ctx;
	if (r->outcome != SCRIPT_OK) {
		printf("script: %s: %.*s\n", script_outcome_word(r->outcome), STR_ARG(r->message));
		exit(1);
	}
	if (started < CALLS)
		next();
	if (++done == CALLS)
		loop_stop(as.loop);
}

static void measure(unsigned processes)
{
	char words[200];
	struct text err = text_fixed(words, sizeof words);
	struct as_settings settings = { .script_processes = processes };
	as = (struct as){ .loop = loop_new(), .settings = &settings };
	if (!as.loop || script_pool_start(&as, &err))
		exit(1);
	started = done = 0;
	uint64_t begin = now_us();
	while (started < AHEAD)
		next();
	loop_run(as.loop);
	uint64_t us = now_us() - begin;
	printf("scripts (%s), %u process%s: %.0f decodes/s, %.0f us of a child's processor time each\n", engine_kind()->name, processes,
		processes > 1 ? "es" : "", CALLS * 1e6 / (double)us, (double)as.metrics.script_cpu.sum_us / CALLS);
	script_pool_stop(&as);
	loop_free(as.loop);
}

static void measure_cayenne(void)
{
	enum { MANY = 500000 };
	static const uint8_t lpp[] = { 1, 0x67, 0x00, 0xd7, 2, 0x68, 0x51, 3, 0x65, 0x01, 0x2c, 4, 0x02, 0x0c, 0xe4, 5, 0x66, 1 };
	char buf[4096], words[200];
	struct text why = text_fixed(words, sizeof words);
	uint64_t begin = now_us();
	for (int i = 0; i < MANY; i++) {
		struct text t = text_fixed(buf, sizeof buf);
		if (cayenne_decode(&t, (struct slice){ lpp, sizeof lpp }, &why))
			exit(1);
	}
	printf("CayenneLPP, in the loop itself: %.0f decodes/s\n", MANY * 1e6 / (double)(now_us() - begin));
}

int main(int argc, char **argv)
{
	scripts_child(argc, argv);
	script = script_new(str_of(decoder));
	measure(1);
	measure(2);
	measure_cayenne();
	script_release(script);
	return 0;
}

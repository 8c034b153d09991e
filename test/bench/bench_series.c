/** @file What a value of telemetry costs: to keep, to ask for, and in octets; chunks are in memory, the disk is not in it. */
#include "as/core/series/ask.h"
#include "as/core/series/lorawan.h"
#include "common/core/rng.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEVICES = 200, UPLINKS = 1000, PERIOD_MS = 600000, CHUNKS_MAX = 64 };
#define BEGIN_MS INT64_C(1700000000000)

static struct {
	struct { int64_t first_ms; uint8_t v[2048]; size_t n; } chunk[CHUNKS_MAX]; /* in order of time */
	size_t n;
	uint8_t head[4096];
	size_t head_n;
} shelf[DEVICES];

static int seek(void *ctx, uint64_t uid, int64_t at_ms, int64_t *ret_first_ms, struct slice *ret)
{
	size_t i = shelf[uid].n;
	(void)ctx;
	while (i && shelf[uid].chunk[i - 1].first_ms > at_ms)
		i--;
	if (!i)
		return SERIES_E_NONE;
	*ret_first_ms = shelf[uid].chunk[i - 1].first_ms;
	*ret = (struct slice){ shelf[uid].chunk[i - 1].v, shelf[uid].chunk[i - 1].n };
	return 0;
}

/** Rows come in order of time here: it is the last chunk, or a new one. */
static int put(void *ctx, uint64_t uid, int64_t first_ms, struct slice chunk)
{
	size_t i = shelf[uid].n;
	(void)ctx;
	if (!i || shelf[uid].chunk[i - 1].first_ms != first_ms)
		i = ++shelf[uid].n;
	if (i > CHUNKS_MAX || chunk.n > sizeof shelf[uid].chunk[0].v)
		return -ENOSPC;
	shelf[uid].chunk[i - 1].first_ms = first_ms;
	shelf[uid].chunk[i - 1].n = chunk.n;
	memcpy(shelf[uid].chunk[i - 1].v, chunk.p, chunk.n);
	return 0;
}

static int head(void *ctx, uint64_t uid, struct slice *ret)
{
	(void)ctx;
	*ret = (struct slice){ shelf[uid].head, shelf[uid].head_n };
	return ret->n ? 0 : SERIES_E_NONE;
}

static int put_head(void *ctx, uint64_t uid, struct slice v)
{
	(void)ctx;
	memcpy(shelf[uid].head, v.p, v.n);
	shelf[uid].head_n = v.n;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t told;

static void tell(void *ctx, size_t key, int64_t ts_ms, const struct value *v)
{
	(void)ctx, (void)key, (void)ts_ms, (void)v;
	told++;
}

/** What a sensor of temperature and humidity says every ten minutes. @return how many values */
static size_t uplink(uint32_t n, struct rng *rng, char words[LORAWAN_WORDS], struct reading v[LORAWAN_READINGS_MAX + 2])
{
	static struct up_data up;
	up.f_cnt = n;
	up.freq_hz = 868100000 + 200000 * (uint32_t)rng_below(rng, 3);
	up.mod = (struct modulation){ .sf = rng_below(rng, 10) ? 7 : 8, .bw_hz = 125000 };
	MSG_SET(&up, f_port, 1);
	up.rx.len = 1;
	up.rx.v[0].rssi_ddbm = -1000 + 10 * (int32_t)rng_below(rng, 20);
	MSG_SET(&up.rx.v[0], snr_ddb, -50 + 5 * (int32_t)rng_below(rng, 30));
	size_t k = lorawan_uplink(&up, words, v);
	v[k++] = (struct reading){ STR("temperature"), value_of_double((double)(2100 + rng_below(rng, 100)) / 100) };
	v[k++] = (struct reading){ STR("humidity"), value_of_double((double)(500 + rng_below(rng, 20)) / 10) };
	return k;
}

int main(void)
{
	static const struct series_shelf there = { NULL, seek, put, NULL, head, put_head, NULL };
	static struct series s;
	struct reading v[LORAWAN_READINGS_MAX + 2];
	char words[LORAWAN_WORDS];
	struct rng_seeded seeded;
	struct rng rng = rng_seeded(&seeded, 1);
	uint64_t values = 0, begin, took;
	if (series_init(&s, &there, &(struct series_limits){ 500, 1 << 30 }))
		return EXIT_FAILURE;
	begin = now_ns();
	for (uint32_t i = 0; i < UPLINKS; i++)
		for (uint64_t d = 0; d < DEVICES; d++) {
			size_t n = uplink(i, &rng, words, v);
			if (series_add(&s, d, BEGIN_MS + (int64_t)i * PERIOD_MS + (int64_t)rng_below(&rng, 200), v, n))
				return EXIT_FAILURE;
			values += n;
		}
	took = now_ns() - begin;
	printf("series: %.0f ns of CPU to keep an uplink of %llu values, %.0f ns a value; %.2f octets a value in chunks\n",
		(double)took / (DEVICES * UPLINKS), (unsigned long long)(values / (DEVICES * UPLINKS)), (double)took / (double)values,
		(double)s.bytes / (double)values);
	for (size_t n_keys = 1; n_keys <= 8; n_keys += 7) {
		static const struct str keys[] = { { "temperature", 11 }, { "rssi", 4 }, { "snr", 3 }, { "data_rate", 9 }, { "frequency", 9 },
			{ "f_cnt", 5 }, { "f_port", 6 }, { "humidity", 8 } };
		told = 0;
		begin = now_ns();
		for (uint64_t d = 0; d < DEVICES; d++) {
			struct asking *a = asking_new(&(struct ask){ .uid = d, .to_ms = INT64_MAX, .limit = SIZE_MAX, .tell = tell }, keys, n_keys);
			while (asking_step(a, &s) > 0)
				;
			asking_free(a);
		}
		took = now_ns() - begin;
		printf("series: %.0f ns of CPU to read a value where %zu of 8 keys are asked for: %.1f million a second\n", (double)took / (double)told,
			n_keys, (double)told * 1000 / (double)took);
	}
	series_done(&s);
	return EXIT_SUCCESS;
}

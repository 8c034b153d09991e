/** @file The frame scanner: a stream in one piece and the same in pieces of chance must end its frames at the same places, and each frame
 * that ends can be taken apart or is refused. */
#include "proto/bus/rpc.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ENDS_MAX = 64 };

struct outcome {
	int r;
	size_t ends[ENDS_MAX], n_ends;
};

/** Pieces of 1 + p % step octets, where p are octets of the stream itself; step 0: all at once. */
static struct outcome scan(const uint8_t *p, size_t n, size_t step)
{
	struct rpc_scan s = { 0 };
	struct outcome o = { 0 };
	size_t at = 0, taken;
	while (at < n && o.n_ends < ENDS_MAX) {
		size_t give = step ? 1 + p[at] % step : n - at;
		o.r = rpc_scan(&s, p + at, give < n - at ? give : n - at, &taken);
		if (o.r < 0)
			break;
		at += taken;
		if (!o.r)
			o.ends[o.n_ends++] = at;
	}
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct outcome whole = scan(data, n, 0);
	for (size_t step = 1; step < 20; step += 6) {
		struct outcome cut = scan(data, n, step);
		if (cut.n_ends != whole.n_ends || (cut.r < 0) != (whole.r < 0))
			abort();
		for (size_t i = 0; i < cut.n_ends; i++)
			if (cut.ends[i] != whole.ends[i])
				abort();
	}
	for (size_t i = 0, from = 0; i < whole.n_ends; from = whole.ends[i++]) {
		struct rpc_frame f;
		struct slice frame = { data + from, whole.ends[i] - from };
		if (rpc_parse(frame, &f) == 0 && (f.message.p < frame.p || f.message.p + f.message.n > frame.p + frame.n))
			abort();
	}
	return 0;
}

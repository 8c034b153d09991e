/** @file WebSocket frames: however they are cut, the same comes out, and what is written are frames that a client may be sent. */
#include "as/websocket.h"
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 1 << 20 };

struct side {
	uint8_t *data, *out;
	size_t data_n, out_n;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int on_data(void *ctx, struct slice octets)
{
	struct side *s = ctx;
	require(octets.n > 0 && s->data_n + octets.n <= SIDE_MAX);
	memcpy(s->data + s->data_n, octets.p, octets.n);
	s->data_n += octets.n;
	return 0;
}

static int on_write(void *ctx, struct slice octets)
{
	struct side *s = ctx;
	require(s->out_n + octets.n <= SIDE_MAX);
	memcpy(s->out + s->out_n, octets.p, octets.n);
	s->out_n += octets.n;
	return 0;
}

/** Pongs, and at most one Close behind them. */
static void check_out(const struct side *s, bool is_closed)
{
	struct reader r = reader_of(s->out, s->out_n);
	bool has_close = false;
	while (reader_left(&r)) {
		uint8_t first = reader_u8(&r), n = reader_u8(&r);
		(void)reader_take(&r, n);
		require(!r.failed && !has_close && n <= 125 && (first == 0x8a || first == 0x88));
		has_close = first == 0x88;
	}
	require(has_close == is_closed);
}

/** @param piece  octets given at once */
static int run(struct slice in, size_t piece, struct side *ret)
{
	const struct websocket_io io = { ret, on_data, on_write };
	struct websocket *w = websocket_new(&io);
	int rc = 0;
	if (!w)
		return -1;
	for (size_t at = 0; at < in.n && rc == 0; at += piece) {
		size_t n = in.n - at < piece ? in.n - at : piece;
		uint8_t *copy = malloc(n); /* so that a read beyond it is seen */
		if (!copy)
			abort();
		memcpy(copy, in.p + at, n);
		rc = websocket_receive(w, (struct slice){ copy, n });
		free(copy);
	}
	check_out(ret, rc == WEBSOCKET_E_CLOSED);
	websocket_free(w);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[4][SIDE_MAX];
	struct side whole = { room[0], room[1], 0, 0 }, cut = { room[2], room[3], 0, 0 };
	char accept[WEBSOCKET_KEY_TEXT + 1];
	if (n < 1 || n > SIDE_MAX / 4)
		return 0;
	struct slice in = { data + 1, n - 1 };
	struct str text = { (const char *)in.p, in.n };
	require(run(in, in.n ? in.n : 1, &whole) == run(in, 1u + data[0], &cut));
	require(whole.data_n == cut.data_n && memcmp(whole.data, cut.data, cut.data_n) == 0);
	require(whole.out_n == cut.out_n && memcmp(whole.out, cut.out, cut.out_n) == 0);
	require(whole.data_n <= in.n);
	require(websocket_accept(text, accept) != 0 || strlen(accept) == WEBSOCKET_KEY_TEXT);
	return 0;
}

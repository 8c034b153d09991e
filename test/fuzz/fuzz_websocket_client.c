/** @file A WebSocket server that says anything to our client: the answer to the handshake, cut anywhere, then frames; what is written back is masked. */
#include "as/core/integration/websocket_answer.h"
#include "as/websocket.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t data_n, out_n;
static uint8_t out[1 << 17];

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int on_data(void *ctx, struct slice octets)
{
	(void)ctx;
	require(octets.n > 0);
	data_n += octets.n;
	return 0;
}

static int on_write(void *ctx, struct slice octets)
{
	(void)ctx;
	require(octets.n <= sizeof out - out_n);
	memcpy(out + out_n, octets.p, octets.n);
	out_n += octets.n;
	return 0;
}

static void fill(void *ctx, void *buf, size_t n)
{
	(void)ctx;
	memset(buf, 0x5a, n);
}

static void frames_try(struct slice in)
{
	static const struct rng rng = { fill, NULL };
	const struct websocket_io io = { NULL, on_data, on_write };
	struct websocket *w = websocket_new_client(&io, &rng);
	if (!w)
		return;
	data_n = out_n = 0;
	(void)websocket_receive(w, in);
	require(data_n <= in.n);
	struct reader r = reader_of(out, out_n);
	while (reader_left(&r)) {
		uint8_t first = reader_u8(&r), length = reader_u8(&r);
		require((first == 0x8a || first == 0x88) && length & 0x80 && reader_be32(&r) == 0x5a5a5a5a);
		(void)reader_take(&r, length & 0x7f);
		require(!r.failed);
	}
	websocket_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char words[200];
	size_t used = 0, used_again = 0;
	struct text why = text_fixed(words, sizeof words);
	if (n > 1 << 14)
		return 0;
	int rc = websocket_answer_read((struct slice){ data, n }, STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), &used, &why);
	require(rc == 0 || rc == WEBSOCKET_ANSWER_E_MORE || (rc == -EINVAL && why.len > 0));
	if (rc == 0) {
		require(used >= 16 && used <= n);
		require(websocket_answer_read((struct slice){ data, used }, STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), &used_again, &why) == 0 && used == used_again);
		require(websocket_answer_read((struct slice){ data, used - 1 }, STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), &used_again, &why) == WEBSOCKET_ANSWER_E_MORE);
	}
	frames_try((struct slice){ data + used, n - used });
	return 0;
}

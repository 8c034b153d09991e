/** @file WebSocket frames: their order, the answers to control frames, the opening handshake (RFC 6455). */
#include "as/websocket.h"
#include "common/core/err.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

enum { CONTROL_MAX = 125 };

struct websocket {
	wslay_frame_context_ptr frames;
	struct websocket_io io;
	const struct rng *rng;    /* a client's, for its masks; NULL: a server */
	struct slice in;          /* what libwslay may still read */
	uint64_t left;            /* of the frame's payload */
	uint8_t control[CONTROL_MAX];
	size_t control_n;
	bool is_inside_frame, is_inside_message, is_closed;
	int failure;              /* of io */
};

static ssize_t on_recv(uint8_t *buf, size_t len, int flags, void *ctx)
{
	struct websocket *w = ctx;
	(void)flags;
	size_t n = len < w->in.n ? len : w->in.n;
	if (n == 0)
		return -1;
	memcpy(buf, w->in.p, n);
	w->in = (struct slice){ w->in.p + n, w->in.n - n };
	return (ssize_t)n;
}

static ssize_t on_send(const uint8_t *data, size_t len, int flags, void *ctx)
{
	struct websocket *w = ctx;
	(void)flags;
	w->failure = w->io.write(w->io.ctx, (struct slice){ data, len });
	return w->failure ? -1 : (ssize_t)len;
}

static int on_mask(uint8_t *buf, size_t len, void *ctx)
{
	const struct websocket *w = ctx;
	w->rng->fill(w->rng->ctx, buf, len);
	return 0;
}

struct websocket *websocket_new(const struct websocket_io *io)
{
	return websocket_new_client(io, NULL);
}

struct websocket *websocket_new_client(const struct websocket_io *io, const struct rng *rng)
{
	static const struct wslay_frame_callbacks callbacks = { .send_callback = on_send, .recv_callback = on_recv, .genmask_callback = on_mask };
	struct websocket *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->io = *io;
	w->rng = rng;
	if (wslay_frame_context_init(&w->frames, &callbacks, w) == 0)
		return w;
	free(w);
	return NULL;
}

void websocket_free(struct websocket *w)
{
	if (!w)
		return;
	wslay_frame_context_free(w->frames);
	free(w);
}

/** One frame, with its payload in n parts. */
static int frame_send(struct websocket *w, uint8_t opcode, const struct slice *parts, size_t n)
{
	struct wslay_frame_iocb f = { .fin = 1, .opcode = opcode, .mask = w->rng != NULL };
	for (size_t i = 0; i < n; i++)
		f.payload_length += parts[i].n;
	w->failure = 0;
	/* The head leaves by itself: libwslay hangs on to a frame until all that its head says has been sent. */
	for (size_t i = 0; i <= n && !w->failure; i++) {
		struct slice part = i ? parts[i - 1] : (struct slice){ NULL, 0 };
		if (i && part.n == 0)
			continue;
		f.data = part.p;
		f.data_length = part.n;
		ssize_t sent = wslay_frame_send(w->frames, &f);
		if (sent < 0 && !w->failure)
			w->failure = -ENOMEM;
	}
	return w->failure;
}

int websocket_send(struct websocket *w, const struct slice *parts, size_t n)
{
	return w->is_closed ? 0 : frame_send(w, WSLAY_BINARY_FRAME, parts, n);
}

static void close_write(struct websocket *w, struct slice body)
{
	if (w->is_closed)
		return;
	(void)frame_send(w, WSLAY_CONNECTION_CLOSE, &body, 1);
	w->is_closed = true;
}

void websocket_close(struct websocket *w, enum websocket_code code)
{
	uint8_t body[2];
	struct writer b = writer_of(body, sizeof body);
	writer_be16(&b, (uint16_t)code);
	close_write(w, (struct slice){ body, b.len });
}

/** May the other end say this code? (RFC 6455 7.4, and what was registered since) */
static bool is_close_code(uint16_t code)
{
	bool is_registered = code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
	return is_registered || (code >= 3000 && code <= 4999);
}

/** The other end closes: it is given its own code back. */
static void on_close(struct websocket *w)
{
	struct reader r = reader_of(w->control, w->control_n);
	uint16_t code = reader_be16(&r);
	struct slice why = reader_take(&r, reader_left(&r));
	if (w->control_n == 0)
		close_write(w, (struct slice){ NULL, 0 });
	else if (r.failed || !is_close_code(code))
		websocket_close(w, WEBSOCKET_PROTOCOL_ERROR);
	else if (!utf8_valid((struct str){ (const char *)why.p, why.n }))
		websocket_close(w, WEBSOCKET_BAD_TEXT);
	else
		close_write(w, (struct slice){ w->control, 2 });
}

/** What is wrong with a frame, as its head shows; 0: nothing. */
static int head_judge(const struct websocket *w, const struct wslay_frame_iocb *f)
{
	bool is_masked = f->mask;
	if (is_masked != !w->rng || f->rsv != WSLAY_RSV_NONE) /* clients mask, servers do not (RFC 6455 5.1) */
		return WEBSOCKET_PROTOCOL_ERROR;
	switch (f->opcode) {
	case WSLAY_CONTINUATION_FRAME:
	case WSLAY_BINARY_FRAME:
		if ((f->opcode == WSLAY_CONTINUATION_FRAME) != w->is_inside_message)
			return WEBSOCKET_PROTOCOL_ERROR;
		return f->payload_length > WEBSOCKET_FRAME_MAX ? WEBSOCKET_TOO_BIG : 0;
	case WSLAY_TEXT_FRAME:
		return w->is_inside_message ? WEBSOCKET_PROTOCOL_ERROR : WEBSOCKET_UNSUPPORTED;
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		return 0; /* libwslay knows that these are short and whole */
	default:
		return WEBSOCKET_PROTOCOL_ERROR;
	}
}

static void frame_end(struct websocket *w, const struct wslay_frame_iocb *f)
{
	w->is_inside_frame = false;
	if (!wslay_is_ctrl_frame(f->opcode))
		w->is_inside_message = !f->fin;
	else if (f->opcode == WSLAY_CONNECTION_CLOSE)
		on_close(w);
	else if (f->opcode == WSLAY_PING)
		(void)frame_send(w, WSLAY_PONG, &(struct slice){ w->control, w->control_n }, 1);
}

/** A piece of a frame; its head comes with each. */
static int piece_take(struct websocket *w, const struct wslay_frame_iocb *f)
{
	if (!w->is_inside_frame) {
		int fault = head_judge(w, f);
		if (fault) {
			websocket_close(w, (enum websocket_code)fault);
			return 0;
		}
		w->is_inside_frame = true;
		w->left = f->payload_length;
		w->control_n = 0;
	}
	if (f->data_length && !wslay_is_ctrl_frame(f->opcode))
		TRY(w->io.data(w->io.ctx, (struct slice){ f->data, f->data_length }));
	if (f->data_length && wslay_is_ctrl_frame(f->opcode) && f->data_length <= CONTROL_MAX - w->control_n) {
		memcpy(w->control + w->control_n, f->data, f->data_length);
		w->control_n += f->data_length;
	}
	w->left -= f->data_length;
	w->failure = 0;
	if (w->left == 0)
		frame_end(w, f);
	return w->failure;
}

int websocket_receive(struct websocket *w, struct slice octets)
{
	w->in = octets;
	while (!w->is_closed) {
		struct wslay_frame_iocb f;
		memset(&f, 0, sizeof f);
		ssize_t got = wslay_frame_recv(w->frames, &f);
		if (got == WSLAY_ERR_WANT_READ)
			return 0;
		if (got < 0)
			websocket_close(w, WEBSOCKET_PROTOCOL_ERROR);
		else
			TRY(piece_take(w, &f));
	}
	return WEBSOCKET_E_CLOSED;
}

int websocket_accept(struct str key, char ret[WEBSOCKET_KEY_TEXT + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t nonce[16], digest[20];
	char text[64];
	size_t n;
	struct text t = text_fixed(text, sizeof text), out = text_fixed(ret, WEBSOCKET_KEY_TEXT + 1);
	if (key.n != 24 || base64_decode(key, nonce, sizeof nonce, &n) || n != sizeof nonce)
		return -EINVAL;
	text_put(&t, key);
	text_puts(&t, guid);
	if (t.failed || EVP_Digest(text, t.len, digest, NULL, EVP_sha1(), NULL) != 1)
		return -EINVAL;
	text_base64(&out, digest, sizeof digest);
	return 0;
}

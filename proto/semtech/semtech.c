/** @file Datagrams of the Semtech UDP protocol: the fixed octets in front of the JSON. */
#include "proto/semtech/semtech.h"
#include "common/core/err.h"

static bool is_from_gateway(enum semtech_type type)
{
	return type == SEMTECH_PUSH_DATA || type == SEMTECH_PULL_DATA || type == SEMTECH_TX_ACK;
}

int semtech_read(const void *p, size_t n, struct semtech_datagram *ret)
{
	struct reader r = reader_of(p, n);
	if (n < SEMTECH_HEAD)
		return SEMTECH_E_SHORT;
	struct semtech_datagram d = {.version = reader_u8(&r)};
	d.token = reader_be16(&r);
	uint8_t type = reader_u8(&r);
	if (d.version != 1 && d.version != 2)
		return SEMTECH_E_PROTOCOL;
	if (type >= SEMTECH_TYPE_N)
		return SEMTECH_E_TYPE;
	d.type = (enum semtech_type)type;
	if (is_from_gateway(d.type))
		d.eui = reader_be64(&r);
	if (r.failed)
		return SEMTECH_E_SHORT;
	struct slice body = reader_take(&r, reader_left(&r));
	d.body = (struct str){(const char *)body.p, body.n};
	*ret = d;
	return 0;
}

void semtech_write(struct writer *w, const struct semtech_datagram *d)
{
	writer_u8(w, d->version);
	writer_be16(w, d->token);
	writer_u8(w, (uint8_t)d->type);
	if (is_from_gateway(d->type))
		writer_be64(w, d->eui);
	writer_put(w, d->body.p, d->body.n);
}

size_t semtech_ack(const struct semtech_datagram *d, uint8_t ret[SEMTECH_HEAD])
{
	struct semtech_datagram ack = {.version = d->version, .token = d->token};
	if (d->type == SEMTECH_PUSH_DATA)
		ack.type = SEMTECH_PUSH_ACK;
	else if (d->type == SEMTECH_PULL_DATA)
		ack.type = SEMTECH_PULL_ACK;
	else
		return 0;
	struct writer w = writer_of(ret, SEMTECH_HEAD);
	semtech_write(&w, &ack);
	return w.len;
}

const char *semtech_refusal_word(int why)
{
	static const char *const words[SEMTECH_E_N] = {
		[SEMTECH_E_NONE] = "none",
#define SEMTECH_REFUSAL(symbol, word, meaning) [SEMTECH_E_##symbol] = word,
#include "proto/semtech/refusals.def"
#undef SEMTECH_REFUSAL
	};
	return why >= 0 && why < SEMTECH_E_N ? words[why] : "unknown";
}

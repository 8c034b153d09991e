/** @file PHYPayloads taken apart and put together. */
#include "proto/lorawan/frame.h"
#include "common/core/err.h"
#include <string.h>

enum {
	FCTRL_ADR = 0x80,
	FCTRL_ADR_ACK_REQ = 0x40,
	FCTRL_ACK = 0x20,
	FCTRL_BIT4 = 0x10,
	FCTRL_FOPTS_LEN = 0x0F
};
enum { DATA_MIN = 12, REJOIN_0_2_LEN = 19, REJOIN_1_LEN = 24 };

bool mtype_is_data(enum mtype t)
{
	return t >= MTYPE_DATA_UP && t <= MTYPE_CONFIRMED_DOWN;
}

bool mtype_is_confirmed(enum mtype t)
{
	return t == MTYPE_CONFIRMED_UP || t == MTYPE_CONFIRMED_DOWN;
}

static bool mtype_is_up(enum mtype t)
{
	return t == MTYPE_JOIN_REQUEST || t == MTYPE_DATA_UP || t == MTYPE_CONFIRMED_UP || t == MTYPE_REJOIN;
}

static int data_parse(struct reader r, bool is_up, struct frame_data *d)
{
	d->dev_addr = reader_le32(&r);
	uint8_t f_ctrl = reader_u8(&r);
	d->f_cnt16 = reader_le16(&r);
	d->adr = f_ctrl & FCTRL_ADR;
	d->adr_ack_req = is_up && f_ctrl & FCTRL_ADR_ACK_REQ;
	d->ack = f_ctrl & FCTRL_ACK;
	d->class_b = is_up && f_ctrl & FCTRL_BIT4;
	d->f_pending = !is_up && f_ctrl & FCTRL_BIT4;
	d->f_opts = reader_take(&r, f_ctrl & FCTRL_FOPTS_LEN);
	if (r.failed)
		return FRAME_E_FOPTS_LENGTH;
	if (reader_left(&r) == 0)
		return 0;
	d->has_port = true;
	d->f_port = reader_u8(&r);
	if (d->f_port == PORT_MAC && d->f_opts.n)
		return FRAME_E_FOPTS_AND_PORT_0;
	d->frm = reader_take(&r, reader_left(&r));
	return 0;
}

static int rejoin_parse(struct slice phy, struct reader r, struct frame_join *j)
{
	j->rejoin_type = reader_u8(&r);
	if (r.failed)
		return FRAME_E_SHORT;
	switch (j->rejoin_type) {
	case 0:
	case 2:
		if (phy.n != REJOIN_0_2_LEN)
			return FRAME_E_LENGTH;
		j->net_id = reader_le24(&r);
		break;
	case 1:
		if (phy.n != REJOIN_1_LEN)
			return FRAME_E_LENGTH;
		j->join_eui = reader_le64(&r);
		break;
	default: return FRAME_E_REJOIN_TYPE;
	}
	j->dev_eui = reader_le64(&r);
	j->dev_nonce = reader_le16(&r);
	return 0;
}

static int body_parse(struct slice phy, struct reader r, struct frame *f)
{
	switch (f->mtype) {
	case MTYPE_JOIN_REQUEST:
		if (phy.n != JOIN_REQUEST_LEN)
			return FRAME_E_LENGTH;
		f->join.join_eui = reader_le64(&r);
		f->join.dev_eui = reader_le64(&r);
		f->join.dev_nonce = reader_le16(&r);
		return 0;
	case MTYPE_REJOIN: return rejoin_parse(phy, r, &f->join);
	default: return data_parse(r, f->is_up, &f->data);
	}
}

int frame_parse(struct slice phy, struct frame *ret_frame)
{
	if (phy.n == 0)
		return FRAME_E_EMPTY;
	if (phy.n > PHY_MAX)
		return FRAME_E_LENGTH;
	if (phy.p[0] & 3)
		return FRAME_E_MAJOR;
	struct frame f = { .mtype = phy.p[0] >> 5 };
	f.is_up = mtype_is_up(f.mtype);
	if (f.mtype == MTYPE_PROPRIETARY || f.mtype == MTYPE_JOIN_ACCEPT) {
		if (f.mtype == MTYPE_JOIN_ACCEPT && phy.n != JOIN_ACCEPT_MAX &&
			phy.n != JOIN_ACCEPT_MAX - CF_LIST_LEN)
			return FRAME_E_LENGTH;
		f.sealed = (struct slice){ phy.p + 1, phy.n - 1 };
		*ret_frame = f;
		return 0;
	}
	if (phy.n < DATA_MIN)
		return FRAME_E_SHORT;
	f.msg = (struct slice){ phy.p, phy.n - MIC_LEN };
	memcpy(f.mic, phy.p + f.msg.n, MIC_LEN);
	int e = body_parse(phy, reader_of(phy.p + 1, f.msg.n - 1), &f);
	if (e)
		return e;
	*ret_frame = f;
	return 0;
}

const char *frame_error_word(int error)
{
	static const char *const words[] = {
#define FRAME_DROP(symbol, word) [symbol] = word,
		FRAME_DROPS(FRAME_DROP)
#undef FRAME_DROP
	};
	return error > 0 && error < FRAME_E_N ? words[error] : "";
}

size_t frame_data_length(const struct frame_data *d)
{
	return 1 + 7 + d->f_opts.n + (d->has_port ? 1 + d->frm.n : 0) + MIC_LEN;
}

static int data_write(const struct frame *f, struct writer *w)
{
	const struct frame_data *d = &f->data;
	if (d->f_opts.n > FOPTS_MAX || (d->f_opts.n && d->has_port && d->f_port == PORT_MAC) ||
		(d->frm.n && !d->has_port))
		return -EINVAL;
	writer_le32(w, d->dev_addr);
	writer_u8(w, (uint8_t)((d->adr ? FCTRL_ADR : 0) | (d->adr_ack_req ? FCTRL_ADR_ACK_REQ : 0) |
			       (d->ack ? FCTRL_ACK : 0) | (d->class_b || d->f_pending ? FCTRL_BIT4 : 0) |
			       d->f_opts.n));
	writer_le16(w, d->f_cnt16);
	writer_put(w, d->f_opts.p, d->f_opts.n);
	if (d->has_port) {
		writer_u8(w, d->f_port);
		writer_put(w, d->frm.p, d->frm.n);
	}
	return 0;
}

static int join_write(const struct frame *f, struct writer *w)
{
	if (f->mtype == MTYPE_REJOIN) {
		if (f->join.rejoin_type > 2)
			return -EINVAL;
		writer_u8(w, f->join.rejoin_type);
	}
	if (f->mtype == MTYPE_REJOIN && f->join.rejoin_type != 1)
		writer_le24(w, f->join.net_id);
	else
		writer_le64(w, f->join.join_eui);
	writer_le64(w, f->join.dev_eui);
	writer_le16(w, f->join.dev_nonce);
	return 0;
}

int frame_write(const struct frame *f, struct writer *w)
{
	writer_u8(w, (uint8_t)(f->mtype << 5));
	if (f->mtype == MTYPE_JOIN_ACCEPT || f->mtype == MTYPE_PROPRIETARY) {
		writer_put(w, f->sealed.p, f->sealed.n);
		return w->failed ? -ENOSPC : 0;
	}
	TRY(mtype_is_data(f->mtype) ? data_write(f, w) : join_write(f, w));
	writer_put(w, f->mic, MIC_LEN);
	return w->failed ? -ENOSPC : 0;
}

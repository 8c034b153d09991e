/** @file Whose frame is it? DevAddr to sessions, 16 bits of counter to 32, and the integrity code decides. */
#include "ns/core/match.h"
#include "proto/lorawan/fcnt.h"

static bool is_mic_good(struct ns *ns, const struct session *s, const struct frame *f, uint32_t f_cnt)
{
	uint8_t mic[MIC_LEN];
	struct frame_id id = { .dev_addr = s->dev_addr, .f_cnt = f_cnt, .is_up = true };
	return mic_data(ns->config.crypto, &s->f_nwk_s_int, &id, f->msg, mic) == 0 && mic_eq(mic, f->mic);
}

static bool has_32_bits(const struct dev *d)
{
	return !MSG_HAS(&d->mac, f_cnt_32) || d->mac.f_cnt_32;
}

/* The counter that the frame means if it is this session's. Those of 16 bits go on with 0, and frames may be lost there. */
static uint64_t restore(const struct session *s, uint16_t low)
{
	bool is_wrap = !has_32_bits(s->dev) && (uint16_t)(low - (uint16_t)s->up_next) < MAX_FCNT_GAP;
	return is_wrap ? low : fcnt_restore(s->up_next, low);
}

uint32_t match_content(const struct frame *f)
{
	uint32_t h = 2166136261U;
	for (size_t i = 0; i < f->msg.n; i++)
		h = (h ^ f->msg.p[i]) * 16777619U;
	return h;
}

/* A device that knows of a downlink has not begun again. */
static bool may_reset(const struct session *s, const struct frame *f)
{
	return s->is_by_hand && s->dev->mac.resets_f_cnt && !f->data.ack;
}

static enum drop judge(const struct session *s, const struct frame *f, uint64_t full, uint32_t content, struct match *ret)
{
	uint64_t next = s->up_next;
	bool is_last = next > 0 && full == next - 1;
	ret->is_repeat = is_last && content == s->last_content;
	if (full > UINT32_MAX)
		return DROP_F_CNT_END;
	if (is_last && !ret->is_repeat) {
		ret->is_reset = may_reset(s, f) && full == f->data.f_cnt16;
		return ret->is_reset ? DROP_NONE : DROP_F_CNT_REUSED;
	}
	if (s->dev->rules && s->dev->rules->has_max_gap && fcnt_gap_too_big(next, full))
		return DROP_F_CNT_GAP;
	return DROP_NONE;
}

/* Does the session's key fit? Then *ret says what the frame is. */
static bool try_session(struct ns *ns, struct session *s, const struct frame *f, uint32_t content, struct match *ret)
{
	uint64_t full = restore(s, f->data.f_cnt16);
	ret->session = s;
	ret->dev = s->dev;
	ret->f_cnt = (uint32_t)full;
	if (is_mic_good(ns, s, f, (uint32_t)full)) {
		ret->drop = judge(s, f, full, content, ret);
		return true;
	}
	/* A device that started again, or an old frame of this very session: a replay. */
	if (f->data.f_cnt16 < s->up_next && is_mic_good(ns, s, f, f->data.f_cnt16)) {
		ret->f_cnt = f->data.f_cnt16;
		ret->is_reset = may_reset(s, f);
		ret->drop = ret->is_reset ? DROP_NONE : DROP_F_CNT;
		return true;
	}
	uint64_t old = s->up_next >> 16 << 16 | f->data.f_cnt16;
	if (old >= s->up_next && old >= 65536)
		old -= 65536;
	if (old < 65536 || old >= s->up_next || !is_mic_good(ns, s, f, (uint32_t)old))
		return false;
	ret->f_cnt = (uint32_t)old;
	ret->drop = DROP_F_CNT;
	return true;
}

void match_data(struct ns *ns, const struct frame *f, uint32_t content, struct match *ret)
{
	struct session *s = sessions_first(&ns->devices, f->data.dev_addr), *only = s;
	*ret = (struct match){ .drop = s ? DROP_MIC : DROP_DEV_ADDR };
	for (size_t n = 0; s && n < NS_CANDIDATES_MAX; n++, s = sessions_next(s)) {
		struct match m = { .drop = DROP_MIC };
		if (s != only)
			only = NULL;
		/* No device can acknowledge in a session that never sent it anything. */
		if (s->is_pending && f->data.ack)
			continue;
		if (try_session(ns, s, f, content, &m)) {
			*ret = m;
			return;
		}
	}
	if (only)
		ret->dev = only->dev;
}

/** @file Whose frame is it? DevAddr to sessions, 16 bits of counter to 32, and the integrity code decides. */
#include "ns/core/up/match.h"
#include "proto/lorawan/fcnt.h"

/** A frame, and what its integrity code depends on besides. */
struct heard {
	struct ns *ns;
	const struct reception *r;
	const struct frame *f;
	uint32_t content;
};

/* ---- the integrity code ---- */

/** The counters that an ACK may mean, and whether each would be a new one. */
struct acks {
	size_t n;
	uint16_t f_cnt[NS_CONF_MAX + 3];
	bool is_new[NS_CONF_MAX + 3];
};

static void acks_add(struct acks *a, uint32_t f_cnt, bool is_new)
{
	a->f_cnt[a->n] = (uint16_t)f_cnt;
	a->is_new[a->n++] = is_new;
}

static struct acks acks_of(const struct session *s, const struct frame *f)
{
	struct acks a = { .n = 0 };
	const struct flight *out = &s->dev->flight;
	if (!f->data.ack) {
		acks_add(&a, 0, false);
		return a;
	}
	for (size_t i = s->conf.n; i > 0; i--)
		acks_add(&a, s->conf.v[i - 1], i > s->conf.n_old);
	/* After a restart the list may lack what the records of items still know. */
	if (s->confirmed.is_there)
		acks_add(&a, s->confirmed.f_cnt, true);
	if (out->is_there && out->is_confirmed && ulid_eq(&out->session, &s->id))
		acks_add(&a, out->f_cnt, true);
	if (s->conf.has_acked)
		acks_add(&a, s->conf.acked, false);
	return a;
}

/* Is the half right that SNwkSIntKey makes? [LW1.1 4.4.1] */
static bool is_s_half_good(const struct heard *h, const struct session *s, struct frame_id *id, const struct acks *a, struct match *ret)
{
	uint8_t mic[MIC_LEN];
	for (size_t i = 0; i < a->n; i++) {
		id->conf_f_cnt = a->f_cnt[i];
		if (mic_data_up_1_1(h->ns->config.crypto, &s->s_nwk_s_int, &s->f_nwk_s_int, id, h->f->msg, mic) != 0)
			return false;
		if (!mic_eq(mic, h->f->mic))
			continue;
		ret->is_ack = a->is_new[i];
		ret->conf_f_cnt = a->f_cnt[i];
		return true;
	}
	return false;
}

/* Channels of the frequency first; then all others, as the first copy may be what a near gateway heard beside the channel, and
 * a device may have numbered its own channels otherwise. */
static bool is_mic_good_1_1(const struct heard *h, const struct session *s, uint32_t f_cnt, struct match *ret)
{
	struct frame_id id = { .dev_addr = s->dev_addr, .f_cnt = f_cnt, .is_up = true };
	const struct dev *d = s->dev;
	uint8_t mic[MIC_LEN];
	/* The half of FNwkSIntKey needs one guess only, and ends most of them. */
	if (mic_data(h->ns->config.crypto, &s->f_nwk_s_int, &id, h->f->msg, mic) != 0 || !crypto_equal(mic, h->f->mic + 2, 2))
		return false;
	int dr = d->plan ? region_dr(d->plan->region, (enum phy_version)d->phy_version, true, &h->r->modu) : -1;
	if (dr < 0)
		return false;
	struct acks a = acks_of(s, h->f);
	id.tx_dr = (uint8_t)dr;
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < d->plan->region->max_channels; i++) {
			uint32_t hz = 0;
			uint8_t min_dr, max_dr;
			bool is_here = plan_channel(d->plan, i, &hz, &min_dr, &max_dr) && hz == h->r->freq_hz;
			id.tx_ch = (uint8_t)i;
			if (is_here == (pass == 0) && is_s_half_good(h, s, &id, &a, ret))
				return true;
		}
	return false;
}

static bool is_mic_good(const struct heard *h, const struct session *s, uint32_t f_cnt, struct match *ret)
{
	uint8_t mic[MIC_LEN];
	struct frame_id id = { .dev_addr = s->dev_addr, .f_cnt = f_cnt, .is_up = true };
	if (s->is_v11)
		return is_mic_good_1_1(h, s, f_cnt, ret);
	ret->is_ack = h->f->data.ack;
	return mic_data(h->ns->config.crypto, &s->f_nwk_s_int, &id, h->f->msg, mic) == 0 && mic_eq(mic, h->f->mic);
}

/* ---- the counter ---- */

static bool has_32_bits(const struct dev *d)
{
	return (d->rules && d->rules->has_cnt32) || !MSG_HAS(&d->mac, f_cnt_32) || d->mac.f_cnt_32;
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
static bool try_session(const struct heard *h, struct session *s, struct match *ret)
{
	const struct frame *f = h->f;
	uint64_t full = restore(s, f->data.f_cnt16);
	ret->session = s;
	ret->dev = s->dev;
	ret->f_cnt = (uint32_t)full;
	if (is_mic_good(h, s, (uint32_t)full, ret)) {
		ret->drop = judge(s, f, full, h->content, ret);
		return true;
	}
	/* A device that started again, or an old frame of this very session: a replay. */
	if (f->data.f_cnt16 < s->up_next && is_mic_good(h, s, f->data.f_cnt16, ret)) {
		ret->f_cnt = f->data.f_cnt16;
		ret->is_reset = may_reset(s, f);
		ret->drop = ret->is_reset ? DROP_NONE : DROP_F_CNT;
		return true;
	}
	uint64_t old = s->up_next >> 16 << 16 | f->data.f_cnt16;
	if (old >= s->up_next && old >= 65536)
		old -= 65536;
	if (old < 65536 || old >= s->up_next || !is_mic_good(h, s, (uint32_t)old, ret))
		return false;
	ret->f_cnt = (uint32_t)old;
	ret->drop = DROP_F_CNT;
	return true;
}

void match_data(struct ns *ns, const struct reception *r, const struct frame *f, uint32_t content, struct match *ret)
{
	const struct heard h = { .ns = ns, .r = r, .f = f, .content = content };
	struct session *s = sessions_first(&ns->devices, f->data.dev_addr), *only = s;
	*ret = (struct match){ .drop = s ? DROP_MIC : DROP_DEV_ADDR };
	for (size_t n = 0; s && n < NS_CANDIDATES_MAX; n++, s = sessions_next(s)) {
		struct match m = { .drop = DROP_MIC };
		if (s != only)
			only = NULL;
		/* No device can acknowledge in a session that never sent it anything. */
		if (s->is_pending && f->data.ack)
			continue;
		if (try_session(&h, s, &m)) {
			if (s->dev->multicast)
				m.drop = DROP_MULTICAST;
			*ret = m;
			return;
		}
	}
	if (only)
		ret->dev = only->dev;
}

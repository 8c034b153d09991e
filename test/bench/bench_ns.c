/** @file The network server's core alone: how many data uplinks a second one thread takes, from the gs's message to the
 * acknowledged message for the as, with ports that do nothing. */
#include "common/loop.h"
#include "ns/core/ns.h"
#include "proto/cids.h"
#include "proto/lorawan/security.h"
#include "proto/lorawan/version.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEVICES = 2000, ROUNDS = 50, FRM = 16, STEP_US = 200, LAST_CAP = 4096 };

struct bench {
	struct ns *ns;
	struct now now;
	struct crypto *crypto;
	struct key nwk[DEVICES];
	uint64_t answered, delivered, sent;
	uint8_t last[LAST_CAP]; /**< an outbox message: every one is as good as another here */
	size_t n_last;
};

static int port_put(void *ctx, struct slice key, struct slice value)
{
	struct bench *b = ctx;
	if (key.p[0] == NS_OUTBOX && value.n <= sizeof(b->last)) {
		memcpy(b->last, value.p, value.n);
		b->n_last = value.n;
	}
	return 0;
}

static int port_del(void *ctx, struct slice key)
{
	(void)ctx;
	(void)key;
	return 0;
}

static int port_get(void *ctx, struct slice key, struct slice *ret)
{
	struct bench *b = ctx;
	(void)key;
	*ret = (struct slice){ b->last, b->n_last };
	return 0;
}

static void port_answer(void *ctx, uint64_t request, const char *refusal, const char *message)
{
	struct bench *b = ctx;
	(void)request;
	(void)message;
	b->answered += !refusal;
}

static int port_join(void *ctx, uint64_t call, const struct join_request *m)
{
	(void)ctx;
	(void)call;
	(void)m;
	return -ENOTCONN;
}

static int port_pull(void *ctx, const struct ns_pull *call, const struct pull *m)
{
	(void)ctx;
	(void)call;
	(void)m;
	return -ENOTCONN;
}

static int port_up(void *ctx, uint64_t seq, struct slice encoded)
{
	struct bench *b = ctx;
	(void)encoded;
	b->sent = seq;
	return 0;
}

static void port_tell_as(void *ctx, enum method m, const void *msg)
{
	(void)ctx;
	(void)m;
	(void)msg;
}

static int port_schedule(void *ctx, uint32_t gs, const struct tx_request *m)
{
	(void)ctx;
	(void)gs;
	(void)m;
	return 0;
}

static int port_sync_gs(void *ctx, uint32_t gs, const struct sync *m)
{
	(void)ctx;
	(void)gs;
	(void)m;
	return 0;
}

static void step(struct bench *b)
{
	uint64_t batch;
	b->now.mono_us += STEP_US;
	b->now.unix_us += STEP_US;
	ns_run(b->ns, &b->now);
	if (ns_flush(b->ns, &b->now, &batch))
		ns_committed(b->ns, &b->now, batch);
	while (b->delivered < b->sent)
		ns_as_took(b->ns, &b->now, ++b->delivered, true);
}

static void devices_add(struct bench *b, const struct rng *rng)
{
	static struct sync m;
	for (uint32_t i = 0; i < DEVICES; i++) {
		m = (struct sync){ .store_id = { { 7 } }, .revision = i, .v = { .len = 1 } };
		struct sync_entry *e = &m.v.v[0];
		if (i == 0)
			MSG_SET(&m, first, true);
		if (i == DEVICES - 1)
			MSG_SET(&m, last, true);
		MSG_SET(e, device, i + 1);
		MSG_MARK(e, dev);
		e->dev.mac_version = LW_1_0_3;
		e->dev.phy_version = RP_1_0_3_A;
		snprintf(e->dev.plan, sizeof(e->dev.plan), "EU_863_870");
		rng_fill(rng, b->nwk[i].b, AES_KEY);
		MSG_MARK(&e->dev, session);
		e->dev.session = (struct net_session){ .dev_addr = 0x01000000 + i, .f_nwk_s_int_key = b->nwk[i], .s_nwk_s_int_key = b->nwk[i],
			.nwk_s_enc_key = b->nwk[i], .generation = 1 };
		ns_as_sync(b->ns, &b->now, 0, &m);
		step(b);
	}
	static struct downlink_queued q;
	MSG_SET(&q, all, true);
	ns_as_up(b->ns, &b->now);
	ns_as_queued(b->ns, &b->now, &q);
}

static void frame_make(struct bench *b, struct gs_uplink *up, uint32_t device, uint32_t f_cnt, const struct rng *rng)
{
	uint8_t frm[FRM] = { 1, 2, 3 };
	struct frame_id id = { .dev_addr = 0x01000000 + device, .f_cnt = f_cnt, .is_up = true };
	struct frame f = { .mtype = MTYPE_DATA_UP, .is_up = true, .data = { .dev_addr = id.dev_addr, .f_cnt16 = (uint16_t)f_cnt,
		.has_port = true, .f_port = 1, .frm = { frm, FRM } } };
	struct writer w = writer_of(up->phy.p, sizeof(up->phy.p));
	frame_write(&f, &w);
	mic_data(b->crypto, &b->nwk[device], &id, (struct slice){ up->phy.p, w.len - MIC_LEN }, up->phy.p + w.len - MIC_LEN);
	up->phy.len = (uint16_t)w.len;
	up->cids.len = 0;
	CIDS_ADD(&up->cids, CID_GS_UPLINK, ulid_make(b->now.unix_us, rng));
	up->rx.received_unix_us = b->now.unix_us;
	up->rx.tmst_us = (uint32_t)b->now.mono_us;
}

static uint64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(void)
{
	static struct bench b;
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 1);
	b.now = (struct now){ .mono_us = 1000 * SEC_US, .unix_us = 1700000000 * SEC_US };
	b.crypto = crypto_new();
	struct ns_config c = { .dedup_window_us = 200 * MS_US, .outbox_max = 1000000, .class_c_max_delay_us = 60 * SEC_US,
		.class_c_timeout_us = 300 * SEC_US, .crypto = b.crypto, .rng = rng, .now = b.now };
	struct ns_ports p = { &b, port_put, port_del, port_get, port_answer, port_join, port_pull, port_up, port_tell_as, port_schedule, port_sync_gs };
	b.ns = ns_new(&c, &p);
	if (!b.ns || !b.crypto || ns_loaded(b.ns, &b.now) != 0)
		return EXIT_FAILURE;
	devices_add(&b, &rng);
	struct gs_uplink up = { .freq_hz = 868100000, .path_us = 2000, .can_send = true, .rx = { .gateway_id = "eui-1", .gateway_eui = 1 } };
	MSG_SET(&up.mod, sf, 7);
	MSG_SET(&up.mod, bw_hz, 125000);
	MSG_SET(&up.rx, snr_ddb, 75);
	uint64_t spent_ns = 0;
	for (uint32_t i = 0; i < ROUNDS * DEVICES; i++) {
		frame_make(&b, &up, i % DEVICES, i / DEVICES, &rng);
		uint64_t from = clock_ns();
		ns_gs_uplink(b.ns, &b.now, 1, i + 1, &up);
		step(&b);
		spent_ns += clock_ns() - from;
	}
	printf("ns core: %d uplinks, %lu delivered, %.2f us of CPU each\n", ROUNDS * DEVICES, (unsigned long)b.delivered,
		(double)spent_ns / 1000 / (ROUNDS * DEVICES));
	ns_free(b.ns);
	crypto_free(b.crypto);
	return EXIT_SUCCESS;
}

/** @file The sockets that packet forwarders speak to. */
#include "gs/udp.h"
#include "common/log.h"
#include "common/net.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LISTENERS_MAX = 8, BATCH = 16, BUFFER_BYTES = 1 << 16, BATCHES_PER_WAKE = 4, DEFAULT_PORT = 1700 };

/** What a struct gs_peer holds. A forwarder's socket is connected, so it hears us only from the address it
 * sends to; on a machine with several, that is not the one the kernel would choose. */
struct place {
	struct sockaddr_in6 sa; /**< room for either family */
	struct in6_addr local;  /**< the first four octets for IPv4 */
};
_Static_assert(sizeof(struct place) <= PEER_MAX, "a peer holds a place");

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct listener {
	struct udp *udp;
	struct loop_watch *watch;
	struct net_address address;
	int fd;
};

struct udp {
	struct listener v[LISTENERS_MAX];
	uint16_t n;
	udp_fn *fn;
	void *ctx;
	uint8_t *buffer; /**< BATCH times BUFFER_BYTES; the kernel backs only what datagrams have filled */
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	struct sockaddr_in6 from[BATCH];
	union control in_control[BATCH], out_control[BATCH];
	uint8_t ack[BATCH][SEMTECH_HEAD];
};

static void batch_prepare(struct udp *u)
{
	for (size_t i = 0; i < BATCH; i++) {
		u->in_iov[i] = (struct iovec){u->buffer + i * BUFFER_BYTES, BUFFER_BYTES};
		u->in[i].msg_hdr = (struct msghdr){.msg_name = &u->from[i],
			.msg_namelen = sizeof u->from[i],
			.msg_iov = &u->in_iov[i],
			.msg_iovlen = 1,
			.msg_control = u->in_control[i].buf,
			.msg_controllen = sizeof u->in_control[i].buf};
	}
}

/** The address of ours that a datagram was sent to. */
static struct in6_addr local_of(struct msghdr *m)
{
	struct in6_addr local = {0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			memcpy(&local, &((const struct in_pktinfo *)(const void *)CMSG_DATA(c))->ipi_spec_dst,
				sizeof(struct in_addr));
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(&local, &((const struct in6_pktinfo *)(const void *)CMSG_DATA(c))->ipi6_addr,
				sizeof local);
	}
	return local;
}

static struct gs_peer peer_of(uint16_t listener, struct msghdr *m)
{
	struct gs_peer peer = {.listener = listener, .len = sizeof(struct place)};
	struct place place = {.local = local_of(m)};
	memcpy(&place.sa, m->msg_name, m->msg_namelen < sizeof place.sa ? m->msg_namelen : sizeof place.sa);
	memcpy(peer.sa, &place, sizeof place);
	return peer;
}

/** Address a message to a peer, from the address it knows us by. @param place  must live as long as *m */
static void msg_address(struct msghdr *m, struct place *place, union control *control)
{
	m->msg_name = &place->sa;
	m->msg_control = control->buf;
	struct cmsghdr *c = &control->align;
	if (place->sa.sin6_family == AF_INET) {
		struct in_pktinfo info = {0};
		m->msg_namelen = sizeof(struct sockaddr_in);
		memcpy(&info.ipi_spec_dst, &place->local, sizeof info.ipi_spec_dst);
		*c = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof info);
		m->msg_controllen = CMSG_SPACE(sizeof info);
	} else {
		struct in6_pktinfo info = {.ipi6_addr = place->local};
		m->msg_namelen = sizeof(struct sockaddr_in6);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info),
			.cmsg_level = IPPROTO_IPV6,
			.cmsg_type = IPV6_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof info);
		m->msg_controllen = CMSG_SPACE(sizeof info);
	}
}

int udp_send(struct udp *u, const struct gs_peer *to, struct slice octets)
{
	struct place place;
	union control control = {.buf = {0}};
	uint8_t copy[SEMTECH_PULL_RESP_MAX];
	if (to->listener >= u->n || octets.n > sizeof copy)
		return -EINVAL;
	memcpy(copy, octets.p, octets.n);
	memcpy(&place, to->sa, sizeof place);
	struct iovec iov = {copy, octets.n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	msg_address(&m, &place, &control);
	return sendmsg(u->v[to->listener].fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/** Answer what wants an answer; forwarders measure how long that takes, and wait for it. */
static void batch_acknowledge(struct udp *u, int fd, const struct gs_peer *peers, unsigned n)
{
	struct place places[BATCH];
	unsigned acks = 0;
	for (unsigned i = 0; i < n; i++) {
		struct semtech_datagram d;
		if (semtech_read(u->in_iov[i].iov_base, u->in[i].msg_len, &d) ||
			!semtech_ack(&d, u->ack[acks]))
			continue;
		memcpy(&places[acks], peers[i].sa, sizeof places[acks]);
		u->out_iov[acks] = (struct iovec){u->ack[acks], SEMTECH_HEAD};
		u->out[acks].msg_hdr = (struct msghdr){.msg_iov = &u->out_iov[acks], .msg_iovlen = 1};
		msg_address(&u->out[acks].msg_hdr, &places[acks], &u->out_control[acks]);
		acks++;
	}
	/* One that cannot be sent stops sendmmsg; the others are still owed theirs. */
	for (unsigned sent = 0; sent < acks;) {
		int m = sendmmsg(fd, u->out + sent, acks - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += m > 0 ? (unsigned)m : 1;
	}
}

static void on_readable(int fd, void *ctx)
{
	struct listener *l = ctx;
	struct udp *u = l->udp;
	struct gs_peer peers[BATCH];
	for (int round = 0; round < BATCHES_PER_WAKE; round++) {
		batch_prepare(u);
		int got = recvmmsg(fd, u->in, BATCH, MSG_DONTWAIT, NULL);
		if (got <= 0)
			return;
		unsigned n = (unsigned)got;
		for (unsigned i = 0; i < n; i++)
			peers[i] = peer_of((uint16_t)(l - u->v), &u->in[i].msg_hdr);
		batch_acknowledge(u, fd, peers, n);
		for (unsigned i = 0; i < n; i++)
			u->fn(u->ctx, &peers[i], (struct slice){u->in_iov[i].iov_base, u->in[i].msg_len});
		if (n < BATCH)
			return;
	}
}

static int listener_open(struct udp *u, struct loop *loop, struct str address, struct text *err)
{
	struct listener *l = &u->v[u->n];
	int yes = 1;
	if (u->n == LISTENERS_MAX || net_parse(address, DEFAULT_PORT, &l->address) ||
		l->address.sa.ss_family == AF_UNIX) {
		text_printf(err, "\"%.*s\" is no address like 0.0.0.0:1700 or [::]:1700 (at most %d of them)",
			STR_ARG(address), LISTENERS_MAX);
		return -EINVAL;
	}
	l->udp = u;
	l->fd = net_udp_bind(&l->address);
	if (l->fd < 0) {
		text_printf(err, "cannot listen on %.*s: %s", STR_ARG(address), strerror(-l->fd));
		return l->fd;
	}
	u->n++;
	bool is_6 = l->address.sa.ss_family == AF_INET6;
	setsockopt(l->fd, is_6 ? IPPROTO_IPV6 : IPPROTO_IP, is_6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &yes,
		sizeof yes);
	l->watch = loop_watch_read(loop, l->fd, on_readable, l);
	return l->watch ? net_local(l->fd, &l->address) : -ENOMEM;
}

static int listeners_open(
	struct udp *u, struct loop *loop, const char *list, bool is_default, struct text *err)
{
	struct str rest = str_of(list), one;
	while (rest.n) {
		rest = str_cut(rest, ',', &one);
		one = str_trim(one);
		int rc = listener_open(u, loop, one, err);
		if (is_default && u->n && (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)) {
			LOG(LOG_WARN, "listen_skipped", KV_STR("address", one),
				KV_Z("why", "this machine has no such address family"));
			text_reset(err);
		} else if (rc) {
			return rc;
		}
	}
	if (u->n)
		return 0;
	text_puts(err, "no address to listen on");
	return -EINVAL;
}

static int addresses_record(const struct udp *u, struct daemon *d)
{
	unsigned named = 0;
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < u->n; i++) {
			bool is_4 = u->v[i].address.sa.ss_family == AF_INET;
			char name_buf[16], buf[64];
			struct text name = text_fixed(name_buf, sizeof name_buf),
				    t = text_fixed(buf, sizeof buf);
			if (is_4 != (pass == 0))
				continue;
			text_puts(&name, "gs.udp");
			if (++named > 1)
				text_printf(&name, "-%u", named);
			net_text(&t, &u->v[i].address);
			LOG(LOG_INFO, "listen", KV_Z("udp", buf));
			TRY(daemon_address(d, name_buf, buf));
		}
	return 0;
}

int udp_open(struct daemon *d, const char *list, bool is_default, udp_fn *fn, void *ctx, struct udp **ret,
	struct text *err)
{
	struct udp *u = calloc(1, sizeof *u);
	if (!u)
		return -ENOMEM;
	u->fn = fn;
	u->ctx = ctx;
	u->buffer = malloc((size_t)BATCH * BUFFER_BYTES);
	int rc = u->buffer ? listeners_open(u, daemon_loop(d), list, is_default, err) : -ENOMEM;
	if (!rc)
		rc = addresses_record(u, d);
	if (rc)
		udp_close(u);
	else
		*ret = u;
	return rc;
}

void udp_close(struct udp *u)
{
	if (!u)
		return;
	for (unsigned i = 0; i < u->n; i++) {
		loop_watch_free(u->v[i].watch);
		close(u->v[i].fd);
	}
	free(u->buffer);
	free(u);
}

void udp_peer_text(struct text *t, const struct gs_peer *peer)
{
	struct place place;
	struct net_address a = {.len = sizeof place.sa};
	memcpy(&place, peer->sa, sizeof place);
	memcpy(&a.sa, &place.sa, sizeof place.sa);
	if (peer->len)
		net_text(t, &a);
}

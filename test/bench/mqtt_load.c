/** @file A load of MQTT 3.1.1 for any broker on this host: test/bench/mqtt runs it against ours and others.
 *
 *     mqtt-load flow PORT QOS SUBSCRIBERS MESSAGES BYTES WINDOW   prints "SECONDS": one publisher, until every subscriber has had all
 *     mqtt-load idle PORT CONNECTIONS [tls]                       prints "idle", and holds them until its input ends
 *
 * WINDOW messages at most are on their way, so that no broker has a reason to drop one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 256 << 10, GIVE_UP_S = 120, ACKS_MAX = 4 * 65536 };

struct client {
	int fd;
	uint8_t in[IN_MAX];
	size_t in_n, out_n;
	uint8_t out[ACKS_MAX]; /* acknowledgements that the socket did not take */
	uint64_t received;
};

static void die(const char *what)
{
	fprintf(stderr, "mqtt-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a))
		die("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return fd;
}

static void write_all(int fd, const uint8_t *p, size_t n)
{
	for (ssize_t got; n; p += got, n -= (size_t)got)
		if ((got = write(fd, p, n)) < 0)
			die("write");
}

static void read_all(int fd, uint8_t *p, size_t n)
{
	for (ssize_t got; n; p += got, n -= (size_t)got)
		if ((got = read(fd, p, n)) <= 0)
			die("read");
}

static size_t connect_packet(uint8_t *p, unsigned number)
{
	int n = snprintf((char *)p + 14, 32, "load%06u", number);
	memcpy(p, "\x10\0\0\4MQTT\4\2\0\0\0", 13);
	p[13] = (uint8_t)n;
	p[1] = (uint8_t)(12 + n);
	return 14 + (size_t)n;
}

/* Flow. */

static uint8_t message[128 << 10];
static size_t message_n, id_at;

static void message_make(int qos, size_t bytes)
{
	size_t left = 2 + 6 + (qos ? 2u : 0u) + bytes;
	message[message_n++] = (uint8_t)(0x30 | qos << 1);
	do
		message[message_n++] = (uint8_t)(left % 128 | (left > 127 ? 0x80 : 0));
	while (left /= 128);
	memcpy(message + message_n, "\0\6load/t", 8);
	id_at = message_n + 8;
	message_n += 8 + (qos ? 2u : 0u);
	memset(message + message_n, 'x', bytes);
	message_n += bytes;
}

/** Take what is there. @return messages or acknowledgements that came */
static uint64_t client_read(struct client *c, bool is_publisher)
{
	uint64_t count = 0;
	ssize_t got = read(c->fd, c->in + c->in_n, IN_MAX - c->in_n);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		die("the broker has closed");
	c->in_n += got > 0 ? (size_t)got : 0;
	size_t at = 0;
	while (c->in_n - at >= 2) {
		size_t n = 0, k = 1;
		for (unsigned shift = 0; at + k < c->in_n; shift += 7) {
			n |= (size_t)(c->in[at + k] & 0x7f) << shift;
			if (!(c->in[at + k++] & 0x80))
				break;
		}
		if ((c->in[at + k - 1] & 0x80) || c->in_n - at < k + n)
			break;
		const uint8_t *body = c->in + at + k;
		if (!is_publisher && c->in[at] >> 4 == 3) {
			count++;
			size_t topic = (size_t)body[0] << 8 | body[1];
			if (c->in[at] & 2 && c->out_n + 4 <= ACKS_MAX) {
				memcpy(c->out + c->out_n, (uint8_t[]){ 0x40, 2, body[2 + topic], body[3 + topic] }, 4);
				c->out_n += 4;
			}
		} else if (is_publisher && c->in[at] == 0x40) {
			count++;
		}
		at += k + n;
	}
	memmove(c->in, c->in + at, c->in_n - at);
	c->in_n -= at;
	if (c->out_n) {
		ssize_t sent = write(c->fd, c->out, c->out_n);
		if (sent > 0) {
			memmove(c->out, c->out + sent, c->out_n - (size_t)sent);
			c->out_n -= (size_t)sent;
		}
	}
	return count;
}

struct flow {
	struct client *clients; /* the publisher is the last */
	unsigned subscribers;
	uint64_t messages, window, sent, acknowledged, received;
	int qos, poll;
	size_t sent_of_message;
};

/** @return whether the socket took all that may be sent now */
static void publish(struct flow *f)
{
	struct client *pub = &f->clients[f->subscribers];
	static uint8_t batch[256 << 10];
	static size_t n, off;
	for (;;) {
		if (off == n) {
			n = off = 0;
			uint64_t slowest = f->received / f->subscribers;
			while (f->sent < f->messages && f->sent - slowest < f->window && (!f->qos || f->sent - f->acknowledged < f->window) &&
				n + message_n <= sizeof batch) {
				memcpy(batch + n, message, message_n);
				if (f->qos) {
					uint16_t id = (uint16_t)(f->sent % 65000 + 1);
					batch[n + id_at] = (uint8_t)(id >> 8);
					batch[n + id_at + 1] = (uint8_t)id;
				}
				n += message_n;
				f->sent++;
			}
			if (n == 0)
				return;
		}
		ssize_t got = write(pub->fd, batch + off, n - off);
		if (got < 0)
			return;
		off += (size_t)got;
	}
}

static void flow_connect(struct flow *f, uint16_t port)
{
	uint8_t b[64];
	for (unsigned i = 0; i <= f->subscribers; i++) {
		struct client *c = &f->clients[i];
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
		c->fd = dial(port);
		write_all(c->fd, b, connect_packet(b, i));
		read_all(c->fd, b, 4);
		if (i < f->subscribers) {
			memcpy(b, "\x82\x0b\0\1\0\6load/t\0", 13);
			b[12] = (uint8_t)f->qos;
			write_all(c->fd, b, 13);
			read_all(c->fd, b, 5);
		}
		if (fcntl(c->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(f->poll, EPOLL_CTL_ADD, c->fd, &e))
			die("epoll");
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void flow_run(char **a)
{
	struct flow f = { .qos = atoi(a[1]), .subscribers = (unsigned)atoi(a[2]), .messages = strtoull(a[3], NULL, 10),
		.window = strtoull(a[5], NULL, 10), .poll = epoll_create1(0) };
	f.clients = calloc(f.subscribers + 1, sizeof *f.clients);
	if (!f.clients || f.subscribers == 0)
		die("subscribers");
	message_make(f.qos, strtoull(a[4], NULL, 10));
	flow_connect(&f, (uint16_t)atoi(a[0]));
	double begun = now();
	while (f.received < f.messages * f.subscribers || (f.qos && f.acknowledged < f.messages)) {
		struct epoll_event events[256];
		publish(&f);
		int n = epoll_wait(f.poll, events, 256, 1);
		for (int i = 0; i < n; i++) {
			uint32_t who = events[i].data.u32;
			uint64_t count = client_read(&f.clients[who], who == f.subscribers);
			*(who == f.subscribers ? &f.acknowledged : &f.received) += count;
		}
	}
	printf("%.6f\n", now() - begun);
}

/* Idle. */

static void idle_run(char **a, bool is_tls)
{
	unsigned n = (unsigned)atoi(a[1]);
	SSL_CTX *tls = is_tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	uint8_t b[64];
	for (unsigned i = 0; i < n; i++) {
		int fd = dial((uint16_t)atoi(a[0]));
		size_t len = connect_packet(b, i);
		if (!tls) {
			write_all(fd, b, len);
			read_all(fd, b, 4);
			continue;
		}
		SSL *s = SSL_new(tls);
		if (!s || SSL_set_fd(s, fd) != 1 || SSL_connect(s) != 1 || SSL_write(s, b, (int)len) != (int)len || SSL_read(s, b, 4) != 4)
			die("TLS");
	}
	puts("idle");
	fflush(stdout);
	while (read(0, b, sizeof b) > 0)
		;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	alarm(GIVE_UP_S);
	if (argc == 8 && strcmp(argv[1], "flow") == 0)
		flow_run(argv + 2);
	else if ((argc == 4 || argc == 5) && strcmp(argv[1], "idle") == 0)
		idle_run(argv + 2, argc == 5);
	else
		return 2;
	return 0;
}

/*
 * guard: see guard.h. Only the thread that calls the library is looked at, so
 * no lock is needed: what other threads connect and close is none of its.
 */
#include "fs/zk/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/channel.h"
#include "fs/zk/packet.h"
#include "fs/zk/tls.h"

#define LENGTH ((size_t)4)
/* Requests under way are fewer: ZKFS_CALLS_MAX. A power of two. */
#define REQUESTS_MAX 4096U

/* Room for "ADDRESS port NUMBER", with a scope. */
#define PEER 96

#define exported __attribute__((visibility("default")))

/* What a packet is read into when there is no memory for it: as long as most
 * are, since servers refuse longer ones of their clients (jute.maxbuffer), and
 * pages that nobody writes to cost nothing. */
#define SPARE_SIZE ((size_t)1 << 20)

/* One direction: the length, then so many bytes. */
struct frame {
	unsigned char length[LENGTH];
	size_t n_length;
	size_t len;
	size_t n; /* of them, passed or read */
};

struct guard {
	int fd;
	short wants; /* what TLS waits for; 0: nothing any more */
	bool broken; /* the connection is at its end, whatever comes */
	bool asked;  /* for a session: the first that is sent */
	bool renews; /* ... and for one that was */
	bool greeted;
	struct frame out, in;
	unsigned char *packet; /* in */
	size_t n_given;	       /* of it, to the library */
	struct zkfs_channel channel;
	struct zkfs_link link;
	/* Those without an answer, in their order: from first to last, each
	 * modulo the room. No memory has to be had for one. */
	unsigned first, last;
	struct zkfs_packet_request requests[REQUESTS_MAX];
};

/* The functions whose places these take have no object to hand in, so that this
 * state is the program's. */
static struct zkfs_link guards = {&guards, &guards};
static unsigned char spare[SPARE_SIZE];
static bool spare_used;
static bool connects;
static struct zkfs_tls *connects_tls;
static bool served; /* a server has greeted us, at any time */
static bool told;   /* what was wrong, since the last greeting */
static char failure[PEER + 256];
static unsigned n_final;
static _Thread_local bool is_library_thread;

void zkfs_guard_connects(bool on, struct zkfs_tls *tls)
{
	is_library_thread = true;
	connects = on;
	connects_tls = tls;
}

const char *zkfs_guard_failure(unsigned *ret_n_final)
{
	*ret_n_final = n_final;
	return *failure ? failure : NULL;
}

static struct guard *find(int fd)
{
	if (!is_library_thread)
		return NULL;
	zkfs_list_for_each(it, &guards) {
		struct guard *guard = zkfs_list_entry(it, struct guard, link);

		if (guard->fd == fd)
			return guard;
	}
	return NULL;
}

static unsigned char *packet_new(size_t len)
{
	unsigned char *packet = malloc(len);

	if (packet || len > SPARE_SIZE || spare_used)
		return packet;
	spare_used = true;
	return spare;
}

static void packet_free(unsigned char *packet)
{
	if (packet == spare)
		spare_used = false;
	else
		free(packet);
}

static void guard_free(struct guard *guard)
{
	zkfs_list_remove(&guard->link);
	(void)zkfs_tls_stream_free(guard->channel.stream);
	packet_free(guard->packet);
	free(guard);
}

static void forget(int fd)
{
	struct guard *guard = find(fd);

	if (guard)
		guard_free(guard);
}

/* Who is at the other end, for a line of words. */
static void name_peer(int fd, char *name, size_t size)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN + 16], port[8];

	if (getpeername(fd, (struct sockaddr *)&address, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&address, len, host, sizeof(host),
			port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		(void)snprintf(name, size, "%s port %s", host, port);
	else
		(void)snprintf(name, size, "a server");
}

/* Reads on as the end of the stream, from now on. It is told once until a
 * server greets us again, and not where none ever did: then there is no mount,
 * and one line that says so. */
static ssize_t end(struct guard *guard, const char *words)
{
	char peer[80];

	if (!guard->broken && served && !told) {
		name_peer(guard->fd, peer, sizeof(peer));
		zkfs_warning("%s has sent what is no ZooKeeper protocol (%s); "
			     "dropping the connection, trying the next server",
			     peer, words);
	}
	told = true;
	guard->broken = true;
	return 0;
}

/* The library would find no memory either, and do the same. */
static ssize_t end_starved(struct guard *guard)
{
	zkfs_warning("out of memory for a packet of %zu bytes; dropping the "
		     "connection",
		     guard->in.len);
	guard->broken = true;
	return 0;
}

/* Before its greeting. What passes is told by who waits for it. */
static void fail(const struct guard *guard, bool final, const char *words)
{
	char peer[PEER];

	if (guard->greeted)
		return;
	name_peer(guard->fd, peer, sizeof(peer));
	(void)snprintf(failure, sizeof(failure), "%s: %s", peer, words);
	if (!final)
		return;
	n_final++;
	if (served && !told)
		zkfs_warning("no connection to %s; trying the next server",
			     failure);
	told = true;
}

static void note_tls_end(const struct guard *guard)
{
	const struct zkfs_tls_end *tls_end =
		zkfs_tls_stream_end(guard->channel.stream);

	if (tls_end)
		fail(guard, tls_end->final, tls_end->words);
}

bool zkfs_guard_securing(int fd)
{
	const struct guard *guard = find(fd);

	return guard && guard->wants;
}

int zkfs_guard_secure(int fd)
{
	struct guard *guard = find(fd);
	int r;

	if (!guard || guard->wants == 0)
		return 0;
	r = zkfs_tls_stream_shake(guard->channel.stream, &guard->wants);
	if (r == 0)
		guard->wants = 0;
	else if (r != -EAGAIN)
		note_tls_end(guard);
	return r;
}

short zkfs_guard_events(int fd, short events)
{
	const struct guard *guard = find(fd);

	if (guard && guard->wants)
		return guard->wants;
	if (guard && zkfs_channel_stalled(&guard->channel))
		events |= POLLOUT;
	return events;
}

void zkfs_guard_unanswered(int fd)
{
	struct guard *guard = find(fd);

	if (!guard)
		return;
	fail(guard, false, "it does not answer");
	guard->broken = true;
}

bool zkfs_guard_pending(int fd)
{
	const struct guard *guard = find(fd);

	return guard &&
	       (guard->broken || zkfs_channel_pending(&guard->channel));
}

void zkfs_guard_hold(int fd)
{
	struct guard *guard = find(fd);

	if (guard)
		zkfs_channel_hold(&guard->channel);
}

bool zkfs_guard_flush(int fd)
{
	struct guard *guard = find(fd);

	return !guard || zkfs_channel_flush(&guard->channel);
}

/* Fills the length from `size` bytes; returns how many were its. */
static size_t take_length(struct frame *frame, const void *bytes, size_t size)
{
	size_t n = zkfs_min_size(LENGTH - frame->n_length, size);
	uint32_t len;

	memcpy(frame->length + frame->n_length, bytes, n);
	frame->n_length += n;
	if (frame->n_length == LENGTH) {
		memcpy(&len, frame->length, LENGTH);
		frame->len = ntohl(len);
		frame->n = 0;
	}
	return n;
}

/* Sending */

static void note_request(struct guard *guard, const void *packet, size_t len)
{
	struct zkfs_packet_request request;

	if (!guard->asked) {
		guard->asked = true;
		guard->renews = zkfs_packet_renews(packet, len);
		return;
	}
	if (!zkfs_packet_read_request(packet, len, &request) ||
	    guard->last - guard->first >= REQUESTS_MAX) {
		/* Its reply could not be looked at. */
		guard->broken = true;
		return;
	}
	if (request.xid >= 0) /* others are answered by notices */
		guard->requests[guard->last++ % REQUESTS_MAX] = request;
}

/* `sent` of the `size` bytes at hand are gone. The library hands over the rest
 * of a length, or of a packet: so all of a packet is there when its first byte
 * goes. */
static void note_sent(struct guard *guard, const unsigned char *bytes,
		      size_t size, size_t sent)
{
	struct frame *out = &guard->out;

	while (sent > 0 && !guard->broken) {
		size_t n;

		if (out->n_length < LENGTH) {
			n = take_length(out, bytes, sent);
		} else {
			if (out->n == 0 && size < out->len)
				guard->broken = true;
			else if (out->n == 0)
				note_request(guard, bytes, out->len);
			n = zkfs_min_size(out->len - out->n, sent);
			out->n += n;
		}
		if (out->n_length == LENGTH && out->n == out->len)
			*out = (struct frame){0};
		bytes += n;
		size -= n;
		sent -= n;
	}
}

/* Receiving */

static bool is_sound(struct guard *guard)
{
	const void *packet = guard->packet;
	size_t len = guard->in.len;
	int32_t xid;

	if (!guard->greeted) {
		guard->greeted = true;
		if (!zkfs_packet_is_greeting(packet, len, guard->renews))
			return false;
		served = true;
		told = false;
		failure[0] = '\0';
		n_final = 0;
		return true;
	}
	if (!zkfs_packet_xid(packet, len, &xid))
		return false;
	if (xid < 0)
		return zkfs_packet_is_notice(packet, len);
	if (guard->first == guard->last)
		return false;
	return zkfs_packet_is_reply(
		packet, len, &guard->requests[guard->first++ % REQUESTS_MAX]);
}

static ssize_t receive(struct guard *guard, void *buf, size_t size)
{
	ssize_t n = zkfs_channel_recv(&guard->channel, buf, size);

	if (n < 0 && guard->channel.stream)
		note_tls_end(guard);
	return n;
}

/* Unless TLS has said why. */
static void note_closed(const struct guard *guard)
{
	if (!guard->channel.stream)
		fail(guard, false,
		     "it closes the connection without an answer; is that port "
		     "for TLS?");
	else if (!zkfs_tls_stream_end(guard->channel.stream))
		fail(guard, false,
		     "it closes the connection without an answer");
}

/* The first byte of an alert (RFC 8446, 5.1), and the second. */
static bool is_tls(const struct frame *in)
{
	return in->length[0] == 21 && in->length[1] == 3;
}

/* The length goes to the library at once: it makes room for the packet. */
static ssize_t receive_length(struct guard *guard, void *buf, size_t size)
{
	struct frame *in = &guard->in;
	ssize_t n =
		receive(guard, buf, zkfs_min_size(size, LENGTH - in->n_length));

	if (n == 0 || (n < 0 && errno != EAGAIN))
		note_closed(guard);
	if (n <= 0)
		return n;
	(void)take_length(in, buf, (size_t)n);
	if (in->n_length < LENGTH)
		return n;
	if (!guard->greeted && is_tls(in))
		fail(guard, true, "that port is for TLS (tls)");
	if (in->len == 0 || in->len > (size_t)ZKFS_PACKET_MAX)
		return end(guard, "a packet of impossible length");
	guard->n_given = 0;
	guard->packet = packet_new(in->len);
	return guard->packet ? n : end_starved(guard);
}

static ssize_t give(struct guard *guard, void *buf, size_t size)
{
	size_t n = zkfs_min_size(size, guard->in.len - guard->n_given);

	memcpy(buf, guard->packet + guard->n_given, n);
	guard->n_given += n;
	if (guard->n_given == guard->in.len) {
		packet_free(zkfs_steal(&guard->packet));
		guard->in = (struct frame){0};
	}
	return (ssize_t)n;
}

static ssize_t receive_packet(struct guard *guard, void *buf, size_t size)
{
	struct frame *in = &guard->in;
	ssize_t n;

	while (in->n < in->len) {
		n = receive(guard, guard->packet + in->n, in->len - in->n);
		if (n <= 0)
			return n;
		in->n += (size_t)n;
		if (in->n == in->len && !is_sound(guard))
			return end(guard, "a packet that is not sound");
	}
	return give(guard, buf, size);
}

/* In the places of libc's */

/* By another name here: glibc declares its argument as a union. */
exported int guarded_connect(int fd, const struct sockaddr *address,
			     socklen_t len) __asm__("connect");

static struct guard *guard_new(int fd)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	if (!guard)
		return NULL;
	guard->fd = fd;
	zkfs_list_append(&guards, &guard->link);
	zkfs_channel_init(&guard->channel, fd, NULL);
	if (!connects_tls)
		return guard;
	guard->wants = POLLOUT;
	guard->channel.stream = zkfs_tls_stream_new(connects_tls, fd);
	if (guard->channel.stream)
		return guard;
	guard_free(guard);
	return NULL;
}

int guarded_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	struct guard *guard = NULL;
	int r;

	forget(fd);
	if (is_library_thread && connects) {
		guard = guard_new(fd);
		if (!guard) {
			errno = ENOMEM;
			return -1;
		}
	}
	r = (int)syscall(SYS_connect, fd, address, len);
	/* Connected, the library would ask for a session at once. */
	if (r == 0 && guard && guard->channel.stream) {
		errno = EINPROGRESS;
		r = -1;
	}
	return r;
}

exported ssize_t send(int fd, const void *buf, size_t size, int flags)
{
	struct guard *guard = find(fd);
	ssize_t n;

	if (!guard)
		return syscall(SYS_sendto, fd, buf, size, flags, NULL, 0);
	n = zkfs_channel_send(&guard->channel, buf, size);
	if (n > 0)
		note_sent(guard, buf, size, (size_t)n);
	return n;
}

exported ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	struct guard *guard = find(fd);

	if (!guard)
		return syscall(SYS_recvfrom, fd, buf, size, flags, NULL, NULL);
	if (guard->broken)
		return 0;
	return guard->in.n_length < LENGTH ? receive_length(guard, buf, size)
					   : receive_packet(guard, buf, size);
}

exported int close(int fd)
{
	forget(fd);
	return (int)syscall(SYS_close, fd);
}

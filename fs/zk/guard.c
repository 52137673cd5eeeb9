/*
 * guard: see guard.h. Only the thread that calls the library is looked at, so
 * no lock is needed: what other threads connect and close is none of its.
 */
#include "fs/zk/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/packet.h"

#define LENGTH ((size_t)4)
/* Requests under way are fewer: ZKFS_CALLS_MAX. A power of two. */
#define REQUESTS_MAX 4096U

#define exported __attribute__((visibility("default")))

/* One direction: the length, then so many bytes. */
struct frame {
	unsigned char length[LENGTH];
	size_t n_length;
	size_t len;
	size_t n; /* of them, passed or read */
};

struct guard {
	int fd;
	bool broken; /* the connection is at its end, whatever comes */
	bool asked;  /* for a session: the first that is sent */
	bool greeted;
	struct frame out, in;
	unsigned char *packet; /* in */
	size_t n_given;	       /* of it, to the library */
	struct zkfs_link link;
	/* Those without an answer, in their order: from first to last, each
	 * modulo the room. No memory has to be had for one. */
	unsigned first, last;
	struct zkfs_packet_request requests[REQUESTS_MAX];
};

/* The functions whose places these take have no object to hand in, so that this
 * state is the program's. */
static struct zkfs_link guards = {&guards, &guards};
static bool connects;
static bool served; /* a server has greeted us, at any time */
static bool told;   /* what was wrong, since the last greeting */
static _Thread_local bool is_library_thread;

void zkfs_guard_connects(bool on)
{
	is_library_thread = true;
	connects = on;
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

static void guard_free(struct guard *guard)
{
	zkfs_list_remove(&guard->link);
	free(guard->packet);
	free(guard);
}

static void forget(int fd)
{
	struct guard *guard = find(fd);

	if (guard)
		guard_free(guard);
}

/* Reads on as the end of the stream, from now on. It is told once until a
 * server greets us again, and not where none ever did: then there is no mount,
 * and one line that says so. */
static ssize_t end(struct guard *guard, const char *words)
{
	if (!guard->broken && served && !told)
		zkfs_warning("the server has sent what is no ZooKeeper "
			     "protocol (%s); dropping the connection",
			     words);
	told = true;
	guard->broken = true;
	return 0;
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
		if (!zkfs_packet_is_greeting(packet, len))
			return false;
		served = true;
		told = false;
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

static ssize_t receive(int fd, void *buf, size_t size, int flags)
{
	return syscall(SYS_recvfrom, fd, buf, size, flags, NULL, NULL);
}

/* The length goes to the library at once: it makes room for the packet. */
static ssize_t receive_length(struct guard *guard, void *buf, size_t size)
{
	struct frame *in = &guard->in;
	ssize_t n = receive(guard->fd, buf,
			    zkfs_min_size(size, LENGTH - in->n_length), 0);

	if (n <= 0)
		return n;
	(void)take_length(in, buf, (size_t)n);
	if (in->n_length < LENGTH)
		return n;
	if (in->len == 0 || in->len > (size_t)ZKFS_PACKET_MAX)
		return end(guard, "a packet of impossible length");
	guard->n_given = 0;
	guard->packet = malloc(in->len);
	return guard->packet ? n : end(guard, "more than there is memory for");
}

static ssize_t give(struct guard *guard, void *buf, size_t size)
{
	size_t n = zkfs_min_size(size, guard->in.len - guard->n_given);

	memcpy(buf, guard->packet + guard->n_given, n);
	guard->n_given += n;
	if (guard->n_given == guard->in.len) {
		free(guard->packet);
		guard->packet = NULL;
		guard->in = (struct frame){0};
	}
	return (ssize_t)n;
}

static ssize_t receive_packet(struct guard *guard, void *buf, size_t size)
{
	struct frame *in = &guard->in;
	ssize_t n;

	if (in->n < in->len) {
		n = receive(guard->fd, guard->packet + in->n, in->len - in->n,
			    0);
		if (n <= 0)
			return n;
		in->n += (size_t)n;
		if (in->n < in->len) {
			errno = EAGAIN;
			return -1;
		}
		if (!is_sound(guard))
			return end(guard, "a packet that is not sound");
	}
	return give(guard, buf, size);
}

/* In the places of libc's */

/* By another name here: glibc declares its argument as a union. */
exported int guarded_connect(int fd, const struct sockaddr *address,
			     socklen_t len) __asm__("connect");

int guarded_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	struct guard *guard;

	forget(fd);
	if (is_library_thread && connects) {
		guard = calloc(1, sizeof(*guard));
		if (!guard) {
			errno = ENOMEM;
			return -1;
		}
		guard->fd = fd;
		zkfs_list_append(&guards, &guard->link);
	}
	return (int)syscall(SYS_connect, fd, address, len);
}

exported ssize_t send(int fd, const void *buf, size_t size, int flags)
{
	struct guard *guard = find(fd);
	ssize_t n = syscall(SYS_sendto, fd, buf, size, flags, NULL, 0);

	if (guard && n > 0)
		note_sent(guard, buf, size, (size_t)n);
	return n;
}

exported ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	struct guard *guard = find(fd);

	if (!guard)
		return receive(fd, buf, size, flags);
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

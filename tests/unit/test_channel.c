/* test_channel: what is gathered, what is kept, what is read ahead. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/base/util.h"
#include "fs/zk/channel.h"

#define SOME 8000

static struct {
	struct zkfs_channel channel;
	int peer;
	unsigned char bytes[4 * ZKFS_CHANNEL_ROOM];
	unsigned char seen[4 * ZKFS_CHANNEL_ROOM];
} it;

static int set_up_as(int type)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) <
	    0)
		return -1;
	zkfs_channel_init(&it.channel, fds[0], NULL);
	it.peer = fds[1];
	for (size_t i = 0; i < sizeof(it.bytes); i++)
		it.bytes[i] = (unsigned char)(i * 7 + i / 256);
	memset(it.seen, 0, sizeof(it.seen));
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return set_up_as(SOCK_STREAM);
}

/* Each send(2) of it arrives by itself. */
static int set_up_packets(void **state)
{
	(void)state;
	return set_up_as(SOCK_SEQPACKET);
}

static int tear_down(void **state)
{
	(void)state;
	(void)close(it.channel.fd);
	(void)close(it.peer);
	return 0;
}

static ssize_t give(size_t at, size_t len)
{
	return zkfs_channel_send(&it.channel, it.bytes + at, len);
}

/* The other side reads all there is, behind what it has seen. */
static size_t peer_reads(size_t at)
{
	ssize_t n;

	while ((n = read(it.peer, it.seen + at, sizeof(it.seen) - at)) > 0)
		at += (size_t)n;
	return at;
}

/* Gives until nothing more is taken; returns how much was. */
static size_t give_all(size_t at)
{
	ssize_t n;

	while (at < sizeof(it.bytes) &&
	       (n = give(at, zkfs_min_size(SOME, sizeof(it.bytes) - at))) > 0)
		at += (size_t)n;
	return at;
}

static void narrow(void)
{
	int size = 1;

	assert_int_equal(setsockopt(it.channel.fd, SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size)),
			 0);
}

static void test_at_once(void **state)
{
	(void)state;
	assert_int_equal(give(0, 4), 4);
	assert_int_equal(peer_reads(0), 4);
	assert_false(zkfs_channel_stalled(&it.channel));
}

static void test_together(void **state)
{
	(void)state;
	zkfs_channel_hold(&it.channel);
	assert_int_equal(give(0, 4), 4);
	assert_int_equal(give(4, 100), 100);
	assert_int_equal(read(it.peer, it.seen, sizeof(it.seen)), -1);
	assert_true(zkfs_channel_flush(&it.channel));
	assert_int_equal(read(it.peer, it.seen, sizeof(it.seen)), 104);
	assert_memory_equal(it.seen, it.bytes, 104);
	/* It is held no longer. */
	assert_int_equal(give(0, 4), 4);
	assert_int_equal(read(it.peer, it.seen, sizeof(it.seen)), 4);
}

static void test_nothing_to_flush(void **state)
{
	(void)state;
	zkfs_channel_hold(&it.channel);
	assert_true(zkfs_channel_flush(&it.channel));
	assert_int_equal(read(it.peer, it.seen, sizeof(it.seen)), -1);
	assert_int_equal(errno, EAGAIN);
}

/* What has no room goes out behind what was kept. */
static void test_long(void **state)
{
	size_t at = 4;

	(void)state;
	zkfs_channel_hold(&it.channel);
	assert_int_equal(give(0, at), at);
	assert_int_equal(give(at, ZKFS_CHANNEL_ROOM), ZKFS_CHANNEL_ROOM);
	at += ZKFS_CHANNEL_ROOM;
	assert_int_equal(give(at, 2 * ZKFS_CHANNEL_ROOM),
			 2 * ZKFS_CHANNEL_ROOM);
	at += 2 * ZKFS_CHANNEL_ROOM;
	assert_true(zkfs_channel_flush(&it.channel));
	assert_int_equal(peer_reads(0), at);
	assert_memory_equal(it.seen, it.bytes, at);
}

/* The socket takes less than was kept: the rest waits, nothing passes it, and
 * all arrives once and in order. */
static void test_full(void **state)
{
	size_t given, seen = 0;

	(void)state;
	narrow();
	zkfs_channel_hold(&it.channel);
	given = give_all(0);
	assert_true(given < sizeof(it.bytes));
	assert_int_equal(errno, EAGAIN);
	assert_true(zkfs_channel_flush(&it.channel));
	assert_true(zkfs_channel_stalled(&it.channel));
	assert_int_equal(give(given, 4), -1);
	assert_int_equal(errno, EAGAIN);
	while (seen < sizeof(it.bytes)) {
		size_t before = seen;

		seen = peer_reads(seen);
		assert_true(zkfs_channel_flush(&it.channel));
		zkfs_channel_hold(&it.channel);
		given = give_all(given);
		assert_true(zkfs_channel_flush(&it.channel));
		seen = peer_reads(seen);
		assert_true(seen > before);
	}
	assert_int_equal(given, sizeof(it.bytes));
	assert_memory_equal(it.seen, it.bytes, sizeof(it.bytes));
	assert_false(zkfs_channel_stalled(&it.channel));
	assert_false(it.channel.failed);
}

/* What was taken and cannot be sent is the end, whatever can be received still,
 * and poll(2) need not tell. */
static void test_broken(void **state)
{
	unsigned char byte;

	(void)state;
	zkfs_channel_hold(&it.channel);
	assert_int_equal(give(0, 4), 4);
	assert_int_equal(write(it.peer, "x", 1), 1);
	assert_int_equal(shutdown(it.channel.fd, SHUT_WR), 0);
	assert_false(zkfs_channel_pending(&it.channel));
	assert_false(zkfs_channel_flush(&it.channel));
	assert_true(zkfs_channel_pending(&it.channel));
	assert_int_equal(zkfs_channel_recv(&it.channel, &byte, 1), 0);
	assert_int_equal(give(0, 4), -1);
	assert_int_equal(errno, EPIPE);
}

static void test_ahead(void **state)
{
	unsigned char got[100];

	(void)state;
	assert_int_equal(write(it.peer, it.bytes, 104), 104);
	assert_false(zkfs_channel_pending(&it.channel));
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 4), 4);
	assert_memory_equal(got, it.bytes, 4);
	/* It is not in the socket any more. */
	assert_true(zkfs_channel_pending(&it.channel));
	assert_int_equal(recv(it.channel.fd, got, 1, MSG_DONTWAIT), -1);
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 60), 60);
	assert_memory_equal(got, it.bytes + 4, 60);
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 100), 40);
	assert_memory_equal(got, it.bytes + 64, 40);
	assert_false(zkfs_channel_pending(&it.channel));
}

/* The socket was empty then: that is told without asking it, but once. */
static void test_drained(void **state)
{
	unsigned char got[8];

	(void)state;
	assert_int_equal(write(it.peer, it.bytes, 4), 4);
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 4), 4);
	assert_int_equal(write(it.peer, it.bytes + 4, 4), 4);
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 4), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 4), 4);
	assert_memory_equal(got, it.bytes + 4, 4);
	(void)close(it.peer);
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 4), -1);
	assert_int_equal(zkfs_channel_recv(&it.channel, got, 4), 0);
}

/* Where all the room was filled there may be more. */
static void test_not_drained(void **state)
{
	(void)state;
	assert_int_equal(write(it.peer, it.bytes, ZKFS_CHANNEL_ROOM + 4),
			 ZKFS_CHANNEL_ROOM + 4);
	assert_int_equal(zkfs_channel_recv(&it.channel, it.seen, 4), 4);
	assert_int_equal(zkfs_channel_recv(&it.channel, it.seen + 4,
					   ZKFS_CHANNEL_ROOM - 4),
			 ZKFS_CHANNEL_ROOM - 4);
	assert_int_equal(
		zkfs_channel_recv(&it.channel, it.seen + ZKFS_CHANNEL_ROOM, 9),
		4);
	assert_memory_equal(it.seen, it.bytes, ZKFS_CHANNEL_ROOM + 4);
}

/* Pieces of any size, and a long one that passes the room by. */
static void test_all_sizes(void **state)
{
	size_t sent = 0, got = 0, size = 1;

	(void)state;
	while (got < sizeof(it.bytes)) {
		ssize_t n = write(it.peer, it.bytes + sent,
				  zkfs_min_size(SOME, sizeof(it.bytes) - sent));

		if (n > 0)
			sent += (size_t)n;
		size = size * 3 % (2 * ZKFS_CHANNEL_ROOM) + 1;
		n = zkfs_channel_recv(
			&it.channel, it.seen + got,
			zkfs_min_size(size, sizeof(it.seen) - got));
		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		if (n > 0)
			got += (size_t)n;
	}
	assert_memory_equal(it.seen, it.bytes, sizeof(it.bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_together, set_up_packets,
						tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_to_flush,
						set_up_packets, tear_down),
		cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ahead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drained, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_not_drained, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_all_sizes, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

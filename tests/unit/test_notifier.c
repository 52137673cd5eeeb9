/*
 * notifier: names are told in order and by the protocol, whoever queues them
 * never waits, and the thread ends whenever it is not stuck.
 *
 * The kernel is a pipe of one page here: a name that fills it is told when the
 * test has read the one before.
 */
#include "fs/ops/notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/util.h"

#define PAGE 4096
#define OVERHEAD                                                               \
	(sizeof(struct fuse_out_header) +                                      \
	 sizeof(struct fuse_notify_inval_entry_out) + 1)
#define LIMIT_MS  10000
#define INC_EPOCH 8

struct fixture {
	int fds[2];
	struct zkfs_notifier *notifier;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){0};
	*state = &fixture;
	if (pipe2(fixture.fds, O_CLOEXEC) < 0 ||
	    fcntl(fixture.fds[1], F_SETPIPE_SZ, PAGE) != PAGE)
		return -1;
	return zkfs_notifier_new(fixture.fds[1], &fixture.notifier);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	/* A thread that is stuck in it is set free. */
	(void)close(fixture->fds[0]);
	fixture->notifier = zkfs_notifier_free(fixture->notifier);
	(void)close(fixture->fds[1]);
	return 0;
}

static void read_all(int fd, void *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, (char *)buf + have, len - have);

		assert_true(n > 0);
		have += (size_t)n;
	}
}

static void assert_told(const struct fixture *fixture, uint64_t parent,
			const char *name)
{
	struct fuse_notify_inval_entry_out out;
	struct fuse_out_header header;
	char text[PAGE];

	read_all(fixture->fds[0], &header, sizeof(header));
	assert_int_equal(header.error, FUSE_NOTIFY_INVAL_ENTRY);
	assert_int_equal(header.unique, 0);
	assert_int_equal(header.len, OVERHEAD + strlen(name));
	read_all(fixture->fds[0], &out, sizeof(out));
	assert_int_equal(out.parent, parent);
	assert_int_equal(out.namelen, strlen(name));
	assert_int_equal(out.flags, 0);
	read_all(fixture->fds[0], text, strlen(name) + 1);
	assert_string_equal(text, name);
}

static struct zkfs_notifier_counts count(const struct fixture *fixture)
{
	struct zkfs_notifier_counts counts;

	zkfs_notifier_count(fixture->notifier, &counts);
	return counts;
}

static void await_sent(const struct fixture *fixture, uint64_t n)
{
	while (count(fixture).sent < n)
		(void)sched_yield();
}

/* One that fills the pipe. */
static const char *big_name(void)
{
	static char name[PAGE - OVERHEAD + 1];

	memset(name, 'x', sizeof(name) - 1);
	return name;
}

/* Ends with the thread in the middle of telling the second big name; `more`
 * names are queued behind it. */
static void get_stuck(const struct fixture *fixture, int more)
{
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 1, big_name()),
			 0);
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 1, big_name()),
			 0);
	for (int i = 0; i < more; i++)
		assert_int_equal(
			zkfs_notifier_push(fixture->notifier, 1, "more"), 0);
	await_sent(fixture, 1);
	while (!count(fixture).telling)
		(void)sched_yield();
}

static void test_names_are_told_in_order(void **state)
{
	struct fixture *fixture = *state;
	char name[32];

	for (uint64_t i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "name-%d", (int)i);
		assert_int_equal(
			zkfs_notifier_push(fixture->notifier, i << 33, name),
			0);
	}
	for (uint64_t i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "name-%d", (int)i);
		assert_told(fixture, i << 33, name);
	}
	await_sent(fixture, 3000);
	assert_int_equal(count(fixture).queued, 0);
	assert_int_equal(count(fixture).sent, 3000);
	assert_int_equal(count(fixture).dropped, 0);
}

static void test_a_late_name_wakes_it_again(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 1; i <= 100; i++) {
		assert_int_equal(zkfs_notifier_push(fixture->notifier, i, "n"),
				 0);
		assert_told(fixture, i, "n");
		await_sent(fixture, i);
		assert_int_equal(count(fixture).queued, 0);
	}
}

static void test_a_name_is_copied(void **state)
{
	struct fixture *fixture = *state;
	char name[] = "mine";

	get_stuck(fixture, 0);
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 7, name), 0);
	memset(name, '?', sizeof(name));
	assert_told(fixture, 1, big_name());
	assert_told(fixture, 1, big_name());
	assert_told(fixture, 7, "mine");
}

static void test_there_is_room_for_so_many(void **state)
{
	struct fixture *fixture = *state;
	int n = 0;

	get_stuck(fixture, 0);
	while (zkfs_notifier_push(fixture->notifier, 1, "n") == 0)
		n++;
	/* With the one that is being told. */
	assert_int_equal(n, ZKFS_NOTIFIER_NAMES_MAX - 1);
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 1, "n"),
			 -ENOMEM);
	assert_int_equal(count(fixture).queued, ZKFS_NOTIFIER_NAMES_MAX);
	assert_int_equal(count(fixture).dropped, 2);
	/* And again when there is. */
	assert_told(fixture, 1, big_name());
	assert_told(fixture, 1, big_name());
	assert_told(fixture, 1, "n");
	await_sent(fixture, 2);
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 1, "n"), 0);
}

static void test_close_forgets_what_is_queued(void **state)
{
	struct fixture *fixture = *state;

	get_stuck(fixture, 5);
	zkfs_notifier_close(fixture->notifier);
	assert_int_equal(count(fixture).queued, 1);
	assert_int_equal(count(fixture).dropped, 5);
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 1, "late"),
			 -ENOMEM);
	assert_int_equal(count(fixture).dropped, 6);
	/* It is through with what it was at, and no more comes. */
	assert_false(zkfs_notifier_wait(fixture->notifier, 20));
	assert_told(fixture, 1, big_name());
	assert_true(zkfs_notifier_wait(fixture->notifier, LIMIT_MS));
	assert_told(fixture, 1, big_name());
	assert_int_equal(count(fixture).sent, 2);
	assert_int_equal(count(fixture).queued, 0);
	fixture->notifier = zkfs_notifier_free(fixture->notifier);
	(void)close(fixture->fds[1]);
	assert_int_equal(read(fixture->fds[0], &(char){0}, 1), 0);
	fixture->fds[1] = dup(fixture->fds[0]);
}

static void test_an_idle_one_ends_at_once(void **state)
{
	struct fixture *fixture = *state;

	zkfs_notifier_close(fixture->notifier);
	assert_true(zkfs_notifier_wait(fixture->notifier, LIMIT_MS));
	assert_true(zkfs_notifier_wait(fixture->notifier, 0));
	zkfs_notifier_close(fixture->notifier);
	assert_null(zkfs_notifier_free(NULL));
}

/* Ending in all states that it may be in by then. */
static void test_it_may_be_freed_at_any_moment(void **state)
{
	struct fixture *fixture = *state;

	for (int names = 0; names < 200; names++) {
		for (int i = 0; i < names % 20; i++)
			assert_int_equal(
				zkfs_notifier_push(fixture->notifier, 1, "n"),
				0);
		fixture->notifier = zkfs_notifier_free(fixture->notifier);
		assert_int_equal(
			zkfs_notifier_new(fixture->fds[1], &fixture->notifier),
			0);
		for (char page[PAGE];
		     fcntl(fixture->fds[0], F_SETFL, O_NONBLOCK) == 0 &&
		     read(fixture->fds[0], page, sizeof(page)) > 0;)
			;
	}
}

/* As when the mount is gone. SIGPIPE would end the test. */
static void test_failures_do_not_stop_it(void **state)
{
	struct fixture *fixture = *state;

	(void)close(fixture->fds[0]);
	for (int i = 0; i < 10; i++)
		assert_int_equal(zkfs_notifier_push(fixture->notifier, 1, "n"),
				 0);
	await_sent(fixture, 10);
	fixture->fds[0] = dup(fixture->fds[1]);
}

/* All but this thread's, and those of a sanitizer. */
static void test_it_takes_no_signal(void **state)
{
	struct fixture *fixture = *state;
	sigset_t usr1;
	int taken;

	get_stuck(fixture, 0);
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	/* To the process: any thread that does not block it would be ended by
	 * it, and all others too. */
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(sigwait(&usr1, &taken), 0);
	assert_int_equal(taken, SIGUSR1);
	(void)pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
}

static void test_all_names_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct fuse_out_header header;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(zkfs_notifier_expire_all(fixture->notifier),
				 0);
		read_all(fixture->fds[0], &header, sizeof(header));
		assert_int_equal(header.len, sizeof(header));
		assert_int_equal(header.error, INC_EPOCH);
		assert_int_equal(header.unique, 0);
	}
}

/* What has no write(2) answers EINVAL, as a kernel does to a code that it does
 * not know. */
static void test_a_kernel_that_cannot_is_told_apart(void **state)
{
	struct zkfs_notifier *notifier = NULL;
	sigset_t none;
	int fd;

	(void)state;
	(void)sigemptyset(&none);
	fd = signalfd(-1, &none, SFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(zkfs_notifier_new(fd, &notifier), 0);
	assert_int_equal(zkfs_notifier_expire_all(notifier), -EOPNOTSUPP);
	assert_int_equal(zkfs_notifier_expire_all(notifier), -EOPNOTSUPP);
	notifier = zkfs_notifier_free(notifier);
	(void)close(fd);
}

/* With the mount, all that it kept is gone. */
static void test_no_mount_keeps_no_names(void **state)
{
	struct zkfs_notifier *notifier = NULL;

	(void)state;
	assert_int_equal(zkfs_notifier_new(-1, &notifier), 0);
	assert_int_equal(zkfs_notifier_expire_all(notifier), 0);
	notifier = zkfs_notifier_free(notifier);
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct zkfs_notifier *notifier = NULL;

	fault_arm(1);
	assert_int_equal(zkfs_notifier_new(fixture->fds[1], &notifier),
			 -ENOMEM);
	assert_true(fault_disarm());
	assert_null(notifier);
	fault_arm(1);
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 1, "lost"),
			 -ENOMEM);
	assert_true(fault_disarm());
	assert_int_equal(count(fixture).dropped, 1);
	assert_int_equal(zkfs_notifier_push(fixture->notifier, 2, "next"), 0);
	assert_told(fixture, 2, "next");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names_are_told_in_order),
		TEST(test_a_late_name_wakes_it_again),
		TEST(test_a_name_is_copied),
		TEST(test_there_is_room_for_so_many),
		TEST(test_close_forgets_what_is_queued),
		TEST(test_an_idle_one_ends_at_once),
		TEST(test_it_may_be_freed_at_any_moment),
		TEST(test_failures_do_not_stop_it),
		TEST(test_it_takes_no_signal),
		TEST(test_all_names_at_once),
		cmocka_unit_test(test_a_kernel_that_cannot_is_told_apart),
		cmocka_unit_test(test_no_mount_keeps_no_names),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

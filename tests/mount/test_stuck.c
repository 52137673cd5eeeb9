/*
 * stuck: the notifier waits in the kernel for a directory that others hold; its
 * process serves on, ends in an orderly way, or is killed, and everybody is
 * free. Without a watchdog they are not: that is what the last test is for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/base/clock.h"
#include "fs/daemon/fusectl.h"
#include "tinyfs.h"

#define LIMIT_MS  10000
#define HAMMERS	  3
#define BURSTS	  20
#define PATH_SIZE 128

static int start(void **state, bool with_watchdog)
{
	static struct tinyfs tiny;

	*state = &tiny;
	return tinyfs_start(&tiny, with_watchdog);
}

static int setup(void **state)
{
	return start(state, true);
}

static int setup_unwatched(void **state)
{
	return start(state, false);
}

static int teardown(void **state)
{
	tinyfs_stop(*state);
	return 0;
}

/* Tries until `done` says so; it must before the limit. */
static void await(bool (*done)(const struct tinyfs *tiny),
		  const struct tinyfs *tiny)
{
	static const struct timespec moment = {.tv_nsec = 5000000};
	int64_t deadline = zkfs_clock_ms() + LIMIT_MS;

	while (!done(tiny)) {
		assert_true(zkfs_clock_ms() < deadline);
		(void)nanosleep(&moment, NULL);
	}
}

static void path_of(const struct tinyfs *tiny, const char *name,
		    char path[PATH_SIZE])
{
	(void)snprintf(path, PATH_SIZE, "%s/d/%s", tiny->dir, name);
}

static void look_at_f(const struct tinyfs *tiny)
{
	char path[PATH_SIZE];
	struct stat st;

	path_of(tiny, "f", path);
	assert_int_equal(stat(path, &st), 0);
}

static unsigned lookups(const struct tinyfs *tiny)
{
	return tinyfs_order(tiny, TINYFS_COUNT).lookups;
}

/* The state letter of a task (proc_pid_stat(5)). */
static char state_of(pid_t pid, const char *tid)
{
	char path[PATH_SIZE], line[512] = "";
	const char *at;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)pid,
		       tid);
	file = fopen(path, "re");
	if (!file)
		return '\0';
	at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	(void)fclose(file);
	return at && at[1] ? at[2] : '\0';
}

static bool is_stuck(const struct tinyfs *tiny)
{
	char path[PATH_SIZE];
	bool found = false;
	struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)tiny->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) != tiny->pid &&
		    state_of(tiny->pid, entry->d_name) == 'D')
			found = true;
	if (dir)
		(void)closedir(dir);
	return found;
}

static bool holds(const struct tinyfs *tiny)
{
	return tinyfs_order(tiny, TINYFS_COUNT).holds;
}

static bool is_through(const struct tinyfs *tiny)
{
	return tinyfs_order(tiny, TINYFS_COUNT).counts.queued == 0;
}

/* In a process of its own, which ends with the errno of mkdir(2). */
static pid_t make(const struct tinyfs *tiny, const char *name)
{
	char path[PATH_SIZE];
	pid_t pid;

	path_of(tiny, name, path);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(mkdir(path, 0755) < 0 ? errno : 0);
	return pid;
}

/* The status of a child that ends; -1: it does not. */
static int await_end(pid_t pid, int limit_ms)
{
	static const struct timespec moment = {.tv_nsec = 5000000};
	int64_t deadline = zkfs_clock_ms() + limit_ms;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (zkfs_clock_ms() >= deadline)
			return -1;
		(void)nanosleep(&moment, NULL);
	}
	return status;
}

static void assert_ends_with(pid_t pid, int error)
{
	int status = await_end(pid, LIMIT_MS);

	assert_true(status >= 0 && WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), error);
}

/* Ends with the notifier stuck behind what is returned. */
static pid_t get_stuck(const struct tinyfs *tiny)
{
	pid_t client;

	look_at_f(tiny);
	client = make(tiny, "held");
	await(holds, tiny);
	(void)tinyfs_order(tiny, TINYFS_CHANGED);
	await(is_stuck, tiny);
	return client;
}

static void test_a_changed_name_is_asked_for(void **state)
{
	const struct tinyfs *tiny = *state;

	look_at_f(tiny);
	look_at_f(tiny);
	assert_int_equal(lookups(tiny), 1);
	(void)tinyfs_order(tiny, TINYFS_CHANGED);
	await(is_through, tiny);
	look_at_f(tiny);
	look_at_f(tiny);
	assert_int_equal(lookups(tiny), 2);
}

static void test_all_names_are_asked_for(void **state)
{
	const struct tinyfs *tiny = *state;
	int result;

	look_at_f(tiny);
	result = tinyfs_order(tiny, TINYFS_ALL).result;
	look_at_f(tiny);
	/* Before Linux 6.16 it is known at least that nothing was told. */
	if (result < 0)
		assert_int_equal(result, -EOPNOTSUPP);
	assert_int_equal(lookups(tiny), result < 0 ? 1 : 2);
}

static _Noreturn void hammer(const struct tinyfs *tiny)
{
	char f[PATH_SIZE], no[PATH_SIZE], made[PATH_SIZE];
	struct stat st;

	path_of(tiny, "f", f);
	path_of(tiny, "no", no);
	path_of(tiny, "made", made);
	while (mkdir(made, 0755) < 0 && errno == EEXIST) {
		(void)stat(f, &st);
		(void)stat(no, &st);
	}
	_exit(errno);
}

static void test_a_busy_directory_stops_nobody(void **state)
{
	const struct tinyfs *tiny = *state;
	pid_t pids[HAMMERS];

	for (int i = 0; i < HAMMERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			hammer(tiny);
	}
	for (int i = 1; i <= BURSTS; i++) {
		(void)tinyfs_order(tiny, TINYFS_BURST);
		(void)tinyfs_order(tiny, TINYFS_ALL);
		await(is_through, tiny);
		look_at_f(tiny);
	}
	assert_int_equal(tinyfs_order(tiny, TINYFS_COUNT).counts.sent,
			 BURSTS * TINYFS_BURST_NAMES);
	zkfs_fusectl_abort(tiny->abort_fd);
	for (int i = 0; i < HAMMERS; i++)
		assert_true(await_end(pids[i], LIMIT_MS) > 0);
}

static void test_stuck_it_is_served_on(void **state)
{
	const struct tinyfs *tiny = *state;
	pid_t client = get_stuck(tiny);
	struct stat st;

	assert_int_equal(stat(tiny->dir, &st), 0);
	(void)tinyfs_order(tiny, TINYFS_ALL);
	(void)tinyfs_order(tiny, TINYFS_BURST);
	assert_int_equal(tinyfs_order(tiny, TINYFS_COUNT).counts.queued,
			 1 + TINYFS_BURST_NAMES);
	(void)tinyfs_order(tiny, TINYFS_ANSWER);
	assert_ends_with(client, EEXIST);
	await(is_through, tiny);
	look_at_f(tiny);
}

static void test_stuck_it_ends_all_the_same(void **state)
{
	struct tinyfs *tiny = *state;
	pid_t client = get_stuck(tiny);
	enum tinyfs_order order = TINYFS_END;

	assert_int_equal(send(tiny->orders, &order, sizeof(order), 0),
			 sizeof(order));
	assert_ends_with(client, ECONNABORTED);
	assert_ends_with(tiny->pid, EXIT_SUCCESS);
	tiny->pid = 0;
}

static void end_by(struct tinyfs *tiny, int signal)
{
	pid_t client = get_stuck(tiny);
	int status;

	assert_int_equal(kill(tiny->pid, signal), 0);
	assert_ends_with(client, ECONNABORTED);
	status = await_end(tiny->pid, LIMIT_MS);
	assert_true(status >= 0 && WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal);
	tiny->pid = 0;
}

static void test_stuck_and_killed(void **state)
{
	end_by(*state, SIGKILL);
}

static void test_stuck_and_crashed(void **state)
{
	end_by(*state, SIGABRT);
}

static bool main_thread_is_dead(const struct tinyfs *tiny)
{
	char tid[16];

	(void)snprintf(tid, sizeof(tid), "%d", (int)tiny->pid);
	return state_of(tiny->pid, tid) == 'Z';
}

/* Why there is a watchdog; and that the tests above would fail without. */
static void test_stuck_and_killed_unwatched(void **state)
{
	struct tinyfs *tiny = *state;
	pid_t client = get_stuck(tiny);

	assert_int_equal(kill(tiny->pid, SIGKILL), 0);
	await(main_thread_is_dead, tiny);
	assert_int_equal(kill(client, SIGKILL), 0);
	assert_int_equal(await_end(client, 300), -1);
	assert_int_equal(await_end(tiny->pid, 0), -1);
	assert_true(is_stuck(tiny));
	zkfs_fusectl_abort(tiny->abort_fd);
	assert_true(await_end(client, LIMIT_MS) >= 0);
	assert_true(await_end(tiny->pid, LIMIT_MS) >= 0);
	tiny->pid = 0;
}

/* The number is the next one's by then. */
static void test_an_abort_is_of_one_connection(void **state)
{
	const struct tinyfs *tiny = *state;
	int old = dup(tiny->abort_fd);
	struct stat st;

	tinyfs_stop(*state);
	assert_int_equal(tinyfs_start(*state, true), 0);
	zkfs_fusectl_abort(old);
	assert_int_equal(stat(tiny->dir, &st), 0);
	look_at_f(tiny);
	(void)close(old);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_changed_name_is_asked_for),
		TEST(test_all_names_are_asked_for),
		TEST(test_a_busy_directory_stops_nobody),
		TEST(test_stuck_it_is_served_on),
		TEST(test_stuck_it_ends_all_the_same),
		TEST(test_stuck_and_killed),
		TEST(test_stuck_and_crashed),
		cmocka_unit_test_setup_teardown(test_stuck_and_killed_unwatched,
						setup_unwatched, teardown),
		TEST(test_an_abort_is_of_one_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

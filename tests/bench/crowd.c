/*
 * crowd: N processes that wait in open(2) for locks of one mount.
 *
 *   crowd one LOCK N    all for the lock directory LOCK
 *   crowd many ROOT N   each for another one, ROOT/000000, ROOT/000001, ...
 *
 * Prints "waiting MS" when all stand in their queues; then reads a line and
 * releases what the first process holds; each of the others ends as soon as it
 * has its lock, which makes the next one's turn; prints "granted MS" when all
 * have had it, counted from the release.
 *
 * The processes are made before the first lock is taken: one that inherited
 * the holder's descriptor would keep the lock for as long as it waits for it.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/bench/sample.h"

#define LIMIT_MS   60000
#define PAUSE_MS   5
#define PATH_BYTES 4096

struct crowd {
	const char *dir;
	bool many;
	size_t n;
	int start[2];	/* closed by the first process: go */
	int results[2]; /* one byte from each: 0 or an errno */
	int *held;
	size_t n_held;
};

static void lock_path(const struct crowd *crowd, size_t i,
		      char path[PATH_BYTES])
{
	if (crowd->many)
		(void)snprintf(path, PATH_BYTES, "%s/%06zu", crowd->dir, i);
	else
		(void)snprintf(path, PATH_BYTES, "%s", crowd->dir);
}

static int take(const struct crowd *crowd, size_t i, const char *who)
{
	char lock[PATH_BYTES], path[PATH_BYTES + 32];

	lock_path(crowd, i, lock);
	(void)snprintf(path, sizeof(path), "%s/%s%zu", lock, who, i);
	return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
}

static void __attribute__((noreturn))
wait_for_lock(const struct crowd *crowd, size_t i, pid_t parent)
{
	unsigned char result = 0;
	char byte;
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close(crowd->start[1]);
	(void)close(crowd->results[0]);
	if (getppid() != parent)
		_exit(1);
	(void)read(crowd->start[0], &byte, 1);
	fd = take(crowd, i, "waiter");
	if (fd < 0)
		result = (unsigned char)errno;
	(void)write(crowd->results[1], &result, 1);
	_exit(0); /* and the lock is free again */
}

static void make_processes(struct crowd *crowd)
{
	pid_t parent = getpid();

	if (pipe2(crowd->start, O_CLOEXEC) < 0 ||
	    pipe2(crowd->results, O_CLOEXEC) < 0)
		err(1, "pipe");
	(void)signal(SIGCHLD, SIG_IGN); /* no zombies */
	for (size_t i = 0; i < crowd->n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid == 0)
			wait_for_lock(crowd, i, parent);
	}
	(void)close(crowd->start[0]);
	(void)close(crowd->results[1]);
}

static void hold(struct crowd *crowd)
{
	struct rlimit files;

	crowd->n_held = crowd->many ? crowd->n : 1;
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	crowd->held = calloc(crowd->n_held, sizeof(int));
	if (!crowd->held)
		err(1, "calloc");
	for (size_t i = 0; i < crowd->n_held; i++) {
		crowd->held[i] = take(crowd, i, "holder");
		if (crowd->held[i] < 0)
			err(1, "%s", crowd->dir);
	}
}

/* How many znodes there are in the i-th lock. */
static long children(const struct crowd *crowd, size_t i)
{
	char path[PATH_BYTES], text[32];
	ssize_t len;

	lock_path(crowd, i, path);
	len = getxattr(path, "user.zk.numChildren", text, sizeof(text) - 1);
	if (len < 0)
		err(1, "getxattr %s", path);
	text[len] = '\0';
	return strtol(text, NULL, 10);
}

static bool result_comes(const struct crowd *crowd, int limit_ms)
{
	struct pollfd pfd = {.fd = crowd->results[0], .events = POLLIN};

	return poll(&pfd, 1, limit_ms) == 1;
}

static void take_result(const struct crowd *crowd)
{
	unsigned char result;

	if (read(crowd->results[0], &result, 1) != 1)
		errx(1, "the waiters are gone");
	if (result)
		errx(1, "a waiter: %s", strerror(result));
}

/* A queue has no event for "this long": it is looked at again and again. */
static void wait_for_queue(const struct crowd *crowd, size_t i, long expected,
			   int64_t end)
{
	while (children(crowd, i) < expected) {
		if (sample_now() > end)
			errx(1, "lock %zu: %ld of %ld names", i,
			     children(crowd, i), expected);
		/* Nobody can have it yet: it is an error that comes. */
		if (result_comes(crowd, PAUSE_MS))
			take_result(crowd);
	}
}

static void wait_for_queues(const struct crowd *crowd, long per_contender)
{
	int64_t end = sample_now() + (int64_t)LIMIT_MS * 1000000;
	long waiters = crowd->many ? 1 : (long)crowd->n;

	for (size_t i = 0; i < crowd->n_held; i++)
		wait_for_queue(crowd, i, (waiters + 1) * per_contender, end);
}

static void release(const struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->n_held; i++)
		if (close(crowd->held[i]) < 0)
			err(1, "close");
}

static void collect_results(const struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->n; i++) {
		if (!result_comes(crowd, LIMIT_MS))
			errx(1, "only %zu of %zu have got it", i, crowd->n);
		take_result(crowd);
	}
}

/* They are ignored (SIGCHLD), so that this returns when the last has gone. */
static void wait_for_processes(void)
{
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void say(const char *what, int64_t since)
{
	(void)printf("%s %.0f\n", what,
		     (double)(sample_now() - since) / 1000000);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	struct crowd crowd = {0};
	int64_t since;
	long per_contender;

	if (argc != 4 ||
	    (strcmp(argv[1], "one") != 0 && strcmp(argv[1], "many") != 0))
		errx(2, "usage: crowd one|many DIR N");
	crowd.many = strcmp(argv[1], "many") == 0;
	crowd.dir = argv[2];
	crowd.n = sample_count(argv[3]);
	make_processes(&crowd);
	hold(&crowd);
	per_contender = children(&crowd, 0);
	since = sample_now();
	(void)close(crowd.start[1]);
	wait_for_queues(&crowd, per_contender);
	say("waiting", since);
	if (getchar() == EOF)
		errx(1, "nobody says go");
	since = sample_now();
	release(&crowd);
	collect_results(&crowd);
	say("granted", since);
	wait_for_processes();
	free(crowd.held);
	return 0;
}

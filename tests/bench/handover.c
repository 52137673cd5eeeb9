/*
 * handover: two processes that take turns with one lock; how long it takes
 * from the release in one to the other's having it.
 *
 *   handover mount LOCK LOCK N           by open(2), through two mounts
 *   handover bare ADDRESS DIR NAMES N    by the recipe on a bare client
 *
 * Each has it N times, and releases it when the other stands in the queue.
 * Prints the median in microseconds.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/bench/recipe.h"
#include "tests/bench/sample.h"

#define PAUSE_MS   1
#define PATH_BYTES 4096

/* Of both processes; written by whoever has the lock. */
struct shared {
	int64_t released_at;
	struct sample sample;
};

struct side {
	bool second;
	struct shared *shared;
	int hear, tell; /* pipes: the other has it, we have it */

	const char *lock; /* on a mount, or NULL */
	int fd;
	struct recipe recipe;
	size_t per_contender;
};

/* How a contender does it */

static void acquire(struct side *side)
{
	char path[PATH_BYTES];

	if (!side->lock) {
		recipe_acquire(&side->recipe);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%s", side->lock,
		       side->second ? "second" : "first");
	side->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (side->fd < 0)
		err(1, "open %s", path);
}

static void release(struct side *side)
{
	if (!side->lock)
		recipe_release(&side->recipe);
	else if (close(side->fd) < 0)
		err(1, "close");
}

static size_t count_names(struct side *side)
{
	char text[32];
	ssize_t len;

	if (!side->lock)
		return recipe_count(&side->recipe);
	len = getxattr(side->lock, "user.zk.numChildren", text,
		       sizeof(text) - 1);
	if (len < 0)
		err(1, "getxattr %s", side->lock);
	text[len] = '\0';
	return strtoul(text, NULL, 10);
}

/* Taking turns */

static void tell_other(struct side *side)
{
	if (write(side->tell, "", 1) != 1)
		err(1, "the other is gone");
}

static void hear_other(struct side *side)
{
	char byte;

	if (read(side->hear, &byte, 1) != 1)
		errx(1, "the other is gone");
}

/* There is no event for that. The pause behind it is for the watch that the
 * other sets when it has its names. */
static void await_other(struct side *side)
{
	do
		(void)poll(NULL, 0, PAUSE_MS);
	while (count_names(side) < 2 * side->per_contender);
	(void)poll(NULL, 0, PAUSE_MS);
}

static void take_turns(struct side *side, size_t n)
{
	struct shared *shared = side->shared;

	if (side->second)
		hear_other(side);
	for (size_t i = 0; i < n; i++) {
		bool last = side->second && i == n - 1;

		acquire(side);
		if (shared->released_at)
			sample_add(&shared->sample, shared->released_at);
		tell_other(side);
		if (!last)
			await_other(side);
		shared->released_at = sample_now();
		release(side);
		if (!last)
			hear_other(side);
	}
}

/* How many names a mount gives to a contender is seen when it is alone. */
static size_t learn_names(char *lock)
{
	struct side side = {.lock = lock};
	size_t n;

	acquire(&side);
	n = count_names(&side);
	release(&side);
	return n;
}

static void run_side(struct side *side, char **args, size_t n)
{
	if (!side->lock)
		recipe_init(&side->recipe, args[0], args[1],
			    side->per_contender);
	take_turns(side, n);
	if (!side->lock)
		recipe_fini(&side->recipe);
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(1, "the other has failed");
}

/* Forks; both sides return, each with its ends of the pipes. */
static pid_t part(struct side *side)
{
	int to_first[2], to_second[2];
	pid_t pid;

	if (pipe2(to_first, O_CLOEXEC) < 0 || pipe2(to_second, O_CLOEXEC) < 0)
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	side->second = pid == 0;
	if (side->second)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	side->hear = side->second ? to_second[0] : to_first[0];
	side->tell = side->second ? to_first[1] : to_second[1];
	(void)close(side->second ? to_second[1] : to_first[1]);
	(void)close(side->second ? to_first[0] : to_second[0]);
	return pid;
}

int main(int argc, char **argv)
{
	bool mount = argc == 5 && strcmp(argv[1], "mount") == 0;
	struct side side = {.fd = -1};
	size_t n;
	pid_t pid;

	if (!mount && (argc != 6 || strcmp(argv[1], "bare") != 0))
		errx(2, "usage: handover mount LOCK LOCK N | "
			"bare ADDRESS DIR NAMES N");
	n = sample_count(argv[argc - 1]);
	side.per_contender =
		mount ? learn_names(argv[2]) : sample_count(argv[4]);
	side.shared = sample_share(sizeof(*side.shared));
	side.shared->sample.room = 2 * n;
	side.shared->sample.ns = sample_share(2 * n * sizeof(int64_t));
	pid = part(&side);
	if (mount)
		side.lock = argv[side.second ? 3 : 2];
	run_side(&side, argv + 2, n);
	if (side.second)
		_exit(0);
	wait_for(pid);
	sample_print(&side.shared->sample);
	return 0;
}

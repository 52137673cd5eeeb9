/*
 * guard: see guard.h.
 */
#include "fs/tools/guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"

/* How often the mount is asked, as a part of the session timeout: often enough
 * that one answer may be late by as much as two before it matters. */
#define ASKED_PER_TIMEOUT 12

/* In memory, and not told over the socket, which fills up when zkfs-lock is
 * stopped. */
struct zkfs_guard_shared {
	_Atomic int64_t checked_ms;
	atomic_bool lost;
};

/* The guard's own. */
struct watch {
	struct zkfs_guard_shared *shared;
	int lock;
	int peer; /* only zkfs-lock has the other end */
	bool asked;
	int64_t timeout_ms;
};

/* The guard */

static _Noreturn void kill_group(void)
{
	(void)kill(0, SIGKILL);
	_exit(1);
}

static void send_news(const struct watch *watch)
{
	(void)send(watch->peer, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* zkfs-lock has asked, or is dead. */
static void hear_peer(struct watch *watch)
{
	char questions[16];
	ssize_t n =
		recv(watch->peer, questions, sizeof(questions), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		kill_group();
	watch->asked = true;
}

/* Asks the mount. poll(2) sends the question each time that it is called. */
static bool is_held(const struct watch *watch)
{
	struct pollfd lock = {.fd = watch->lock};

	return poll(&lock, 1, 0) == 0;
}

/* Returns when it is time to ask. */
static void wait_for_question(struct watch *watch)
{
	struct pollfd fds[] = {
		{.fd = watch->lock},
		{.fd = watch->peer, .events = POLLIN},
	};

	(void)poll(fds, ZKFS_ARRAY_SIZE(fds),
		   (int)(watch->timeout_ms / ASKED_PER_TIMEOUT));
	if (fds[1].revents)
		hear_peer(watch);
}

/* zkfs-lock ends the job. Should it be stopped, it does not. */
static _Noreturn void last_wait(struct watch *watch)
{
	struct pollfd peer = {.fd = watch->peer, .events = POLLIN};
	int64_t end = watch->shared->checked_ms + watch->timeout_ms / 3;

	for (;;) {
		int64_t left = end - zkfs_clock_ms();

		if (left <= 0)
			kill_group();
		if (poll(&peer, 1, (int)left) > 0)
			hear_peer(watch);
	}
}

static _Noreturn void watch_lock(struct watch *watch)
{
	for (;;) {
		int64_t now = zkfs_clock_ms();

		if (!is_held(watch))
			break;
		watch->shared->checked_ms = now;
		if (watch->asked)
			send_news(watch);
		watch->asked = false;
		wait_for_question(watch);
	}
	watch->shared->lost = true;
	send_news(watch);
	last_wait(watch);
}

/* What the group gets is not for the guard: it has to be the last. */
static void block_signals(void)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
}

static _Noreturn void become_guard(const struct zkfs_guard *guard,
				   const struct zkfs_taken *taken, int peer)
{
	struct watch watch = {
		.shared = guard->shared,
		.lock = taken->fd,
		.peer = peer,
		.timeout_ms = taken->timeout_ms,
	};

	/* Before all else: it is its group that it kills. */
	if (setpgid(0, 0) < 0)
		_exit(1);
	block_signals();
	(void)close(guard->fd);
	/* So that `killall zkfs-lock` leaves it. */
	(void)prctl(PR_SET_NAME, "zkfs-lock-guard");
	watch_lock(&watch);
}

/* zkfs-lock */

static struct zkfs_guard_shared *share(const struct zkfs_taken *taken)
{
	struct zkfs_guard_shared *shared;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      /* cppcheck-suppress invalidFunctionArg */
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return NULL;
	shared->checked_ms = taken->checked_ms;
	return shared;
}

int zkfs_guard_start(struct zkfs_guard *guard, const struct zkfs_taken *taken)
{
	zkfs_autoclose int peer = -1;
	int fds[2];

	guard->shared = share(taken);
	if (!guard->shared)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	guard->fd = fds[0];
	peer = fds[1];
	guard->pid = fork();
	if (guard->pid < 0)
		return -errno;
	if (guard->pid == 0)
		become_guard(guard, taken, peer);
	/* It does the same; whoever is first. */
	(void)setpgid(guard->pid, guard->pid);
	return 0;
}

void zkfs_guard_end(struct zkfs_guard *guard)
{
	(void)kill(guard->pid, SIGKILL);
	(void)waitpid(guard->pid, NULL, 0);
	zkfs_cleanup_close(&guard->fd);
	(void)munmap(guard->shared, sizeof(*guard->shared));
}

void zkfs_guard_ask(const struct zkfs_guard *guard)
{
	(void)send(guard->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void zkfs_guard_hear(struct zkfs_guard *guard)
{
	char news[16];
	ssize_t n = recv(guard->fd, news, sizeof(news), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	/* Somebody has killed it. The clock goes on. */
	zkfs_cleanup_close(&guard->fd);
	guard->fd = -1;
}

bool zkfs_guard_has_lost(const struct zkfs_guard *guard)
{
	return guard->shared->lost;
}

int64_t zkfs_guard_checked_ms(const struct zkfs_guard *guard)
{
	return guard->shared->checked_ms;
}

void zkfs_guard_keep_going(const struct zkfs_guard *guard)
{
	siginfo_t info = {0};

	/* Without WEXITED: its death is left for zkfs_guard_end(), so that the
	 * number is nobody else's until then. */
	(void)waitid(P_PID, (id_t)guard->pid, &info, WSTOPPED | WNOHANG);
	if (info.si_pid == guard->pid)
		(void)kill(guard->pid, SIGCONT);
}

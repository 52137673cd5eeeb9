/*
 * watchdog: see watchdog.h.
 *
 * The daemon's death is told by PR_SET_PDEATHSIG, which is sent when its main
 * thread ends, though another may be stuck. A pipe would not do: its end stays
 * open with all the others.
 */
#include "fs/daemon/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/log.h"
#include "fs/daemon/child.h"
#include "fs/daemon/fusectl.h"

#define NAME "zkfs-watchdog"

/* Only the kernel's own word counts: that signal, sent by the dying daemon. One
 * of the real-time signals, so that no other is merged with it (signal(7)). */
static void wait_for_death_of(pid_t daemon)
{
	siginfo_t info = {0};
	sigset_t death;

	(void)sigemptyset(&death);
	(void)sigaddset(&death, SIGRTMIN);
	while (info.si_pid != daemon && getppid() == daemon)
		(void)sigwaitinfo(&death, &info);
}

static _Noreturn void watch(pid_t daemon, int abort_fd, int ready_fd,
			    void (*last)(void *arg), void *arg)
{
	zkfs_child_detach(abort_fd, ready_fd);
	(void)prctl(PR_SET_PDEATHSIG, SIGRTMIN);
	if (write(ready_fd, "", 1) == 1)
		wait_for_death_of(daemon);
	zkfs_fusectl_abort(abort_fd);
	if (last)
		last(arg);
	_exit(EXIT_SUCCESS);
}

/* Until it has let go of all descriptors, and takes notice. */
static int wait_until_ready(struct zkfs_watchdog *watchdog)
{
	char byte;
	ssize_t n;

	do
		n = read(watchdog->fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	zkfs_watchdog_stop(watchdog);
	return -ECHILD;
}

int zkfs_watchdog_start(struct zkfs_watchdog *watchdog, int abort_fd,
			char **argv, const char *path, void (*last)(void *arg),
			void *arg)
{
	sigset_t all, old;
	pid_t pid, daemon = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	/* It never takes a signal: not what a terminal or a supervisor sends
	 * to all, the daemon's end is its own as well. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		zkfs_child_set_title(argv, NAME, path);
		watch(daemon, abort_fd, fds[1], last, arg);
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		return -EAGAIN;
	}
	*watchdog = (struct zkfs_watchdog){.pid = pid, .fd = fds[0]};
	return wait_until_ready(watchdog);
}

static void bury(struct zkfs_watchdog *watchdog)
{
	while (waitpid(watchdog->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(watchdog->fd);
	*watchdog = ZKFS_NO_WATCHDOG;
}

void zkfs_watchdog_died(struct zkfs_watchdog *watchdog)
{
	zkfs_warning("the watchdog (pid %d) was killed; ignoring, but should "
		     "this daemon be killed too, it may need 'umount -f' to "
		     "free who uses the mount",
		     (int)watchdog->pid);
	bury(watchdog);
}

void zkfs_watchdog_stop(struct zkfs_watchdog *watchdog)
{
	if (watchdog->pid == 0)
		return;
	/* Not a word to it, which it would have to be awake for. Our child
	 * until we wait for it, so that the number is its own. */
	(void)kill(watchdog->pid, SIGKILL);
	bury(watchdog);
}

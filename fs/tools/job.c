/*
 * job: see job.h.
 */
#include "fs/tools/job.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "fs/tools/guard.h"
#include "fs/tools/terminal.h"
#include "fs/tools/tool.h"

/* What is ours to know, or COMMAND's to be told. */
static const int handled[] = {
	SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP,
	SIGINT,	 SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
};

struct job {
	const char *path;
	char **command;
	int64_t timeout_ms;
	struct zkfs_guard guard;
	struct zkfs_terminal terminal;
	int signals; /* a signalfd */
	int timer;   /* a timerfd of the clock that counts a suspend */
	sigset_t old_mask;
	pid_t pid;
	bool stopped;
	int status;	  /* COMMAND's, when it has ended */
	int64_t ended_ms; /* 0: it runs */
	int64_t kill_ms;  /* when it is killed; 0: the lock is held */
	bool killed;
};

/* Signals to the job */

/* COMMAND itself too if it has a group of its own, as an interactive shell. */
static void signal_job(const struct job *job, int sig)
{
	(void)kill(-job->guard.pid, sig);
	if (!job->ended_ms && getpgid(job->pid) != job->guard.pid)
		(void)kill(job->pid, sig);
}

static void lose(struct job *job, const char *words)
{
	job->kill_ms = zkfs_guard_checked_ms(&job->guard) + job->timeout_ms / 3;
	if (job->ended_ms) {
		warnx("%s: %s when %s ended", job->path, words,
		      job->command[0]);
		job->killed = true;
		return;
	}
	warnx("%s: %s; ending %s", job->path, words, job->command[0]);
	signal_job(job, SIGTERM);
	signal_job(job, SIGCONT);
}

/* Looks at the lock and at the clock. */
static void look(struct job *job)
{
	int64_t silent_ms =
		zkfs_clock_ms() - zkfs_guard_checked_ms(&job->guard);

	if (!job->kill_ms && zkfs_guard_has_lost(&job->guard))
		lose(job, "the lock is lost");
	else if (!job->kill_ms && silent_ms >= job->timeout_ms / 4)
		lose(job, "the mount does not say whether the lock is held");
	if (job->kill_ms && !job->killed && zkfs_clock_ms() >= job->kill_ms) {
		signal_job(job, SIGKILL);
		job->killed = true;
	}
}

/* Signals to us */

static void resume(struct job *job)
{
	look(job);
	zkfs_terminal_give(&job->terminal, job->guard.pid);
	signal_job(job, SIGCONT);
}

/* COMMAND was stopped: by the terminal that it has not got, or by its user,
 * who then wants to have the shell back. SIGSTOP is meant for it alone. */
static void on_stop(struct job *job, int sig)
{
	if (job->kill_ms || job->terminal.fd < 0 || sig == SIGSTOP)
		return;
	if (sig == SIGTSTP) {
		zkfs_terminal_stop_us(sig);
		return;
	}
	job->terminal.is_asked = true;
	if (zkfs_terminal_is_ours(&job->terminal))
		resume(job);
	else
		zkfs_terminal_stop_us(sig);
}

static void on_child(struct job *job)
{
	int status;

	zkfs_guard_keep_going(&job->guard);
	while (!job->ended_ms &&
	       waitpid(job->pid, &status, WNOHANG | WUNTRACED | WCONTINUED) >
		       0) {
		job->stopped = WIFSTOPPED(status);
		if (job->stopped)
			on_stop(job, WSTOPSIG(status));
		if (job->stopped || WIFCONTINUED(status))
			continue;
		job->status = zkfs_tool_wait_status(status);
		job->ended_ms = zkfs_clock_ms();
		/* Was it held until now? */
		zkfs_guard_ask(&job->guard);
	}
}

/* ^Z. If COMMAND is stopped already nothing more will be heard of it: `fg` was
 * taken back before it could go on. */
static void on_terminal_stop(struct job *job)
{
	signal_job(job, SIGTSTP);
	if (job->stopped)
		zkfs_terminal_stop_us(SIGTSTP);
}

static void on_signal(struct job *job)
{
	struct signalfd_siginfo info;

	if (read(job->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		on_child(job);
	else if (info.ssi_signo == SIGCONT)
		resume(job);
	else if (info.ssi_signo == SIGTSTP)
		on_terminal_stop(job);
	else
		signal_job(job, (int)info.ssi_signo);
}

/* Waiting */

static void arm(const struct job *job)
{
	int64_t ms = job->kill_ms;
	struct itimerspec timer = {0};

	if (!ms)
		ms = zkfs_guard_checked_ms(&job->guard) + job->timeout_ms / 4;
	/* Zero would disarm it: as it should be when all is done. */
	if (!job->killed)
		timer.it_value = (struct timespec){
			.tv_sec = ms / 1000,
			.tv_nsec = ms % 1000 * 1000000,
		};
	(void)timerfd_settime(job->timer, TFD_TIMER_ABSTIME, &timer, NULL);
}

static void wait_for_news(struct job *job)
{
	struct pollfd fds[] = {
		{.fd = job->signals, .events = POLLIN},
		{.fd = job->guard.fd, .events = POLLIN},
		{.fd = job->timer, .events = POLLIN},
	};

	arm(job);
	if (poll(fds, ZKFS_ARRAY_SIZE(fds), -1) < 0)
		return;
	if (fds[1].revents)
		zkfs_guard_hear(&job->guard);
	look(job);
	if (fds[0].revents)
		on_signal(job);
}

static bool is_over(const struct job *job)
{
	if (!job->ended_ms)
		return false;
	/* What is left of its group is killed too. */
	if (job->kill_ms)
		return job->killed;
	return zkfs_guard_checked_ms(&job->guard) >= job->ended_ms;
}

/* Beginning and end */

/* What was ignored stays so, for COMMAND too: nohup. */
static int take_signals(struct job *job)
{
	sigset_t set;

	/* Ignored, it would make waitpid() forget the status. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&set);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(handled); i++) {
		struct sigaction action;

		(void)sigaction(handled[i], NULL, &action);
		if (action.sa_handler != SIG_IGN)
			(void)sigaddset(&set, handled[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &set, &job->old_mask);
	/* The terminal's are for the kernel to see, and not for COMMAND. */
	(void)sigdelset(&set, SIGTTIN);
	(void)sigdelset(&set, SIGTTOU);
	job->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (job->signals < 0)
		return -errno;
	job->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
	return job->timer < 0 ? -errno : 0;
}

static _Noreturn void become_command(const struct job *job, pid_t parent)
{
	int error;

	(void)setpgid(0, job->guard.pid);
	/* The guard kills the group; this is for a COMMAND that leaves it, and
	 * does not outlast a set-user-id program. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
	(void)sigprocmask(SIG_SETMASK, &job->old_mask, NULL);
	(void)execvp(job->command[0], job->command);
	error = errno;
	warn("%s", job->command[0]);
	_exit(zkfs_tool_exec_status(error));
}

static int start(struct job *job, const struct zkfs_taken *taken)
{
	pid_t parent = getpid();
	int r = take_signals(job);

	if (r < 0)
		return r;
	r = zkfs_guard_start(&job->guard, taken);
	if (r < 0)
		return r;
	zkfs_terminal_open(&job->terminal);
	zkfs_terminal_give(&job->terminal, job->guard.pid);
	job->pid = fork();
	if (job->pid < 0)
		return -errno;
	if (job->pid == 0)
		become_command(job, parent);
	(void)setpgid(job->pid, job->guard.pid);
	/* Whoever read our messages may be gone; COMMAND goes on. */
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* From here on a signal is for us, who may have to wait for the mount. */
static void end(struct job *job)
{
	zkfs_terminal_take_back(&job->terminal, job->guard.pid);
	zkfs_guard_end(&job->guard);
	(void)sigprocmask(SIG_SETMASK, &job->old_mask, NULL);
}

int zkfs_job_run(const char *path, char **command, struct zkfs_taken *taken)
{
	struct job job = {
		.path = path,
		.command = command,
		.timeout_ms = taken->timeout_ms,
	};
	int r = start(&job, taken);

	if (r < 0) {
		warnx("%s: %s", command[0], strerror(-r));
		return EX_OSERR;
	}
	while (!is_over(&job))
		wait_for_news(&job);
	end(&job);
	/* Of a lost one the mount gets rid by itself, and it may hang. */
	if (job.kill_ms)
		return EX_TEMPFAIL;
	zkfs_take_release(taken);
	return job.status;
}

/*
 * loop: see loop.h.
 */
#include "fs/daemon/loop.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/log.h"
#include "fs/daemon/emitter.h"
#include "fs/daemon/supervisor.h"
#include "fs/daemon/watchdog.h"
#include "fs/ops/fs.h"
#include "fs/ops/snapshot.h"
#include "fs/zk/session.h"
#include "include/zkfs/report.h"

/* FUSE requests a turn: replies of the server must get their turn too. */
#define REQUESTS_A_TURN 16

enum {
	FD_FUSE,
	FD_SIGNAL,
	FD_ZK,
	FD_WATCHDOG,
	FD_EMITTER,
	N_FDS
};

static int timeout_until(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms == ZKFS_NEVER)
		return -1;
	left = deadline_ms - zkfs_clock_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

static void tell_status(struct zkfs_loop *loop)
{
	if (loop->fs)
		zkfs_snapshot_log(loop->fs);
	else
		zkfs_info("status: not mounted yet, %s",
			  zkfs_session_state(loop->zk));
}

static void take_signal(struct zkfs_loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1) {
		tell_status(loop);
		return;
	}
	if (info.ssi_signo == SIGHUP && loop->hung_up) {
		loop->hung_up(loop->hung_up_arg);
		return;
	}
	zkfs_info("%s: unmounting", strsignal((int)info.ssi_signo));
	loop->stop = true;
}

/* To the supervisor, when the session's state is another one. */
static void tell_state(struct zkfs_loop *loop)
{
	const char *state = zkfs_session_state(loop->zk);
	struct zkfs_zk_report report;

	if (loop->supervisor->fd < 0 || state == loop->supervisor->state)
		return;
	loop->supervisor->state = state;
	zkfs_zk_report(loop->zk, &report);
	zkfs_supervisor_status(loop->supervisor, "%s%s%s", state,
			       *report.server ? " to " : "", report.server);
}

static void hear_emitter(struct zkfs_loop *loop)
{
	if (zkfs_emit_ready(loop->fs))
		return;
	zkfs_observer_fini(loop->fs);
	zkfs_emit_detach(loop->fs);
	zkfs_emitter_died(loop->emitter);
}

static int take_requests(struct zkfs_loop *loop)
{
	int n = 0;

	for (int i = 0; i < REQUESTS_A_TURN; i++) {
		n = fuse_session_receive_buf(loop->session, &loop->buf);
		if (n <= 0)
			break;
		loop->fs->received_us = zkfs_clock_us();
		fuse_session_process_buf(loop->session, &loop->buf);
	}
	/* Ended by `umount -f`, or through fusectl: no failure of the device.
	 */
	if (n == -ECONNABORTED) {
		zkfs_info("the mount on '%s' was aborted; unmounting",
			  loop->fs->config.mountpoint);
		loop->stop = true;
	}
	return n == -EAGAIN || n == -EINTR || loop->stop || n > 0 ? 0 : n;
}

int zkfs_loop_turn(struct zkfs_loop *loop, int64_t deadline_ms)
{
	struct pollfd fds[N_FDS] = {
		[FD_FUSE] = {.fd = -1, .events = POLLIN},
		[FD_SIGNAL] = {.fd = loop->signal_fd, .events = POLLIN},
		[FD_WATCHDOG] = {.fd = loop->watchdog->fd, .events = POLLIN},
		[FD_EMITTER] = {.fd = loop->emitter->fd, .events = POLLIN},
	};
	int64_t due;
	int error = 0;

	if (loop->session)
		fds[FD_FUSE].fd = fuse_session_fd(loop->session);
	zkfs_session_prepare(loop->zk, &fds[FD_ZK].fd, &fds[FD_ZK].events,
			     &due);
	deadline_ms = zkfs_clock_earlier(deadline_ms, due);
	if (loop->fs)
		deadline_ms = zkfs_clock_earlier(deadline_ms,
						 zkfs_fs_deadline(loop->fs));
	if (poll(fds, N_FDS, timeout_until(deadline_ms)) < 0) {
		if (errno != EINTR)
			return -errno;
		return 0;
	}
	if (fds[FD_SIGNAL].revents)
		take_signal(loop);
	if (fds[FD_WATCHDOG].revents)
		zkfs_watchdog_died(loop->watchdog);
	if (fds[FD_EMITTER].revents)
		hear_emitter(loop);
	/* In this order, so that the requests find what the server has said,
	 * and what they ask of it is sent in the same turn. */
	zkfs_session_receive(loop->zk, fds[FD_ZK].revents);
	if (fds[FD_FUSE].revents)
		error = take_requests(loop);
	zkfs_session_send(loop->zk);
	tell_state(loop);
	if (loop->fs)
		zkfs_fs_tick(loop->fs, zkfs_clock_ms());
	return error;
}

int zkfs_loop_run(struct zkfs_loop *loop)
{
	int error = 0;

	while (!error && !loop->stop && !fuse_session_exited(loop->session)) {
		error = zkfs_loop_turn(loop, ZKFS_NEVER);
		if (loop->ready && loop->fs->ready) {
			loop->ready(loop->ready_arg);
			loop->ready = NULL;
		}
	}
	return error;
}

void zkfs_loop_drain(struct zkfs_loop *loop, int limit_ms)
{
	int64_t deadline = zkfs_clock_ms() + limit_ms;
	struct fuse_session *session = loop->session;

	loop->session = NULL;
	while (zkfs_fs_busy(loop->fs) && zkfs_clock_ms() < deadline)
		if (zkfs_loop_turn(loop, deadline) < 0)
			break;
	loop->session = session;
}

void zkfs_loop_fini(struct zkfs_loop *loop)
{
	free(loop->buf.mem);
	loop->buf.mem = NULL;
}

/*
 * serve: from a command line that was understood to a mount that answers, and
 * back: servers, session, mount, the processes beside it, the loop, and all of
 * them taken down again in the reverse order.
 */
#ifndef ZKFS_DAEMON_SERVE_H
#define ZKFS_DAEMON_SERVE_H

struct zkfs_helper;
struct zkfs_opts;

/*
 * Returns when the mount has ended: the exit status of the process. What went
 * wrong has been told then, in one line.
 *
 * A byte is written to `ready_fd`, and that closed, when the mount answers; the
 * process leaves its terminal then, and its log goes to syslog(3). -1: it stays
 * in the foreground. `argv` is main()'s: the processes beside the daemon take
 * their names there.
 */
int zkfs_serve(const struct zkfs_opts *opts, const struct zkfs_helper *helper,
	       char **argv, int ready_fd);

#endif

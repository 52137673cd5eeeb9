/*
 * loop: one thread, one poll(2): the FUSE device, the ZooKeeper connection,
 * signals, and the next deadline. The ZooKeeper descriptor is asked for anew
 * each turn, as its client reopens it under the same number.
 */
#ifndef ZKFS_DAEMON_LOOP_H
#define ZKFS_DAEMON_LOOP_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

struct zkfs_emitter;
struct zkfs_fs;
struct zkfs_supervisor;
struct zkfs_watchdog;
struct zkfs_zk;

struct zkfs_loop {
	struct zkfs_zk *zk;
	struct zkfs_fs *fs;	      /* NULL until there is a mount */
	struct fuse_session *session; /* likewise */
	struct zkfs_watchdog *watchdog;
	struct zkfs_emitter *emitter;
	struct zkfs_supervisor *supervisor;
	int signal_fd;	     /* -1: none */
	bool stop;	     /* a signal asked for the end */
	struct fuse_buf buf; /* the newest request; reused */
	/* Called once, when the mount answers requests. */
	void (*ready)(void *arg);
	void *ready_arg;
	/* Called at SIGHUP; NULL: that asks for the end, as others do. */
	void (*hung_up)(void *arg);
	void *hung_up_arg;
};

/* One turn, waiting no longer than `deadline_ms` (zkfs_clock_ms()). Returns 0,
 * or a negative errno when the FUSE device fails. */
int zkfs_loop_turn(struct zkfs_loop *loop, int64_t deadline_ms);
/* Turns until a signal comes or the mount is gone. As above. */
int zkfs_loop_run(struct zkfs_loop *loop);
/* No new requests: turns until no commit is under way, or `limit_ms` passed. */
void zkfs_loop_drain(struct zkfs_loop *loop, int limit_ms);
/* Frees what the turns have needed. */
void zkfs_loop_fini(struct zkfs_loop *loop);

#endif

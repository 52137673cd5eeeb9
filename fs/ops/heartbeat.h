/*
 * heartbeat: keeps the lease of the session (core/lease) with ZooKeeper `sync`s
 * and tells the contenders when it is over: before the server gives their
 * locks to others.
 *
 * The lease is looked at on use, since a daemon that was stopped runs again
 * before it is told anything: call zkfs_heartbeat_check() before a held lock's
 * handle is served.
 */
#ifndef ZKFS_OPS_HEARTBEAT_H
#define ZKFS_OPS_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/lease.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;

/* One `sync` on its way. */
struct zkfs_heartbeat_beat {
	struct zkfs_fs *fs;
	uint64_t id; /* 0: free */
	struct zkfs_zk_req req;
};

struct zkfs_heartbeat {
	struct zkfs_lease lease;
	struct zkfs_heartbeat_beat beats[ZKFS_LEASE_BEATS];
};

void zkfs_heartbeat_init(struct zkfs_fs *fs);
void zkfs_heartbeat_fini(struct zkfs_fs *fs);

/* The connection came or went, or a new session began. */
void zkfs_heartbeat_session(struct zkfs_fs *fs);
/* Sends what is due and looks at the lease. */
void zkfs_heartbeat_tick(struct zkfs_fs *fs);
int64_t zkfs_heartbeat_deadline(const struct zkfs_fs *fs);

/* Looks at the lease now: contenders that have lost by it are told before this
 * returns, and may be freed; not to be called from inside one. */
void zkfs_heartbeat_check(struct zkfs_fs *fs);
/* Whether a lock may be granted now. Tells nobody. */
bool zkfs_heartbeat_alive(struct zkfs_fs *fs);
/* What a contender that joins now has to remember. */
uint64_t zkfs_heartbeat_epoch(const struct zkfs_fs *fs);

#endif

/*
 * fs: what all operations share: the tree, the port, the open handles, and
 * what the mount was asked to be. One a mount, owned by the daemon.
 *
 * How a request travels: libfuse calls a function of ops/table.c's table,
 * which takes the request over as a `struct zkfs_op` (ops/reply.h), asks the
 * server through the port, and returns to the loop; the reply's `done` answers
 * the kernel. Nothing here ever waits.
 */
#ifndef ZKFS_OPS_FS_H
#define ZKFS_OPS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/hash.h"
#include "fs/core/attr.h"
#include "fs/core/limits.h"
#include "fs/core/metrics.h"
#include "fs/core/quota.h"
#include "fs/core/tree.h"
#include "fs/ops/absent.h"
#include "fs/ops/aclattr.h"
#include "fs/ops/cache.h"
#include "fs/ops/emit.h"
#include "fs/ops/glance.h"
#include "fs/ops/heartbeat.h"
#include "fs/ops/kept.h"
#include "fs/ops/lockview.h"
#include "fs/ops/made.h"
#include "fs/ops/observe.h"
#include "fs/ops/root.h"
#include "fs/ops/walk.h"
#include "include/zkfs/link.h"
#include "include/zkfs/zk.h"

struct fuse_lowlevel_ops;
struct fuse_session;
struct zkfs_notifier;

/* Kernel time-outs, in seconds, of what no watch covers (ops/cache has that of
 * the rest): what one command needs and no more. A look-up's
 * attributes serve the fstat that follows it; a directory that was looked up is
 * not looked up again for each name in it; a listing's attributes serve the
 * lstat that `ls -l` does for each entry right behind it, so that they last
 * longer the more entries there are. Files are looked up each time. */
#define ZKFS_ATTR_TIMEOUT	 0.1
#define ZKFS_DIR_TIMEOUT	 0.25
#define ZKFS_LISTING_TIMEOUT	 0.25
#define ZKFS_LISTING_TIMEOUT_ONE 0.0001
#define ZKFS_LISTING_TIMEOUT_MAX 2.0
#define ZKFS_CONTROL_TIMEOUT	 86400.0 /* never changes */

struct zkfs_fs_config {
	struct zkfs_attr_style style;
	bool sync;
	bool strict;
	bool stale;	/* show what is known without a connection, too */
	bool sync_open; /* each open sees what any client did before */
	int64_t timeo_ms;
	bool hard;
	const char *dataname;
	const char *ctlname; /* "": none */
	char *const *lockroots;
	size_t n_lockroots;
	unsigned locknames; /* enum zkfs_name_family */
	/* Of what is created, as the port has it; NULL: open to all. */
	const char *acl, *contender_acl;
	size_t acl_len, contender_acl_len;
	struct zkfs_cache_limits cache;
	struct zkfs_limits limits;
	char host[65];
	/* For the status. */
	const char *version;
	const char *source;
	const char *mountpoint;
};

struct zkfs_fs {
	struct zkfs_fs_config config;
	struct zkfs_zk *zk;
	struct fuse_session *session;
	struct zkfs_notifier *notifier;
	bool names_lost; /* the kernel keeps names that it was not told of */
	struct zkfs_tree tree;
	struct zkfs_cache cache;
	struct zkfs_root root;
	struct zkfs_absents absents;
	struct zkfs_observer observer;
	struct zkfs_emit emit;
	struct zkfs_aclattr aclattr;
	struct zkfs_made made[ZKFS_MADE_N]; /* by the node's id */
	struct zkfs_kept kept;
	struct zkfs_hash handles; /* struct zkfs_handle, by fh */
	uint64_t last_fh;
	struct zkfs_link ops;	     /* every request under way */
	struct zkfs_link contenders; /* ours, also those on their way out */
	struct zkfs_link grips;	     /* locks held by flock and fcntl */
	struct zkfs_link unlinkers;  /* `rm` of entries, until they are gone */
	struct zkfs_link lockdirs;   /* locks held by mkdir (ops/lockdir) */
	int64_t last_lockdir;
	struct zkfs_lockviews lockviews;
	struct zkfs_glances glances;
	struct zkfs_walkers walkers;
	int64_t lock_scan_ms; /* when one of these two may be due */
	struct zkfs_zk_listener listener;
	struct zkfs_heartbeat heartbeat;
	uint64_t generation; /* of the session, as last heard */
	int64_t received_us; /* when the request came that is being taken */
	struct zkfs_metrics metrics;
	struct zkfs_quota quota;
	int64_t told_of_limit_ms[_ZKFS_LIMIT_N]; /* last; 0: never */
	int64_t started_ms;			 /* zkfs_clock_ms() */
	int64_t started_unix_ms;
	bool told_of_numbers; /* that a lock's cannot begin anew: said once */
	bool ready; /* the kernel's INIT was answered: the mount is usable */
};

/* Copies the config (its pointers must outlive the fs). 0 or -ENOMEM. */
int zkfs_fs_init(struct zkfs_fs *fs, const struct zkfs_fs_config *config,
		 struct zkfs_zk *zk);
/* Answers every request under way with ECONNABORTED and frees all; the FUSE
 * session must still be there. */
void zkfs_fs_fini(struct zkfs_fs *fs);

/* The table for fuse_session_new(); its userdata is the struct zkfs_fs. */
const struct fuse_lowlevel_ops *zkfs_fs_operations(void);

/* When zkfs_fs_tick() wants to be called next: zkfs_clock_ms() or NEVER. */
int64_t zkfs_fs_deadline(const struct zkfs_fs *fs);
void zkfs_fs_tick(struct zkfs_fs *fs, int64_t now_ms);
/* Whether commits are still on their way to the server. (Contenders need no
 * time at the end: they go with the session.) */
bool zkfs_fs_busy(const struct zkfs_fs *fs);

/*
 * Deadlines for requests, by what they keep locked in the kernel while they
 * wait (facts: which held reply blocks what). Who waits behind such a lock
 * cannot be interrupted, so with -o hard, too, those have an end:
 *
 *   patience   nothing: OPEN, READ, FLUSH, GETATTR, a listing, an attribute, a
 *              lock: timeo, and with -o hard for ever
 *   bounded    the file, and by an `rm` of it its directory: WRITE, FSYNC:
 * timeo short      the directory: LOOKUP, MKNOD, MKDIR, UNLINK, RENAME, and
 *              SETATTR, which has nothing to lose: a third of it
 */
int64_t zkfs_fs_patience(const struct zkfs_fs *fs);
int64_t zkfs_fs_bounded_patience(const struct zkfs_fs *fs);
int64_t zkfs_fs_short_patience(const struct zkfs_fs *fs);

#endif

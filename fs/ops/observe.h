/*
 * observe: what others change in the directories that the kernel knows, for
 * emit to tell.
 *
 * Observed are the directories that somebody watches with inotify(7), and those
 * of files that somebody watches: the emitter looks for them every now and then
 * (daemon/watchers). Where it cannot see all who may watch, it is all
 * directories that were looked up and not forgotten. Each is listed in the
 *background, with a watch on its children, and each file and directory in it is
 *looked at, with a watch on its data. A watch that fires is armed again by
 *looking again, not sooner than REST_MS after the last time; the difference to
 *what was seen before is what has happened:
 *
 *	a name that is new or gone, or another znode under an old name
 *	another mzxid: the data has changed
 *
 * A watch is found a little later than it was set. So the first look at a name
 * is compared with what this mount has shown of it, and of its directory.
 *
 * What this mount does itself it notes here (the _own functions), from the
 * reply. Replies come in the order in which the server did things, so what
 * a later look shows beyond that was done by others.
 *
 * Bounds: so many names in all, so many in one directory, so many looks at a
 * time and in a while. The directories in lock directories' place are not
 * observed: what is in them is shown under other names.
 */
#ifndef ZKFS_OPS_OBSERVE_H
#define ZKFS_OPS_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/core/tree.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;

struct zkfs_emit_watched;

struct zkfs_observer {
	bool enabled;
	bool all; /* whatever the kernel knows, and not what is watched */
	uint64_t *watched; /* node ids */
	size_t n_watched;
	size_t room_watched;
	unsigned scan;		  /* how often that was told */
	struct zkfs_link dirs;	  /* least recently seen first */
	struct zkfs_link due;	  /* to be looked at, in this order */
	struct zkfs_link resting; /* not yet; the first is due first */
	size_t n_names;
	size_t n_due; /* to be looked at, now or after a rest, or under way */
	unsigned n_looking;
	unsigned n_looked; /* since `began_ms` */
	int64_t began_ms;
};

void zkfs_observer_init(struct zkfs_fs *fs);
/* Also when there is nobody to tell any more. */
void zkfs_observer_fini(struct zkfs_fs *fs);
/* There is somebody to tell. `all`: of whatever the kernel knows from now on;
 * else of what zkfs_observer_watched() names. */
void zkfs_observer_start(struct zkfs_fs *fs, bool all);
/* From now on `all`, after all: who watches cannot be found out. */
void zkfs_observer_all(struct zkfs_fs *fs);
/* A part of what somebody watches, as the emitter has found it. */
void zkfs_observer_watched(struct zkfs_fs *fs,
			   const struct zkfs_emit_watched *part);

/* A directory that was told as created: who watches the one that it is in may
 * be about to watch it, and is given some time for that. */
void zkfs_observe_new(struct zkfs_fs *fs, struct zkfs_node *node);
/* The kernel is told of the node, which may be a directory. */
void zkfs_observe(struct zkfs_fs *fs, struct zkfs_node *node);
/* The node's znode may have become a directory: a watch on its data does not
 * tell. */
void zkfs_observe_again(const struct zkfs_node *node);
/* The kernel forgets the node, if its count is 0 now. The caller has a
 * reference. */
void zkfs_observe_forgotten(struct zkfs_fs *fs, struct zkfs_node *node);

/* This mount has made the name; `stat` NULL: it is not known. */
void zkfs_observe_own_name(struct zkfs_fs *fs, struct zkfs_node *dir,
			   const char *name, const struct zkfs_stat *stat);
/* This mount has removed the name. */
void zkfs_observe_own_removal(struct zkfs_fs *fs, struct zkfs_node *dir,
			      const char *name);
/* This mount has set the ACL. */
void zkfs_observe_own_acl(const struct zkfs_node *node);
/* This mount has stored data. */
void zkfs_observe_own_data(struct zkfs_fs *fs, const struct zkfs_node *node,
			   const struct zkfs_stat *stat);
/* This mount has moved the directory. */
void zkfs_observe_moved(struct zkfs_fs *fs, const struct zkfs_node *dir);

#endif

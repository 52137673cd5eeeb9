/*
 * flock: flock(2) and fcntl(2) locks that hold for the whole cluster. On the
 * virtual file LOCK/.lock, or an entry of LOCK, it is that lock; on any other
 * file it is the lock named after the file's path, in the first lock root,
 * with '%' and '/' percent-encoded, made on first use.
 *
 * Who owns such a lock. flock(2): the open file description, that is the fh;
 * it goes with LOCK_UN or with the RELEASE. fcntl(2): the process, by the
 * kernel's owner; it goes with F_UNLCK, with the FLUSH of any close of that
 * file by the process, or with the RELEASE. Open file description locks
 * (F_OFD_*) come as fcntl's with an owner of their own; the kernel never sends
 * their unlock (fs/fuse/file.c, fuse_setlk(): "NULL" owner at close), so that
 * only the RELEASE ends them.
 *
 * On a handle that was opened O_NONBLOCK a flock(2) that has to wait does so in
 * the background, as connect(2) does on such a socket: EINPROGRESS, EALREADY
 * when asked again, readable (ops/poll) when the lock is ours and the same call
 * answers 0. LOCK_UN, or the last close, ends the wait.
 *
 * (Closing a read-only descriptor that was opened before the file's first fcntl
 * lock tells nobody, for it is not flushed.)
 *
 * A conversion gives the old lock up and queues for the new one, as flock(2)
 * says of its own.
 */
#ifndef ZKFS_OPS_FLOCK_H
#define ZKFS_OPS_FLOCK_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/ops/fs.h"

struct zkfs_contender; /* ops/contender.h */
struct zkfs_line;      /* ops/line.h */

void zkfs_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		int op);
void zkfs_flock_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock, int sleep);
void zkfs_flock_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock);

/* A process closes one of its descriptors: its fcntl locks on the file go. */
void zkfs_flock_flushed(struct zkfs_fs *fs, uint64_t fh, uint64_t owner);
/* The last close: all that was locked through the handle goes, and what waited
 * for `owner` (0: flock was not called on it). */
void zkfs_flock_released(struct zkfs_fs *fs, uint64_t fh, uint64_t owner);
/* Whether a lock is waited for in the background through the handle. */
bool zkfs_flock_waits(const struct zkfs_fs *fs, uint64_t fh);
/* What is locked, or waited for, through a node: the contender of the caller's
 * own process if there is one, else any; or NULL. */
struct zkfs_contender *zkfs_flock_through(const struct zkfs_fs *fs,
					  const struct zkfs_node *node,
					  pid_t tid,
					  struct zkfs_line **ret_line);
/* Answers a READ of LOCK/.lock with the line of the lock that is held through
 * the handle. False: there is none. */
bool zkfs_flock_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     const struct fuse_file_info *fi);
/* Whether a lock that was taken through the handle is lost: its I/O answers
 * EIO then, as a file's whose lock NFS or CephFS has lost. */
bool zkfs_flock_broken(const struct zkfs_fs *fs, uint64_t fh);

#endif

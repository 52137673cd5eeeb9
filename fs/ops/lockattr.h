/*
 * lockattr: the state of a lock as extended attributes.
 *
 *   user.zk.lock   held, waiting or lost
 *   user.zk.token  0x and 16 digits: the fencing token, once it is known
 *
 * An entry of a lock has them, whoever's it is; a file, and LOCK/.lock, while
 * this mount holds a lock through it (flock, fcntl) or waits for one: the
 * caller's own, if it has one, else any.
 */
#ifndef ZKFS_OPS_LOCKATTR_H
#define ZKFS_OPS_LOCKATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fs/ops/reply.h"

/* Whether it is one of these. */
bool zkfs_lockattr_known(const char *name);
/* Takes the GETXATTR over; `size` 0: the length is asked for. */
void zkfs_lockattr_get(fuse_req_t req, fuse_ino_t ino, const char *name,
		       size_t size);
/* Their names for listxattr(2), each with its NUL. */
const char *zkfs_lockattr_list(size_t *ret_len);

#endif

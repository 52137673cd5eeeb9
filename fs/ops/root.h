/*
 * root: the attributes of the mount point, which never wait for a server:
 * `ls -d`, `df` and `umount` ask for them, and before each path on a mount with
 * default_permissions the kernel does.
 *
 * A server that is there has a moment to answer; then the last known ones are
 * shown, and it goes on being asked in the background. As long as that has no
 * answer nobody waits at all.
 */
#ifndef ZKFS_OPS_ROOT_H
#define ZKFS_OPS_ROOT_H

#include <stdbool.h>

#include "fs/ops/cache.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;

struct zkfs_root {
	bool looking; /* in the background */
	struct zkfs_zk_req req;
	struct zkfs_cache_ask ask;
};

void zkfs_root_fini(struct zkfs_fs *fs);

/* Whether a server may be waited for; then *ret_deadline_ms is until when. */
bool zkfs_root_may_wait(const struct zkfs_fs *fs, int64_t *ret_deadline_ms);
/* It was waited for, in vain. */
void zkfs_root_look(struct zkfs_fs *fs);

#endif

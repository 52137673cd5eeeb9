/*
 * completion: what the library calls: its types become the port's, and then
 * the port's user. `data` is the struct zkfs_call, which ends here.
 */
#ifndef ZKFS_ZK_COMPLETION_H
#define ZKFS_ZK_COMPLETION_H

#include <zookeeper/zookeeper.h>

void zkfs_completion_stat(int rc, const struct Stat *stat, const void *data);
void zkfs_completion_data(int rc, const char *value, int len,
			  const struct Stat *stat, const void *data);
void zkfs_completion_children(int rc, const struct String_vector *strings,
			      const struct Stat *stat, const void *data);
void zkfs_completion_acl(int rc, struct ACL_vector *acl, struct Stat *stat,
			 const void *data);
void zkfs_completion_void(int rc, const void *data);
void zkfs_completion_string(int rc, const char *value, const void *data);
void zkfs_completion_multi(int rc, const void *data);
/* Of the removal of an idle watch, which no request asked for. */
void zkfs_completion_removed(int rc, const void *data);

/* The one watcher; its context is the struct zkfs_zk. */
void zkfs_completion_watcher(zhandle_t *zh, int type, int state,
			     const char *path, void *ctx);

#endif

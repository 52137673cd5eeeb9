/*
 * watchers: what on a mount somebody watches with inotify(7).
 *
 * Nobody is told of that: not of the call, nor of the first watch on a mount.
 * But the descriptors of all processes can be listed, and those of inotify list
 * their watches with a handle of the inode, in which FUSE has the node's id
 * (proc_pid_fdinfo(5); fuse_encode_fh()). Only processes are seen that the
 * caller may look into: root sees all of its pid namespace.
 */
#ifndef ZKFS_DAEMON_WATCHERS_H
#define ZKFS_DAEMON_WATCHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Node ids, at most; what is beyond that is not seen. */
#define ZKFS_WATCHERS_MAX 65536

struct zkfs_watchers {
	uint64_t *ids; /* sorted, each once */
	size_t n;
	size_t room;
	bool unknown; /* there are watches of which it is not said on what */
};

/* Lists them anew. May wait as long as a process is in execve(2), as ps(1)
 * does; SIGKILL ends that. Without memory, or without /proc, some are missing.
 */
void zkfs_watchers_scan(struct zkfs_watchers *watchers, dev_t device);
bool zkfs_watchers_equal(const struct zkfs_watchers *a,
			 const struct zkfs_watchers *b);
void zkfs_watchers_fini(struct zkfs_watchers *watchers);

#endif

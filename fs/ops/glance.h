/*
 * glance: what the look-up of a system call has seen of a lock, for the request
 * of the same call that follows: an open or mkdir that tries. Each call that
 * names something in a lock begins with a look-up of that name, as the kernel
 * keeps none of them; a list that was read for it is newer than the call's
 * beginning, and so is what the try would find by it.
 *
 * The two are told to be of one call by the thread, the lock and the name, by
 * nothing having come between from that thread, and by the time, and count
 * once. A look-up that is answered without a list forgets what came before.
 */
#ifndef ZKFS_OPS_GLANCE_H
#define ZKFS_OPS_GLANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "include/zkfs/names.h"

struct zkfs_node;

/* Threads in between look-up and open; with more the oldest is forgotten. */
#define ZKFS_GLANCES   16
#define ZKFS_GLANCE_MS 10

struct zkfs_glance {
	pid_t tid;     /* 0: free */
	uint64_t lock; /* id of the directory's node */
	int64_t until_ms;
	bool busy; /* somebody is in the queue */
	bool echo; /* the same look-up comes again */
	char name[ZKFS_LABEL_MAX + 1];
};

struct zkfs_glances {
	struct zkfs_glance all[ZKFS_GLANCES];
	unsigned next;
};

/* A look-up of this thread has come. */
void zkfs_glance_forget(struct zkfs_glances *glances, pid_t tid);
/* It was answered by a list. `echo`: the name is not there, and the kernel has
 * known it: it forgets it and asks again, in the same call
 * (fuse_dentry_revalidate(), then fuse_lookup()). */
void zkfs_glance_keep(struct zkfs_glances *glances, pid_t tid, uint64_t lock,
		      const char *name, bool busy, bool echo);
/* Whether a look-up is such an echo. */
bool zkfs_glance_echoes(struct zkfs_glances *glances, pid_t tid, uint64_t lock,
			const char *name);
/* What it saw, once: false when there is none. */
bool zkfs_glance_take(struct zkfs_glances *glances, pid_t tid, uint64_t lock,
		      const char *name, bool *ret_busy);

#endif

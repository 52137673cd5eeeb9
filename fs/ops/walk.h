/*
 * walk: which threads look at what they list, entry by entry, as `ls -l`, find,
 * du, tar and rsync do, and not a shell that expands a pattern. For them a
 * listing brings all attributes along (READDIRPLUS), in a pipeline; for others
 * only those of its first part, and what is known without asking.
 *
 * The kernel has a rule of its own for that (readdirplus_auto): it goes by what
 * came in between two parts of one listing. Who reads all of a directory before
 * it looks at the first entry (fts(3): find, du) would get a round trip for
 * each entry then. So it is left off, and the daemon goes by the thread, and by
 * what it did in the directory before.
 */
#ifndef ZKFS_OPS_WALK_H
#define ZKFS_OPS_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Threads that are remembered; with more the oldest is forgotten. */
#define ZKFS_WALKERS 16
/* So many looks at what it has listed last, and it is one that looks at all. */
#define ZKFS_WALK_LOOKS 3
/* For so long after the last that was seen: the kernel answers those from what
 * the listings bring. */
#define ZKFS_WALK_MS 10000

struct zkfs_walker {
	pid_t tid;    /* 0: free */
	uint64_t dir; /* id of the directory that it has listed last */
	unsigned n_looks;
	int64_t until_ms; /* it looks at what it lists */
};

struct zkfs_walkers {
	struct zkfs_walker all[ZKFS_WALKERS];
	unsigned next;
};

/* The thread has asked for a part of a listing. Of one in another pid namespace
 * nothing is known (0). */
void zkfs_walk_listed(struct zkfs_walkers *walkers, pid_t tid, uint64_t dir);
/* It has looked at an entry of that directory. */
void zkfs_walk_looked(struct zkfs_walkers *walkers, pid_t tid, uint64_t dir,
		      int64_t now_ms);
/* Whether it is likely to look at each entry. */
bool zkfs_walk_is_on(const struct zkfs_walkers *walkers, pid_t tid,
		     int64_t now_ms);

#endif

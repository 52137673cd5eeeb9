/*
 * look: looking at something again and again, not too often, and not at too
 * many things at a time: for observe. A watch that fires makes its look due; a
 * look that is due waits for its turn, and rests when it was looked at not long
 * ago.
 */
#ifndef ZKFS_OPS_LOOK_H
#define ZKFS_OPS_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/link.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;

/* Between two looks at the same thing; and after an error. */
#define ZKFS_LOOK_REST_MS  50
#define ZKFS_LOOK_AGAIN_MS 1000

/* One thing that is looked at: an EXISTS or CHILDREN, and its watch. */
struct zkfs_look {
	struct zkfs_fs *fs;
	struct zkfs_zk_req req;
	struct zkfs_zk_watch watch;
	/* Fills kind and done of the request; returns its path, which is the
	 * look's then, or NULL when memory is short. */
	char *(*prepare)(struct zkfs_look *look);
	char *path;	 /* of the request under way */
	bool again;	 /* its watch was live then, and is not now */
	int64_t next_ms; /* not before */
	struct zkfs_link link;
};

void zkfs_look_init(struct zkfs_look *look, struct zkfs_fs *fs,
		    char *(*prepare)(struct zkfs_look *look),
		    void (*fired)(struct zkfs_zk_watch *watch,
				  enum zkfs_zk_event event));
/* Also one that is under way: its `done` is not called. */
void zkfs_look_fini(struct zkfs_look *look);
/* To be called first in `done`. */
void zkfs_look_ended(struct zkfs_look *look);
/* To be looked at in `ms`. */
void zkfs_look_rest(struct zkfs_look *look, int64_t ms);
/* Whether it was not looked at a moment ago, nor is now. */
bool zkfs_look_is_rested(const struct zkfs_look *look);
/* To be looked at as soon as it may. */
void zkfs_look_due(struct zkfs_look *look);

/* When zkfs_looks_tick() is to be called next: zkfs_clock_ms() or NEVER. */
int64_t zkfs_looks_deadline(const struct zkfs_fs *fs);
/* Looks at what is due. */
void zkfs_looks_tick(struct zkfs_fs *fs, int64_t now_ms);

#endif

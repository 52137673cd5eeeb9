/*
 * mates: contenders of this mount in the same queue tell each other what they
 * know (core/lockq_meet), so that a crowd needs few lists of all its names.
 */
#ifndef ZKFS_OPS_MATES_H
#define ZKFS_OPS_MATES_H

#include <stddef.h>

struct zkfs_contender;
struct zkfs_zk_reply;

/* From so many on a list is left for later: it is long, and so is the wait. */
#define ZKFS_MATES_CROWD 16

/* Those in the queue that stay there. */
size_t zkfs_mates_count(const struct zkfs_contender *contender);
/* Its join was answered. */
void zkfs_mates_joined(struct zkfs_contender *contender);
/* Who was before it has gone, as it is about to be told. */
void zkfs_mates_blocker_gone(struct zkfs_contender *contender);
/* Its list was answered. Settles others, not it. */
void zkfs_mates_listed(struct zkfs_contender *contender,
		       const struct zkfs_zk_reply *reply);
/* It holds the lock, or held it and nothing of it is left. */
void zkfs_mates_note(struct zkfs_contender *contender);

#endif

/*
 * lockq_meet: what contenders of one session know of each other, so that a
 * deep queue costs no list of all its names for each who joins or is next.
 *
 * Joining. Every create in a directory takes the next number. So between a
 * contender whose last number is n - 1 and ours, whose first is n, there is
 * nobody and never will be; if it blocks us it is the nearest who does. It is
 * waited for as if a list had shown it.
 *
 * Next. Who was granted the lock exclusively had nobody before it, and numbers
 * only grow: nobody will be (a Curator writer that downgrades is no exception,
 * as it must be there to do so, and was not). When it was the nearest before
 * us, and has gone, nobody is before us either.
 *
 * Both rest on the two being in one directory, whose numbers are its own: it
 * may have been deleted with everybody in it and made again. One that a list
 * shows beside us is; one that is known by its number alone must have been read
 * since we joined.
 */
#include <string.h>

#include "fs/core/lockq_machine.h"

static bool is_blocker(const struct zkfs_lockq *lockq,
		       const struct zkfs_lockq *other)
{
	return lockq->blocker &&
	       strncmp(lockq->blocker->names[0], other->own.prefix,
		       strlen(other->own.prefix)) == 0;
}

/* About to list for the first time. */
static bool has_just_joined(const struct zkfs_lockq *lockq)
{
	return lockq->state == ZKFS_LOCKQ_LISTING && !lockq->config.try &&
	       lockq->wanted[ZKFS_LOCKQ_ASK_LIST];
}

static bool is_right_before(const struct zkfs_lockq *lockq,
			    const struct zkfs_lockq *other)
{
	if (lockq->config.mode == ZKFS_LOCK_SHARED &&
	    other->config.mode == ZKFS_LOCK_SHARED)
		return false; /* does not block us */
	return other->ours == ZKFS_OURS_KNOWN && other->own.names[0].made &&
	       other->own.last == lockq->own.sequence - 1 &&
	       strcmp(other->config.lock, lockq->config.lock) == 0;
}

/* As if a list had shown it and many before it. */
static void stand_behind(struct zkfs_lockq *lockq,
			 const struct zkfs_lockq *other)
{
	const char *names[] = {other->own.names[0].path + other->own.dir_len};
	struct zkfs_queue queue;

	if (zkfs_queue_parse(names, 1, &queue) < 0)
		return; /* the list will do */
	zkfs_lockq_forget_queue(lockq);
	lockq->queue = queue;
	lockq->many = true;
	lockq->relist = false;
	lockq->wanted[ZKFS_LOCKQ_ASK_LIST] = false;
	zkfs_lockq_wait_for(lockq, &lockq->queue.entries[0]);
	lockq->blocker_seen = false;
}

void zkfs_lockq_meet(struct zkfs_lockq *lockq, const struct zkfs_lockq *other)
{
	if (other == lockq || other->generation != lockq->generation)
		return;
	if (is_blocker(lockq, other))
		lockq->blocker_held = other->has_held &&
				      other->config.mode == ZKFS_LOCK_EXCLUSIVE;
	else if (has_just_joined(lockq) && is_right_before(lockq, other))
		stand_behind(lockq, other);
}

bool zkfs_lockq_all_gone(const struct zkfs_lockq *lockq)
{
	return lockq->blocker_held && lockq->blocker_seen && !lockq->relist;
}

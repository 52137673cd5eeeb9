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
 * In a crowd there may be contenders of others in between. Then the nearest of
 * ours is waited for all the same, as it stands before us, and the list is
 * left for when it has gone: one that any of the crowd reads then serves all of
 * them that it shows (zkfs_lockq_share()). And when the nearest before us has
 * gone, whoever it was, those before one who has held are known to have gone
 * too (zkfs_lockq_recall()).
 *
 * All rest on the two being in one directory, whose numbers are its own: it
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

static bool holds_alone(const struct zkfs_lockq *other)
{
	return other->has_held && other->config.mode == ZKFS_LOCK_EXCLUSIVE;
}

/* About to list for the first time. */
static bool has_just_joined(const struct zkfs_lockq *lockq)
{
	return lockq->state == ZKFS_LOCKQ_LISTING && !lockq->config.try &&
	       lockq->wanted[ZKFS_LOCKQ_ASK_LIST];
}

static bool is_before(const struct zkfs_lockq *lockq,
		      const struct zkfs_lockq *other)
{
	if (lockq->config.mode == ZKFS_LOCK_SHARED &&
	    other->config.mode == ZKFS_LOCK_SHARED)
		return false; /* does not block us */
	return other->ours == ZKFS_OURS_KNOWN && other->own.names[0].made &&
	       other->own.last < lockq->own.sequence &&
	       strcmp(other->config.lock, lockq->config.lock) == 0;
}

static bool is_right_before(const struct zkfs_lockq *lockq,
			    const struct zkfs_lockq *other)
{
	return other->own.last == lockq->own.sequence - 1;
}

/* As if a list had shown it and many before it; and others in between, if it is
 * not right before us. */
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
	lockq->blocker_held = holds_alone(other);
	lockq->far = !is_right_before(lockq, other);
}

/* Of a crowd the nearest will do for now, and is not asked for yet. */
static bool may_stand_behind(const struct zkfs_lockq *lockq,
			     const struct zkfs_lockq *other)
{
	if (!is_before(lockq, other))
		return false;
	if (has_just_joined(lockq) && is_right_before(lockq, other))
		return true;
	if (!lockq->config.crowd || !zkfs_lockq_is_queued(other))
		return false;
	return has_just_joined(lockq) ||
	       (lockq->far && lockq->wanted[ZKFS_LOCKQ_ASK_BLOCKER] &&
		other->own.sequence > lockq->queue.entries[0].sequence);
}

void zkfs_lockq_meet(struct zkfs_lockq *lockq, const struct zkfs_lockq *other)
{
	if (other == lockq || other->generation != lockq->generation)
		return;
	if (is_blocker(lockq, other))
		lockq->blocker_held = holds_alone(other);
	else if (may_stand_behind(lockq, other))
		stand_behind(lockq, other);
}

bool zkfs_lockq_all_gone(const struct zkfs_lockq *lockq)
{
	return lockq->blocker_held && lockq->blocker_seen && !lockq->relist &&
	       !lockq->far;
}

/* -- lists of others -- */

bool zkfs_lockq_needs_list(const struct zkfs_lockq *lockq)
{
	return lockq->state == ZKFS_LOCKQ_WAITING && lockq->far;
}

/* One that shows our names was read after we joined, as all that come after the
 * answer of a join are while nothing is lost on the way. */
void zkfs_lockq_share(struct zkfs_lockq *lockq, const struct zkfs_queue *queue)
{
	if (!zkfs_lockq_needs_list(lockq) ||
	    !zkfs_lockq_own_all_listed(&lockq->own, queue))
		return;
	lockq->stale[ZKFS_LOCKQ_ASK_LIST] = lockq->busy[ZKFS_LOCKQ_ASK_LIST];
	lockq->stale[ZKFS_LOCKQ_ASK_BLOCKER] =
		lockq->busy[ZKFS_LOCKQ_ASK_BLOCKER];
	lockq->wanted[ZKFS_LOCKQ_ASK_LIST] = false;
	lockq->wanted[ZKFS_LOCKQ_ASK_BLOCKER] = false;
	if (zkfs_lockq_adopt_list(lockq, queue, NULL) < 0)
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
}

/* -- who has held it -- */

static struct zkfs_lockq_holder *find_holder(struct zkfs_lockq_holders *holders,
					     const char *name)
{
	for (size_t i = 0; i < ZKFS_LOCKQ_HOLDERS; i++) {
		struct zkfs_lockq_holder *holder = &holders->all[i];

		if (holder->prefix[0] &&
		    strncmp(name, holder->prefix, strlen(holder->prefix)) == 0)
			return holder;
	}
	return NULL;
}

void zkfs_lockq_note(struct zkfs_lockq_holders *holders,
		     const struct zkfs_lockq *lockq)
{
	struct zkfs_lockq_holder *holder;

	if (!holds_alone(lockq))
		return;
	holder = find_holder(holders, lockq->own.prefix);
	if (!holder) {
		holder = &holders->all[holders->next++ % ZKFS_LOCKQ_HOLDERS];
		memcpy(holder->prefix, lockq->own.prefix,
		       sizeof(holder->prefix));
	}
	holder->gone = lockq->ours == ZKFS_OURS_NONE;
}

/* The entries are of one list with us, and so of one directory. Who was before
 * a holder has gone; who was between it and us has not, for all we know. */
void zkfs_lockq_recall(struct zkfs_lockq *lockq,
		       struct zkfs_lockq_holders *holders)
{
	size_t n = lockq->queue.n_entries, first = n;
	const struct zkfs_lockq_holder *holder = NULL;

	if (lockq->state != ZKFS_LOCKQ_WAITING || !lockq->blocker)
		return;
	while (first > 0 && !holder) {
		struct zkfs_queue_entry *entry = &lockq->queue.entries[--first];

		if (entry != lockq->blocker)
			holder = find_holder(holders, entry->names[0]);
	}
	if (!holder)
		return;
	lockq->many = false;
	lockq->queue.n_entries = n - first - holder->gone;
	memmove(lockq->queue.entries,
		&lockq->queue.entries[first + holder->gone],
		lockq->queue.n_entries * sizeof(*lockq->queue.entries));
	lockq->blocker -= first + holder->gone;
}

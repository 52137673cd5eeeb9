/*
 * lockq_recipe: what follows from each reply: the recipe proper. The order is
 * ZooKeeper's ("Recipes", Locks and Shared Locks); what is added to it are the
 * answers to a lost reply, a vanished name, a reader that comes late.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fs/core/lockq_machine.h"

/* Of those before us. With more, the list is read again when the nearest has
 * gone, unless it is known that they have gone too: so it is good to keep one
 * of each mount that takes its turn. */
#define BLOCKERS_KEPT 8
#define FEW	      2

/* -- joining -- */

void zkfs_lockq_begin_join(struct zkfs_lockq *lockq)
{
	zkfs_lockq_move(lockq, ZKFS_LOCKQ_JOINING);
	zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_JOIN);
	if (!lockq->config.behind)
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
}

/* The names are made and known. Returns whether to go on. */
static bool joined(struct zkfs_lockq *lockq)
{
	lockq->ours = ZKFS_OURS_KNOWN;
	if (lockq->state == ZKFS_LOCKQ_LEAVING) {
		zkfs_lockq_begin_leave(lockq);
		return false;
	}

	zkfs_lockq_move(lockq, ZKFS_LOCKQ_LISTING);
	if (zkfs_lockq_is_near_end(lockq->own.sequence)) {
		zkfs_lockq_fail(lockq, -EOVERFLOW);
		return false;
	}
	zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_OWN);
	return true;
}

static void join_unknown(struct zkfs_lockq *lockq, int error)
{
	lockq->ours = ZKFS_OURS_UNKNOWN;
	lockq->join_error = error;
	zkfs_lockq_search(lockq);
}

/* It certainly made nothing. */
static void join_failed(struct zkfs_lockq *lockq, int error)
{
	lockq->ours = ZKFS_OURS_NONE;
	if (lockq->state == ZKFS_LOCKQ_LEAVING)
		zkfs_lockq_left(lockq);
	else
		zkfs_lockq_fail(lockq, error);
}

static void reply_join(struct zkfs_lockq *lockq,
		       const struct zkfs_zk_reply *reply)
{
	int error = zkfs_error_to_errno(reply->error);

	assert(lockq->ours == ZKFS_OURS_PENDING);

	switch (reply->error) {
	case ZKFS_E_OK:
		for (size_t i = 0; i < lockq->own.n_names; i++)
			if (!zkfs_lockq_own_adopt(&lockq->own, i,
						  lockq->ops[i].name)) {
				join_unknown(lockq, -EIO);
				return;
			}
		if (joined(lockq) && !lockq->busy[ZKFS_LOCKQ_ASK_LIST])
			zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
		break;
	case ZKFS_E_LOST:
		join_unknown(lockq, 0);
		break;
	case ZKFS_E_NOMEM:
	case ZKFS_E_OTHER:
		/* Probably nothing was made; to be sure costs one list. */
		join_unknown(lockq, error);
		break;
	case ZKFS_E_NODEEXISTS:
		/* A sequential name is taken only when the counter sticks. */
		join_failed(lockq, -EOVERFLOW);
		break;
	default:
		join_failed(lockq, error);
		break;
	}
}

/* -- waiting -- */

/* Whether a stock Curator writer stands before us: one that downgrades makes
 * a reader late with its own old number, which no list read before shows. */
static bool may_downgrade(const struct zkfs_lockq *lockq,
			  const struct zkfs_queue *queue)
{
	for (size_t i = 0; queue->may_downgrade && i < queue->n_entries; i++) {
		const struct zkfs_queue_entry *entry = &queue->entries[i];

		if (entry->sequence <= lockq->own.sequence &&
		    entry->may_downgrade &&
		    strncmp(entry->names[0], lockq->own.prefix,
			    strlen(lockq->own.prefix)) != 0)
			return true;
	}
	return false;
}

void zkfs_lockq_wait_for(struct zkfs_lockq *lockq,
			 const struct zkfs_queue_entry *entry)
{
	lockq->blocker = entry;
	lockq->blocker_hidden = false;
	lockq->blocker_seen = true;
	lockq->blocker_held = false;
	lockq->far = false;
	if (lockq->state != ZKFS_LOCKQ_WAITING)
		zkfs_lockq_move(lockq, ZKFS_LOCKQ_WAITING);
	zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_BLOCKER);
}

/* What to wait for next, by the kept list. */
static void next_blocker(struct zkfs_lockq *lockq)
{
	const struct zkfs_queue_entry *entry =
		zkfs_queue_blocker(&lockq->queue, lockq->own.sequence,
				   lockq->config.mode, lockq->own.prefix);

	if (entry && lockq->config.try) {
		zkfs_lockq_end(lockq, -EAGAIN, ZKFS_LOCKQ_BUSY);
	} else if (entry) {
		zkfs_lockq_wait_for(lockq, entry);
	} else if (lockq->relist) {
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
	} else {
		lockq->clear = true;
		zkfs_lockq_try_grant(lockq);
	}
}

/* The kept list still holds the one before the one that went, and numbers only
 * grow, so that it need not be read again to find the next. But when there were
 * more, most are gone too, as locks are granted in order, and one list
 * is less than asking for each. */
void zkfs_lockq_blocker_gone(struct zkfs_lockq *lockq)
{
	bool all_gone = zkfs_lockq_all_gone(lockq);

	zkfs_lockq_twins_stale(lockq);
	zkfs_queue_remove(&lockq->queue, lockq->blocker);
	lockq->blocker = NULL;
	if (all_gone) {
		lockq->clear = true;
		zkfs_lockq_try_grant(lockq);
	} else if (lockq->many) {
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
	} else {
		next_blocker(lockq);
	}
}

static void reply_blocker(struct zkfs_lockq *lockq,
			  const struct zkfs_zk_reply *reply)
{
	if (lockq->state != ZKFS_LOCKQ_WAITING || !lockq->blocker)
		return;

	switch (reply->error) {
	case ZKFS_E_OK:
		lockq->blocker_seen = true;
		lockq->unwatched[ZKFS_LOCKQ_ASK_BLOCKER] = !reply->watched;
		break;
	case ZKFS_E_NONODE:
		zkfs_lockq_blocker_gone(lockq);
		break;
	case ZKFS_E_TIMEDOUT:
	case ZKFS_E_LOST:
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_BLOCKER);
		break;
	case ZKFS_E_NOAUTH:
		if (lockq->blocker_hidden) {
			zkfs_lockq_fail(lockq, -EACCES);
			break;
		}
		lockq->blocker_hidden = true;
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_BLOCKER);
		break;
	default:
		zkfs_lockq_fail(lockq, zkfs_error_to_errno(reply->error));
		break;
	}
}

static void own_unknown(struct zkfs_lockq *lockq, enum zkfs_error error)
{
	bool hidden = error == ZKFS_E_NOAUTH && !lockq->own_hidden;

	lockq->own_hidden = lockq->own_hidden || hidden;
	lockq->own_watched = false;
	lockq->held_back[ZKFS_LOCKQ_ASK_OWN] =
		error != ZKFS_E_TIMEDOUT && error != ZKFS_E_LOST && !hidden;
	zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_OWN);
}

static void reply_own(struct zkfs_lockq *lockq,
		      const struct zkfs_zk_reply *reply)
{
	if (!zkfs_lockq_is_queued(lockq))
		return;

	switch (reply->error) {
	case ZKFS_E_OK:
		lockq->token = reply->stat->czxid;
		lockq->unwatched[ZKFS_LOCKQ_ASK_OWN] = !reply->watched;
		zkfs_lockq_try_grant(lockq);
		break;
	case ZKFS_E_NONODE:
		zkfs_lockq_lost(lockq);
		break;
	default:
		own_unknown(lockq, reply->error);
		break;
	}
}

/* -- lists -- */

int zkfs_lockq_adopt_list(struct zkfs_lockq *lockq,
			  const struct zkfs_queue *queue,
			  struct zkfs_queue *whole)
{
	bool relist = may_downgrade(lockq, queue), many = true;
	struct zkfs_queue kept;
	int error = zkfs_queue_nearest(queue, lockq->own.sequence,
				       lockq->config.mode, lockq->own.prefix,
				       BLOCKERS_KEPT, &kept, &many);

	if (error && !whole)
		return error;
	if (error) {
		kept = *whole;
		*whole = (struct zkfs_queue){0};
	}
	zkfs_lockq_twins_listed(lockq);
	zkfs_lockq_forget_queue(lockq);
	lockq->queue = kept;
	lockq->relist = relist;
	lockq->many = many || kept.n_entries > FEW;
	next_blocker(lockq);
	return 0;
}

static void listed(struct zkfs_lockq *lockq, struct zkfs_queue *queue)
{
	if (!zkfs_lockq_own_all_listed(&lockq->own, queue)) {
		zkfs_lockq_lost(lockq);
		return;
	}
	(void)zkfs_lockq_adopt_list(lockq, queue, queue);
}

/* The lost transaction did nothing. */
static void not_found(struct zkfs_lockq *lockq)
{
	lockq->ours = ZKFS_OURS_NONE;
	if (lockq->state == ZKFS_LOCKQ_LEAVING) {
		zkfs_lockq_left(lockq);
	} else if (lockq->join_error) {
		zkfs_lockq_fail(lockq, lockq->join_error);
	} else {
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_JOIN);
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
	}
}

/* Only a list that was sent behind a sync that succeeded tells. */
static void searched(struct zkfs_lockq *lockq, struct zkfs_queue *queue)
{
	const struct zkfs_queue_entry *entry =
		zkfs_queue_find(queue, lockq->own.prefix);

	if (lockq->busy[ZKFS_LOCKQ_ASK_SYNC] ||
	    lockq->wanted[ZKFS_LOCKQ_ASK_SYNC])
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
	else if (zkfs_lockq_own_adopt_entry(&lockq->own, entry) == 0)
		not_found(lockq);
	else if (joined(lockq))
		listed(lockq, queue);
}

/* LEAVING, and a delete met a name that was gone: what is left? */
static void left_over(struct zkfs_lockq *lockq, const struct zkfs_queue *queue)
{
	const struct zkfs_queue_entry *entry =
		zkfs_queue_find(queue, lockq->own.prefix);

	if (zkfs_lockq_own_adopt_entry(&lockq->own, entry) > 0)
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
	else
		zkfs_lockq_left(lockq);
}

static void looked(struct zkfs_lockq *lockq, const struct zkfs_queue *queue)
{
	if (zkfs_queue_blocker(queue, INT64_MAX, lockq->config.mode, NULL))
		zkfs_lockq_end(lockq, -EAGAIN, ZKFS_LOCKQ_BUSY);
	else
		zkfs_lockq_begin_join(lockq);
}

/* Whether the list is to find out what is left of us. */
static bool is_search(const struct zkfs_lockq *lockq)
{
	return lockq->ours == ZKFS_OURS_UNKNOWN ||
	       lockq->state == ZKFS_LOCKQ_LEAVING;
}

static void take_list(struct zkfs_lockq *lockq, struct zkfs_queue *queue)
{
	if (lockq->state == ZKFS_LOCKQ_LOOKING)
		looked(lockq, queue);
	else if (lockq->ours == ZKFS_OURS_UNKNOWN)
		searched(lockq, queue);
	else if (lockq->state == ZKFS_LOCKQ_LEAVING)
		left_over(lockq, queue);
	else if (zkfs_lockq_is_queued(lockq))
		listed(lockq, queue);
	else /* overtook the join's reply, which no server does */
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
}

/* A list that was refused, or could not be kept. What may be left of us must
 * still be found, so that a search is only put off. */
static void list_refused(struct zkfs_lockq *lockq, int error)
{
	if (!is_search(lockq)) {
		zkfs_lockq_fail(lockq, error);
		return;
	}

	if (lockq->state != ZKFS_LOCKQ_LEAVING)
		zkfs_lockq_fail(lockq, error);
	if (lockq->ours == ZKFS_OURS_UNKNOWN)
		zkfs_lockq_search(lockq);
	else
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
	lockq->put_off = error;
	lockq->held_back[ZKFS_LOCKQ_ASK_LIST] = true;
}

static void list_failed(struct zkfs_lockq *lockq, enum zkfs_error error)
{
	bool unanswered = error == ZKFS_E_TIMEDOUT || error == ZKFS_E_LOST;

	if (error == ZKFS_E_NONODE && is_search(lockq)) {
		struct zkfs_queue empty = {0};

		take_list(lockq, &empty);
	} else if (error == ZKFS_E_NONODE && zkfs_lockq_is_queued(lockq)) {
		zkfs_lockq_lost(lockq);
	} else if (unanswered && lockq->ours == ZKFS_OURS_UNKNOWN) {
		zkfs_lockq_search(lockq);
	} else if (unanswered && lockq->ours != ZKFS_OURS_NONE) {
		/* We stand in the queue; how long to bear with a silent server
		 * is for the lease to say. */
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
	} else {
		list_refused(lockq, zkfs_error_to_errno(error));
	}
}

static void reply_list(struct zkfs_lockq *lockq,
		       const struct zkfs_zk_reply *reply)
{
	struct zkfs_queue queue;
	int r;

	if (reply->error != ZKFS_E_OK) {
		list_failed(lockq, reply->error);
		return;
	}
	r = zkfs_queue_parse(reply->names, reply->n_names, &queue);
	if (r < 0) {
		list_refused(lockq, r);
		return;
	}
	take_list(lockq, &queue);
	zkfs_queue_fini(&queue);
}

static void reply_sync(struct zkfs_lockq *lockq,
		       const struct zkfs_zk_reply *reply)
{
	if (reply->error == ZKFS_E_OK || lockq->ours != ZKFS_OURS_UNKNOWN)
		return;

	zkfs_lockq_search(lockq);
	lockq->held_back[ZKFS_LOCKQ_ASK_SYNC] =
		reply->error != ZKFS_E_TIMEDOUT && reply->error != ZKFS_E_LOST;
}

/* -- leaving -- */

static void reply_leave(struct zkfs_lockq *lockq,
			const struct zkfs_zk_reply *reply)
{
	assert(lockq->state == ZKFS_LOCKQ_LEAVING);
	if (zkfs_lockq_renew_refused(lockq, reply->error))
		return;

	switch (reply->error) {
	case ZKFS_E_OK:
		zkfs_lockq_left(lockq);
		break;
	case ZKFS_E_NONODE:
		/* An earlier try did it, or somebody took a part of us, and
		 * then the transaction has left the rest. */
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
		break;
	case ZKFS_E_LOST:
	case ZKFS_E_TIMEDOUT:
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
		break;
	default:
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
		lockq->put_off = zkfs_error_to_errno(reply->error);
		lockq->held_back[ZKFS_LOCKQ_ASK_LEAVE] = true;
		break;
	}
}

void zkfs_lockq_take_reply(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
			   const struct zkfs_zk_reply *reply)
{
	static void (*const handlers[_ZKFS_LOCKQ_ASK_N])(
		struct zkfs_lockq *, const struct zkfs_zk_reply *) = {
		[ZKFS_LOCKQ_ASK_JOIN] = reply_join,
		[ZKFS_LOCKQ_ASK_SYNC] = reply_sync,
		[ZKFS_LOCKQ_ASK_LIST] = reply_list,
		[ZKFS_LOCKQ_ASK_BLOCKER] = reply_blocker,
		[ZKFS_LOCKQ_ASK_OWN] = reply_own,
		[ZKFS_LOCKQ_ASK_DIR] = zkfs_lockq_reply_dir,
		[ZKFS_LOCKQ_ASK_ACL] = zkfs_lockq_reply_acl,
		[ZKFS_LOCKQ_ASK_LEAVE] = reply_leave,
	};

	if (zkfs_lockq_is_twin(ask))
		zkfs_lockq_reply_twin(lockq, ask, reply);
	else
		handlers[ask](lockq, reply);
}

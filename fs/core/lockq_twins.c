/*
 * lockq_twins: the names of ours beside the primary. Each is what one family of
 * clients goes by, so with one of them deleted, by hand, that family may enter.
 * Its loss is a loss.
 *
 * They were there when we joined, as they are made in one transaction. From
 * then on they are asked for with the heartbeats alone (zkfs_lockq_beat()): by
 * who holds, and by who is next in the queue, so that it is told before its
 * turn. Who waits behind others does not: thousands of watches would be for
 * nothing. It looks once more when its turn has come, if it has waited for a
 * heartbeat or longer: what was deleted before is not granted, and what is
 * deleted after the grant is told by the next heartbeat.
 */
#include <assert.h>

#include "fs/core/lockq_machine.h"

bool zkfs_lockq_is_twin(enum zkfs_lockq_ask ask)
{
	return ask == ZKFS_LOCKQ_ASK_SECOND || ask == ZKFS_LOCKQ_ASK_THIRD;
}

/* Which of own.names. */
static size_t name_of(enum zkfs_lockq_ask ask)
{
	assert(zkfs_lockq_is_twin(ask));
	return 1 + (size_t)(ask - ZKFS_LOCKQ_ASK_SECOND);
}

static enum zkfs_lockq_ask ask_of(size_t name)
{
	return (enum zkfs_lockq_ask)(ZKFS_LOCKQ_ASK_SECOND + name - 1);
}

/* The last time before the grant costs no watch: most critical sections are
 * over before the next heartbeat. */
void zkfs_lockq_fill_twin(struct zkfs_lockq *lockq,
			  struct zkfs_lockq_request *req)
{
	req->kind = ZKFS_ZK_EXISTS;
	req->path = lockq->own.names[name_of(req->ask)].path;
	req->watch = !lockq->clear || lockq->state == ZKFS_LOCKQ_HELD;
}

void zkfs_lockq_reply_twin(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
			   const struct zkfs_zk_reply *reply)
{
	if (!zkfs_lockq_is_queued(lockq))
		return;

	switch (reply->error) {
	case ZKFS_E_OK:
		lockq->twins[name_of(ask)] =
			reply->watched ? ZKFS_TWIN_WATCHED : ZKFS_TWIN_SEEN;
		zkfs_lockq_try_grant(lockq);
		break;
	case ZKFS_E_NONODE:
		zkfs_lockq_lost(lockq);
		break;
	default:
		lockq->held_back[ask] = reply->error != ZKFS_E_TIMEDOUT &&
					reply->error != ZKFS_E_LOST;
		zkfs_lockq_want(lockq, ask);
		break;
	}
}

void zkfs_lockq_twin_fired(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask)
{
	lockq->twins[name_of(ask)] = ZKFS_TWIN_MADE;
}

void zkfs_lockq_twins_listed(struct zkfs_lockq *lockq)
{
	for (size_t i = 1; i < lockq->own.n_names; i++)
		if (lockq->twins[i] == ZKFS_TWIN_MADE)
			lockq->twins[i] = ZKFS_TWIN_SEEN;
}

void zkfs_lockq_twins_stale(struct zkfs_lockq *lockq)
{
	for (size_t i = 1; i < lockq->own.n_names; i++)
		if (lockq->twins[i] == ZKFS_TWIN_SEEN)
			lockq->twins[i] = ZKFS_TWIN_MADE;
}

bool zkfs_lockq_twins_sure(struct zkfs_lockq *lockq)
{
	/* Of the primary the watch tells, unless it is just being set anew. */
	bool sure = !lockq->busy[ZKFS_LOCKQ_ASK_OWN];

	if (!lockq->old || lockq->state != ZKFS_LOCKQ_WAITING)
		return true;
	for (size_t i = 1; i < lockq->own.n_names; i++) {
		if (lockq->twins[i] != ZKFS_TWIN_MADE)
			continue;
		sure = false;
		if (!lockq->busy[ask_of(i)])
			zkfs_lockq_want(lockq, ask_of(i));
	}
	return sure;
}

/* Nobody is between us and the lock but the one we watch. */
static bool is_next(const struct zkfs_lockq *lockq)
{
	if (lockq->state != ZKFS_LOCKQ_WAITING || !lockq->blocker)
		return false;
	return zkfs_lockq_all_gone(lockq) ||
	       (!lockq->many && lockq->queue.n_entries == 1);
}

static void watch_twins(struct zkfs_lockq *lockq)
{
	for (size_t i = 1; i < lockq->own.n_names; i++)
		if (lockq->twins[i] != ZKFS_TWIN_WATCHED &&
		    !lockq->busy[ask_of(i)])
			zkfs_lockq_want(lockq, ask_of(i));
}

static void poll_unwatched(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask)
{
	if (lockq->unwatched[ask] && !lockq->busy[ask])
		zkfs_lockq_want(lockq, ask);
}

bool zkfs_lockq_beat(struct zkfs_lockq *lockq)
{
	if (!zkfs_lockq_is_queued(lockq))
		return false;
	/* What was refused, by a server or for want of memory, is no less
	 * needed: without it nobody hears of the loss of what is held. */
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++)
		lockq->held_back[i] = false;
	if (lockq->state == ZKFS_LOCKQ_WAITING) {
		lockq->old = true;
		zkfs_lockq_twins_stale(lockq);
	}
	poll_unwatched(lockq, ZKFS_LOCKQ_ASK_OWN);
	if (lockq->blocker)
		poll_unwatched(lockq, ZKFS_LOCKQ_ASK_BLOCKER);
	if (lockq->state == ZKFS_LOCKQ_HELD || is_next(lockq))
		watch_twins(lockq);
	return lockq->wanted[ZKFS_LOCKQ_ASK_OWN] ||
	       lockq->wanted[ZKFS_LOCKQ_ASK_BLOCKER] ||
	       lockq->wanted[ZKFS_LOCKQ_ASK_SECOND] ||
	       lockq->wanted[ZKFS_LOCKQ_ASK_THIRD];
}

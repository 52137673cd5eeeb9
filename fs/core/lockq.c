/*
 * lockq: the lock recipe of one contender as a state machine. See the header
 * for its states, lockq_machine.h for the model behind them. Here: the states,
 * the requests, and every way out.
 */
#include "include/zkfs/lockq.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "fs/core/lockq_machine.h"

#define BIT(state) (1u << ZKFS_LOCKQ_##state)

static const struct {
	const char *name;
	unsigned successors;
} states[_ZKFS_LOCKQ_STATE_N] = {
	[ZKFS_LOCKQ_IDLE] = {"idle", BIT(LOOKING) | BIT(JOINING) | BIT(GONE)},
	[ZKFS_LOCKQ_LOOKING] = {"looking", BIT(JOINING) | BIT(BUSY) |
						   BIT(FAILED) | BIT(GONE)},
	[ZKFS_LOCKQ_JOINING] = {"joining", BIT(LISTING) | BIT(LEAVING) |
						   BIT(FAILED) | BIT(GONE)},
	[ZKFS_LOCKQ_LISTING] = {"listing", BIT(WAITING) | BIT(HELD) |
						   BIT(LEAVING) | BIT(LOST)},
	[ZKFS_LOCKQ_WAITING] = {"waiting",
				BIT(HELD) | BIT(LEAVING) | BIT(LOST)},
	[ZKFS_LOCKQ_HELD] = {"held", BIT(LEAVING) | BIT(LOST)},
	[ZKFS_LOCKQ_LEAVING] = {"leaving", BIT(GONE) | BIT(BUSY) | BIT(FAILED)},
	[ZKFS_LOCKQ_GONE] = {"gone", 0},
	[ZKFS_LOCKQ_BUSY] = {"busy", BIT(GONE)},
	[ZKFS_LOCKQ_FAILED] = {"failed", BIT(GONE)},
	[ZKFS_LOCKQ_LOST] = {"lost", BIT(LEAVING) | BIT(GONE)},
};

void zkfs_lockq_move(struct zkfs_lockq *lockq, enum zkfs_lockq_state state)
{
	assert(states[lockq->state].successors & (1u << state));
	lockq->state = state;
}

void zkfs_lockq_forget_queue(struct zkfs_lockq *lockq)
{
	zkfs_queue_fini(&lockq->queue);
	lockq->blocker = NULL;
	lockq->clear = false;
}

/* Nothing is to be asked any more, and no reply under way counts but that of
 * the join, whose outcome decides what is left on the server. */
static void drop_requests(struct zkfs_lockq *lockq)
{
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		lockq->wanted[i] = false;
		lockq->held_back[i] = false;
		lockq->stale[i] = lockq->busy[i] && i != ZKFS_LOCKQ_ASK_JOIN;
	}
}

/* LEAVING is over, or need not begin. */
static void finish(struct zkfs_lockq *lockq, enum zkfs_lockq_state state)
{
	drop_requests(lockq);
	zkfs_lockq_forget_queue(lockq);
	lockq->ours = ZKFS_OURS_NONE;
	zkfs_lockq_move(lockq, state);
}

void zkfs_lockq_left(struct zkfs_lockq *lockq)
{
	finish(lockq, lockq->after);
}

/* A list behind a sync shows what a lost transaction did: the sync goes
 * through the leader, which by then has either done the transaction or will
 * refuse it, as it came by a connection that was given up. */
void zkfs_lockq_search(struct zkfs_lockq *lockq)
{
	lockq->stale[ZKFS_LOCKQ_ASK_LIST] = lockq->busy[ZKFS_LOCKQ_ASK_LIST];
	zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_SYNC);
	zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
}

static void start_leaving(struct zkfs_lockq *lockq, enum zkfs_lockq_state after)
{
	assert(lockq->ours != ZKFS_OURS_NONE);

	drop_requests(lockq);
	zkfs_lockq_forget_queue(lockq);
	lockq->after = after;
	zkfs_lockq_move(lockq, ZKFS_LOCKQ_LEAVING);

	if (lockq->ours == ZKFS_OURS_KNOWN)
		zkfs_lockq_begin_leave(lockq);
	else if (lockq->ours == ZKFS_OURS_UNKNOWN)
		zkfs_lockq_search(lockq);
	/* PENDING: the reply of the join tells what there is to delete. */
}

void zkfs_lockq_end(struct zkfs_lockq *lockq, int error,
		    enum zkfs_lockq_state state)
{
	lockq->error = error;
	if (lockq->ours == ZKFS_OURS_NONE)
		finish(lockq, state);
	else
		start_leaving(lockq, state);
}

void zkfs_lockq_fail(struct zkfs_lockq *lockq, int error)
{
	zkfs_lockq_end(lockq, error, ZKFS_LOCKQ_FAILED);
}

void zkfs_lockq_lost(struct zkfs_lockq *lockq)
{
	lockq->error = -EIO;
	drop_requests(lockq);
	zkfs_lockq_forget_queue(lockq);
	zkfs_lockq_move(lockq, ZKFS_LOCKQ_LOST);
}

/* Our names were ephemeral: nothing is left of them. */
static void session_over(struct zkfs_lockq *lockq)
{
	lockq->over = true;
	lockq->connected = false;
	lockq->ours = ZKFS_OURS_NONE;
	switch (lockq->state) {
	case ZKFS_LOCKQ_LOOKING:
	case ZKFS_LOCKQ_JOINING:
		zkfs_lockq_fail(lockq, -EIO);
		break;
	case ZKFS_LOCKQ_LISTING:
	case ZKFS_LOCKQ_WAITING:
	case ZKFS_LOCKQ_HELD:
		zkfs_lockq_lost(lockq);
		break;
	case ZKFS_LOCKQ_LEAVING:
		zkfs_lockq_left(lockq);
		break;
	default:
		break;
	}
}

/* The grant. Nobody before us; the connection up, so that this is news of
 * now; and the watch on our own name sent, so that we shall hear of its end.
 * The reply to that one is not waited for: it comes right behind. */
void zkfs_lockq_try_grant(struct zkfs_lockq *lockq)
{
	if (!lockq->clear || !lockq->connected || !lockq->own_watched)
		return;
	if (!zkfs_lockq_twins_sure(lockq))
		return;

	assert(lockq->ours == ZKFS_OURS_KNOWN && !lockq->over);
	zkfs_lockq_forget_queue(lockq);
	lockq->has_held = true;
	zkfs_lockq_move(lockq, ZKFS_LOCKQ_HELD);
}

/* -- requests -- */

static void fill_join(struct zkfs_lockq *lockq, struct zkfs_lockq_request *req)
{
	lockq->ours = ZKFS_OURS_PENDING;
	req->kind = ZKFS_ZK_MULTI;
	req->ops = lockq->ops;
	req->n_ops = zkfs_lockq_own_creates(&lockq->own, lockq->config.data,
					    lockq->ops);
}

static void fill_leave(struct zkfs_lockq *lockq, struct zkfs_lockq_request *req)
{
	req->kind = ZKFS_ZK_MULTI;
	req->ops = lockq->ops;
	req->n_ops = zkfs_lockq_own_deletes(&lockq->own, lockq->ops);
	assert(req->n_ops > 0);
	req->n_ops = zkfs_lockq_renew_ops(lockq, req->n_ops);
}

/* Only now, when no request under way uses the old path. GET sets no watch on
 * a znode that is gone, EXISTS would. */
static int fill_blocker(struct zkfs_lockq *lockq,
			struct zkfs_lockq_request *req)
{
	char *path;

	assert(lockq->blocker);
	if (asprintf(&path, "%s/%s", lockq->config.lock,
		     lockq->blocker->names[0]) < 0)
		return -ENOMEM;

	free(lockq->blocker_path);
	lockq->blocker_path = path;
	req->kind = lockq->blocker_hidden ? ZKFS_ZK_EXISTS : ZKFS_ZK_GET;
	req->path = path;
	req->watch = true;
	return 0;
}

/* Watched by its child list, which is empty for ever: the server fires that
 * watch behind those on its data (DataTree.deleteNode()), so that who waits for
 * us hears of our release before we do; and no note of ours fires it. */
static void fill_own(struct zkfs_lockq *lockq, struct zkfs_lockq_request *req)
{
	req->kind = lockq->own_hidden ? ZKFS_ZK_EXISTS : ZKFS_ZK_CHILDREN;
	req->path = lockq->own.names[0].path;
	req->watch = true;
	lockq->own_watched = true;
}

static int fill(struct zkfs_lockq *lockq, struct zkfs_lockq_request *req)
{
	req->path = lockq->config.lock;
	switch (req->ask) {
	case ZKFS_LOCKQ_ASK_JOIN:
		fill_join(lockq, req);
		break;
	case ZKFS_LOCKQ_ASK_SYNC:
		req->kind = ZKFS_ZK_SYNC;
		break;
	case ZKFS_LOCKQ_ASK_LIST:
		req->kind = ZKFS_ZK_CHILDREN;
		break;
	case ZKFS_LOCKQ_ASK_BLOCKER:
		return fill_blocker(lockq, req);
	case ZKFS_LOCKQ_ASK_OWN:
		fill_own(lockq, req);
		break;
	case ZKFS_LOCKQ_ASK_SECOND:
	case ZKFS_LOCKQ_ASK_THIRD:
		zkfs_lockq_fill_twin(lockq, req);
		break;
	case ZKFS_LOCKQ_ASK_DIR:
		req->kind = ZKFS_ZK_GET;
		break;
	case ZKFS_LOCKQ_ASK_ACL:
		req->kind = ZKFS_ZK_GET_ACL;
		break;
	case ZKFS_LOCKQ_ASK_LEAVE:
		fill_leave(lockq, req);
		break;
	case _ZKFS_LOCKQ_ASK_N:
		assert(0);
	}
	return 0;
}

/* The order in which requests go out: a list behind the join or the sync it
 * belongs to; after a reconnect our own name before the blocker's, so that
 * its end is heard of before the grant. */
static const enum zkfs_lockq_ask order[] = {
	ZKFS_LOCKQ_ASK_JOIN,  ZKFS_LOCKQ_ASK_SYNC,    ZKFS_LOCKQ_ASK_LIST,
	ZKFS_LOCKQ_ASK_OWN,   ZKFS_LOCKQ_ASK_BLOCKER, ZKFS_LOCKQ_ASK_SECOND,
	ZKFS_LOCKQ_ASK_THIRD, ZKFS_LOCKQ_ASK_DIR,     ZKFS_LOCKQ_ASK_ACL,
	ZKFS_LOCKQ_ASK_LEAVE,
};

static bool is_ready(const struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask)
{
	if (!lockq->wanted[ask] || lockq->busy[ask] || lockq->held_back[ask])
		return false;
	return ask != ZKFS_LOCKQ_ASK_LIST ||
	       !lockq->wanted[ZKFS_LOCKQ_ASK_SYNC];
}

static bool first_ready(const struct zkfs_lockq *lockq,
			enum zkfs_lockq_ask *ret_ask)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(order); i++)
		if (is_ready(lockq, order[i])) {
			*ret_ask = order[i];
			return true;
		}
	return false;
}

bool zkfs_lockq_next(struct zkfs_lockq *lockq,
		     struct zkfs_lockq_request *ret_request)
{
	struct zkfs_lockq_request req = {.generation = lockq->generation};

	while (lockq->connected && first_ready(lockq, &req.ask)) {
		int r;

		req.watch = false;
		r = fill(lockq, &req);
		if (r < 0) {
			zkfs_lockq_fail(lockq, r);
			continue;
		}
		lockq->wanted[req.ask] = false;
		lockq->busy[req.ask] = true;
		lockq->unwatched[req.ask] = false;
		zkfs_lockq_try_grant(lockq);
		*ret_request = req;
		return true;
	}
	return false;
}

void zkfs_lockq_reply(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		      const struct zkfs_zk_reply *reply)
{
	bool stale = lockq->stale[ask];

	assert(lockq->busy[ask]);
	lockq->busy[ask] = false;
	lockq->stale[ask] = false;
	if (lockq->over)
		return;
	if (reply->error == ZKFS_E_EXPIRED)
		session_over(lockq);
	else if (!stale)
		zkfs_lockq_take_reply(lockq, ask, reply);
}

void zkfs_lockq_fired(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		      enum zkfs_zk_event event)
{
	assert(ask == ZKFS_LOCKQ_ASK_BLOCKER || ask == ZKFS_LOCKQ_ASK_OWN ||
	       zkfs_lockq_is_twin(ask));

	if (!zkfs_lockq_is_queued(lockq))
		return;
	if (ask == ZKFS_LOCKQ_ASK_BLOCKER && !lockq->blocker)
		return;

	/* What is under way was asked before this happened. */
	lockq->stale[ask] = lockq->busy[ask];
	if (ask == ZKFS_LOCKQ_ASK_OWN)
		lockq->own_watched = false;
	else if (zkfs_lockq_is_twin(ask))
		zkfs_lockq_twin_fired(lockq, ask);
	if (event != ZKFS_ZK_DELETED)
		zkfs_lockq_want(lockq, ask);
	else if (ask == ZKFS_LOCKQ_ASK_BLOCKER)
		zkfs_lockq_blocker_gone(lockq);
	else
		zkfs_lockq_lost(lockq);
}

void zkfs_lockq_session(struct zkfs_lockq *lockq, bool connected,
			uint64_t generation)
{
	if (lockq->state == ZKFS_LOCKQ_IDLE || lockq->over)
		return;
	if (generation != lockq->generation) {
		session_over(lockq);
		return;
	}

	lockq->connected = connected;
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++)
		lockq->held_back[i] = false;
	zkfs_lockq_try_grant(lockq);
}

void zkfs_lockq_lose(struct zkfs_lockq *lockq)
{
	if (zkfs_lockq_is_queued(lockq))
		zkfs_lockq_lost(lockq);
	else if (lockq->state == ZKFS_LOCKQ_LOOKING ||
		 lockq->state == ZKFS_LOCKQ_JOINING)
		zkfs_lockq_fail(lockq, -EIO);
}

void zkfs_lockq_leave(struct zkfs_lockq *lockq)
{
	if (lockq->state == ZKFS_LOCKQ_GONE)
		return;
	if (lockq->state == ZKFS_LOCKQ_LEAVING)
		lockq->after = ZKFS_LOCKQ_GONE;
	else
		zkfs_lockq_end(lockq, lockq->error, ZKFS_LOCKQ_GONE);
}

/* -- from first to last -- */

static int copy_config(struct zkfs_lockq_config *to,
		       const struct zkfs_lockq_config *from)
{
	*to = *from;
	to->lock = strdup(from->lock);
	to->label = strdup(from->label);
	to->host = strdup(from->host);
	to->data = strdup(from->data ? from->data : "");
	return to->lock && to->label && to->host && to->data ? 0 : -ENOMEM;
}

struct zkfs_lockq *zkfs_lockq_new(const struct zkfs_lockq_config *config)
{
	struct zkfs_lockq *lockq = calloc(1, sizeof(*lockq));

	if (!lockq)
		return NULL;
	if (copy_config(&lockq->config, config) < 0 ||
	    zkfs_lockq_own_init(&lockq->own, &lockq->config) < 0)
		return zkfs_lockq_free(lockq);
	return lockq;
}

struct zkfs_lockq *zkfs_lockq_free(struct zkfs_lockq *lockq)
{
	if (!lockq)
		return NULL;

	zkfs_queue_fini(&lockq->queue);
	zkfs_lockq_own_fini(&lockq->own);
	zkfs_lockq_renew_fini(&lockq->renew);
	free(lockq->blocker_path);
	free((char *)lockq->config.data);
	free((char *)lockq->config.host);
	free((char *)lockq->config.label);
	free((char *)lockq->config.lock);
	free(lockq);
	return NULL;
}

void zkfs_lockq_start(struct zkfs_lockq *lockq, uint64_t generation,
		      int64_t session_id)
{
	assert(lockq->state == ZKFS_LOCKQ_IDLE);

	lockq->generation = generation;
	lockq->connected = true;
	zkfs_lockq_own_set(&lockq->own, &lockq->config, session_id);
	if (lockq->config.try && !lockq->config.free) {
		zkfs_lockq_move(lockq, ZKFS_LOCKQ_LOOKING);
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LIST);
	} else {
		zkfs_lockq_begin_join(lockq);
	}
}

enum zkfs_lockq_state zkfs_lockq_state(const struct zkfs_lockq *lockq)
{
	return lockq->state;
}

int zkfs_lockq_error(const struct zkfs_lockq *lockq)
{
	return lockq->error;
}

int64_t zkfs_lockq_token(const struct zkfs_lockq *lockq)
{
	return lockq->token;
}

const char *zkfs_lockq_primary(const struct zkfs_lockq *lockq)
{
	return lockq->own.names[0].made ? lockq->own.names[0].path : NULL;
}

const char *zkfs_lockq_prefix(const struct zkfs_lockq *lockq)
{
	return lockq->own.prefix;
}

int zkfs_lockq_put_off(const struct zkfs_lockq *lockq)
{
	return lockq->put_off;
}

int zkfs_lockq_renewed(const struct zkfs_lockq *lockq)
{
	return lockq->renew.result;
}

const char *zkfs_lockq_state_name(enum zkfs_lockq_state state)
{
	assert(state >= 0 && state < _ZKFS_LOCKQ_STATE_N);
	return states[state].name;
}

/*
 * lockq: the lock recipe of one contender as a state machine. See the header
 * for its states; this is the model behind them.
 *
 * Two things are kept apart. `state` is what the user sees. `ours` is what is
 * known of our names on the server, and it alone decides whether anything has
 * to be taken out there:
 *
 *   NONE     certainly nothing is there
 *   PENDING  the transaction that makes them is under way
 *   UNKNOWN  its reply was lost: a sync and then a list tell
 *   KNOWN    they were made; `names[].made` says which are believed there
 *
 * For each request there are four bits: `wanted` (next() will yield it),
 * `busy` (yielded and not replied to), `stale` (busy, but the reply no longer
 * means what it was asked for and is dropped), and `held_back` (wanted, but
 * the server has just refused it: not before the next zkfs_lockq_session()).
 */
#include "include/zkfs/lockq.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"

/* "_c_" and a UUID and "-". */
#define PREFIX_BYTES (3 + ZKFS_UUID_BYTES + 1)
/* The sign and ten digits that the server appends. */
#define DIGITS_MAX 11
/* From here on the server's 32 bit counter is too near its end, where it
 * repeats itself and two clients can hold one number. */
#define SEQUENCE_MAX (INT64_C(0x80000000) - 1000000)

enum ours {
	OURS_NONE,
	OURS_PENDING,
	OURS_UNKNOWN,
	OURS_KNOWN,
};

struct own_name {
	char *path;	 /* with digits while it is made, else without */
	size_t base_len; /* of path without digits */
	bool made;
};

struct zkfs_lockq {
	enum zkfs_lockq_state state;
	enum zkfs_lockq_state after; /* LEAVING: what follows */
	int error;

	char *lock;
	char *label;
	char *host;
	char *data;
	long pid;
	enum zkfs_lock_mode mode;
	unsigned families;
	bool try;
	uint64_t random;

	bool connected;
	bool over; /* our session has ended: nothing of ours is left */
	uint64_t generation;

	enum ours ours;
	char prefix[PREFIX_BYTES];
	struct own_name names[ZKFS_NAMES_MAX];
	size_t n_names;
	int join_error; /* UNKNOWN: what to fail with if nothing is found */
	int64_t sequence;
	int64_t token;
	bool own_watched; /* ASK_OWN was sent and its watch not lost since */

	struct zkfs_queue queue; /* as listed, less those known to be gone */
	const struct zkfs_queue_entry *blocker;
	char *blocker_path;
	bool blocker_hidden; /* we may not read it: EXISTS needs no right */
	bool relist;	     /* the list must be read again before a grant */
	bool clear;	     /* nobody is before us */

	bool wanted[_ZKFS_LOCKQ_ASK_N];
	bool busy[_ZKFS_LOCKQ_ASK_N];
	bool stale[_ZKFS_LOCKQ_ASK_N];
	bool held_back[_ZKFS_LOCKQ_ASK_N];
	/* Of ASK_JOIN or ASK_LEAVE, never of both. */
	struct zkfs_zk_op ops[ZKFS_NAMES_MAX];
};

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

static void move(struct zkfs_lockq *lockq, enum zkfs_lockq_state state)
{
	assert(states[lockq->state].successors & (1u << state));
	lockq->state = state;
}

/* In the queue, and it means something to the user. */
static bool is_queued(const struct zkfs_lockq *lockq)
{
	return lockq->state == ZKFS_LOCKQ_LISTING ||
	       lockq->state == ZKFS_LOCKQ_WAITING ||
	       lockq->state == ZKFS_LOCKQ_HELD;
}

static void want(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask)
{
	lockq->wanted[ask] = true;
}

static void forget_queue(struct zkfs_lockq *lockq)
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
	forget_queue(lockq);
	lockq->ours = OURS_NONE;
	move(lockq, state);
}

/* A list behind a sync shows what a lost transaction did: the sync goes
 * through the leader, which by then has either done the transaction or will
 * refuse it, as it came by a connection that was given up. */
static void search(struct zkfs_lockq *lockq)
{
	lockq->stale[ZKFS_LOCKQ_ASK_LIST] = lockq->busy[ZKFS_LOCKQ_ASK_LIST];
	want(lockq, ZKFS_LOCKQ_ASK_SYNC);
	want(lockq, ZKFS_LOCKQ_ASK_LIST);
}

static void begin_leave(struct zkfs_lockq *lockq, enum zkfs_lockq_state after)
{
	assert(lockq->ours != OURS_NONE);

	drop_requests(lockq);
	forget_queue(lockq);
	lockq->after = after;
	move(lockq, ZKFS_LOCKQ_LEAVING);

	if (lockq->ours == OURS_KNOWN)
		want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
	else if (lockq->ours == OURS_UNKNOWN)
		search(lockq);
	/* PENDING: the reply of the join tells what there is to delete. */
}

static void end(struct zkfs_lockq *lockq, int error,
		enum zkfs_lockq_state state)
{
	lockq->error = error;
	if (lockq->ours == OURS_NONE)
		finish(lockq, state);
	else
		begin_leave(lockq, state);
}

static void fail(struct zkfs_lockq *lockq, int error)
{
	end(lockq, error, ZKFS_LOCKQ_FAILED);
}

static void lose(struct zkfs_lockq *lockq)
{
	lockq->error = -EIO;
	drop_requests(lockq);
	forget_queue(lockq);
	move(lockq, ZKFS_LOCKQ_LOST);
}

/* Our names were ephemeral: nothing is left of them. */
static void session_over(struct zkfs_lockq *lockq)
{
	lockq->over = true;
	lockq->connected = false;
	lockq->ours = OURS_NONE;
	switch (lockq->state) {
	case ZKFS_LOCKQ_LOOKING:
	case ZKFS_LOCKQ_JOINING:
		fail(lockq, -EIO);
		break;
	case ZKFS_LOCKQ_LISTING:
	case ZKFS_LOCKQ_WAITING:
	case ZKFS_LOCKQ_HELD:
		lose(lockq);
		break;
	case ZKFS_LOCKQ_LEAVING:
		finish(lockq, lockq->after);
		break;
	default:
		break;
	}
}

/* The grant. Nobody before us; the connection up, so that this is news of
 * now; and the watch on our own name sent, so that we shall hear of its end.
 * The reply to that one is not waited for: it comes right behind. */
static void try_grant(struct zkfs_lockq *lockq)
{
	if (!lockq->clear || !lockq->connected || !lockq->own_watched)
		return;

	assert(lockq->ours == OURS_KNOWN && !lockq->over);
	forget_queue(lockq);
	move(lockq, ZKFS_LOCKQ_HELD);
}

/* -- our names -- */

static const char *own_base(const struct zkfs_lockq *lockq, size_t i)
{
	return lockq->names[i].path + strlen(lockq->lock) + 1;
}

static void unmake(struct own_name *name)
{
	name->path[name->base_len] = '\0';
	name->made = false;
}

/* Takes `name` as the one made for names[i], if it is. */
static bool adopt_name(struct zkfs_lockq *lockq, size_t i, const char *name)
{
	struct own_name *own = &lockq->names[i];
	const char *base = own_base(lockq, i);
	struct zkfs_name_parts parts;
	size_t base_len, len;

	unmake(own);
	base_len = strlen(base);
	len = strlen(name);
	if (strncmp(name, base, base_len) != 0 || len - base_len > DIGITS_MAX ||
	    !zkfs_names_parse(name, &parts))
		return false;

	memcpy(own->path + own->base_len, name + base_len, len - base_len + 1);
	own->made = true;
	if (i == 0)
		lockq->sequence = parts.sequence;
	return true;
}

/* Takes those of our names that `entry` (may be NULL) shows. Returns their
 * number. */
static size_t adopt_entry(struct zkfs_lockq *lockq,
			  const struct zkfs_queue_entry *entry)
{
	size_t n = 0;

	for (size_t i = 0; i < lockq->n_names; i++) {
		unmake(&lockq->names[i]);
		for (size_t j = 0; entry && j < entry->n_names; j++)
			if (adopt_name(lockq, i, entry->names[j])) {
				n++;
				break;
			}
	}
	return n;
}

/* Whether the list still has all of them: with one missing, one family of
 * clients does not see us. */
static bool all_listed(const struct zkfs_lockq *lockq,
		       const struct zkfs_queue *queue)
{
	const struct zkfs_queue_entry *entry =
		zkfs_queue_find(queue, lockq->prefix);
	size_t n = 0;

	for (size_t i = 0; i < lockq->n_names; i++)
		for (size_t j = 0; entry && j < entry->n_names; j++)
			n += lockq->names[i].made &&
			     !strcmp(own_base(lockq, i), entry->names[j]);
	return n == lockq->n_names;
}

/* -- joining -- */

static void begin_join(struct zkfs_lockq *lockq)
{
	move(lockq, ZKFS_LOCKQ_JOINING);
	want(lockq, ZKFS_LOCKQ_ASK_JOIN);
	want(lockq, ZKFS_LOCKQ_ASK_LIST);
}

/* The names are made and known. Returns whether to go on. */
static bool joined(struct zkfs_lockq *lockq)
{
	lockq->ours = OURS_KNOWN;
	if (lockq->state == ZKFS_LOCKQ_LEAVING) {
		want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
		return false;
	}

	move(lockq, ZKFS_LOCKQ_LISTING);
	if (lockq->sequence < 0 || lockq->sequence > SEQUENCE_MAX) {
		fail(lockq, -EOVERFLOW);
		return false;
	}
	want(lockq, ZKFS_LOCKQ_ASK_OWN);
	return true;
}

static void join_unknown(struct zkfs_lockq *lockq, int error)
{
	lockq->ours = OURS_UNKNOWN;
	lockq->join_error = error;
	search(lockq);
}

/* It certainly made nothing. */
static void join_failed(struct zkfs_lockq *lockq, int error)
{
	lockq->ours = OURS_NONE;
	if (lockq->state == ZKFS_LOCKQ_LEAVING)
		finish(lockq, lockq->after);
	else
		fail(lockq, error);
}

static void reply_join(struct zkfs_lockq *lockq,
		       const struct zkfs_zk_reply *reply)
{
	int error = zkfs_error_to_errno(reply->error);

	assert(lockq->ours == OURS_PENDING);

	switch (reply->error) {
	case ZKFS_E_OK:
		for (size_t i = 0; i < lockq->n_names; i++)
			if (!adopt_name(lockq, i, lockq->ops[i].name)) {
				join_unknown(lockq, -EIO);
				return;
			}
		(void)joined(lockq);
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
static bool may_downgrade(const struct zkfs_lockq *lockq)
{
	for (size_t i = 0; i < lockq->queue.n_entries; i++) {
		const struct zkfs_queue_entry *entry = &lockq->queue.entries[i];

		if (entry->sequence <= lockq->sequence &&
		    entry->may_downgrade &&
		    strncmp(entry->names[0], lockq->prefix,
			    strlen(lockq->prefix)) != 0)
			return true;
	}
	return false;
}

static void wait_for(struct zkfs_lockq *lockq,
		     const struct zkfs_queue_entry *entry)
{
	lockq->blocker = entry;
	lockq->blocker_hidden = false;
	if (lockq->state != ZKFS_LOCKQ_WAITING)
		move(lockq, ZKFS_LOCKQ_WAITING);
	want(lockq, ZKFS_LOCKQ_ASK_BLOCKER);
}

/* What to wait for next, by the kept list. */
static void next_blocker(struct zkfs_lockq *lockq)
{
	const struct zkfs_queue_entry *entry = zkfs_queue_blocker(
		&lockq->queue, lockq->sequence, lockq->mode, lockq->prefix);

	if (entry && lockq->try) {
		end(lockq, -EAGAIN, ZKFS_LOCKQ_BUSY);
	} else if (entry) {
		wait_for(lockq, entry);
	} else if (lockq->relist) {
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
	} else {
		lockq->clear = true;
		try_grant(lockq);
	}
}

/* The kept list still holds those before the one that went, and numbers only
 * grow, so that it need not be read again to find the next. But when several
 * are left, most are gone too, as locks are granted in order, and one list
 * is less than asking for each. */
static void blocker_gone(struct zkfs_lockq *lockq)
{
	zkfs_queue_remove(&lockq->queue, lockq->blocker);
	lockq->blocker = NULL;
	if (zkfs_queue_n_blockers(&lockq->queue, lockq->sequence, lockq->mode,
				  lockq->prefix) > 1)
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
	else
		next_blocker(lockq);
}

static void reply_blocker(struct zkfs_lockq *lockq,
			  const struct zkfs_zk_reply *reply)
{
	if (lockq->state != ZKFS_LOCKQ_WAITING || !lockq->blocker)
		return;

	switch (reply->error) {
	case ZKFS_E_OK:
		break;
	case ZKFS_E_NONODE:
		blocker_gone(lockq);
		break;
	case ZKFS_E_TIMEDOUT:
	case ZKFS_E_LOST:
		want(lockq, ZKFS_LOCKQ_ASK_BLOCKER);
		break;
	case ZKFS_E_NOAUTH:
		if (lockq->blocker_hidden) {
			fail(lockq, -EACCES);
			break;
		}
		lockq->blocker_hidden = true;
		want(lockq, ZKFS_LOCKQ_ASK_BLOCKER);
		break;
	default:
		fail(lockq, zkfs_error_to_errno(reply->error));
		break;
	}
}

static void reply_own(struct zkfs_lockq *lockq,
		      const struct zkfs_zk_reply *reply)
{
	if (!is_queued(lockq))
		return;

	switch (reply->error) {
	case ZKFS_E_OK:
		lockq->token = reply->stat->czxid;
		break;
	case ZKFS_E_NONODE:
		lose(lockq);
		break;
	default:
		lockq->own_watched = false;
		lockq->held_back[ZKFS_LOCKQ_ASK_OWN] =
			reply->error != ZKFS_E_TIMEDOUT &&
			reply->error != ZKFS_E_LOST;
		want(lockq, ZKFS_LOCKQ_ASK_OWN);
		break;
	}
}

/* -- lists -- */

/* Only a list that was sent behind a sync that succeeded tells. */
static void searched(struct zkfs_lockq *lockq, struct zkfs_queue *queue)
{
	const struct zkfs_queue_entry *entry =
		zkfs_queue_find(queue, lockq->prefix);

	if (lockq->busy[ZKFS_LOCKQ_ASK_SYNC] ||
	    lockq->wanted[ZKFS_LOCKQ_ASK_SYNC]) {
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
		return;
	}

	if (adopt_entry(lockq, entry) > 0) {
		if (!joined(lockq))
			return;
		/* As for a list of LISTING, but it need not be read again. */
		if (!all_listed(lockq, queue)) {
			lose(lockq);
			return;
		}
		lockq->queue = *queue;
		*queue = (struct zkfs_queue){0};
		lockq->relist = may_downgrade(lockq);
		next_blocker(lockq);
		return;
	}

	lockq->ours = OURS_NONE;
	if (lockq->state == ZKFS_LOCKQ_LEAVING) {
		finish(lockq, lockq->after);
	} else if (lockq->join_error) {
		fail(lockq, lockq->join_error);
	} else {
		want(lockq, ZKFS_LOCKQ_ASK_JOIN);
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
	}
}

static void listed(struct zkfs_lockq *lockq, struct zkfs_queue *queue)
{
	if (!all_listed(lockq, queue)) {
		lose(lockq);
		return;
	}
	forget_queue(lockq);
	lockq->queue = *queue;
	*queue = (struct zkfs_queue){0};
	lockq->relist = may_downgrade(lockq);
	next_blocker(lockq);
}

static void looked(struct zkfs_lockq *lockq, const struct zkfs_queue *queue)
{
	if (zkfs_queue_blocker(queue, INT64_MAX, lockq->mode, NULL))
		end(lockq, -EAGAIN, ZKFS_LOCKQ_BUSY);
	else
		begin_join(lockq);
}

/* Whether the list is to find out what is left of us. */
static bool is_search(const struct zkfs_lockq *lockq)
{
	return lockq->ours == OURS_UNKNOWN ||
	       lockq->state == ZKFS_LOCKQ_LEAVING;
}

static void take_list(struct zkfs_lockq *lockq, struct zkfs_queue *queue)
{
	if (lockq->state == ZKFS_LOCKQ_LOOKING) {
		looked(lockq, queue);
	} else if (lockq->ours == OURS_UNKNOWN) {
		searched(lockq, queue);
	} else if (lockq->state == ZKFS_LOCKQ_LEAVING) {
		const struct zkfs_queue_entry *entry =
			zkfs_queue_find(queue, lockq->prefix);

		if (adopt_entry(lockq, entry) > 0)
			want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
		else
			finish(lockq, lockq->after);
	} else if (lockq->state == ZKFS_LOCKQ_JOINING) {
		/* Overtook the join's reply, which no server does. */
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
	} else if (is_queued(lockq)) {
		listed(lockq, queue);
	}
}

/* A list that was refused, or could not be kept. What may be left of us must
 * still be found, so that a search is only put off. */
static void list_refused(struct zkfs_lockq *lockq, int error)
{
	if (!is_search(lockq)) {
		fail(lockq, error);
		return;
	}

	if (lockq->state != ZKFS_LOCKQ_LEAVING)
		fail(lockq, error);
	if (lockq->ours == OURS_UNKNOWN)
		search(lockq);
	else
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
	lockq->held_back[ZKFS_LOCKQ_ASK_LIST] = true;
}

static void list_failed(struct zkfs_lockq *lockq, enum zkfs_error error)
{
	bool unanswered = error == ZKFS_E_TIMEDOUT || error == ZKFS_E_LOST;

	if (error == ZKFS_E_NONODE && is_search(lockq)) {
		struct zkfs_queue empty = {0};

		take_list(lockq, &empty);
	} else if (error == ZKFS_E_NONODE && is_queued(lockq)) {
		lose(lockq);
	} else if (unanswered && lockq->ours == OURS_UNKNOWN) {
		search(lockq);
	} else if (unanswered && lockq->ours != OURS_NONE) {
		/* We stand in the queue; how long to bear with a silent server
		 * is for the lease to say. */
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
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
	if (reply->error == ZKFS_E_OK || lockq->ours != OURS_UNKNOWN)
		return;

	search(lockq);
	lockq->held_back[ZKFS_LOCKQ_ASK_SYNC] =
		reply->error != ZKFS_E_TIMEDOUT && reply->error != ZKFS_E_LOST;
}

/* -- leaving -- */

static void reply_leave(struct zkfs_lockq *lockq,
			const struct zkfs_zk_reply *reply)
{
	assert(lockq->state == ZKFS_LOCKQ_LEAVING);

	switch (reply->error) {
	case ZKFS_E_OK:
		finish(lockq, lockq->after);
		break;
	case ZKFS_E_NONODE:
		/* An earlier try did it, or somebody took a part of us, and
		 * then the transaction has left the rest. */
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
		break;
	case ZKFS_E_LOST:
	case ZKFS_E_TIMEDOUT:
		want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
		break;
	default:
		want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
		lockq->held_back[ZKFS_LOCKQ_ASK_LEAVE] = true;
		break;
	}
}

/* -- requests -- */

static void fill_join(struct zkfs_lockq *lockq, struct zkfs_lockq_request *req)
{
	lockq->ours = OURS_PENDING;
	for (size_t i = 0; i < lockq->n_names; i++) {
		unmake(&lockq->names[i]);
		lockq->ops[i] = (struct zkfs_zk_op){
			.kind = ZKFS_ZK_OP_CREATE,
			.path = lockq->names[i].path,
			.data = i == 0 ? lockq->data : "",
			.len = i == 0 ? strlen(lockq->data) : 0,
			.flags = ZKFS_ZK_EPHEMERAL | ZKFS_ZK_SEQUENCE,
		};
	}
	req->kind = ZKFS_ZK_MULTI;
	req->path = lockq->lock;
	req->ops = lockq->ops;
	req->n_ops = lockq->n_names;
}

static void fill_leave(struct zkfs_lockq *lockq, struct zkfs_lockq_request *req)
{
	size_t n = 0;

	for (size_t i = 0; i < lockq->n_names; i++)
		if (lockq->names[i].made)
			lockq->ops[n++] = (struct zkfs_zk_op){
				.kind = ZKFS_ZK_OP_DELETE,
				.path = lockq->names[i].path,
				.version = ZKFS_ZK_ANY_VERSION,
			};
	assert(n > 0);
	req->kind = ZKFS_ZK_MULTI;
	req->path = lockq->lock;
	req->ops = lockq->ops;
	req->n_ops = n;
}

/* Only now, when no request under way uses the old path. GET sets no watch on
 * a znode that is gone, EXISTS would. */
static int fill_blocker(struct zkfs_lockq *lockq,
			struct zkfs_lockq_request *req)
{
	char *path;

	if (asprintf(&path, "%s/%s", lockq->lock, lockq->blocker->names[0]) < 0)
		return -ENOMEM;

	free(lockq->blocker_path);
	lockq->blocker_path = path;
	req->kind = lockq->blocker_hidden ? ZKFS_ZK_EXISTS : ZKFS_ZK_GET;
	req->path = path;
	return 0;
}

static int fill(struct zkfs_lockq *lockq, struct zkfs_lockq_request *req)
{
	req->path = lockq->lock;
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
		req->kind = ZKFS_ZK_EXISTS;
		req->path = lockq->names[0].path;
		lockq->own_watched = true;
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
	ZKFS_LOCKQ_ASK_JOIN, ZKFS_LOCKQ_ASK_SYNC,    ZKFS_LOCKQ_ASK_LIST,
	ZKFS_LOCKQ_ASK_OWN,  ZKFS_LOCKQ_ASK_BLOCKER, ZKFS_LOCKQ_ASK_LEAVE,
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
		int r = fill(lockq, &req);

		if (r < 0) {
			fail(lockq, r);
			continue;
		}
		lockq->wanted[req.ask] = false;
		lockq->busy[req.ask] = true;
		try_grant(lockq);
		*ret_request = req;
		return true;
	}
	return false;
}

void zkfs_lockq_reply(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		      const struct zkfs_zk_reply *reply)
{
	static void (*const handlers[_ZKFS_LOCKQ_ASK_N])(
		struct zkfs_lockq *, const struct zkfs_zk_reply *) = {
		[ZKFS_LOCKQ_ASK_JOIN] = reply_join,
		[ZKFS_LOCKQ_ASK_SYNC] = reply_sync,
		[ZKFS_LOCKQ_ASK_LIST] = reply_list,
		[ZKFS_LOCKQ_ASK_BLOCKER] = reply_blocker,
		[ZKFS_LOCKQ_ASK_OWN] = reply_own,
		[ZKFS_LOCKQ_ASK_LEAVE] = reply_leave,
	};
	bool stale = lockq->stale[ask];

	assert(lockq->busy[ask]);
	lockq->busy[ask] = false;
	lockq->stale[ask] = false;
	if (lockq->over)
		return;
	if (reply->error == ZKFS_E_EXPIRED)
		session_over(lockq);
	else if (!stale)
		handlers[ask](lockq, reply);
}

void zkfs_lockq_fired(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		      enum zkfs_zk_event event)
{
	assert(ask == ZKFS_LOCKQ_ASK_BLOCKER || ask == ZKFS_LOCKQ_ASK_OWN);

	if (!is_queued(lockq))
		return;
	if (ask == ZKFS_LOCKQ_ASK_BLOCKER && !lockq->blocker)
		return;

	/* What is under way was asked before this happened. */
	lockq->stale[ask] = lockq->busy[ask];
	if (ask == ZKFS_LOCKQ_ASK_OWN)
		lockq->own_watched = false;
	if (event != ZKFS_ZK_DELETED)
		want(lockq, ask);
	else if (ask == ZKFS_LOCKQ_ASK_OWN)
		lose(lockq);
	else
		blocker_gone(lockq);
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
	try_grant(lockq);
}

void zkfs_lockq_lose(struct zkfs_lockq *lockq)
{
	if (is_queued(lockq))
		lose(lockq);
	else if (lockq->state == ZKFS_LOCKQ_LOOKING ||
		 lockq->state == ZKFS_LOCKQ_JOINING)
		fail(lockq, -EIO);
}

void zkfs_lockq_leave(struct zkfs_lockq *lockq)
{
	if (lockq->state == ZKFS_LOCKQ_GONE)
		return;
	if (lockq->state == ZKFS_LOCKQ_LEAVING)
		lockq->after = ZKFS_LOCKQ_GONE;
	else
		end(lockq, lockq->error, ZKFS_LOCKQ_GONE);
}

/* -- from first to last -- */

/* Room for every path of ours; the names are written by set_names(). */
static int allocate_names(struct zkfs_lockq *lockq)
{
	char built[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];
	char uuid[ZKFS_UUID_BYTES];

	zkfs_names_uuid(uuid, 0, 0);
	lockq->n_names =
		zkfs_names_build(built, lockq->mode, lockq->families, uuid,
				 lockq->host, lockq->pid, lockq->label);
	for (size_t i = 0; i < lockq->n_names; i++) {
		struct own_name *name = &lockq->names[i];

		name->base_len = strlen(lockq->lock) + 1 + strlen(built[i]);
		name->path = calloc(1, name->base_len + DIGITS_MAX + 1);
		if (!name->path)
			return -ENOMEM;
	}
	return 0;
}

static void set_names(struct zkfs_lockq *lockq, int64_t session_id)
{
	char built[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];
	char uuid[ZKFS_UUID_BYTES];

	zkfs_names_uuid(uuid, session_id, lockq->random);
	(void)snprintf(lockq->prefix, sizeof(lockq->prefix), "_c_%s-", uuid);
	(void)zkfs_names_build(built, lockq->mode, lockq->families, uuid,
			       lockq->host, lockq->pid, lockq->label);
	for (size_t i = 0; i < lockq->n_names; i++)
		(void)snprintf(lockq->names[i].path,
			       lockq->names[i].base_len + 1, "%s/%s",
			       lockq->lock, built[i]);
}

struct zkfs_lockq *zkfs_lockq_new(const struct zkfs_lockq_config *config)
{
	struct zkfs_lockq *lockq = calloc(1, sizeof(*lockq));

	if (!lockq)
		return NULL;

	lockq->lock = strdup(config->lock);
	lockq->label = strdup(config->label);
	lockq->host = strdup(config->host);
	lockq->data = strdup(config->data ? config->data : "");
	lockq->pid = config->pid;
	lockq->mode = config->mode;
	lockq->families = config->families;
	lockq->try = config->try;
	lockq->random = config->random;
	if (!lockq->lock || !lockq->label || !lockq->host || !lockq->data ||
	    allocate_names(lockq) < 0)
		return zkfs_lockq_free(lockq);
	return lockq;
}

struct zkfs_lockq *zkfs_lockq_free(struct zkfs_lockq *lockq)
{
	if (!lockq)
		return NULL;

	zkfs_queue_fini(&lockq->queue);
	for (size_t i = 0; i < ZKFS_NAMES_MAX; i++)
		free(lockq->names[i].path);
	free(lockq->blocker_path);
	free(lockq->data);
	free(lockq->host);
	free(lockq->label);
	free(lockq->lock);
	free(lockq);
	return NULL;
}

void zkfs_lockq_start(struct zkfs_lockq *lockq, uint64_t generation,
		      int64_t session_id)
{
	assert(lockq->state == ZKFS_LOCKQ_IDLE);

	lockq->generation = generation;
	lockq->connected = true;
	set_names(lockq, session_id);
	if (lockq->try) {
		move(lockq, ZKFS_LOCKQ_LOOKING);
		want(lockq, ZKFS_LOCKQ_ASK_LIST);
	} else {
		begin_join(lockq);
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
	return lockq->names[0].made ? lockq->names[0].path : NULL;
}

const char *zkfs_lockq_prefix(const struct zkfs_lockq *lockq)
{
	return lockq->prefix;
}

const char *zkfs_lockq_state_name(enum zkfs_lockq_state state)
{
	assert(state >= 0 && state < _ZKFS_LOCKQ_STATE_N);
	return states[state].name;
}

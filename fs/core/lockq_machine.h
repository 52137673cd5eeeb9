/*
 * lockq_machine: the inside of a lockq, shared by its parts: lockq.c (the
 * states, the requests, the way out), lockq_recipe.c (what follows from each
 * reply), lockq_meet.c (what contenders of one session know of each other),
 * lockq_twins.c (the names beside the primary) and lockq_renew.c (numbers that
 * begin anew).
 *
 * Two things are kept apart. `state` is what the user sees. `ours` is what is
 * known of our names on the server, and it alone decides whether anything has
 * to be taken out there.
 *
 * For each request there are four bits: `wanted` (next() will yield it),
 * `busy` (yielded and not replied to), `stale` (busy, but the reply no longer
 * means what it was asked for and is dropped), and `held_back` (wanted, but
 * the server has just refused it: not before the next zkfs_lockq_session()).
 */
#ifndef ZKFS_CORE_LOCKQ_MACHINE_H
#define ZKFS_CORE_LOCKQ_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/core/lockq_own.h"
#include "include/zkfs/lockq.h"

enum zkfs_lockq_ours {
	ZKFS_OURS_NONE,	   /* certainly nothing is there */
	ZKFS_OURS_PENDING, /* the transaction that makes them is under way */
	ZKFS_OURS_UNKNOWN, /* its reply was lost: a sync and a list tell */
	ZKFS_OURS_KNOWN,   /* they were made; own.names[].made says which */
};

/* What is known of a name of ours that is not the primary. */
enum zkfs_lockq_twin {
	ZKFS_TWIN_MADE,	   /* it was there when we joined */
	ZKFS_TWIN_SEEN,	   /* and after all who blocked us had gone */
	ZKFS_TWIN_WATCHED, /* and we shall hear of its end */
};

/* What there can be in one transaction: our names to create or to delete, and
 * the directory's delete, create and set. */
#define ZKFS_LOCKQ_OPS_MAX (ZKFS_NAMES_MAX + 3)

/* The lock's directory, as it is to be made anew: lockq_renew.c. */
struct zkfs_lockq_renew {
	bool over;  /* not (any more) */
	bool ready; /* all that follows is known */
	int result; /* zkfs_lockq_renewed() */
	struct zkfs_stat stat;
	void *data;
	size_t len;
	void *acl;
	size_t acl_len;
};

struct zkfs_lockq {
	enum zkfs_lockq_state state;
	enum zkfs_lockq_state after; /* LEAVING: what follows */
	int error;
	struct zkfs_lockq_config config; /* strings are owned */

	bool connected;
	bool over; /* our session has ended: nothing of ours is left */
	uint64_t generation;

	enum zkfs_lockq_ours ours;
	struct zkfs_lockq_own own;
	int join_error;	  /* UNKNOWN: what to fail with if nothing is found */
	bool own_watched; /* ASK_OWN was sent and its watch not lost since */
	bool own_hidden;  /* we may not read it: EXISTS needs no right */
	enum zkfs_lockq_twin twins[ZKFS_NAMES_MAX]; /* but the primary */
	bool old; /* has waited for a heartbeat or longer */
	bool has_held;
	int put_off; /* zkfs_lockq_put_off() */
	int64_t token;

	struct zkfs_queue queue; /* the nearest of those before us */
	bool many;		 /* there were more than the queue keeps */
	const struct zkfs_queue_entry *blocker;
	char *blocker_path;
	bool blocker_hidden; /* we may not read it: EXISTS needs no right */
	bool blocker_seen;   /* by a list or a read behind our join */
	bool blocker_held;   /* it has been granted, and exclusively */
	bool far;    /* nobody has told who is between us and the blocker */
	bool relist; /* the list must be read again before a grant */
	bool clear;  /* nobody is before us */

	bool wanted[_ZKFS_LOCKQ_ASK_N];
	bool busy[_ZKFS_LOCKQ_ASK_N];
	bool stale[_ZKFS_LOCKQ_ASK_N];
	bool held_back[_ZKFS_LOCKQ_ASK_N];
	bool unwatched[_ZKFS_LOCKQ_ASK_N]; /* answered, and not watched */
	/* Of ASK_JOIN or ASK_LEAVE, never of both. */
	struct zkfs_zk_op ops[ZKFS_LOCKQ_OPS_MAX];
	struct zkfs_lockq_renew renew;
};

static inline void zkfs_lockq_want(struct zkfs_lockq *lockq,
				   enum zkfs_lockq_ask ask)
{
	lockq->wanted[ask] = true;
}

/* In the queue, and it means something to the user. */
static inline bool zkfs_lockq_is_queued(const struct zkfs_lockq *lockq)
{
	return lockq->state == ZKFS_LOCKQ_LISTING ||
	       lockq->state == ZKFS_LOCKQ_WAITING ||
	       lockq->state == ZKFS_LOCKQ_HELD;
}

/* lockq.c */
void zkfs_lockq_move(struct zkfs_lockq *lockq, enum zkfs_lockq_state state);
void zkfs_lockq_forget_queue(struct zkfs_lockq *lockq);
/* Asks what became of the join: a list behind a sync. */
void zkfs_lockq_search(struct zkfs_lockq *lockq);
/* To `state`, by way of LEAVING if something of ours may be there. */
void zkfs_lockq_end(struct zkfs_lockq *lockq, int error,
		    enum zkfs_lockq_state state);
void zkfs_lockq_fail(struct zkfs_lockq *lockq, int error);
/* To the state that LEAVING was for: nothing of ours is left. */
void zkfs_lockq_left(struct zkfs_lockq *lockq);
void zkfs_lockq_lost(struct zkfs_lockq *lockq);
void zkfs_lockq_try_grant(struct zkfs_lockq *lockq);

/* lockq_meet.c */

/* With the blocker everybody before us has gone: it has been alone. */
bool zkfs_lockq_all_gone(const struct zkfs_lockq *lockq);

/* lockq_twins.c */

bool zkfs_lockq_is_twin(enum zkfs_lockq_ask ask);
void zkfs_lockq_fill_twin(struct zkfs_lockq *lockq,
			  struct zkfs_lockq_request *req);
void zkfs_lockq_reply_twin(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
			   const struct zkfs_zk_reply *reply);
void zkfs_lockq_twin_fired(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask);
/* A list has shown them all. */
void zkfs_lockq_twins_listed(struct zkfs_lockq *lockq);
/* Who was before us has gone: what was seen before that is old. */
void zkfs_lockq_twins_stale(struct zkfs_lockq *lockq);
/* Whether we may be granted as far as they go. If not, asks for them. */
bool zkfs_lockq_twins_sure(struct zkfs_lockq *lockq);

/* lockq_renew.c */

/* LEAVING with names that are known: asks for what takes them out. */
void zkfs_lockq_begin_leave(struct zkfs_lockq *lockq);
/* Joining at this number is refused. */
bool zkfs_lockq_is_near_end(int64_t sequence);
/* Adds what makes the directory anew to the deletes of our names, if it is to
 * be. Returns the number of ops. */
size_t zkfs_lockq_renew_ops(struct zkfs_lockq *lockq, size_t n_ops);
/* The transaction was answered. Returns whether it is the renewal alone that
 * was refused: then the plain one is asked for. */
bool zkfs_lockq_renew_refused(struct zkfs_lockq *lockq, enum zkfs_error error);
void zkfs_lockq_renew_fini(struct zkfs_lockq_renew *renew);
void zkfs_lockq_reply_dir(struct zkfs_lockq *lockq,
			  const struct zkfs_zk_reply *reply);
void zkfs_lockq_reply_acl(struct zkfs_lockq *lockq,
			  const struct zkfs_zk_reply *reply);

/* lockq_recipe.c */
/* By a list, which may be of another contender: who is before us. `whole` is
 * taken over, or NULL; -ENOMEM only without it. */
int zkfs_lockq_adopt_list(struct zkfs_lockq *lockq,
			  const struct zkfs_queue *queue,
			  struct zkfs_queue *whole);
void zkfs_lockq_begin_join(struct zkfs_lockq *lockq);
void zkfs_lockq_wait_for(struct zkfs_lockq *lockq,
			 const struct zkfs_queue_entry *entry);
void zkfs_lockq_blocker_gone(struct zkfs_lockq *lockq);
void zkfs_lockq_take_reply(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
			   const struct zkfs_zk_reply *reply);

#endif

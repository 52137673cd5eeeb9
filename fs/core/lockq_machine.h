/*
 * lockq_machine: the inside of a lockq, shared by its two halves: lockq.c (the
 * states, the requests, the way out) and lockq_recipe.c (what follows from
 * each reply).
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
	int64_t token;

	struct zkfs_queue queue; /* the nearest of those before us */
	bool many;		 /* there were more than the queue keeps */
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

/* lockq_recipe.c */
void zkfs_lockq_begin_join(struct zkfs_lockq *lockq);
void zkfs_lockq_blocker_gone(struct zkfs_lockq *lockq);
void zkfs_lockq_take_reply(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
			   const struct zkfs_zk_reply *reply);

#endif

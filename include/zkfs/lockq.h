/*
 * lockq: one contender of one lock, from joining the queue until nothing of it
 * is left on the server. Pure: the caller carries out what
 * zkfs_lockq_next() says and reports what came of it.
 *
 *   IDLE -> LOOKING -> JOINING -> LISTING -> WAITING -> HELD
 *              |          |          |          |         |
 *              v          v          v          v         v
 *            BUSY      FAILED    (any state) LEAVING -> GONE        LOST
 *
 *   LOOKING  try only: is the lock free? (a busy one costs one read)
 *   JOINING  the transaction that creates our names is under way, or its
 *            reply was lost and we look for our uuid
 *   LISTING  the child list, asked for right behind the transaction
 *   WAITING  the nearest contender that blocks us is watched
 *   HELD     granted; our own names are watched, the primary from the start
 *            and the others from the next heartbeat on
 *   LEAVING  our names are being deleted, again and again until it is known
 *   terminal: GONE (nothing of ours is left), BUSY (try, and not free; nothing
 *            was made), FAILED (zkfs_lockq_error; nothing is left), LOST (held
 *            or waited and lost; the caller then calls zkfs_lockq_leave)
 *
 * How to drive it. After start, and after every reply, fired, session, lose
 * and leave, submit what zkfs_lockq_next() yields until it returns false, and
 * only then look at the state: next() may be what grants the lock, since a
 * grant needs our own watch to be on its way. Nothing is yielded while
 * disconnected. A watch that is still live when the next request of its kind
 * is submitted is taken back first (zkfs_zk_unwatch).
 *
 * The server's sequence numbers are a lock's own, have 32 bits, and repeat
 * themselves at the end (facts/locks.md, section 6). So long before that, who
 * leaves and finds itself alone makes the lock's directory anew in the same
 * transaction, which begins them at 0; near the end nobody joins any more
 * (EOVERFLOW), and the last who leaves does the same.
 *
 * The order is that of the sequence numbers the server gives (ZooKeeper
 * recipes, "Locks"). The list is read once: numbers only grow, so the set of
 * contenders before us only shrinks; it is read again when several of them may
 * be gone at once, and before a grant if a stock Curator write lock stood
 * before us, which may downgrade (facts/locks.md, section 11).
 *
 * With one of our names gone one family of clients does not see us any more, so
 * the loss of any of them is a loss. Nobody deletes them but by hand; so that a
 * short critical section costs nothing for it, the second and third are looked
 * after with the heartbeats, zkfs_lockq_beat(): who holds, or is next, watches
 * them from the next heartbeat on. Who has waited for one or more looks at them
 * once more before it is granted.
 *
 * Thousands who wait in one mount would list thousands of names each, when they
 * join and when one before them has gone. Both can be spared when the nearest
 * before us is a contender of our own session, as it is then known what the
 * list would say: zkfs_lockq_meet(). Where others take their turns in between,
 * one list serves all of them: zkfs_lockq_share(), zkfs_lockq_recall().
 */
#ifndef ZKFS_LOCKQ_H
#define ZKFS_LOCKQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/zkfs/names.h"
#include "include/zkfs/queue.h"
#include "include/zkfs/zk.h"

enum zkfs_lockq_state {
	ZKFS_LOCKQ_IDLE,
	ZKFS_LOCKQ_LOOKING,
	ZKFS_LOCKQ_JOINING,
	ZKFS_LOCKQ_LISTING,
	ZKFS_LOCKQ_WAITING,
	ZKFS_LOCKQ_HELD,
	ZKFS_LOCKQ_LEAVING,
	ZKFS_LOCKQ_GONE,
	ZKFS_LOCKQ_BUSY,
	ZKFS_LOCKQ_FAILED,
	ZKFS_LOCKQ_LOST,
	_ZKFS_LOCKQ_STATE_N
};

/* Requests to carry out; several may be under way at once, one of a kind. */
enum zkfs_lockq_ask {
	ZKFS_LOCKQ_ASK_JOIN, /* MULTI of the ops given */
	ZKFS_LOCKQ_ASK_SYNC, /* SYNC of path; sent before the list behind it */
	ZKFS_LOCKQ_ASK_LIST, /* CHILDREN of path */
	ZKFS_LOCKQ_ASK_BLOCKER, /* GET of path with the blocker's watch */
	ZKFS_LOCKQ_ASK_OWN,	/* CHILDREN of path with our own watch, or
				 * EXISTS; its czxid is the token */
	ZKFS_LOCKQ_ASK_SECOND,	/* EXISTS of path, of another name of ours */
	ZKFS_LOCKQ_ASK_THIRD,	/* the same */
	ZKFS_LOCKQ_ASK_DIR,	/* GET of path, before leaving */
	ZKFS_LOCKQ_ASK_ACL,	/* GET_ACL of path, the same */
	ZKFS_LOCKQ_ASK_LEAVE,	/* MULTI of the ops given */
	_ZKFS_LOCKQ_ASK_N
};

/* One request in the port's terms. Path and ops belong to the lockq and stay
 * valid until it is reported with zkfs_lockq_reply() or the lockq is
 * finished. `generation` is the session the request must go to. */
struct zkfs_lockq_request {
	enum zkfs_lockq_ask ask;
	enum zkfs_zk_kind kind;
	const char *path;
	struct zkfs_zk_op *ops;
	size_t n_ops;
	bool watch; /* sets the watch of this ask. It may be left out (there is
		     * no room for it): then each heartbeat asks again */
	uint64_t generation;
};

struct zkfs_lockq_config {
	const char *lock; /* path of the lock's directory */
	const char *label;
	const char *host;
	long pid;
	enum zkfs_lock_mode mode;
	unsigned families; /* enum zkfs_name_family */
	bool try;	   /* O_NONBLOCK: never wait */
	bool free;   /* try: it was found so just now. It joins at once, and
		      * leaves when somebody came between */
	bool behind; /* others of this session are in the queue, so that
		      * the list may be spared: it is not asked for before
		      * the join's reply */
	bool crowd;  /* ... and they are many: it may wait behind the last of
		      * them that is before it, and leave the list for later */
	uint64_t random;  /* for the uuid */
	const char *data; /* of the primary, copied */
};

struct zkfs_lockq;

/* Copies what it needs. Returns NULL when memory is short. */
struct zkfs_lockq *zkfs_lockq_new(const struct zkfs_lockq_config *config);
/* Frees; the caller has cancelled what is under way. Returns NULL. */
struct zkfs_lockq *zkfs_lockq_free(struct zkfs_lockq *lockq);

/* Starts: binds the contender to this session. Call once, while connected. */
void zkfs_lockq_start(struct zkfs_lockq *lockq, uint64_t generation,
		      int64_t session_id);

/* The next request to submit, until it returns false. */
bool zkfs_lockq_next(struct zkfs_lockq *lockq,
		     struct zkfs_lockq_request *ret_request);
void zkfs_lockq_reply(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		      const struct zkfs_zk_reply *reply);
/* The watch that this request has set fired. */
void zkfs_lockq_fired(struct zkfs_lockq *lockq, enum zkfs_lockq_ask ask,
		      enum zkfs_zk_event event);
/* Tells of another contender of the same session and lock. Call it for each of
 * them when ASK_JOIN was answered, and before an answer or event that says that
 * the blocker has gone is passed on. Never needed, and never wrong. */
void zkfs_lockq_meet(struct zkfs_lockq *lockq, const struct zkfs_lockq *other);
/* Whether it waits for another one's list, or for its turn to read one. */
bool zkfs_lockq_needs_list(const struct zkfs_lockq *lockq);
/* Tells of a list of the lock that another contender of the same session has
 * read. Never needed, and never wrong. */
void zkfs_lockq_share(struct zkfs_lockq *lockq, const struct zkfs_queue *queue);

/* Contenders of one lock and one client that have held it alone: the newest. */
#define ZKFS_LOCKQ_HOLDERS 16
struct zkfs_lockq_holder {
	char prefix[3 + ZKFS_UUID_BYTES + 1]; /* "": none */
	bool gone;			      /* nothing of it is left */
};
struct zkfs_lockq_holders {
	struct zkfs_lockq_holder all[ZKFS_LOCKQ_HOLDERS];
	unsigned next;
};
/* A contender of the lock is HELD, or was and is over. */
void zkfs_lockq_note(struct zkfs_lockq_holders *holders,
		     const struct zkfs_lockq *lockq);
/* Before an answer or event that says that the blocker has gone is passed on:
 * who else is known to have gone. Never needed, and never wrong. */
void zkfs_lockq_recall(struct zkfs_lockq *lockq,
		       struct zkfs_lockq_holders *holders);
/* The connection came or went, or a new session began. While disconnected
 * nothing is granted; a new generation loses the contender. Calling it with
 * nothing changed is allowed, and tries again what a server has refused (a
 * delete it had no right to refuse): do so with each heartbeat while one is
 * LEAVING. */
void zkfs_lockq_session(struct zkfs_lockq *lockq, bool connected,
			uint64_t generation);
/* A heartbeat of the session was answered: what is not under a watch, or was
 * refused, is asked for again. Returns whether there is something to submit. */
bool zkfs_lockq_beat(struct zkfs_lockq *lockq);
/* The lease is over: what is held or waited for is LOST (-EIO), whatever the
 * server says later. One that is not in the queue yet FAILS. */
void zkfs_lockq_lose(struct zkfs_lockq *lockq);
/* Takes the contender out, from any state; GONE when nothing is left. */
void zkfs_lockq_leave(struct zkfs_lockq *lockq);

enum zkfs_lockq_state zkfs_lockq_state(const struct zkfs_lockq *lockq);
/* FAILED, BUSY and LOST, and LEAVING on the way there: the negative errno for
 * the caller. */
int zkfs_lockq_error(const struct zkfs_lockq *lockq);
/* The fencing token: czxid of the primary; 0 until it is known. */
int64_t zkfs_lockq_token(const struct zkfs_lockq *lockq);
/* Path of the primary with its digits; NULL until it is known. */
const char *zkfs_lockq_primary(const struct zkfs_lockq *lockq);
/* "_c_<uuid>-": what all names of this contender begin with. */
const char *zkfs_lockq_prefix(const struct zkfs_lockq *lockq);
/* The negative errno for which the server has last refused to let this
 * contender leave; 0 if it never has. */
int zkfs_lockq_put_off(const struct zkfs_lockq *lockq);
/* Whether the sequence numbers began anew when this contender left: 0, 1, or
 * the negative errno for which they could not though it was alone. */
int zkfs_lockq_renewed(const struct zkfs_lockq *lockq);
const char *zkfs_lockq_state_name(enum zkfs_lockq_state state);

#endif

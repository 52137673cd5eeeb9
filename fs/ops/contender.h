/*
 * contender: one lockq (core/lockq) with its requests to the server, from the
 * claim that makes it join until nothing of it is left. It outlives who asked
 * for it: what was joined is deleted again, and that is retried until it is
 * known.
 *
 * A claim is a request that waits for the lock: an open (ops/hold), a flock or
 * fcntl (ops/flock). When the lock is granted the claim's maker becomes the
 * contender's owner, until it lets it leave.
 */
#ifndef ZKFS_OPS_CONTENDER_H
#define ZKFS_OPS_CONTENDER_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "fs/core/quota.h"
#include "fs/ops/handle.h"
#include "fs/ops/reply.h"
#include "include/zkfs/lockq.h"

struct zkfs_contender;

/* An interrupted wait keeps its place so long: shells try again at once. */
#define ZKFS_CONTENDER_GRACE_MS 1000

/* A request that waits for the lock. Exactly one of the functions is called,
 * once, unless the claim is interrupted or freed before. */
struct zkfs_claim {
	struct zkfs_op op;
	struct zkfs_contender *contender;
	/* It stands in the queue behind others: answers the op, and makes
	 * somebody the contender's owner, who will be told of the rest. NULL:
	 * the op waits. */
	void (*queued)(struct zkfs_claim *claim,
		       struct zkfs_contender *contender);
	/* The lock is ours: answers the op. Returns whether the caller heard;
	 * else the contender leaves. */
	bool (*granted)(struct zkfs_claim *claim,
			struct zkfs_contender *contender);
	/* It is not, and will not be: answers the op with the error. */
	void (*failed)(struct zkfs_claim *claim, int error);
};

/* Who holds what was granted, or waits for it in the background. */
struct zkfs_contender_owner {
	/* The lock has been granted, its token has come to be known, or all is
	 * lost (broken). */
	void (*changed)(struct zkfs_contender_owner *owner);
};

/* Who waits until nothing of a contender is left. */
struct zkfs_contender_leaver {
	void (*left)(struct zkfs_contender_leaver *leaver);
	struct zkfs_link link;
};

/* One request of the lockq, and the watch it sets. */
struct zkfs_contender_ask {
	struct zkfs_contender *contender;
	enum zkfs_lockq_ask ask;
	struct zkfs_zk_req req;
	struct zkfs_zk_watch watch;
};

struct zkfs_contender {
	struct zkfs_fs *fs;
	struct zkfs_lockq *lockq;
	char *lock;  /* path of the lock */
	char *label; /* the entry's name */
	char *info;  /* data of the primary: who we are */
	enum zkfs_lock_mode mode;
	bool try;
	bool hurry; /* who asks holds a directory of the kernel */
	bool started;
	uint64_t epoch;	  /* of the lease, when it joined */
	int64_t asked_us; /* when it was made; zkfs_clock_us() */
	int64_t granted_us;
	bool noted;		/* that it has held the lock: ops/mates */
	bool granted;		/* to the claim, or to the owner */
	bool told_of_refusal;	/* to leave */
	bool broken;		/* lost, or released by name: I/O answers EIO */
	pid_t tid;		/* of the claim */
	pid_t pid;		/* its process */
	uid_t uid;		/* its user, who may end it */
	uint64_t key;		/* of the claim: whose place is kept */
	int64_t grace_until_ms; /* 0: not interrupted */
	int64_t answer_by_ms;	/* to the claim, NEVER once it waits; or to
				 * the leavers */
	struct zkfs_claim *claim;
	struct zkfs_contender_owner *owner;
	struct zkfs_charge charge;
	struct zkfs_link leavers;
	struct zkfs_link link; /* fs->contenders */
	struct zkfs_contender_ask asks[_ZKFS_LOCKQ_ASK_N];
};

struct zkfs_contender_config {
	const char *lock;
	const char *label;
	enum zkfs_lock_mode mode;
	bool try;     /* never wait */
	bool hurry;   /* not long for a server either: zkfs_fs_short_patience */
	uint64_t key; /* with tid: who may take up a place that is kept */
	uint64_t dir; /* try: the node in which `label` was just looked up, or
		       * 0: see ops/glance */
};

/* Makes the claim wait for the lock: in the place that an interrupted one with
 * the same key has kept, or as a new contender, which joins as soon as there
 * is a session. `granted` or `failed` may be called from inside; the latter
 * with ENOLCK when there are too many (core/limits). */
void zkfs_contender_claim(struct zkfs_claim *claim,
			  const struct zkfs_contender_config *config);

/* For ops/claim.c: puts a new one on the books; starts it, while connected. */
void zkfs_contender_enlist(struct zkfs_contender *contender);
void zkfs_contender_start(struct zkfs_contender *contender);
/* Until when it is in vain to wait for a server. */
int64_t zkfs_contender_patience(const struct zkfs_contender *contender);

/* Drops everything, also what is left on the server: the mount is gone, and
 * the end of the session deletes it. */
void zkfs_contender_drop(struct zkfs_contender *contender);

/* Submits what the lockq asks for, answers who can be answered, and frees the
 * contender if that was its end: it must not be used after this. */
void zkfs_contender_settle(struct zkfs_contender *contender);
/* Takes it out of the queue, whoever waits or owns; as settle. `error` is what
 * the claim is told. */
void zkfs_contender_leave(struct zkfs_contender *contender, int error);
/* `leaver` is told when the contender, which is about to be released, has left
 * and is freed, or when no server says so in time: it is taken out then as soon
 * as there is one. Its memory is the caller's, who may unlink it before. */
void zkfs_contender_await(struct zkfs_contender *contender,
			  struct zkfs_contender_leaver *leaver);
/* Tells the leavers now. */
void zkfs_contender_tell(struct zkfs_contender *contender);
/* The owner lets go: as leave, and the contender is nobody's. */
void zkfs_contender_release(struct zkfs_contender *contender);
/* The lease it joined under is over: it is lost, whatever the server says. */
void zkfs_contender_lose(struct zkfs_contender *contender);
/* Whether it is (still, or on its way to be) in the queue. */
bool zkfs_contender_joined(const struct zkfs_contender *contender);

#endif

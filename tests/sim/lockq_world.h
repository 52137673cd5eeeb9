/*
 * lockq_world: who takes part in the simulation of the lock recipe.
 *
 *   clients     mounts: each has a session, a lease and a clock of its own, and
 *               servers that hear of it; lockq_daemon.c
 *   users       each drives one zkfs_lockq after the other, exactly as the
 *               file operations do, through its client; lockq_user.c
 *   foreigners  contenders of other programs, one name each, that look only at
 *               the names their kind looks at; lockq_foreign.c
 *   the admin   deletes and touches contenders; lockq_sim.c
 *   checks      after each step, on the server's truth; lockq_check.c
 */
#ifndef ZKFS_SIM_LOCKQ_WORLD_H
#define ZKFS_SIM_LOCKQ_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/base/util.h"
#include "include/zkfs/lease.h"
#include "include/zkfs/lockq.h"
#include "tests/sim/port.h"

#define N_CLIENTS     5
#define N_USERS	      20 /* a multiple of N_CLIENTS */
#define N_LOCKS	      2
#define N_FOREIGNERS  4
#define MAX_CONTENDER 128 /* znodes in one lock */
#define LOCK_ACL      "whatever the port says"

struct world;
struct user;

/* How often what happens, in 10,000 steps; and how many of the contenders are
 * of a kind, in 10,000. */
struct config {
	const char *name;
	uint32_t execute, deliver, advance;
	uint32_t cut, notice, connect, stop, part;
	uint32_t start, release, interrupt;
	uint32_t admin, touch, write, wipe, foreign;
	uint32_t wind, pipelined;
	bool wind_far; /* to the very end of the sequence numbers */
	uint32_t shared, try, deadline;
	uint32_t unwatched; /* of the watches: there was no room for it */
	uint32_t pace;	    /* milliseconds that a step takes at most */
};

struct user_req {
	struct zkfs_zk_req req;
	struct user *user;
	enum zkfs_lockq_ask ask;
};

struct user_watch {
	struct zkfs_zk_watch watch;
	struct user *user;
	enum zkfs_lockq_ask ask;
};

struct user {
	struct world *world;
	struct client *client;
	unsigned slot;

	/* Of the contender; lockq is NULL while there is none. */
	struct zkfs_lockq *lockq;
	uint64_t id; /* stands in its uuid: N_USERS * n + slot */
	struct user_req reqs[_ZKFS_LOCKQ_ASK_N];
	struct user_watch watches[_ZKFS_LOCKQ_ASK_N];
	struct sim_session *session;
	unsigned lock;
	enum zkfs_lock_mode mode;
	bool try;
	bool deadline;
	bool leaving;	/* zkfs_lockq_leave() was called */
	bool given_up;	/* zkfs_lockq_lose() was called */
	bool granted;	/* to whoever called open(2) */
	uint64_t epoch; /* of the lease, when it joined */
	bool tampered;	/* the admin has deleted a znode of it */
	bool robbed;	/* one of its newest join */
	/* Of the session's heartbeats: how many were sent and answered one
	 * after the other since the last of these deletions, and when the next
	 * may have been sent that counts. And how many were answered at all. */
	unsigned robbed_beats;
	uint64_t robbed_step;
	unsigned n_beats;
	unsigned unwatched_since[_ZKFS_LOCKQ_ASK_N]; /* n_beats; 0: is not */
	unsigned held_since;			     /* n_beats */
	bool token_checked;
	size_t n_made; /* names, by the reply of its join */
	size_t n_lists;
	size_t n_listed;	    /* of them, by the newest list */
	enum zkfs_lockq_state seen; /* as traced */
};

/* A heartbeat on its way. */
struct beat {
	struct client *client;
	uint64_t id; /* 0: free */
	uint64_t sent_step;
	struct zkfs_zk_req req;
};

struct client {
	struct world *world;
	unsigned number;
	struct zkfs_zk *zk;
	struct zkfs_zk_listener listener;

	struct zkfs_lease lease;
	struct beat beats[ZKFS_LEASE_BEATS];
	struct zkfs_lockq_holders holders[N_LOCKS];
	int64_t clock_us, rate; /* its own clock, and by how much it is wrong */
	int64_t stopped_until;	/* by the true time, as all that follow */
	int64_t away_until;

	bool heard; /* the follower has, and has not told the leader */
	int64_t ping_at_ms;
	int64_t touched_ms; /* at the leader */
};

enum foreign_kind {
	FOREIGN_CURATOR,
	FOREIGN_KAZOO_WRITE,
	FOREIGN_KAZOO_READ,
	FOREIGN_RW_WRITE,
	FOREIGN_RW_READ,
	FOREIGN_RECIPE, /* ZooKeeper's own: x-<session>-<number> */
	FOREIGN_N,
};

enum foreign_state {
	FOREIGN_ABSENT,
	FOREIGN_QUEUED,
	FOREIGN_HELD,
	FOREIGN_DOWNGRADING, /* holds, under both of its names */
};

struct foreigner {
	struct world *world;
	unsigned number;
	struct sim_session *session;
	enum foreign_kind kind;
	enum foreign_state state;
	unsigned lock;
	char path[160];
	char twin[160]; /* DOWNGRADING: the reader's */
};

struct lock {
	char path[32];
	int64_t last_exclusive; /* token */
	char data[16];		/* what was last written to it */
	bool wound_far;		/* since when joins may be refused */
	bool wiped;		/* a view may be without it */

	struct sim_node *node; /* as of this zxid: lock_node() */
	int64_t node_zxid;
};

#define TRACE_LINES 60
#define TRACE_BYTES 200

struct world {
	const struct config *config;
	uint64_t seed;
	uint64_t step;
	bool draining;
	bool verbose;
	struct sim_random random;
	struct sim_server *server;
	struct client clients[N_CLIENTS];
	struct user users[N_USERS];
	struct foreigner foreigners[N_FOREIGNERS];
	struct lock locks[N_LOCKS];
	uint64_t last_id;

	/* How often what was seen: a run without it proves nothing. */
	uint64_t moves[_ZKFS_LOCKQ_STATE_N][_ZKFS_LOCKQ_STATE_N];
	uint64_t lost_joins, foreign_grants, refused, renewals, unlisted;
	uint64_t grants, expiries, robbed, shared_lists;

	char trace[TRACE_LINES][TRACE_BYTES];
	unsigned trace_next;
	uint64_t n_traced;
};

void trace(struct world *world, const char *format, ...) zkfs_printf(2, 3);
/* A broken promise: prints it, the seed and the last steps, and ends. */
void violated(struct world *world, const char *format, ...) zkfs_printf(2, 3)
	__attribute__((noreturn));

void daemon_init(struct world *world, unsigned number);
void daemon_fini(struct client *client);
/* Time has passed for it and for its server. */
void daemon_pass(struct client *client, int64_t ms);
int64_t daemon_clock(const struct client *client);
/* It is not stopped. */
bool daemon_runs(const struct client *client);
/* No server can be reached for a time. */
bool daemon_is_away(const struct client *client);
bool daemon_may_grant(struct client *client, uint64_t epoch);
/* Who looks at the lease now believes in a lock of this epoch. */
bool daemon_believes(const struct client *client, uint64_t epoch);
/* One step each; false when there was nothing to do. */
bool daemon_execute(struct client *client);
bool daemon_deliver(struct client *client);
bool daemon_advance(struct client *client);
bool daemon_cut(struct client *client);
bool daemon_notice(struct client *client);
bool daemon_connect(struct client *client);
bool daemon_stop(struct client *client);
bool daemon_part(struct client *client);

void user_init(struct world *world, unsigned slot);
bool user_start(struct user *user);
/* One that waits for this lock and gets it whatever else there is. */
bool user_start_plain(struct user *user, unsigned lock);
void user_leave(struct user *user);
void user_give_up(struct user *user);
/* A heartbeat that was sent at that step was answered. */
void user_beat(struct user *user, uint64_t sent_step);
/* The client's connection or session has changed. */
void user_session(struct user *user);
/* If it holds, and the lease is alive, it is granted to who waits for it. */
void user_try_grant(struct user *user);
/* Frees a contender that is over. Returns whether it was. */
bool user_reap(struct user *user);
/* The user a znode belongs to, or NULL; *ret_ours tells an unknown one of
 * ours from one of somebody else. */
struct user *user_of(struct world *world, struct sim_node *node,
		     bool *ret_ours);
bool user_is(const struct user *user, enum zkfs_lockq_state state);

void foreigner_init(struct world *world, unsigned number);
bool foreigner_step(struct foreigner *foreigner);
/* Its znode was deleted by the admin. */
void foreigner_lost(struct world *world, const char *path);
bool foreigner_holds(const struct foreigner *foreigner);

/* The lock's directory as it is now: it may have been made anew. */
struct sim_node *lock_node(struct world *world, unsigned lock);
/* What the name of a contender's znode says. */
struct contender_name {
	bool ours;
	uint64_t id; /* ours: of the user */
	bool shared;
	int64_t number; /* 32 bits, as the server has */
};
struct contender_name name_of(struct sim_node *node);
int64_t contender_number(const char *name);
bool contender_is_shared(const char *name);

/* What time alone may break; and all that must hold. */
void check_belief(struct world *world);
void check_all(struct world *world);
void check_drained(struct world *world);
/* Of locks that somebody has been alone in. */
void check_mended(struct world *world);

#endif

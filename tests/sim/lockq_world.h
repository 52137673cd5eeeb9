/*
 * lockq_world: who takes part in the simulation of the lock recipe.
 *
 *   users       each drives one zkfs_lockq after the other, exactly as the
 *               file operations do, through the session of its client (a
 *               mount); lockq_user.c
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
#include "include/zkfs/lockq.h"
#include "tests/sim/port.h"

#define N_CLIENTS     3
#define N_USERS	      12 /* a multiple of N_CLIENTS */
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
	uint32_t cut, notice, connect, expire;
	uint32_t start, release, interrupt, lose;
	uint32_t admin, touch, write, wipe, foreign;
	uint32_t wind, pipelined;
	bool wind_far; /* to the very end of the sequence numbers */
	uint32_t shared, try, deadline;
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
	bool leaving;  /* zkfs_lockq_leave() was called */
	bool given_up; /* zkfs_lockq_lose() was called */
	bool tampered; /* the admin has deleted a znode of it */
	bool token_checked;
	size_t n_made; /* names, by the reply of its join */
	size_t n_lists;
	size_t n_listed;	    /* of them, by the newest list */
	enum zkfs_lockq_state seen; /* as traced */
};

struct client {
	struct world *world;
	unsigned number;
	struct zkfs_zk *zk;
	struct zkfs_zk_listener listener;
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

	char trace[TRACE_LINES][TRACE_BYTES];
	unsigned trace_next;
};

void trace(struct world *world, const char *format, ...) zkfs_printf(2, 3);
/* A broken promise: prints it, the seed and the last steps, and ends. */
void violated(struct world *world, const char *format, ...) zkfs_printf(2, 3)
	__attribute__((noreturn));

void client_init(struct world *world, unsigned number);
void client_fini(struct client *client);
void user_init(struct world *world, unsigned slot);
bool user_start(struct user *user);
/* One that waits for this lock and gets it whatever else there is. */
bool user_start_plain(struct user *user, unsigned lock);
void user_leave(struct user *user);
void user_give_up(struct user *user);
/* Frees a contender that is over. Returns whether it was. */
bool user_reap(struct user *user);
/* The user a znode belongs to, or NULL; *ret_ours tells an unknown one of
 * ours from one of somebody else. */
struct user *user_of(struct world *world, const struct sim_node *node,
		     bool *ret_ours);
bool user_is(const struct user *user, enum zkfs_lockq_state state);

void foreigner_init(struct world *world, unsigned number);
bool foreigner_step(struct foreigner *foreigner);
/* Its znode was deleted by the admin. */
void foreigner_lost(struct world *world, const char *path);
bool foreigner_holds(const struct foreigner *foreigner);

/* The lock's directory as it is now: it may have been made anew. */
struct sim_node *lock_node(const struct world *world, unsigned lock);
int64_t contender_number(const char *name);
bool contender_is_shared(const char *name);

void check_all(struct world *world);
void check_drained(struct world *world);
/* Of locks that somebody has been alone in. */
void check_mended(struct world *world);

#endif

/*
 * lease_world: who takes part in the simulation of the lease.
 *
 *   ensemble   a leader with its ExpiryQueue, followers that collect touches
 *              and tell them with their answers to its pings, old leaders that
 *              live on; lease_ensemble.c
 *   daemon     our client and its loop, which asks the lease what to do;
 *              lease_daemon.c
 *   troubles   links that are cut or slow, elections, clocks that drift, a
 *              daemon that is stopped; lease_trouble.c
 *   checks     after each step, on the servers' truth; lease_check.c
 *
 * Time is virtual, in microseconds. The daemon's clock is the true one but for
 * where it starts; the servers' drift against it, which is all that matters.
 * What happens is an event; a message is an event on a link. A link keeps the
 * order, but may be as slow as it likes, and loses all it carries when cut.
 */
#ifndef ZKFS_SIM_LEASE_WORLD_H
#define ZKFS_SIM_LEASE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/lease.h"
#include "tests/sim/random.h"

#define N_SERVERS  5
#define N_SESSIONS 16 /* in one run; 0 is none */
#define N_TERMS	   48 /* in one run */
#define MAX_EVENTS 8192
#define MAX_INBOX  1024
#define N_NOTES	   80

/* The servers' clocks, in millionths of ours: what lease.h promises to bear. */
#define SLOWEST 901000	/* 1 / 1.11 */
#define FASTEST 1060000 /* 6 % */

#define NEVER_US INT64_MAX

enum kind {
	/* the daemon to a server, and back */
	CONNECT,
	BEAT,
	CONNECTED,
	EXPIRED,
	ANSWER,
	CLOSED,
	/* a follower to its leader, and back */
	VALIDATE,
	SYNC,
	TOUCHES,
	VALIDATED,
	SYNCED,
	PING,
	SESSION_CLOSED,
	/* no messages */
	THOUGHT,   /* the leader has an answer ready, in the order of them */
	PING_TIME, /* of a term */
	EXPIRY,	   /* of a session in a term: perhaps */
	TERM_DIES,
	JOIN,
	WAKE,
	TROUBLE,
	N_KINDS,
};

struct link {
	uint64_t life; /* grows when what it carries is lost */
	int64_t newest_us;
	int64_t slow_us; /* a message takes up to that */
	bool cut;
};

struct event {
	int64_t at_us;
	uint64_t number; /* breaks ties */
	enum kind kind;
	struct link *link; /* NULL: no message */
	uint64_t life;
	unsigned server;
	unsigned term;
	uint64_t conn;
	uint64_t id; /* of a heartbeat, a wake */
	unsigned session;
	int64_t timeout_ms; /* 0 in an answer: the session is over */
	bool create;
	int32_t touches[N_SESSIONS]; /* time-outs; 0: not touched */
};

struct clock {
	int64_t true_us; /* when the rate was set */
	int64_t local_us;
	int64_t rate; /* in millionths */
};

/* What a leader knows of a session. */
struct tracked {
	bool known;
	bool closing;
	int64_t timeout_ms; /* of the newest touch */
	int64_t expiry_ms;  /* on the leader's clock */
};

struct term {
	bool alive;
	unsigned leader;
	int64_t tick_ms;
	int64_t pinged_us;
	struct link think; /* from a request to its answer in the leader */
	struct tracked sessions[N_SESSIONS];
};

struct server {
	struct clock clock;
	unsigned term; /* 0: in none */
	int64_t offer_ms;
	struct link up, down; /* to and from the leader */
	int32_t touches[N_SESSIONS];
	/* Our daemon's connection. */
	uint64_t conn; /* 0: none */
	unsigned session;
	int64_t timeout_ms;
};

/* The truth about a session. */
struct session {
	int64_t created_ms; /* its time-out at its creation */
	int64_t told_ms;    /* the shortest that the daemon was told */
	bool given_up;
	/* ... by a time-out that the daemon was never told of */
	bool excused;
};

enum connection {
	NOT_CONNECTED,
	CONNECTING,
	IS_CONNECTED,
};

enum phase {
	SLEEPING,
	READING,
	KEEPING, /* the connection and the requests' deadlines */
	NEEDING,
	BEATING,
	LOOKING,
};

struct sent_beat {
	uint64_t id; /* 0: none */
	int64_t sent_us;
};

/* Somebody who joined a lock's queue. */
struct holder {
	bool joined;
	bool granted;
	bool lost; /* was seen not to hold what was granted */
	uint64_t epoch;
};

struct daemon {
	struct zkfs_lease lease;
	int64_t clock_us; /* its clock at true time 0 */
	int64_t told_ms;  /* the latest time the lease was told */
	uint64_t told_epoch;
	bool lazy; /* wakes for nothing but the lease's deadline */

	enum phase phase;
	uint64_t wake;
	int64_t stopped_us; /* until then */

	enum connection connection;
	struct link out, in;
	uint64_t conn;
	unsigned server;
	unsigned session;
	uint64_t generation;
	int64_t begun_us;
	int64_t heard_us;
	int64_t retry_us;
	int64_t wants_ms;
	int64_t patience_us; /* with a request */

	struct sent_beat beats[ZKFS_LEASE_BEATS];
	struct event inbox[MAX_INBOX];
	unsigned inbox_first, inbox_len;
	struct holder holder;
};

/* When somebody is in a lock's queue. */
enum need {
	SOMETIMES,
	ALWAYS,
	NOT,
};

/* Troubles, and how many of 10,000 events are followed by one. */
struct config {
	const char *name;
	uint32_t trouble;
	uint32_t election; /* of 10,000 troubles */
	uint32_t lost;	   /* of 10,000 answers to a ping */
	bool other_timeouts;
	bool followers; /* we never talk to the leader; and the longest tick */
	bool calm;	/* no trouble: the lease may never be lost */
	enum need need;
	unsigned answered; /* calm: within T divided by this */
};

enum seen {
	SEEN_GRANT,
	SEEN_LOSS,
	SEEN_GIVEN_UP,
	SEEN_EXCUSED,
	SEEN_RECONNECT,
	SEEN_SESSION,
	SEEN_ELECTION,
	SEEN_OLD_ANSWER,
	SEEN_FULL,
	N_SEEN,
};

struct note {
	uint64_t step;
	int64_t at_us;
	const char *what;
	int64_t a, b;
};

struct world {
	const struct config *config;
	uint64_t step;
	char replay[160]; /* how to do this run again */
	bool verbose;
	bool draining;
	struct sim_random random;
	int64_t now_us;

	struct event events[MAX_EVENTS]; /* a heap, the next one first */
	unsigned n_events;
	uint64_t last_number;

	int64_t timeout_ms;
	int64_t dark_us; /* until then no server can be reached */
	unsigned n_servers;
	struct server servers[N_SERVERS];
	unsigned term; /* the one that the quorum follows */
	struct term terms[N_TERMS];
	unsigned last_session;
	struct session sessions[N_SESSIONS];
	struct daemon daemon;

	/* What the checks remember. */
	uint64_t epoch;
	uint64_t end_epoch;
	int64_t end_ms, end_told_ms;
	int64_t alive_by_us; /* from then on it must be */

	/* How often what was seen: a run without it proves nothing. */
	uint64_t seen[N_SEEN];

	struct note notes[N_NOTES];
	unsigned next_note;
};

/* lease_event.c */
void post(struct world *world, struct event event, int64_t at_us);
void link_send(struct world *world, struct link *link, struct event event);
/* The next event; false: it was lost on its link. */
bool next_event(struct world *world, struct event *ret_event);
void link_cut(struct link *link);
void link_mend(struct link *link);
int64_t clock_us(const struct clock *clock, int64_t true_us);
/* When it will show this, or more, at its present rate. */
int64_t clock_when(const struct clock *clock, int64_t local_us);
void clock_drift(struct clock *clock, int64_t true_us, int64_t rate);
void note(struct world *world, const char *what, int64_t a, int64_t b);
/* A promise is broken: prints the last notes and the seed, and ends. */
void violated(struct world *world, const char *what) __attribute__((noreturn));
/* 0 ... n */
int64_t up_to(struct world *world, int64_t n);
bool chance(struct world *world, uint32_t of_10000);

/* lease_ensemble.c */
void ensemble_init(struct world *world);
void ensemble_event(struct world *world, const struct event *event);
void ensemble_elect(struct world *world);
void ensemble_drift(struct world *world, unsigned number);
/* A server that is not the leader is on its own, and joins later. */
void server_leave(struct world *world, unsigned number);
void server_join(struct world *world, unsigned number);
bool server_leads(const struct world *world, unsigned number);
void term_die(struct world *world, unsigned number);

/* lease_daemon.c */
void daemon_init(struct world *world);
void daemon_event(struct world *world, const struct event *event);
/* It does nothing for so long. */
void daemon_stop(struct world *world, int64_t us);
int64_t daemon_ms(const struct world *world);

/* lease_trouble.c */
void trouble(struct world *world);
/* A follower is about to answer a ping. */
void trouble_with_touches(struct world *world, unsigned number);
void trouble_ends(struct world *world);
void link_mood(struct world *world, struct link *link);

/* lease_check.c */
void check_all(struct world *world);
/* After the lease was told something. */
void check_deadline(struct world *world);

#endif

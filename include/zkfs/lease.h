/*
 * lease: tells a holder that its lock is lost before the server gives it to
 * another. Pure: it is told of heartbeats sent and answered, and answers
 * whether what is held may still be believed in; time is an argument, in
 * milliseconds of CLOCK_BOOTTIME (which goes on while the machine sleeps).
 *
 *   connected      zkfs_lease_session(), zkfs_lease_disconnected()
 *   each turn      zkfs_lease_tick(); while zkfs_lease_due() send a `sync`:
 *                  zkfs_lease_sent(), then _acked() or _failed()
 *   poll until     zkfs_lease_deadline()
 *   join, grant    remember zkfs_lease_epoch(); grant if zkfs_lease_alive()
 *   each use       zkfs_lease_alive(), and the epoch is the remembered one
 *
 * The server expires a session a timeout T after it was last touched, counted
 * at the leader and rounded up to a whole tick (ExpiryQueue.update). So the
 * question is at which moment, on our clock, the leader was touched for
 * certain. An answered heartbeat alone does not tell: the leader answers a
 * `sync` that a follower passes on without touching the session
 * (Leader.processSync). It is touched by what the follower adds to its answers
 * to the leader's pings, one each half tick (Leader.lead, Learner.ping,
 * LearnerHandler), and a follower that is cut off right after it passed our
 * heartbeat on never sends that. It takes three heartbeats to know:
 *
 *   us          j ----- aj           k ------ ak  m ------ am
 *                \     /   <- gap -> \       /     \     /
 *   follower      x---'   (touches)   x-----'--R    x---'    R: the ping's
 *                  \ /             ping\   /    \    \ /        answer, with
 *   leader          l --- half tick ---->-l ----->--- l         the touches
 *
 *   j was answered at aj: the follower knows that we live.
 *   k was sent half a tick after that or later: a ping that was sent after j
 *     was known is before the answer to k, in the order of the link; so the
 *     follower has answered that ping before we had the answer to k.
 *   m was sent after that answer: it came to the leader after R, in the order
 *     of the link the other way. When m is answered, the leader was touched.
 *
 * Then the base of the lease is the send time of j: no link may be as slow as
 * to spoil that, nor may any number of heartbeats that come in a bunch. It
 * never goes back. T is twice the tick at least (the servers' default lower
 * bound, minSessionTimeout), so half a tick is T/4 at most; 9/32 T are waited
 * for, for the drift of clocks and for pings that are a little late. That T is
 * the one of the present connection: no connection outlives the leader that its
 * server follows, so it is of the present tick.
 *
 * The lease is lost 15/16 T after its base. With that it bears
 *   - clocks whose rates differ by 6 % (the leader's fast, ours slow), and by
 *     11 % the other way round, where late pings and drift share the 1/32 T
 *   - an old leader that goes on answering for up to T/4 after a new one was
 *     elected and has restarted all time-outs
 *   - our daemon being stopped, and the machine being suspended: the clock is
 *     looked at on use
 * and it does not bear
 *   - an old leader that lives on for longer (a `sync` is not agreed on by a
 *     quorum); cut off from all others it does so for up to one tick after the
 *     others gave it up, so from T = 4 ticks on all is well
 *   - servers that grant different time-outs to one session, when a shorter one
 *     is granted and the answer that tells us so is lost or comes too late
 *   - servers with a minSessionTimeout below two ticks, and observers that
 *     hang on a follower (observerMasterPort), whose touches take two hops
 *   - a virtual machine that is frozen with its clock, and whatever a program
 *     does between its look at the lease and the deed. The token is for these.
 *
 * No false loss: heartbeats are due each T/12 while the lease is needed, and
 * each T/8 otherwise, instead of the client library's own ping each T/3: so
 * that the three are there when a lock is wanted, and the first grant need not
 * wait for half of T. If each is answered within T/8 the lease is never lost;
 * within T/11, when what is needed changes meanwhile. A session that has a
 * time-out of more than twice its shortest one may never come alive: it would
 * wait for a ping for longer than the lease lasts.
 *
 * A loss is for ever. The epoch grows with each, and with each new session:
 * whoever joined or was granted in an earlier one has lost what it had, though
 * the session may live. What joins afterwards is granted when the lease is
 * alive again, by heartbeats that came after.
 */
#ifndef ZKFS_LEASE_H
#define ZKFS_LEASE_H

#include <stdbool.h>
#include <stdint.h>

/* Heartbeats in flight, and answered ones kept: 2 2/3 T of them. */
#define ZKFS_LEASE_BEATS 32
/* When the connection was begun is not known. */
#define ZKFS_LEASE_UNKNOWN INT64_MIN

struct zkfs_lease_beat {
	uint64_t id; /* 0: none */
	int64_t sent_ms;
	int64_t acked_ms;	 /* ZKFS_LEASE_UNKNOWN: in flight */
	uint64_t acked_after_id; /* the last one sent when its answer came */
};

/* Its fields are the module's own. */
struct zkfs_lease {
	uint64_t generation;
	uint64_t epoch;
	uint64_t told; /* the epoch that the last tick has seen */
	uint64_t last_id;
	int64_t now_ms;	     /* the latest time we were told */
	int64_t shortest_ms; /* timeouts negotiated in this session */
	int64_t newest_ms;
	int64_t base_ms; /* ZKFS_LEASE_UNKNOWN: none */
	int64_t sent_ms; /* the last heartbeat; ZKFS_LEASE_UNKNOWN: none */
	bool connected;
	bool needed;
	bool alive;
	struct zkfs_lease_beat beats[ZKFS_LEASE_BEATS]; /* at id modulo size */
};

/* Every `now_ms` is to be read from the clock for this call, not once a turn of
 * the loop: an answer's time must not lie before its arrival, nor a heartbeat's
 * after its departure. One that lies before a former counts as that. */
void zkfs_lease_init(struct zkfs_lease *lease);

/* Connected, or reconnected, to this session (counted from 1) with this
 * negotiated timeout. Should that change within a session the lease lasts by
 * the shortest from then on: a new leader goes by the one from its creation.
 * `begun_ms`: when the connection that succeeded was begun, or any time before
 * that: the leader was touched after it, by the creation of the session or by
 * its revalidation, so what is new can be granted at once. ZKFS_LEASE_UNKNOWN:
 * not known. */
void zkfs_lease_session(struct zkfs_lease *lease, uint64_t generation,
			int64_t timeout_ms, int64_t begun_ms, int64_t now_ms);
/* The connection is gone: nothing is due until the next session call. */
void zkfs_lease_disconnected(struct zkfs_lease *lease, int64_t now_ms);
/* Whether anything is held or waited for. */
void zkfs_lease_need(struct zkfs_lease *lease, bool needed, int64_t now_ms);

/* Whether to send a heartbeat now. At most ZKFS_LEASE_BEATS are in flight, so
 * each must end, by _acked or _failed: give the request a deadline. */
bool zkfs_lease_due(const struct zkfs_lease *lease, int64_t now_ms);
/* A heartbeat is about to be handed over for sending; returns its id, which is
 * not 0 and never used again. */
uint64_t zkfs_lease_sent(struct zkfs_lease *lease, int64_t now_ms);
/* The server has answered it, and without an error. */
void zkfs_lease_acked(struct zkfs_lease *lease, uint64_t id, int64_t now_ms);
/* It will never be answered, or was answered with an error. */
void zkfs_lease_failed(struct zkfs_lease *lease, uint64_t id);

/* Returns whether the epoch has moved since the last tick. */
bool zkfs_lease_tick(struct zkfs_lease *lease, int64_t now_ms);
/* Whether a lock may be granted, and, in the same epoch, be used. */
bool zkfs_lease_alive(struct zkfs_lease *lease, int64_t now_ms);
/* How long it is alive if no heartbeat is answered any more; 0: it is not. */
int64_t zkfs_lease_left_ms(struct zkfs_lease *lease, int64_t now_ms);
/* When to tick next: a heartbeat is due, or the lease is lost. INT64_MAX
 * (ZKFS_NEVER): not before something happens. */
int64_t zkfs_lease_deadline(const struct zkfs_lease *lease);

/* Grows with each loss and each new session. Look at it after a tick. */
static inline uint64_t zkfs_lease_epoch(const struct zkfs_lease *lease)
{
	return lease->epoch;
}

#endif

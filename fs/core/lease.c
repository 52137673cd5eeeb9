/*
 * lease: see lease.h, which explains the three heartbeats j, k and m. All of
 * them are kept in one ring, in flight or answered; with each answer the newest
 * proof is looked for in it anew.
 *
 * Whatever comes in with a time first lets that time do its work (pass()): an
 * answer that is read after the end of the lease does not call it back.
 */
#include "include/zkfs/lease.h"

#include <assert.h>
#include <stddef.h>

#include "fs/base/clock.h"

/* How long what was proved at the base lasts. */
static int64_t lifetime(const struct zkfs_lease *lease)
{
	return lease->shortest_ms - lease->shortest_ms / 16;
}

/* The leader's pings are no further apart than this, on our clock. Each timeout
 * is twice the tick at least, and this one is of the tick as it is now: no
 * connection outlives the leader that its server follows. */
static int64_t ping_gap(const struct zkfs_lease *lease)
{
	return lease->newest_ms / 4 + lease->newest_ms / 32;
}

static int64_t period(const struct zkfs_lease *lease)
{
	int64_t ms = lease->shortest_ms / (lease->needed ? 12 : 8);

	return ms > 0 ? ms : 1;
}

static struct zkfs_lease_beat *slot_of(struct zkfs_lease *lease, uint64_t id)
{
	return &lease->beats[id % ZKFS_LEASE_BEATS];
}

static bool in_flight(const struct zkfs_lease_beat *beat)
{
	return beat->id != 0 && beat->acked_ms == ZKFS_LEASE_UNKNOWN;
}

static bool acked(const struct zkfs_lease_beat *beat)
{
	return beat->id != 0 && beat->acked_ms != ZKFS_LEASE_UNKNOWN;
}

static bool over(const struct zkfs_lease *lease)
{
	return lease->base_ms == ZKFS_LEASE_UNKNOWN ||
	       lease->now_ms >= lease->base_ms + lifetime(lease);
}

static void lose(struct zkfs_lease *lease)
{
	lease->alive = false;
	lease->epoch++;
}

/* Time has gone on; it never goes back. */
static void pass(struct zkfs_lease *lease, int64_t now_ms)
{
	if (now_ms > lease->now_ms)
		lease->now_ms = now_ms;
	if (lease->alive && over(lease))
		lose(lease);
}

/* The leader was touched at this time or later. */
static void prove(struct zkfs_lease *lease, int64_t base_ms)
{
	if (base_ms <= lease->base_ms)
		return;
	lease->base_ms = base_ms;
	if (!over(lease))
		lease->alive = true;
}

/* The newest heartbeat whose answer had come by `by_ms`, and before `before_id`
 * was sent; NULL: none. What was first within a millisecond is seen by the ids
 * alone. */
static const struct zkfs_lease_beat *newest(const struct zkfs_lease *lease,
					    uint64_t before_id, int64_t by_ms)
{
	const struct zkfs_lease_beat *found = NULL;

	for (int i = 0; i < ZKFS_LEASE_BEATS; i++) {
		const struct zkfs_lease_beat *beat = &lease->beats[i];

		if (acked(beat) && beat->acked_ms <= by_ms &&
		    beat->acked_after_id < before_id &&
		    (!found || beat->id > found->id))
			found = beat;
	}
	return found;
}

/* m, k and j, each the newest one that can be. */
static int64_t proved(const struct zkfs_lease *lease)
{
	const struct zkfs_lease_beat *j, *k, *m;

	m = newest(lease, UINT64_MAX, INT64_MAX);
	k = m ? newest(lease, m->id, INT64_MAX) : NULL;
	j = k ? newest(lease, k->id, k->sent_ms - ping_gap(lease)) : NULL;
	return j ? j->sent_ms : ZKFS_LEASE_UNKNOWN;
}

void zkfs_lease_init(struct zkfs_lease *lease)
{
	*lease = (struct zkfs_lease){
		.now_ms = ZKFS_LEASE_UNKNOWN,
		.base_ms = ZKFS_LEASE_UNKNOWN,
		.sent_ms = ZKFS_LEASE_UNKNOWN,
	};
}

static void new_session(struct zkfs_lease *lease, uint64_t generation,
			int64_t timeout_ms, int64_t begun_ms)
{
	lose(lease);
	lease->generation = generation;
	lease->shortest_ms = timeout_ms;
	lease->newest_ms = timeout_ms;
	lease->base_ms = ZKFS_LEASE_UNKNOWN;
	for (int i = 0; i < ZKFS_LEASE_BEATS; i++)
		lease->beats[i] = (struct zkfs_lease_beat){0};
	/* Creating a session is a transaction, agreed on by a quorum. */
	prove(lease, begun_ms);
}

static void same_session(struct zkfs_lease *lease, int64_t timeout_ms,
			 int64_t begun_ms)
{
	if (timeout_ms < lease->shortest_ms)
		lease->shortest_ms = timeout_ms;
	lease->newest_ms = timeout_ms;
	/* A revalidation touches the session, but is not agreed on by a
	 * quorum: an old leader may have done it. A gap's worth of it is borne
	 * here as it is by the heartbeats. */
	if (begun_ms != ZKFS_LEASE_UNKNOWN)
		prove(lease, begun_ms - ping_gap(lease));
	pass(lease, lease->now_ms);
}

void zkfs_lease_session(struct zkfs_lease *lease, uint64_t generation,
			int64_t timeout_ms, int64_t begun_ms, int64_t now_ms)
{
	assert(generation > 0 && generation >= lease->generation);
	assert(timeout_ms > 0);
	assert(begun_ms == ZKFS_LEASE_UNKNOWN || begun_ms <= now_ms);
	pass(lease, now_ms);
	lease->connected = true;
	lease->sent_ms = ZKFS_LEASE_UNKNOWN;
	if (generation > lease->generation)
		new_session(lease, generation, timeout_ms, begun_ms);
	else
		same_session(lease, timeout_ms, begun_ms);
}

void zkfs_lease_disconnected(struct zkfs_lease *lease, int64_t now_ms)
{
	pass(lease, now_ms);
	lease->connected = false;
}

void zkfs_lease_need(struct zkfs_lease *lease, bool needed, int64_t now_ms)
{
	pass(lease, now_ms);
	lease->needed = needed;
}

/* When the next heartbeat is due. */
static int64_t next_due(const struct zkfs_lease *lease)
{
	uint64_t next = lease->last_id + 1;

	if (!lease->connected ||
	    in_flight(&lease->beats[next % ZKFS_LEASE_BEATS]))
		return ZKFS_NEVER;
	if (lease->sent_ms == ZKFS_LEASE_UNKNOWN)
		return lease->now_ms;
	return lease->sent_ms + period(lease);
}

bool zkfs_lease_due(const struct zkfs_lease *lease, int64_t now_ms)
{
	return next_due(lease) <=
	       (now_ms > lease->now_ms ? now_ms : lease->now_ms);
}

uint64_t zkfs_lease_sent(struct zkfs_lease *lease, int64_t now_ms)
{
	struct zkfs_lease_beat *beat = slot_of(lease, lease->last_id + 1);

	assert(lease->connected && !in_flight(beat));
	pass(lease, now_ms);
	lease->sent_ms = lease->now_ms;
	*beat = (struct zkfs_lease_beat){
		.id = ++lease->last_id,
		.sent_ms = lease->now_ms,
		.acked_ms = ZKFS_LEASE_UNKNOWN,
	};
	return beat->id;
}

void zkfs_lease_acked(struct zkfs_lease *lease, uint64_t id, int64_t now_ms)
{
	struct zkfs_lease_beat *beat = slot_of(lease, id);

	pass(lease, now_ms);
	/* One of an earlier session says nothing of this one. */
	if (beat->id != id || !in_flight(beat))
		return;
	beat->acked_ms = lease->now_ms;
	beat->acked_after_id = lease->last_id;
	prove(lease, proved(lease));
}

void zkfs_lease_failed(struct zkfs_lease *lease, uint64_t id)
{
	struct zkfs_lease_beat *beat = slot_of(lease, id);

	if (beat->id == id && in_flight(beat))
		beat->id = 0;
}

bool zkfs_lease_tick(struct zkfs_lease *lease, int64_t now_ms)
{
	bool moved;

	pass(lease, now_ms);
	moved = lease->told != lease->epoch;
	lease->told = lease->epoch;
	return moved;
}

bool zkfs_lease_alive(struct zkfs_lease *lease, int64_t now_ms)
{
	pass(lease, now_ms);
	return lease->alive;
}

int64_t zkfs_lease_left_ms(struct zkfs_lease *lease, int64_t now_ms)
{
	if (!zkfs_lease_alive(lease, now_ms))
		return 0;
	return lease->base_ms + lifetime(lease) - lease->now_ms;
}

int64_t zkfs_lease_deadline(const struct zkfs_lease *lease)
{
	int64_t due_ms = next_due(lease);

	/* A loss was found on use, and the tick that tells of it is owed. */
	if (lease->told != lease->epoch)
		return lease->now_ms;
	if (!lease->alive)
		return due_ms;
	return zkfs_clock_earlier(due_ms, lease->base_ms + lifetime(lease));
}

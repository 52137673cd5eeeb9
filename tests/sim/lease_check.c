/*
 * lease_check: what lease.h promises, on the servers' truth. It is looked at
 * after each step, as any program may look at any moment; on a copy, so that
 * looking changes nothing.
 *
 *   safe      While the lease is alive the session has not been given up.
 *   for ever  The epoch only grows. What was granted and once was not held is
 *             never held again.
 *   no less   While the lease is alive its end only moves away, unless the
 *             time-out is a shorter one.
 *   no false  In a calm run, where each heartbeat is answered in time, it comes
 *   loss      alive within T and stays so. After trouble it comes alive again.
 *   deadline  Nothing is due and nothing is lost before the deadline; then
 *             something is.
 */
#include "tests/sim/lease_world.h"

static void check_safe(struct world *world, bool alive)
{
	const struct daemon *daemon = &world->daemon;
	const struct session *session = &world->sessions[daemon->session];

	/* Session 0: told that it is over, which the lease hears of with the
	 * next session; the connection is gone all the while. */
	if (alive && daemon->session != 0 && session->given_up &&
	    !session->excused)
		violated(world, "alive, and the session is given up");
}

static void check_holder(struct world *world, bool alive, uint64_t epoch)
{
	struct holder *holder = &world->daemon.holder;
	bool holds = holder->granted && alive && epoch == holder->epoch;

	if (holds && holder->lost)
		violated(world, "what was lost is held again");
	if (holder->granted && !holds)
		holder->lost = true;
}

static void check_end(struct world *world, struct zkfs_lease *lease, bool alive)
{
	int64_t now_ms = daemon_ms(world);
	int64_t left_ms = zkfs_lease_left_ms(lease, now_ms);
	int64_t end_ms = now_ms + left_ms;
	int64_t told_ms = world->sessions[world->daemon.session].told_ms;
	struct zkfs_lease copy = *lease;

	if (alive != (left_ms > 0))
		violated(world, "what is left does not tell of life");
	if (!alive)
		return;
	if (!zkfs_lease_alive(&copy, end_ms - 1) ||
	    zkfs_lease_alive(&copy, end_ms))
		violated(world, "what is left is not what is left");
	if (zkfs_lease_epoch(lease) == world->end_epoch &&
	    told_ms == world->end_told_ms && end_ms < world->end_ms)
		violated(world, "the end comes nearer");
	world->end_epoch = zkfs_lease_epoch(lease);
	world->end_told_ms = told_ms;
	world->end_ms = end_ms;
}

/* The wait for a ping, which goes by the longer one, outlasts the shorter. */
static bool hopeless(const struct world *world)
{
	const struct daemon *daemon = &world->daemon;

	return daemon->wants_ms > 2 * world->sessions[daemon->session].told_ms;
}

static void check_alive(struct world *world, bool alive)
{
	if ((!world->config->calm && !world->draining) || hopeless(world))
		return;
	if (alive && world->alive_by_us && !world->draining)
		world->alive_by_us = world->now_us;
	else if (!alive && world->alive_by_us &&
		 world->alive_by_us <= world->now_us)
		violated(world, "lost, or never alive, without a reason");
}

void check_all(struct world *world)
{
	struct zkfs_lease copy = world->daemon.lease;
	bool alive = zkfs_lease_alive(&copy, daemon_ms(world));
	uint64_t epoch = zkfs_lease_epoch(&copy);

	if (zkfs_lease_epoch(&world->daemon.lease) < world->epoch)
		violated(world, "the epoch goes back");
	world->epoch = zkfs_lease_epoch(&world->daemon.lease);
	check_safe(world, alive);
	check_holder(world, alive, epoch);
	check_end(world, &copy, alive);
	check_alive(world, alive);
}

/* Whether a loop that looks at this time finds something to do. */
static bool something_at(const struct zkfs_lease *lease, int64_t ms)
{
	struct zkfs_lease copy = *lease;

	return zkfs_lease_due(&copy, ms) || zkfs_lease_tick(&copy, ms);
}

void check_deadline(struct world *world)
{
	const struct zkfs_lease *lease = &world->daemon.lease;
	int64_t now_ms = world->daemon.told_ms;
	int64_t deadline_ms = zkfs_lease_deadline(lease);

	if (deadline_ms == INT64_MAX) {
		if (something_at(lease, now_ms + 100 * world->timeout_ms))
			violated(world, "no deadline, but something to do");
		return;
	}
	if (!something_at(lease, deadline_ms))
		violated(world, "a deadline, but nothing to do");
	if (deadline_ms <= now_ms)
		return;
	if (something_at(lease, deadline_ms - 1) ||
	    something_at(lease, deadline_ms - 1 -
					up_to(world, deadline_ms - 1 - now_ms)))
		violated(world, "something to do before the deadline");
}

/*
 * lockq_daemon: a mount: a session, the lease of it (fs/core/lease) on a clock
 * of its own, and the users of both. And what the servers know of the session:
 * when it was last heard, and when it is over.
 *
 * As in ops/heartbeat and ops/contender, a lock that the recipe holds is
 * granted only while the lease is alive, in the epoch in which it was joined;
 * who looks at the lease believes that it still has what was granted.
 * check_belief() in lockq_check.c asks whether it is right.
 *
 * The servers: a follower hears what its client sends, and tells the leader
 * with its answers to pings, which are at most a quarter of the session's
 * timeout apart (include/zkfs/lease.h says why); what it has heard and not told
 * is lost when it is cut off. The leader gives a session up a timeout after it
 * was told, to the millisecond: a real one rounds up to its tick.
 *
 * The clocks of daemons go from 5.5 % slower to 10 % faster than the leader's.
 * A daemon that is stopped does nothing while its clock goes on.
 */
#include <inttypes.h>

#include "tests/sim/lockq_world.h"

#define RATE_MIN   945 /* in 1,000 */
#define RATE_MAX   1100
#define PING_MS	   (SIM_PORT_TIMEOUT_MS / 4)
#define TROUBLE_MS (3 * SIM_PORT_TIMEOUT_MS / 2) /* at most */

static int64_t true_ms(const struct client *client)
{
	return client->world->server->now_ms;
}

int64_t daemon_clock(const struct client *client)
{
	return client->clock_us / 1000;
}

bool daemon_runs(const struct client *client)
{
	return true_ms(client) >= client->stopped_until;
}

bool daemon_is_away(const struct client *client)
{
	return true_ms(client) < client->away_until;
}

/* -- the lease -- */

static void tell_losers(struct client *client)
{
	uint64_t epoch = zkfs_lease_epoch(&client->lease);

	for (unsigned i = 0; i < N_USERS; i++) {
		struct user *user = &client->world->users[i];

		if (user->client == client && user->lockq &&
		    user->epoch != epoch && !user->given_up)
			user_give_up(user);
	}
}

static void check_lease(struct client *client)
{
	if (zkfs_lease_tick(&client->lease, daemon_clock(client)))
		tell_losers(client);
}

bool daemon_may_grant(struct client *client, uint64_t epoch)
{
	return zkfs_lease_alive(&client->lease, daemon_clock(client)) &&
	       zkfs_lease_epoch(&client->lease) == epoch;
}

/* Of a copy: to look at it is to change it. */
bool daemon_believes(const struct client *client, uint64_t epoch)
{
	struct zkfs_lease lease = client->lease;

	return zkfs_lease_alive(&lease, daemon_clock(client)) &&
	       zkfs_lease_epoch(&lease) == epoch;
}

static void grant_waiting(struct client *client)
{
	for (unsigned i = 0; i < N_USERS; i++) {
		struct user *user = &client->world->users[i];

		if (user->client == client && user->lockq)
			user_try_grant(user);
	}
}

static void tell_all(struct client *client, uint64_t sent_step)
{
	for (unsigned i = 0; i < N_USERS; i++) {
		struct user *user = &client->world->users[i];

		if (user->client == client && user->lockq)
			user_beat(user, sent_step);
	}
}

static void on_beat(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct beat *beat = zkfs_container_of(req, struct beat, req);
	struct client *client = beat->client;
	uint64_t id = beat->id;

	beat->id = 0;
	if (reply->error) {
		zkfs_lease_failed(&client->lease, id);
		return;
	}
	zkfs_lease_acked(&client->lease, id, daemon_clock(client));
	check_lease(client);
	grant_waiting(client);
	tell_all(client, beat->sent_step);
}

static struct beat *free_beat(struct client *client)
{
	for (unsigned i = 0; i < ZKFS_LEASE_BEATS; i++)
		if (client->beats[i].id == 0)
			return &client->beats[i];
	return NULL;
}

static void send_beat(struct client *client, struct beat *beat)
{
	beat->client = client;
	beat->sent_step = client->world->step;
	beat->id = zkfs_lease_sent(&client->lease, daemon_clock(client));
	beat->req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_SYNC,
		.path = "/",
		.generation = zkfs_zk_generation(client->zk),
		.deadline_ms = true_ms(client) + SIM_PORT_TIMEOUT_MS,
		.done = on_beat,
	};
	zkfs_zk_submit(client->zk, &beat->req);
}

static bool is_needed(const struct client *client)
{
	for (unsigned i = 0; i < N_USERS; i++)
		if (client->world->users[i].client == client &&
		    client->world->users[i].lockq)
			return true;
	return false;
}

/* A turn of its loop, if it is time for one. */
static void turn(struct client *client)
{
	struct zkfs_lease *lease = &client->lease;
	struct beat *beat;

	zkfs_lease_need(lease, is_needed(client), daemon_clock(client));
	if (zkfs_lease_deadline(lease) > daemon_clock(client))
		return;
	if (zkfs_lease_due(lease, daemon_clock(client)) &&
	    (beat = free_beat(client)))
		send_beat(client, beat);
	check_lease(client);
}

static void session_changed(struct zkfs_zk_listener *listener)
{
	struct client *client =
		zkfs_container_of(listener, struct client, listener);
	struct world *world = client->world;
	bool known = sim_random_below(&world->random, 2);
	int64_t now = daemon_clock(client);

	if (zkfs_zk_connected(client->zk))
		zkfs_lease_session(&client->lease,
				   zkfs_zk_generation(client->zk),
				   SIM_PORT_TIMEOUT_MS,
				   known ? now : ZKFS_LEASE_UNKNOWN, now);
	else
		zkfs_lease_disconnected(&client->lease, now);
	check_lease(client);
	for (unsigned i = 0; i < N_USERS; i++)
		if (world->users[i].client == client && world->users[i].lockq)
			user_session(&world->users[i]);
}

/* -- the servers -- */

/* The longest gap that there can be is as likely as all others. */
static void ping(struct client *client)
{
	struct sim_random *random = &client->world->random;

	if (client->heard)
		client->touched_ms = true_ms(client);
	client->heard = false;
	client->ping_at_ms = true_ms(client) + PING_MS;
	if (sim_random_below(random, 2))
		client->ping_at_ms -= sim_random_below(random, PING_MS);
}

static void expire(struct client *client)
{
	trace(client->world, "the session of client %u is given up",
	      client->number);
	(void)sim_port_cut(client->zk);
	(void)sim_port_expire(client->zk);
	client->world->expiries++;
}

void daemon_pass(struct client *client, int64_t ms)
{
	struct sim_session *session = sim_port_session(client->zk);

	client->clock_us += ms * client->rate;
	if (true_ms(client) >= client->ping_at_ms)
		ping(client);
	if (session->alive &&
	    true_ms(client) >= client->touched_ms + SIM_PORT_TIMEOUT_MS)
		expire(client);
	if (daemon_runs(client))
		turn(client);
}

/* -- what a step can be -- */

bool daemon_execute(struct client *client)
{
	if (!sim_port_execute(client->zk))
		return false;
	client->heard |= sim_port_linked(client->zk);
	return true;
}

bool daemon_deliver(struct client *client)
{
	return daemon_runs(client) &&
	       (sim_port_time_out(client->zk) || sim_port_deliver(client->zk));
}

bool daemon_advance(struct client *client)
{
	return sim_port_advance(client->zk);
}

bool daemon_cut(struct client *client)
{
	if (!sim_port_cut(client->zk))
		return false;
	client->heard &= sim_random_below(&client->world->random, 2);
	return true;
}

bool daemon_notice(struct client *client)
{
	return daemon_runs(client) && sim_port_notice(client->zk);
}

/* To create a session, or to go on with it, touches it. */
bool daemon_connect(struct client *client)
{
	if (!daemon_runs(client) || daemon_is_away(client) ||
	    zkfs_zk_connected(client->zk))
		return false;
	client->touched_ms = true_ms(client);
	client->heard = false;
	return sim_port_connect(client->zk);
}

static int64_t some_time(struct client *client)
{
	return true_ms(client) +
	       sim_random_below(&client->world->random, TROUBLE_MS);
}

bool daemon_stop(struct client *client)
{
	if (!daemon_runs(client))
		return false;
	client->stopped_until = some_time(client);
	return true;
}

/* Its server is cut off from all others, and the client from it. */
bool daemon_part(struct client *client)
{
	if (!sim_port_cut(client->zk))
		return false;
	client->heard = false;
	client->away_until = some_time(client);
	return true;
}

/* -- from first to last -- */

void daemon_init(struct world *world, unsigned number)
{
	struct client *client = &world->clients[number];

	client->world = world;
	client->number = number;
	client->rate = RATE_MIN + sim_random_below(&world->random,
						   RATE_MAX - RATE_MIN + 1);
	client->clock_us = sim_random_below(&world->random, 1000000000);
	zkfs_lease_init(&client->lease);
	client->zk = sim_port_new(world->server, &world->random);
	client->listener.changed = session_changed;
	zkfs_zk_listen(client->zk, &client->listener);
	(void)daemon_connect(client);
}

void daemon_fini(struct client *client)
{
	for (unsigned i = 0; i < ZKFS_LEASE_BEATS; i++)
		zkfs_zk_cancel(client->zk, &client->beats[i].req);
	zkfs_zk_unlisten(client->zk, &client->listener);
	client->zk = sim_port_free(client->zk);
}

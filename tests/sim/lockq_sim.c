/*
 * lockq_sim: the lock recipe (fs/core/lockq.c) against a ZooKeeper in memory,
 * with everything that can go wrong going wrong, by a seed.
 *
 *	lockq-sim [--config NAME] [--seed N] [--steps N] [--verbose]
 *	lockq-sim --list
 *
 * Each step does one thing, chosen by the seed: a server executes a request,
 * an answer or event arrives, a replica catches up, a connection breaks, a
 * daemon is stopped or cut off for as long as sessions last, a contender
 *starts, leaves, is interrupted or deleted by the admin, a foreign client
 *moves, sequence numbers leap as if a billion contenders had come and gone.
 *After each step the invariants at the top of lockq_check.c are checked. Every
 *DRAIN_EVERY steps the faults stop, holders release, and all who wait must be
 *granted and leave nothing behind.
 *
 * A failure prints the promise that was broken, the seed and the last steps,
 * and the exit status is 1. The same --config and --seed replay it, whatever
 * --steps is; --verbose prints every step on the way.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/lockq_world.h"

#define DRAIN_EVERY 5000
#define DRAIN_LIMIT 50000

static const struct config configs[] = {
	/* Many contenders, nothing fails: order and hand-over. */
	{.name = "calm",
	 .execute = 3500,
	 .deliver = 3500,
	 .advance = 1000,
	 .start = 500,
	 .release = 400,
	 .interrupt = 30,
	 .touch = 20,
	 .shared = 3000,
	 .try = 1500,
	 .pace = 10},
	/* Connections and sessions come and go, deadlines pass. */
	{.name = "storm",
	 .execute = 3000,
	 .deliver = 3000,
	 .advance = 800,
	 .cut = 120,
	 .notice = 400,
	 .connect = 300,
	 .stop = 8,
	 .part = 12,
	 .start = 500,
	 .release = 300,
	 .interrupt = 60,
	 .wipe = 5,
	 .touch = 10,
	 .shared = 3000,
	 .try = 2000,
	 .deadline = 3000,
	 .pace = 16},
	/* Stock clients of all kinds in the same locks. */
	{.name = "foreign",
	 .execute = 3200,
	 .deliver = 3200,
	 .advance = 800,
	 .cut = 20,
	 .notice = 300,
	 .connect = 300,
	 .stop = 2,
	 .part = 2,
	 .start = 500,
	 .release = 300,
	 .interrupt = 30,
	 .foreign = 500,
	 .touch = 20,
	 .shared = 3000,
	 .try = 1500,
	 .pace = 12},
	/* All of it, and an admin who deletes contenders. */
	{.name = "all",
	 .execute = 3000,
	 .deliver = 3000,
	 .advance = 800,
	 .cut = 60,
	 .notice = 300,
	 .connect = 300,
	 .stop = 8,
	 .part = 8,
	 .start = 500,
	 .release = 300,
	 .interrupt = 100,
	 .admin = 30,
	 .touch = 30,
	 .foreign = 300,
	 .write = 5,
	 .wipe = 5,
	 .wind = 20,
	 .pipelined = 5000,
	 .shared = 3000,
	 .try = 2000,
	 .deadline = 2000,
	 .unwatched = 500,
	 .pace = 16},
	/* Names that are deleted by hand, one at a time, of whoever. */
	{.name = "robbed",
	 .execute = 3500,
	 .deliver = 3500,
	 .advance = 1000,
	 .cut = 30,
	 .notice = 300,
	 .connect = 400,
	 .stop = 2,
	 .part = 2,
	 .start = 250,
	 .release = 160,
	 .interrupt = 10,
	 .admin = 60,
	 .touch = 20,
	 .foreign = 350,
	 .shared = 2000,
	 .try = 1000,
	 .deadline = 500,
	 .unwatched = 1000,
	 .pace = 20},
	/* Sequence numbers that come to their end, with few contenders, so that
	 * somebody is alone now and then. */
	{.name = "wound",
	 .execute = 3000,
	 .deliver = 3000,
	 .advance = 800,
	 .cut = 150,
	 .notice = 300,
	 .connect = 400,
	 .stop = 2,
	 .part = 2,
	 .start = 100,
	 .release = 300,
	 .interrupt = 40,
	 .admin = 5,
	 .touch = 10,
	 .write = 60,
	 .wipe = 60,
	 .wind = 100,
	 .wind_far = true,
	 .pipelined = 5000,
	 .shared = 3000,
	 .try = 1500,
	 .deadline = 1000,
	 .pace = 12},
	/* Directories that are deleted and made again, while many have not yet
	 * heard of it and the lost stay about. */
	{.name = "wiped",
	 .execute = 3000,
	 .deliver = 2000,
	 .advance = 300,
	 .cut = 60,
	 .notice = 300,
	 .connect = 400,
	 .stop = 2,
	 .part = 2,
	 .start = 200,
	 .release = 60,
	 .interrupt = 20,
	 .wipe = 100,
	 .shared = 2000,
	 .try = 1000,
	 .pace = 12},
};

void trace(struct world *world, const char *format, ...)
{
	char *line = world->trace[world->trace_next];
	int n = snprintf(line, TRACE_BYTES, "%9" PRIu64 "  ", world->step);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line + n, (size_t)(TRACE_BYTES - n), format, ap);
	va_end(ap);
	world->n_traced++;
	world->trace_next = (world->trace_next + 1) % TRACE_LINES;
	if (world->verbose)
		(void)puts(line);
}

void violated(struct world *world, const char *format, ...)
{
	va_list ap;

	for (unsigned i = 0; i < TRACE_LINES; i++) {
		const char *line =
			world->trace[(world->trace_next + i) % TRACE_LINES];

		if (line[0] && !world->verbose)
			(void)puts(line);
	}
	(void)printf("FAILED at step %" PRIu64 ": ", world->step);
	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)printf("\nreplay: lockq-sim --config %s --seed %" PRIu64 "\n",
		     world->config->name, world->seed);
	exit(1);
}

static void lock_create(struct world *world, unsigned i)
{
	struct sim_node *node = sim_server_create(world->server, NULL,
						  world->locks[i].path, false);

	sim_server_set_acl(node, LOCK_ACL, sizeof(LOCK_ACL));
}

/* -- what a step can be; each returns whether it did anything -- */

/* The first client, from a random one on, for which `step` does something. */
static struct client *on_client(struct world *world,
				bool (*step)(struct client *client))
{
	uint32_t first = sim_random_below(&world->random, N_CLIENTS);

	for (uint32_t i = 0; i < N_CLIENTS; i++) {
		struct client *client =
			&world->clients[(first + i) % N_CLIENTS];

		if (step(client))
			return client;
	}
	return NULL;
}

static bool fault(struct world *world, const char *what,
		  bool (*step)(struct client *client))
{
	const struct client *client;

	trace(world, "%s:", what);
	client = on_client(world, step);
	if (client)
		trace(world, "%s: client %u", what, client->number);
	return client != NULL;
}

static bool step_execute(struct world *world)
{
	return on_client(world, daemon_execute);
}

static bool step_deliver(struct world *world)
{
	return on_client(world, daemon_deliver);
}

static bool step_advance(struct world *world)
{
	return on_client(world, daemon_advance);
}

static bool step_cut(struct world *world)
{
	return fault(world, "cut", daemon_cut);
}

static bool step_notice(struct world *world)
{
	return fault(world, "notice", daemon_notice);
}

static bool step_connect(struct world *world)
{
	return fault(world, "connect", daemon_connect);
}

static bool step_stop(struct world *world)
{
	return fault(world, "stop", daemon_stop);
}

static bool step_part(struct world *world)
{
	return fault(world, "part", daemon_part);
}

/* The first user, from a random one on, for whom `is` holds. */
static struct user *find_user(struct world *world,
			      bool (*is)(const struct user *user))
{
	uint32_t first = sim_random_below(&world->random, N_USERS);

	for (uint32_t i = 0; i < N_USERS; i++) {
		struct user *user = &world->users[(first + i) % N_USERS];

		if (is(user))
			return user;
	}
	return NULL;
}

static bool is_idle(const struct user *user)
{
	return !user->lockq && daemon_runs(user->client) &&
	       zkfs_zk_connected(user->client->zk);
}

/* Those who hold while no server can be reached hold on, to see the end of
 * their sessions. */
static bool holds_on(const struct user *user)
{
	return user_is(user, ZKFS_LOCKQ_HELD) && user->granted &&
	       daemon_is_away(user->client);
}

static bool is_active(const struct user *user)
{
	return user->lockq && daemon_runs(user->client) && !holds_on(user);
}

static bool is_over(const struct user *user)
{
	if (user_is(user, ZKFS_LOCKQ_HELD))
		return user->granted && is_active(user);
	return user_is(user, ZKFS_LOCKQ_LOST) && is_active(user);
}

static bool step_start(struct world *world)
{
	struct user *user = find_user(world, is_idle);

	return user && user_start(user);
}

static bool step_release(struct world *world)
{
	struct user *user = find_user(world, is_over);

	if (user)
		user_leave(user);
	return user != NULL;
}

static bool step_interrupt(struct world *world)
{
	struct user *user = find_user(world, is_active);

	if (user)
		user_leave(user);
	return user != NULL;
}

static unsigned any_lock(struct world *world)
{
	return sim_random_below(&world->random, N_LOCKS);
}

static struct sim_node *any_contender(struct world *world, unsigned lock)
{
	struct sim_node *chosen = NULL;
	uint32_t n = 0;

	zkfs_list_for_each(it, &lock_node(world, lock)->children) {
		struct sim_node *node =
			zkfs_list_entry(it, struct sim_node, sibling);

		if (sim_node_lives(node) &&
		    sim_random_below(&world->random, ++n) == 0)
			chosen = node;
	}
	return chosen;
}

static void delete_contender(struct world *world, struct sim_node *node)
{
	struct user *user;
	char path[600];
	bool ours;

	trace(world, "the admin deletes %s", node->path);
	user = user_of(world, node, &ours);
	if (user) {
		user->tampered = user->robbed = true;
		user->robbed_beats = 0;
		user->robbed_step = world->step;
		world->robbed += user_is(user, ZKFS_LOCKQ_HELD);
	}
	(void)snprintf(path, sizeof(path), "%s", node->path);
	(void)sim_server_delete(world->server, node);
	if (!ours)
		foreigner_lost(world, path);
}

static bool step_admin(struct world *world)
{
	struct sim_node *node = any_contender(world, any_lock(world));

	if (node)
		delete_contender(world, node);
	return node != NULL;
}

/* The lock is deleted with everybody in it, and made again. */
static bool step_wipe(struct world *world)
{
	unsigned i = any_lock(world);
	struct lock *lock = &world->locks[i];
	struct sim_node *node;

	trace(world, "the admin wipes lock %u", i);
	while ((node = any_contender(world, i)))
		delete_contender(world, node);
	(void)sim_server_delete(world->server, lock_node(world, i));
	lock_create(world, i);
	lock->data[0] = '\0';
	lock->wiped = true;
	return true;
}

static bool step_touch(struct world *world)
{
	struct sim_node *node = any_contender(world, any_lock(world));

	if (!node)
		return false;
	trace(world, "the admin touches %s", node->path);
	return sim_server_touch(world->server, node);
}

static bool step_write(struct world *world)
{
	unsigned i = any_lock(world);
	struct lock *lock = &world->locks[i];

	(void)snprintf(lock->data, sizeof(lock->data), "%" PRIu64, world->step);
	trace(world, "the admin writes to lock %u", i);
	return sim_server_set(world->server, lock_node(world, i), lock->data);
}

/* As if that many contenders had come and gone. */
static bool step_wind(struct world *world)
{
	static const int32_t ends[] = {
		1 << 30,
		INT32_MAX - 1000000,
		INT32_MAX - 3,
	};
	unsigned i = any_lock(world);
	unsigned end = world->config->wind_far
			       ? sim_random_below(&world->random, 3)
			       : 0;
	struct sim_node *node = lock_node(world, i);
	int32_t to = ends[end] - (int32_t)sim_random_below(&world->random, 4);

	if (node->counter >= to)
		return false;
	trace(world, "the numbers of lock %u leap to %" PRId32, i, to);
	node->counter = node->outstanding = to;
	world->locks[i].wound_far |= end > 0;
	return true;
}

static bool step_foreign(struct world *world)
{
	return foreigner_step(&world->foreigners[sim_random_below(
		&world->random, N_FOREIGNERS)]);
}

/* -- runs -- */

static const struct {
	size_t weight; /* where in struct config */
	bool (*step)(struct world *world);
	bool draining; /* goes on while draining */
} steps[] = {
#define STEP(name, draining)                                                   \
	{                                                                      \
		offsetof(struct config, name), step_##name, draining           \
	}
	STEP(execute, true), STEP(deliver, true),    STEP(advance, true),
	STEP(cut, false),    STEP(notice, true),     STEP(connect, true),
	STEP(stop, false),   STEP(part, false),	     STEP(start, false),
	STEP(release, true), STEP(interrupt, false), STEP(admin, false),
	STEP(touch, false),  STEP(write, false),     STEP(wind, false),
	STEP(wipe, false),   STEP(foreign, true),
};

static uint32_t weight(const struct world *world, size_t i)
{
	if (world->draining && !steps[i].draining)
		return 0;
	return *(const uint32_t *)(const void *)((const char *)world->config +
						 steps[i].weight);
}

static void pass_time(struct world *world)
{
	int64_t ms = sim_random_below(&world->random, world->config->pace + 1);

	world->server->now_ms += ms;
	for (unsigned i = 0; i < N_CLIENTS; i++)
		daemon_pass(&world->clients[i], ms);
}

static void one_step(struct world *world)
{
	uint32_t total = 0, at;
	uint64_t n_traced = world->n_traced;
	size_t i;

	for (i = 0; i < ZKFS_ARRAY_SIZE(steps); i++)
		total += weight(world, i);
	at = sim_random_below(&world->random, total);
	for (i = 0; at >= weight(world, i); i++)
		at -= weight(world, i);

	world->step++;
	world->server->pipelined =
		sim_random_chance(&world->random, world->config->pipelined);
	pass_time(world);
	/* Whatever happens does so by a step or is traced. */
	if (steps[i].step(world) || world->n_traced != n_traced)
		check_all(world);
	check_belief(world);
	for (unsigned u = 0; u < N_USERS; u++)
		if (world->users[u].lockq)
			(void)user_reap(&world->users[u]);
}

static bool is_quiet(const struct world *world)
{
	for (unsigned i = 0; i < N_USERS; i++)
		if (world->users[i].lockq)
			return false;
	for (unsigned i = 0; i < N_FOREIGNERS; i++)
		if (world->foreigners[i].state != FOREIGN_ABSENT)
			return false;
	return true;
}

static void report_stuck(struct world *world)
{
	for (unsigned i = 0; i < N_USERS; i++)
		if (world->users[i].lockq)
			trace(world, "user %u is %s", i,
			      zkfs_lockq_state_name(
				      zkfs_lockq_state(world->users[i].lockq)));
	violated(world, "no end in sight: somebody is never granted");
}

static void run_dry(struct world *world)
{
	uint64_t limit = world->step + DRAIN_LIMIT;

	while (!is_quiet(world)) {
		one_step(world);
		if (world->step > limit)
			report_stuck(world);
	}
	check_drained(world);
}

/* Whatever has happened to a lock: one who comes to it alone mends it, unless
 * its connection is cut already, as that of each client may be once. */
static void mend(struct world *world)
{
	for (unsigned i = 0; i < N_LOCKS * (N_CLIENTS + 1); i++) {
		struct user *user;

		while (!(user = find_user(world, is_idle)))
			one_step(world);
		(void)user_start_plain(user, i % N_LOCKS);
		run_dry(world);
	}
	check_mended(world);
}

/* Without new faults everybody must come to an end: only holders (and the
 * lost) leave by themselves now, so that all others must be granted. */
static void drain(struct world *world)
{
	trace(world, "draining");
	world->draining = true;
	run_dry(world);
	if (world->config->wind)
		mend(world);
	world->draining = false;
}

static void world_init(struct world *world, const struct config *config,
		       uint64_t seed)
{
	*world = (struct world){.config = config, .seed = seed};
	world->random.state = seed;
	world->server = sim_server_new();
	(void)sim_server_create(world->server, NULL, "/locks", false);
	for (unsigned i = 0; i < N_LOCKS; i++) {
		(void)snprintf(world->locks[i].path,
			       sizeof(world->locks[i].path), "/locks/%u", i);
		lock_create(world, i);
	}
	for (unsigned i = 0; i < N_CLIENTS; i++)
		daemon_init(world, i);
	for (unsigned i = 0; i < N_USERS; i++)
		user_init(world, i);
	for (unsigned i = 0; i < N_FOREIGNERS; i++)
		foreigner_init(world, i);
}

static void world_fini(struct world *world)
{
	for (unsigned i = 0; i < N_CLIENTS; i++)
		daemon_fini(&world->clients[i]);
	world->server = sim_server_free(world->server);
}

static uint64_t entered(const struct world *world, enum zkfs_lockq_state state)
{
	uint64_t n = 0;

	for (int from = 0; from < _ZKFS_LOCKQ_STATE_N; from++)
		n += world->moves[from][state];
	return n;
}

/* A run that grants nothing, or in which no fault has met anybody, would pass
 * every check. */
static void check_coverage(struct world *world)
{
	const struct config *config = world->config;

	(void)printf("%s, seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64
		     " sessions given up, %" PRIu64 " granted, %" PRIu64
		     " busy, %" PRIu64 " failed, %" PRIu64 " lost, %" PRIu64
		     " joins without a reply, %" PRIu64
		     " granted to others, %" PRIu64 " refused, %" PRIu64
		     " renewed, %" PRIu64 " granted without a list, %" PRIu64
		     " robbed while they held, %" PRIu64 " lists shared\n",
		     config->name, world->seed, world->step, world->expiries,
		     world->grants, entered(world, ZKFS_LOCKQ_BUSY),
		     entered(world, ZKFS_LOCKQ_FAILED),
		     entered(world, ZKFS_LOCKQ_LOST), world->lost_joins,
		     world->foreign_grants, world->refused, world->renewals,
		     world->unlisted, world->robbed, world->shared_lists);
	if (world->step < 100000)
		return;
	if (world->grants < world->step / 1000 ||
	    !entered(world, ZKFS_LOCKQ_BUSY) ||
	    world->unlisted < world->step / 100000 ||
	    (!config->wind_far && world->shared_lists < world->step / 100000) ||
	    (config->cut && !world->lost_joins) ||
	    (config->part && (!entered(world, ZKFS_LOCKQ_LOST) ||
			      world->expiries < world->step / 20000)) ||
	    (config->admin >= 30 && world->robbed < world->step / 20000) ||
	    (config->foreign && world->foreign_grants < world->step / 1000) ||
	    (config->wind && world->renewals < world->step / 10000) ||
	    (config->wind_far && world->refused < world->step / 10000))
		violated(world, "the run has not met what it is for");
}

static void run(const struct config *config, uint64_t seed, uint64_t n_steps,
		bool verbose)
{
	static struct world world;

	world_init(&world, config, seed);
	world.verbose = verbose;
	while (world.step < n_steps) {
		one_step(&world);
		if (world.step % DRAIN_EVERY == 0)
			drain(&world);
	}
	drain(&world);
	check_coverage(&world);
	world_fini(&world);
}

static const struct config *find_config(const char *name)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(configs); i++)
		if (!strcmp(configs[i].name, name))
			return &configs[i];
	return NULL;
}

static uint64_t parse_number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end) {
		(void)fprintf(stderr, "lockq-sim: not a number: '%s'\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"seed", required_argument, NULL, 's'},
		{"steps", required_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'v'},
		{"list", no_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	const struct config *config = &configs[0];
	uint64_t seed = 1, n_steps = 100000;
	bool verbose = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config = find_config(optarg);
			break;
		case 's':
			seed = parse_number(optarg);
			break;
		case 'n':
			n_steps = parse_number(optarg);
			break;
		case 'v':
			verbose = true;
			break;
		case 'l':
			for (size_t i = 0; i < ZKFS_ARRAY_SIZE(configs); i++)
				(void)puts(configs[i].name);
			return 0;
		default:
			return 2;
		}
	}
	if (!config || optind != argc) {
		(void)fprintf(stderr, "lockq-sim: see the top of its source\n");
		return 2;
	}
	run(config, seed, n_steps, verbose);
	return 0;
}

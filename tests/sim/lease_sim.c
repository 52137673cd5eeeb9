/*
 * lease_sim: the lease (fs/core/lease.c) of a daemon that is stopped, on clocks
 * that drift, against servers that are cut off, slow, and elect new leaders; by
 * a seed.
 *
 *	lease-sim [--config NAME] [--seed N] [--runs N] [--steps N] [--verbose]
 *	lease-sim --list
 *
 * A run is --steps events; then trouble ends, and the lease must come alive
 * again and stay so. The checks are those at the top of lease_check.c, after
 * each step; what is simulated is at the top of lease_world.h.
 *
 * A failure prints the promise that was broken, the last notes and how to
 * replay it, and the exit status is 1. --seed is that of the first run.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/base/util.h"
#include "tests/sim/lease_world.h"

static const struct config configs[] = {
	/* Nothing fails, and each heartbeat is answered just in time: needed
	 * all the while, never, and now and then. */
	{.name = "needed", .calm = true, .need = ALWAYS, .answered = 8},
	{.name = "unneeded", .calm = true, .need = NOT, .answered = 8},
	{.name = "changing", .calm = true, .need = SOMETIMES, .answered = 11},
	/* Servers are cut off and slow, the daemon is stopped. */
	{.name = "storm", .trouble = 60, .election = 100, .lost = 300},
	/* ... and new leaders are elected, while old ones live on. */
	{.name = "leaders", .trouble = 80, .election = 3000, .lost = 100},
	/* What a follower tells its leader is lost, again and again. */
	{.name = "followers", .trouble = 150, .lost = 2500, .followers = true},
	/* ... and time-outs and ticks change within a session. */
	{.name = "all",
	 .trouble = 60,
	 .election = 1000,
	 .lost = 1000,
	 .other_timeouts = true},
};

static struct world world;

static void step(void)
{
	struct event event;

	world.step++;
	if (!next_event(&world, &event))
		return;
	switch (event.kind) {
	case CONNECTED:
	case EXPIRED:
	case ANSWER:
	case CLOSED:
	case WAKE:
		daemon_event(&world, &event);
		break;
	default:
		ensemble_event(&world, &event);
		break;
	}
	if (!world.draining && chance(&world, world.config->trouble))
		trouble(&world);
	check_all(&world);
}

/* It is alive within 8 T, and then for 2 T. */
static void drain(void)
{
	int64_t timeout_us = 2 * world.timeout_ms * 1000, end_us;

	trouble_ends(&world);
	world.alive_by_us = world.now_us + 8 * timeout_us;
	end_us = world.alive_by_us + 2 * timeout_us;
	while (world.now_us < end_us)
		step();
}

/* There is room for one more session while trouble ends. */
static bool used_up(void)
{
	return world.last_session >= N_SESSIONS - 3;
}

static void run(const struct config *config, uint64_t seed, uint64_t steps,
		bool verbose)
{
	uint64_t seen[N_SEEN];

	memcpy(seen, world.seen, sizeof(seen));
	world = (struct world){
		.config = config,
		.verbose = verbose,
		.random = {seed},
	};
	memcpy(world.seen, seen, sizeof(seen));
	(void)snprintf(world.replay, sizeof(world.replay),
		       "replay: lease-sim --config %s --seed %" PRIu64
		       " --steps %" PRIu64 " --runs 1 --verbose\n",
		       config->name, seed, steps);
	ensemble_init(&world);
	daemon_init(&world);
	while (world.step < steps && !used_up())
		step();
	if (!config->calm)
		drain();
}

/* An assertion of the lease has failed: what to replay. Nothing else may be
 * called here. */
static void on_abort(int signal)
{
	(void)signal;
	(void)write(STDOUT_FILENO, world.replay, strlen(world.replay));
}

static const struct config *find_config(const char *name)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(configs); i++)
		if (strcmp(configs[i].name, name) == 0)
			return &configs[i];
	(void)fprintf(stderr, "lease-sim: no such config '%s'\n", name);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || end == text) {
		(void)fprintf(stderr, "lease-sim: not a number: '%s'\n", text);
		exit(2);
	}
	return n;
}

static void list(void)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(configs); i++)
		(void)puts(configs[i].name);
}

static void report(const struct config *config, uint64_t runs)
{
	static const char *const names[N_SEEN] = {
		[SEEN_GRANT] = "granted",
		[SEEN_LOSS] = "lost",
		[SEEN_GIVEN_UP] = "given up",
		[SEEN_EXCUSED] = "excused",
		[SEEN_RECONNECT] = "reconnected",
		[SEEN_SESSION] = "sessions",
		[SEEN_ELECTION] = "elections",
		[SEEN_OLD_ANSWER] = "answers of old leaders",
		[SEEN_FULL] = "inbox full",
	};

	(void)printf("%s: %" PRIu64 " runs", config->name, runs);
	for (unsigned i = 0; i < N_SEEN; i++)
		(void)printf(", %" PRIu64 " %s", world.seen[i], names[i]);
	(void)printf("\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"seed", required_argument, NULL, 's'},
		{"runs", required_argument, NULL, 'r'},
		{"steps", required_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'v'},
		{"list", no_argument, NULL, 'l'},
		{0},
	};
	const struct config *config = &configs[ZKFS_ARRAY_SIZE(configs) - 1];
	uint64_t seed = 1, runs = 100, steps = 3000;
	bool verbose = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config = find_config(optarg);
			break;
		case 's':
			seed = number(optarg);
			break;
		case 'r':
			runs = number(optarg);
			break;
		case 'n':
			steps = number(optarg);
			break;
		case 'v':
			verbose = true;
			break;
		case 'l':
			list();
			return 0;
		default:
			return 2;
		}
	}
	(void)signal(SIGABRT, on_abort);
	for (uint64_t i = 0; i < runs; i++)
		run(config, seed + i, steps, verbose);
	report(config, runs);
	return 0;
}

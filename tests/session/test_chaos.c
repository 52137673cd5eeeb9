/*
 * session, chaos: hundreds of requests of all kinds under way while the link
 * breaks, sends fail, the server stops, sessions expire, and the caller cancels
 * at any moment and frees what it cancelled. Whatever happens:
 *
 *   - each request that is not cancelled is answered exactly once
 *   - a set that is answered OK was done; one that is answered with an error
 *     other than LOST was not; so a znode's version lies between the number of
 *     those that are OK and that number with the lost and the cancelled added
 *   - versions seen by reads never go back, and a reply is that of its request
 *   - a watch that is live fires exactly once or is taken back
 *
 * ZKFS_SEED=n repeats a run as far as the clock allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "fixture.h"
#include "fs/base/list.h"
#include "fs/base/util.h"

#define RUN_MS	4000
#define N_PATHS 6
#define N_JOBS	600 /* more than the library is given at once */

struct target {
	char path[16];
	int n_ok;      /* sets that were done */
	int n_unknown; /* sets that may have been */
	int32_t seen;  /* newest version that a reply has shown */
};

struct job {
	struct ask ask; /* first */
	struct look look;
	struct zkfs_link link; /* world.jobs */
	struct target *target;
	struct zkfs_zk_op op;
	struct world *world;
};

struct world {
	struct client client;
	struct target targets[N_PATHS];
	struct zkfs_link jobs; /* asked, or watching */
	size_t n_jobs;
	uint64_t random;
	unsigned n_faults;
	unsigned n_errors[_ZKFS_ERROR_N];
	unsigned n_cancelled, n_fired;
};

/* xorshift64*, so that a seed means the same everywhere. */
static unsigned roll(struct world *world, unsigned n)
{
	world->random ^= world->random >> 12;
	world->random ^= world->random << 25;
	world->random ^= world->random >> 27;
	return (unsigned)((world->random * UINT64_C(2685821657736338717)) >>
			  33) %
	       n;
}

static void job_free(struct job *job)
{
	zkfs_list_remove(&job->link);
	job->world->n_jobs--;
	ask_fini(&job->ask);
	memset(job, 0xaa, sizeof(*job));
	free(job);
}

static void count_set(struct job *job, enum zkfs_error error)
{
	if (error == ZKFS_E_OK)
		job->target->n_ok++;
	else if (error == ZKFS_E_LOST)
		job->target->n_unknown++;
	else
		assert_true(error == ZKFS_E_TIMEDOUT ||
			    error == ZKFS_E_EXPIRED);
}

static bool is_set(const struct job *job)
{
	return job->ask.req.kind == ZKFS_ZK_SET ||
	       job->ask.req.kind == ZKFS_ZK_MULTI;
}

static void check_reply(struct job *job)
{
	int32_t version = job->ask.req.kind == ZKFS_ZK_MULTI
				  ? job->op.stat.version
				  : job->ask.stat.version;

	if (job->ask.req.kind == ZKFS_ZK_SYNC)
		return;
	assert_true(version >= job->target->seen);
	job->target->seen = version;
	if (job->ask.req.kind == ZKFS_ZK_GET)
		assert_string_equal(job->ask.data, job->target->path);
}

static void answered(struct ask *ask)
{
	struct job *job = zkfs_container_of(ask, struct job, ask);

	assert_int_equal(ask->n_done, 1);
	job->world->n_errors[ask->error]++;
	if (is_set(job))
		count_set(job, ask->error);
	else
		assert_true(ask->error != ZKFS_E_LOST);
	if (ask->error == ZKFS_E_OK)
		check_reply(job);
	else
		assert_false(job->look.watch.live);
	if (!job->look.watch.live)
		job_free(job);
}

static void watched(struct look *look)
{
	struct job *job = zkfs_container_of(look, struct job, look);

	assert_int_equal(look->n_fired, 1);
	assert_int_equal(job->ask.n_done, 1);
	job->world->n_fired++;
	job_free(job);
}

static void job_submit(struct world *world)
{
	static const enum zkfs_zk_kind kinds[] = {
		ZKFS_ZK_SET,	ZKFS_ZK_MULTI,	  ZKFS_ZK_GET,	ZKFS_ZK_GET,
		ZKFS_ZK_EXISTS, ZKFS_ZK_CHILDREN, ZKFS_ZK_SYNC,
	};
	struct job *job = calloc(1, sizeof(*job));
	enum zkfs_zk_kind kind = kinds[roll(world, ZKFS_ARRAY_SIZE(kinds))];

	job->world = world;
	job->target = &world->targets[roll(world, N_PATHS)];
	job->op = (struct zkfs_zk_op){.kind = ZKFS_ZK_OP_SET,
				      .path = job->target->path,
				      .data = job->target->path,
				      .len = strlen(job->target->path),
				      .version = ZKFS_ZK_ANY_VERSION};
	job->look = look_for(&world->client);
	job->look.hook = watched;
	job->ask = ask_for(&world->client, kind, job->target->path);
	job->ask.hook = answered;
	job->ask.req.data = job->op.data;
	job->ask.req.len = job->op.len;
	if (kind == ZKFS_ZK_MULTI) {
		job->ask.req.ops = &job->op;
		job->ask.req.n_ops = 1;
	}
	if ((kind == ZKFS_ZK_GET || kind == ZKFS_ZK_EXISTS ||
	     kind == ZKFS_ZK_CHILDREN) &&
	    roll(world, 3) == 0)
		job->ask.req.watch = &job->look.watch;
	if (roll(world, 4) == 0)
		job->ask.req.deadline_ms = zkfs_clock_ms() + roll(world, 60);
	if (roll(world, 8) == 0)
		job->ask.req.generation = zkfs_zk_generation(world->client.zk);
	zkfs_list_append(&world->jobs, &job->link);
	world->n_jobs++;
	ask_submit(&job->ask);
}

/* Cancels a request or takes a watch back, whichever is under way. */
static void job_drop(struct job *job)
{
	bool active = job->ask.req.active;

	assert_true(active != job->look.watch.live);
	if (active && is_set(job))
		job->target->n_unknown++;
	job->world->n_cancelled++;
	zkfs_zk_cancel(job->world->client.zk, &job->ask.req);
	zkfs_zk_unwatch(job->world->client.zk, &job->look.watch);
	job_free(job);
}

static void drop_some(struct world *world)
{
	zkfs_list_for_each_safe(it, &world->jobs) {
		if (roll(world, 20) == 0)
			job_drop(zkfs_list_entry(it, struct job, link));
	}
}

/* The server stands still for some turns. */
static void stop_for_a_while(struct world *world)
{
	int64_t end = zkfs_clock_ms() + roll(world, 40);

	server_stop(&server);
	while (zkfs_clock_ms() < end) {
		if (world->n_jobs < N_JOBS)
			job_submit(world);
		client_turn(&world->client, 1);
	}
	if (roll(world, 2) == 0)
		drop_some(world);
	server_continue(&server);
}

static void make_fault(struct world *world)
{
	int fd = client_fd(&world->client);

	world->n_faults++;
	switch (roll(world, 8)) {
	case 0:
	case 1: /* the link breaks */
		(void)shutdown(fd, SHUT_RDWR);
		break;
	case 2:
	case 3:
	case 4: /* the next send fails, before anything is read */
		(void)shutdown(fd, SHUT_WR);
		for (int i = 0; i < 10; i++)
			job_submit(world);
		client_dispatch(&world->client, 0);
		break;
	case 5:
	case 6:
		stop_for_a_while(world);
		break;
	default:
		if (zkfs_zk_connected(world->client.zk))
			fixture_expire(&world->client);
		break;
	}
}

static bool nothing_asked(void *ctx)
{
	const struct world *world = ctx;

	zkfs_list_for_each(it, &world->jobs) {
		if (zkfs_list_entry(it, struct job, link)->ask.req.active)
			return false;
	}
	return true;
}

static void run(struct world *world)
{
	int64_t end = zkfs_clock_ms() + RUN_MS;

	while (zkfs_clock_ms() < end) {
		unsigned n = roll(world, 40);

		for (unsigned i = 0; i < n && world->n_jobs < N_JOBS; i++)
			job_submit(world);
		if (roll(world, 30) == 0)
			drop_some(world);
		if (roll(world, 60) == 0)
			make_fault(world);
		client_turn(&world->client, 5);
	}
	client_wait(&world->client, nothing_asked, world, SOON_MS);
}

static void check_targets(struct world *world)
{
	for (int i = 0; i < N_PATHS; i++) {
		struct target *target = &world->targets[i];
		struct ask ask =
			ask_for(&world->client, ZKFS_ZK_EXISTS, target->path);

		client_barrier(&world->client);
		assert_int_equal(ask_run(&ask), ZKFS_E_OK);
		assert_in_range(ask.stat.version, target->n_ok,
				target->n_ok + target->n_unknown);
		ask_fini(&ask);
	}
}

static void report(const struct world *world)
{
	print_message("%u faults, %llu sessions, %u fired, %u cancelled\n",
		      world->n_faults,
		      (unsigned long long)zkfs_zk_generation(world->client.zk),
		      world->n_fired, world->n_cancelled);
	for (int i = 0; i < _ZKFS_ERROR_N; i++)
		if (world->n_errors[i] > 0)
			print_message("%u: %s\n", world->n_errors[i],
				      zkfs_error_words((enum zkfs_error)i));
}

static void test_chaos(void **state)
{
	static struct world world;
	const char *seed = getenv("ZKFS_SEED");

	(void)state;
	zkfs_list_init(&world.jobs);
	world.random =
		seed ? strtoull(seed, NULL, 0) : (uint64_t)zkfs_clock_us();
	print_message("ZKFS_SEED=%llu\n", (unsigned long long)world.random);
	client_connect(&world.client, server.address, "", FIXTURE_TIMEOUT_MS);
	for (int i = 0; i < N_PATHS; i++) {
		(void)snprintf(world.targets[i].path,
			       sizeof(world.targets[i].path), "/%d", i);
		make(&world.client, world.targets[i].path,
		     world.targets[i].path, 0);
	}
	run(&world);
	report(&world);
	check_targets(&world);
	/* Else it has shown nothing. */
	assert_true(world.n_faults > 5);
	assert_true(world.n_errors[ZKFS_E_OK] > 1000);
	assert_true(world.n_errors[ZKFS_E_LOST] > 0);
	assert_true(world.n_fired > 0 && world.n_cancelled > 0);
	zkfs_list_for_each_safe(it, &world.jobs) {
		job_drop(zkfs_list_entry(it, struct job, link));
	}
	client_close(&world.client, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chaos),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}

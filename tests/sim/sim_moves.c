/*
 * sim_moves: core/move and core/rewrite under chance. Clients rename files and
 * directories and truncate files, others create, set and delete them; each
 * request is answered, refused, not sent, or lost on its way or on its way
 * back, and reads are of the past.
 *
 * Checked when a call ends, by what the server has executed of it:
 *   - what is said to be done was executed, once
 *   - what is said to have failed was not, unless it is said to be unknown;
 *     that it was not sent is not told but mended
 *   - unknown it is only if a reply was lost, and another has touched the names
 *     since (or there was no time to look)
 * and at each execution, that it is the first of that call.
 *
 * What has another's length and version by chance cannot be told apart, and is
 * left out: no two versions have both, but what a rename carries along. So the
 * targets of two clients differ, and a file that is made anew has versions of
 * its own: a transaction that finds the old one's there takes it for that.
 *
 *	sim_moves [FIRST_SEED [COUNT]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/core/move.h"
#include "fs/core/rewrite.h"
#include "tests/sim/random.h"

#define N_CLIENTS 3
#define N_SHARED  2 /* names: sources of all, then each client's targets */
#define N_OWN	  2
#define N_NAMES	  (N_SHARED + N_CLIENTS * N_OWN)
#define N_STEPS	  600
#define MAX_TIMES (3 * N_STEPS)

struct file {
	bool exists;
	struct zkfs_stat stat;
};

/* The tree after one transaction. */
struct tree {
	struct file files[N_NAMES];
};

enum kind {
	RENAME,
	TRUNCATE
};

enum request {
	NOTHING,
	READ_SOURCE, /* or the file that is truncated */
	READ_TARGET,
	CHANGE,
	LOOK, /* behind a sync */
};

struct client {
	enum kind kind;
	enum request request; /* the next that the server gets */
	bool answered;	      /* the answer to it is on its way */
	size_t view;
	int from, to;
	bool is_file; /* what it renames */
	struct zkfs_move move;
	struct zkfs_rewrite rewrite;
	bool looks_at_target;

	/* The answer. */
	enum zkfs_error error;
	struct file found;
	struct file source, target; /* as read, for the transaction */
	int32_t carried_of;	    /* the version that it was made of */
	int32_t carried;	    /* length of the set */

	/* The truth. */
	unsigned executed;
	size_t executed_at;
	size_t read_view; /* before the first loss */
	unsigned lost;
	bool gave_up; /* no time to look */
};

struct sim {
	uint64_t seed;
	struct sim_random random;
	struct tree times[MAX_TIMES];
	size_t n_times;
	int32_t lengths;
	int32_t incarnations;
	struct client clients[N_CLIENTS];
	struct counts {
		unsigned done, failed, unknown, lost, found_done, again;
	} counts;
};

static _Noreturn void violated(const struct sim *sim, const char *what,
			       int line)
{
	(void)fprintf(stderr,
		      "seed %" PRIu64 ", line %d: violated: %s\n"
		      "again: sim_moves %" PRIu64 " 1\n",
		      sim->seed, line, what, sim->seed);
	abort();
}

#define must(sim, condition)                                                   \
	do {                                                                   \
		if (!(condition))                                              \
			violated(sim, #condition, __LINE__);                   \
	} while (0)

static uint32_t below(struct sim *sim, uint32_t n)
{
	return sim_random_below(&sim->random, n);
}

/*
 * The server
 */

static struct tree *newest(struct sim *sim)
{
	return &sim->times[sim->n_times - 1];
}

/* A new time, like the last one; its number is the transaction's. */
static struct tree *begin(struct sim *sim)
{
	must(sim, sim->n_times < MAX_TIMES);
	sim->times[sim->n_times] = sim->times[sim->n_times - 1];
	sim->n_times++;
	return newest(sim);
}

static bool differs(const struct file *a, const struct file *b)
{
	return a->exists != b->exists || a->stat.czxid != b->stat.czxid ||
	       a->stat.version != b->stat.version;
}

/* Whether another has changed one of its names since it read them. */
static bool disturbed(const struct sim *sim, const struct client *c)
{
	for (size_t i = c->read_view + 1; i < sim->n_times; i++) {
		const struct file *old = sim->times[i - 1].files;
		const struct file *new = sim->times[i].files;

		if (i != c->executed_at &&
		    (differs(&old[c->from], &new[c->from]) ||
		     differs(&old[c->to], &new[c->to])))
			return true;
	}
	return false;
}

static void make(struct sim *sim, int name, int32_t version, int32_t len)
{
	int64_t zxid = (int64_t)sim->n_times;

	newest(sim)->files[name] = (struct file){
		.exists = true,
		.stat = {.czxid = zxid,
			 .mzxid = zxid,
			 .version = version,
			 .data_length = len},
	};
}

static void set(struct sim *sim, int name, int32_t len)
{
	struct zkfs_stat *stat = &newest(sim)->files[name].stat;

	stat->mzxid = (int64_t)sim->n_times;
	stat->version++;
	stat->data_length = len;
}

static enum zkfs_error check_version(const struct file *file, int32_t version)
{
	if (!file->exists)
		return ZKFS_E_NONODE;
	return file->stat.version == version ? ZKFS_E_OK : ZKFS_E_BADVERSION;
}

static enum zkfs_error take_rename(struct sim *sim, struct client *c)
{
	const struct tree *now = newest(sim);
	enum zkfs_error error = ZKFS_E_OK;

	if (c->target.exists)
		error = check_version(&now->files[c->to],
				      c->target.stat.version);
	else if (now->files[c->to].exists)
		error = ZKFS_E_NODEEXISTS;
	if (!error)
		error = check_version(&now->files[c->from],
				      c->source.stat.version);
	if (error)
		return error;
	(void)begin(sim);
	/* A file that is made is set at once, a directory only if it was; one
	 * that is there is set, or replaced (ops/rename). */
	if (c->is_file && c->target.exists)
		set(sim, c->to, c->source.stat.data_length);
	else
		make(sim, c->to, c->is_file || c->source.stat.version > 0,
		     c->source.stat.data_length);
	newest(sim)->files[c->from].exists = false;
	return ZKFS_E_OK;
}

static enum zkfs_error take_set(struct sim *sim, struct client *c)
{
	enum zkfs_error error =
		check_version(&newest(sim)->files[c->from], c->rewrite.version);

	if (error)
		return error;
	(void)begin(sim);
	set(sim, c->from, c->carried);
	return ZKFS_E_OK;
}

static enum zkfs_error take(struct sim *sim, struct client *c)
{
	enum zkfs_error error =
		c->kind == RENAME ? take_rename(sim, c) : take_set(sim, c);

	if (error)
		return error;
	c->executed++;
	must(sim, c->executed == 1);
	c->executed_at = sim->n_times - 1;
	return ZKFS_E_OK;
}

static void lose(struct sim *sim, struct client *c)
{
	c->lost++;
	sim->counts.lost++;
	c->error = ZKFS_E_LOST;
}

static void execute_change(struct sim *sim, struct client *c)
{
	static const enum zkfs_error refusals[] = {
		ZKFS_E_TIMEDOUT, ZKFS_E_NOMEM, ZKFS_E_QUOTA, ZKFS_E_NOAUTH};
	uint32_t dice = below(sim, 100);

	if (dice < 5) {
		c->error = refusals[below(sim, 4)];
	} else if (dice < 10) {
		c->error = ZKFS_E_UNSENT;
	} else if (dice < 20) {
		lose(sim, c);
	} else {
		c->error = take(sim, c);
		/* Who is told has seen it; who is not may read the past. */
		if (dice < 45)
			lose(sim, c);
		else
			c->view = sim->n_times - 1;
	}
}

static void execute_read(struct sim *sim, struct client *c)
{
	int name = c->request == READ_TARGET ||
				   (c->request == LOOK && c->looks_at_target)
			   ? c->to
			   : c->from;

	if (c->request == LOOK)
		c->view = sim->n_times - 1;
	if (c->request == READ_SOURCE && c->lost == 0)
		c->read_view = c->view;
	c->found = sim->times[c->view].files[name];
	c->error = c->found.exists ? ZKFS_E_OK : ZKFS_E_NONODE;
	if (below(sim, 100) < 3)
		c->error = ZKFS_E_TIMEDOUT;
}

/*
 * The clients, as fs/ops does it
 */

static void ended(struct sim *sim, struct client *c, int error, bool unknown)
{
	c->request = NOTHING;
	if (!error) {
		must(sim, c->executed == 1);
		sim->counts.done++;
		sim->counts.found_done += c->lost > 0;
	} else if (unknown) {
		must(sim, error == -EIO && c->lost > 0);
		must(sim, c->gave_up || disturbed(sim, c));
		sim->counts.unknown++;
	} else {
		must(sim, c->executed == 0 && error != -EIO);
		sim->counts.failed++;
	}
}

static void go_on(struct sim *sim, struct client *c, enum zkfs_move_next next)
{
	switch (next) {
	case ZKFS_MOVE_READ:
		sim->counts.again++;
		c->request = READ_SOURCE;
		break;
	case ZKFS_MOVE_SEND:
		c->request = CHANGE;
		break;
	case ZKFS_MOVE_LOOK_SOURCE:
	case ZKFS_MOVE_LOOK_TARGET:
		c->looks_at_target = next == ZKFS_MOVE_LOOK_TARGET;
		c->request = LOOK;
		break;
	case ZKFS_MOVE_DONE:
		ended(sim, c, 0, false);
		break;
	case ZKFS_MOVE_FAILED:
		ended(sim, c, c->move.error, c->move.unknown);
		break;
	}
}

static void rename_read(struct sim *sim, struct client *c)
{
	bool to = c->request == READ_TARGET;

	if (c->error && !(to && c->error == ZKFS_E_NONODE)) {
		ended(sim, c, zkfs_error_to_errno(c->error), false);
		return;
	}
	if (!to) {
		c->source = c->found;
		c->request = READ_TARGET;
		return;
	}
	c->target = c->found;
	go_on(sim, c,
	      zkfs_move_read(&c->move, &c->source.stat, c->is_file,
			     c->target.exists ? &c->target.stat : NULL));
}

static void rename_looked(struct sim *sim, struct client *c)
{
	bool known = !c->error || c->error == ZKFS_E_NONODE;
	const struct zkfs_stat *stat = c->error ? NULL : &c->found.stat;

	c->gave_up |= !known;
	if (c->looks_at_target)
		go_on(sim, c, zkfs_move_found_target(&c->move, known, stat));
	else
		go_on(sim, c, zkfs_move_found_source(&c->move, known, stat));
}

static void rename_answered(struct sim *sim, struct client *c)
{
	if (c->request == CHANGE)
		go_on(sim, c, zkfs_move_sent(&c->move, c->error));
	else if (c->request == LOOK)
		rename_looked(sim, c);
	else
		rename_read(sim, c);
}

static void rewrite_go_on(struct sim *sim, struct client *c,
			  enum zkfs_rewrite_next next)
{
	switch (next) {
	case ZKFS_REWRITE_READ:
		sim->counts.again++;
		c->request = READ_SOURCE;
		break;
	case ZKFS_REWRITE_SET:
		/* Of the same it is made the same. */
		if (c->carried_of != c->found.stat.version)
			c->carried = ++sim->lengths;
		c->carried_of = c->found.stat.version;
		c->request = CHANGE;
		break;
	case ZKFS_REWRITE_DONE:
		ended(sim, c, 0, false);
		break;
	case ZKFS_REWRITE_FAILED:
		ended(sim, c, c->rewrite.error, c->rewrite.error == -EIO);
		break;
	}
}

static void truncate_answered(struct sim *sim, struct client *c)
{
	bool in_time = below(sim, 10) > 0;
	bool same = !c->error && c->found.stat.data_length == c->carried;

	if (c->request == CHANGE) {
		c->gave_up |= c->error == ZKFS_E_LOST && !in_time;
		c->gave_up |= c->lost > 0 && c->error != ZKFS_E_BADVERSION &&
			      c->error != ZKFS_E_UNSENT;
		rewrite_go_on(sim, c,
			      zkfs_rewrite_set(&c->rewrite, c->error, in_time));
		return;
	}
	c->gave_up |= c->error == ZKFS_E_TIMEDOUT;
	rewrite_go_on(
		sim, c,
		zkfs_rewrite_read(&c->rewrite, c->error, &c->found.stat, same,
				  c->source.stat.czxid == c->found.stat.czxid));
}

static void start(struct sim *sim, struct client *c)
{
	int self = (int)(c - sim->clients);
	size_t view = c->view;

	*c = (struct client){
		.kind = below(sim, 2) ? RENAME : TRUNCATE,
		.view = view,
		.request = READ_SOURCE,
		.to = N_SHARED + self * N_OWN + (int)below(sim, N_OWN),
		.from = (int)below(sim, N_SHARED),
		.is_file = below(sim, 2),
		.carried_of = -1,
	};
	if (c->kind == RENAME) {
		go_on(sim, c, zkfs_move_begin(&c->move));
		return;
	}
	c->to = c->from;
	/* The kernel has looked it up. */
	c->source = sim->times[view].files[c->from];
	if (!c->source.exists)
		c->request = NOTHING;
}

/*
 * What happens
 */

/* One of its own, or a source's: what is moved is known by more than that. */
static int32_t any_length(struct sim *sim)
{
	const struct file *source = &newest(sim)->files[below(sim, N_SHARED)];

	return below(sim, 3) ? ++sim->lengths : source->stat.data_length;
}

static void step_world(struct sim *sim)
{
	/* The sources most of the time: somebody has to make them. */
	int name = (int)below(sim, below(sim, 3) ? N_SHARED : N_NAMES);
	bool exists = newest(sim)->files[name].exists;
	uint32_t dice = below(sim, 4);

	if (exists && dice > 1)
		return;
	(void)begin(sim);
	/* The first source of a name was never set, as many a directory. */
	if (!exists && name < N_SHARED &&
	    newest(sim)->files[name].stat.czxid == 0)
		make(sim, name, 0, any_length(sim));
	else if (!exists)
		make(sim, name, 1000 * ++sim->incarnations, any_length(sim));
	else if (dice == 0)
		newest(sim)->files[name].exists = false;
	else
		set(sim, name, ++sim->lengths);
}

static void step_client(struct sim *sim, struct client *c)
{
	if (c->request == NOTHING) {
		start(sim, c);
	} else if (!c->answered) {
		if (c->request == CHANGE)
			execute_change(sim, c);
		else
			execute_read(sim, c);
		c->answered = true;
	} else {
		c->answered = false;
		if (c->kind == RENAME)
			rename_answered(sim, c);
		else
			truncate_answered(sim, c);
	}
}

static void run(struct sim *sim, uint64_t seed)
{
	*sim = (struct sim){.seed = seed,
			    .random = {seed},
			    .n_times = 1,
			    .counts = sim->counts};
	for (int i = 0; i < N_STEPS; i++) {
		struct client *c = &sim->clients[below(sim, N_CLIENTS)];

		if (below(sim, 12) == 0)
			step_world(sim);
		else if (below(sim, 4) == 0 && c->view + 1 < sim->n_times)
			c->view++;
		else
			step_client(sim, c);
	}
}

/* A simulation that never gets there proves nothing. */
static void check_counts(const struct sim *sim, uint64_t n)
{
	const struct counts *c = &sim->counts;

	(void)printf("%" PRIu64 " seeds: %u done, %u of them found so, %u "
		     "failed, %u unknown, %u replies lost, %u read again\n",
		     n, c->done, c->found_done, c->failed, c->unknown, c->lost,
		     c->again);
	if (n >= 100)
		must(sim, c->done > n && c->found_done > n && c->failed > n &&
				  c->unknown > n / 10 && c->again > n);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 5000;
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return EXIT_FAILURE;
	for (uint64_t seed = first; seed < first + count; seed++)
		run(sim, seed);
	check_counts(sim, count);
	free(sim);
	return EXIT_SUCCESS;
}

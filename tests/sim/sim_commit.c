/*
 * sim_commit: core/commit under chance. Two clients with a few open files each,
 * all on one znode, write, cut, flush, sync, die and close in any order, while
 * somebody else sets, deletes and makes the znode again, replies are lost, and
 * each client reads through a server that lags behind.
 *
 * The model is as plain as can be: the znode's history is an array of whole
 * revisions, and a file is a numbered list of what was done to it. From these
 * two follows what every set must carry and what every handle must show:
 *
 *	replay(a revision, operations first ... last)
 *
 * Checked at each step:
 *   - a set that the server takes is the version it replaces with whole
 *     operations applied, in their order, none left out and none twice
 *   - what was acknowledged by fsync, or by a flush to the process that wrote
 *     it, is in the history; what was refused as ESTALE, EFBIG, ETIMEDOUT or
 *     ENOMEM is not
 *   - a handle shows its base version with its pending operations applied
 *   - what a killed process wrote last is not committed by a close
 *   - a handle that has failed sets nothing any more, and stays failed
 *   - an exiting child does not commit what another process is writing
 *
 * What cannot be told apart here either is left out: a znode that is made anew
 * and has by chance the version of the old one, and two clients that set the
 * same bytes on the same version.
 *
 *	sim_commit [FIRST_SEED [COUNT]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/util.h"
#include "include/zkfs/commit.h"
#include "tests/sim/random.h"

#define N_CLIENTS     2
#define N_HANDLES     5
#define N_OWNERS      3 /* processes that share a handle: 1 ... */
#define N_STEPS	      400
#define N_WAITERS     4
#define MAX_OPS	      (N_STEPS + 2)
#define MAX_REVS      (3 * N_STEPS)
#define LIMIT	      120 /* of a set */
#define ROOM	      (2 * LIMIT)
#define TEXT_MAX      40
#define FIRST_VERSION 1000000

struct bytes {
	size_t len;
	char data[ROOM];
};

/* One state of the znode. Versions are unique in a history, so that a version
 * names its revision: each incarnation has a range of its own. */
struct revision {
	bool exists;
	int32_t version;
	struct bytes bytes;
	int handle; /* whose set it was, -1: somebody else's */
	unsigned opened;
	unsigned seq; /* ... and its newest operation in it */
};

struct op {
	bool truncate;
	size_t off; /* or the length to cut at */
	size_t len;
	uint64_t owner;
	char text[TEXT_MAX];
};

struct waiter {
	enum zkfs_commit_cause cause;
	uint64_t owner;
	unsigned seq; /* what must be committed when it is answered with 0 */
	bool began;   /* the commit under way is its own: it will be told */
};

enum phase {
	IDLE,
	SENT,	  /* the server has not seen it */
	EXECUTED, /* the answer is on its way */
};

struct handle {
	bool open;
	bool released;
	unsigned opened; /* counts, so that revisions tell lives apart */
	int client;
	unsigned flags;
	struct zkfs_commit commit;

	struct op ops[MAX_OPS];
	unsigned seq;	   /* operations so far; they count from 1 */
	unsigned resolved; /* those the handle knows to be committed */
	unsigned intent;   /* those in the set under way, or the last one */
	unsigned executed; /* how often the server has taken that set */
	bool put_off;	   /* a begin has failed, and may be repeated */
	bool abandoned;
	bool unlinked;
	bool has_flusher;
	uint64_t flusher;
	uint64_t writer; /* 0: nobody, or unknown */
	int failed;

	enum phase phase;
	enum zkfs_commit_next request;
	enum zkfs_error answer;
	int32_t answer_version;
	struct zkfs_buf *answer_data;
	struct waiter waiters[N_WAITERS];
	size_t n_waiters;
};

struct sim {
	uint64_t seed;
	struct sim_random random;
	bool healthy; /* no more faults */
	struct revision revs[MAX_REVS];
	size_t n_revs;
	unsigned incarnations;
	unsigned n_texts;
	size_t view[N_CLIENTS]; /* the revision that client reads */
	struct handle handles[N_HANDLES];
	char trace[64 * 1024];
	size_t trace_len;
	/* What was reached, over all seeds. */
	struct counts {
		unsigned sets, conflicts, lost, happened, rebased, acked,
			refused, dropped;
	} counts;
};

/*
 * Telling
 */

__attribute__((format(printf, 2, 3))) static void note(struct sim *sim,
						       const char *format, ...)
{
	size_t room = sizeof(sim->trace) - sim->trace_len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sim->trace + sim->trace_len, room, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < room)
		sim->trace_len += (size_t)n;
}

static _Noreturn void violated(struct sim *sim, const char *what, int line)
{
	(void)fflush(stdout);
	(void)fprintf(stderr,
		      "%s\nseed %" PRIu64 ", line %d: violated: %s\n"
		      "again: sim_commit %" PRIu64 " 1\n",
		      sim->trace, sim->seed, line, what, sim->seed);
	abort();
}

#define must(sim, condition)                                                   \
	do {                                                                   \
		if (!(condition))                                              \
			violated(sim, #condition, __LINE__);                   \
	} while (0)

static int number(const struct sim *sim, const struct handle *h)
{
	return (int)(h - sim->handles);
}

/*
 * The model
 */

static struct revision *newest(struct sim *sim)
{
	return &sim->revs[sim->n_revs - 1];
}

static struct revision *push(struct sim *sim, bool exists, int32_t version,
			     const struct bytes *bytes)
{
	struct revision *rev = &sim->revs[sim->n_revs];

	must(sim, sim->n_revs < MAX_REVS);
	*rev = (struct revision){
		.exists = exists, .version = version, .handle = -1};
	if (bytes)
		rev->bytes = *bytes;
	sim->n_revs++;
	return rev;
}

static struct revision *revision_of(struct sim *sim, int32_t version)
{
	for (size_t i = sim->n_revs; i-- > 0;) {
		if (sim->revs[i].exists && sim->revs[i].version == version)
			return &sim->revs[i];
	}
	violated(sim, "a version that never was", __LINE__);
}

static void apply(struct bytes *bytes, const struct op *op, bool append)
{
	size_t off = append ? bytes->len : op->off;
	size_t end = op->truncate ? op->off : off + op->len;

	if (end > bytes->len)
		memset(bytes->data + bytes->len, 0, end - bytes->len);
	if (end > bytes->len || op->truncate)
		bytes->len = end;
	if (!op->truncate)
		memcpy(bytes->data + off, op->text, op->len);
}

/* The revision with operations first ... last on top. */
static struct bytes replay(const struct handle *h, const struct revision *rev,
			   unsigned first, unsigned last)
{
	struct bytes bytes = rev->bytes;

	for (unsigned i = first; i <= last; i++)
		apply(&bytes, &h->ops[i], h->flags & ZKFS_COMMIT_APPEND);
	return bytes;
}

static bool equal(const struct bytes *bytes, const void *data, size_t len)
{
	return bytes->len == len &&
	       (len == 0 || memcmp(bytes->data, data, len) == 0);
}

static bool made(const struct sim *sim, const struct handle *h,
		 const struct revision *rev)
{
	return rev->handle == number(sim, h) && rev->opened == h->opened;
}

/* The newest operation of the handle that is in the history. */
static unsigned committed(const struct sim *sim, const struct handle *h)
{
	for (size_t i = sim->n_revs; i-- > 0;) {
		if (made(sim, h, &sim->revs[i]))
			return sim->revs[i].seq;
	}
	return 0;
}

static bool pending(const struct handle *h)
{
	return h->seq > h->resolved && !h->failed;
}

/* Whether all that is pending is one other process's, known by name. */
static bool only_others_wrote(const struct handle *h, uint64_t owner)
{
	uint64_t writer = h->ops[h->seq].owner;

	if (!pending(h) || h->put_off || h->commit.doubt || h->seq == 0)
		return false;
	/* O_TRUNC belongs to nobody: it goes with whoever writes after it. */
	for (unsigned i = h->resolved + 1; i <= h->seq; i++) {
		bool by_open = i == 1 && (h->flags & ZKFS_COMMIT_TRUNC);

		if (!by_open && h->ops[i].owner != writer)
			return false;
	}
	return writer != 0 && writer != owner;
}

static void check_view(struct sim *sim, struct handle *h)
{
	struct revision *base = revision_of(sim, h->commit.version);
	const void *data = "";
	struct bytes want;
	size_t len;

	if (made(sim, h, base) && base->seq > h->resolved)
		h->resolved = base->seq;
	want = replay(h, base, h->resolved + 1, h->seq);
	len = zkfs_commit_read(&h->commit, 0, SIZE_MAX, &data);
	must(sim, equal(&want, data, len));
	must(sim, len == zkfs_commit_size(&h->commit));
}

/* A conflict says that nothing was overwritten. */
static void check_not_done(struct sim *sim, const struct handle *h)
{
	bool gone = false;

	/* Or that it was, and the znode was deleted after that. */
	for (size_t i = 0; i < sim->n_revs; i++)
		gone |= !sim->revs[i].exists;
	must(sim, h->executed == 0 || h->resolved == h->intent || gone);
}

static void check(struct sim *sim, struct handle *h)
{
	int failed = zkfs_commit_failed(&h->commit);

	if (!h->open)
		return;
	check_view(sim, h);
	must(sim, !h->failed || failed == h->failed);
	if (failed && !h->failed)
		note(sim, "%d has failed: %d\n", number(sim, h), failed);
	if (failed == -ESTALE && !h->failed)
		check_not_done(sim, h);
	h->failed = failed;
	must(sim, h->executed <= 1);
}

/*
 * The server
 */

/* What a client learns as its server gets on: its watches fire. */
static void catch_up(struct sim *sim, int client, size_t view)
{
	while (sim->view[client] < view) {
		sim->view[client]++;
		for (int i = 0; i < N_HANDLES; i++) {
			struct handle *h = &sim->handles[i];
			struct revision *rev = &sim->revs[sim->view[client]];

			if (h->open && h->client == client &&
			    rev > revision_of(sim, h->commit.version))
				zkfs_commit_conflict(&h->commit);
		}
	}
}

static void check_set(struct sim *sim, struct handle *h, const void *data,
		      size_t len)
{
	struct bytes want = replay(h, newest(sim), h->resolved + 1, h->intent);

	/* It replaces the version it was made from, or is an append. */
	must(sim, len <= LIMIT);
	must(sim, equal(&want, data, len));
	must(sim, h->intent > h->resolved);
	must(sim, !h->unlinked);
	h->executed++;
	must(sim, h->executed == 1);
}

static enum zkfs_error take_set(struct sim *sim, struct handle *h)
{
	struct revision *rev;
	struct bytes bytes;
	const void *data;
	int32_t version;
	size_t len;

	zkfs_commit_payload(&h->commit, &data, &len, &version);
	if (!newest(sim)->exists)
		return ZKFS_E_NONODE;
	if (newest(sim)->version != version) {
		sim->counts.conflicts++;
		return ZKFS_E_BADVERSION;
	}
	check_set(sim, h, data, len);
	bytes.len = len;
	if (len > 0)
		memcpy(bytes.data, data, len);
	rev = push(sim, true, version + 1, &bytes);
	rev->handle = number(sim, h);
	rev->opened = h->opened;
	rev->seq = h->intent;
	sim->counts.sets++;
	return ZKFS_E_OK;
}

static bool chance(struct sim *sim, uint32_t percent)
{
	return !sim->healthy && sim_random_chance(&sim->random, percent * 100);
}

/* Whether nobody else can have the same bytes to set: two truncations are
 * alike, and a lost reply would be taken for the other's. */
static bool unique(const struct handle *h)
{
	const struct op *op = &h->ops[h->intent];
	const void *data;
	int32_t version;
	size_t len;

	zkfs_commit_payload(&h->commit, &data, &len, &version);
	return !op->truncate && len > 0 &&
	       memmem(data, len, op->text, op->len) != NULL;
}

static void execute_set(struct sim *sim, struct handle *h)
{
	bool may_lose = unique(h);

	static const enum zkfs_error refusals[] = {
		ZKFS_E_TIMEDOUT, ZKFS_E_TIMEDOUT, ZKFS_E_NOMEM,	 ZKFS_E_QUOTA,
		ZKFS_E_NOAUTH,	 ZKFS_E_EXPIRED,  ZKFS_E_TOOBIG, ZKFS_E_OTHER};

	if (chance(sim, 4)) {
		h->answer = refusals[sim_random_below(
			&sim->random, ZKFS_ARRAY_SIZE(refusals))];
		return;
	}
	if (may_lose && chance(sim, 8)) {
		h->answer = ZKFS_E_LOST;
		return;
	}
	h->answer = take_set(sim, h);
	h->answer_version = newest(sim)->version;
	if (may_lose && chance(sim, 12)) {
		h->answer = ZKFS_E_LOST;
		return;
	}
	/* A server answers a change when it has applied all before it. */
	catch_up(sim, h->client, sim->n_revs - 1);
}

static void execute_get(struct sim *sim, struct handle *h)
{
	const struct revision *rev = &sim->revs[sim->view[h->client]];

	h->answer = rev->exists ? ZKFS_E_OK : ZKFS_E_NONODE;
	if (chance(sim, 10))
		h->answer = chance(sim, 30) ? ZKFS_E_NOMEM : ZKFS_E_TIMEDOUT;
	if (h->answer)
		return;
	h->answer_version = rev->version;
	h->answer_data = zkfs_buf_new(rev->bytes.data, rev->bytes.len);
	must(sim, h->answer_data != NULL);
}

static void execute(struct sim *sim, struct handle *h)
{
	if (h->request == ZKFS_COMMIT_SET)
		execute_set(sim, h);
	else
		execute_get(sim, h);
	h->phase = EXECUTED;
	if (h->answer == ZKFS_E_LOST)
		sim->counts.lost++;
	note(sim, "%d %s: %s\n", number(sim, h),
	     h->request == ZKFS_COMMIT_SET ? "set" : "get",
	     zkfs_error_words(h->answer));
}

/*
 * The handle's caller, as fs/ops does it
 */

/* A new set: all that was done until now. */
static void start_set(struct handle *h)
{
	h->intent = h->seq;
	h->executed = 0;
	h->put_off = false;
}

static void follow(struct sim *sim, struct handle *h,
		   enum zkfs_commit_next next)
{
	if (next == ZKFS_COMMIT_DONE || next == ZKFS_COMMIT_BUSY)
		return;
	must(sim, next == ZKFS_COMMIT_SET || next == ZKFS_COMMIT_GET);
	must(sim, h->phase == IDLE);
	h->request = next;
	h->phase = SENT;
}

/* Begins, and knows what that is about: what is in doubt is resolved first. */
static enum zkfs_commit_next ask(struct handle *h, enum zkfs_commit_cause cause,
				 uint64_t owner)
{
	bool idle = h->phase == IDLE && !h->commit.doubt;
	enum zkfs_commit_next next =
		zkfs_commit_begin(&h->commit, cause, owner);

	if (idle && next != ZKFS_COMMIT_DONE)
		start_set(h);
	/* Only the living sync. */
	if (next != ZKFS_COMMIT_BUSY &&
	    (cause == ZKFS_COMMIT_FSYNC || cause == ZKFS_COMMIT_WRITE))
		h->abandoned = false;
	return next;
}

/* The outcome of a begin, told to the one who asked for it. */
static void acknowledge(struct sim *sim, struct handle *h,
			const struct waiter *w, int error)
{
	note(sim, "%d %d of process %d: %d\n", number(sim, h), (int)w->cause,
	     (int)w->owner, error);
	if (error) {
		sim->counts.refused++;
		return;
	}
	if (h->unlinked)
		return;
	if (w->cause == ZKFS_COMMIT_RELEASE && h->abandoned) {
		sim->counts.dropped++;
		return;
	}
	/* Killed meanwhile: nobody to be told. */
	if (w->cause == ZKFS_COMMIT_FLUSH && h->abandoned)
		return;
	must(sim, committed(sim, h) >= w->seq);
	sim->counts.acked++;
}

/* What the error says of the set that met it. */
static void check_outcome(struct sim *sim, struct handle *h, int error)
{
	must(sim, !error || error == -ETIMEDOUT || error == -ENOMEM ||
			  error == -EIO || h->failed);
	switch (error) {
	case 0:
		must(sim, h->executed == 1 || h->unlinked);
		break;
	case -EIO:
		break;
	case -ESTALE:
		check_not_done(sim, h);
		break;
	default:
		/* What was in doubt was done; what came after it was not. */
		must(sim, h->executed == 0 || h->resolved == h->intent);
	}
}

static void close_handle(struct sim *sim, struct handle *h)
{
	zkfs_commit_fini(&h->commit);
	h->open = false;
	h->n_waiters = 0;
	note(sim, "%d closed\n", number(sim, h));
}

/* Each waiter's turn comes again; an error is everybody's. */
static void wake(struct sim *sim, struct handle *h)
{
	int error = zkfs_commit_error(&h->commit);

	while (h->n_waiters > 0) {
		struct waiter w = h->waiters[0];
		enum zkfs_commit_next next = ZKFS_COMMIT_DONE;

		if (!error && !w.began)
			next = ask(h, w.cause, w.owner);
		if (next != ZKFS_COMMIT_DONE) {
			h->waiters[0].began = true;
			follow(sim, h, next);
			return;
		}
		memmove(h->waiters, h->waiters + 1, --h->n_waiters * sizeof(w));
		if (!error && !w.began)
			acknowledge(sim, h, &w, zkfs_commit_error(&h->commit));
		else
			acknowledge(sim, h, &w, error);
		if (w.cause == ZKFS_COMMIT_RELEASE) {
			close_handle(sim, h);
			return;
		}
	}
}

static void deliver(struct sim *sim, struct handle *h)
{
	enum zkfs_commit_next next;
	int32_t before = h->commit.version;
	bool doubt = h->commit.doubt;
	int error;

	h->phase = IDLE;
	if (h->request == ZKFS_COMMIT_SET)
		next = zkfs_commit_set_done(&h->commit, h->answer,
					    h->answer_version);
	else
		next = zkfs_commit_get_done(&h->commit, h->answer,
					    h->answer_data, h->answer_version);
	h->answer_data = zkfs_buf_unref(h->answer_data);
	if (h->request == ZKFS_COMMIT_GET && next == ZKFS_COMMIT_SET &&
	    h->commit.version != before)
		sim->counts.rebased++;
	if (doubt && !h->commit.doubt && h->executed)
		sim->counts.happened++;
	check(sim, h);
	if (next != ZKFS_COMMIT_DONE) {
		/* What was in doubt has happened; now what came after it. */
		if (h->executed && !h->commit.doubt)
			start_set(h);
		follow(sim, h, next);
		return;
	}
	error = zkfs_commit_error(&h->commit);
	check_outcome(sim, h, error);
	if (error && !h->failed)
		h->put_off = true;
	wake(sim, h);
}

/* A killed process's or a clean handle's close asks nothing of the server. */
static void check_begin(struct sim *sim, struct handle *h,
			const struct waiter *w, bool others,
			enum zkfs_commit_next next)
{
	bool closes = w->cause == ZKFS_COMMIT_FLUSH ||
		      w->cause == ZKFS_COMMIT_RELEASE;

	if (next == ZKFS_COMMIT_BUSY)
		return;
	if (!pending(h) || h->unlinked || (closes && h->abandoned))
		must(sim, next == ZKFS_COMMIT_DONE);
	if (w->cause == ZKFS_COMMIT_FLUSH && others)
		must(sim, next == ZKFS_COMMIT_DONE);
	if (h->failed && h->seq > committed(sim, h) && !h->abandoned)
		must(sim, zkfs_commit_error(&h->commit) == h->failed);
	if (!zkfs_commit_failed(&h->commit) && next == ZKFS_COMMIT_DONE)
		must(sim, zkfs_commit_error(&h->commit) == 0);
}

/* What a flush promises to its process. */
static unsigned promised(const struct handle *h, enum zkfs_commit_cause cause,
			 uint64_t owner)
{
	bool bare = h->seq == 1 && (h->flags & ZKFS_COMMIT_TRUNC);
	unsigned seq = h->seq;

	if (cause != ZKFS_COMMIT_FLUSH)
		return seq;
	if (bare)
		return h->has_flusher && h->flusher == owner ? 1 : 0;
	while (seq > 0 && h->ops[seq].owner != owner)
		seq--;
	return seq;
}

static void begin(struct sim *sim, struct handle *h,
		  enum zkfs_commit_cause cause, uint64_t owner)
{
	struct waiter w = {.cause = cause,
			   .owner = owner,
			   .seq = promised(h, cause, owner)};
	bool others = only_others_wrote(h, owner);
	enum zkfs_commit_next next;

	if (h->n_waiters == N_WAITERS)
		return;
	note(sim, "%d begin %d by %d\n", number(sim, h), (int)cause,
	     (int)owner);
	next = ask(h, cause, owner);
	must(sim, (next == ZKFS_COMMIT_BUSY) == (h->phase != IDLE));
	check_begin(sim, h, &w, others, next);
	if (cause == ZKFS_COMMIT_FLUSH && next == ZKFS_COMMIT_DONE &&
	    !h->has_flusher && h->seq == 1 && !h->abandoned && !h->failed &&
	    !h->unlinked && (h->flags & ZKFS_COMMIT_TRUNC) && !h->resolved &&
	    !h->put_off) {
		h->has_flusher = true;
		h->flusher = owner;
	}
	if (next == ZKFS_COMMIT_DONE) {
		acknowledge(sim, h, &w, zkfs_commit_error(&h->commit));
		if (cause == ZKFS_COMMIT_RELEASE)
			close_handle(sim, h);
		return;
	}
	w.began = next != ZKFS_COMMIT_BUSY;
	h->waiters[h->n_waiters++] = w;
	follow(sim, h, next);
}

/*
 * What happens
 */

static uint32_t below(struct sim *sim, uint32_t n)
{
	return sim_random_below(&sim->random, n);
}

static uint64_t any_owner(struct sim *sim)
{
	return 1 + below(sim, N_OWNERS);
}

static void do_open(struct sim *sim, struct handle *h)
{
	static const unsigned flags[] = {
		0, ZKFS_COMMIT_TRUNC, ZKFS_COMMIT_APPEND, ZKFS_COMMIT_APPEND,
		ZKFS_COMMIT_APPEND | ZKFS_COMMIT_TRUNC};
	int client = (int)below(sim, N_CLIENTS);
	const struct revision *rev = &sim->revs[sim->view[client]];
	unsigned opened = h->opened + 1;
	struct zkfs_buf *data;

	if (!rev->exists)
		return;
	*h = (struct handle){
		.open = true,
		.opened = opened,
		.client = client,
		.flags = flags[below(sim, ZKFS_ARRAY_SIZE(flags))],
	};
	data = zkfs_buf_new(rev->bytes.data, rev->bytes.len);
	must(sim, data != NULL);
	zkfs_commit_init(&h->commit, h->flags, LIMIT);
	zkfs_commit_base(&h->commit, data, rev->version);
	(void)zkfs_buf_unref(data);
	if (h->flags & ZKFS_COMMIT_TRUNC)
		h->ops[++h->seq] = (struct op){.truncate = true};
	note(sim, "%d opened %u by client %d at %d\n", number(sim, h), h->flags,
	     client, rev->version);
}

static void did(struct sim *sim, struct handle *h, const struct op *op, int r)
{
	note(sim, "%d %s %zu+%zu by %d: %d\n", number(sim, h),
	     op->truncate ? "truncate" : "write", op->off, op->len,
	     (int)op->owner, r);
	h->abandoned = false;
	if (h->failed) {
		must(sim, r == h->failed);
		return;
	}
	if (r < 0) {
		must(sim, r == -EFBIG || r == -ESTALE);
		must(sim, zkfs_commit_failed(&h->commit) == r);
		return;
	}
	h->ops[++h->seq] = *op;
	h->writer = op->owner;
}

static void do_write(struct sim *sim, struct handle *h)
{
	struct op op = {
		.off = below(sim, 60),
		/* libfuse does not always tell who. */
		.owner = below(sim, 8) ? any_owner(sim) : 0,
	};

	op.len = (size_t)snprintf(op.text, sizeof(op.text), "<%u>",
				  sim->n_texts++);
	did(sim, h, &op,
	    zkfs_commit_write(&h->commit, op.text, op.len, op.off, op.owner));
}

static void do_truncate(struct sim *sim, struct handle *h)
{
	struct op op = {
		.truncate = true,
		.off = below(sim, 10) ? below(sim, 40) : LIMIT + 1,
		.owner = below(sim, 2) ? any_owner(sim) : 0,
	};

	did(sim, h, &op, zkfs_commit_truncate(&h->commit, op.off, op.owner));
}

static void do_kill(struct sim *sim, struct handle *h)
{
	uint64_t owner = any_owner(sim);

	note(sim, "%d process %d is killed\n", number(sim, h), (int)owner);
	zkfs_commit_killed(&h->commit, owner);
	if (pending(h) && (h->writer == 0 || h->writer == owner))
		h->abandoned = true;
}

static void foreign_set(struct sim *sim)
{
	struct bytes bytes = {0};
	int32_t version = newest(sim)->version + 1;

	/* At times it appends, so that a file grows. */
	if (below(sim, 2) && newest(sim)->bytes.len < LIMIT - 20)
		bytes = newest(sim)->bytes;
	bytes.len += (size_t)snprintf(bytes.data + bytes.len, 20, "{%u}",
				      sim->n_texts++);
	if (!newest(sim)->exists)
		version = FIRST_VERSION - 1000 * (int32_t)++sim->incarnations;
	(void)push(sim, true, version, &bytes);
	note(sim, "foreign set: %d\n", version);
}

static void foreign_delete(struct sim *sim)
{
	if (newest(sim)->exists)
		(void)push(sim, false, 0, NULL);
	note(sim, "foreign delete\n");
}

/* Through the mount: what its handles have sent is before it in the order of
 * their session. */
static void do_unlink(struct sim *sim, int client)
{
	for (int i = 0; i < N_HANDLES; i++) {
		struct handle *h = &sim->handles[i];

		if (h->open && h->client == client && h->phase == SENT)
			execute(sim, h);
	}
	catch_up(sim, client, sim->n_revs - 1);
	if (!newest(sim)->exists)
		return;
	(void)push(sim, false, 0, NULL);
	sim->view[client] = sim->n_revs - 1;
	for (int i = 0; i < N_HANDLES; i++) {
		struct handle *h = &sim->handles[i];

		if (!h->open || h->client != client)
			continue;
		zkfs_commit_unlink(&h->commit);
		h->unlinked = true;
	}
	note(sim, "unlink by client %d\n", client);
}

static void do_release(struct sim *sim, struct handle *h)
{
	h->released = true;
	begin(sim, h, ZKFS_COMMIT_RELEASE, 0);
}

static void step_user(struct sim *sim, struct handle *h)
{
	uint32_t dice;

	/* What has failed is of no more use. */
	if ((h->failed || h->unlinked) && h->n_waiters == 0 && below(sim, 3)) {
		do_release(sim, h);
		return;
	}
	dice = below(sim, 20);
	if (dice < 7)
		do_write(sim, h);
	else if (dice < 8)
		do_truncate(sim, h);
	else if (dice < 14)
		begin(sim, h, ZKFS_COMMIT_FLUSH, any_owner(sim));
	else if (dice < 16)
		begin(sim, h, ZKFS_COMMIT_FSYNC, 0);
	else if (dice < 17)
		begin(sim, h, ZKFS_COMMIT_WRITE, any_owner(sim));
	else if (dice < 18)
		do_kill(sim, h);
	else if (dice < 19 && h->n_waiters == 0)
		do_release(sim, h);
}

static void step_network(struct sim *sim, struct handle *h)
{
	if (h->phase == SENT)
		execute(sim, h);
	else if (h->phase == EXECUTED)
		deliver(sim, h);
}

static void step_world(struct sim *sim)
{
	int client = (int)below(sim, N_CLIENTS);
	uint32_t dice = below(sim, 180);

	if (dice < 24)
		foreign_set(sim);
	else if (dice == 24)
		foreign_delete(sim);
	else if (dice == 25)
		do_unlink(sim, client);
	else if (sim->view[client] + 1 < sim->n_revs)
		catch_up(sim, client, sim->view[client] + 1);
}

static void step(struct sim *sim)
{
	struct handle *h = &sim->handles[below(sim, N_HANDLES)];

	if (below(sim, 6) == 0)
		step_world(sim);
	else if (!h->open)
		do_open(sim, h);
	else if (h->released || below(sim, 2))
		step_network(sim, h);
	else
		step_user(sim, h);
	for (int i = 0; i < N_HANDLES; i++)
		check(sim, &sim->handles[i]);
}

/* All is well again and nobody interferes: each file is written and synced a
 * last time, which must succeed or be refused for good, and closed. */
static void settle(struct sim *sim, struct handle *h)
{
	for (int i = 0; h->open && h->phase != IDLE && i < 1000; i++) {
		step_network(sim, h);
		check(sim, h);
	}
	must(sim, !h->open || h->phase == IDLE);
}

static void wind_up(struct sim *sim)
{
	sim->healthy = true;
	for (int i = 0; i < N_HANDLES; i++)
		settle(sim, &sim->handles[i]);
	if (!newest(sim)->exists)
		foreign_set(sim);
	for (int i = 0; i < N_CLIENTS; i++)
		catch_up(sim, i, sim->n_revs - 1);
	for (int i = 0; i < N_HANDLES; i++) {
		struct handle *h = &sim->handles[i];

		if (!h->open)
			continue;
		check(sim, h);
		if (!h->released)
			begin(sim, h, ZKFS_COMMIT_FSYNC, 0);
		settle(sim, h);
		if (h->open && !h->released)
			do_release(sim, h);
		settle(sim, h);
		must(sim, !h->open);
	}
}

static void run(struct sim *sim, uint64_t seed)
{
	struct bytes bytes = {.len = 3, .data = "old"};

	sim->seed = seed;
	sim->random.state = seed;
	sim->healthy = false;
	sim->n_revs = 0;
	sim->incarnations = 0;
	sim->n_texts = 0;
	sim->trace_len = 0;
	sim->trace[0] = '\0';
	memset(sim->view, 0, sizeof(sim->view));
	for (int i = 0; i < N_HANDLES; i++)
		sim->handles[i].opened = 0;
	(void)push(sim, true, FIRST_VERSION, &bytes);
	for (int i = 0; i < N_STEPS; i++)
		step(sim);
	wind_up(sim);
}

/* A simulation that never gets there proves nothing. */
static void check_counts(struct sim *sim, uint64_t n_seeds)
{
	const struct counts *c = &sim->counts;

	(void)printf("%" PRIu64 " seeds: %u sets, %u conflicts, %u replies "
		     "lost, %u found done, %u appends moved, %u acknowledged, "
		     "%u refused, %u dropped\n",
		     n_seeds, c->sets, c->conflicts, c->lost, c->happened,
		     c->rebased, c->acked, c->refused, c->dropped);
	if (n_seeds < 100)
		return;
	must(sim, c->sets > n_seeds && c->conflicts > n_seeds / 4 &&
			  c->lost > n_seeds / 4 && c->happened > n_seeds / 10 &&
			  c->rebased > n_seeds / 10 && c->acked > n_seeds &&
			  c->refused > n_seeds / 4 &&
			  c->dropped > n_seeds / 40);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 3000;
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return EXIT_FAILURE;
	for (uint64_t seed = first; seed < first + count; seed++)
		run(sim, seed);
	check_counts(sim, count);
	free(sim);
	return EXIT_SUCCESS;
}

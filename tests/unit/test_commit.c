/*
 * test_commit: one handle against a pretended server that holds one znode.
 * Orders of requests are written as traces, words with one letter each:
 *
 *   f1       FLUSH by process 1          w1:text  WRITE (at the file position)
 *   k1       1 dies by a signal: its     p1:7:te  WRITE at an offset
 *            FLUSH, not committed        t1:9     ftruncate to 9 bytes
 *   y        FSYNC                       s1:text  WRITE with O_SYNC
 *   r        RELEASE                     c:text   another client sets it
 *   x        a WRITE that times out on its way here
 *
 * and "!ESTALE" after a word is the error it must answer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/base/buf.h"
#include "fs/base/util.h"
#include "include/zkfs/commit.h"

#include "fault.h"

#define LIMIT 1000

struct world {
	struct zkfs_commit commit;
	bool exists;
	struct zkfs_buf *data;
	int32_t version;
	/* What becomes of the coming requests, one letter each, 'o' when it
	 * ends: o it goes well; l lost, not done; L lost, but done; t never
	 * sent; n, q, e, b: NOMEM, QUOTA, EXPIRED, NOAUTH; x: another client
	 * sets the znode first; y: to what we want to set; a: appends to it;
	 * d: it deletes it; s: an old reading, of a server that lags behind by
	 * one version. */
	const char *fate;
	struct zkfs_buf *old;
	size_t pos;
	char sets[8192]; /* contents of our sets, each with a '|' */
	size_t n_gets;
	size_t n_foreign;
};

static void keep(struct zkfs_buf **slot, const void *data, size_t len)
{
	(void)zkfs_buf_unref(*slot);
	*slot = zkfs_buf_new(data, len);
	assert_non_null(*slot);
}

static void server_set(struct world *w, const void *data, size_t len)
{
	(void)zkfs_buf_unref(w->old);
	w->old = w->data;
	w->data = zkfs_buf_new(data, len);
	assert_non_null(w->data);
	w->version++;
}

static void world_init(struct world *w, unsigned flags, const char *data,
		       int32_t version)
{
	*w = (struct world){.exists = true, .version = version, .fate = ""};
	keep(&w->data, data, strlen(data));
	keep(&w->old, "", 0);
	zkfs_commit_init(&w->commit, flags, LIMIT);
	zkfs_commit_base(&w->commit, w->data, version);
}

static void world_fini(struct world *w)
{
	zkfs_commit_fini(&w->commit);
	/* Nothing of ours is held any more. */
	assert_int_equal(w->data->n_refs, 1);
	(void)zkfs_buf_unref(w->data);
	(void)zkfs_buf_unref(w->old);
}

/* Another client's change, each a text of its own unless given. */
static void foreign_set(struct world *w, const char *text)
{
	char buf[32];

	if (!text) {
		(void)snprintf(buf, sizeof(buf), "foreign%zu", w->n_foreign++);
		text = buf;
	}
	server_set(w, text, strlen(text));
}

static void foreign_append(struct world *w)
{
	char buf[64];

	(void)snprintf(buf, sizeof(buf), "%.*sZ", (int)w->data->len,
		       w->data->data);
	foreign_set(w, buf);
}

static char next_fate(struct world *w)
{
	char fate = *w->fate ? *w->fate++ : 'o';

	if (fate == 'x')
		foreign_set(w, NULL);
	if (fate == 'y')
		foreign_set(w, "Xld");
	if (fate == 'a')
		foreign_append(w);
	if (fate == 'd')
		w->exists = false;
	return strchr("xyad", fate) ? next_fate(w) : fate;
}

static enum zkfs_error refusal(char fate)
{
	switch (fate) {
	case 't':
		return ZKFS_E_TIMEDOUT;
	case 'n':
		return ZKFS_E_NOMEM;
	case 'q':
		return ZKFS_E_QUOTA;
	case 'e':
		return ZKFS_E_EXPIRED;
	case 'b':
		return ZKFS_E_NOAUTH;
	default:
		return ZKFS_E_OK;
	}
}

static enum zkfs_error server_do_set(struct world *w)
{
	const void *data;
	size_t len;
	int32_t version;

	zkfs_commit_payload(&w->commit, &data, &len, &version);
	assert_int_not_equal(version, -1);
	if (!w->exists)
		return ZKFS_E_NONODE;
	if (version != w->version)
		return ZKFS_E_BADVERSION;
	(void)snprintf(w->sets + strlen(w->sets),
		       sizeof(w->sets) - strlen(w->sets), "%.*s|", (int)len,
		       len ? (const char *)data : "");
	server_set(w, data, len);
	return ZKFS_E_OK;
}

static enum zkfs_commit_next serve_set(struct world *w)
{
	char fate = next_fate(w);
	enum zkfs_error error = refusal(fate);

	if (!error && fate != 'l')
		error = server_do_set(w);
	if (fate == 'l' || fate == 'L')
		error = ZKFS_E_LOST;
	return zkfs_commit_set_done(&w->commit, error, w->version);
}

static enum zkfs_commit_next serve_get(struct world *w)
{
	char fate = next_fate(w);
	enum zkfs_error error = refusal(fate);

	w->n_gets++;
	if (!error && !w->exists)
		error = ZKFS_E_NONODE;
	if (error)
		return zkfs_commit_get_done(&w->commit, error, NULL, 0);
	if (fate == 's')
		return zkfs_commit_get_done(&w->commit, 0, w->old,
					    w->version - 1);
	return zkfs_commit_get_done(&w->commit, 0, w->data, w->version);
}

static enum zkfs_commit_next serve(struct world *w, enum zkfs_commit_next next)
{
	if (next == ZKFS_COMMIT_SET)
		return serve_set(w);
	assert_int_equal(next, ZKFS_COMMIT_GET);
	return serve_get(w);
}

/* Begins a commit and carries it to its end. */
static int commit(struct world *w, enum zkfs_commit_cause cause, uint64_t owner)
{
	enum zkfs_commit_next next =
		zkfs_commit_begin(&w->commit, cause, owner);

	while (next != ZKFS_COMMIT_DONE)
		next = serve(w, next);
	return zkfs_commit_error(&w->commit);
}

static int flush(struct world *w, uint64_t owner)
{
	return commit(w, ZKFS_COMMIT_FLUSH, owner);
}

static int fsync_(struct world *w)
{
	return commit(w, ZKFS_COMMIT_FSYNC, 0);
}

static int write_at(struct world *w, uint64_t owner, const char *text,
		    size_t off)
{
	return zkfs_commit_write(&w->commit, text, strlen(text), off, owner);
}

static int write_(struct world *w, uint64_t owner, const char *text)
{
	int r = write_at(w, owner, text, w->pos);

	if (r == 0)
		w->pos += strlen(text);
	return r;
}

static void assert_data(const struct world *w, const char *text)
{
	assert_int_equal(w->data->len, strlen(text));
	assert_memory_equal(w->data->data, text, strlen(text));
}

static void assert_view(const struct world *w, const char *text)
{
	const void *data = "";
	size_t len = zkfs_commit_read(&w->commit, 0, SIZE_MAX, &data);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(data, text, len);
}

/*
 * Traces
 */

static int trace_write(struct world *w, char verb, uint64_t owner,
		       const char *arg)
{
	char *text;
	size_t off;

	if (verb != 'p')
		return write_(w, owner, arg);
	off = strtoul(arg, &text, 10);
	assert_int_equal(*text, ':');
	return write_at(w, owner, text + 1, off);
}

static int trace_verb(struct world *w, char verb, uint64_t owner,
		      const char *arg)
{
	int r;

	switch (verb) {
	case 'f':
		return flush(w, owner);
	case 'k':
		zkfs_commit_killed(&w->commit, owner);
		return 0;
	case 'y':
		return fsync_(w);
	case 'r':
		return commit(w, ZKFS_COMMIT_RELEASE, 0);
	case 't':
		return zkfs_commit_truncate(&w->commit, strtoul(arg, NULL, 10),
					    owner);
	case 'w':
	case 'p':
		return trace_write(w, verb, owner, arg);
	case 's':
		r = write_(w, owner, arg);
		return r ? r : commit(w, ZKFS_COMMIT_WRITE, owner);
	case 'c':
		foreign_set(w, arg);
		zkfs_commit_conflict(&w->commit);
		return 0;
	case 'x':
		zkfs_commit_refused(&w->commit, -ETIMEDOUT);
		return 0;
	default:
		fail_msg("no such verb: %c", verb);
		return 0;
	}
}

static int error_named(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {
		{"ESTALE", ESTALE}, {"EFBIG", EFBIG}, {"ETIMEDOUT", ETIMEDOUT}};

	if (!name)
		return 0;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i].name) == 0)
			return -names[i].error;
	}
	fail_msg("no such error: %s", name);
	return 0;
}

static void trace_word(struct world *w, char *word)
{
	char *error = strchr(word, '!');
	char *arg = strchr(word, ':');

	if (error)
		*error++ = '\0';
	if (arg)
		*arg++ = '\0';
	assert_int_equal(
		trace_verb(w, word[0], strtoul(word + 1, NULL, 10), arg),
		error_named(error));
}

struct trace {
	const char *what;
	unsigned flags;
	const char *words;
	const char *sets; /* every version made, in order */
};

#define TRUNC  ZKFS_COMMIT_TRUNC
#define APPEND ZKFS_COMMIT_APPEND

/* As recorded from the tools (the orders of requests, owners numbered); the
 * znode holds "old" at first. */
static const struct trace traces[] = {
	{"echo x >f", TRUNC, "f1 w1:x f1 r", "x|"},
	{"echo x >>f", APPEND, "f1 w1:x f1 r", "oldx|"},
	{": >f", TRUNC, "f1 f1 r", "|"},
	{"open(f, 'w').close()", TRUNC, "f1 r", "|"},
	{"cp", TRUNC, "w1:aa w1:bb f1 r", "aabb|"},
	{"cp of an empty file", TRUNC, "f1 r", "|"},
	{"cat f", 0, "f1 r", ""},
	{"exec 3<>f; echo a >&3; exec 3>&-", 0, "w1:abcd f1 f1 f1 r", "abcd|"},
	{"exec 3<>f, written in place", 0, "p1:1:x f1 r", "oxd|"},
	{"exec 3>f, children exit, then echo", TRUNC,
	 "f1 f2 f3 w1:a f1 f2 w1:b f1 f1 r", "a|ab|"},
	{"{ echo a; date; echo b; } >f", TRUNC, "f1 w1:a f2 f3 w1:b f1 r",
	 "ab|"},
	{"{ echo a; cat; echo b; } >f", TRUNC, "f1 w1:a w2:x f2 w1:b f1 r",
	 "ax|axb|"},
	{"sed -i: the new file", 0, "w1:new f1 r", "new|"},
	{"vim", 0, "t1:0 w1:line y f1 r", "line|"},
	{"vim, the owner of ftruncate unknown", 0, "t0:0 w1:line y f1 r",
	 "line|"},
	{"vim of an emptied file", 0, "t0:0 y f1 r", "|"},
	{"dd conv=fsync", TRUNC, "f1 w1:a w1:b y f1 r", "ab|"},
	{"dd conv=notrunc", 0, "f1 w1:Y f1 r", "Yld|"},
	{"dd of nothing, fsync", TRUNC, "f1 y f1 r", "|"},
	{"truncate -s 2", 0, "t1:2 f1 r", "ol|"},
	{"truncate -s 0", 0, "t0:0 f1 r", "|"},
	{"truncate -s 3, as it was", 0, "t0:3 f1 r", "old|"},
	{"fsync of a clean file", 0, "y y f1 r", ""},
	{"O_SYNC", TRUNC, "f1 s1:a s1:b f1 r", "a|ab|"},
	{"tee, two writers of one file", APPEND, "w1:a w2:b f1 f2 r", "oldab|"},

	{"timeout cat >f", TRUNC, "f1 w2:half k2 f1 r", ""},
	{"timeout cat >f, nothing read", TRUNC, "f1 k2 f1 r", ""},
	{"timeout cat >>f", APPEND, "f1 w2:half k2 f1 r", ""},
	{"^C: both die", TRUNC, "f1 w2:half k2 k1 r", ""},
	{"{ timeout cat; echo b; } >f", TRUNC, "f1 w2:half k2 w1:b f1 r",
	 "halfb|"},
	{"{ echo a; timeout sleep; } >f", TRUNC, "f1 w1:a k2 f1 r", "a|"},
	{"killed after an fsync", TRUNC, "w1:a y w1:b k1 r", "a|"},
	{"killed after all was committed", TRUNC, "w1:a f1 k2 w1:b f1 r",
	 "a|ab|"},
	{"a survivor's fsync", TRUNC, "w2:half k2 f1 y r", "half|"},
	{"a reader dies", TRUNC, "f1 w1:a k2 k3 r", "a|"},

	{"conflict, then echo", TRUNC,
	 "f1 c:new w1:x!ESTALE f1!ESTALE r!ESTALE", ""},
	{"conflict after the write", 0, "w1:x c:new w1:y!ESTALE f1!ESTALE", ""},
	{"the second write is refused", 0,
	 "w1:x x w1:y!ETIMEDOUT f1!ETIMEDOUT y!ETIMEDOUT r!ETIMEDOUT", ""},
	{"the only write is refused", TRUNC, "f1 x f1!ETIMEDOUT", ""},
	{"a write is refused with nothing owed", TRUNC, "w1:a f1 x w1:b f1 r",
	 "a|ab|"},
	{"a write is refused after the conflict", TRUNC,
	 "w1:x c:new x w1:y!ESTALE f1!ESTALE", ""},
	{"conflict of a file only read", 0, "c:new f1 y r", ""},
	{"conflict of an append", APPEND, "w1:x c:new w1:y f1 r", "newxy|"},
	{"conflict of an append, before", APPEND, "c:new f1 w1:y f1 r",
	 "newy|"},
	{"O_APPEND with O_TRUNC", APPEND | TRUNC, "f1 c:new w1:x!ESTALE", ""},
	{"O_APPEND with O_TRUNC, bare", APPEND | TRUNC, "f1 f1 r", "|"},
	{"O_APPEND with O_TRUNC, later", APPEND | TRUNC,
	 "f1 w1:x f1 c:new w1:y f1", "x|newy|"},
	{"append after ftruncate", APPEND, "t1:1 w1:x f1 c:new w1:y f1",
	 "ox|newy|"},
	{"ftruncate of an append that is behind", APPEND,
	 "c:new t1:1!ESTALE f1!ESTALE", ""},
	{"killed and in conflict", TRUNC, "w2:x c:new k2 f1!ESTALE", ""},
	{"killed, then in conflict", TRUNC,
	 "w2:x k2 c:new f1 w1:y!ESTALE f1!ESTALE", ""},
};

static void test_traces(void **state)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(traces); i++) {
		char *words = strdup(traces[i].words), *rest = words, *word;
		struct world w;

		assert_non_null(words);
		print_message("# %s\n", traces[i].what);
		world_init(&w, traces[i].flags, "old", 5);
		while ((word = strsep(&rest, " ")))
			trace_word(&w, word);
		assert_string_equal(w.sets, traces[i].sets);
		assert_false(w.commit.in_flight);
		world_fini(&w);
		free(words);
	}
}

/*
 * What the server answers
 */

struct answer {
	const char *what;
	unsigned flags;
	const char *fate;
	int error;	  /* of the fsync */
	int failed;	  /* of the handle, after it */
	const char *data; /* of the znode, after it */
	size_t n_gets;
};

/* "old" version 5; "X" is written and fsynced once. */
static const struct answer answers[] = {
	{"good", TRUNC, "o", 0, 0, "X", 0},
	{"conflict", TRUNC, "x", -ESTALE, -ESTALE, "foreign0", 0},
	{"deleted", TRUNC, "d", -ESTALE, -ESTALE, "old", 0},
	{"quota", TRUNC, "q", -EDQUOT, -EDQUOT, "old", 0},
	{"ACL", TRUNC, "b", -EACCES, -EACCES, "old", 0},
	{"expired", TRUNC, "e", -ESTALE, -ESTALE, "old", 0},
	{"not sent", TRUNC, "t", -ETIMEDOUT, 0, "old", 0},
	{"no memory to send", TRUNC, "n", -ENOMEM, 0, "old", 0},

	{"lost, done", TRUNC, "L", 0, 0, "X", 1},
	{"lost, not done", TRUNC, "l", 0, 0, "X", 1},
	{"lost, not done, twice", TRUNC, "lolo", 0, 0, "X", 2},
	{"lost, not done, then done", TRUNC, "loL", 0, 0, "X", 2},
	{"lost, done, read too early", TRUNC, "Lso", 0, 0, "X", 2},
	{"lost, done, read too early twice", TRUNC, "Lsos", 0, 0, "X", 3},
	{"lost, then a conflict", TRUNC, "lx", -ESTALE, -ESTALE, "foreign0", 1},
	{"lost, done, then changed", TRUNC, "Lx", -EIO, -EIO, "foreign0", 1},
	{"lost, changed twice", TRUNC, "lxx", -EIO, -EIO, "foreign1", 1},
	{"lost, then deleted", TRUNC, "Ld", -EIO, -EIO, "X", 1},
	{"lost, again, and deleted", TRUNC, "lod", -EIO, -EIO, "old", 1},
	{"lost, not read back", TRUNC, "Lt", -EIO, 0, "X", 1},
	{"lost, no memory to read", TRUNC, "Ln", -EIO, 0, "X", 1},
	{"lost, session over", TRUNC, "Le", -EIO, 0, "X", 1},
	{"lost, may not read", TRUNC, "Lb", -EIO, -EIO, "X", 1},
	{"lost, again, not sent", TRUNC, "lot", -EIO, 0, "old", 1},
	{"lost, again, expired", TRUNC, "loe", -EIO, -EIO, "old", 1},
	{"lost, again, refused", TRUNC, "loq", -EIO, -EIO, "old", 1},

	{"append", APPEND, "", 0, 0, "oldX", 0},
	{"append, conflict", APPEND, "x", 0, 0, "foreign0X", 1},
	{"append, conflicts", APPEND, "xooxooxooxo", 0, 0, "foreign3X", 4},
	{"append, conflict at the reading", APPEND, "xxx", 0, 0, "foreign2X",
	 1},
	{"append, deleted", APPEND, "d", -ESTALE, -ESTALE, "old", 0},
	{"append, conflict, deleted", APPEND, "xod", -ESTALE, -ESTALE,
	 "foreign0", 1},
	{"append, conflict, not read", APPEND, "xot", -ETIMEDOUT, 0, "foreign0",
	 1},
	{"append, conflict, not sent", APPEND, "xoot", -ETIMEDOUT, 0,
	 "foreign0", 1},
	{"append, conflict, may not read", APPEND, "xob", -EACCES, -EACCES,
	 "foreign0", 1},
	{"append, lost, done", APPEND, "L", 0, 0, "oldX", 1},
	{"append, lost, not done", APPEND, "l", 0, 0, "oldX", 1},
	{"append, lost, conflict", APPEND, "lx", 0, 0, "foreign0X", 1},
	{"append, lost, done, read too early", APPEND, "Lso", 0, 0, "oldX", 2},
	{"append, lost, done, changed", APPEND, "Lx", -EIO, -EIO, "foreign0",
	 1},
	{"append, conflict, lost, done", APPEND, "xooL", 0, 0, "foreign0X", 2},
	{"append, conflict, lost, not done", APPEND, "xool", 0, 0, "foreign0X",
	 2},
	{"append, lost, done, then another's", APPEND, "La", 0, 0, "oldXZ", 1},
	{"append, lost, done, then others'", APPEND, "Laa", 0, 0, "oldXZZ", 1},
	{"append, lost, not done, another's", APPEND, "la", 0, 0, "oldZX", 1},
	{"append, lost, not done, others'", APPEND, "laa", -EIO, -EIO, "oldZZ",
	 1},
	{"append, lost, again, conflict", APPEND, "lox", 0, 0, "foreign0X", 2},
};

static void test_answers(void **state)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(answers); i++) {
		const struct answer *a = &answers[i];
		struct world w;

		print_message("# %s\n", a->what);
		world_init(&w, a->flags, "old", 5);
		w.fate = a->fate;
		assert_int_equal(write_(&w, 1, "X"), 0);
		assert_true(zkfs_commit_pending(&w.commit));
		assert_int_equal(fsync_(&w), a->error);
		assert_int_equal(zkfs_commit_failed(&w.commit), a->failed);
		assert_data(&w, a->data);
		assert_int_equal(w.n_gets, a->n_gets);
		/* Sticky, or mended by the next: the server is well again. */
		w.exists = true;
		assert_int_equal(fsync_(&w), a->failed);
		assert_int_equal(write_at(&w, 1, "Y", 1), a->failed);
		assert_int_equal(flush(&w, 1), a->failed);
		if (!a->failed)
			assert_int_equal(w.data->data[w.data->len - 1], 'Y');
		else
			assert_data(&w, a->data);
		world_fini(&w);
	}
}

/* The same bytes on the same version by another: a counter that both raise. */
static void test_lost_and_shared(void **state)
{
	static const struct {
		const char *fate;
		unsigned flags;
		int error, error_shared;
		const char *data;
	} cases[] = {
		{"L", 0, 0, -EIO, "Xld"},
		{"ly", 0, 0, -EIO, "Xld"},
		{"l", 0, 0, 0, "Xld"},
		{"lx", 0, -ESTALE, -ESTALE, "foreign0"},
		{"L", APPEND, 0, 0, "oldX"},
		{"la", APPEND, 0, 0, "oldZX"},
	};

	for (size_t i = 0; i < 2 * ZKFS_ARRAY_SIZE(cases); i++) {
		bool shared = i % 2;
		struct world w;

		world_init(&w, cases[i / 2].flags, "old", 5);
		w.fate = cases[i / 2].fate;
		if (shared)
			zkfs_commit_shared(&w.commit);
		assert_int_equal(write_(&w, 1, "X"), 0);
		assert_int_equal(fsync_(&w), shared ? cases[i / 2].error_shared
						    : cases[i / 2].error);
		assert_data(&w, cases[i / 2].data);
		world_fini(&w);
	}
}

static void test_version_wraps(void **state)
{
	struct world w;

	world_init(&w, 0, "old", INT32_MAX);
	assert_int_equal(write_(&w, 1, "X"), 0);
	assert_int_equal(zkfs_commit_begin(&w.commit, ZKFS_COMMIT_FSYNC, 0),
			 ZKFS_COMMIT_SET);
	assert_int_equal(zkfs_commit_set_done(&w.commit, ZKFS_E_LOST, 0),
			 ZKFS_COMMIT_GET);
	/* As the server counts: Java's int. */
	keep(&w.data, "Xld", 3);
	assert_int_equal(zkfs_commit_get_done(&w.commit, 0, w.data, INT32_MIN),
			 ZKFS_COMMIT_DONE);
	assert_int_equal(zkfs_commit_error(&w.commit), 0);
	world_fini(&w);
}

/* Lost, then deleted and made anew: it counts from 0 again. */
static void test_made_anew(void **state)
{
	static const unsigned flags[] = {TRUNC, APPEND};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(flags); i++) {
		struct world w;

		world_init(&w, flags[i], "old", 5);
		assert_int_equal(write_(&w, 1, "X"), 0);
		w.fate = "L";
		assert_int_equal(
			serve(&w, zkfs_commit_begin(&w.commit,
						    ZKFS_COMMIT_FSYNC, 0)),
			ZKFS_COMMIT_GET);
		foreign_set(&w, "another");
		w.version = 1;
		assert_int_equal(serve(&w, ZKFS_COMMIT_GET), ZKFS_COMMIT_DONE);
		assert_int_equal(zkfs_commit_error(&w.commit), -EIO);
		assert_data(&w, "another");
		world_fini(&w);
	}
}

/* -1 would be "any version": never sent, whatever else fails. */
static void test_any_version(void **state)
{
	struct world w;

	world_init(&w, 0, "old", -1);
	assert_int_equal(write_(&w, 1, "X"), 0);
	assert_int_equal(fsync_(&w), -EOVERFLOW);
	assert_string_equal(w.sets, "");
	world_fini(&w);

	world_init(&w, APPEND, "old", -3);
	assert_int_equal(write_(&w, 1, "X"), 0);
	foreign_set(&w, NULL);
	foreign_set(&w, NULL);
	assert_int_equal(fsync_(&w), -EOVERFLOW);
	assert_string_equal(w.sets, "");
	world_fini(&w);
}

/*
 * Writes while a commit is under way
 */

static enum zkfs_commit_next begin_fsync(struct world *w)
{
	return zkfs_commit_begin(&w->commit, ZKFS_COMMIT_FSYNC, 0);
}

static void test_write_in_flight(void **state)
{
	struct world w;
	enum zkfs_commit_next next;

	world_init(&w, TRUNC, "old", 5);
	assert_int_equal(write_(&w, 1, "aa"), 0);
	next = begin_fsync(&w);
	assert_int_equal(next, ZKFS_COMMIT_SET);
	assert_int_equal(write_at(&w, 1, "b", 1), 0);
	assert_int_equal(begin_fsync(&w), ZKFS_COMMIT_BUSY);
	assert_int_equal(zkfs_commit_begin(&w.commit, ZKFS_COMMIT_FLUSH, 2),
			 ZKFS_COMMIT_BUSY);
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_data(&w, "aa");
	assert_view(&w, "ab");
	assert_true(zkfs_commit_pending(&w.commit));
	assert_int_equal(flush(&w, 1), 0);
	assert_string_equal(w.sets, "aa|ab|");
	assert_false(zkfs_commit_pending(&w.commit));
	world_fini(&w);
}

static void test_append_in_flight(void **state)
{
	static const char *const fates[] = {"o", "xooo", "L", "l", "lx", "Ls"};
	static const char *const data[] = {"olda", "foreign0a", "olda",
					   "olda", "foreign0a", "olda"};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(fates); i++) {
		enum zkfs_commit_next next;
		char all[32];
		struct world w;

		world_init(&w, APPEND, "old", 5);
		w.fate = fates[i];
		assert_int_equal(write_(&w, 1, "a"), 0);
		next = begin_fsync(&w);
		assert_int_equal(write_(&w, 1, "b"), 0);
		while (next != ZKFS_COMMIT_DONE)
			next = serve(&w, next);
		assert_int_equal(zkfs_commit_error(&w.commit), 0);
		assert_data(&w, data[i]);
		(void)snprintf(all, sizeof(all), "%sb", data[i]);
		assert_view(&w, all);
		assert_int_equal(write_(&w, 1, "c"), 0);
		assert_int_equal(flush(&w, 1), 0);
		(void)snprintf(all, sizeof(all), "%sbc", data[i]);
		assert_data(&w, all);
		world_fini(&w);
	}
}

/* Our own set fires the watch before its reply: no conflict. */
static void test_conflict_in_flight(void **state)
{
	struct world w;
	enum zkfs_commit_next next;

	world_init(&w, TRUNC, "old", 5);
	assert_int_equal(write_(&w, 1, "a"), 0);
	next = begin_fsync(&w);
	zkfs_commit_conflict(&w.commit);
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_int_equal(zkfs_commit_error(&w.commit), 0);
	assert_int_equal(write_(&w, 1, "b"), 0);
	zkfs_commit_conflict(&w.commit);
	assert_int_equal(flush(&w, 1), -ESTALE);
	assert_string_equal(w.sets, "a|");
	world_fini(&w);
}

/* What cannot be committed does not take along what can. */
static void test_failure_in_flight(void **state)
{
	static const unsigned flags[] = {TRUNC, APPEND};
	static const char *const fates[] = {"o", "L", "l", "Ls"};
	char big[LIMIT + 1] = "";

	memset(big, 'x', LIMIT);
	for (size_t i = 0; i < 2 * ZKFS_ARRAY_SIZE(fates); i++) {
		enum zkfs_commit_next next;
		struct world w;

		world_init(&w, flags[i % 2], "", 5);
		w.fate = fates[i / 2];
		assert_int_equal(write_(&w, 1, "a"), 0);
		next = begin_fsync(&w);
		assert_int_equal(write_(&w, 1, big), -EFBIG);
		while (next != ZKFS_COMMIT_DONE)
			next = serve(&w, next);
		assert_int_equal(zkfs_commit_error(&w.commit), 0);
		assert_data(&w, "a");
		assert_int_equal(flush(&w, 1), -EFBIG);
		assert_int_equal(write_(&w, 1, "b"), -EFBIG);
		world_fini(&w);
	}
}

static void test_failure_in_flight_not_sent(void **state)
{
	struct world w;
	enum zkfs_commit_next next;

	world_init(&w, TRUNC, "old", 5);
	w.fate = "t";
	assert_int_equal(write_(&w, 1, "a"), 0);
	next = begin_fsync(&w);
	assert_int_equal(zkfs_commit_truncate(&w.commit, LIMIT + 1, 1), -EFBIG);
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_int_equal(zkfs_commit_error(&w.commit), -ETIMEDOUT);
	assert_int_equal(fsync_(&w), -EFBIG);
	assert_data(&w, "old");
	world_fini(&w);
}

static void test_truncate_in_flight(void **state)
{
	struct world w;
	enum zkfs_commit_next next;

	/* The append went well: the truncation is on top of it. */
	world_init(&w, APPEND, "old", 5);
	assert_int_equal(write_(&w, 1, "a"), 0);
	next = begin_fsync(&w);
	assert_int_equal(zkfs_commit_truncate(&w.commit, 1, 1), 0);
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_int_equal(fsync_(&w), 0);
	assert_string_equal(w.sets, "olda|o|");
	world_fini(&w);

	/* It met a conflict: there is nothing the truncation could be of. */
	world_init(&w, APPEND, "old", 5);
	w.fate = "x";
	assert_int_equal(write_(&w, 1, "a"), 0);
	next = begin_fsync(&w);
	assert_int_equal(zkfs_commit_truncate(&w.commit, 1, 1), 0);
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_GET);
	assert_int_equal(serve(&w, ZKFS_COMMIT_GET), ZKFS_COMMIT_DONE);
	assert_int_equal(zkfs_commit_error(&w.commit), -ESTALE);
	assert_int_equal(fsync_(&w), -ESTALE);
	assert_data(&w, "foreign0");
	world_fini(&w);
}

/* In doubt, written to again, then the server is back: both are stored. */
static void test_write_in_doubt(void **state)
{
	static const char *const fates[] = {"Lt", "lt", "lot", "Lsot", "Ltt"};
	static const char *const sets[] = {"a|ab|", "a|ab|", "a|ab|", "a|ab|",
					   "a|ab|"};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(fates); i++) {
		struct world w;

		world_init(&w, TRUNC, "old", 5);
		w.fate = fates[i];
		assert_int_equal(write_(&w, 1, "a"), 0);
		assert_int_equal(flush(&w, 1), -EIO);
		assert_true(zkfs_commit_pending(&w.commit));
		/* Our own set's event: it must not be taken for another's. */
		zkfs_commit_conflict(&w.commit);
		assert_int_equal(write_(&w, 1, "b"), 0);
		while (*w.fate)
			assert_int_equal(fsync_(&w), -EIO);
		assert_int_equal(fsync_(&w), 0);
		assert_string_equal(w.sets, sets[i]);
		assert_false(zkfs_commit_pending(&w.commit));
		world_fini(&w);
	}
}

/* In doubt, it is not read back, and a write has failed the handle: nobody may
 * be told that nothing was sent. */
static void test_failure_in_doubt(void **state)
{
	struct world w;
	enum zkfs_commit_next next;

	world_init(&w, TRUNC, "old", 5);
	w.fate = "Lt";
	assert_int_equal(write_(&w, 1, "a"), 0);
	next = serve(&w, begin_fsync(&w));
	assert_int_equal(zkfs_commit_truncate(&w.commit, LIMIT + 1, 1), -EFBIG);
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_int_equal(zkfs_commit_error(&w.commit), -EIO);
	assert_int_equal(fsync_(&w), -EFBIG);
	world_fini(&w);

	/* The flush is about a later write too, which then is dropped. */
	world_init(&w, TRUNC, "old", 5);
	w.fate = "Lt";
	assert_int_equal(write_(&w, 1, "a"), 0);
	assert_int_equal(fsync_(&w), -EIO);
	assert_int_equal(write_(&w, 2, "b"), 0);
	next = zkfs_commit_begin(&w.commit, ZKFS_COMMIT_FLUSH, 2);
	assert_int_equal(zkfs_commit_truncate(&w.commit, LIMIT + 1, 1), -EFBIG);
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_int_equal(zkfs_commit_error(&w.commit), -EFBIG);
	assert_string_equal(w.sets, "a|");
	world_fini(&w);
}

static void test_killed_in_flight(void **state)
{
	struct world w;
	enum zkfs_commit_next next;

	/* The writer dies in its fsync, which then could not be sent: nothing
	 * is committed behind it, until somebody writes. */
	world_init(&w, TRUNC, "old", 5);
	assert_int_equal(write_(&w, 2, "a"), 0);
	next = begin_fsync(&w);
	zkfs_commit_killed(&w.commit, 2);
	w.fate = "t";
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_int_equal(flush(&w, 1), 0);
	assert_int_equal(commit(&w, ZKFS_COMMIT_RELEASE, 0), 0);
	assert_string_equal(w.sets, "");
	world_fini(&w);

	/* Some other process dies: the writer's close tries again. */
	world_init(&w, TRUNC, "old", 5);
	assert_int_equal(write_(&w, 2, "a"), 0);
	next = begin_fsync(&w);
	zkfs_commit_killed(&w.commit, 3);
	w.fate = "t";
	assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
	assert_int_equal(flush(&w, 2), 0);
	assert_string_equal(w.sets, "a|");
	world_fini(&w);
}

/*
 * Limits
 */

static void test_limit(void **state)
{
	char big[LIMIT + 2] = "";
	struct world w;

	memset(big, 'x', LIMIT);
	world_init(&w, TRUNC, "old", 5);
	assert_int_equal(write_(&w, 1, big), 0);
	assert_int_equal(write_at(&w, 1, "y", LIMIT - 1), 0);
	assert_int_equal(flush(&w, 1), 0);
	assert_int_equal(w.data->len, LIMIT);
	assert_int_equal(write_at(&w, 1, "y", LIMIT), -EFBIG);
	assert_int_equal(write_at(&w, 1, "y", 0), -EFBIG);
	assert_int_equal(flush(&w, 1), -EFBIG);
	assert_int_equal(w.version, 6);
	world_fini(&w);

	world_init(&w, 0, "old", 5);
	big[LIMIT] = 'x';
	assert_int_equal(write_(&w, 1, "begun"), 0);
	assert_int_equal(write_at(&w, 1, big, 0), -EFBIG);
	assert_int_equal(flush(&w, 1), -EFBIG);
	assert_int_equal(commit(&w, ZKFS_COMMIT_RELEASE, 0), -EFBIG);
	assert_data(&w, "old");
	world_fini(&w);

	world_init(&w, 0, "old", 5);
	assert_int_equal(zkfs_commit_truncate(&w.commit, LIMIT, 1), 0);
	assert_int_equal(flush(&w, 1), 0);
	assert_int_equal(w.data->len, LIMIT);
	assert_int_equal(zkfs_commit_truncate(&w.commit, LIMIT + 1, 1), -EFBIG);
	world_fini(&w);

	world_init(&w, 0, "old", 5);
	assert_int_equal(write_at(&w, 1, "y", SIZE_MAX), -EFBIG);
	world_fini(&w);
}

static void test_limit_of_append(void **state)
{
	char big[LIMIT + 1] = "";
	struct world w;

	memset(big, 'x', LIMIT);
	big[LIMIT - 3] = '\0';
	world_init(&w, APPEND, "old", 5);
	assert_int_equal(write_(&w, 1, big), 0);
	assert_int_equal(write_(&w, 1, "y"), -EFBIG);
	assert_int_equal(flush(&w, 1), -EFBIG);
	world_fini(&w);

	/* It fits, but not on top of what another has made of it. */
	world_init(&w, APPEND, "old", 5);
	assert_int_equal(write_(&w, 1, big), 0);
	foreign_set(&w, "four");
	assert_int_equal(flush(&w, 1), -EFBIG);
	assert_int_equal(commit(&w, ZKFS_COMMIT_RELEASE, 0), -EFBIG);
	assert_data(&w, "four");
	world_fini(&w);

	/* A file that is known to be another now does not stand in the way. */
	big[LIMIT - 3] = 'x';
	world_init(&w, APPEND, big, 5);
	foreign_set(&w, "log");
	zkfs_commit_conflict(&w.commit);
	assert_int_equal(write_(&w, 1, "y"), 0);
	assert_int_equal(flush(&w, 1), 0);
	assert_data(&w, "logy");
	assert_int_equal(w.n_gets, 1);
	world_fini(&w);
}

/* It fitted the base, and does not fit what was found instead of that. */
static void test_limit_of_append_in_flight(void **state)
{
	char big[LIMIT + 1] = "";
	struct world w;
	enum zkfs_commit_next next;

	memset(big, 'x', LIMIT - 10);
	world_init(&w, APPEND, "", 5);
	w.fate = "xo";
	assert_int_equal(write_(&w, 1, "a"), 0);
	next = begin_fsync(&w);
	assert_true(zkfs_commit_pending(&w.commit));
	assert_int_equal(write_(&w, 1, big), 0);
	while (next != ZKFS_COMMIT_DONE) {
		next = serve(&w, next);
		/* The other client's file has grown as well. */
		if (next == ZKFS_COMMIT_GET)
			foreign_set(&w, "more than ten bytes");
	}
	assert_int_equal(zkfs_commit_error(&w.commit), 0);
	assert_data(&w, "more than ten bytesa");
	assert_int_equal(flush(&w, 1), -EFBIG);
	assert_int_equal(zkfs_commit_truncate(&w.commit, 1, 1), -EFBIG);
	assert_data(&w, "more than ten bytesa");
	world_fini(&w);
}

/* The base itself is more than one set can carry (made by a client with
 * another limit): it can be read, and cut. */
static void test_limit_of_base(void **state)
{
	char big[LIMIT + 3] = "";
	struct world w;

	memset(big, 'x', LIMIT + 2);
	world_init(&w, 0, big, 5);
	assert_int_equal(zkfs_commit_size(&w.commit), LIMIT + 2);
	assert_int_equal(zkfs_commit_truncate(&w.commit, 4, 1), 0);
	assert_int_equal(flush(&w, 1), 0);
	assert_data(&w, "xxxx");
	world_fini(&w);

	world_init(&w, 0, big, 5);
	assert_int_equal(write_at(&w, 1, "y", 0), -EFBIG);
	world_fini(&w);
}

/* A write that finds no memory fails the handle. */
static void test_no_memory(void **state)
{
	struct world w;

	world_init(&w, 0, "old", 5);
	fault_arm(1);
	assert_int_equal(write_(&w, 1, "a"), -ENOMEM);
	assert_true(fault_disarm());
	assert_view(&w, "old");
	assert_int_equal(write_(&w, 1, "a"), -ENOMEM);
	assert_int_equal(flush(&w, 1), -ENOMEM);
	world_fini(&w);

	world_init(&w, 0, "old", 5);
	assert_int_equal(write_(&w, 1, "a"), 0);
	fault_arm(1);
	assert_int_equal(zkfs_commit_truncate(&w.commit, LIMIT, 1), -ENOMEM);
	assert_true(fault_disarm());
	assert_int_equal(flush(&w, 1), -ENOMEM);
	assert_data(&w, "old");
	world_fini(&w);
}

/* An append finds none for the newest data: another try may. */
static void test_no_memory_for_append(void **state)
{
	for (unsigned n = 1;; n++) {
		enum zkfs_commit_next next;
		bool failed;
		struct world w;

		world_init(&w, APPEND, "old", 5);
		assert_int_equal(write_(&w, 1, "a"), 0);
		foreign_set(&w, NULL);
		next = serve(&w, begin_fsync(&w));
		assert_int_equal(next, ZKFS_COMMIT_GET);
		assert_int_equal(write_(&w, 1, "b"), 0);
		fault_arm(n);
		next = zkfs_commit_get_done(&w.commit, 0, w.data, w.version);
		failed = fault_disarm();
		while (next != ZKFS_COMMIT_DONE)
			next = serve(&w, next);
		assert_int_equal(zkfs_commit_error(&w.commit),
				 failed ? -ENOMEM : 0);
		assert_data(&w, failed ? "foreign0" : "foreign0a");
		assert_view(&w, failed ? "oldab" : "foreign0ab");
		assert_int_equal(fsync_(&w), 0);
		assert_data(&w, "foreign0ab");
		world_fini(&w);
		if (!failed)
			break;
		assert_true(n < 10);
	}
}

/*
 * The rest
 */

static void test_view(void **state)
{
	const void *data = NULL;
	struct world w;

	world_init(&w, 0, "0123456789", 5);
	assert_int_equal(zkfs_commit_size(&w.commit), 10);
	assert_int_equal(zkfs_commit_read(&w.commit, 8, 100, &data), 2);
	assert_memory_equal(data, "89", 2);
	assert_int_equal(zkfs_commit_read(&w.commit, 2, 3, &data), 3);
	assert_memory_equal(data, "234", 3);
	assert_int_equal(zkfs_commit_read(&w.commit, 10, 1, &data), 0);
	assert_int_equal(zkfs_commit_read(&w.commit, SIZE_MAX, 1, &data), 0);
	/* What others set is not seen by this handle, what it writes is. */
	foreign_set(&w, "foreign");
	zkfs_commit_conflict(&w.commit);
	assert_view(&w, "0123456789");
	world_fini(&w);

	world_init(&w, 0, "0123456789", 5);
	assert_int_equal(write_at(&w, 1, "x", 3), 0);
	assert_int_equal(write_at(&w, 1, "", 99), 0);
	assert_view(&w, "012x456789");
	assert_data(&w, "0123456789"); /* a shared buf is never written */
	assert_int_equal(zkfs_commit_truncate(&w.commit, 2, 1), 0);
	assert_int_equal(write_at(&w, 1, "y", 4), 0);
	assert_int_equal(zkfs_commit_read(&w.commit, 0, 9, &data), 5);
	assert_memory_equal(data, "01\0\0y", 5);
	world_fini(&w);

	world_init(&w, TRUNC, "old", 5);
	assert_view(&w, "");
	assert_true(zkfs_commit_pending(&w.commit));
	world_fini(&w);
}

static void test_empty_write_is_none(void **state)
{
	struct world w;

	world_init(&w, 0, "old", 5);
	assert_int_equal(write_at(&w, 1, "", 2000), 0);
	assert_false(zkfs_commit_pending(&w.commit));
	assert_int_equal(fsync_(&w), 0);
	assert_string_equal(w.sets, "");
	world_fini(&w);
}

static void test_unlinked(void **state)
{
	static const char *const fates[] = {"o", "d", "x", "t", "l", "L"};
	struct world w;

	world_init(&w, 0, "old", 5);
	assert_int_equal(write_(&w, 1, "a"), 0);
	zkfs_commit_unlink(&w.commit);
	assert_false(zkfs_commit_pending(&w.commit));
	w.exists = false;
	zkfs_commit_conflict(&w.commit);
	assert_int_equal(write_at(&w, 1, "b", 1), 0);
	assert_view(&w, "abd");
	assert_int_equal(flush(&w, 1), 0);
	assert_int_equal(fsync_(&w), 0);
	assert_int_equal(commit(&w, ZKFS_COMMIT_RELEASE, 0), 0);
	assert_string_equal(w.sets, "");
	world_fini(&w);

	/* While a set is under way. */
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(fates); i++) {
		enum zkfs_commit_next next;

		world_init(&w, i % 2 ? APPEND : 0, "old", 5);
		w.fate = fates[i];
		assert_int_equal(write_(&w, 1, "a"), 0);
		next = begin_fsync(&w);
		zkfs_commit_unlink(&w.commit);
		assert_int_equal(serve(&w, next), ZKFS_COMMIT_DONE);
		assert_int_equal(zkfs_commit_error(&w.commit), 0);
		world_fini(&w);
	}

	/* While one is in doubt, and while an append reads. */
	world_init(&w, 0, "old", 5);
	w.fate = "Lt";
	assert_int_equal(write_(&w, 1, "a"), 0);
	assert_int_equal(flush(&w, 1), -EIO);
	zkfs_commit_unlink(&w.commit);
	assert_int_equal(flush(&w, 1), 0);
	world_fini(&w);

	world_init(&w, APPEND, "old", 5);
	assert_int_equal(write_(&w, 1, "a"), 0);
	foreign_set(&w, NULL);
	assert_int_equal(serve(&w, begin_fsync(&w)), ZKFS_COMMIT_GET);
	zkfs_commit_unlink(&w.commit);
	assert_int_equal(serve(&w, ZKFS_COMMIT_GET), ZKFS_COMMIT_DONE);
	assert_int_equal(zkfs_commit_error(&w.commit), 0);
	assert_data(&w, "foreign0");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traces),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_version_wraps),
		cmocka_unit_test(test_made_anew),
		cmocka_unit_test(test_any_version),
		cmocka_unit_test(test_write_in_flight),
		cmocka_unit_test(test_append_in_flight),
		cmocka_unit_test(test_conflict_in_flight),
		cmocka_unit_test(test_failure_in_flight),
		cmocka_unit_test(test_failure_in_flight_not_sent),
		cmocka_unit_test(test_truncate_in_flight),
		cmocka_unit_test(test_lost_and_shared),
		cmocka_unit_test(test_write_in_doubt),
		cmocka_unit_test(test_failure_in_doubt),
		cmocka_unit_test(test_killed_in_flight),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limit_of_append),
		cmocka_unit_test(test_limit_of_append_in_flight),
		cmocka_unit_test(test_limit_of_base),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_for_append),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_empty_write_is_none),
		cmocka_unit_test(test_unlinked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

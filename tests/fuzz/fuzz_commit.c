/*
 * fuzz_commit: one handle, with any calls in any order a caller may make them,
 * and a server that answers whatever it likes: versions that make no sense,
 * data of any size, refusals of every kind. The simulation has an honest
 * server and knows what must come out; here it is only asked that no answer
 * trips an assertion or the memory, that nothing is sent that must never be
 * sent, and that a handle which has failed stays so.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "fs/base/buf.h"
#include "include/zkfs/commit.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT	 300
#define DATA_MAX 600 /* a znode may be larger than what we can set */

struct run {
	struct fuzz_input in;
	struct zkfs_commit commit;
	enum zkfs_commit_next next; /* what is under way */
	int32_t version;
	int failed;
};

/* The plausible versions more often than the others. */
static int32_t any_version(struct run *run)
{
	uint8_t kind = fuzz_u8(&run->in);

	if (kind < 100)
		return run->version;
	if (kind < 200)
		return (int32_t)((uint32_t)run->version + 1);
	if (kind < 250)
		return (int32_t)((uint32_t)run->version + fuzz_u8(&run->in));
	return (int32_t)fuzz_u32(&run->in);
}

static struct zkfs_buf *any_data(struct run *run)
{
	char data[DATA_MAX];
	size_t len = fuzz_u32(&run->in) % (DATA_MAX + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)('a' + i % 7);
	return zkfs_buf_new(data, len);
}

static void check(struct run *run)
{
	int failed = zkfs_commit_failed(&run->commit);
	const void *data = NULL;
	size_t size = zkfs_commit_size(&run->commit);

	fuzz_must(failed <= 0);
	fuzz_must(!run->failed || failed == run->failed);
	fuzz_must(zkfs_commit_read(&run->commit, 0, SIZE_MAX, &data) == size);
	fuzz_must(!failed || run->next || !zkfs_commit_pending(&run->commit));
	run->failed = failed;
}

static void follow(struct run *run, enum zkfs_commit_next next)
{
	const void *data;
	size_t len;

	run->next = next;
	if (next == ZKFS_COMMIT_DONE) {
		fuzz_must(zkfs_commit_error(&run->commit) <= 0);
		return;
	}
	fuzz_must(next == ZKFS_COMMIT_SET || next == ZKFS_COMMIT_GET);
	if (next == ZKFS_COMMIT_GET)
		return;
	zkfs_commit_payload(&run->commit, &data, &len, &run->version);
	fuzz_must(len <= LIMIT);
	fuzz_must(data || len == 0);
	fuzz_must(run->version != -1); /* "any" */
}

static void answer(struct run *run)
{
	enum zkfs_error error = fuzz_u8(&run->in) % (2 * _ZKFS_ERROR_N);
	enum zkfs_commit_next next;
	struct zkfs_buf *data;

	if (error >= _ZKFS_ERROR_N)
		error = ZKFS_E_OK;
	if (run->next == ZKFS_COMMIT_DONE)
		return;
	if (run->next == ZKFS_COMMIT_SET) {
		follow(run, zkfs_commit_set_done(&run->commit, error,
						 any_version(run)));
		return;
	}
	data = error ? NULL : any_data(run);
	next = zkfs_commit_get_done(&run->commit, error, data,
				    any_version(run));
	(void)zkfs_buf_unref(data);
	follow(run, next);
}

static void collect(struct run *run)
{
	static const char text[256];
	size_t len = fuzz_u8(&run->in);
	size_t off = fuzz_u32(&run->in);
	uint64_t owner = fuzz_u8(&run->in) % 4;
	int r;

	/* Near the limit, or anywhere up to the end of all addresses. */
	if (off & 1)
		off %= LIMIT + 20;
	else if (off & 2)
		off = SIZE_MAX - off % 1000;
	if (fuzz_u8(&run->in) & 1)
		r = zkfs_commit_write(&run->commit, text, len, off, owner);
	else
		r = zkfs_commit_truncate(&run->commit, off, owner);
	fuzz_must(r <= 0);
	fuzz_must(r == 0 || r == zkfs_commit_failed(&run->commit));
	fuzz_must(!run->failed || r == run->failed);
}

static void begin(struct run *run)
{
	enum zkfs_commit_cause cause = fuzz_u8(&run->in) % 4;
	enum zkfs_commit_next next =
		zkfs_commit_begin(&run->commit, cause, fuzz_u8(&run->in) % 4);

	fuzz_must((next == ZKFS_COMMIT_BUSY) ==
		  (run->next != ZKFS_COMMIT_DONE));
	if (next == ZKFS_COMMIT_BUSY)
		return;
	fuzz_must(!run->failed || next == ZKFS_COMMIT_DONE);
	follow(run, next);
}

static void step(struct run *run)
{
	switch (fuzz_u8(&run->in) % 8) {
	case 0:
	case 1:
		collect(run);
		break;
	case 2:
		begin(run);
		break;
	case 3:
	case 4:
		answer(run);
		break;
	case 5:
		zkfs_commit_killed(&run->commit, fuzz_u8(&run->in) % 4);
		break;
	case 6:
		zkfs_commit_conflict(&run->commit);
		break;
	default:
		/* Rarely: it is the end of a handle's interesting life. */
		if (fuzz_u8(&run->in) == 0)
			zkfs_commit_unlink(&run->commit);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run run = {.in = {data, len}, .next = ZKFS_COMMIT_DONE};
	struct zkfs_buf *base;

	zkfs_commit_init(&run.commit, fuzz_u8(&run.in) % 4, LIMIT);
	base = any_data(&run);
	run.version = (int32_t)fuzz_u8(&run.in) - 3;
	zkfs_commit_base(&run.commit, base, run.version);
	(void)zkfs_buf_unref(base);
	while (run.in.len > 0) {
		step(&run);
		check(&run);
	}
	zkfs_commit_fini(&run.commit);
	return 0;
}

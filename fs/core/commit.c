/*
 * commit: see commit.h. There are two lives in a handle, and they overlap:
 *
 *   collecting   view, dirty, trunc, writer: what the user has done since the
 *                last set was begun
 *   committing   payload, in_flight, doubt: what was done before, on its way
 *                to the server
 *
 * start() hands all that was collected to the payload and begins to collect
 * anew; view and payload share one buf until the next write copies it. So a
 * write is possible at any moment, and a failed commit can be told apart from
 * what came after it.
 */
#include "include/zkfs/commit.h"

#include <assert.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/base/util.h"

/* ZooKeeper takes this for "whatever version there is". Versions wrap. */
#define ANY_VERSION (-1)

static size_t length(const struct zkfs_buf *buf)
{
	return buf ? buf->len : 0;
}

static struct zkfs_buf *share(struct zkfs_buf *buf)
{
	return buf ? zkfs_buf_ref(buf) : NULL;
}

static void drop_payload(struct zkfs_commit *commit)
{
	commit->payload = zkfs_buf_unref(commit->payload);
	commit->payload_tail = 0;
	commit->payload_bound = false;
	commit->doubt = false;
	commit->again = false;
}

/* Whether what is collected may go on top of any version. */
static bool appends(const struct zkfs_commit *commit)
{
	return (commit->flags & ZKFS_COMMIT_APPEND) && !commit->bound;
}

/* The same of the payload. */
static bool payload_appends(const struct zkfs_commit *commit)
{
	return (commit->flags & ZKFS_COMMIT_APPEND) && !commit->payload_bound;
}

static bool owes(const struct zkfs_commit *commit)
{
	return commit->dirty || commit->trunc || commit->doubt;
}

void zkfs_commit_init(struct zkfs_commit *commit, unsigned flags, size_t limit)
{
	*commit = (struct zkfs_commit){.flags = flags, .limit = limit};
}

void zkfs_commit_fini(struct zkfs_commit *commit)
{
	commit->view = zkfs_buf_unref(commit->view);
	drop_payload(commit);
}

void zkfs_commit_base(struct zkfs_commit *commit, struct zkfs_buf *data,
		      int32_t version)
{
	assert(!commit->based);
	commit->based = true;
	commit->version = version;
	if (commit->flags & ZKFS_COMMIT_TRUNC) {
		commit->trunc = true;
		commit->bound = true;
		return;
	}
	commit->view = share(data);
	commit->base_len = length(data);
}

/*
 * Collecting
 */

/* The handle has failed for good: what was collected is dropped. The view
 * stays, for those that read it. */
static int fail(struct zkfs_commit *commit, int error)
{
	assert(error < 0);
	if (owes(commit))
		commit->lost = true;
	commit->failed = error;
	commit->dirty = false;
	commit->trunc = false;
	return error;
}

/* A write to a failed handle, or one that makes it fail, is itself a loss. */
static int refuse_write(struct zkfs_commit *commit, int error)
{
	commit->lost = true;
	commit->abandoned = false;
	return fail(commit, error);
}

static void note_write(struct zkfs_commit *commit, uint64_t owner)
{
	if (commit->dirty && (!commit->has_writer || commit->writer != owner))
		commit->many_writers = true;
	commit->writer = owner;
	commit->has_writer = owner != 0;
	commit->dirty = true;
	commit->trunc = false;
	commit->abandoned = false;
}

/* An appending handle that is behind cannot know the file's size: it is only
 * what was appended that must fit, until the newest data was read. */
static size_t size_that_counts(const struct zkfs_commit *commit)
{
	size_t size = zkfs_commit_size(commit);

	return commit->behind && appends(commit) ? size - commit->base_len
						 : size;
}

static bool fits(const struct zkfs_commit *commit, size_t len, size_t off)
{
	size_t size = size_that_counts(commit);

	if (commit->flags & ZKFS_COMMIT_APPEND)
		return size <= commit->limit && len <= commit->limit - size;
	return size <= commit->limit && off <= commit->limit &&
	       len <= commit->limit - off;
}

int zkfs_commit_write(struct zkfs_commit *commit, const void *data, size_t len,
		      size_t off, uint64_t owner)
{
	int r;

	assert(commit->based);
	if (commit->failed)
		return refuse_write(commit, commit->failed);
	if (len == 0)
		return 0;
	if (!fits(commit, len, off))
		return refuse_write(commit, -EFBIG);
	/* The kernel's offset of an append is its idea of the size, which may
	 * be an old one. */
	if (commit->flags & ZKFS_COMMIT_APPEND)
		off = zkfs_commit_size(commit);
	r = zkfs_buf_pwrite(&commit->view, data, len, off);
	if (r < 0)
		return refuse_write(commit, r);
	note_write(commit, owner);
	return 0;
}

int zkfs_commit_truncate(struct zkfs_commit *commit, size_t len, uint64_t owner)
{
	int r;

	assert(commit->based);
	if (commit->failed)
		return refuse_write(commit, commit->failed);
	if (len > commit->limit)
		return refuse_write(commit, -EFBIG);
	/* It says what becomes of the base version, and there is a newer. */
	if (commit->behind)
		return refuse_write(commit, -ESTALE);
	r = zkfs_buf_resize(&commit->view, len);
	if (r < 0)
		return refuse_write(commit, r);
	note_write(commit, owner);
	commit->bound = true;
	return 0;
}

size_t zkfs_commit_size(const struct zkfs_commit *commit)
{
	return length(commit->view);
}

size_t zkfs_commit_read(const struct zkfs_commit *commit, size_t off,
			size_t len, const void **ret_data)
{
	size_t size = zkfs_commit_size(commit);

	if (off >= size)
		return 0;
	*ret_data = commit->view->data + off;
	return zkfs_min_size(len, size - off);
}

bool zkfs_commit_pending(const struct zkfs_commit *commit)
{
	if (commit->in_flight)
		return true;
	return owes(commit) && !commit->failed && !commit->abandoned &&
	       !commit->unlinked;
}

void zkfs_commit_killed(struct zkfs_commit *commit, uint64_t owner)
{
	if (commit->failed || (!owes(commit) && !commit->in_flight))
		return;
	if (!commit->has_writer || commit->writer == owner)
		commit->abandoned = true;
}

void zkfs_commit_conflict(struct zkfs_commit *commit)
{
	if (commit->in_flight || commit->doubt || commit->unlinked ||
	    commit->failed)
		return;
	if (appends(commit))
		commit->behind = true;
	else
		(void)fail(commit, -ESTALE);
}

void zkfs_commit_refused(struct zkfs_commit *commit, int error)
{
	if (owes(commit) && !commit->failed && !commit->unlinked)
		(void)refuse_write(commit, error);
}

int zkfs_commit_no_room(struct zkfs_commit *commit, int error)
{
	return commit->failed ? commit->failed : refuse_write(commit, error);
}

void zkfs_commit_shared(struct zkfs_commit *commit)
{
	commit->shared = true;
}

void zkfs_commit_unlink(struct zkfs_commit *commit)
{
	commit->unlinked = true;
}

/*
 * Committing
 */

static enum zkfs_commit_next finish(struct zkfs_commit *commit, int error)
{
	drop_payload(commit);
	commit->error = error;
	return ZKFS_COMMIT_DONE;
}

/* The payload will never be set, nor anything that came after it. */
static enum zkfs_commit_next give_up(struct zkfs_commit *commit, int error)
{
	commit->lost = true;
	(void)fail(commit, commit->failed ? commit->failed : error);
	return finish(commit, error);
}

/* This begin has failed, and another may succeed. A payload in doubt is kept,
 * as it is needed to resolve that; any other is collected again. */
static enum zkfs_commit_next put_off(struct zkfs_commit *commit, int error)
{
	if (commit->doubt)
		error = -EIO;
	if (commit->failed)
		return give_up(commit, error);
	if (commit->doubt) {
		commit->again = false;
		commit->error = error;
		return ZKFS_COMMIT_DONE;
	}
	commit->dirty = true;
	commit->trunc = false;
	commit->many_writers = true;
	commit->bound |= commit->payload_bound;
	return finish(commit, error);
}

static enum zkfs_commit_next send_set(struct zkfs_commit *commit)
{
	commit->in_flight = true;
	commit->reading = false;
	return ZKFS_COMMIT_SET;
}

static enum zkfs_commit_next send_get(struct zkfs_commit *commit)
{
	commit->in_flight = true;
	commit->reading = true;
	return ZKFS_COMMIT_GET;
}

/* From here on what was collected is the payload's. */
static enum zkfs_commit_next start(struct zkfs_commit *commit)
{
	assert(!commit->payload && !commit->doubt);
	commit->payload = share(commit->view);
	commit->payload_tail = zkfs_commit_size(commit) - commit->base_len;
	commit->payload_bound = commit->bound;
	if (!payload_appends(commit))
		commit->payload_tail = 0;
	commit->again = false;
	commit->dirty = false;
	commit->trunc = false;
	commit->bound = false;
	commit->many_writers = false;
	commit->has_flusher = false;
	/* Only an appended-to file may have outgrown the limit unnoticed. */
	if (size_that_counts(commit) > commit->limit)
		return give_up(commit, -EFBIG);
	if (commit->behind && payload_appends(commit))
		return send_get(commit);
	if (commit->version == ANY_VERSION)
		return give_up(commit, -EOVERFLOW);
	return send_set(commit);
}

/* A truncation with nothing written. */
static bool bare_due(struct zkfs_commit *commit, uint64_t owner)
{
	if (commit->has_flusher)
		return commit->flusher == owner;
	commit->has_flusher = true;
	commit->flusher = owner;
	return false;
}

static bool due(struct zkfs_commit *commit, enum zkfs_commit_cause cause,
		uint64_t owner)
{
	if (!owes(commit))
		return false;
	if (cause == ZKFS_COMMIT_FSYNC || cause == ZKFS_COMMIT_WRITE)
		return true;
	if (commit->abandoned)
		return false;
	if (cause == ZKFS_COMMIT_RELEASE || commit->doubt)
		return true;
	if (!commit->dirty)
		return bare_due(commit, owner);
	return !commit->has_writer || commit->many_writers ||
	       commit->writer == owner;
}

enum zkfs_commit_next zkfs_commit_begin(struct zkfs_commit *commit,
					enum zkfs_commit_cause cause,
					uint64_t owner)
{
	assert(commit->based);
	if (commit->in_flight)
		return ZKFS_COMMIT_BUSY;
	if (cause == ZKFS_COMMIT_FSYNC || cause == ZKFS_COMMIT_WRITE)
		commit->abandoned = false;
	commit->error = 0;
	if (commit->failed) {
		if (commit->lost && !commit->abandoned)
			commit->error = commit->failed;
		return ZKFS_COMMIT_DONE;
	}
	if (commit->unlinked) {
		commit->dirty = false;
		commit->trunc = false;
		return finish(commit, 0);
	}
	if (!due(commit, cause, owner))
		return ZKFS_COMMIT_DONE;
	if (!commit->doubt)
		return start(commit);
	commit->again = commit->dirty;
	return send_get(commit);
}

void zkfs_commit_payload(const struct zkfs_commit *commit,
			 const void **ret_data, size_t *ret_len,
			 int32_t *ret_version)
{
	assert(commit->in_flight && !commit->reading);
	*ret_data = commit->payload ? commit->payload->data : NULL;
	*ret_len = length(commit->payload);
	*ret_version = commit->version;
}

/* The payload has become a version, and is the newest unless we are `behind`;
 * what was collected meanwhile is on top of it already. */
static enum zkfs_commit_next committed(struct zkfs_commit *commit,
				       int32_t version, bool behind)
{
	bool again = commit->again && !commit->unlinked;

	commit->version = version;
	commit->base_len = length(commit->payload);
	commit->behind = behind;
	if (!again)
		return finish(commit, 0);
	/* This begin was about more than the payload. */
	(void)finish(commit, commit->failed);
	return commit->failed ? ZKFS_COMMIT_DONE : start(commit);
}

/* Appends `len` bytes to a buf that may be shared, or be NULL. */
static int extended(struct zkfs_buf *base, const char *tail, size_t len,
		    struct zkfs_buf **ret_buf)
{
	struct zkfs_buf *buf = share(base);
	int r = zkfs_buf_pwrite(&buf, tail, len, length(base));

	if (r < 0) {
		(void)zkfs_buf_unref(buf);
		return r;
	}
	*ret_buf = buf;
	return 0;
}

/* Lays what was appended on top of the newest data: all of it in the view,
 * and in the payload what this commit is about. */
static int lay_on_top(struct zkfs_commit *commit, struct zkfs_buf *newest)
{
	const char *tail = commit->view->data + commit->base_len;
	size_t tail_len = zkfs_commit_size(commit) - commit->base_len;
	struct zkfs_buf *view, *payload;
	int r;

	assert(commit->payload_tail > 0 && commit->payload_tail <= tail_len);
	r = extended(newest, tail, tail_len, &view);
	if (r < 0)
		return r;
	if (commit->payload_tail == tail_len) {
		payload = share(view);
	} else {
		r = extended(newest, tail, commit->payload_tail, &payload);
		if (r < 0) {
			(void)zkfs_buf_unref(view);
			return r;
		}
	}
	(void)zkfs_buf_unref(commit->view);
	(void)zkfs_buf_unref(commit->payload);
	commit->view = view;
	commit->payload = payload;
	return 0;
}

static enum zkfs_commit_next append_again(struct zkfs_commit *commit,
					  struct zkfs_buf *newest,
					  int32_t version)
{
	size_t len = length(newest);
	int r;

	/* Truncated since: that was about a version which is gone. */
	if (commit->bound)
		return give_up(commit, -ESTALE);
	if (len > commit->limit || commit->payload_tail > commit->limit - len)
		return give_up(commit, -EFBIG);
	if (version == ANY_VERSION)
		return give_up(commit, -EOVERFLOW);
	r = lay_on_top(commit, newest);
	if (r < 0)
		return put_off(commit, r);
	commit->base_len = len;
	commit->version = version;
	commit->behind = false;
	return send_set(commit);
}

static bool is_payload(const struct zkfs_commit *commit,
		       const struct zkfs_buf *data)
{
	size_t len = length(data);

	if (len != length(commit->payload))
		return false;
	return len == 0 || memcmp(data->data, commit->payload->data, len) == 0;
}

/* Whether others have appended to it. */
static bool begins_with_payload(const struct zkfs_commit *commit,
				const struct zkfs_buf *data)
{
	size_t len = length(commit->payload);

	return len > 0 && length(data) >= len &&
	       memcmp(data->data, commit->payload->data, len) == 0;
}

/* How many versions later: they are 32 bits and wrap. */
static int32_t versions_since(int32_t base, int32_t version)
{
	return (int32_t)((uint32_t)version - (uint32_t)base);
}

static int32_t next_version(int32_t version)
{
	return (int32_t)((uint32_t)version + 1);
}

/* There is a version that may be ours: of these bytes, right on our base. */
static enum zkfs_commit_next found_payload(struct zkfs_commit *commit,
					   int32_t version)
{
	if (commit->shared && !payload_appends(commit))
		return give_up(commit, -EIO);
	return committed(commit, version, false);
}

static enum zkfs_commit_next resolve_later(struct zkfs_commit *commit,
					   struct zkfs_buf *data)
{
	if (!payload_appends(commit) || commit->bound ||
	    !begins_with_payload(commit, data))
		return give_up(commit, -EIO);
	return committed(commit, next_version(commit->version), true);
}

/* What was read back after a lost reply: the table in commit.h. */
static enum zkfs_commit_next resolve(struct zkfs_commit *commit,
				     struct zkfs_buf *data, int32_t version)
{
	int32_t since = versions_since(commit->version, version);

	if (since == 0)
		return send_set(commit);
	if (since > 1)
		return resolve_later(commit, data);
	if (since < 0)
		return give_up(commit, -EIO);
	if (is_payload(commit, data))
		return found_payload(commit, version);
	if (!payload_appends(commit))
		return give_up(commit, -ESTALE);
	commit->doubt = false;
	return append_again(commit, data, version);
}

/* An answer that settles nothing when an earlier set is in doubt. */
static enum zkfs_commit_next refused(struct zkfs_commit *commit,
				     enum zkfs_error error)
{
	if (commit->doubt)
		return give_up(commit, -EIO);
	/* A handle of a session that is over. */
	if (error == ZKFS_E_EXPIRED)
		return give_up(commit, -ESTALE);
	return give_up(commit, zkfs_error_to_errno(error));
}

static enum zkfs_commit_next met_conflict(struct zkfs_commit *commit)
{
	/* In doubt: the reading after the lost reply may have been too early,
	 * so that it is our own set that this one collides with. */
	if (commit->doubt || payload_appends(commit))
		return send_get(commit);
	return give_up(commit, -ESTALE);
}

enum zkfs_commit_next zkfs_commit_set_done(struct zkfs_commit *commit,
					   enum zkfs_error error,
					   int32_t version)
{
	assert(commit->in_flight && !commit->reading);
	commit->in_flight = false;
	if (error == ZKFS_E_OK)
		return committed(commit, version, false);
	if (commit->unlinked)
		return finish(commit, 0);
	switch (error) {
	case ZKFS_E_LOST:
		commit->doubt = true;
		return send_get(commit);
	case ZKFS_E_BADVERSION:
		return met_conflict(commit);
	case ZKFS_E_NONODE:
		return give_up(commit, commit->doubt ? -EIO : -ESTALE);
	case ZKFS_E_TIMEDOUT:
	case ZKFS_E_NOMEM:
		return put_off(commit, zkfs_error_to_errno(error));
	default:
		return refused(commit, error);
	}
}

enum zkfs_commit_next zkfs_commit_get_done(struct zkfs_commit *commit,
					   enum zkfs_error error,
					   struct zkfs_buf *data,
					   int32_t version)
{
	assert(commit->in_flight && commit->reading);
	commit->in_flight = false;
	if (commit->unlinked)
		return finish(commit, 0);
	switch (error) {
	case ZKFS_E_OK:
		break;
	case ZKFS_E_NONODE:
		return give_up(commit, commit->doubt ? -EIO : -ESTALE);
	case ZKFS_E_TIMEDOUT:
	case ZKFS_E_NOMEM:
	case ZKFS_E_EXPIRED:
	case ZKFS_E_LOST:
		/* A reading changes nothing, whatever became of it. */
		return put_off(commit, zkfs_error_to_errno(error));
	default:
		return refused(commit, error);
	}
	if (commit->doubt)
		return resolve(commit, data, version);
	return append_again(commit, data, version);
}

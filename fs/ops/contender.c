/*
 * contender: see contender.h.
 */
#include "fs/ops/contender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "fs/base/buf.h"
#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/caller.h"
#include "fs/ops/lock.h"

const char *zkfs_contender_label(const struct zkfs_contender *contender)
{
	return contender->node->name;
}

bool zkfs_contender_joined(const struct zkfs_contender *contender)
{
	switch (zkfs_lockq_state(contender->lockq)) {
	case ZKFS_LOCKQ_GONE:
	case ZKFS_LOCKQ_BUSY:
	case ZKFS_LOCKQ_FAILED:
		return false;
	default:
		return true;
	}
}

/* Who holds or waits, for `cat` of the entry and for other clients' tools. */
static char *describe(const struct zkfs_opener *opener)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(opener->op.req);
	char comm[ZKFS_COMM_BYTES], since[32], *info;
	time_t now = time(NULL);
	struct tm tm;

	zkfs_caller_comm(ctx->pid, comm);
	if (!gmtime_r(&now, &tm) ||
	    !strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &tm))
		since[0] = '\0';
	if (asprintf(&info, "host=%s pid=%ld uid=%u comm=%s since=%s",
		     opener->op.fs->config.host,
		     (long)zkfs_caller_process(ctx->pid), ctx->uid, comm,
		     since) < 0)
		return NULL;
	return info;
}

static struct zkfs_lockq *make_lockq(struct zkfs_contender *contender,
				     const struct zkfs_opener *opener)
{
	struct zkfs_lockq_config config = {
		.lock = contender->lock,
		.label = opener->op.node->name,
		.host = opener->op.fs->config.host,
		.pid = (long)zkfs_caller_process(
			fuse_req_ctx(opener->op.req)->pid),
		.mode = ZKFS_LOCK_EXCLUSIVE,
		.families = opener->op.fs->config.locknames,
		.try = opener->fi.flags & O_NONBLOCK,
		.data = contender->info,
	};

	/* Never fails for 8 bytes once the kernel's pool is up (random(7)). */
	if (getrandom(&config.random, sizeof(config.random), 0) < 0)
		return NULL;
	return zkfs_lockq_new(&config);
}

static void on_reply(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_contender_ask *ask =
		zkfs_container_of(req, struct zkfs_contender_ask, req);

	zkfs_lockq_reply(ask->contender->lockq, ask->ask, reply);
	zkfs_contender_settle(ask->contender);
}

static void on_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct zkfs_contender_ask *ask =
		zkfs_container_of(watch, struct zkfs_contender_ask, watch);

	zkfs_lockq_fired(ask->contender->lockq, ask->ask, event);
	zkfs_contender_settle(ask->contender);
}

struct zkfs_contender *zkfs_contender_new(struct zkfs_opener *opener)
{
	struct zkfs_contender *contender = calloc(1, sizeof(*contender));
	struct zkfs_fs *fs = opener->op.fs;

	if (!contender)
		return NULL;
	contender->fs = fs;
	contender->tid = fuse_req_ctx(opener->op.req)->pid;
	contender->answer_by_ms = zkfs_fs_patience(fs);
	zkfs_lock_wake(fs, contender->answer_by_ms);
	contender->lock = zkfs_tree_path(opener->op.node->parent);
	contender->info = describe(opener);
	if (contender->lock && contender->info)
		contender->lockq = make_lockq(contender, opener);
	if (!contender->lockq) {
		free(contender->lock);
		free(contender->info);
		free(contender);
		return NULL;
	}
	contender->node = zkfs_tree_ref(opener->op.node);
	contender->opener = opener;
	opener->contender = contender;
	zkfs_list_init(&contender->readers);
	zkfs_list_append(&fs->contenders, &contender->link);
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		contender->asks[i].contender = contender;
		contender->asks[i].ask = (enum zkfs_lockq_ask)i;
		contender->asks[i].watch.fired = on_fired;
	}
	return contender;
}

void zkfs_contender_drop(struct zkfs_contender *contender)
{
	struct zkfs_fs *fs = contender->fs;

	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		zkfs_zk_cancel(fs->zk, &contender->asks[i].req);
		zkfs_zk_unwatch(fs->zk, &contender->asks[i].watch);
	}
	if (contender->opener)
		contender->opener->contender = NULL;
	zkfs_list_remove(&contender->link);
	zkfs_handle_remove(fs, &contender->handle);
	zkfs_tree_unref(&fs->tree, contender->node);
	zkfs_lockq_free(contender->lockq);
	zkfs_buf_unref(contender->note);
	free(contender->lock);
	free(contender->info);
	free(contender);
}

/* What nobody waits for in vain: joining has the caller's patience, all else
 * lasts until it is known (and can be interrupted). */
static int64_t ask_deadline(const struct zkfs_contender *contender,
			    enum zkfs_lockq_ask ask)
{
	enum zkfs_lockq_state state = zkfs_lockq_state(contender->lockq);

	if (ask == ZKFS_LOCKQ_ASK_JOIN ||
	    (ask == ZKFS_LOCKQ_ASK_LIST && state == ZKFS_LOCKQ_LOOKING))
		return zkfs_fs_patience(contender->fs);
	return ZKFS_NEVER;
}

static void submit(struct zkfs_contender *contender,
		   const struct zkfs_lockq_request *request)
{
	struct zkfs_contender_ask *ask = &contender->asks[request->ask];

	zkfs_zk_cancel(contender->fs->zk, &ask->req);
	zkfs_zk_unwatch(contender->fs->zk, &ask->watch);
	ask->req = (struct zkfs_zk_req){
		.kind = request->kind,
		.path = request->path,
		.ops = request->ops,
		.n_ops = request->n_ops,
		.generation = request->generation,
		.deadline_ms = ask_deadline(contender, request->ask),
		.done = on_reply,
	};
	if (request->ask == ZKFS_LOCKQ_ASK_BLOCKER ||
	    request->ask == ZKFS_LOCKQ_ASK_OWN)
		ask->req.watch = &ask->watch;
	zkfs_zk_submit(contender->fs->zk, &ask->req);
}

static void pump(struct zkfs_contender *contender)
{
	struct zkfs_lockq_request request;

	while (zkfs_lockq_next(contender->lockq, &request))
		submit(contender, &request);
}

void zkfs_contender_start(struct zkfs_contender *contender)
{
	struct zkfs_zk *zk = contender->fs->zk;

	contender->started = true;
	zkfs_lockq_start(contender->lockq, zkfs_zk_generation(zk),
			 zkfs_zk_session_id(zk));
	/* The connection may have gone since the look that we come from. */
	zkfs_lockq_session(contender->lockq, zkfs_zk_connected(zk),
			   zkfs_zk_generation(zk));
	zkfs_contender_settle(contender);
}

/* Granted: the kernel gets the handle. */
static void answer_open(struct zkfs_contender *contender)
{
	struct zkfs_opener *opener = zkfs_steal(&contender->opener);
	int error = zkfs_handle_add(contender->fs, &contender->handle,
				    ZKFS_HANDLE_LOCK, contender->node);

	opener->contender = NULL;
	if (error) {
		zkfs_reply_error(opener, error);
		zkfs_lockq_leave(contender->lockq);
		return;
	}
	opener->fi.fh = contender->handle.fh;
	opener->fi.direct_io = 1;
	contender->open = true;
	zkfs_debug("\"%s\": held by \"%s\"", contender->lock,
		   zkfs_contender_label(contender));
	if (!zkfs_reply_open(opener, &opener->fi)) {
		contender->open = false;
		zkfs_handle_remove(contender->fs, &contender->handle);
		zkfs_lockq_leave(contender->lockq);
	}
}

static void fail_opener(struct zkfs_contender *contender, int error)
{
	struct zkfs_opener *opener = zkfs_steal(&contender->opener);

	if (!opener)
		return;
	opener->contender = NULL;
	zkfs_reply_error(opener, error);
}

/* Reads that waited for the token; once it is known, or never will be. */
static void answer_readers(struct zkfs_contender *contender)
{
	struct zkfs_link *first;

	if (!contender->broken && !zkfs_lockq_token(contender->lockq))
		return;
	while ((first = zkfs_list_first(&contender->readers))) {
		struct zkfs_reader *reader =
			zkfs_list_entry(first, struct zkfs_reader, waiting);

		zkfs_list_remove(first);
		zkfs_contender_answer_read(reader);
	}
}

static void on_lost(struct zkfs_contender *contender)
{
	if (contender->open && !contender->broken)
		zkfs_warning("\"%s\": the lock of \"%s\" is lost; its handle "
			     "answers EIO from here on",
			     contender->lock, zkfs_contender_label(contender));
	contender->broken = true;
	contender->grace_until_ms = 0;
	fail_opener(contender, zkfs_lockq_error(contender->lockq));
	zkfs_lockq_leave(contender->lockq);
}

static void follow_state(struct zkfs_contender *contender)
{
	switch (zkfs_lockq_state(contender->lockq)) {
	case ZKFS_LOCKQ_WAITING:
		/* For others, no more for the server. */
		contender->answer_by_ms = ZKFS_NEVER;
		break;
	case ZKFS_LOCKQ_HELD:
		if (contender->opener)
			answer_open(contender);
		break;
	case ZKFS_LOCKQ_LOST:
		on_lost(contender);
		break;
	case ZKFS_LOCKQ_BUSY:
	case ZKFS_LOCKQ_FAILED:
		contender->broken = true;
		fail_opener(contender, zkfs_lockq_error(contender->lockq));
		break;
	default:
		break;
	}
}

void zkfs_contender_settle(struct zkfs_contender *contender)
{
	struct zkfs_fs *fs = contender->fs;

	if (!contender->started)
		return;
	pump(contender);
	follow_state(contender);
	pump(contender); /* the answer may have made it leave */
	answer_readers(contender);
	if (zkfs_contender_joined(contender))
		return;
	if (!contender->open && !contender->opener)
		zkfs_contender_drop(contender);
	zkfs_lock_left(fs);
}

void zkfs_contender_leave(struct zkfs_contender *contender, int error)
{
	contender->grace_until_ms = 0;
	contender->broken = true;
	fail_opener(contender, error);
	if (!contender->started) {
		struct zkfs_fs *fs = contender->fs;

		zkfs_contender_drop(contender);
		zkfs_lock_left(fs);
		return;
	}
	zkfs_lockq_leave(contender->lockq);
	zkfs_contender_settle(contender);
}

size_t zkfs_contender_note_len(const struct zkfs_contender *contender)
{
	const struct zkfs_buf *note = contender->note;
	size_t len = note ? note->len : 0;

	while (len > 0 && note->data[len - 1] == ' ')
		len--;
	return len;
}

void zkfs_contender_answer_read(struct zkfs_reader *reader)
{
	struct zkfs_contender *contender = reader->contender;
	const struct zkfs_buf *note = contender->note;
	zkfs_autofree char *text = NULL;
	size_t len, off = (size_t)reader->off;

	if (contender->broken) {
		zkfs_reply_error(reader, -EIO);
		return;
	}
	if (asprintf(&text,
		     "token=0x%016llx mode=exclusive state=held %s%s%.*s\n",
		     (unsigned long long)zkfs_lockq_token(contender->lockq),
		     contender->info, note ? " note=" : "",
		     (int)zkfs_contender_note_len(contender),
		     note ? note->data : "") < 0) {
		zkfs_reply_error(reader, -ENOMEM);
		return;
	}
	len = strlen(text);
	off = zkfs_min_size(off, len);
	zkfs_reply_buf(reader, text + off,
		       zkfs_min_size(reader->size, len - off));
}

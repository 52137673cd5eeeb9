/*
 * claim: how a request comes to wait for a lock (contender.h): by a new
 * contender, or in the place that an interrupted one has kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/caller.h"
#include "fs/ops/contender.h"
#include "fs/ops/limit.h"
#include "fs/ops/lock.h"
#include "fs/ops/mates.h"

/* Who holds or waits, for `cat` of the entry and for other clients' tools. */
static char *describe(const struct zkfs_claim *claim)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(claim->op.req);
	char comm[ZKFS_COMM_BYTES], since[32], *info;
	time_t now = time(NULL);
	struct tm tm;

	zkfs_caller_comm(ctx->pid, comm);
	if (!gmtime_r(&now, &tm) ||
	    !strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &tm))
		since[0] = '\0';
	if (asprintf(&info, "host=%s pid=%ld uid=%u comm=%s since=%s",
		     claim->op.fs->config.host,
		     (long)zkfs_caller_process(ctx->pid), ctx->uid, comm,
		     since) < 0)
		return NULL;
	return info;
}

static struct zkfs_lockq *make_lockq(const struct zkfs_contender *contender,
				     bool free_now)
{
	size_t n_mates = contender->try ? 0 : zkfs_mates_count(contender);
	struct zkfs_lockq_config config = {
		.lock = contender->lock,
		.label = contender->label,
		.host = contender->fs->config.host,
		.pid = contender->pid,
		.mode = contender->mode,
		.families = contender->fs->config.locknames,
		.try = contender->try,
		.free = free_now,
		.behind = n_mates > 0,
		.crowd = n_mates >= ZKFS_MATES_CROWD,
		.data = contender->info,
	};

	/* Never fails for 8 bytes once the kernel's pool is up (random(7)). */
	if (getrandom(&config.random, sizeof(config.random), 0) < 0)
		return NULL;
	return zkfs_lockq_new(&config);
}

static struct zkfs_contender *
contender_new(struct zkfs_claim *claim,
	      const struct zkfs_contender_config *config, bool free_now)
{
	struct zkfs_contender *contender = calloc(1, sizeof(*contender));
	struct zkfs_fs *fs = claim->op.fs;

	if (!contender)
		return NULL;
	contender->fs = fs;
	contender->tid = fuse_req_ctx(claim->op.req)->pid;
	contender->pid = zkfs_caller_process(contender->tid);
	contender->uid = fuse_req_ctx(claim->op.req)->uid;
	contender->key = config->key;
	contender->mode = config->mode;
	contender->try = config->try;
	contender->hurry = config->hurry;
	contender->asked_us = zkfs_clock_us();
	contender->answer_by_ms = zkfs_contender_patience(contender);
	zkfs_lock_wake(fs, contender->answer_by_ms);
	contender->lock = strdup(config->lock);
	contender->label = strdup(config->label);
	contender->info = describe(claim);
	if (contender->lock && contender->label && contender->info)
		contender->lockq = make_lockq(contender, free_now);
	if (!contender->lockq) {
		free(contender->lock);
		free(contender->label);
		free(contender->info);
		free(contender);
		return NULL;
	}
	zkfs_contender_enlist(contender);
	return contender;
}

static void on_interrupted(struct zkfs_op *op)
{
	struct zkfs_claim *claim = zkfs_container_of(op, struct zkfs_claim, op);
	struct zkfs_contender *contender = zkfs_steal(&claim->contender);

	if (!contender)
		return;
	contender->claim = NULL;
	/* One that does not wait has no place to keep; a claim that waits must
	 * not get its EAGAIN. */
	if (!contender->started || contender->try ||
	    zkfs_caller_dying(contender->tid)) {
		zkfs_contender_leave(contender, -EINTR);
		return;
	}
	contender->grace_until_ms = zkfs_clock_ms() + ZKFS_CONTENDER_GRACE_MS;
	zkfs_lock_wake(contender->fs, contender->grace_until_ms);
}

/* A shell whose call was interrupted by a signal it handles tries again at
 * once, from the same thread: it finds its place kept. */
static struct zkfs_contender *
find_kept(const struct zkfs_claim *claim,
	  const struct zkfs_contender_config *config)
{
	pid_t tid = fuse_req_ctx(claim->op.req)->pid;

	/* 0: of another pid namespace, and so are others. */
	if (tid == 0 || config->try)
		return NULL;
	zkfs_list_for_each(it, &claim->op.fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->grace_until_ms && !contender->broken &&
		    contender->tid == tid && contender->key == config->key &&
		    contender->mode == config->mode &&
		    strcmp(contender->lock, config->lock) == 0)
			return contender;
	}
	return NULL;
}

static void on_connected(struct zkfs_zk_req *req,
			 const struct zkfs_zk_reply *reply)
{
	struct zkfs_claim *claim =
		zkfs_container_of(zkfs_op_from_zk(req), struct zkfs_claim, op);

	if (reply->error)
		zkfs_contender_leave(claim->contender,
				     zkfs_error_to_errno(reply->error));
	else
		zkfs_contender_start(claim->contender);
}

static void tie(struct zkfs_claim *claim, struct zkfs_contender *contender)
{
	contender->claim = claim;
	claim->contender = contender;
	claim->op.cancel = on_interrupted;
}

/* What a try needs no server for: what the list of its own look-up has shown,
 * and what is known under a watch. */
static enum zkfs_lockview_try look(const struct zkfs_claim *claim,
				   const struct zkfs_contender_config *config)
{
	struct zkfs_fs *fs = claim->op.fs;
	enum zkfs_lockview_try known =
		zkfs_lockview_try(fs, config->lock, config->mode);
	bool busy, seen = false;

	if (config->dir)
		seen = zkfs_glance_take(&fs->glances,
					fuse_req_ctx(claim->op.req)->pid,
					config->dir, config->label, &busy);
	if (known != ZKFS_LOCKVIEW_UNKNOWN || !seen)
		return known;
	return busy ? ZKFS_LOCKVIEW_BUSY : ZKFS_LOCKVIEW_FREE;
}

void zkfs_contender_claim(struct zkfs_claim *claim,
			  const struct zkfs_contender_config *config)
{
	struct zkfs_contender *contender = find_kept(claim, config);
	enum zkfs_lockview_try known = ZKFS_LOCKVIEW_UNKNOWN;
	struct zkfs_fs *fs = claim->op.fs;
	int error;

	if (contender) {
		contender->grace_until_ms = 0;
		zkfs_lock_wake(fs, contender->answer_by_ms);
		tie(claim, contender);
		if (zkfs_op_park(&claim->op))
			zkfs_contender_settle(contender);
		return;
	}
	if (config->try)
		known = look(claim, config);
	if (known == ZKFS_LOCKVIEW_BUSY) {
		fs->metrics.counters.locks_busy++;
		claim->failed(claim, -EAGAIN);
		return;
	}
	contender = contender_new(claim, config, known == ZKFS_LOCKVIEW_FREE);
	if (!contender) {
		claim->failed(claim, -ENOMEM);
		return;
	}
	error = zkfs_limit_bind(fs, claim->op.req, &contender->charge);
	if (!error)
		error = zkfs_limit_charge(fs, &contender->charge,
					  ZKFS_QUOTA_LOCKS, 1);
	if (error) {
		zkfs_contender_drop(contender);
		claim->failed(claim, error);
		return;
	}
	tie(claim, contender);
	if (zkfs_zk_connected(fs->zk)) {
		if (zkfs_op_park(&claim->op))
			zkfs_contender_start(contender);
		return;
	}
	/* A contender belongs to one session: wait until there is one. */
	claim->op.zk = (struct zkfs_zk_req){.kind = ZKFS_ZK_EXISTS,
					    .path = contender->lock};
	(void)zkfs_op_submit(&claim->op, zkfs_contender_patience(contender),
			     on_connected);
}

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

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/caller.h"
#include "fs/ops/limit.h"
#include "fs/ops/lock.h"

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

/* The others of this mount in the same queue. */
static bool is_mate(const struct zkfs_contender *contender,
		    const struct zkfs_contender *other)
{
	return other != contender && other->started &&
	       strcmp(other->lock, contender->lock) == 0;
}

/* One that leaves, or has left a handle behind that is still open, is no
 * company: the lock is probably free. */
static bool has_mates(const struct zkfs_contender *contender)
{
	zkfs_list_for_each(it, &contender->fs->contenders) {
		const struct zkfs_contender *other =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (is_mate(contender, other) && zkfs_contender_joined(other) &&
		    zkfs_lockq_state(other->lockq) != ZKFS_LOCKQ_LEAVING)
			return true;
	}
	return false;
}

static void meet_mates(struct zkfs_contender *contender)
{
	zkfs_list_for_each(it, &contender->fs->contenders) {
		const struct zkfs_contender *other =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (is_mate(contender, other))
			zkfs_lockq_meet(contender->lockq, other->lockq);
	}
}

static struct zkfs_lockq *make_lockq(const struct zkfs_contender *contender,
				     bool try)
{
	struct zkfs_lockq_config config = {
		.lock = contender->lock,
		.label = contender->label,
		.host = contender->fs->config.host,
		.pid = contender->pid,
		.mode = contender->mode,
		.families = contender->fs->config.locknames,
		.try = try,
		.behind = !try && has_mates(contender),
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

	if (ask->ask == ZKFS_LOCKQ_ASK_BLOCKER && reply->error == ZKFS_E_NONODE)
		meet_mates(ask->contender);
	zkfs_lockq_reply(ask->contender->lockq, ask->ask, reply);
	if (ask->ask == ZKFS_LOCKQ_ASK_JOIN)
		meet_mates(ask->contender);
	zkfs_contender_settle(ask->contender);
}

static void on_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct zkfs_contender_ask *ask =
		zkfs_container_of(watch, struct zkfs_contender_ask, watch);

	if (ask->ask == ZKFS_LOCKQ_ASK_BLOCKER && event == ZKFS_ZK_DELETED)
		meet_mates(ask->contender);
	zkfs_lockq_fired(ask->contender->lockq, ask->ask, event);
	zkfs_contender_settle(ask->contender);
}

static int64_t patience(const struct zkfs_contender *contender)
{
	return contender->hurry ? zkfs_fs_short_patience(contender->fs)
				: zkfs_fs_patience(contender->fs);
}

static struct zkfs_contender *
contender_new(struct zkfs_claim *claim,
	      const struct zkfs_contender_config *config)
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
	contender->answer_by_ms = patience(contender);
	zkfs_lock_wake(fs, contender->answer_by_ms);
	contender->lock = strdup(config->lock);
	contender->label = strdup(config->label);
	contender->info = describe(claim);
	if (contender->lock && contender->label && contender->info)
		contender->lockq = make_lockq(contender, config->try);
	if (!contender->lockq) {
		free(contender->lock);
		free(contender->label);
		free(contender->info);
		free(contender);
		return NULL;
	}
	zkfs_list_init(&contender->leavers);
	zkfs_list_append(&fs->contenders, &contender->link);
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		contender->asks[i].contender = contender;
		contender->asks[i].ask = (enum zkfs_lockq_ask)i;
		contender->asks[i].watch.fired = on_fired;
	}
	return contender;
}

static void tell(struct zkfs_link *leavers)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(leavers))) {
		struct zkfs_contender_leaver *leaver = zkfs_list_entry(
			first, struct zkfs_contender_leaver, link);

		zkfs_list_remove(first);
		leaver->left(leaver);
	}
}

/* Moved aside, as who is told may do anything. */
void zkfs_contender_tell(struct zkfs_contender *contender)
{
	struct zkfs_link leavers;

	zkfs_list_init(&leavers);
	zkfs_list_splice(&leavers, &contender->leavers);
	tell(&leavers);
}

void zkfs_contender_drop(struct zkfs_contender *contender)
{
	struct zkfs_fs *fs = contender->fs;
	struct zkfs_link leavers;

	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		zkfs_zk_cancel(fs->zk, &contender->asks[i].req);
		zkfs_zk_unwatch(fs->zk, &contender->asks[i].watch);
	}
	if (contender->claim)
		contender->claim->contender = NULL;
	zkfs_list_remove(&contender->link);
	zkfs_quota_close(&fs->quota, &contender->charge);
	zkfs_lockq_free(contender->lockq);
	free(contender->lock);
	free(contender->label);
	free(contender->info);
	zkfs_list_init(&leavers);
	zkfs_list_splice(&leavers, &contender->leavers);
	free(contender);
	tell(&leavers);
}

/* What nobody waits for in vain: joining has the caller's patience, all else
 * lasts until it is known (and can be interrupted). */
static int64_t ask_deadline(const struct zkfs_contender *contender,
			    enum zkfs_lockq_ask ask)
{
	enum zkfs_lockq_state state = zkfs_lockq_state(contender->lockq);

	if (ask == ZKFS_LOCKQ_ASK_JOIN ||
	    (ask == ZKFS_LOCKQ_ASK_LIST && state == ZKFS_LOCKQ_LOOKING))
		return patience(contender);
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
	for (size_t i = 0;
	     request->ask == ZKFS_LOCKQ_ASK_JOIN && i < request->n_ops; i++) {
		request->ops[i].acl = contender->fs->config.contender_acl;
		request->ops[i].acl_len =
			contender->fs->config.contender_acl_len;
	}
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

static void start(struct zkfs_contender *contender)
{
	struct zkfs_zk *zk = contender->fs->zk;

	contender->started = true;
	/* An epoch that is over, though nobody was told yet, is none to join.
	 */
	(void)zkfs_heartbeat_alive(contender->fs);
	contender->epoch = zkfs_heartbeat_epoch(contender->fs);
	zkfs_lockq_start(contender->lockq, zkfs_zk_generation(zk),
			 zkfs_zk_session_id(zk));
	/* The connection may have gone since the look that we come from. */
	zkfs_lockq_session(contender->lockq, zkfs_zk_connected(zk),
			   zkfs_zk_generation(zk));
	zkfs_contender_settle(contender);
}

static void fail_claim(struct zkfs_contender *contender, int error)
{
	struct zkfs_claim *claim = zkfs_steal(&contender->claim);

	if (!claim)
		return;
	claim->contender = NULL;
	claim->failed(claim, error);
}

/* What no lease covers may be another's: it waits for the next heartbeat, or to
 * be told that it has lost. A place that is kept waits for its claim. */
static bool may_grant(const struct zkfs_contender *contender)
{
	return !contender->granted && (contender->claim || contender->owner) &&
	       zkfs_heartbeat_alive(contender->fs) &&
	       contender->epoch == zkfs_heartbeat_epoch(contender->fs);
}

static void grant(struct zkfs_contender *contender)
{
	struct zkfs_claim *claim = zkfs_steal(&contender->claim);

	zkfs_debug("\"%s\": held by \"%s\"", contender->lock, contender->label);
	contender->granted = true;
	contender->granted_us = zkfs_clock_us();
	zkfs_histogram_add(&contender->fs->metrics.lock_wait,
			   contender->granted_us - contender->asked_us);
	if (!claim)
		return; /* its owner is told as of any change */
	claim->contender = NULL;
	if (!claim->granted(claim, contender)) {
		contender->owner = NULL;
		zkfs_lockq_leave(contender->lockq);
	}
}

static void on_waiting(struct zkfs_contender *contender)
{
	struct zkfs_claim *claim = contender->claim;

	/* For others, no more for the server. */
	contender->answer_by_ms = ZKFS_NEVER;
	if (!claim || !claim->queued)
		return;
	contender->claim = NULL;
	claim->contender = NULL;
	claim->queued(claim, contender);
}

static void on_lost(struct zkfs_contender *contender)
{
	if (contender->owner && !contender->broken) {
		contender->fs->metrics.counters.locks_lost++;
		zkfs_warning("\"%s\": the lock of \"%s\" is lost",
			     contender->lock, contender->label);
	}
	contender->broken = true;
	contender->grace_until_ms = 0;
	fail_claim(contender, zkfs_lockq_error(contender->lockq));
	zkfs_lockq_leave(contender->lockq);
}

static void on_refused(struct zkfs_contender *contender)
{
	if (contender->claim &&
	    zkfs_lockq_state(contender->lockq) == ZKFS_LOCKQ_BUSY)
		contender->fs->metrics.counters.locks_busy++;
	contender->broken = true;
	fail_claim(contender, zkfs_lockq_error(contender->lockq));
}

static void follow_state(struct zkfs_contender *contender)
{
	switch (zkfs_lockq_state(contender->lockq)) {
	case ZKFS_LOCKQ_WAITING:
		on_waiting(contender);
		break;
	case ZKFS_LOCKQ_HELD:
		if (may_grant(contender))
			grant(contender);
		break;
	case ZKFS_LOCKQ_LOST:
		on_lost(contender);
		break;
	case ZKFS_LOCKQ_BUSY:
	case ZKFS_LOCKQ_FAILED:
		on_refused(contender);
		break;
	default:
		break;
	}
}

static void report_renewal(const struct zkfs_contender *contender)
{
	int renewed = zkfs_lockq_renewed(contender->lockq);

	if (renewed > 0)
		zkfs_info("\"%s\": its sequence numbers had grown large and "
			  "begin anew",
			  contender->lock);
	if (renewed >= 0 || contender->fs->told_of_numbers)
		return;
	contender->fs->told_of_numbers = true;
	zkfs_warning("\"%s\": its sequence numbers have grown large and cannot "
		     "begin anew: %s; near their end nobody joins any more",
		     contender->lock, strerror(-renewed));
}

/* It keeps all others waiting, who cannot know why. */
static void report_refusal(struct zkfs_contender *contender)
{
	int error = zkfs_lockq_put_off(contender->lockq);

	if (!error || contender->told_of_refusal)
		return;
	contender->told_of_refusal = true;
	zkfs_warning("\"%s\": cannot take \"%s\" out of the queue: %s; trying "
		     "again until it is done",
		     contender->lock, contender->label, strerror(-error));
}

void zkfs_contender_settle(struct zkfs_contender *contender)
{
	struct zkfs_fs *fs = contender->fs;

	if (!contender->started)
		return;
	pump(contender);
	follow_state(contender);
	report_refusal(contender);
	pump(contender); /* the answer may have made it leave */
	if (contender->owner && (contender->broken || contender->granted))
		contender->owner->changed(contender->owner);
	if (zkfs_contender_joined(contender))
		return;
	report_renewal(contender);
	if (!contender->owner && !contender->claim)
		zkfs_contender_drop(contender);
	zkfs_lock_left(fs);
}

void zkfs_contender_leave(struct zkfs_contender *contender, int error)
{
	contender->grace_until_ms = 0;
	contender->broken = true;
	fail_claim(contender, error);
	if (!contender->started) {
		struct zkfs_fs *fs = contender->fs;

		zkfs_contender_drop(contender);
		zkfs_lock_left(fs);
		return;
	}
	zkfs_lockq_leave(contender->lockq);
	zkfs_contender_settle(contender);
}

void zkfs_contender_lose(struct zkfs_contender *contender)
{
	zkfs_lockq_lose(contender->lockq);
	zkfs_contender_settle(contender);
}

void zkfs_contender_await(struct zkfs_contender *contender,
			  struct zkfs_contender_leaver *leaver)
{
	zkfs_list_append(&contender->leavers, &leaver->link);
	contender->answer_by_ms = zkfs_fs_patience(contender->fs);
	zkfs_lock_wake(contender->fs, contender->answer_by_ms);
}

void zkfs_contender_release(struct zkfs_contender *contender)
{
	contender->owner = NULL;
	zkfs_contender_leave(contender, -EIO);
}

/* Claims */

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
		start(claim->contender);
}

static void tie(struct zkfs_claim *claim, struct zkfs_contender *contender)
{
	contender->claim = claim;
	claim->contender = contender;
	claim->op.cancel = on_interrupted;
}

void zkfs_contender_claim(struct zkfs_claim *claim,
			  const struct zkfs_contender_config *config)
{
	struct zkfs_contender *contender = find_kept(claim, config);
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
	contender = contender_new(claim, config);
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
			start(contender);
		return;
	}
	/* A contender belongs to one session: wait until there is one. */
	claim->op.zk = (struct zkfs_zk_req){.kind = ZKFS_ZK_EXISTS,
					    .path = contender->lock};
	(void)zkfs_op_submit(&claim->op, patience(contender), on_connected);
}

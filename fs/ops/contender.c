/*
 * contender: see contender.h.
 */
#include "fs/ops/contender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/ops/lock.h"
#include "fs/ops/mates.h"

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

static void on_reply(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_contender_ask *ask =
		zkfs_container_of(req, struct zkfs_contender_ask, req);

	if (ask->ask == ZKFS_LOCKQ_ASK_BLOCKER && reply->error == ZKFS_E_NONODE)
		zkfs_mates_blocker_gone(ask->contender);
	if (ask->ask == ZKFS_LOCKQ_ASK_LIST)
		zkfs_lockview_listed(ask->contender->fs, ask->contender->lock,
				     zkfs_steal(&req->watch), reply);
	zkfs_lockq_reply(ask->contender->lockq, ask->ask, reply);
	if (ask->ask == ZKFS_LOCKQ_ASK_JOIN)
		zkfs_mates_joined(ask->contender);
	if (ask->ask == ZKFS_LOCKQ_ASK_LIST)
		zkfs_mates_listed(ask->contender, reply);
	zkfs_contender_settle(ask->contender);
}

static void on_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct zkfs_contender_ask *ask =
		zkfs_container_of(watch, struct zkfs_contender_ask, watch);

	if (ask->ask == ZKFS_LOCKQ_ASK_BLOCKER && event == ZKFS_ZK_DELETED)
		zkfs_mates_blocker_gone(ask->contender);
	zkfs_lockq_fired(ask->contender->lockq, ask->ask, event);
	zkfs_contender_settle(ask->contender);
}

int64_t zkfs_contender_patience(const struct zkfs_contender *contender)
{
	return contender->hurry ? zkfs_fs_short_patience(contender->fs)
				: zkfs_fs_patience(contender->fs);
}

void zkfs_contender_enlist(struct zkfs_contender *contender)
{
	zkfs_list_init(&contender->leavers);
	zkfs_list_append(&contender->fs->contenders, &contender->link);
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		contender->asks[i].contender = contender;
		contender->asks[i].ask = (enum zkfs_lockq_ask)i;
		contender->asks[i].watch.fired = on_fired;
	}
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

/* Of a list the watch is not ours. */
static void take_back(struct zkfs_contender_ask *ask)
{
	struct zkfs_zk *zk = ask->contender->fs->zk;

	zkfs_zk_cancel(zk, &ask->req);
	zkfs_zk_unwatch(zk, &ask->watch);
	if (ask->ask == ZKFS_LOCKQ_ASK_LIST)
		zkfs_lockview_given_up(zkfs_steal(&ask->req.watch));
}

void zkfs_contender_drop(struct zkfs_contender *contender)
{
	struct zkfs_link leavers;

	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++)
		take_back(&contender->asks[i]);
	if (contender->claim)
		contender->claim->contender = NULL;
	zkfs_list_remove(&contender->link);
	zkfs_quota_close(&contender->fs->quota, &contender->charge);
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
		return zkfs_contender_patience(contender);
	return ZKFS_NEVER;
}

/* That of the primary and of who is before us comes first: the others do with
 * being asked for by each heartbeat. */
static bool has_room(const struct zkfs_contender *contender,
		     enum zkfs_lockq_ask ask)
{
	return ask == ZKFS_LOCKQ_ASK_OWN || ask == ZKFS_LOCKQ_ASK_BLOCKER ||
	       !zkfs_zk_watches_scarce(contender->fs->zk);
}

static void submit(struct zkfs_contender *contender,
		   const struct zkfs_lockq_request *request)
{
	struct zkfs_contender_ask *ask = &contender->asks[request->ask];

	take_back(ask);
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
	if (request->watch && has_room(contender, request->ask))
		ask->req.watch = &ask->watch;
	if (request->ask == ZKFS_LOCKQ_ASK_LIST)
		ask->req.watch =
			zkfs_lockview_watch(contender->fs, contender->lock);
	if (request->ask == ZKFS_LOCKQ_ASK_LEAVE)
		zkfs_lockview_leaving(contender);
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
	zkfs_lockview_joining(contender->fs, contender->lock);
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
		zkfs_warning("\"%s\": the lock of \"%s\" is lost; its holder "
			     "gets EIO",
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
		zkfs_mates_note(contender);
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
	zkfs_mates_note(contender);
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

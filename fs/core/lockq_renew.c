/*
 * lockq_renew: a lock whose sequence numbers have grown large gets new ones.
 *
 * The server takes them from the lock's directory, counts in 32 bits and gives
 * the last one again and again, so that two clients hold it at once
 * (facts/locks.md, section 6). A directory that is made anew begins at 0. So
 * a contender with a large number that is alone leaves with
 *
 *	multi[delete our names, delete DIRECTORY, create DIRECTORY]
 *
 * which is refused, NOTEMPTY, when anybody has joined by then, and is otherwise
 * one moment to everybody: a create comes before it or after it and always
 * finds the directory. Nobody who waits sees numbers begin anew, as there is
 * nobody; tokens are transaction ids and go on.
 *
 * The directory keeps its data and its ACL, which are read before. Who writes
 * it meanwhile is found out by the version; who changes its ACL between our
 * look and our transaction is not, as the server has no check for that.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/core/lockq_machine.h"

/* Half of what there is: the other half, a billion, is the time there is for
 * somebody to be alone. */
#define LARGE (INT64_C(1) << 30)
/* From here on the end is too near to join. */
#define NEAR_END (INT64_C(0x80000000) - 1000000)

bool zkfs_lockq_is_near_end(int64_t sequence)
{
	return sequence < 0 || sequence > NEAR_END;
}

static bool is_large(int64_t sequence)
{
	return sequence < 0 || sequence > LARGE;
}

static size_t n_made(const struct zkfs_lockq_own *own)
{
	size_t n = 0;

	for (size_t i = 0; i < own->n_names; i++)
		n += own->names[i].made;
	return n;
}

void zkfs_lockq_begin_leave(struct zkfs_lockq *lockq)
{
	if (is_large(lockq->own.sequence) && !lockq->renew.over)
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_DIR);
	else
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
}

static void leave_plainly(struct zkfs_lockq *lockq, int result)
{
	lockq->renew.over = true;
	lockq->renew.ready = false;
	lockq->renew.result = result;
	zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
}

/* What refuses will do so again. What does not answer may the next time, and a
 * directory that is gone needs no new numbers. */
static int reason(enum zkfs_error error)
{
	switch (error) {
	case ZKFS_E_LOST:
	case ZKFS_E_TIMEDOUT:
	case ZKFS_E_NONODE:
		return 0;
	default:
		return zkfs_error_to_errno(error);
	}
}

/* Returns false when memory is short. */
static bool keep(const void *from, size_t len, void **ret_to, size_t *ret_len)
{
	void *to = malloc(len + 1);

	if (!to)
		return false;
	if (len > 0)
		memcpy(to, from, len);
	*ret_to = to;
	*ret_len = len;
	return true;
}

void zkfs_lockq_reply_dir(struct zkfs_lockq *lockq,
			  const struct zkfs_zk_reply *reply)
{
	struct zkfs_lockq_renew *renew = &lockq->renew;

	if (reply->error) {
		leave_plainly(lockq, reason(reply->error));
		return;
	}
	/* A container or one with a time to live is to go by itself, and shows
	 * as an ephemeral with an odd owner. */
	if ((size_t)reply->stat->num_children > n_made(&lockq->own) ||
	    reply->stat->ephemeral_owner != 0) {
		leave_plainly(lockq, 0);
		return;
	}
	renew->stat = *reply->stat;
	if (keep(reply->data, reply->len, &renew->data, &renew->len))
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_ACL);
	else
		leave_plainly(lockq, -ENOMEM);
}

void zkfs_lockq_reply_acl(struct zkfs_lockq *lockq,
			  const struct zkfs_zk_reply *reply)
{
	struct zkfs_lockq_renew *renew = &lockq->renew;

	if (reply->error) {
		leave_plainly(lockq, reason(reply->error));
	} else if (reply->stat->czxid != renew->stat.czxid ||
		   reply->stat->aversion != renew->stat.aversion) {
		leave_plainly(lockq, 0);
	} else if (!keep(reply->data, reply->len, &renew->acl,
			 &renew->acl_len)) {
		leave_plainly(lockq, -ENOMEM);
	} else {
		renew->ready = true;
		zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_LEAVE);
	}
}

/* One that was written stays one that was written: its version tells an empty
 * directory from an empty file. */
size_t zkfs_lockq_renew_ops(struct zkfs_lockq *lockq, size_t n_ops)
{
	const struct zkfs_lockq_renew *renew = &lockq->renew;
	const char *dir = lockq->config.lock;

	if (!renew->ready)
		return n_ops;
	assert(n_ops + 3 <= ZKFS_LOCKQ_OPS_MAX);
	lockq->ops[n_ops++] = (struct zkfs_zk_op){
		.kind = ZKFS_ZK_OP_DELETE,
		.path = dir,
		.version = renew->stat.version,
	};
	lockq->ops[n_ops++] = (struct zkfs_zk_op){
		.kind = ZKFS_ZK_OP_CREATE,
		.path = dir,
		.data = renew->data,
		.len = renew->len,
		.acl = renew->acl,
		.acl_len = renew->acl_len,
	};
	if (renew->stat.version > 0)
		lockq->ops[n_ops++] = (struct zkfs_zk_op){
			.kind = ZKFS_ZK_OP_SET,
			.path = dir,
			.data = renew->data,
			.len = renew->len,
			.version = ZKFS_ZK_ANY_VERSION,
		};
	return n_ops;
}

/* NONODE may speak of our own names, and an answer that was lost of anything:
 * what follows finds out which, and must not do it twice. */
bool zkfs_lockq_renew_refused(struct zkfs_lockq *lockq, enum zkfs_error error)
{
	if (!lockq->renew.ready)
		return false;
	lockq->renew.ready = false;
	lockq->renew.over = true;
	switch (error) {
	case ZKFS_E_OK:
		lockq->renew.result = 1;
		return false;
	case ZKFS_E_LOST:
	case ZKFS_E_NONODE:
		return false;
	case ZKFS_E_NOTEMPTY:
	case ZKFS_E_BADVERSION:
		leave_plainly(lockq, 0);
		return true;
	default:
		leave_plainly(lockq, reason(error));
		return true;
	}
}

void zkfs_lockq_renew_fini(struct zkfs_lockq_renew *renew)
{
	free(renew->data);
	free(renew->acl);
	*renew = (struct zkfs_lockq_renew){0};
}

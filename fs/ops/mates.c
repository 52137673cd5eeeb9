/*
 * mates: see mates.h.
 */
#include "fs/ops/mates.h"

#include <string.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/fs.h"

static struct zkfs_contender *contender_at(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct zkfs_contender, link);
}

static bool is_mate(const struct zkfs_contender *contender,
		    const struct zkfs_contender *other)
{
	return other != contender && other->started &&
	       strcmp(other->lock, contender->lock) == 0;
}

/* One that leaves, or has left a handle behind that is still open, is no
 * company: the lock is probably free. */
size_t zkfs_mates_count(const struct zkfs_contender *contender)
{
	size_t n = 0;

	zkfs_list_for_each(it, &contender->fs->contenders) {
		const struct zkfs_contender *other = contender_at(it);

		n += is_mate(contender, other) &&
		     zkfs_contender_joined(other) &&
		     zkfs_lockq_state(other->lockq) != ZKFS_LOCKQ_LEAVING;
	}
	return n;
}

void zkfs_mates_joined(struct zkfs_contender *contender)
{
	zkfs_list_for_each(it, &contender->fs->contenders) {
		const struct zkfs_contender *other = contender_at(it);

		if (is_mate(contender, other))
			zkfs_lockq_meet(contender->lockq, other->lockq);
	}
}

void zkfs_mates_blocker_gone(struct zkfs_contender *contender)
{
	struct zkfs_lockq_holders *holders =
		zkfs_lockview_holders(contender->fs, contender->lock, false);

	zkfs_mates_joined(contender);
	if (holders)
		zkfs_lockq_recall(contender->lockq, holders);
}

static bool is_in_need(const struct zkfs_contender *contender,
		       const struct zkfs_contender *other)
{
	return is_mate(contender, other) && zkfs_lockq_needs_list(other->lockq);
}

static bool is_any_in_need(const struct zkfs_contender *contender)
{
	zkfs_list_for_each(it, &contender->fs->contenders)
		if (is_in_need(contender, contender_at(it)))
			return true;
	return false;
}

/* Those in need are many and the list is long: it is read and sorted once. */
void zkfs_mates_listed(struct zkfs_contender *contender,
		       const struct zkfs_zk_reply *reply)
{
	struct zkfs_queue queue;

	if (reply->error || !is_any_in_need(contender) ||
	    zkfs_queue_parse(reply->names, reply->n_names, &queue) < 0)
		return;
	zkfs_list_for_each_safe(it, &contender->fs->contenders) {
		struct zkfs_contender *other = contender_at(it);

		if (!is_in_need(contender, other))
			continue;
		zkfs_lockq_share(other->lockq, &queue);
		zkfs_contender_settle(other);
	}
	zkfs_queue_fini(&queue);
}

void zkfs_mates_note(struct zkfs_contender *contender)
{
	bool over = !zkfs_contender_joined(contender);
	struct zkfs_lockq_holders *holders;

	/* Once each; who has never held it is no news. */
	if (over != contender->noted)
		return;
	contender->noted = !over;
	holders = zkfs_lockview_holders(contender->fs, contender->lock, true);
	if (holders)
		zkfs_lockq_note(holders, contender->lockq);
}

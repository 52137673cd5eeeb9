/*
 * walk: see walk.h.
 */
#include "fs/ops/walk.h"

#include <stddef.h>

static struct zkfs_walker *find(struct zkfs_walkers *walkers, pid_t tid)
{
	for (size_t i = 0; i < ZKFS_WALKERS && tid; i++)
		if (walkers->all[i].tid == tid)
			return &walkers->all[i];
	return NULL;
}

void zkfs_walk_listed(struct zkfs_walkers *walkers, pid_t tid, uint64_t dir)
{
	struct zkfs_walker *walker = find(walkers, tid);

	if (!tid)
		return;
	if (!walker) {
		walker = &walkers->all[walkers->next++ % ZKFS_WALKERS];
		*walker = (struct zkfs_walker){.tid = tid};
	}
	if (walker->dir != dir)
		walker->n_looks = 0;
	walker->dir = dir;
}

void zkfs_walk_looked(struct zkfs_walkers *walkers, pid_t tid, uint64_t dir,
		      int64_t now_ms)
{
	struct zkfs_walker *walker = find(walkers, tid);

	if (!walker || walker->dir != dir)
		return;
	walker->n_looks++;
	if (walker->n_looks >= ZKFS_WALK_LOOKS)
		walker->until_ms = now_ms + ZKFS_WALK_MS;
}

bool zkfs_walk_is_on(const struct zkfs_walkers *walkers, pid_t tid,
		     int64_t now_ms)
{
	for (size_t i = 0; i < ZKFS_WALKERS && tid; i++)
		if (walkers->all[i].tid == tid)
			return now_ms < walkers->all[i].until_ms;
	return false;
}

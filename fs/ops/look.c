/*
 * look: see look.h.
 */
#include "fs/ops/look.h"

#include <stdlib.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/fs.h"

/* Looks under way, and in PERIOD_MS. */
#define LOOKING_MAX 16
#define PERIOD_MS   10
#define LOOKED_MAX  16

void zkfs_look_init(struct zkfs_look *look, struct zkfs_fs *fs,
		    char *(*prepare)(struct zkfs_look *look),
		    void (*fired)(struct zkfs_zk_watch *watch,
				  enum zkfs_zk_event event))
{
	look->fs = fs;
	look->prepare = prepare;
	look->watch.fired = fired;
	zkfs_list_init(&look->link);
}

void zkfs_look_fini(struct zkfs_look *look)
{
	zkfs_zk_cancel(look->fs->zk, &look->req);
	zkfs_zk_unwatch(look->fs->zk, &look->watch);
	look->fs->observer.n_due -= look->path || zkfs_list_linked(&look->link);
	zkfs_list_remove(&look->link);
	if (look->path)
		look->fs->observer.n_looking--;
	free(look->path);
	look->path = NULL;
}

void zkfs_look_ended(struct zkfs_look *look)
{
	look->fs->observer.n_looking--;
	look->fs->observer.n_due--;
	free(look->path);
	look->path = NULL;
}

static struct zkfs_look *look_at(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct zkfs_look, link);
}

/* The list stays sorted. */
void zkfs_look_rest(struct zkfs_look *look, int64_t ms)
{
	struct zkfs_link *head = &look->fs->observer.resting, *at = head;

	if (look->path || zkfs_list_linked(&look->link))
		return;
	look->next_ms = zkfs_clock_ms() + ms;
	while (at->prev != head && look_at(at->prev)->next_ms > look->next_ms)
		at = at->prev;
	zkfs_list_append(at, &look->link);
	look->fs->observer.n_due++;
}

bool zkfs_look_is_rested(const struct zkfs_look *look)
{
	return !look->path && look->next_ms <= zkfs_clock_ms();
}

void zkfs_look_due(struct zkfs_look *look)
{
	int64_t left = look->next_ms - zkfs_clock_ms();

	look->again = look->path;

	if (left > 0)
		zkfs_look_rest(look, left);
	else if (!look->path && !zkfs_list_linked(&look->link)) {
		zkfs_list_append(&look->fs->observer.due, &look->link);
		look->fs->observer.n_due++;
	}
}

static void ask(struct zkfs_look *look)
{
	struct zkfs_fs *fs = look->fs;

	look->req.path = look->path;
	look->req.watch = look->watch.live ? NULL : &look->watch;
	look->req.deadline_ms = ZKFS_NEVER;
	fs->observer.n_looking++;
	fs->observer.n_looked++;
	look->again = false;
	zkfs_zk_submit(fs->zk, &look->req);
}

static void start(struct zkfs_look *look)
{
	look->path = look->prepare(look);
	if (look->path) {
		ask(look);
		return;
	}
	look->fs->observer.n_due--;
	zkfs_look_rest(look, ZKFS_LOOK_AGAIN_MS);
}

static void wake(struct zkfs_observer *observer, int64_t now_ms)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&observer->resting)) &&
	       look_at(first)->next_ms <= now_ms) {
		zkfs_list_remove(first);
		zkfs_list_append(&observer->due, first);
	}
}

void zkfs_looks_tick(struct zkfs_fs *fs, int64_t now_ms)
{
	struct zkfs_observer *observer = &fs->observer;
	struct zkfs_link *first;

	if (!observer->enabled || !zkfs_zk_connected(fs->zk))
		return;
	wake(observer, now_ms);
	if (now_ms - observer->began_ms >= PERIOD_MS) {
		observer->began_ms = now_ms;
		observer->n_looked = 0;
	}
	while (observer->n_looking < LOOKING_MAX &&
	       observer->n_looked < LOOKED_MAX &&
	       (first = zkfs_list_first(&observer->due))) {
		zkfs_list_remove(first);
		start(look_at(first));
	}
}

int64_t zkfs_looks_deadline(const struct zkfs_fs *fs)
{
	const struct zkfs_observer *observer = &fs->observer;
	struct zkfs_link *first = zkfs_list_first(&observer->resting);

	if (!observer->enabled || !zkfs_zk_connected(fs->zk))
		return ZKFS_NEVER;
	if (!zkfs_list_empty(&observer->due) &&
	    observer->n_looking < LOOKING_MAX)
		return observer->n_looked < LOOKED_MAX
			       ? 0
			       : observer->began_ms + PERIOD_MS;
	return first ? look_at(first)->next_ms : ZKFS_NEVER;
}

/*
 * lockview: see lockview.h.
 */
#include "fs/ops/lockview.h"

#include <stdlib.h>
#include <string.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/fs.h"

/* A list behind a join is asked for while the one before it may be under way.
 */
#define N_WATCHES 2

/* What is worth a look at who each name belongs to. */
#define NAMES_MAX 64

struct view_watch {
	struct view *view;
	struct zkfs_zk_watch watch;
	bool taken; /* by a list under way */
};

struct view {
	struct zkfs_fs *fs;
	char *path;
	bool alone; /* and one of the watches is live */
	bool met;   /* others, by the newest list */
	bool left;  /* one of ours has, since the last list */
	struct view_watch watches[N_WATCHES];
	struct view_watch *asked;	    /* by `req` */
	struct zkfs_lockq_holders *holders; /* or NULL */
	struct zkfs_zk_req req;
	struct zkfs_hash_link hash;
	struct zkfs_link recent;
};

static uint64_t hash_of(const char *path)
{
	return zkfs_hash_bytes(0, path, strlen(path));
}

static struct view *view_find(const struct zkfs_fs *fs, const char *path)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&fs->lockviews.by_path, hash_of(path));

	for (; it; it = zkfs_hash_find_next(it)) {
		struct view *view = zkfs_container_of(it, struct view, hash);

		if (strcmp(view->path, path) == 0)
			return view;
	}
	return NULL;
}

static bool is_asked_for(const struct view *view)
{
	for (size_t i = 0; i < N_WATCHES; i++)
		if (view->watches[i].taken)
			return true;
	return false;
}

static void view_free(struct view *view)
{
	struct zkfs_fs *fs = view->fs;

	zkfs_zk_cancel(fs->zk, &view->req);
	for (size_t i = 0; i < N_WATCHES; i++)
		zkfs_zk_unwatch(fs->zk, &view->watches[i].watch);
	zkfs_hash_remove(&fs->lockviews.by_path, &view->hash);
	zkfs_list_remove(&view->recent);
	fs->lockviews.n--;
	free(view->holders);
	free(view->path);
	free(view);
}

/* Those whose list is under way are somebody's. */
static void make_room(struct zkfs_lockviews *views)
{
	zkfs_list_for_each_safe(it, &views->recent) {
		struct view *view = zkfs_list_entry(it, struct view, recent);

		if (views->n < ZKFS_LOCKVIEWS_MAX)
			return;
		if (!is_asked_for(view))
			view_free(view);
	}
}

static void on_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event);

static struct view *view_new(struct zkfs_fs *fs, const char *path)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->fs = fs;
	view->path = strdup(path);
	if (!view->path) {
		free(view);
		return NULL;
	}
	for (size_t i = 0; i < N_WATCHES; i++) {
		view->watches[i].view = view;
		view->watches[i].watch.fired = on_fired;
	}
	make_room(&fs->lockviews);
	zkfs_hash_add(&fs->lockviews.by_path, &view->hash, hash_of(path));
	zkfs_list_append(&fs->lockviews.recent, &view->recent);
	fs->lockviews.n++;
	return view;
}

/* Who is in the lock */

static const struct zkfs_contender *contender_at(const struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct zkfs_contender, link);
}

static bool is_in(const struct zkfs_contender *contender, const char *lock)
{
	return contender->started && strcmp(contender->lock, lock) == 0;
}

static bool is_of_ours(const struct view *view, const char *name)
{
	zkfs_list_for_each(it, &view->fs->contenders) {
		const struct zkfs_contender *contender = contender_at(it);
		const char *prefix;

		if (!is_in(contender, view->path))
			continue;
		prefix = zkfs_lockq_prefix(contender->lockq);
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

static bool are_of_ours(const struct view *view,
			const struct zkfs_zk_reply *reply)
{
	if (reply->n_names > NAMES_MAX)
		return false;
	for (size_t i = 0; i < reply->n_names; i++)
		if (!is_of_ours(view, reply->names[i]))
			return false;
	return true;
}

static bool conflicts(const struct zkfs_contender *contender,
		      enum zkfs_lock_mode mode)
{
	return mode == ZKFS_LOCK_EXCLUSIVE ||
	       contender->mode == ZKFS_LOCK_EXCLUSIVE;
}

/* A daemon that was stopped for long has not been told of anything yet. */
bool zkfs_lockview_alone(struct zkfs_fs *fs, const char *lock)
{
	const struct view *view = view_find(fs, lock);

	return view && view->alone && zkfs_heartbeat_alive(fs);
}

/* One that leaves is out before who joins behind it: they are sent in this
 * order. One that joins may be before us or may not. */
enum zkfs_lockview_try zkfs_lockview_try(struct zkfs_fs *fs, const char *lock,
					 enum zkfs_lock_mode mode)
{
	enum zkfs_lockview_try found = ZKFS_LOCKVIEW_FREE;

	if (!zkfs_lockview_alone(fs, lock))
		return ZKFS_LOCKVIEW_UNKNOWN;
	zkfs_list_for_each(it, &fs->contenders) {
		const struct zkfs_contender *contender = contender_at(it);

		if (!is_in(contender, lock) || !conflicts(contender, mode))
			continue;
		switch (zkfs_lockq_state(contender->lockq)) {
		case ZKFS_LOCKQ_LISTING:
		case ZKFS_LOCKQ_WAITING:
		case ZKFS_LOCKQ_HELD:
			return ZKFS_LOCKVIEW_BUSY;
		case ZKFS_LOCKQ_LOOKING:
		case ZKFS_LOCKQ_JOINING:
			found = ZKFS_LOCKVIEW_UNKNOWN;
			break;
		default:
			break;
		}
	}
	return found;
}

/* Lists */

static struct view_watch *take(struct view *view)
{
	if (view->met || view->fs->config.sync_open ||
	    zkfs_zk_watches_scarce(view->fs->zk))
		return NULL;
	for (size_t i = 0; i < N_WATCHES; i++) {
		struct view_watch *mine = &view->watches[i];

		if (mine->taken || mine->watch.live)
			continue;
		mine->taken = true;
		return mine;
	}
	return NULL;
}

static void listed(struct view *view, struct view_watch *mine,
		   const struct zkfs_zk_reply *reply)
{
	if (mine)
		mine->taken = false;
	if (reply->error)
		return;
	view->met = !are_of_ours(view, reply);
	if (!mine || !mine->watch.live)
		return;
	view->alone = !view->met;
	/* One is enough, and the next list needs a free one. */
	for (size_t i = 0; i < N_WATCHES; i++)
		if (view->met || &view->watches[i] != mine)
			zkfs_zk_unwatch(view->fs->zk, &view->watches[i].watch);
}

static void on_list(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct view *view = zkfs_container_of(req, struct view, req);

	listed(view, zkfs_steal(&view->asked), reply);
}

static bool any_joins(const struct view *view)
{
	zkfs_list_for_each(it, &view->fs->contenders) {
		const struct zkfs_contender *contender = contender_at(it);

		if (is_in(contender, view->path) &&
		    zkfs_contender_joined(contender) &&
		    zkfs_lockq_state(contender->lockq) != ZKFS_LOCKQ_LEAVING)
			return true;
	}
	return false;
}

/* Nobody waits for it: it is for who comes next. */
static void list_again(struct view *view)
{
	if (view->asked || any_joins(view))
		return;
	view->asked = take(view);
	if (!view->asked)
		return;
	view->req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_CHILDREN,
		.path = view->path,
		.watch = &view->asked->watch,
		.deadline_ms = zkfs_fs_patience(view->fs),
		.generation = zkfs_zk_generation(view->fs->zk),
		.done = on_list,
	};
	zkfs_zk_submit(view->fs->zk, &view->req);
}

static void on_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct view *view =
		zkfs_container_of(watch, struct view_watch, watch)->view;
	bool left = view->left;

	view->alone = false;
	view->left = false;
	if (left && event == ZKFS_ZK_CHILD)
		list_again(view);
}

struct zkfs_lockq_holders *zkfs_lockview_holders(const struct zkfs_fs *fs,
						 const char *lock, bool make)
{
	struct view *view = view_find(fs, lock);

	if (view && !view->holders && make)
		view->holders = calloc(1, sizeof(*view->holders));
	return view ? view->holders : NULL;
}

void zkfs_lockview_joining(struct zkfs_fs *fs, const char *lock)
{
	struct view *view = view_find(fs, lock);

	if (!view) {
		(void)view_new(fs, lock);
		return;
	}
	zkfs_list_remove(&view->recent);
	zkfs_list_append(&fs->lockviews.recent, &view->recent);
}

void zkfs_lockview_leaving(const struct zkfs_contender *contender)
{
	struct view *view = view_find(contender->fs, contender->lock);

	if (view)
		view->left = view->alone;
}

struct zkfs_zk_watch *zkfs_lockview_watch(struct zkfs_fs *fs, const char *lock)
{
	struct view *view = view_find(fs, lock);
	struct view_watch *mine = view ? take(view) : NULL;

	return mine ? &mine->watch : NULL;
}

/* NULL is fine. */
void zkfs_lockview_given_up(struct zkfs_zk_watch *watch)
{
	if (watch)
		zkfs_container_of(watch, struct view_watch, watch)->taken =
			false;
}

void zkfs_lockview_listed(struct zkfs_fs *fs, const char *lock,
			  struct zkfs_zk_watch *watch,
			  const struct zkfs_zk_reply *reply)
{
	struct view *view = view_find(fs, lock);

	if (view)
		listed(view,
		       watch ? zkfs_container_of(watch, struct view_watch,
						 watch)
			     : NULL,
		       reply);
}

/* From first to last */

int zkfs_lockviews_init(struct zkfs_lockviews *views)
{
	zkfs_list_init(&views->recent);
	return zkfs_hash_init(&views->by_path);
}

void zkfs_lockviews_fini(struct zkfs_fs *fs)
{
	struct zkfs_link *first;

	while ((first = zkfs_list_first(&fs->lockviews.recent)))
		view_free(zkfs_list_entry(first, struct view, recent));
	zkfs_hash_fini(&fs->lockviews.by_path);
}

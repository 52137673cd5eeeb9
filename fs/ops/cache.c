/*
 * cache: see cache.h.
 */
#include "fs/ops/cache.h"

#include <assert.h>
#include <stdlib.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/file.h"
#include "fs/ops/fs.h"
#include "fs/ops/notify.h"

struct zkfs_cached {
	struct zkfs_fs *fs;
	struct zkfs_node *node; /* referenced: the kernel may forget it sooner.
				 * NULL: not known yet, or let go */
	struct zkfs_cover cover;
	struct zkfs_zk_watch watches[_ZKFS_COVER_HALF_N];
	struct zkfs_link used; /* fs->cache.cached, while there is a node */
	struct rearm *rearm;   /* under way, or NULL */
};

/* A look that nobody has asked for. */
struct rearm {
	struct zkfs_cached *cached;
	struct zkfs_cache_ask ask;
	struct zkfs_zk_req req;
	char *path;
};

static void rearm(struct zkfs_cached *cached);
static void rearm_free(struct zkfs_cached *cached);

/* Telling the kernel */

static void tell(struct zkfs_fs *fs, const struct zkfs_node *node,
		 unsigned what)
{
	if (what & ZKFS_COVER_ATTR)
		zkfs_notify_attr(fs, node);
	if ((what & ZKFS_COVER_NAME) && node->parent)
		zkfs_notify_entry(fs, node->parent->id, node->name);
}

bool zkfs_cache_names_expired(struct zkfs_fs *fs)
{
	struct zkfs_cache *cache = &fs->cache;

	if (cache->expiry == ZKFS_CACHE_UNTOLD)
		cache->expiry = zkfs_notify_all(fs) ? ZKFS_CACHE_TOLD
						    : ZKFS_CACHE_TELL_EACH;
	return cache->expiry == ZKFS_CACHE_TOLD;
}

static void tell_event(struct zkfs_cached *cached, unsigned what,
		       enum zkfs_zk_event event)
{
	/* What this mount does to a name the kernel does to its own copy, if
	 * it succeeds (zkfs_cache_settled). */
	if (cached->node->n_own_changes > 0) {
		zkfs_cover_promise(&cached->cover, what & ZKFS_COVER_NAME);
		what &= ~ZKFS_COVER_NAME;
	}
	if (event == ZKFS_ZK_UNWATCHED && (what & ZKFS_COVER_NAME) &&
	    zkfs_cache_names_expired(cached->fs))
		what &= ~ZKFS_COVER_NAME;
	tell(cached->fs, cached->node, what);
	if (what & ZKFS_COVER_REARM)
		rearm(cached);
}

/* Nothing that the kernel was promised holds any more. */
static void revoke(struct zkfs_cached *cached)
{
	unsigned what = cached->cover.promised;

	cached->cover.promised = 0;
	tell(cached->fs, cached->node, what);
}

/* What was shown without a connection is so no more. */
static void end_stale(struct zkfs_fs *fs)
{
	zkfs_list_for_each(it, &fs->cache.cached) {
		struct zkfs_cached *cached =
			zkfs_list_entry(it, struct zkfs_cached, used);

		tell_event(cached, zkfs_cover_found(&cached->cover),
			   ZKFS_ZK_UNWATCHED);
	}
	zkfs_absent_found(fs);
}

/* Names that the kernel keeps until the server has been asked again. */
static void end_rearms(struct zkfs_fs *fs)
{
	zkfs_list_for_each(it, &fs->cache.cached) {
		struct zkfs_cached *cached =
			zkfs_list_entry(it, struct zkfs_cached, used);

		if (!cached->rearm)
			continue;
		rearm_free(cached);
		revoke(cached);
	}
}

void zkfs_cache_session(struct zkfs_fs *fs)
{
	if (!zkfs_zk_connected(fs->zk)) {
		fs->cache.lost_ms = zkfs_clock_ms();
		if (!fs->config.stale)
			end_rearms(fs);
		return;
	}
	fs->cache.expiry = ZKFS_CACHE_UNTOLD;
	if (fs->config.stale)
		end_stale(fs);
}

/* Making and letting go */

static bool is_asked(const struct zkfs_cached *cached)
{
	return cached->cover.asked[ZKFS_COVER_DATA] ||
	       cached->cover.asked[ZKFS_COVER_CHILD];
}

static void cached_free(struct zkfs_cached *cached)
{
	assert(!cached->node);
	for (int half = 0; half < _ZKFS_COVER_HALF_N; half++)
		zkfs_zk_unwatch(cached->fs->zk, &cached->watches[half]);
	zkfs_cover_fini(&cached->cover);
	free(cached);
}

/* Parts it from its node, which may be freed; the kernel is told of what it was
 * promised, as far as that is in `mask`. It stays for the request that is under
 * way with its watch. */
static void let_go(struct zkfs_cached *cached, unsigned mask)
{
	struct zkfs_fs *fs = cached->fs;
	struct zkfs_cache *cache = &fs->cache;
	struct zkfs_node *node = cached->node;
	size_t len = cached->cover.data ? cached->cover.data->len : 0;

	assert(node); /* what is in the list has one */
	tell(fs, node, zkfs_cover_revoke(&cached->cover) & mask);

	cache->n_bytes -= len;
	cache->n_nodes--;
	zkfs_list_remove(&cached->used);
	node->cached = NULL;
	cached->node = NULL;
	rearm_free(cached);
	for (int half = 0; half < _ZKFS_COVER_HALF_N; half++)
		if (!cached->cover.asked[half])
			zkfs_zk_unwatch(cached->fs->zk, &cached->watches[half]);
	if (!is_asked(cached))
		cached_free(cached);
	zkfs_tree_unref(&fs->tree, node);
}

static bool over_limits(const struct zkfs_cache *cache)
{
	return cache->n_nodes > cache->limits.nodes ||
	       cache->n_bytes > cache->limits.bytes;
}

static void make_room(struct zkfs_fs *fs)
{
	struct zkfs_cache *cache = &fs->cache;
	struct zkfs_link *first;

	while (over_limits(cache) &&
	       (first = zkfs_list_first(&cache->cached))) {
		struct zkfs_cached *cached =
			zkfs_list_entry(first, struct zkfs_cached, used);

		let_go(cached, ZKFS_COVER_ATTR | ZKFS_COVER_NAME);
	}
}

static void touch(struct zkfs_cached *cached)
{
	zkfs_list_remove(&cached->used);
	zkfs_list_append(&cached->fs->cache.cached, &cached->used);
}

static void on_fired(struct zkfs_cached *cached, enum zkfs_cover_half half,
		     enum zkfs_zk_event event)
{
	struct zkfs_node *node = cached->node;
	struct zkfs_fs *fs = cached->fs;
	size_t len = cached->cover.data ? cached->cover.data->len : 0;
	unsigned what;

	if (!node)
		return;
	if (event == ZKFS_ZK_UNWATCHED && fs->config.stale) {
		zkfs_cover_lost(&cached->cover, half);
		return;
	}
	what = zkfs_cover_fired(&cached->cover, half, event, node->type,
				&node->stat, zkfs_clock_ms());
	fs->cache.n_bytes -= cached->cover.data ? 0 : len;
	tell_event(cached, what, event);
	if (half == ZKFS_COVER_CHILD && node->type != ZKFS_TYPE_DIR)
		zkfs_observe_again(node);
	if (half == ZKFS_COVER_DATA && event != ZKFS_ZK_UNWATCHED &&
	    node->n_own_changes == 0)
		zkfs_file_changed(node);
}

static void on_data_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	on_fired(zkfs_container_of(watch, struct zkfs_cached,
				   watches[ZKFS_COVER_DATA]),
		 ZKFS_COVER_DATA, event);
}

static void on_child_fired(struct zkfs_zk_watch *watch,
			   enum zkfs_zk_event event)
{
	on_fired(zkfs_container_of(watch, struct zkfs_cached,
				   watches[ZKFS_COVER_CHILD]),
		 ZKFS_COVER_CHILD, event);
}

static struct zkfs_cached *cached_new(struct zkfs_fs *fs)
{
	struct zkfs_cached *cached = calloc(1, sizeof(*cached));

	if (!cached)
		return NULL;
	cached->fs = fs;
	zkfs_list_init(&cached->used);
	zkfs_cover_init(&cached->cover);
	cached->watches[ZKFS_COVER_DATA].fired = on_data_fired;
	cached->watches[ZKFS_COVER_CHILD].fired = on_child_fired;
	return cached;
}

static void attach(struct zkfs_cached *cached, struct zkfs_node *node)
{
	struct zkfs_cache *cache = &cached->fs->cache;

	cached->node = zkfs_tree_ref(node);
	node->cached = cached;
	cache->n_nodes++;
	zkfs_list_append(&cache->cached, &cached->used);
}

static void on_displaced(struct zkfs_node *node, bool moved)
{
	/* The kernel unlinks what this mount has unlinked; what it has moved it
	 * keeps, under the new name. */
	bool own = !moved && node->n_own_changes > 0;

	let_go(node->cached,
	       own ? ZKFS_COVER_ATTR : ZKFS_COVER_ATTR | ZKFS_COVER_NAME);
}

void zkfs_cache_init(struct zkfs_fs *fs, const struct zkfs_cache_limits *limits)
{
	fs->cache = (struct zkfs_cache){.limits = *limits};
	zkfs_list_init(&fs->cache.cached);
	fs->tree.displaced = on_displaced;
}

void zkfs_cache_fini(struct zkfs_fs *fs)
{
	struct zkfs_link *first;

	fs->tree.displaced = NULL;
	while ((first = zkfs_list_first(&fs->cache.cached)))
		let_go(zkfs_list_entry(first, struct zkfs_cached, used), 0);
}

void zkfs_cache_settled(struct zkfs_fs *fs, struct zkfs_node *node)
{
	struct zkfs_cover *cover;

	if (!node->cached || node->n_own_changes > 0)
		return;
	cover = &node->cached->cover;
	if (!(cover->promised & ZKFS_COVER_NAME) ||
	    zkfs_cover_has_name(cover, node->type, &node->stat))
		return;
	cover->promised &= (uint8_t)~ZKFS_COVER_NAME;
	tell(fs, node, ZKFS_COVER_NAME);
}

/* What is known */

/* The root has no name to lose. */
static bool is_current(const struct zkfs_node *node)
{
	return node->current || !node->parent;
}

/* Its name and Stat are the server's, as far as the watches tell. */
static bool is_settled(const struct zkfs_node *node)
{
	return node->cached && is_current(node) && !node->adopt &&
	       !node->unlinked && node->n_own_changes == 0;
}

static bool is_steady(const struct zkfs_node *node)
{
	/* One that is being emptied or filled is shown as what it will be. */
	return is_settled(node) && !zkfs_file_pending(node) &&
	       (node->type == ZKFS_TYPE_DATA || !node->parent ||
		node->type == zkfs_attr_type(&node->stat, false));
}

bool zkfs_cache_has_attr(struct zkfs_fs *fs, struct zkfs_node *node)
{
	bool has =
		is_steady(node) && zkfs_cover_has_attr(&node->cached->cover,
						       node->type, &node->stat);

	if (has)
		touch(node->cached);
	fs->metrics.counters.attr_hits += has;
	fs->metrics.counters.attr_misses += !has;
	return has;
}

struct zkfs_buf *zkfs_cache_data(struct zkfs_fs *fs, struct zkfs_node *node)
{
	struct zkfs_buf *data =
		is_steady(node) ? zkfs_cover_data(&node->cached->cover) : NULL;

	if (data)
		touch(node->cached);
	fs->metrics.counters.data_hits += data != NULL;
	fs->metrics.counters.data_misses += !data;
	return data;
}

bool zkfs_cache_has_version(const struct zkfs_node *node)
{
	return is_steady(node) && node->cached->cover.live[ZKFS_COVER_DATA];
}

bool zkfs_cache_watches_version(const struct zkfs_node *node)
{
	return is_settled(node) && node->cached->cover.live[ZKFS_COVER_DATA];
}

bool zkfs_cache_has_children(const struct zkfs_node *node)
{
	return is_steady(node) && zkfs_cover_has_children(&node->cached->cover);
}

void zkfs_cache_listed(struct zkfs_node *node)
{
	if (node->cached)
		zkfs_cover_listed(&node->cached->cover);
}

int64_t zkfs_cache_stale_s(const struct zkfs_fs *fs,
			   const struct zkfs_node *node)
{
	if (!is_steady(node) || !zkfs_cover_is_stale(&node->cached->cover) ||
	    !zkfs_cover_has_attr(&node->cached->cover, node->type, &node->stat))
		return -1;
	return (zkfs_clock_ms() - fs->cache.lost_ms) / 1000;
}

double zkfs_cache_timeout(const struct zkfs_fs *fs)
{
	return (double)zkfs_zk_timeout_ms(fs->zk) / 1000;
}

static double uncovered(struct zkfs_fs *fs, double timeout_s)
{
	int64_t until = zkfs_clock_ms() + (int64_t)(timeout_s * 1000) + 1;

	if (timeout_s > 0 && until > fs->cache.uncovered_until_ms)
		fs->cache.uncovered_until_ms = until;
	return timeout_s;
}

/* No watch tells of the end of what is kept for a moment: all names are asked
 * for again, and their attributes with them. The root and the directory that
 * was synced (`sync .`) are reached without a name. */
void zkfs_cache_barrier(struct zkfs_fs *fs, struct zkfs_node *dir)
{
	zkfs_notify_settle(fs, zkfs_clock_ms() < fs->cache.uncovered_until_ms);
	zkfs_notify_attr(fs, fs->tree.root);
	zkfs_notify_attr(fs, dir);
}

double zkfs_cache_attr_timeout(struct zkfs_fs *fs, struct zkfs_node *node,
			       double otherwise)
{
	if (!is_steady(node) ||
	    !zkfs_cover_has_attr(&node->cached->cover, node->type, &node->stat))
		return uncovered(fs, otherwise);
	zkfs_cover_promise(&node->cached->cover, ZKFS_COVER_ATTR);
	return zkfs_cache_timeout(fs);
}

double zkfs_cache_name_timeout(struct zkfs_fs *fs, struct zkfs_node *node,
			       double otherwise)
{
	if (!is_steady(node) ||
	    !zkfs_cover_has_name(&node->cached->cover, node->type, &node->stat))
		return uncovered(fs, otherwise);
	zkfs_cover_promise(&node->cached->cover, ZKFS_COVER_NAME);
	return zkfs_cache_timeout(fs);
}

/* Asking */

static struct zkfs_cached *cached_of(struct zkfs_fs *fs, struct zkfs_node *node)
{
	struct zkfs_cached *cached;

	if (fs->cache.limits.nodes == 0 ||
	    (node && (!is_current(node) || node->unlinked)))
		return NULL;
	if (node && node->cached)
		return node->cached;
	cached = cached_new(fs);
	if (cached && node)
		attach(cached, node);
	return cached;
}

static void use(struct zkfs_cache_ask *ask, struct zkfs_zk_req *req,
		struct zkfs_cached *cached)
{
	req->watch = NULL;
	ask->cached = NULL;
	if (!ask->ask.arms)
		return;
	ask->cached = cached;
	zkfs_cover_asked(&cached->cover, &ask->ask);
	req->watch = &cached->watches[ask->ask.half];
}

void zkfs_cache_ask(struct zkfs_fs *fs, struct zkfs_cache_ask *ask,
		    struct zkfs_zk_req *req, struct zkfs_node *node,
		    bool want_data)
{
	static const struct zkfs_stat unknown;
	struct zkfs_cached *cached = cached_of(fs, node);

	ask->ask = (struct zkfs_cover_ask){
		.kind = want_data ? ZKFS_ZK_GET : ZKFS_ZK_EXISTS,
	};
	if (cached)
		ask->ask = zkfs_cover_next(&cached->cover,
					   node ? node->type : ZKFS_TYPE_FILE,
					   node ? &node->stat : &unknown,
					   want_data, zkfs_clock_ms());
	req->kind = ask->ask.kind;
	use(ask, req, cached);
}

void zkfs_cache_ask_children(struct zkfs_fs *fs, struct zkfs_cache_ask *ask,
			     struct zkfs_zk_req *req, struct zkfs_node *node)
{
	struct zkfs_cached *cached = cached_of(fs, node);
	const struct zkfs_cover *cover = cached ? &cached->cover : NULL;

	ask->ask = (struct zkfs_cover_ask){
		.kind = ZKFS_ZK_CHILDREN,
		.half = ZKFS_COVER_CHILD,
		.arms = cover && !cover->live[ZKFS_COVER_CHILD] &&
			!cover->asked[ZKFS_COVER_CHILD],
	};
	req->kind = ZKFS_ZK_CHILDREN;
	use(ask, req, cached);
}

void zkfs_cache_given_up(struct zkfs_fs *fs, struct zkfs_cache_ask *ask)
{
	struct zkfs_cached *cached = zkfs_steal(&ask->cached);

	if (!cached)
		return;
	zkfs_zk_unwatch(fs->zk, &cached->watches[ask->ask.half]);
	zkfs_cover_answered(&cached->cover, &ask->ask, NULL, false);
	if (!cached->node && !is_asked(cached))
		cached_free(cached);
}

static void keep(struct zkfs_cached *cached, struct zkfs_buf *data)
{
	size_t was = cached->cover.data ? cached->cover.data->len : 0;
	struct zkfs_cache *cache = &cached->fs->cache;

	zkfs_cover_keep(&cached->cover, data, &cached->node->stat);
	cache->n_bytes -= was;
	cache->n_bytes += cached->cover.data ? cached->cover.data->len : 0;
}

void zkfs_cache_keep(struct zkfs_fs *fs, struct zkfs_node *node,
		     struct zkfs_buf *data)
{
	if (!node->cached || data->len > ZKFS_CACHE_DATA_MAX)
		return;
	keep(node->cached, data);
	make_room(fs);
}

/* The paths that are watched are as many as may be: the next look has room. */
static void make_way(struct zkfs_cached *cached)
{
	struct zkfs_link *first = zkfs_list_first(&cached->fs->cache.cached);

	if (first != &cached->used)
		let_go(zkfs_list_entry(first, struct zkfs_cached, used),
		       ZKFS_COVER_ATTR | ZKFS_COVER_NAME);
}

void zkfs_cache_answered(struct zkfs_fs *fs, struct zkfs_cache_ask *ask,
			 const struct zkfs_zk_req *req,
			 const struct zkfs_zk_reply *reply,
			 struct zkfs_node *node)
{
	struct zkfs_cached *cached = ask->cached;
	size_t was;

	if (!cached)
		return;
	if (!cached->node && !node->cached && is_current(node))
		attach(cached, node);
	if (cached->node != node) {
		zkfs_cache_given_up(fs, ask);
		return;
	}
	ask->cached = NULL;
	was = cached->cover.data ? cached->cover.data->len : 0;
	zkfs_cover_answered(&cached->cover, &ask->ask, reply->stat,
			    cached->watches[ask->ask.half].live);
	fs->cache.n_bytes -= cached->cover.data ? 0 : was;
	touch(cached);
	if (!cached->watches[ask->ask.half].live)
		make_way(cached);
	make_room(fs);
}

/* Looking again, unasked */

static void rearm_free(struct zkfs_cached *cached)
{
	struct rearm *again = zkfs_steal(&cached->rearm);
	struct zkfs_cover_ask ask;

	if (!again)
		return;
	ask = again->ask.ask;
	zkfs_zk_cancel(cached->fs->zk, &again->req);
	if (again->ask.cached) {
		zkfs_zk_unwatch(cached->fs->zk, &cached->watches[ask.half]);
		zkfs_cover_answered(&cached->cover, &ask, NULL, false);
	}
	free(again->path);
	free(again);
}

static void on_rearmed(struct zkfs_zk_req *req,
		       const struct zkfs_zk_reply *reply)
{
	struct rearm *again = zkfs_container_of(req, struct rearm, req);
	struct zkfs_cached *cached = again->cached;
	struct zkfs_node *node = zkfs_tree_ref(cached->node);
	struct zkfs_fs *fs = cached->fs;

	if (!reply->error && node->czxid == reply->stat->czxid) {
		zkfs_tree_saw(node, reply->stat, zkfs_clock_ms());
		zkfs_cache_answered(fs, &again->ask, req, reply, node);
	}
	if (node->cached == cached) { /* else there was no room for it */
		rearm_free(cached);
		if (!zkfs_cover_has_name(&cached->cover, node->type,
					 &node->stat))
			revoke(cached);
	}
	zkfs_tree_unref(&fs->tree, node);
}

static void rearm(struct zkfs_cached *cached)
{
	struct rearm *again = NULL;

	if (!cached->rearm && !cached->cover.asked[ZKFS_COVER_DATA])
		again = calloc(1, sizeof(*again));
	if (again)
		again->path = zkfs_tree_path(cached->node);
	if (!again || !again->path) {
		free(again);
		revoke(cached);
		return;
	}
	cached->rearm = again;
	again->cached = cached;
	again->ask.ask = (struct zkfs_cover_ask){
		.kind = ZKFS_ZK_EXISTS, .half = ZKFS_COVER_DATA, .arms = true};
	use(&again->ask, &again->req, cached);
	again->req.kind = ZKFS_ZK_EXISTS;
	again->req.path = again->path;
	again->req.deadline_ms = zkfs_fs_patience(cached->fs);
	again->req.done = on_rearmed;
	zkfs_zk_submit(cached->fs->zk, &again->req);
}

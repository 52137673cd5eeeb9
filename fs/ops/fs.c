/*
 * fs: see fs.h.
 */
#include "fs/ops/fs.h"

#include <errno.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/dir.h"
#include "fs/ops/entry.h"
#include "fs/ops/file.h"
#include "fs/ops/flock.h"
#include "fs/ops/hold.h"
#include "fs/ops/lock.h"
#include "fs/ops/lockdir.h"
#include "fs/ops/look.h"
#include "fs/ops/reply.h"
#include "fs/ops/textfile.h"

static void on_session(struct zkfs_zk_listener *listener)
{
	struct zkfs_fs *fs =
		zkfs_container_of(listener, struct zkfs_fs, listener);

	zkfs_heartbeat_session(fs);
	zkfs_heartbeat_check(fs);
	zkfs_lock_session(fs);
	zkfs_file_session(fs);
	zkfs_cache_session(fs);
}

int zkfs_fs_init(struct zkfs_fs *fs, const struct zkfs_fs_config *config,
		 struct zkfs_zk *zk)
{
	*fs = (struct zkfs_fs){.config = *config, .zk = zk};
	fs->started_ms = zkfs_clock_ms();
	fs->started_unix_ms = zkfs_clock_unix_ms();
	if (zkfs_tree_init(&fs->tree) < 0)
		return -ENOMEM;
	if (zkfs_hash_init(&fs->handles) < 0) {
		zkfs_tree_fini(&fs->tree);
		return -ENOMEM;
	}
	if (zkfs_quota_init(&fs->quota, &fs->config.limits) < 0) {
		zkfs_hash_fini(&fs->handles);
		zkfs_tree_fini(&fs->tree);
		return -ENOMEM;
	}
	if (zkfs_absents_init(fs, config->cache.nodes / 2) < 0) {
		zkfs_quota_fini(&fs->quota);
		zkfs_hash_fini(&fs->handles);
		zkfs_tree_fini(&fs->tree);
		return -ENOMEM;
	}
	if (zkfs_lockviews_init(&fs->lockviews) < 0) {
		zkfs_absents_fini(fs);
		zkfs_quota_fini(&fs->quota);
		zkfs_hash_fini(&fs->handles);
		zkfs_tree_fini(&fs->tree);
		return -ENOMEM;
	}
	zkfs_cache_init(fs, &config->cache);
	zkfs_observer_init(fs);
	zkfs_emit_init(fs);
	zkfs_list_init(&fs->ops);
	zkfs_list_init(&fs->contenders);
	zkfs_list_init(&fs->grips);
	zkfs_list_init(&fs->unlinkers);
	zkfs_list_init(&fs->lockdirs);
	fs->lock_scan_ms = ZKFS_NEVER;
	fs->generation = zkfs_zk_generation(zk);
	fs->listener.changed = on_session;
	zkfs_zk_listen(zk, &fs->listener);
	zkfs_heartbeat_init(fs);
	return 0;
}

static void drop_handle(struct zkfs_fs *fs, struct zkfs_handle *handle)
{
	zkfs_flock_released(fs, handle->fh, 0);
	switch (handle->kind) {
	case ZKFS_HANDLE_FILE:
		zkfs_file_drop(zkfs_file_of(handle));
		break;
	case ZKFS_HANDLE_DIR:
		zkfs_dir_drop(fs, handle);
		break;
	case ZKFS_HANDLE_LOCK:
		zkfs_hold_drop(fs, handle);
		break;
	case ZKFS_HANDLE_TEXT:
		zkfs_textfile_drop(fs, handle);
		break;
	}
}

/* None of them takes another one along. */
static void drop_handles(struct zkfs_fs *fs)
{
	struct zkfs_hash_link *it = zkfs_hash_next(&fs->handles, NULL);

	while (it) {
		struct zkfs_handle *handle =
			zkfs_container_of(it, struct zkfs_handle, by_fh);

		it = zkfs_hash_next(&fs->handles, it);
		drop_handle(fs, handle);
	}
}

void zkfs_fs_fini(struct zkfs_fs *fs)
{
	struct zkfs_link *first;

	zkfs_zk_unlisten(fs->zk, &fs->listener);
	zkfs_heartbeat_fini(fs);
	while ((first = zkfs_list_first(&fs->ops)))
		zkfs_reply_error(zkfs_list_entry(first, struct zkfs_op, link),
				 -ECONNABORTED);
	drop_handles(fs);
	zkfs_lockdir_fini(fs);
	while ((first = zkfs_list_first(&fs->contenders)))
		zkfs_contender_drop(
			zkfs_list_entry(first, struct zkfs_contender, link));
	zkfs_lockviews_fini(fs);
	zkfs_observer_fini(fs);
	zkfs_emit_fini(fs);
	zkfs_root_fini(fs);
	zkfs_aclattr_fini(&fs->aclattr);
	zkfs_kept_fini(fs);
	zkfs_absents_fini(fs);
	zkfs_cache_fini(fs);
	zkfs_quota_fini(&fs->quota);
	zkfs_hash_fini(&fs->handles);
	zkfs_tree_fini(&fs->tree);
}

int64_t zkfs_fs_deadline(const struct zkfs_fs *fs)
{
	int64_t due = zkfs_clock_earlier(zkfs_lock_deadline(fs),
					 zkfs_heartbeat_deadline(fs));

	return zkfs_clock_earlier(due, zkfs_looks_deadline(fs));
}

void zkfs_fs_tick(struct zkfs_fs *fs, int64_t now_ms)
{
	zkfs_heartbeat_tick(fs);
	zkfs_lock_tick(fs, now_ms);
	zkfs_looks_tick(fs, now_ms);
}

bool zkfs_fs_busy(const struct zkfs_fs *fs)
{
	struct zkfs_hash_link *it = NULL;

	while ((it = zkfs_hash_next(&fs->handles, it))) {
		const struct zkfs_handle *handle =
			zkfs_container_of(it, struct zkfs_handle, by_fh);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    zkfs_container_of(handle, struct zkfs_file, handle)
			    ->commit.in_flight)
			return true;
	}
	return false;
}

int64_t zkfs_fs_patience(const struct zkfs_fs *fs)
{
	return fs->config.hard ? ZKFS_NEVER : zkfs_fs_bounded_patience(fs);
}

int64_t zkfs_fs_bounded_patience(const struct zkfs_fs *fs)
{
	return zkfs_clock_ms() + fs->config.timeo_ms;
}

int64_t zkfs_fs_short_patience(const struct zkfs_fs *fs)
{
	/* A third: long enough for a server to be restarted, short enough for
	 * an operator who has typed `ls` behind it. */
	return zkfs_clock_ms() + (fs->config.timeo_ms + 2) / 3;
}

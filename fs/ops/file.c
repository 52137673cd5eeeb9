/*
 * file: see file.h.
 */
#include "fs/ops/file.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/cache.h"
#include "fs/ops/change.h"
#include "fs/ops/kept.h"
#include "fs/ops/notify.h"
#include "fs/ops/poll.h"

void zkfs_file_drop(struct zkfs_file *file)
{
	struct zkfs_fs *fs;

	if (!file)
		return;
	fs = file->fs;
	zkfs_zk_cancel(fs->zk, &file->req);
	zkfs_zk_unwatch(fs->zk, &file->watch);
	zkfs_handle_remove(fs, &file->handle);
	zkfs_commit_fini(&file->commit);
	free(file->req_path);
	free(file);
}

int zkfs_file_holds(struct zkfs_file *file, size_t size)
{
	size_t bytes = zkfs_max_size(size, zkfs_commit_size(&file->commit));

	/* What is on its way to the server is copied by the next write. */
	if (size > 0 && file->commit.in_flight)
		bytes *= 2;
	return zkfs_handle_holds(file->fs, &file->handle, bytes);
}

static void conflict(struct zkfs_file *file)
{
	zkfs_commit_conflict(&file->commit);
	zkfs_poll_wake(file->fs, file->handle.fh);
}

void zkfs_file_fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct zkfs_file *file =
		zkfs_container_of(watch, struct zkfs_file, watch);

	if (!file->writable) {
		zkfs_change_fired(file, event);
		return;
	}
	/* Our own set fires our own watch, before its reply: the reply will
	 * tell. Likewise our own unlink or rename of the name. */
	if (event == ZKFS_ZK_UNWATCHED || file->commit.in_flight ||
	    file->handle.node->n_own_changes > 0)
		return;
	conflict(file);
	zkfs_notify_attr(file->fs, file->handle.node);
}
void zkfs_file_committed(struct zkfs_fs *fs, struct zkfs_node *node,
			 const struct zkfs_stat *stat,
			 const struct zkfs_file *by)
{
	zkfs_tree_made(node, stat, zkfs_clock_ms());
	zkfs_observe_own_data(fs, node, stat);
	if (node->type == ZKFS_TYPE_DATA) {
		zkfs_kept_note(fs, node->parent);
		zkfs_notify_attr(fs, node->parent);
	}
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);
		struct zkfs_file *file;

		if (handle->kind != ZKFS_HANDLE_FILE)
			continue;
		file = zkfs_file_of(handle);
		if (file != by && file->writable && !file->commit.in_flight &&
		    file->commit.version < stat->version)
			conflict(file);
	}
	zkfs_notify_attr(fs, node);
}

void zkfs_file_changed(struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    zkfs_file_of(handle)->writable &&
		    !zkfs_file_of(handle)->commit.in_flight)
			conflict(zkfs_file_of(handle));
	}
}

bool zkfs_file_pending(const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    zkfs_commit_pending(&zkfs_file_of(handle)->commit))
			return true;
	}
	return false;
}

void zkfs_file_doubt(struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE)
			zkfs_file_of(handle)->told_ms = 0;
	}
}

void zkfs_file_unlinked(struct zkfs_node *node)
{
	node->unlinked = true;
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE)
			zkfs_commit_unlink(&zkfs_file_of(handle)->commit);
	}
}

void zkfs_file_moved(struct zkfs_node *node, const struct zkfs_stat *was,
		     const struct zkfs_stat *is)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);
		struct zkfs_file *file;

		if (handle->kind != ZKFS_HANDLE_FILE)
			continue;
		file = zkfs_file_of(handle);
		if (!file->writable)
			continue;
		if (file->commit.version == was->version &&
		    file->stat.czxid == was->czxid) {
			file->stat = *is;
			file->commit.version = is->version;
		} else {
			zkfs_commit_conflict(&file->commit);
		}
	}
}

bool zkfs_file_is_watched(const struct zkfs_file *file)
{
	const struct zkfs_node *node = file->handle.node;

	return file->watch.live || (zkfs_cache_watches_version(node) &&
				    node->stat.version == file->commit.version);
}

struct zkfs_file *zkfs_file_dirty_by(const struct zkfs_node *node, pid_t tid)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);
		struct zkfs_file *file;

		if (handle->kind != ZKFS_HANDLE_FILE)
			continue;
		file = zkfs_file_of(handle);
		if (file->writer == tid && zkfs_commit_pending(&file->commit))
			return file;
	}
	return NULL;
}

struct zkfs_file *zkfs_file_any(const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &node->handles) {
		struct zkfs_handle *handle =
			zkfs_list_entry(it, struct zkfs_handle, in_node);

		if (handle->kind == ZKFS_HANDLE_FILE)
			return zkfs_file_of(handle);
	}
	return NULL;
}

void zkfs_file_session(struct zkfs_fs *fs)
{
	struct zkfs_hash_link *it = NULL;

	if (zkfs_zk_generation(fs->zk) == fs->generation)
		return;
	/* Not at the first: nothing rests on the time before it. */
	while (fs->generation > 0 && (it = zkfs_hash_next(&fs->handles, it))) {
		struct zkfs_handle *handle =
			zkfs_container_of(it, struct zkfs_handle, by_fh);

		if (handle->kind == ZKFS_HANDLE_FILE &&
		    zkfs_file_of(handle)->writable &&
		    !zkfs_file_of(handle)->append &&
		    !zkfs_file_of(handle)->commit.in_flight)
			zkfs_commit_conflict(&zkfs_file_of(handle)->commit);
	}
	fs->generation = zkfs_zk_generation(fs->zk);
}

/* carried: see carried.h. */
#include "fs/ops/carried.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/hash.h"
#include "fs/base/list.h"
#include "fs/ops/file.h"
#include "fs/ops/fs.h"
#include "fs/ops/own.h"
#include "fs/ops/subtree.h"

/* What was read of the znode that the node's data is in. */
static const struct zkfs_subtree_node *read_of(const struct zkfs_subtree *tree,
					       const struct zkfs_node *node)
{
	zkfs_list_for_each(it, &tree->nodes) {
		if (zkfs_tree_is_at(node, zkfs_subtree_at(it)->from))
			return zkfs_subtree_at(it);
	}
	return NULL;
}

static bool has_node(const struct zkfs_carried *carried,
		     const struct zkfs_node *node)
{
	for (size_t i = 0; i < carried->n; i++)
		if (carried->all[i].node == node)
			return true;
	return false;
}

static bool is_written(const struct zkfs_handle *handle)
{
	return handle->kind == ZKFS_HANDLE_FILE &&
	       zkfs_container_of(handle, struct zkfs_file, handle)->writable;
}

int zkfs_carried_find(struct zkfs_carried *carried, struct zkfs_fs *fs,
		      const struct zkfs_node *source,
		      const struct zkfs_subtree *tree)
{
	struct zkfs_hash_link *it = NULL;

	if (source->type != ZKFS_TYPE_DIR)
		return 0;
	carried->all = calloc(fs->handles.n + 1, sizeof(*carried->all));
	if (!carried->all)
		return -ENOMEM;
	while ((it = zkfs_hash_next(&fs->handles, it))) {
		struct zkfs_handle *handle =
			zkfs_container_of(it, struct zkfs_handle, by_fh);
		struct zkfs_node *node = handle->node;
		const struct zkfs_subtree_node *read;

		if (!is_written(handle) || !node->current || node == source ||
		    !zkfs_tree_below(node, source) || has_node(carried, node))
			continue;
		read = read_of(tree, node);
		if (!read)
			continue;
		carried->all[carried->n].node = zkfs_own_change(node);
		carried->all[carried->n++].read = read;
	}
	return 0;
}

bool zkfs_carried_has(const struct zkfs_carried *carried,
		      const struct zkfs_subtree_node *read)
{
	for (size_t i = 0; i < carried->n; i++)
		if (carried->all[i].read == read)
			return true;
	return false;
}

void zkfs_carried_moved(const struct zkfs_carried *carried, const char *to,
			const struct zkfs_stat *is)
{
	for (size_t i = 0; i < carried->n; i++) {
		const struct zkfs_subtree_node *read = carried->all[i].read;
		struct zkfs_node *node = carried->all[i].node;

		if (strcmp(read->to, to) != 0)
			continue;
		zkfs_file_moved(node, &read->stat, is);
		zkfs_tree_saw(node, is, zkfs_clock_ms());
	}
}

void zkfs_carried_fini(struct zkfs_carried *carried, struct zkfs_fs *fs)
{
	for (size_t i = 0; i < carried->n; i++)
		zkfs_own_change_end(fs, carried->all[i].node);
	free(carried->all);
	*carried = (struct zkfs_carried){0};
}

/* own: see own.h. */
#include "fs/ops/own.h"

#include <stddef.h>

#include "fs/ops/cache.h"
#include "fs/ops/file.h"
#include "fs/ops/fs.h"

struct zkfs_node *zkfs_own_change(struct zkfs_node *node)
{
	node->n_own_changes++;
	return zkfs_tree_ref(node);
}

struct zkfs_node *zkfs_own_change_end(struct zkfs_fs *fs,
				      struct zkfs_node *node)
{
	if (!node)
		return NULL;
	node->n_own_changes--;
	zkfs_file_doubt(node);
	zkfs_cache_settled(fs, node);
	return zkfs_tree_unref(&fs->tree, node);
}

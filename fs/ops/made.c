/* made: see made.h. */
#include "fs/ops/made.h"

#include "fs/base/clock.h"
#include "fs/ops/fs.h"

/* Between the two there is nothing but the kernel. Later it is another call, of
 * one who has used mknod(2), and wants to see what there is. */
#define AGE_MS_MAX 1000

static struct zkfs_made *slot(struct zkfs_fs *fs, const struct zkfs_node *node)
{
	return &fs->made[node->id % ZKFS_MADE_N];
}

void zkfs_made_note(struct zkfs_fs *fs, const struct zkfs_node *node, pid_t tid)
{
	*slot(fs, node) = (struct zkfs_made){
		.id = node->id,
		.tid = tid,
		.made_ms = zkfs_clock_ms(),
	};
}

bool zkfs_made_take(struct zkfs_fs *fs, const struct zkfs_node *node, pid_t tid)
{
	struct zkfs_made *made = slot(fs, node);
	bool ours = made->id == node->id && made->tid == tid &&
		    zkfs_clock_ms() - made->made_ms <= AGE_MS_MAX;

	if (made->id == node->id)
		*made = (struct zkfs_made){0};
	return ours && node->current && !node->adopt &&
	       node->n_own_changes == 0 && node->stat.version == 1 &&
	       node->stat.data_length == 0 && node->stat.num_children == 0;
}

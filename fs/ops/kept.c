/* kept: see kept.h. */
#include "fs/ops/kept.h"

#include <string.h>

#include "fs/base/clock.h"
#include "fs/ops/fs.h"

#define KEEP_MS 10000

static void move(struct zkfs_kept *kept, size_t to, size_t from, size_t n)
{
	memmove(&kept->dirs[to], &kept->dirs[from],
		n * sizeof(struct zkfs_node *));
}

static void drop(struct zkfs_fs *fs, size_t i)
{
	struct zkfs_node *dir = fs->kept.dirs[i];

	fs->kept.n--;
	move(&fs->kept, i, i + 1, fs->kept.n - i);
	zkfs_tree_unref(&fs->tree, dir);
}

static void hold(struct zkfs_fs *fs, struct zkfs_node *dir)
{
	struct zkfs_kept *kept = &fs->kept;

	(void)zkfs_tree_ref(dir);
	for (size_t i = 0; i < kept->n; i++) {
		if (kept->dirs[i] == dir) {
			drop(fs, i);
			break;
		}
	}
	if (kept->n == ZKFS_KEPT_N)
		drop(fs, kept->n - 1);
	move(kept, 1, 0, kept->n);
	kept->dirs[0] = dir;
	kept->n++;
}

void zkfs_kept_note(struct zkfs_fs *fs, struct zkfs_node *dir)
{
	dir->dir_until_ms = zkfs_clock_ms() + KEEP_MS;
	hold(fs, dir);
	zkfs_kept_sweep(fs);
}

void zkfs_kept_sweep(struct zkfs_fs *fs)
{
	int64_t now_ms = zkfs_clock_ms();

	for (size_t i = fs->kept.n; i-- > 0;) {
		const struct zkfs_node *dir = fs->kept.dirs[i];

		if (!dir->current || dir->dir_until_ms <= now_ms)
			drop(fs, i);
	}
}

void zkfs_kept_fini(struct zkfs_fs *fs)
{
	while (fs->kept.n > 0)
		drop(fs, fs->kept.n - 1);
}

/*
 * root: see root.h.
 */
#include "fs/ops/root.h"

#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "fs/ops/fs.h"
#include "fs/ops/notify.h"

/* How long they wait for a server that seems to be there. */
#define WAIT_MS 50

static struct zkfs_fs *fs_of(struct zkfs_zk_req *req)
{
	return zkfs_container_of(zkfs_container_of(req, struct zkfs_root, req),
				 struct zkfs_fs, root);
}

static void on_looked(struct zkfs_zk_req *req,
		      const struct zkfs_zk_reply *reply)
{
	struct zkfs_fs *fs = fs_of(req);
	struct zkfs_node *node = fs->tree.root;
	bool armed = fs->root.ask.cached != NULL;

	fs->root.looking = false;
	if (reply->error) {
		zkfs_cache_given_up(fs, &fs->root.ask);
		return;
	}
	zkfs_tree_saw(node, reply->stat, zkfs_clock_ms());
	zkfs_cache_answered(fs, &fs->root.ask, req, reply, node);
	zkfs_notify_attr(fs, node);
	/* Until the watches cover it: who asks next need not wait. */
	if (armed && !zkfs_cache_has_attr(fs, node))
		zkfs_root_look(fs);
}

void zkfs_root_look(struct zkfs_fs *fs)
{
	struct zkfs_root *root = &fs->root;

	if (root->looking)
		return;
	root->looking = true;
	root->req = (struct zkfs_zk_req){
		.path = "/",
		.deadline_ms = zkfs_fs_patience(fs),
		.done = on_looked,
	};
	zkfs_cache_ask(fs, &root->ask, &root->req, fs->tree.root, false);
	zkfs_zk_submit(fs->zk, &root->req);
}

bool zkfs_root_may_wait(const struct zkfs_fs *fs, int64_t *ret_deadline_ms)
{
	if (fs->root.looking || !zkfs_zk_connected(fs->zk))
		return false;
	*ret_deadline_ms = zkfs_clock_ms() + WAIT_MS;
	return true;
}

void zkfs_root_fini(struct zkfs_fs *fs)
{
	zkfs_zk_cancel(fs->zk, &fs->root.req);
	zkfs_cache_given_up(fs, &fs->root.ask);
}

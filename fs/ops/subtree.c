/* subtree: see subtree.h. */
#include "fs/ops/subtree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/buf.h"
#include "fs/ops/fs.h"
#include "include/zkfs/error.h"
#include "include/zkfs/path.h"

void zkfs_subtree_init(struct zkfs_subtree *tree, struct zkfs_fs *fs,
		       void (*done)(struct zkfs_subtree *tree, int error))
{
	*tree = (struct zkfs_subtree){.fs = fs, .done = done};
	zkfs_list_init(&tree->nodes);
}

static void node_free(struct zkfs_subtree_node *node)
{
	zkfs_zk_cancel(node->tree->fs->zk, &node->req);
	zkfs_zk_cancel(node->tree->fs->zk, &node->acl_req);
	zkfs_list_remove(&node->link);
	zkfs_buf_unref(node->data);
	free(node->acl);
	free(node->from);
	free(node->to);
	free(node);
}

void zkfs_subtree_reset(struct zkfs_subtree *tree)
{
	struct zkfs_link *link;

	while ((link = zkfs_list_first(&tree->nodes)))
		node_free(zkfs_subtree_at(link));
	tree->n_nodes = 0;
	tree->n_pending = 0;
	tree->error = 0;
}

static bool is_first(const struct zkfs_subtree_node *node)
{
	return node->tree->nodes.next == &node->link;
}

/* A child that has gone since it was listed does not end the reading for good.
 */
static int read_errno(const struct zkfs_subtree_node *node,
		      enum zkfs_error error)
{
	if (error == ZKFS_E_NONODE && !is_first(node))
		return -EAGAIN;
	return zkfs_error_to_errno(error);
}

static void one_done(struct zkfs_subtree *tree, int error)
{
	if (error && !tree->error)
		tree->error = error;
	if (--tree->n_pending == 0)
		tree->done(tree, tree->error);
}

static int read_node(struct zkfs_subtree *tree, char *from, char *to);

static void on_children(struct zkfs_zk_req *req,
			const struct zkfs_zk_reply *reply)
{
	struct zkfs_subtree_node *node =
		zkfs_container_of(req, struct zkfs_subtree_node, req);
	struct zkfs_subtree *tree = node->tree;
	int error = read_errno(node, reply->error);

	for (size_t i = 0; i < reply->n_names && !error && !tree->error; i++)
		error = read_node(tree,
				  zkfs_path_join(node->from, reply->names[i]),
				  zkfs_path_join(node->to, reply->names[i]));
	one_done(tree, error);
}

static void on_data(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_subtree_node *node =
		zkfs_container_of(req, struct zkfs_subtree_node, req);
	struct zkfs_subtree *tree = node->tree;
	int error = read_errno(node, reply->error);

	if (!error) {
		node->stat = *reply->stat;
		node->data = zkfs_buf_new(reply->data, reply->len);
		if (!node->data)
			error = -ENOMEM;
	}
	if (error || node->stat.num_children == 0 || tree->error) {
		one_done(tree, error);
		return;
	}
	node->req.kind = ZKFS_ZK_CHILDREN;
	node->req.done = on_children;
	zkfs_zk_submit(tree->fs->zk, &node->req);
}

static void on_acl(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_subtree_node *node =
		zkfs_container_of(req, struct zkfs_subtree_node, acl_req);
	int error = 0;

	if (reply->error == ZKFS_E_NOAUTH) {
		node->acl_hidden = true;
	} else if (reply->error) {
		error = read_errno(node, reply->error);
	} else {
		node->acl = malloc(reply->len + 1);
		if (node->acl)
			memcpy(node->acl, reply->data, reply->len);
		else
			error = -ENOMEM;
		node->acl_len = reply->len;
	}
	one_done(node->tree, error);
}

/* Takes both strings over, whatever comes of it. */
static int read_node(struct zkfs_subtree *tree, char *from, char *to)
{
	struct zkfs_subtree_node *node = NULL;
	int error = -ENOMEM;

	if (tree->n_nodes >= tree->n_max)
		error = -EXDEV;
	else if (from && to)
		node = calloc(1, sizeof(*node));
	if (!node) {
		free(from);
		free(to);
		return error;
	}
	*node = (struct zkfs_subtree_node){
		.tree = tree, .from = from, .to = to};
	zkfs_list_append(&tree->nodes, &node->link);
	tree->n_nodes++;
	node->req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_GET,
		.path = node->from,
		.deadline_ms = tree->deadline_ms,
		.done = on_data,
	};
	node->acl_req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_GET_ACL,
		.path = node->from,
		.deadline_ms = tree->deadline_ms,
		.done = on_acl,
	};
	tree->n_pending += 2;
	zkfs_zk_submit(tree->fs->zk, &node->req);
	zkfs_zk_submit(tree->fs->zk, &node->acl_req);
	return 0;
}

int zkfs_subtree_read(struct zkfs_subtree *tree, const char *from,
		      const char *to, size_t n_max, int64_t deadline_ms)
{
	assert(zkfs_list_empty(&tree->nodes));
	tree->n_max = n_max;
	tree->deadline_ms = deadline_ms;
	return read_node(tree, strdup(from), strdup(to));
}

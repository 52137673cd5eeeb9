/*
 * tree: see tree.h for the model.
 */
#include "fs/core/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/list.h"
#include "fs/base/util.h"

static uint64_t name_hash(const struct zkfs_node *parent, const char *name)
{
	return zkfs_hash_bytes(parent->id, name, strlen(name));
}

static struct zkfs_node *node_new(struct zkfs_tree *tree, const char *name,
				  enum zkfs_type type, int64_t czxid)
{
	size_t size = strlen(name) + 1;
	struct zkfs_node *node = calloc(1, sizeof(*node) + size);

	if (!node)
		return NULL;
	node->name = memcpy(node->own_name, name, size);
	node->id = ++tree->last_id;
	node->type = type;
	node->czxid = czxid;
	node->n_refs = 1;
	zkfs_list_init(&node->handles);
	zkfs_hash_add(&tree->by_id, &node->by_id, zkfs_hash_u64(0, node->id));
	return node;
}

static void set_name(struct zkfs_node *node, char *name)
{
	if (node->name != node->own_name)
		free(node->name);
	node->name = name;
}

static void node_free(struct zkfs_tree *tree, struct zkfs_node *node)
{
	zkfs_hash_remove(&tree->by_id, &node->by_id);
	set_name(node, NULL);
	free(node);
}

static void make_current(struct zkfs_tree *tree, struct zkfs_node *node)
{
	assert(!node->current);
	node->current = true;
	zkfs_hash_add(&tree->by_name, &node->by_name,
		      name_hash(node->parent, node->name));
}

static void unlist(struct zkfs_tree *tree, struct zkfs_node *node)
{
	if (!node->current)
		return;
	node->current = false;
	zkfs_hash_remove(&tree->by_name, &node->by_name);
}

int zkfs_tree_init(struct zkfs_tree *tree)
{
	*tree = (struct zkfs_tree){.last_id = 0};
	if (zkfs_hash_init(&tree->by_id) < 0)
		return -ENOMEM;
	if (zkfs_hash_init(&tree->by_name) == 0) {
		tree->root = node_new(tree, "", ZKFS_TYPE_DIR, 0);
		if (tree->root) {
			assert(tree->root->id == ZKFS_TREE_ROOT_ID);
			return 0;
		}
	}
	zkfs_hash_fini(&tree->by_name);
	zkfs_hash_fini(&tree->by_id);
	return -ENOMEM;
}

void zkfs_tree_fini(struct zkfs_tree *tree)
{
	struct zkfs_hash_link *it, *next;

	for (it = zkfs_hash_next(&tree->by_id, NULL); it; it = next) {
		struct zkfs_node *node =
			zkfs_container_of(it, struct zkfs_node, by_id);

		next = zkfs_hash_next(&tree->by_id, it);
		unlist(tree, node);
		node_free(tree, node);
	}
	zkfs_hash_fini(&tree->by_name);
	zkfs_hash_fini(&tree->by_id);
	tree->root = NULL;
}

struct zkfs_node *zkfs_tree_get(const struct zkfs_tree *tree, uint64_t id)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&tree->by_id, zkfs_hash_u64(0, id));

	for (; it; it = zkfs_hash_find_next(it)) {
		struct zkfs_node *node =
			zkfs_container_of(it, struct zkfs_node, by_id);

		if (node->id == id)
			return node;
	}
	return NULL;
}

struct zkfs_node *zkfs_tree_find(const struct zkfs_tree *tree,
				 const struct zkfs_node *parent,
				 const char *name)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&tree->by_name, name_hash(parent, name));

	for (; it; it = zkfs_hash_find_next(it)) {
		struct zkfs_node *node =
			zkfs_container_of(it, struct zkfs_node, by_name);

		if (node->parent == parent && strcmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

static bool same_incarnation(struct zkfs_node *node, enum zkfs_type type,
			     int64_t czxid)
{
	if (node->type != type)
		return false;
	if (node->adopt) {
		node->adopt = false;
		node->czxid = czxid;
	}
	return node->czxid == czxid;
}

struct zkfs_node *zkfs_tree_intern(struct zkfs_tree *tree,
				   struct zkfs_node *parent, const char *name,
				   enum zkfs_type type, int64_t czxid)
{
	struct zkfs_node *old = zkfs_tree_find(tree, parent, name);
	struct zkfs_node *node;

	if (old && same_incarnation(old, type, czxid))
		return zkfs_tree_ref(old);
	node = node_new(tree, name, type, czxid);
	if (!node)
		return NULL;
	if (old)
		zkfs_tree_detach(tree, old);
	node->parent = zkfs_tree_ref(parent);
	make_current(tree, node);
	return node;
}

struct zkfs_node *zkfs_tree_ghost(struct zkfs_tree *tree,
				  struct zkfs_node *parent, const char *name,
				  enum zkfs_type type, int64_t czxid)
{
	struct zkfs_node *node = node_new(tree, name, type, czxid);

	if (node)
		node->parent = zkfs_tree_ref(parent);
	return node;
}

struct zkfs_node *zkfs_tree_ref(struct zkfs_node *node)
{
	assert(node->n_refs > 0);
	node->n_refs++;
	return node;
}

struct zkfs_node *zkfs_tree_unref(struct zkfs_tree *tree,
				  struct zkfs_node *node)
{
	/* A loop and not a recursion: the last child of a deep chain may take
	 * all its parents along. */
	while (node) {
		struct zkfs_node *parent = node->parent;

		assert(node->n_refs > 0);
		if (--node->n_refs > 0)
			break;
		assert(node->n_lookups == 0);
		assert(zkfs_list_empty(&node->handles));
		zkfs_tree_detach(tree, node);
		node_free(tree, node);
		node = parent;
	}
	return NULL;
}

void zkfs_tree_looked_up(struct zkfs_node *node)
{
	if (node->n_lookups++ == 0)
		zkfs_tree_ref(node);
}

void zkfs_tree_forget(struct zkfs_tree *tree, uint64_t id, uint64_t n)
{
	struct zkfs_node *node = zkfs_tree_get(tree, id);

	if (!node || node->n_lookups == 0)
		return;
	node->n_lookups -= n < node->n_lookups ? n : node->n_lookups;
	if (node->n_lookups == 0)
		zkfs_tree_unref(tree, node);
}

static void displace(struct zkfs_tree *tree, struct zkfs_node *node, bool moved)
{
	if (node->cached && tree->displaced)
		tree->displaced(node, moved);
}

void zkfs_tree_detach(struct zkfs_tree *tree, struct zkfs_node *node)
{
	bool known = node->current && node->n_lookups > 0;

	unlist(tree, node);
	displace(tree, node, false);
	if (known && tree->detached)
		tree->detached(tree, node);
}

/* The next czxid may be that of a file that another client has put there: it is
 * no directory for having the name of one that was kept. */
static void adopt_next(struct zkfs_node *node)
{
	node->adopt = true;
	if (node->type == ZKFS_TYPE_DIR)
		node->dir_until_ms = 0;
}

struct nodes {
	struct {
		struct zkfs_node *node; /* referenced */
	} * all;
	size_t n;
};

/* All current nodes below one: a list, as what is done to one of them may free
 * others. */
static int nodes_below(struct zkfs_tree *tree, struct zkfs_node *above,
		       struct nodes *nodes)
{
	struct zkfs_hash_link *it = NULL;

	*nodes = (struct nodes){
		.all = calloc(tree->by_id.n, sizeof(*nodes->all))};
	if (!nodes->all)
		return -ENOMEM;
	while ((it = zkfs_hash_next(&tree->by_id, it))) {
		struct zkfs_node *node =
			zkfs_container_of(it, struct zkfs_node, by_id);

		if (node != above && node->current &&
		    zkfs_tree_below(node, above))
			nodes->all[nodes->n++].node = zkfs_tree_ref(node);
	}
	return 0;
}

static void adopt_all(struct zkfs_tree *tree, struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++) {
		struct zkfs_node *node = nodes->all[i].node;

		adopt_next(node);
		displace(tree, node, true);
		zkfs_tree_unref(tree, node);
	}
	free(nodes->all);
}

int zkfs_tree_rename(struct zkfs_tree *tree, struct zkfs_node *node,
		     struct zkfs_node *parent, const char *name)
{
	struct zkfs_node *old = zkfs_tree_find(tree, parent, name);
	struct zkfs_node *old_parent = node->parent;
	char *copy = strdup(name);
	struct nodes below = {NULL, 0};

	if (!copy)
		return -ENOMEM;
	if (node->type == ZKFS_TYPE_DIR && nodes_below(tree, node, &below)) {
		free(copy);
		return -ENOMEM;
	}
	if (old && old != node)
		zkfs_tree_detach(tree, old);
	unlist(tree, node);
	set_name(node, copy);
	node->parent = zkfs_tree_ref(parent);
	make_current(tree, node);
	zkfs_tree_unref(tree, old_parent);
	adopt_all(tree, &below);
	adopt_next(node);
	displace(tree, node, true);
	return 0;
}

bool zkfs_tree_below(const struct zkfs_node *node,
		     const struct zkfs_node *above)
{
	for (; node; node = node->parent)
		if (node == above)
			return true;
	return false;
}

char *zkfs_tree_path(const struct zkfs_node *node)
{
	const struct zkfs_node *it;
	size_t len = 0;
	char *path;

	if (node->type == ZKFS_TYPE_DATA)
		node = node->parent;
	for (it = node; it->parent; it = it->parent)
		len += 1 + strlen(it->name);
	path = malloc(len + 2);
	if (!path)
		return NULL;
	if (len == 0) {
		memcpy(path, "/", 2);
		return path;
	}
	path[len] = '\0';
	for (it = node; it->parent; it = it->parent) {
		size_t n = strlen(it->name);

		len -= n;
		memcpy(path + len, it->name, n);
		path[--len] = '/';
	}
	return path;
}

bool zkfs_tree_is_at(const struct zkfs_node *node, const char *path)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);

	if (node->type == ZKFS_TYPE_DATA)
		node = node->parent;
	for (; node->parent; node = node->parent) {
		size_t n = strlen(node->name);

		if (n >= len || memcmp(path + len - n, node->name, n) != 0)
			return false;
		len -= n;
		if (path[--len] != '/')
			return false;
	}
	return len == 0;
}

/* Replies overtake each other on their way through a listing. */
static bool is_older(const struct zkfs_stat *stat, const struct zkfs_stat *than)
{
	return stat->czxid == than->czxid &&
	       (stat->mzxid < than->mzxid || stat->pzxid < than->pzxid);
}

void zkfs_tree_made(struct zkfs_node *node, const struct zkfs_stat *stat,
		    int64_t now_ms)
{
	bool shared = node->shared;

	zkfs_tree_saw(node, stat, now_ms);
	node->shared = shared;
}

void zkfs_tree_saw(struct zkfs_node *node, const struct zkfs_stat *stat,
		   int64_t now_ms)
{
	if (node->stat.czxid == stat->czxid &&
	    node->stat.version < stat->version)
		node->shared = true;
	if (!is_older(stat, &node->stat))
		node->stat = *stat;
	node->seen_ms = now_ms;
}

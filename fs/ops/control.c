/*
 * control: see control.h.
 *
 * The kernel keeps the names and attributes for long, as they never change: a
 * look-up would have to wait for the lock of the mount's root, which another
 * look-up there may hold while it waits for a server.
 */
#include "fs/ops/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/core/status.h"
#include "fs/ops/reply.h"
#include "fs/ops/snapshot.h"
#include "fs/ops/textfile.h"

/* An inode number that readdir(3) shows and nobody relies on. */
#define UNKNOWN_INO 0xffffffff

static void print_status(struct zkfs_text *text,
			 const struct zkfs_status *status,
			 const struct zkfs_metrics *metrics)
{
	(void)metrics;
	zkfs_status_print(text, status);
}

static const struct file {
	const char *name;
	void (*print)(struct zkfs_text *text, const struct zkfs_status *status,
		      const struct zkfs_metrics *metrics);
} files[] = {
	{"status", print_status},
	{"metrics", zkfs_status_print_metrics},
};

static const struct file *find_file(const char *name)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(files); i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

bool zkfs_control_has(const struct zkfs_fs *fs, const struct zkfs_node *dir,
		      const char *name)
{
	if (dir->type == ZKFS_TYPE_CONTROL_DIR)
		return true;
	return dir->id == ZKFS_TREE_ROOT_ID && *fs->config.ctlname &&
	       strcmp(name, fs->config.ctlname) == 0;
}

/* Names and attributes */

static void fill_stat(const struct zkfs_op *op, const struct zkfs_node *node,
		      struct stat *ret_st)
{
	const struct zkfs_stat stat = {.mtime_ms = op->fs->started_unix_ms};

	zkfs_node_stat(op->fs, node, op->path, &stat, ret_st);
}

void zkfs_control_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_LOOKUP, parent, sizeof(*op));
	enum zkfs_type type = ZKFS_TYPE_CONTROL_DIR;
	struct zkfs_node *node;
	struct stat st;

	if (!op || !zkfs_op_path(op, name))
		return;
	if (op->node->type == ZKFS_TYPE_CONTROL_DIR)
		type = ZKFS_TYPE_CONTROL_FILE;
	if (type == ZKFS_TYPE_CONTROL_FILE && !find_file(name)) {
		zkfs_reply_error(op, -ENOENT);
		return;
	}
	node = zkfs_tree_intern(&op->fs->tree, op->node, name, type, 0);
	if (!node) {
		zkfs_reply_error(op, -ENOMEM);
		return;
	}
	fill_stat(op, node, &st);
	(void)zkfs_reply_entry(op, node, &st);
}

void zkfs_control_getattr(fuse_req_t req, fuse_ino_t ino)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_GETATTR, ino, sizeof(*op));
	struct stat st;

	if (!op || !zkfs_op_path(op, NULL))
		return;
	fill_stat(op, op->node, &st);
	zkfs_reply_attr(op, &st, ZKFS_CONTROL_TIMEOUT);
}

void zkfs_control_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_LISTXATTR, ino, sizeof(*op));

	if (op)
		zkfs_reply_xattr(op, "", 0, size);
}

/* Files */

void zkfs_control_open(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct zkfs_op *op = zkfs_op_new(req, ZKFS_OP_OPEN, ino, sizeof(*op));
	struct zkfs_text text = {0};
	int error;

	if (!op)
		return;
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC)) {
		zkfs_reply_error(op, -EACCES);
		return;
	}
	error = zkfs_snapshot_print(op->fs, op,
				    find_file(op->node->name)->print, &text);
	if (error)
		zkfs_reply_error(op, error);
	else
		zkfs_textfile_open(op, fi, text.data, text.len);
	zkfs_text_fini(&text);
}

/* The directory */

void zkfs_control_opendir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_OPENDIR, ino, sizeof(*op));

	if (!op)
		return;
	/* It has no handle: there is nothing to remember. */
	(void)zkfs_reply_open(op, fi);
}

static const char *entry_name(size_t i)
{
	static const char *const dots[] = {".", ".."};

	if (i < ZKFS_ARRAY_SIZE(dots))
		return dots[i];
	i -= ZKFS_ARRAY_SIZE(dots);
	return i < ZKFS_ARRAY_SIZE(files) ? files[i].name : NULL;
}

/* Without a node id the kernel looks the name up itself. */
static size_t add_entry(fuse_req_t req, bool plus, char *at, size_t room,
			size_t i)
{
	const char *name = entry_name(i);
	struct fuse_entry_param entry = {
		.attr = {.st_ino = UNKNOWN_INO,
			 .st_mode = find_file(name) ? S_IFREG : S_IFDIR}};

	return plus ? fuse_add_direntry_plus(req, at, room, name, &entry,
					     (off_t)i + 1)
		    : fuse_add_direntry(req, at, room, name, &entry.attr,
					(off_t)i + 1);
}

static void list(struct zkfs_op *op, bool plus, size_t size, size_t off)
{
	char buf[4096];
	size_t used = 0;

	size = zkfs_min_size(size, sizeof(buf));
	for (size_t i = off; entry_name(i); i++) {
		size_t n = add_entry(op->req, plus, buf + used, size - used, i);

		if (n > size - used)
			break;
		used += n;
	}
	zkfs_reply_buf(op, buf, used);
}

void zkfs_control_readdir(fuse_req_t req, fuse_ino_t ino, size_t size,
			  off_t off)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_READDIR, ino, sizeof(*op));

	if (op)
		list(op, false, size, (size_t)off);
}

void zkfs_control_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			      off_t off)
{
	struct zkfs_op *op =
		zkfs_op_new(req, ZKFS_OP_READDIRPLUS, ino, sizeof(*op));

	if (op)
		list(op, true, size, (size_t)off);
}

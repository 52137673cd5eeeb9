/*
 * lockattr: see lockattr.h.
 */
#include "fs/ops/lockattr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/entry.h"
#include "fs/ops/flock.h"
#include "fs/ops/line.h"
#include "fs/ops/lock.h"

#define LOCK  "user.zk.lock"
#define TOKEN "user.zk.token"

#define VALUE_BYTES 32

/* The attribute of an entry, from its line. */
struct entry_op {
	struct zkfs_entry_look look;
	const char *key; /* the word of the line: "token=" */
	size_t size;
};

/* The attribute of a lock that is held through a file. */
struct file_op {
	struct zkfs_line_reader reader;
	size_t size;
};

bool zkfs_lockattr_known(const char *name)
{
	return strcmp(name, LOCK) == 0 || strcmp(name, TOKEN) == 0;
}

const char *zkfs_lockattr_list(size_t *ret_len)
{
	static const char list[] = LOCK "\0" TOKEN;

	*ret_len = sizeof(list);
	return list;
}

/* Of an entry */

static void on_line(struct zkfs_entry_look *look, const char *line, size_t len)
{
	struct entry_op *op = zkfs_container_of(look, struct entry_op, look);
	const char *word = strstr(line, op->key);

	if (!word) {
		zkfs_reply_error(op, -ENODATA);
		return;
	}
	word += strlen(op->key);
	zkfs_reply_xattr(op, word, strcspn(word, " \n"), op->size);
}

static void get_of_entry(fuse_req_t req, fuse_ino_t ino, const char *name,
			 size_t size)
{
	struct entry_op *op =
		zkfs_op_new(req, ZKFS_OP_GETXATTR, ino, sizeof(*op));
	bool token = strcmp(name, TOKEN) == 0;

	if (!op)
		return;
	op->key = token ? "token=" : "state=";
	op->size = size;
	if (zkfs_lock_is_lost(op->look.op.fs, op->look.op.node)) {
		if (token)
			zkfs_reply_error(op, -ENODATA);
		else
			zkfs_reply_xattr(op, "lost", strlen("lost"), size);
		return;
	}
	zkfs_entry_look(&op->look, on_line);
}

/* Of a file */

static const char *state_of(const struct zkfs_contender *contender)
{
	if (contender->broken)
		return "lost";
	return contender->granted ? "held" : "waiting";
}

static void answer_token(void *op, const struct zkfs_contender *contender,
			 size_t size)
{
	uint64_t token = (uint64_t)zkfs_lockq_token(contender->lockq);
	char value[VALUE_BYTES];
	int len = snprintf(value, sizeof(value), "0x%016llx",
			   (unsigned long long)token);

	if (token)
		zkfs_reply_xattr(op, value, (size_t)len, size);
	else
		zkfs_reply_error(op, -ENODATA);
}

static void on_known(struct zkfs_line_reader *reader,
		     const struct zkfs_contender *contender)
{
	struct file_op *op = zkfs_container_of(reader, struct file_op, reader);

	answer_token(op, contender, op->size);
}

static void get_of_file(fuse_req_t req, fuse_ino_t ino, const char *name,
			size_t size)
{
	struct file_op *op =
		zkfs_op_new(req, ZKFS_OP_GETXATTR, ino, sizeof(*op));
	struct zkfs_contender *contender;
	struct zkfs_line *line;

	if (!op)
		return;
	op->size = size;
	contender = zkfs_flock_through(op->reader.op.fs, op->reader.op.node,
				       fuse_req_ctx(req)->pid, &line);
	if (!contender)
		zkfs_reply_error(op, -ENODATA);
	else if (strcmp(name, LOCK) == 0)
		zkfs_reply_xattr(op, state_of(contender),
				 strlen(state_of(contender)), size);
	else if (!contender->granted)
		answer_token(op, contender, size);
	else
		zkfs_line_await(line, &op->reader, contender, on_known);
}

void zkfs_lockattr_get(fuse_req_t req, fuse_ino_t ino, const char *name,
		       size_t size)
{
	const struct zkfs_node *node =
		zkfs_tree_get(&zkfs_fs_of(req)->tree, ino);

	zkfs_heartbeat_check(zkfs_fs_of(req));
	if (node && zkfs_attr_in_lock(node->type) &&
	    !zkfs_lock_is_virtual(node->name))
		get_of_entry(req, ino, name, size);
	else
		get_of_file(req, ino, name, size);
}

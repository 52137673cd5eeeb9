/*
 * entry: see entry.h.
 */
#include "fs/ops/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/lock.h"
#include "fs/ops/queuefile.h"
#include "fs/ops/textfile.h"
#include "include/zkfs/path.h"

/* How much of what a contender's owner wrote is shown. */
#define DATA_MAX 4096

struct text_op {
	struct zkfs_entry_look look;
	struct fuse_file_info fi;
};

/* What a name means */

/* Which contender a name means: ours first, then the first in the queue that
 * its owner called so, then the znode's own name. */
const struct zkfs_queue_entry *zkfs_entry_find(const struct zkfs_fs *fs,
					       const char *lock,
					       const struct zkfs_queue *queue,
					       const char *name)
{
	const struct zkfs_contender *ours = zkfs_lock_find_ours(fs, lock, name);

	if (ours)
		return zkfs_queue_find(queue, zkfs_lockq_prefix(ours->lockq));
	for (size_t i = 0; i < queue->n_entries; i++) {
		const struct zkfs_queue_entry *entry = &queue->entries[i];

		if (entry->label && strcmp(entry->label, name) == 0)
			return entry;
	}
	for (size_t i = 0; i < queue->n_entries; i++)
		for (size_t j = 0; j < queue->entries[i].n_names; j++)
			if (strcmp(queue->entries[i].names[j], name) == 0)
				return &queue->entries[i];
	return NULL;
}

bool zkfs_entry_listed(const struct zkfs_zk_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->n_names; i++)
		if (strcmp(reply->names[i], name) == 0)
			return true;
	return false;
}

void zkfs_entry_stat(const struct zkfs_fs *fs, const struct zkfs_node *node,
		     struct stat *ret_st)
{
	zkfs_autofree char *path = zkfs_tree_path(node);
	struct zkfs_stat stat = {
		.ctime_ms = node->parent->stat.mtime_ms,
		.mtime_ms = node->parent->stat.mtime_ms,
	};

	zkfs_attr_fill(&fs->config.style, path ? path : "", ZKFS_TYPE_FILE,
		       &stat, ret_st);
	if (zkfs_queuefile_is(node->name))
		ret_st->st_mode &= ~(mode_t)0222;
}

/* One line: what a contender's owner wrote may be anything. */
void zkfs_entry_sanitise(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n' || text[i] == '\t')
			text[i] = ' ';
		else if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

/* Looking: the list tells which znode it is and its place, the znode the rest.
 */

static struct zkfs_entry_look *look_from_zk(struct zkfs_zk_req *req)
{
	return zkfs_container_of(zkfs_op_from_zk(req), struct zkfs_entry_look,
				 op);
}

static void look_fini(struct zkfs_op *op)
{
	struct zkfs_entry_look *look =
		zkfs_container_of(op, struct zkfs_entry_look, op);

	free(look->lock);
	free(look->head);
}

static void on_entry_data(struct zkfs_zk_req *req,
			  const struct zkfs_zk_reply *reply)
{
	struct zkfs_entry_look *look = look_from_zk(req);
	zkfs_autofree char *text = NULL;
	size_t len = zkfs_min_size(reply->len, DATA_MAX);

	if (reply->error) {
		zkfs_reply_zk_error(look, reply->error);
		return;
	}
	if (asprintf(&text, "token=0x%016llx %s %.*s\n",
		     (unsigned long long)reply->stat->czxid, look->head,
		     (int)len, len ? (const char *)reply->data : "") < 0) {
		text = NULL;
		zkfs_reply_error(look, -ENOMEM);
		return;
	}
	zkfs_entry_sanitise(text, strlen(text) - 1);
	look->told(look, text, strlen(text));
}

static char *entry_head(const struct zkfs_queue *queue,
			const struct zkfs_queue_entry *entry)
{
	const struct zkfs_queue_entry *blocker = zkfs_queue_blocker(
		queue, entry->sequence, entry->mode, entry->names[0]);
	char *head;

	if (asprintf(&head, "mode=%s state=%s",
		     entry->mode == ZKFS_LOCK_SHARED ? "shared" : "exclusive",
		     blocker ? "waiting" : "held") < 0)
		return NULL;
	return head;
}

/* Finds the znode that an entry's name means and reads it. */
static int read_entry(struct zkfs_entry_look *look,
		      const struct zkfs_zk_reply *reply)
{
	const char *name = look->op.node->name, *primary;
	const struct zkfs_queue_entry *entry;
	struct zkfs_queue queue;
	int error = zkfs_queue_parse(reply->names, reply->n_names, &queue);

	if (error)
		return error;
	entry = zkfs_entry_find(look->op.fs, look->lock, &queue, name);
	primary = entry				   ? entry->names[0]
		  : zkfs_entry_listed(reply, name) ? name
						   : NULL;
	if (primary) {
		look->head = entry ? entry_head(&queue, entry)
				   : strdup("mode=none state=none");
		look->op.path = zkfs_path_join(look->lock, primary);
		if (!look->head || !look->op.path)
			error = -ENOMEM;
	} else {
		error = -ESTALE;
	}
	zkfs_queue_fini(&queue);
	return error;
}

static void on_entry_list(struct zkfs_zk_req *req,
			  const struct zkfs_zk_reply *reply)
{
	struct zkfs_entry_look *look = look_from_zk(req);
	int error = zkfs_error_to_errno(reply->error);

	if (!error)
		error = read_entry(look, reply);
	/* Not (yet, or no more) in the queue: there is nothing to tell. */
	if (error == -ESTALE && (look->op.node->reserved_until_ms ||
				 zkfs_lock_find_ours(look->op.fs, look->lock,
						     look->op.node->name))) {
		look->told(look, "", 0);
		return;
	}
	if (error) {
		zkfs_reply_error(look, error);
		return;
	}
	req->kind = ZKFS_ZK_GET;
	req->path = look->op.path;
	req->done = on_entry_data;
	zkfs_zk_submit(look->op.fs->zk, req);
}

void zkfs_entry_look(struct zkfs_entry_look *look,
		     void (*told)(struct zkfs_entry_look *look,
				  const char *line, size_t len))
{
	look->op.fini = look_fini;
	look->told = told;
	look->lock = zkfs_tree_path(look->op.node->parent);
	if (!look->lock) {
		zkfs_reply_error(look, -ENOMEM);
		return;
	}
	look->op.zk.kind = ZKFS_ZK_CHILDREN;
	look->op.zk.path = look->lock;
	(void)zkfs_op_submit(&look->op, zkfs_fs_patience(look->op.fs),
			     on_entry_list);
}

/* Opening to read */

static void text_open(struct zkfs_entry_look *look, const char *data,
		      size_t len)
{
	struct text_op *opening = zkfs_container_of(look, struct text_op, look);

	zkfs_textfile_open(&look->op, &opening->fi, data, len);
}

void zkfs_entry_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct text_op *opening =
		zkfs_op_new(req, ZKFS_OP_OPEN, ino, sizeof(*opening));

	if (!opening)
		return;
	opening->fi = *fi;
	if (zkfs_lock_is_virtual(opening->look.op.node->name))
		text_open(&opening->look, "", 0);
	else
		zkfs_entry_look(&opening->look, text_open);
}

/* What `ls` shows */

struct label_at {
	const char *label;
	size_t index;
};

static int compare_labels(const void *a, const void *b)
{
	const struct label_at *left = a, *right = b;
	int order = strcmp(left->label, right->label);

	if (order)
		return order;
	return left->index < right->index ? -1 : 1;
}

int zkfs_entry_choose(const struct zkfs_queue *queue, const char **chosen)
{
	zkfs_autofree struct label_at *labels =
		calloc(queue->n_entries + 1, sizeof(*labels));
	size_t n = 0;

	if (!labels)
		return -ENOMEM;
	for (size_t i = 0; i < queue->n_entries; i++) {
		chosen[i] = queue->entries[i].names[0];
		if (queue->entries[i].label)
			labels[n++] =
				(struct label_at){queue->entries[i].label, i};
	}
	qsort(labels, n, sizeof(*labels), compare_labels);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(labels[i].label, labels[i - 1].label) != 0)
			chosen[labels[i].index] = labels[i].label;
	return 0;
}

static int add_display(char **display, size_t *n, const char *name)
{
	display[*n] = strdup(name);
	if (!display[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

static bool is_shown(const char *name)
{
	return strlen(name) <= ZKFS_NAME_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && !strchr(name, '/');
}

static int fill_display(const struct zkfs_queue *queue,
			const char *const *names, size_t n_names,
			char **display, size_t *n)
{
	zkfs_autofree const char **chosen =
		calloc(queue->n_entries + 1, sizeof(*chosen));
	struct zkfs_name_parts parts;
	int error = chosen ? zkfs_entry_choose(queue, chosen) : -ENOMEM;

	for (size_t i = 0; i < queue->n_entries && !error; i++)
		if (is_shown(chosen[i]))
			error = add_display(display, n, chosen[i]);
	for (size_t i = 0; i < n_names && !error; i++)
		if (!zkfs_names_parse(names[i], &parts) && is_shown(names[i]))
			error = add_display(display, n, names[i]);
	return error;
}

int zkfs_entry_display(const struct zkfs_fs *fs, const char *lock,
		       const char *const *names, size_t n_names,
		       char ***ret_display, size_t *ret_n)
{
	zkfs_autofree char **display = calloc(n_names + 1, sizeof(*display));
	struct zkfs_queue queue;
	size_t n = 0;
	int error;

	if (!display)
		return -ENOMEM;
	error = zkfs_queue_parse(names, n_names, &queue);
	if (error)
		return error;
	error = fill_display(&queue, names, n_names, display, &n);
	zkfs_queue_fini(&queue);
	if (error) {
		while (n > 0)
			free(display[--n]);
		return error;
	}
	*ret_display = zkfs_steal(&display);
	*ret_n = n;
	return 0;
}

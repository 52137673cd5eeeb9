/*
 * queuefile: see queuefile.h. The list is read, and then each contender's
 * primary and each other child, many in flight but not all: thousands may
 * wait. What has gone meanwhile is left out.
 */
#include "fs/ops/queuefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "fs/core/queue_text.h"
#include "fs/ops/entry.h"
#include "fs/ops/reply.h"
#include "fs/ops/textfile.h"
#include "include/zkfs/path.h"
#include "include/zkfs/queue.h"

#define IN_FLIGHT 64

struct queue_op;

/* One znode on its way. */
struct fetch {
	struct queue_op *op;
	size_t row;
	char *path; /* NULL: free */
	struct zkfs_zk_req req;
};

struct queue_op {
	struct zkfs_op op;
	struct fuse_file_info fi;
	char *lock;	/* path */
	char **strings; /* the rows' names */
	size_t n_strings;
	struct zkfs_queue_row *rows;
	char **data; /* of each row, owned; NULL: gone */
	size_t n_rows;
	size_t next; /* row to be asked for */
	size_t n_under_way;
	int64_t deadline_ms;
	struct fetch fetches[IN_FLIGHT];
};

bool zkfs_queuefile_is(const char *name)
{
	return strcmp(name, ".queue") == 0;
}

static void queue_fini(struct zkfs_op *op)
{
	struct queue_op *queue = zkfs_container_of(op, struct queue_op, op);

	for (size_t i = 0; i < IN_FLIGHT; i++) {
		zkfs_zk_cancel(op->fs->zk, &queue->fetches[i].req);
		free(queue->fetches[i].path);
	}
	for (size_t i = 0; i < queue->n_strings; i++)
		free(queue->strings[i]);
	for (size_t i = 0; i < queue->n_rows; i++)
		free(queue->data[i]);
	free(queue->strings);
	free(queue->rows);
	free(queue->data);
	free(queue->lock);
}

/* The rows */

/* A copy that lasts as long as the op. */
static const char *keep(struct queue_op *queue, const char *text)
{
	char *copy = strdup(text);

	if (copy)
		queue->strings[queue->n_strings++] = copy;
	return copy;
}

static int add_row(struct queue_op *queue, const char *entry, const char *name)
{
	struct zkfs_queue_row *row = &queue->rows[queue->n_rows];

	row->entry = keep(queue, entry);
	row->name = row->entry ? keep(queue, name) : NULL;
	if (!row->name)
		return -ENOMEM;
	queue->n_rows++;
	return 0;
}

static int add_contenders(struct queue_op *queue,
			  const struct zkfs_queue *contenders)
{
	zkfs_autofree const char **shown =
		calloc(contenders->n_entries + 1, sizeof(*shown));
	int error = shown ? zkfs_entry_choose(contenders, shown) : -ENOMEM;

	for (size_t i = 0; i < contenders->n_entries && !error; i++) {
		const struct zkfs_queue_entry *entry = &contenders->entries[i];

		queue->rows[queue->n_rows].contender = true;
		queue->rows[queue->n_rows].mode = entry->mode;
		error = add_row(queue, shown[i], entry->names[0]);
	}
	return error;
}

static int add_strays(struct queue_op *queue, const struct zkfs_zk_reply *reply)
{
	struct zkfs_name_parts parts;
	int error = 0;

	for (size_t i = 0; i < reply->n_names && !error; i++)
		if (!zkfs_names_parse(reply->names[i], &parts))
			error = add_row(queue, reply->names[i],
					reply->names[i]);
	return error;
}

static int add_rows(struct queue_op *queue, const struct zkfs_zk_reply *reply)
{
	struct zkfs_queue contenders;
	size_t n = reply->n_names + 1; /* calloc(0) may be NULL */
	int error;

	queue->rows = calloc(n, sizeof(*queue->rows));
	queue->data = calloc(n, sizeof(*queue->data));
	queue->strings = calloc(2 * n, sizeof(*queue->strings));
	if (!queue->rows || !queue->data || !queue->strings)
		return -ENOMEM;
	error = zkfs_queue_parse(reply->names, reply->n_names, &contenders);
	if (error)
		return error;
	error = add_contenders(queue, &contenders);
	zkfs_queue_fini(&contenders);
	return error ? error : add_strays(queue, reply);
}

/* What is in them */

static void finish(struct queue_op *queue)
{
	zkfs_autofree char *text = NULL;
	size_t n = 0;

	for (size_t i = 0; i < queue->n_rows; i++)
		if (queue->data[i])
			queue->rows[n++] = queue->rows[i];
	text = zkfs_queue_text(queue->rows, n);
	if (text)
		zkfs_textfile_open(&queue->op, &queue->fi, text, strlen(text));
	else
		zkfs_reply_error(queue, -ENOMEM);
}

static int take(struct queue_op *queue, size_t i,
		const struct zkfs_zk_reply *reply)
{
	struct zkfs_queue_row *row = &queue->rows[i];
	size_t len =
		zkfs_min_size(reply->len, (size_t)ZKFS_QUEUE_TEXT_DATA_MAX);

	if (reply->error == ZKFS_E_NONODE)
		return 0;
	if (reply->error && reply->error != ZKFS_E_NOAUTH)
		return zkfs_error_to_errno(reply->error);
	queue->data[i] = calloc(1, len + 1);
	if (!queue->data[i])
		return -ENOMEM;
	row->data = queue->data[i];
	row->known = !reply->error;
	if (row->known) {
		row->stat = *reply->stat;
		memcpy(queue->data[i], len ? reply->data : "", len);
	}
	return 0;
}

static void ask_for_more(struct queue_op *queue);

static void on_data(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct fetch *fetch = zkfs_container_of(req, struct fetch, req);
	struct queue_op *queue = fetch->op;
	int error = take(queue, fetch->row, reply);

	free(zkfs_steal(&fetch->path));
	queue->n_under_way--;
	if (error)
		zkfs_reply_error(queue, error);
	else
		ask_for_more(queue);
}

static int ask(struct queue_op *queue, struct fetch *fetch)
{
	fetch->path =
		zkfs_path_join(queue->lock, queue->rows[queue->next].name);
	if (!fetch->path)
		return -ENOMEM;
	fetch->op = queue;
	fetch->row = queue->next++;
	fetch->req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_GET,
		.path = fetch->path,
		.deadline_ms = queue->deadline_ms,
		.done = on_data,
	};
	queue->n_under_way++;
	zkfs_zk_submit(queue->op.fs->zk, &fetch->req);
	return 0;
}

static void ask_for_more(struct queue_op *queue)
{
	for (size_t i = 0; i < IN_FLIGHT && queue->next < queue->n_rows; i++) {
		if (queue->fetches[i].path)
			continue;
		if (ask(queue, &queue->fetches[i]) < 0) {
			zkfs_reply_error(queue, -ENOMEM);
			return;
		}
	}
	if (queue->n_under_way == 0)
		finish(queue);
}

static void on_list(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct queue_op *queue =
		zkfs_container_of(zkfs_op_from_zk(req), struct queue_op, op);
	int error = zkfs_error_to_errno(reply->error);

	if (!error)
		error = add_rows(queue, reply);
	if (error)
		zkfs_reply_error(queue, error);
	else
		ask_for_more(queue);
}

void zkfs_queuefile_open(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi)
{
	struct queue_op *queue =
		zkfs_op_new(req, ZKFS_OP_OPEN, ino, sizeof(*queue));

	if (!queue)
		return;
	queue->op.fini = queue_fini;
	queue->fi = *fi;
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		zkfs_reply_error(queue, -EACCES);
		return;
	}
	queue->lock = zkfs_tree_path(queue->op.node->parent);
	if (!queue->lock) {
		zkfs_reply_error(queue, -ENOMEM);
		return;
	}
	queue->deadline_ms = zkfs_fs_patience(queue->op.fs);
	queue->op.zk.kind = ZKFS_ZK_CHILDREN;
	queue->op.zk.path = queue->lock;
	(void)zkfs_op_submit(&queue->op, queue->deadline_ms, on_list);
}

/*
 * line: see line.h.
 */
#include "fs/ops/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/list.h"
#include "fs/base/util.h"

struct read_op {
	struct zkfs_line_reader reader;
	size_t size;
	off_t off;
	const struct zkfs_buf *note;
};

void zkfs_line_init(struct zkfs_line *line)
{
	zkfs_list_init(&line->readers);
}

static void reader_fini(struct zkfs_op *op)
{
	struct zkfs_line_reader *reader =
		zkfs_container_of(op, struct zkfs_line_reader, op);

	zkfs_list_remove(&reader->waiting);
}

int zkfs_line_note_len(const struct zkfs_buf *note)
{
	size_t len = note ? note->len : 0;

	while (len > 0 && note->data[len - 1] == ' ')
		len--;
	return (int)len;
}

static bool is_known(const struct zkfs_contender *contender)
{
	return contender->broken || zkfs_lockq_token(contender->lockq);
}

static void answer_read(struct zkfs_line_reader *reader,
			const struct zkfs_contender *contender)
{
	const struct read_op *read =
		zkfs_container_of(reader, struct read_op, reader);
	const struct zkfs_buf *note = read->note;
	zkfs_autofree char *text = NULL;
	size_t len, off = (size_t)read->off;

	if (contender->broken) {
		zkfs_reply_error(reader, -EIO);
		return;
	}
	if (asprintf(&text, "token=0x%016llx mode=%s state=held %s%s%.*s\n",
		     (unsigned long long)zkfs_lockq_token(contender->lockq),
		     contender->mode == ZKFS_LOCK_SHARED ? "shared"
							 : "exclusive",
		     contender->info, note ? " note=" : "",
		     zkfs_line_note_len(note), note ? note->data : "") < 0) {
		text = NULL;
		zkfs_reply_error(reader, -ENOMEM);
		return;
	}
	len = strlen(text);
	off = zkfs_min_size(off, len);
	zkfs_reply_buf(reader, text + off,
		       zkfs_min_size(read->size, len - off));
}

void zkfs_line_await(struct zkfs_line *line, struct zkfs_line_reader *reader,
		     const struct zkfs_contender *contender,
		     void (*known)(struct zkfs_line_reader *reader,
				   const struct zkfs_contender *contender))
{
	reader->op.fini = reader_fini;
	reader->known = known;
	if (is_known(contender)) {
		known(reader, contender);
		return;
	}
	zkfs_list_append(&line->readers, &reader->waiting);
	(void)zkfs_op_park(&reader->op);
}

void zkfs_line_read(struct zkfs_line *line, fuse_req_t req, fuse_ino_t ino,
		    size_t size, off_t off,
		    const struct zkfs_contender *contender,
		    const struct zkfs_buf *note)
{
	struct read_op *read =
		zkfs_op_new(req, ZKFS_OP_READ, ino, sizeof(*read));

	if (!read)
		return;
	read->size = size;
	read->off = off;
	read->note = note;
	zkfs_line_await(line, &read->reader, contender, answer_read);
}

static struct zkfs_line_reader *take_first(struct zkfs_line *line)
{
	struct zkfs_link *first = zkfs_list_first(&line->readers);

	if (!first)
		return NULL;
	zkfs_list_remove(first);
	return zkfs_list_entry(first, struct zkfs_line_reader, waiting);
}

void zkfs_line_changed(struct zkfs_line *line,
		       const struct zkfs_contender *contender)
{
	struct zkfs_line_reader *reader;

	while (is_known(contender) && (reader = take_first(line)))
		reader->known(reader, contender);
}

void zkfs_line_fini(struct zkfs_line *line)
{
	struct zkfs_line_reader *reader;

	while ((reader = take_first(line)))
		zkfs_reply_error(reader, -EIO);
}

/*
 * buf: see buf.h. One function, replace(), does every change of the
 * allocation; the others say what they need of it.
 */
#include "fs/base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"

/* The bytes of a buf of that capacity, or 0 when there is no such number. */
static size_t footprint(size_t cap)
{
	if (cap > SIZE_MAX - sizeof(struct zkfs_buf))
		return 0;
	return sizeof(struct zkfs_buf) + cap;
}

static struct zkfs_buf *allocate(size_t cap)
{
	size_t bytes = footprint(cap);
	struct zkfs_buf *buf = bytes ? malloc(bytes) : NULL;

	if (!buf)
		return NULL;
	*buf = (struct zkfs_buf){.n_refs = 1, .cap = cap};
	return buf;
}

struct zkfs_buf *zkfs_buf_new(const void *data, size_t len)
{
	struct zkfs_buf *buf = allocate(len);

	if (!buf)
		return NULL;
	if (len > 0)
		memcpy(buf->data, data, len);
	buf->len = len;
	return buf;
}

struct zkfs_buf *zkfs_buf_ref(struct zkfs_buf *buf)
{
	assert(buf->n_refs > 0);
	buf->n_refs++;
	assert(buf->n_refs > 0);
	return buf;
}

struct zkfs_buf *zkfs_buf_unref(struct zkfs_buf *buf)
{
	if (!buf)
		return NULL;
	assert(buf->n_refs > 0);
	if (--buf->n_refs == 0)
		free(buf);
	return NULL;
}

static int grow_private(struct zkfs_buf **buf, size_t cap)
{
	size_t bytes = footprint(cap);
	struct zkfs_buf *larger = bytes ? realloc(*buf, bytes) : NULL;

	if (!larger)
		return -ENOMEM;
	larger->cap = cap;
	*buf = larger;
	return 0;
}

/* Makes *buf private, `cap` bytes large or more, and keeps its first `keep`
 * bytes: what is about to be cut off need not be copied. */
static int replace(struct zkfs_buf **buf, size_t cap, size_t keep)
{
	struct zkfs_buf *old = *buf;
	struct zkfs_buf *new;

	if (old && old->n_refs == 1) {
		if (old->cap >= cap)
			return 0;
		return grow_private(buf, cap);
	}
	keep = old ? zkfs_min_size(keep, old->len) : 0;
	new = allocate(cap > keep ? cap : keep);
	if (!new)
		return -ENOMEM;
	if (keep > 0)
		memcpy(new->data, old->data, keep);
	new->len = keep;
	(void)zkfs_buf_unref(old);
	*buf = new;
	return 0;
}

int zkfs_buf_own(struct zkfs_buf **buf, size_t cap)
{
	return replace(buf, cap, SIZE_MAX);
}

/* The capacity to ask for when `len` bytes are needed: half as much again as
 * there was, so that a file written in small pieces is not copied for each. */
static size_t roomy(const struct zkfs_buf *buf, size_t len)
{
	size_t grown = buf ? buf->cap + buf->cap / 2 : 0;

	if (!buf || len <= buf->cap || grown < buf->cap)
		return len;
	return len > grown ? len : grown;
}

int zkfs_buf_resize(struct zkfs_buf **buf, size_t len)
{
	int r = replace(buf, roomy(*buf, len), len);

	if (r < 0)
		return r;
	if (len > (*buf)->len)
		memset((*buf)->data + (*buf)->len, 0, len - (*buf)->len);
	(*buf)->len = len;
	return 0;
}

int zkfs_buf_pwrite(struct zkfs_buf **buf, const void *data, size_t len,
		    size_t off)
{
	size_t have = *buf ? (*buf)->len : 0;
	int r;

	/* write(2) of nothing changes nothing, not even the size. */
	if (len == 0)
		return 0;
	if (off > SIZE_MAX - len)
		return -ENOMEM;
	r = zkfs_buf_resize(buf, have > off + len ? have : off + len);
	if (r < 0)
		return r;
	memcpy((*buf)->data + off, data, len);
	return 0;
}

/*
 * buf: bytes that several owners share. A snapshot of a znode's data is one
 * buf: the reply's bytes are copied once, then every handle that was opened
 * on that version holds a reference. A buf that is shared is never written:
 * zkfs_buf_own() gives the caller one that nobody else sees.
 *
 * References are counted without locks: bufs belong to the loop's thread.
 */
#ifndef ZKFS_BASE_BUF_H
#define ZKFS_BASE_BUF_H

#include <stddef.h>

struct zkfs_buf {
	unsigned n_refs;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
	char data[];
};

/* A new buf with a copy of `len` bytes (`data` may be NULL when len is 0) and
 * one reference. NULL when memory is short. */
struct zkfs_buf *zkfs_buf_new(const void *data, size_t len);
struct zkfs_buf *zkfs_buf_ref(struct zkfs_buf *buf);
/* Drops a reference; NULL is fine. Returns NULL. */
struct zkfs_buf *zkfs_buf_unref(struct zkfs_buf *buf);

/* Makes *buf (may be NULL, then empty) private to the caller and at least
 * `cap` bytes large, copying when it is shared. Returns 0 or -ENOMEM, and
 * then *buf is as it was. */
int zkfs_buf_own(struct zkfs_buf **buf, size_t cap);
/* Sets the length, filling with zeroes where it grows. As zkfs_buf_own. */
int zkfs_buf_resize(struct zkfs_buf **buf, size_t len);
/* Writes at an offset, filling a hole with zeroes. As zkfs_buf_own. */
int zkfs_buf_pwrite(struct zkfs_buf **buf, const void *data, size_t len,
		    size_t off);

#endif

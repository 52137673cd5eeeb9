/*
 * made: open(2) with O_CREAT is a MKNOD and an OPEN. A file that this thread
 * has just made is opened as it was made, and no server is asked: the OPEN
 * cannot fail any more when the connection breaks between the two, which would
 * be an open that has failed and has made the file. That it is a moment old is
 * no matter, as the moment lies within the call.
 */
#ifndef ZKFS_OPS_MADE_H
#define ZKFS_OPS_MADE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* So many between MKNOD and OPEN at once; the oldest asks a server. */
#define ZKFS_MADE_N 64

struct zkfs_made {
	uint64_t id; /* of the node; 0: none */
	pid_t tid;
	int64_t made_ms;
};

struct zkfs_fs;
struct zkfs_node;

/* This thread has made it. */
void zkfs_made_note(struct zkfs_fs *fs, const struct zkfs_node *node,
		    pid_t tid);
/* Whether this is the OPEN of the call that has made it, and nobody is known to
 * have changed it since. True once. */
bool zkfs_made_take(struct zkfs_fs *fs, const struct zkfs_node *node,
		    pid_t tid);

#endif

/*
 * rewrite: a change of a znode's data that is made of what is there (truncate,
 * touch): read, set on the version that was read, and again when somebody was
 * faster, or when it was not sent over the connection that has read. Pure.
 *
 * A set whose reply was lost may have been done; done twice it is not the same,
 * as what another has written in between would be cut off. The version tells:
 * still the one that was read, it was not done (or the server lags behind, and
 * refuses the next set by its version); the next one with our data, it was; the
 * next one with other data, it was not, and never will be. Later versions tell
 * nothing: -EIO.
 */
#ifndef ZKFS_CORE_REWRITE_H
#define ZKFS_CORE_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/error.h"
#include "include/zkfs/zk.h"

enum zkfs_rewrite_next {
	ZKFS_REWRITE_READ,
	ZKFS_REWRITE_SET, /* new data, made of what was read, on its version */
	ZKFS_REWRITE_DONE,
	ZKFS_REWRITE_FAILED, /* `error` is a negative errno */
};

/* Zeroed at first. Its fields are the module's own, but `error`. */
struct zkfs_rewrite {
	int error;
	bool doubt;	 /* whether the last set was done is not known */
	int32_t version; /* what it was made of */
	int64_t czxid;	 /* ... of the znode with this one */
};

/* What was read. `same`: it is what the last set carried. `ours`: it is still
 * the znode that this is about; if not, -ESTALE. */
enum zkfs_rewrite_next zkfs_rewrite_read(struct zkfs_rewrite *rewrite,
					 enum zkfs_error error,
					 const struct zkfs_stat *stat,
					 bool same, bool ours);
/* `in_time`: there is time left to read again. */
enum zkfs_rewrite_next zkfs_rewrite_set(struct zkfs_rewrite *rewrite,
					enum zkfs_error error, bool in_time);

#endif

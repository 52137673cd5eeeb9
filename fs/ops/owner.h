/*
 * owner: what is not for everybody whom allow_other lets in and the mode bits
 * let write: setting an ACL, and ending another user's lock. As in a sticky
 * directory, it is for who owns the thing, for who owns the directory (the
 * files' owner, uid=, or who mounted), and for root.
 */
#ifndef ZKFS_OPS_OWNER_H
#define ZKFS_OPS_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

struct zkfs_op;

/* Whether the caller is root, who mounted, or the files' owner. */
bool zkfs_owner_calls(const struct zkfs_op *op);
/* The same, or the user `uid`. */
bool zkfs_owner_or(const struct zkfs_op *op, uid_t uid);

#endif

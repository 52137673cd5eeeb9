/*
 * quota: who has taken how much of what is limited (core/limits), in all and
 * by user, so that one user cannot take what all share.
 *
 * What costs something embeds a `struct zkfs_charge`, binds it to a user, and
 * says how much it costs now; it closes the charge when it goes.
 */
#ifndef ZKFS_CORE_QUOTA_H
#define ZKFS_CORE_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "fs/base/hash.h"
#include "fs/core/limits.h"

enum zkfs_quota_kind {
	ZKFS_QUOTA_OPEN,  /* open, open_user: handles */
	ZKFS_QUOTA_LOCKS, /* locks, locks_user: contenders */
	ZKFS_QUOTA_DATA,  /* data, data_user: bytes */
	_ZKFS_QUOTA_KIND_N
};

struct zkfs_quota_user;

struct zkfs_quota {
	const struct zkfs_limits *limits;
	struct zkfs_hash users;
	size_t used[_ZKFS_QUOTA_KIND_N];
	/* How often each limit was reached; those that are not kept here are
	 * counted by zkfs_quota_refused(). */
	uint64_t refused[_ZKFS_LIMIT_N];
};

struct zkfs_charge {
	struct zkfs_quota_user *user; /* NULL: not bound */
	size_t n[_ZKFS_QUOTA_KIND_N];
};

/* `limits` must outlive it. Returns 0 or -ENOMEM. */
int zkfs_quota_init(struct zkfs_quota *quota, const struct zkfs_limits *limits);
/* All charges have been closed. */
void zkfs_quota_fini(struct zkfs_quota *quota);

/* Binds a zeroed charge to a user; nothing is charged yet. Returns 0 or
 * -ENOMEM. */
int zkfs_quota_bind(struct zkfs_quota *quota, struct zkfs_charge *charge,
		    uint32_t uid);
/* Sets what it costs. Returns 0, or the errno of the limit that is in the way,
 * which is *ret_limit, and then nothing has changed. Less is always possible.
 */
int zkfs_quota_charge(struct zkfs_quota *quota, struct zkfs_charge *charge,
		      enum zkfs_quota_kind kind, size_t n,
		      enum zkfs_limit *ret_limit);
/* It costs nothing any more. Harmless on one that is not bound. */
void zkfs_quota_close(struct zkfs_quota *quota, struct zkfs_charge *charge);

/* Counts what a limit has refused, and returns its errno. */
int zkfs_quota_refused(struct zkfs_quota *quota, enum zkfs_limit limit);

/* How much of a limit is taken: in all, or for a limit of users by the one who
 * has taken most. 0 for those that are not kept here. */
size_t zkfs_quota_used(const struct zkfs_quota *quota, enum zkfs_limit limit);

#endif

/*
 * quota: see quota.h. A user's account lives while a charge is bound to it.
 */
#include "fs/core/quota.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "fs/base/util.h"

struct zkfs_quota_user {
	uint32_t uid;
	size_t n_charges;
	size_t used[_ZKFS_QUOTA_KIND_N];
	struct zkfs_hash_link by_uid;
};

static const struct {
	enum zkfs_limit all;
	enum zkfs_limit user;
} kinds[_ZKFS_QUOTA_KIND_N] = {
	[ZKFS_QUOTA_OPEN] = {ZKFS_LIMIT_open, ZKFS_LIMIT_open_user},
	[ZKFS_QUOTA_LOCKS] = {ZKFS_LIMIT_locks, ZKFS_LIMIT_locks_user},
	[ZKFS_QUOTA_DATA] = {ZKFS_LIMIT_data, ZKFS_LIMIT_data_user},
};

int zkfs_quota_init(struct zkfs_quota *quota, const struct zkfs_limits *limits)
{
	*quota = (struct zkfs_quota){.limits = limits};
	return zkfs_hash_init(&quota->users);
}

void zkfs_quota_fini(struct zkfs_quota *quota)
{
	zkfs_hash_fini(&quota->users);
}

static struct zkfs_quota_user *user_of(struct zkfs_hash_link *link)
{
	return zkfs_container_of(link, struct zkfs_quota_user, by_uid);
}

static struct zkfs_quota_user *find_user(const struct zkfs_quota *quota,
					 uint32_t uid)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&quota->users, zkfs_hash_u64(0, uid));

	while (it && user_of(it)->uid != uid)
		it = zkfs_hash_find_next(it);
	return it ? user_of(it) : NULL;
}

int zkfs_quota_bind(struct zkfs_quota *quota, struct zkfs_charge *charge,
		    uint32_t uid)
{
	struct zkfs_quota_user *user = find_user(quota, uid);

	assert(!charge->user);
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		zkfs_hash_add(&quota->users, &user->by_uid,
			      zkfs_hash_u64(0, uid));
	}
	user->n_charges++;
	charge->user = user;
	return 0;
}

int zkfs_quota_refused(struct zkfs_quota *quota, enum zkfs_limit limit)
{
	quota->refused[limit]++;
	return zkfs_limit_error(limit);
}

static bool fits(const struct zkfs_quota *quota, enum zkfs_limit limit,
		 size_t used, size_t more)
{
	size_t number = zkfs_limit_number(quota->limits, limit);

	return used <= number && more <= number - used;
}

static void set(struct zkfs_quota *quota, struct zkfs_charge *charge,
		enum zkfs_quota_kind kind, size_t n)
{
	size_t had = charge->n[kind];

	quota->used[kind] = quota->used[kind] - had + n;
	charge->user->used[kind] = charge->user->used[kind] - had + n;
	charge->n[kind] = n;
}

/* A user's own limit first: that of all says that others have to wait, too. */
int zkfs_quota_charge(struct zkfs_quota *quota, struct zkfs_charge *charge,
		      enum zkfs_quota_kind kind, size_t n,
		      enum zkfs_limit *ret_limit)
{
	size_t had = charge->n[kind];

	if (n > had &&
	    !fits(quota, kinds[kind].user, charge->user->used[kind], n - had))
		*ret_limit = kinds[kind].user;
	else if (n > had &&
		 !fits(quota, kinds[kind].all, quota->used[kind], n - had))
		*ret_limit = kinds[kind].all;
	else {
		set(quota, charge, kind, n);
		return 0;
	}
	return zkfs_quota_refused(quota, *ret_limit);
}

void zkfs_quota_close(struct zkfs_quota *quota, struct zkfs_charge *charge)
{
	struct zkfs_quota_user *user = charge->user;

	if (!user)
		return;
	for (int i = 0; i < _ZKFS_QUOTA_KIND_N; i++)
		set(quota, charge, (enum zkfs_quota_kind)i, 0);
	charge->user = NULL;
	if (--user->n_charges > 0)
		return;
	zkfs_hash_remove(&quota->users, &user->by_uid);
	free(user);
}

static size_t most_of_one(const struct zkfs_quota *quota,
			  enum zkfs_quota_kind kind)
{
	struct zkfs_hash_link *it = NULL;
	size_t most = 0;

	while ((it = zkfs_hash_next(&quota->users, it)))
		most = zkfs_max_size(most, user_of(it)->used[kind]);
	return most;
}

size_t zkfs_quota_used(const struct zkfs_quota *quota, enum zkfs_limit limit)
{
	for (int i = 0; i < _ZKFS_QUOTA_KIND_N; i++) {
		if (kinds[i].all == limit)
			return quota->used[i];
		if (kinds[i].user == limit)
			return most_of_one(quota, (enum zkfs_quota_kind)i);
	}
	return 0;
}

/*
 * lockq_own: the names of one contender, as paths that are filled with the
 * server's digits when they are made. Part of lockq.
 */
#ifndef ZKFS_CORE_LOCKQ_OWN_H
#define ZKFS_CORE_LOCKQ_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/zkfs/lockq.h"

struct zkfs_own_name {
	char *path;	 /* with digits while it is made, else without */
	size_t base_len; /* of path without digits */
	bool made;	 /* believed to be there */
};

struct zkfs_lockq_own {
	char prefix[3 + ZKFS_UUID_BYTES + 1]; /* "_c_<uuid>-" */
	size_t dir_len; /* of the lock's path and the slash */
	struct zkfs_own_name names[ZKFS_NAMES_MAX];
	size_t n_names;
	int64_t sequence; /* of the primary, names[0] */
	int64_t last;	  /* of the last of them */
};

/* Makes room for every path there can be, so that nothing after this fails.
 * Returns 0 or -ENOMEM, and then zkfs_lockq_own_fini() is still due. */
int zkfs_lockq_own_init(struct zkfs_lockq_own *own,
			const struct zkfs_lockq_config *config);
void zkfs_lockq_own_fini(struct zkfs_lockq_own *own);
/* Writes the names of a contender of this session. */
void zkfs_lockq_own_set(struct zkfs_lockq_own *own,
			const struct zkfs_lockq_config *config,
			int64_t session_id);

/* Takes `name` as the one made for names[i], if it can be. */
bool zkfs_lockq_own_adopt(struct zkfs_lockq_own *own, size_t i,
			  const char *name);
/* Takes those of our names that `entry` (may be NULL) shows, and forgets the
 * others. Returns their number. */
size_t zkfs_lockq_own_adopt_entry(struct zkfs_lockq_own *own,
				  const struct zkfs_queue_entry *entry);
/* Whether the list still has all of them: with one missing, one family of
 * clients does not see us. */
bool zkfs_lockq_own_all_listed(const struct zkfs_lockq_own *own,
			       const struct zkfs_queue *queue);

/* The operations that make them all, the primary with `data`, or that delete
 * those that are made. Return their number. */
size_t zkfs_lockq_own_creates(struct zkfs_lockq_own *own, const char *data,
			      struct zkfs_zk_op ops[ZKFS_NAMES_MAX]);
size_t zkfs_lockq_own_deletes(const struct zkfs_lockq_own *own,
			      struct zkfs_zk_op ops[ZKFS_NAMES_MAX]);

#endif

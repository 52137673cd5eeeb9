/*
 * queue: the children of a lock in the order in which they will hold it, one
 * entry a contender whatever the number of its names. Pure.
 */
#ifndef ZKFS_QUEUE_H
#define ZKFS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/zkfs/names.h"

struct zkfs_queue_entry {
	int64_t sequence;	  /* the lowest of its names' */
	enum zkfs_lock_mode mode; /* exclusive if any of its names is */
	char *names[ZKFS_NAMES_MAX];
	size_t n_names; /* in order of sequence; the primary is names[0] */
	char *label;	/* zkfs contenders: what the user called it, or NULL */
	bool may_downgrade; /* a stock Curator __WRIT__: facts/locks.md, 11 */
};

struct zkfs_queue {
	struct zkfs_queue_entry *entries; /* sorted by sequence, then name */
	size_t n_entries;
	bool may_downgrade; /* any of them */
	char *bytes;	    /* what the entries' strings point into */
};

/* Parses a child list; names that are no contenders are left out, names are
 * copied. A group of more than ZKFS_NAMES_MAX names becomes several entries.
 * Returns 0 or -ENOMEM, and then *ret_queue is untouched. */
int zkfs_queue_parse(const char *const *names, size_t n_names,
		     struct zkfs_queue *ret_queue);
void zkfs_queue_fini(struct zkfs_queue *queue);

/* The entry that has a name beginning with `prefix` ("_c_<uuid>-"), or NULL. */
const struct zkfs_queue_entry *zkfs_queue_find(const struct zkfs_queue *queue,
					       const char *prefix);
/* The same of one whose lowest number is known: as fast in a long queue. */
const struct zkfs_queue_entry *
zkfs_queue_find_at(const struct zkfs_queue *queue, int64_t sequence,
		   const char *prefix);
/* The nearest entry before `sequence` that a contender of `mode` must wait
 * for, other than the one beginning with `own` (NULL: none), or NULL. An equal
 * sequence number counts as before: numbers repeat once the server's counter
 * is at its end, and then waiting is safe where a guess is not. */
const struct zkfs_queue_entry *
zkfs_queue_blocker(const struct zkfs_queue *queue, int64_t sequence,
		   enum zkfs_lock_mode mode, const char *own);
/* The `max` nearest of them alone, each with its first name and no label, so
 * that a thousand who wait do not keep a thousand names each; *ret_more says
 * whether there are others. 0 or -ENOMEM, and then nothing is changed. */
int zkfs_queue_nearest(const struct zkfs_queue *queue, int64_t sequence,
		       enum zkfs_lock_mode mode, const char *own, size_t max,
		       struct zkfs_queue *ret_kept, bool *ret_more);
/* Takes out an entry of the queue, known to have gone since the list was
 * read. Moves those behind it: pointers to entries are void. */
void zkfs_queue_remove(struct zkfs_queue *queue,
		       const struct zkfs_queue_entry *entry);

#endif

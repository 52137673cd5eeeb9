/*
 * queue_text: what LOCK/.queue says: a table, a line a contender in the order
 * of the queue, and behind them the children of the lock that are none. Pure.
 *
 *   pos      1, 2, ... in the queue
 *   mode     exclusive, shared
 *   state    held, waiting (several shared ones hold at a time)
 *   token    czxid of the contender: the fencing token
 *   session  ephemeralOwner; 0x0 for a child that stays whoever dies
 *   host     where it comes from; of other clients what they say of themselves
 *   pid, user (the number), command, since (UTC)
 *   entry    the name that `ls` shows and `rm` takes
 *
 * Columns are set apart by blanks; what is unknown is "-", a field is never
 * empty and has no blank in it.
 */
#ifndef ZKFS_QUEUE_TEXT_H
#define ZKFS_QUEUE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "include/zkfs/names.h"
#include "include/zkfs/zk.h"

/* How much of a child's data is looked at. */
#define ZKFS_QUEUE_TEXT_DATA_MAX 512

struct zkfs_queue_row {
	const char *entry;
	const char *name; /* of the (first) znode */
	bool contender;
	enum zkfs_lock_mode mode;
	bool known; /* the Stat and the data are */
	struct zkfs_stat stat;
	const char *data; /* with a NUL behind it */
};

/* Rows come in the order of the queue, those that are no contenders last. A new
 * string, or NULL when memory is short. */
char *zkfs_queue_text(const struct zkfs_queue_row *rows, size_t n);

#endif

/*
 * move: what a rename does next, and how it ends. Pure: it is told what came of
 * the last step. ZooKeeper cannot move a znode; the transaction makes or sets
 * the target and deletes the source, as a whole (ops/rename).
 *
 *	READ -> SEND -> DONE
 *	 ^       |  conflict: what was read is not so any more, or it was not
 *	 |       |  sent over the connection that has read it
 *	 +-------+
 *	         |  the reply is lost
 *	         +-> LOOK_SOURCE -> LOOK_TARGET -> DONE
 *
 * It is never sent again while it may have been done, and never said to be done
 * unless both names show it. What cannot be told is -EIO.
 */
#ifndef ZKFS_CORE_MOVE_H
#define ZKFS_CORE_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/error.h"
#include "include/zkfs/zk.h"

enum zkfs_move_next {
	ZKFS_MOVE_READ,	       /* the source, all below it, and the target */
	ZKFS_MOVE_SEND,	       /* the transaction made of that */
	ZKFS_MOVE_LOOK_SOURCE, /* behind a sync, as ops/lost does */
	ZKFS_MOVE_LOOK_TARGET, /* ... */
	ZKFS_MOVE_DONE,
	ZKFS_MOVE_FAILED, /* `error` is a negative errno */
};

/* Its fields are the module's own, but `error` and `unknown`. */
struct zkfs_move {
	unsigned tries;
	int error;
	bool unknown; /* FAILED: whether it was done cannot be known */
	bool is_file;
	bool replaces;
	struct zkfs_stat source, target; /* as they were read */
};

enum zkfs_move_next zkfs_move_begin(struct zkfs_move *move);
/* `target` is NULL when there is none. is_file: its data is set, as that of a
 * file or of a directory's data; else it is made anew. */
enum zkfs_move_next zkfs_move_read(struct zkfs_move *move,
				   const struct zkfs_stat *source, bool is_file,
				   const struct zkfs_stat *target);
/* Something has changed while it was read. -ESTALE when that is so every time.
 */
enum zkfs_move_next zkfs_move_again(struct zkfs_move *move);
enum zkfs_move_next zkfs_move_sent(struct zkfs_move *move,
				   enum zkfs_error error);
/* What the name means now, NULL: nothing. !known: that could not be found out.
 */
enum zkfs_move_next zkfs_move_found_source(struct zkfs_move *move, bool known,
					   const struct zkfs_stat *stat);
enum zkfs_move_next zkfs_move_found_target(struct zkfs_move *move, bool known,
					   const struct zkfs_stat *stat);

#endif

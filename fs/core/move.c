/* move: see move.h. */
#include "fs/core/move.h"

#include <errno.h>
#include <stddef.h>

#include "fs/core/outcome.h"

#define TRIES_MAX 16

static enum zkfs_move_next failed(struct zkfs_move *move, int error)
{
	move->error = error;
	return ZKFS_MOVE_FAILED;
}

static enum zkfs_move_next unknown(struct zkfs_move *move)
{
	move->unknown = true;
	return failed(move, -EIO);
}

enum zkfs_move_next zkfs_move_begin(struct zkfs_move *move)
{
	*move = (struct zkfs_move){.tries = 1};
	return ZKFS_MOVE_READ;
}

enum zkfs_move_next zkfs_move_read(struct zkfs_move *move,
				   const struct zkfs_stat *source, bool is_file,
				   const struct zkfs_stat *target)
{
	move->source = *source;
	move->is_file = is_file;
	move->replaces = target;
	if (target)
		move->target = *target;
	return ZKFS_MOVE_SEND;
}

enum zkfs_move_next zkfs_move_again(struct zkfs_move *move)
{
	if (move->tries >= TRIES_MAX)
		return failed(move, -ESTALE);
	move->tries++;
	return ZKFS_MOVE_READ;
}

enum zkfs_move_next zkfs_move_sent(struct zkfs_move *move,
				   enum zkfs_error error)
{
	switch (error) {
	case ZKFS_E_OK:
		return ZKFS_MOVE_DONE;
	case ZKFS_E_LOST:
		return ZKFS_MOVE_LOOK_SOURCE;
	case ZKFS_E_NONODE:
	case ZKFS_E_BADVERSION:
	case ZKFS_E_NODEEXISTS:
	case ZKFS_E_NOTEMPTY:
	case ZKFS_E_UNSENT:
		return zkfs_move_again(move);
	case ZKFS_E_TOOBIG:
		return failed(move, -EXDEV); /* mv(1) copies then */
	default:
		return failed(move, zkfs_error_to_errno(error));
	}
}

enum zkfs_move_next zkfs_move_found_source(struct zkfs_move *move, bool known,
					   const struct zkfs_stat *stat)
{
	if (!known)
		return unknown(move);
	if (zkfs_outcome_move_source(stat, move->source.czxid) ==
	    ZKFS_OUTCOME_NOT_DONE)
		return zkfs_move_again(move);
	return ZKFS_MOVE_LOOK_TARGET;
}

enum zkfs_move_next zkfs_move_found_target(struct zkfs_move *move, bool known,
					   const struct zkfs_stat *stat)
{
	const struct zkfs_stat *was = move->replaces ? &move->target : NULL;

	if (known &&
	    zkfs_outcome_move_target(stat, was, &move->source, move->is_file) ==
		    ZKFS_OUTCOME_DONE)
		return ZKFS_MOVE_DONE;
	return unknown(move);
}

/* outcome: see outcome.h. */
#include "fs/core/outcome.h"

#include <stddef.h>

enum zkfs_outcome zkfs_outcome_create(const struct zkfs_stat *found)
{
	/* To say of another's that it is ours is worse than an error: two would
	 * have made it. */
	return found ? ZKFS_OUTCOME_UNKNOWN : ZKFS_OUTCOME_NOT_DONE;
}

enum zkfs_outcome zkfs_outcome_delete(const struct zkfs_stat *found,
				      int64_t czxid)
{
	if (!found)
		return ZKFS_OUTCOME_DONE;
	if (czxid == 0)
		return ZKFS_OUTCOME_UNKNOWN;
	/* What has the name now was made later. */
	return found->czxid == czxid ? ZKFS_OUTCOME_NOT_DONE
				     : ZKFS_OUTCOME_DONE;
}

enum zkfs_outcome zkfs_outcome_move_source(const struct zkfs_stat *found,
					   int64_t czxid)
{
	return found && found->czxid == czxid ? ZKFS_OUTCOME_NOT_DONE
					      : ZKFS_OUTCOME_DONE;
}

/* The version that the transaction leaves: a file's is set once, be it old or
 * new; a directory has none but by a set (ops/rename, add_create()). */
static int32_t moved_version(const struct zkfs_stat *was,
			     const struct zkfs_stat *source, bool is_file)
{
	if (is_file)
		return was ? was->version + 1 : 1;
	return source->version > 0;
}

enum zkfs_outcome zkfs_outcome_move_target(const struct zkfs_stat *found,
					   const struct zkfs_stat *was,
					   const struct zkfs_stat *source,
					   bool is_file)
{
	if (!found || found->data_length != source->data_length ||
	    found->version != moved_version(was, source, is_file))
		return ZKFS_OUTCOME_UNKNOWN;
	/* A file stays what it is, a directory does not. */
	if (was && (found->czxid == was->czxid) != is_file)
		return ZKFS_OUTCOME_UNKNOWN;
	return ZKFS_OUTCOME_DONE;
}

enum zkfs_outcome zkfs_outcome_empty(const struct zkfs_stat *found,
				     const struct zkfs_stat *was)
{
	if (!found)
		return ZKFS_OUTCOME_UNKNOWN;
	if (was && found->czxid == was->czxid && found->version == was->version)
		return ZKFS_OUTCOME_NOT_DONE;
	return found->data_length == 0 ? ZKFS_OUTCOME_DONE
				       : ZKFS_OUTCOME_UNKNOWN;
}

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

enum zkfs_outcome zkfs_outcome_move_target(const struct zkfs_stat *found,
					   const struct zkfs_stat *was,
					   bool is_file)
{
	bool same;

	if (!found)
		return ZKFS_OUTCOME_UNKNOWN;
	if (!was)
		return ZKFS_OUTCOME_DONE;
	same = found->czxid == was->czxid;
	if (is_file ? same && found->version - was->version == 1 : !same)
		return ZKFS_OUTCOME_DONE;
	return ZKFS_OUTCOME_UNKNOWN;
}

enum zkfs_outcome zkfs_outcome_empty(const struct zkfs_stat *found,
				     const struct zkfs_stat *was)
{
	if (!found)
		return ZKFS_OUTCOME_UNKNOWN;
	if (found->data_length == 0)
		return ZKFS_OUTCOME_DONE;
	if (was && found->czxid == was->czxid && found->version == was->version)
		return ZKFS_OUTCOME_NOT_DONE;
	return ZKFS_OUTCOME_UNKNOWN;
}

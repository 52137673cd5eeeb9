/*
 * outcome: what has become of a change whose reply was lost, by what is found
 * behind a sync. Pure. (A set of data is core/commit's.) The sync goes through
 * the leader, which by then has made the change or never will: it came by a
 * connection that is no more, and a server's late request of a session that has
 * moved on is refused (SESSIONMOVED).
 *
 * Stat tells incarnations of a name apart (czxid), and of nothing who made it.
 * So a name that is there after a lost create may be ours or another's; there
 * is no place for a mark of ours, as both kinds begin empty.
 */
#ifndef ZKFS_CORE_OUTCOME_H
#define ZKFS_CORE_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "include/zkfs/zk.h"

enum zkfs_outcome {
	ZKFS_OUTCOME_DONE,
	ZKFS_OUTCOME_NOT_DONE, /* and it never will be: send it again */
	ZKFS_OUTCOME_UNKNOWN,
};

/* `found` is what the name means now, NULL: nothing. */

/* A create. */
enum zkfs_outcome zkfs_outcome_create(const struct zkfs_stat *found);
/* A delete of the znode with that czxid, or of whatever has the name (0). That
 * it is gone is what was wanted, whoever did it. */
enum zkfs_outcome zkfs_outcome_delete(const struct zkfs_stat *found,
				      int64_t czxid);
/* A move, by its source: DONE says that the source is gone, so that the target
 * has to be looked at. */
enum zkfs_outcome zkfs_outcome_move_source(const struct zkfs_stat *found,
					   int64_t czxid);
/* ... and by its target, whose source is gone. `was`: what it replaces, or
 * NULL; `source`: what it was before. A file's data is set, a directory is made
 * anew. */
enum zkfs_outcome zkfs_outcome_move_target(const struct zkfs_stat *found,
					   const struct zkfs_stat *was,
					   const struct zkfs_stat *source,
					   bool is_file);
/* The removal of a directory's data, of that version and length before. */
enum zkfs_outcome zkfs_outcome_empty(const struct zkfs_stat *found,
				     const struct zkfs_stat *was);

#endif

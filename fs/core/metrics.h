/*
 * metrics: what a mount counts from its start on, as plain numbers that are
 * added to where the thing happens:
 *
 *   fs->metrics.counters.commit_conflicts++;
 *   zkfs_histogram_add(&fs->metrics.lock_wait, us);
 *
 * A new counter is one line of ZKFS_COUNTERS. What the ZooKeeper client counts
 * is in include/zkfs/report.h.
 */
#ifndef ZKFS_CORE_METRICS_H
#define ZKFS_CORE_METRICS_H

#include <stdint.h>

#include "include/zkfs/histogram.h"

/* The kernel's requests, by their names in linux/fuse.h. */
#define ZKFS_OP_KINDS(X)                                                       \
	X(LOOKUP)                                                              \
	X(FORGET)                                                              \
	X(GETATTR)                                                             \
	X(SETATTR)                                                             \
	X(SYMLINK)                                                             \
	X(MKNOD)                                                               \
	X(MKDIR)                                                               \
	X(UNLINK)                                                              \
	X(RMDIR)                                                               \
	X(RENAME)                                                              \
	X(LINK)                                                                \
	X(OPEN)                                                                \
	X(READ)                                                                \
	X(WRITE)                                                               \
	X(STATFS)                                                              \
	X(RELEASE)                                                             \
	X(FSYNC)                                                               \
	X(SETXATTR)                                                            \
	X(GETXATTR)                                                            \
	X(LISTXATTR)                                                           \
	X(REMOVEXATTR)                                                         \
	X(FLUSH)                                                               \
	X(OPENDIR)                                                             \
	X(READDIR)                                                             \
	X(READDIRPLUS)                                                         \
	X(RELEASEDIR)                                                          \
	X(FSYNCDIR)                                                            \
	X(FLOCK)                                                               \
	X(GETLK)                                                               \
	X(SETLK)                                                               \
	X(POLL)

enum zkfs_op_kind {
#define ZKFS_OP_KIND_ENUM_(name) ZKFS_OP_##name,
	ZKFS_OP_KINDS(ZKFS_OP_KIND_ENUM_)
#undef ZKFS_OP_KIND_ENUM_
	_ZKFS_OP_KIND_N
};

/* X(field, metric, labels, help): those of one metric stand together. */
#define ZKFS_COUNTERS(X)                                                       \
	X(read_bytes, "zkfs_read_bytes_total", "",                             \
	  "Bytes of file contents given to readers.")                          \
	X(written_bytes, "zkfs_written_bytes_total", "",                       \
	  "Bytes of file contents taken from writers.")                        \
	X(conflicts, "zkfs_conflicts_total", "",                               \
	  "Open files that were not stored as the file had changed.")          \
	X(attr_hits, "zkfs_cache_requests_total",                              \
	  "cache=\"attributes\",result=\"hit\"",                               \
	  "What was answered without the server, as a watch covers it, or "    \
	  "not; what the kernel answers by itself is not seen.")               \
	X(attr_misses, "zkfs_cache_requests_total",                            \
	  "cache=\"attributes\",result=\"miss\"", "")                          \
	X(data_hits, "zkfs_cache_requests_total",                              \
	  "cache=\"data\",result=\"hit\"", "")                                 \
	X(data_misses, "zkfs_cache_requests_total",                            \
	  "cache=\"data\",result=\"miss\"", "")                                \
	X(name_hits, "zkfs_cache_requests_total",                              \
	  "cache=\"absent names\",result=\"hit\"", "")                         \
	X(name_misses, "zkfs_cache_requests_total",                            \
	  "cache=\"absent names\",result=\"miss\"", "")                        \
	X(events_emitted, "zkfs_events_total", "outcome=\"emitted\"",          \
	  "Changes made elsewhere, as told to inotify.")                       \
	X(events_dropped, "zkfs_events_total", "outcome=\"dropped\"", "")      \
	X(locks_busy, "zkfs_locks_busy_total", "",                             \
	  "Locks that were tried, not waited for, and were not free.")         \
	X(locks_lost, "zkfs_locks_lost_total", "",                             \
	  "Locks that were lost while somebody held or waited for them.")      \
	X(log_dropped, "zkfs_log_lines_dropped_total", "",                     \
	  "Lines of the log that were dropped, as nobody took them.")

struct zkfs_counters {
#define ZKFS_COUNTER_FIELD_(field, metric, labels, help) uint64_t field;
	ZKFS_COUNTERS(ZKFS_COUNTER_FIELD_)
#undef ZKFS_COUNTER_FIELD_
};

/* Linux has none above; one that is counts as 0. */
#define ZKFS_METRICS_ERRNO_MAX 133

struct zkfs_op_metrics {
	struct zkfs_histogram latency; /* until the answer */
	uint64_t errors[ZKFS_METRICS_ERRNO_MAX + 1];
};

struct zkfs_metrics {
	struct zkfs_op_metrics ops[_ZKFS_OP_KIND_N];
	struct zkfs_counters counters;
	struct zkfs_histogram lock_wait; /* of those that were granted */
};

/* "LOOKUP" */
const char *zkfs_op_name(enum zkfs_op_kind kind);

/* A request of the kernel was answered, with 0 or a negative errno. */
void zkfs_metrics_answered(struct zkfs_metrics *metrics, enum zkfs_op_kind kind,
			   int64_t us, int error);

#endif

/*
 * status: how a mount stands at one moment, collected by ops/control, and what
 * the two control files say of it and of what was counted (core/metrics):
 * `status` for people, lines of "key: value", and `metrics` for Prometheus.
 * Both are documented in zkfs(8): their names do not change.
 */
#ifndef ZKFS_CORE_STATUS_H
#define ZKFS_CORE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/text.h"
#include "fs/core/limits.h"
#include "fs/core/metrics.h"
#include "include/zkfs/names.h"
#include "include/zkfs/report.h"

/* X(field, key of the status, metric, labels, help): what there is just now.
 * Those of one metric stand together. */
#define ZKFS_GAUGES(X)                                                         \
	X(pending, "requests_pending", "zkfs_requests_pending", "",            \
	  "Requests of the kernel that are not answered.")                     \
	X(nodes, "nodes", "zkfs_nodes", "",                                    \
	  "Files and directories that the kernel or a request knows.")         \
	X(cached_nodes, "cached_nodes", "zkfs_cached_nodes", "",               \
	  "Of these, those that may be answered without the server.")          \
	X(cached_bytes, "cached_bytes", "zkfs_cached_bytes", "",               \
	  "Data of files that is kept for that.")                              \
	X(absent_names, "cached_absent_names", "zkfs_cached_absent_names", "", \
	  "Names that are known not to exist.")                                \
	X(watched, "watched", "zkfs_watched_nodes", "",                        \
	  "Files and directories that somebody watches with inotify.")         \
	X(observed, "observed", "zkfs_observed_names", "",                     \
	  "Names that are watched, to tell inotify of their changes.")         \
	X(unobserved, "observing", "zkfs_observed_names_due", "",              \
	  "Of these, those that are looked at now or have to be.")             \
	X(files, "open_files", "zkfs_open_handles", "kind=\"file\"",           \
	  "Open file descriptions.")                                           \
	X(dirs, "open_directories", "zkfs_open_handles", "kind=\"directory\"", \
	  "")                                                                  \
	X(lock_handles, "open_locks", "zkfs_open_handles", "kind=\"lock\"",    \
	  "")                                                                  \
	X(texts, "open_texts", "zkfs_open_handles", "kind=\"text\"", "")       \
	X(locks_held, "locks_held", "zkfs_locks", "state=\"held\"",            \
	  "Locks of this mount.")                                              \
	X(locks_waiting, "locks_waiting", "zkfs_locks", "state=\"waiting\"",   \
	  "")                                                                  \
	X(locks_leaving, "locks_leaving", "zkfs_locks", "state=\"leaving\"", "")

struct zkfs_gauges {
#define ZKFS_GAUGE_FIELD_(field, key, metric, labels, help) uint64_t field;
	ZKFS_GAUGES(ZKFS_GAUGE_FIELD_)
#undef ZKFS_GAUGE_FIELD_
};

/* Of a limit of users, `used` is by the one who has taken most. */
struct zkfs_status_limit {
	uint64_t used;
	uint64_t max;
	uint64_t refused;
};

/* A lock that is held. */
struct zkfs_status_lock {
	const char *path;
	const char *entry; /* its name there */
	enum zkfs_lock_mode mode;
	int64_t token; /* 0: not known yet */
	int64_t pid;
	int64_t held_ms;
};

struct zkfs_status {
	const char *version;
	const char *source;
	const char *mountpoint;
	int64_t now_ms; /* zkfs_clock_ms() */
	int64_t started_ms;
	int64_t started_unix_ms; /* the same, by the calendar */
	int64_t timeo_ms;
	struct zkfs_zk_report zk;
	int64_t lease_left_ms; /* 0: lost, or there was none yet */
	int64_t oldest_us;     /* age of the oldest pending request; 0: none */
	struct zkfs_gauges gauges;
	struct zkfs_status_limit limits[_ZKFS_LIMIT_N];
	const struct zkfs_status_lock *locks;
	size_t n_locks; /* no more than gauges.locks_held */
};

void zkfs_status_print(struct zkfs_text *text,
		       const struct zkfs_status *status);
void zkfs_status_print_metrics(struct zkfs_text *text,
			       const struct zkfs_status *status,
			       const struct zkfs_metrics *metrics);

#endif

/*
 * snapshot: see snapshot.h.
 */
#include "fs/ops/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/ops/contender.h"
#include "fs/ops/handle.h"

/* More are only counted: a page for people. */
#define LOCKS_SHOWN_MAX 1000

static void count_requests(const struct zkfs_fs *fs,
			   const struct zkfs_op *asker,
			   struct zkfs_status *status)
{
	int64_t now = zkfs_clock_us(), oldest = now;

	zkfs_list_for_each(it, &fs->ops) {
		const struct zkfs_op *op =
			zkfs_list_entry(it, struct zkfs_op, link);

		if (asker && op == asker)
			continue;
		status->gauges.pending++;
		oldest = zkfs_clock_earlier(oldest, op->started_us);
	}
	status->oldest_us = now - oldest;
}

static void count_handle(struct zkfs_gauges *gauges, enum zkfs_handle_kind kind)
{
	switch (kind) {
	case ZKFS_HANDLE_FILE:
		gauges->files++;
		break;
	case ZKFS_HANDLE_DIR:
		gauges->dirs++;
		break;
	case ZKFS_HANDLE_LOCK:
		gauges->lock_handles++;
		break;
	case ZKFS_HANDLE_TEXT:
		gauges->texts++;
		break;
	}
}

static void count_handles(const struct zkfs_fs *fs, struct zkfs_gauges *gauges)
{
	struct zkfs_hash_link *it = NULL;

	while ((it = zkfs_hash_next(&fs->handles, it)))
		count_handle(
			gauges,
			zkfs_container_of(it, struct zkfs_handle, by_fh)->kind);
}

static struct zkfs_status_lock lock_row(const struct zkfs_contender *contender,
					int64_t now_us)
{
	return (struct zkfs_status_lock){
		.path = contender->lock,
		.entry = contender->label,
		.mode = contender->mode,
		.token = zkfs_lockq_token(contender->lockq),
		.pid = contender->pid,
		.held_ms = (now_us - contender->granted_us) / 1000,
	};
}

static void count_locks(const struct zkfs_fs *fs, struct zkfs_status *status,
			struct zkfs_status_lock *rows)
{
	int64_t now_us = zkfs_clock_us();

	zkfs_list_for_each(it, &fs->contenders) {
		const struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->broken || !zkfs_contender_joined(contender)) {
			status->gauges.locks_leaving++;
		} else if (!contender->granted) {
			status->gauges.locks_waiting++;
		} else {
			status->gauges.locks_held++;
			if (status->n_locks < LOCKS_SHOWN_MAX)
				rows[status->n_locks++] =
					lock_row(contender, now_us);
		}
	}
}

static void count_limits(const struct zkfs_fs *fs,
			 struct zkfs_status_limit *limits)
{
	for (int i = 0; i < _ZKFS_LIMIT_N; i++) {
		enum zkfs_limit limit = (enum zkfs_limit)i;

		limits[i] = (struct zkfs_status_limit){
			.used = zkfs_quota_used(&fs->quota, limit),
			.max = zkfs_limit_number(&fs->config.limits, limit),
			.refused = fs->quota.refused[limit],
		};
	}
}

int zkfs_snapshot_print(struct zkfs_fs *fs, const struct zkfs_op *asker,
			void (*print)(struct zkfs_text *text,
				      const struct zkfs_status *status,
				      const struct zkfs_metrics *metrics),
			struct zkfs_text *text)
{
	zkfs_autofree struct zkfs_status_lock *rows =
		calloc(LOCKS_SHOWN_MAX, sizeof(*rows));
	struct zkfs_status status = {
		.version = fs->config.version,
		.source = fs->config.source,
		.mountpoint = fs->config.mountpoint,
		.started_ms = fs->started_ms,
		.started_unix_ms = fs->started_unix_ms,
		.timeo_ms = fs->config.timeo_ms,
		.gauges.nodes = fs->tree.by_id.n,
		.gauges.cached_nodes = fs->cache.n_nodes,
		.gauges.cached_bytes = fs->cache.n_bytes,
		.gauges.absent_names = fs->absents.n,
		.gauges.watched = fs->observer.n_watched,
		.gauges.observed = fs->observer.n_names,
		.gauges.unobserved = fs->observer.n_due,
		.locks = rows,
	};

	if (!rows)
		return -ENOMEM;
	/* A daemon that was stopped shows no lock that it has lost since. */
	zkfs_heartbeat_check(fs);
	status.now_ms = zkfs_clock_ms();
	status.lease_left_ms =
		zkfs_lease_left_ms(&fs->heartbeat.lease, status.now_ms);
	zkfs_zk_report(fs->zk, &status.zk);
	count_requests(fs, asker, &status);
	count_handles(fs, &status.gauges);
	count_locks(fs, &status, rows);
	count_limits(fs, status.limits);
	fs->metrics.counters.log_dropped = zkfs_log_dropped();
	print(text, &status, &fs->metrics);
	return text->failed ? -ENOMEM : 0;
}

static void print_status(struct zkfs_text *text,
			 const struct zkfs_status *status,
			 zkfs_unused const struct zkfs_metrics *metrics)
{
	zkfs_status_print(text, status);
}

void zkfs_snapshot_log(struct zkfs_fs *fs)
{
	struct zkfs_text text = {0};
	char *save = NULL, *line;

	if (zkfs_snapshot_print(fs, NULL, print_status, &text) < 0)
		zkfs_warning("no memory to tell the status; ignoring");
	else
		for (line = strtok_r(text.data, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			zkfs_info("status: %s", line);
	zkfs_text_fini(&text);
}

/*
 * status: see status.h. This is the page for people.
 */
#include "fs/core/status.h"

#include <inttypes.h>

static void line(struct zkfs_text *text, const char *key, const char *value)
{
	zkfs_text_printf(text, "%s: ", key);
	zkfs_text_word(text, value);
	zkfs_text_printf(text, "\n");
}

static void number(struct zkfs_text *text, const char *key, uint64_t value)
{
	zkfs_text_printf(text, "%s: %" PRIu64 "\n", key, value);
}

static void seconds(struct zkfs_text *text, const char *key, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	zkfs_text_printf(text, "%s: %" PRId64 ".%03d\n", key, ms / 1000,
			 (int)(ms % 1000));
}

/* Each connection after the first, be it of the same session or a new one. */
static uint64_t reconnects(const struct zkfs_zk_metrics *metrics)
{
	return metrics->connections > 0 ? metrics->connections - 1 : 0;
}

static void print_session(struct zkfs_text *text,
			  const struct zkfs_status *status)
{
	const struct zkfs_zk_report *zk = &status->zk;

	line(text, "state", zk->state);
	seconds(text, "state_seconds", status->now_ms - zk->since_ms);
	line(text, "server", *zk->server ? zk->server : "none");
	zkfs_text_printf(text, "session: 0x%" PRIx64 "\n",
			 (uint64_t)zk->session_id);
	seconds(text, "session_timeout_seconds", zk->timeout_ms);
	number(text, "sessions_expired", zk->metrics->expiries);
	number(text, "reconnects", reconnects(zk->metrics));
	line(text, "lease", status->lease_left_ms > 0 ? "alive" : "lost");
	seconds(text, "lease_left_seconds", status->lease_left_ms);
	number(text, "server_requests_queued", zk->n_queued);
	number(text, "server_requests_sent", zk->n_sent);
	number(text, "watches", zk->n_watches);
	number(text, "watch_bytes", zk->watch_bytes);
	number(text, "watch_bytes_max", zk->watch_budget);
	number(text, "watches_refused", zk->metrics->watches_refused);
}

static void print_gauges(struct zkfs_text *text,
			 const struct zkfs_gauges *gauges)
{
#define PRINT(field, key, metric, labels, help)                                \
	number(text, key, gauges->field);
	ZKFS_GAUGES(PRINT)
#undef PRINT
}

static void print_limits(struct zkfs_text *text,
			 const struct zkfs_status_limit *limits)
{
	for (int i = 0; i < _ZKFS_LIMIT_N; i++)
		zkfs_text_printf(text,
				 "limit: %s used=%" PRIu64 " max=%" PRIu64
				 " refused=%" PRIu64 "\n",
				 zkfs_limit_option((enum zkfs_limit)i),
				 limits[i].used, limits[i].max,
				 limits[i].refused);
}

/* The path last, as it is the longest. */
static void print_lock(struct zkfs_text *text,
		       const struct zkfs_status_lock *lock)
{
	zkfs_text_printf(text,
			 "lock: mode=%s token=0x%016" PRIx64 " pid=%" PRId64
			 " held_seconds=%" PRId64 ".%03d path=",
			 lock->mode == ZKFS_LOCK_SHARED ? "shared"
							: "exclusive",
			 (uint64_t)lock->token, lock->pid, lock->held_ms / 1000,
			 (int)(lock->held_ms % 1000));
	zkfs_text_word(text, lock->path);
	zkfs_text_printf(text, " entry=");
	zkfs_text_word(text, lock->entry);
	zkfs_text_printf(text, "\n");
}

void zkfs_status_print(struct zkfs_text *text, const struct zkfs_status *status)
{
	line(text, "version", status->version);
	line(text, "source", status->source);
	line(text, "mountpoint", status->mountpoint);
	seconds(text, "uptime_seconds", status->now_ms - status->started_ms);
	print_session(text, status);
	seconds(text, "request_timeout_seconds", status->timeo_ms);
	seconds(text, "oldest_request_seconds", status->oldest_us / 1000);
	print_gauges(text, &status->gauges);
	print_limits(text, status->limits);
	for (size_t i = 0; i < status->n_locks; i++)
		print_lock(text, &status->locks[i]);
	if (status->n_locks < status->gauges.locks_held)
		number(text, "locks_not_shown",
		       status->gauges.locks_held - status->n_locks);
}

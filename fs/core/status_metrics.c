/*
 * status_metrics: the page for Prometheus; see status.h. Names end in their
 * unit, counters in _total (prometheus.io/docs/practices/naming). A series that
 * may come to be is there from the start, at 0, but for the errors: there are
 * too many that never happen.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "fs/core/prometheus.h"
#include "fs/core/status.h"

#define LABELS_MAX 128

/* How the mount is. */

static void print_info(struct zkfs_text *text, const struct zkfs_status *status)
{
	struct zkfs_text labels = {0};

	zkfs_prometheus_family(text, "zkfs_info", "gauge", "What is mounted.");
	zkfs_prometheus_label(&labels, "version", status->version);
	zkfs_prometheus_label(&labels, "source", status->source);
	zkfs_prometheus_label(&labels, "mountpoint", status->mountpoint);
	if (labels.failed)
		text->failed = true;
	else
		zkfs_prometheus_number(text, "zkfs_info", labels.data, 1);
	zkfs_text_fini(&labels);
}

static void print_seconds(struct zkfs_text *text, const char *name,
			  const char *help, int64_t us)
{
	zkfs_prometheus_family(text, name, "gauge", help);
	zkfs_prometheus_seconds(text, name, "", us);
}

static void print_times(struct zkfs_text *text,
			const struct zkfs_status *status)
{
	print_seconds(text, "zkfs_start_time_seconds",
		      "When the mount began, since 1970.",
		      status->started_unix_ms * 1000);
	print_seconds(text, "zkfs_oldest_request_seconds",
		      "Age of the oldest request that is not answered.",
		      status->oldest_us);
	print_seconds(text, "zkfs_lease_left_seconds",
		      "How long locks last if the server is not heard any "
		      "more.",
		      status->lease_left_ms * 1000);
	print_seconds(text, "zkfs_session_timeout_seconds",
		      "Negotiated with the server.",
		      status->zk.timeout_ms * 1000);
}

struct row {
	const char *metric;
	const char *labels;
	const char *help;
	uint64_t value;
};

/* Neighbours of one metric are one family. */
static void print_rows(struct zkfs_text *text, const char *type,
		       const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(rows[i].metric, rows[i - 1].metric) != 0)
			zkfs_prometheus_family(text, rows[i].metric, type,
					       rows[i].help);
		zkfs_prometheus_number(text, rows[i].metric, rows[i].labels,
				       rows[i].value);
	}
}

static void print_gauges(struct zkfs_text *text,
			 const struct zkfs_gauges *gauges)
{
	const struct row rows[] = {
#define ROW(field, key, metric, labels, help)                                  \
	{metric, labels, help, gauges->field},
		ZKFS_GAUGES(ROW)
#undef ROW
	};

	print_rows(text, "gauge", rows, ZKFS_ARRAY_SIZE(rows));
}

static void print_counters(struct zkfs_text *text,
			   const struct zkfs_counters *counters)
{
	const struct row rows[] = {
#define ROW(field, metric, labels, help)                                       \
	{metric, labels, help, counters->field},
		ZKFS_COUNTERS(ROW)
#undef ROW
	};

	print_rows(text, "counter", rows, ZKFS_ARRAY_SIZE(rows));
}

/* The kernel's requests */

static const char *op_label(char labels[LABELS_MAX], enum zkfs_op_kind kind)
{
	(void)snprintf(labels, LABELS_MAX, "op=\"%s\"", zkfs_op_name(kind));
	return labels;
}

static void print_latencies(struct zkfs_text *text,
			    const struct zkfs_metrics *metrics)
{
	const char *name = "zkfs_request_duration_seconds";
	char labels[LABELS_MAX];

	zkfs_prometheus_family(text, name, "histogram",
			       "Requests of the kernel, until the answer.");
	for (int i = 0; i < _ZKFS_OP_KIND_N; i++)
		zkfs_prometheus_histogram(
			text, name, op_label(labels, (enum zkfs_op_kind)i),
			&metrics->ops[i].latency);
}

static void print_op_errors(struct zkfs_text *text, const char *name,
			    enum zkfs_op_kind kind,
			    const struct zkfs_op_metrics *op)
{
	char labels[LABELS_MAX];

	for (int i = 0; i <= ZKFS_METRICS_ERRNO_MAX; i++) {
		const char *error = i ? strerrorname_np(i) : NULL;

		if (op->errors[i] == 0)
			continue;
		(void)snprintf(labels, LABELS_MAX, "op=\"%s\",errno=\"%s\"",
			       zkfs_op_name(kind), error ? error : "other");
		zkfs_prometheus_number(text, name, labels, op->errors[i]);
	}
}

static void print_errors(struct zkfs_text *text,
			 const struct zkfs_metrics *metrics)
{
	const char *name = "zkfs_request_errors_total";

	zkfs_prometheus_family(text, name, "counter",
			       "Requests of the kernel that were answered "
			       "with an error.");
	for (int i = 0; i < _ZKFS_OP_KIND_N; i++)
		print_op_errors(text, name, (enum zkfs_op_kind)i,
				&metrics->ops[i]);
}

/* The server */

/* A switch, so that the compiler misses one that is new. */
static const char *kind_name(enum zkfs_zk_kind kind)
{
	switch (kind) {
	case ZKFS_ZK_EXISTS:
		return "exists";
	case ZKFS_ZK_GET:
		return "get";
	case ZKFS_ZK_CHILDREN:
		return "children";
	case ZKFS_ZK_GET_ACL:
		return "get_acl";
	case ZKFS_ZK_SET:
		return "set";
	case ZKFS_ZK_SET_ACL:
		return "set_acl";
	case ZKFS_ZK_DELETE:
		return "delete";
	case ZKFS_ZK_MULTI:
		return "multi";
	case ZKFS_ZK_SYNC:
		return "sync";
	case _ZKFS_ZK_KIND_N:
		break;
	}
	assert(0);
	return "";
}

static void print_round_trips(struct zkfs_text *text,
			      const struct zkfs_zk_metrics *zk)
{
	const char *name = "zkfs_server_request_duration_seconds";
	char labels[LABELS_MAX];

	zkfs_prometheus_family(text, name, "histogram",
			       "Requests to the server, until its answer.");
	for (int i = 0; i < _ZKFS_ZK_KIND_N; i++) {
		(void)snprintf(labels, LABELS_MAX, "request=\"%s\"",
			       kind_name((enum zkfs_zk_kind)i));
		zkfs_prometheus_histogram(text, name, labels,
					  &zk->kinds[i].latency);
	}
}

static const char *error_name(int error)
{
	static const char *const names[_ZKFS_ERROR_N] = {
#define NAME(name, code, err, words) #name,
		ZKFS_ERRORS(NAME)
#undef NAME
	};

	return names[error];
}

static void print_server_errors(struct zkfs_text *text,
				const struct zkfs_zk_metrics *zk)
{
	const char *name = "zkfs_server_request_errors_total";
	char labels[LABELS_MAX];

	zkfs_prometheus_family(text, name, "counter",
			       "Requests to the server that have failed.");
	for (int i = 0; i < _ZKFS_ZK_KIND_N; i++) {
		for (int j = ZKFS_E_OK + 1; j < _ZKFS_ERROR_N; j++) {
			if (zk->kinds[i].outcomes[j] == 0)
				continue;
			(void)snprintf(labels, LABELS_MAX,
				       "request=\"%s\",error=\"%s\"",
				       kind_name((enum zkfs_zk_kind)i),
				       error_name(j));
			zkfs_prometheus_number(text, name, labels,
					       zk->kinds[i].outcomes[j]);
		}
	}
}

static void print_server_counters(struct zkfs_text *text,
				  const struct zkfs_zk_metrics *zk)
{
	const struct row rows[] = {
		{"zkfs_server_sent_bytes_total", "",
		 "Bytes of requests to the server.", zk->sent_bytes},
		{"zkfs_server_requests_resent_total", "",
		 "Requests that were sent once more, as the connection was "
		 "lost.",
		 zk->resent},
		{"zkfs_connections_total", "",
		 "Connections to a server that were made.", zk->connections},
		{"zkfs_sessions_expired_total", "", "Sessions that have ended.",
		 zk->expiries},
		{"zkfs_watch_events_total", "",
		 "Changes that the server has told of.", zk->watch_events},
		{"zkfs_watches_refused_total", "",
		 "Watches that were not set, as there were too many.",
		 zk->watches_refused},
	};

	print_rows(text, "counter", rows, ZKFS_ARRAY_SIZE(rows));
}

static void print_limit_family(struct zkfs_text *text, const char *name,
			       const char *type, const char *help,
			       const struct zkfs_status_limit *limits,
			       size_t offset)
{
	zkfs_prometheus_family(text, name, type, help);
	for (int i = 0; i < _ZKFS_LIMIT_N; i++) {
		const char *at = (const char *)&limits[i] + offset;
		char labels[64];

		(void)snprintf(labels, sizeof(labels), "limit=\"%s\"",
			       zkfs_limit_option((enum zkfs_limit)i));
		zkfs_prometheus_number(text, name, labels,
				       *(const uint64_t *)(const void *)at);
	}
}

static void print_limits(struct zkfs_text *text,
			 const struct zkfs_status_limit *limits)
{
	print_limit_family(text, "zkfs_limit_used", "gauge",
			   "What is taken of the limits: in all, or by the "
			   "user who has taken most.",
			   limits, offsetof(struct zkfs_status_limit, used));
	print_limit_family(text, "zkfs_limit_max", "gauge",
			   "What there is of them.", limits,
			   offsetof(struct zkfs_status_limit, max));
	print_limit_family(text, "zkfs_limit_refused_total", "counter",
			   "Calls that failed for them.", limits,
			   offsetof(struct zkfs_status_limit, refused));
}

static void print_server_gauges(struct zkfs_text *text,
				const struct zkfs_zk_report *zk)
{
	const struct row rows[] = {
		{"zkfs_connected", "", "Whether a server is there.",
		 zk->connected},
		{"zkfs_server_requests_pending", "state=\"queued\"",
		 "Requests to the server that it has not answered.",
		 zk->n_queued},
		{"zkfs_server_requests_pending", "state=\"sent\"", "",
		 zk->n_sent},
		{"zkfs_watches", "", "Watches that are set.", zk->n_watches},
		{"zkfs_watch_bytes", "", "What these count for.",
		 zk->watch_bytes},
		{"zkfs_watch_bytes_max", "",
		 "What they may; one more is not set.", zk->watch_budget},
	};

	print_rows(text, "gauge", rows, ZKFS_ARRAY_SIZE(rows));
}

void zkfs_status_print_metrics(struct zkfs_text *text,
			       const struct zkfs_status *status,
			       const struct zkfs_metrics *metrics)
{
	print_info(text, status);
	print_times(text, status);
	print_gauges(text, &status->gauges);
	print_limits(text, status->limits);
	print_counters(text, &metrics->counters);
	print_latencies(text, metrics);
	print_errors(text, metrics);
	zkfs_prometheus_family(text, "zkfs_lock_wait_seconds", "histogram",
			       "From asking for a lock until it was ours.");
	zkfs_prometheus_histogram(text, "zkfs_lock_wait_seconds", "",
				  &metrics->lock_wait);
	print_server_gauges(text, &status->zk);
	print_server_counters(text, status->zk.metrics);
	print_round_trips(text, status->zk.metrics);
	print_server_errors(text, status->zk.metrics);
}

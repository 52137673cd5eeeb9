/*
 * report: what the ZooKeeper client tells of itself, for operators: what it has
 * counted since it was opened, and how things stand.
 */
#ifndef ZKFS_REPORT_H
#define ZKFS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/zkfs/error.h"
#include "include/zkfs/histogram.h"
#include "include/zkfs/zk.h"

struct zkfs_zk_kind_metrics {
	/* From the sending to the server's answer. */
	struct zkfs_histogram latency;
	/* What those who asked were told, by whomever; [ZKFS_E_OK] too. */
	uint64_t outcomes[_ZKFS_ERROR_N];
};

struct zkfs_zk_metrics {
	struct zkfs_zk_kind_metrics kinds[_ZKFS_ZK_KIND_N];
	uint64_t sent_bytes;  /* of requests */
	uint64_t resent;      /* reads, after a connection was lost */
	uint64_t connections; /* that were made */
	uint64_t expiries;    /* of sessions */
	uint64_t watch_events;
	uint64_t watches_refused; /* over the budget, or without memory */
};

struct zkfs_zk_report {
	const struct zkfs_zk_metrics *metrics; /* the client's own */
	const char *state;		       /* "connected", ... */
	char server[64];    /* "1.2.3.4:2181"; "" when there is none */
	int64_t session_id; /* 0 before the first */
	int64_t timeout_ms; /* negotiated, or asked for */
	int64_t since_ms;   /* the state is what it is: zkfs_clock_ms() */
	bool connected;
	size_t n_queued; /* requests that are not sent */
	size_t n_sent;	 /* and not answered */
	size_t n_watches;
	size_t watch_bytes;
	size_t watch_budget;
};

void zkfs_zk_report(const struct zkfs_zk *zk,
		    struct zkfs_zk_report *ret_report);

#endif

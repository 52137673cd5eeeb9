/* report: see include/zkfs/report.h. */
#include "include/zkfs/report.h"

#include <stdio.h>

#include "fs/base/list.h"
#include "fs/zk/private.h"
#include "fs/zk/session.h"

static size_t count(const struct zkfs_link *list)
{
	size_t n = 0;

	zkfs_list_for_each(it, list)
		n++;
	return n;
}

void zkfs_zk_report(const struct zkfs_zk *zk, struct zkfs_zk_report *ret_report)
{
	bool connected = zkfs_session_usable(zk);

	*ret_report = (struct zkfs_zk_report){
		.metrics = &zk->metrics,
		.state = zkfs_session_state(zk),
		.session_id = zk->session_id,
		.timeout_ms = zk->timeout_ms,
		.since_ms = zk->since_ms,
		.connected = connected,
		.n_queued = count(&zk->outbox.queued),
		.n_sent = zk->n_calls,
		.n_watches = zk->watches.n_charged,
		.watch_bytes = zk->watches.bytes,
		.watch_budget = zk->watches.budget,
	};
	if (connected)
		(void)snprintf(ret_report->server, sizeof(ret_report->server),
			       "%s", zoo_get_current_server(zk->zh));
}

/* outbox: see outbox.h. */
#include "fs/zk/outbox.h"

#include <assert.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"

static struct zkfs_zk_req *req_of(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct zkfs_zk_req, link);
}

void zkfs_outbox_init(struct zkfs_outbox *outbox)
{
	zkfs_list_init(&outbox->queued);
	zkfs_list_init(&outbox->answers);
	outbox->seq = 0;
	outbox->scan_ms = ZKFS_NEVER;
}

void zkfs_outbox_add(struct zkfs_outbox *outbox, struct zkfs_zk_req *req)
{
	assert(!req->active);
	req->active = true;
	req->seq = ++outbox->seq;
	req->call = NULL;
	req->verdict = ZKFS_E_OK;
	zkfs_list_init(&req->link);
	zkfs_list_append(&outbox->queued, &req->link);
	outbox->scan_ms = zkfs_clock_earlier(outbox->scan_ms, req->deadline_ms);
}

void zkfs_outbox_again(struct zkfs_outbox *outbox, struct zkfs_zk_req *req)
{
	struct zkfs_link *next = outbox->queued.next;

	assert(req->active && !req->call);
	/* At most the few hundred that can be under way stand before it. */
	while (next != &outbox->queued && req_of(next)->seq < req->seq)
		next = next->next;
	zkfs_list_append(next, &req->link); /* that is: before `next` */
}

void zkfs_outbox_decide(struct zkfs_outbox *outbox, struct zkfs_zk_req *req,
			enum zkfs_error verdict)
{
	assert(req->active && !req->call);
	zkfs_list_remove(&req->link);
	req->verdict = verdict;
	zkfs_list_append(&outbox->answers, &req->link);
}

struct zkfs_zk_req *zkfs_outbox_first(const struct zkfs_outbox *outbox)
{
	struct zkfs_link *link = zkfs_list_first(&outbox->queued);

	return link ? req_of(link) : NULL;
}

void zkfs_outbox_take(struct zkfs_outbox *outbox, struct zkfs_zk_req *req)
{
	assert(zkfs_outbox_first(outbox) == req);
	zkfs_list_remove(&req->link);
}

void zkfs_outbox_expire(struct zkfs_outbox *outbox, int64_t now_ms)
{
	outbox->scan_ms = ZKFS_NEVER;
	zkfs_list_for_each_safe(it, &outbox->queued) {
		struct zkfs_zk_req *req = req_of(it);

		if (req->deadline_ms <= now_ms)
			zkfs_outbox_decide(outbox, req, ZKFS_E_TIMEDOUT);
		else
			outbox->scan_ms = zkfs_clock_earlier(outbox->scan_ms,
							     req->deadline_ms);
	}
}

static bool is_of(const struct zkfs_zk_req *req, enum zkfs_outbox_those those)
{
	switch (those) {
	case ZKFS_OUTBOX_OF_SESSION:
		return req->generation != 0;
	case ZKFS_OUTBOX_OF_CONNECTION:
		return req->connection != 0;
	case ZKFS_OUTBOX_ALL:
		break;
	}
	return true;
}

void zkfs_outbox_fail(struct zkfs_outbox *outbox, enum zkfs_outbox_those those,
		      enum zkfs_error verdict)
{
	zkfs_list_for_each_safe(it, &outbox->queued) {
		struct zkfs_zk_req *req = req_of(it);

		if (is_of(req, those))
			zkfs_outbox_decide(outbox, req, verdict);
	}
}

void zkfs_outbox_take_answers(struct zkfs_outbox *outbox,
			      struct zkfs_link *batch)
{
	zkfs_list_for_each_safe(it, &outbox->answers) {
		zkfs_list_remove(it);
		zkfs_list_append(batch, it);
	}
}

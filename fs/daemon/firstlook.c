/* firstlook: see firstlook.h. */
#include "fs/daemon/firstlook.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "fs/daemon/loop.h"
#include "fs/zk/servers.h"
#include "fs/zk/session.h"

struct first_look {
	struct zkfs_zk_req req;
	bool done;
	enum zkfs_error error;
	struct zkfs_stat stat;
};

static void on_first_look(struct zkfs_zk_req *req,
			  const struct zkfs_zk_reply *reply)
{
	struct first_look *look =
		zkfs_container_of(req, struct first_look, req);

	look->done = true;
	look->error = reply->error;
	if (!reply->error)
		look->stat = *reply->stat;
}

/* TLS has failed with each of them, and will. */
static bool is_hopeless(const struct zkfs_zk *zk)
{
	bool final;

	return zkfs_session_failure(zk, &final) && final;
}

static void explain(const struct first_look *look, const struct zkfs_loop *loop,
		    const char *hosts, char *words, size_t words_len)
{
	bool final;
	const char *why = zkfs_session_failure(loop->zk, &final);

	if (loop->stop)
		why = "interrupted";
	else if (!why)
		why = look->done ? zkfs_error_words(look->error)
				 : "interrupted";
	(void)snprintf(words, words_len, "no ZooKeeper session with %s: %s",
		       hosts, why);
}

int zkfs_firstlook(struct zkfs_loop *loop, const struct zkfs_servers *servers,
		   int64_t timeo_ms, struct zkfs_stat *ret_stat, char *words,
		   size_t words_len)
{
	struct first_look look = {
		.req = {.kind = ZKFS_ZK_EXISTS,
			.path = "/",
			.deadline_ms = zkfs_clock_ms() + timeo_ms,
			.done = on_first_look}};

	zkfs_zk_submit(loop->zk, &look.req);
	while (!look.done && !loop->stop && !is_hopeless(loop->zk))
		if (zkfs_loop_turn(loop, ZKFS_NEVER) < 0)
			break;
	zkfs_zk_cancel(loop->zk, &look.req);
	if (look.error == ZKFS_E_NONODE)
		(void)snprintf(words, words_len,
			       "'%s' does not exist on the server; create it "
			       "first",
			       *servers->chroot ? servers->chroot : "/");
	else if (look.error || !look.done)
		explain(&look, loop, servers->hosts, words, words_len);
	else
		*ret_stat = look.stat;
	if (!look.done)
		return loop->stop ? -EINTR : -EPROTO;
	return zkfs_error_to_errno(look.error);
}

/*
 * session: see session.h. This is the only file that drives the library, and
 * the place where its traps are dealt with; each is named where it is.
 *
 *   CONNECTING -> CONNECTED <-> RECONNECTING
 *       ^  |        |  |            |  |
 *       |  v        v  '-> REFUSED <'  |    (either may also end the first
 *       '- EXPIRED <-------'  |--------'     CONNECTING)
 *       '---------------------'
 *
 * The library's state is read after each call into it and compared with ours:
 * zkfs_session_settle(). Its session events are not enough: a failed send and a
 * failed authentication by SASL give none.
 */
#include "fs/zk/session.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/auth.h"
#include "fs/zk/call.h"
#include "fs/zk/completion.h"
#include "fs/zk/connection.h"
#include "fs/zk/guard.h"
#include "fs/zk/hosts.h"
#include "fs/zk/private.h"
#include "fs/zk/send.h"

/* Between two attempts to make a handle, when that itself fails. */
#define REOPEN_MS 1000
/* Between two sessions whose credentials were refused. */
#define REFUSED_MS 30000

static const struct {
	const char *name;
	unsigned next; /* bits: the states that may follow */
} states[_ZKFS_SESSION_STATE_N] = {
#define TO(state) (1U << ZKFS_SESSION_##state)
	[ZKFS_SESSION_CONNECTING] = {"connecting", TO(CONNECTED) | TO(EXPIRED) |
							   TO(REFUSED) |
							   TO(CLOSED)},
	[ZKFS_SESSION_CONNECTED] = {"connected", TO(RECONNECTING) | TO(CLOSED)},
	[ZKFS_SESSION_RECONNECTING] = {"reconnecting",
				       TO(CONNECTED) | TO(EXPIRED) |
					       TO(REFUSED) | TO(CLOSED)},
	[ZKFS_SESSION_EXPIRED] = {"expired", TO(CONNECTING) | TO(CLOSED)},
	[ZKFS_SESSION_REFUSED] = {"refused", TO(CONNECTING) | TO(CLOSED)},
	[ZKFS_SESSION_CLOSED] = {"closed", 0},
#undef TO
};

const char *zkfs_session_state(const struct zkfs_zk *zk)
{
	return states[zk->state].name;
}

static void move(struct zkfs_zk *zk, enum zkfs_session_state next)
{
	zkfs_debug("session: %s -> %s", states[zk->state].name,
		   states[next].name);
	assert(states[zk->state].next & (1U << next));
	zk->state = next;
	zk->since_ms = zkfs_clock_ms();
}

bool zkfs_session_usable(const struct zkfs_zk *zk)
{
	/* The library's own state too: it fails what was under way, and so
	 * calls `done`, before settle() has seen that the link is gone. */
	return zk->state == ZKFS_SESSION_CONNECTED && !zk->torn && !zk->cut &&
	       zoo_state(zk->zh) == ZOO_CONNECTED_STATE;
}

bool zkfs_session_serves(const struct zkfs_zk *zk, uint64_t generation)
{
	return generation == 0 || (generation == zk->generation && !zk->over);
}

static void tell_listeners(struct zkfs_zk *zk)
{
	struct zkfs_link batch, *link;

	/* A listener may take any of them away, itself included. */
	zkfs_list_init(&batch);
	zkfs_list_for_each_safe(it, &zk->listeners) {
		zkfs_list_remove(it);
		zkfs_list_append(&batch, it);
	}
	while ((link = zkfs_list_first(&batch))) {
		struct zkfs_zk_listener *listener =
			zkfs_list_entry(link, struct zkfs_zk_listener, link);

		zkfs_list_remove(link);
		zkfs_list_append(&zk->listeners, link);
		if (!zk->closing)
			listener->changed(listener);
	}
}

/*
 * The handle.
 */

/* The library's lines are noise to an operator: "Delaying connection" comes 60
 * times a session timeout. They are for -d; our own say what changed. */
static void log_line(const char *message)
{
	const char *text = strstr(message, "ZOO_");

	text = text ? text : message;
	zkfs_debug("libzookeeper: %.*s", (int)strcspn(text, "\n"), text);
}

/* Sent by the library on each connect, before anything else. */
static void add_auth(struct zkfs_zk *zk, const struct zkfs_auth_entry *entry)
{
	int rc = zoo_add_auth(zk->zh, entry->scheme, entry->credentials,
			      (int)entry->len, NULL, NULL);

	if (rc != ZOK)
		zkfs_warning("credentials for \"%s\" not taken: %s; going on "
			     "without them",
			     entry->scheme, zerror(rc));
}

void zkfs_session_add_auth(struct zkfs_zk *zk, const struct zkfs_auth *auth,
			   const struct zkfs_auth *old)
{
	for (size_t i = 0; zk->zh && i < auth->n_entries; i++)
		if (!zkfs_auth_has(old, &auth->entries[i]))
			add_auth(zk, &auth->entries[i]);
}

/* Returns 0 or a negative errno. */
static int open_handle(struct zkfs_zk *zk)
{
	assert(!zk->zh);
	zkfs_connection_none(zk);
	zk->interest_ms = 0;
	zk->n_cuts = 0;
	zoo_set_debug_level(zkfs_log_enabled(ZKFS_LOG_DEBUG)
				    ? ZOO_LOG_LEVEL_INFO
				    : (ZooLogLevel)0);
	errno = 0;
	/* One watcher function and one context for everything: session events
	 * go to each distinct pair, found by linear search. */
	zk->zh = zookeeper_init2(
		zk->hosts, zkfs_completion_watcher, zk->asked_ms,
		zk->generation > 0 && !zk->over ? &zk->id : NULL, zk,
		ZOO_NO_LOG_CLIENTENV, log_line);
	if (!zk->zh)
		return errno ? -errno : -ENOMEM;
	/* Else getaddrinfo() and /dev/urandom on each turn of the loop, and a
	 * session lost without an event when the former fails. */
	(void)zoo_set_servers_resolution_delay(zk->zh, -1);
	for (size_t i = 0; zk->auth && i < zk->auth->n_entries; i++)
		add_auth(zk, &zk->auth->entries[i]);
	return 0;
}

/* Never from inside a callback of the library. */
static void close_handle(struct zkfs_zk *zk)
{
	zhandle_t *zh = zkfs_steal(&zk->zh);

	if (zh)
		(void)zookeeper_close(zh);
	zkfs_call_abandon(zk);
	zkfs_connection_none(zk);
}

static void next_session(struct zkfs_zk *zk)
{
	int r;

	if (zk->state == ZKFS_SESSION_EXPIRED ||
	    zk->state == ZKFS_SESSION_REFUSED)
		move(zk, ZKFS_SESSION_CONNECTING);
	r = open_handle(zk);
	if (r == 0)
		return;
	zk->reopen_ms = zkfs_clock_ms() + REOPEN_MS;
	zkfs_warning("cannot open a session with %s: %s; trying again in %d ms",
		     zk->hosts, strerror(-r), REOPEN_MS);
}

/* Not random(): the library seeds that one as it likes. */
static unsigned pick(void)
{
	unsigned number = 0;

	(void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
	return number;
}

/*
 * Addresses. zoo_set_servers() is not used: it compares them without their
 * ports, and fails what is under way with a code that means nothing. A new
 * handle takes the session along. What it does not take along is how much of
 * the tree the old one has seen, by which a server that lags behind would turn
 * it away: so a sync goes before everything else.
 */

/* How long the known addresses are tried before the names are asked for: the
 * connect watchdog's first limit. */
static int64_t patience(const struct zkfs_zk *zk)
{
	return zk->timeout_ms / 6;
}

static void move_to(struct zkfs_zk *zk, const char *numeric)
{
	unsigned n;
	char *hosts = zkfs_hosts_list(numeric, zk->chroot, pick(), &n);

	if (!hosts)
		return;
	free(zk->hosts);
	zk->hosts = hosts;
	zk->n_hosts = n;
	/* Not connected, it sends nothing, and so does not end the session. */
	close_handle(zk);
	zk->moved = zk->generation > 0 && !zk->over;
	next_session(zk);
}

static void follow_names(struct zkfs_zk *zk, int64_t now)
{
	if (zk->state == ZKFS_SESSION_CONNECTED)
		zkfs_names_connected(&zk->names);
	else
		zkfs_names_lost(&zk->names, now, patience(zk));
	if (zkfs_names_tick(&zk->names, now, patience(zk)))
		move_to(zk, zk->names.numeric);
}

static void catch_up(struct zkfs_zk *zk)
{
	struct zkfs_call *call = zkfs_call_new(zk, ZKFS_ZK_SYNC, 1, 0);

	if (call &&
	    zoo_async(zk->zh, "/", zkfs_completion_string, call) == ZOK) {
		zk->moved = false;
		return;
	}
	/* Without it nothing may be read: another connect, another try. */
	if (call) {
		zkfs_call_end(call, false);
		free(call);
	}
	zk->cut = true;
}

/*
 * State.
 */

static void entered_connected(struct zkfs_zk *zk)
{
	const clientid_t *id = zoo_client_id(zk->zh);
	bool fresh = zk->generation == 0 || zk->over;

	move(zk, ZKFS_SESSION_CONNECTED);
	zk->timeout_ms = zoo_recv_timeout(zk->zh);
	zk->begun_ms = zk->attempt_ms;
	zk->attempt_ms = ZKFS_NEVER;
	zk->n_cuts = 0;
	zk->metrics.connections++;
	if (fresh) {
		zk->generation++;
		zk->session_id = id->client_id;
		zk->over = false;
	}
	zk->id = *id;
	(void)snprintf(zk->server, sizeof(zk->server), "%s",
		       zoo_get_current_server(zk->zh));
	zkfs_info("connected to %s, %s session 0x%" PRIx64 ", timeout %d ms",
		  zk->server, fresh ? "new" : "same", zk->session_id,
		  zk->timeout_ms);
	if (zk->moved)
		catch_up(zk);
	tell_listeners(zk);
}

static void forget_watch(void *ctx, const char *path)
{
	struct zkfs_zk *zk = ctx;

	(void)zoo_aremove_all_watches(zk->zh, path, ZWATCHTYPE_ANY, 1, NULL,
				      NULL);
}

static void entered_reconnecting(struct zkfs_zk *zk)
{
	move(zk, ZKFS_SESSION_RECONNECTING);
	zk->prompt = true;
	zkfs_warning("lost the connection to %s, session 0x%" PRIx64
		     "; reconnecting",
		     zk->server, zk->session_id);
	/* The library would set all watches again in a single packet, which
	 * the server refuses beyond 1 MiB by closing the connection: for ever.
	 * What they covered must be read anew anyway. */
	zkfs_watch_disconnect(&zk->watches, forget_watch, zk);
	zk->connection++;
	zkfs_outbox_fail(&zk->outbox, ZKFS_OUTBOX_OF_CONNECTION, ZKFS_E_UNSENT);
	tell_listeners(zk);
}

/* The session is over: what was bound to it is answered, the rest waits. */
static void end_session(struct zkfs_zk *zk, enum zkfs_session_state state)
{
	move(zk, state);
	zk->over = true;
	zk->moved = false;
	close_handle(zk);
	zkfs_outbox_fail(&zk->outbox, ZKFS_OUTBOX_OF_SESSION, ZKFS_E_EXPIRED);
}

static void entered_expired(struct zkfs_zk *zk)
{
	zk->metrics.expiries++;
	zkfs_warning("session 0x%" PRIx64 " has expired: its locks are lost, "
		     "files open for writing answer ESTALE; opening a new one",
		     zk->session_id);
	end_session(zk, ZKFS_SESSION_EXPIRED);
	next_session(zk);
}

static void entered_refused(struct zkfs_zk *zk)
{
	zkfs_error("%s refuses our credentials; requests fail with EACCES, "
		   "next attempt in %d s",
		   zk->hosts, REFUSED_MS / 1000);
	end_session(zk, ZKFS_SESSION_REFUSED);
	zkfs_outbox_fail(&zk->outbox, ZKFS_OUTBOX_ALL, ZKFS_E_AUTHFAILED);
	zk->reopen_ms = zkfs_clock_ms() + REFUSED_MS;
}

void zkfs_session_settle(struct zkfs_zk *zk)
{
	int state = zk->zh ? zoo_state(zk->zh) : ZOO_NOTCONNECTED_STATE;

	if (!zk->zh)
		return;
	if (zk->state == ZKFS_SESSION_CONNECTED && state != ZOO_CONNECTED_STATE)
		entered_reconnecting(zk);
	if (state == ZOO_EXPIRED_SESSION_STATE)
		entered_expired(zk);
	else if (state < 0)
		entered_refused(zk); /* -113, and whatever else is for good */
	else if (state == ZOO_CONNECTED_STATE &&
		 zk->state != ZKFS_SESSION_CONNECTED)
		entered_connected(zk);
}

/*
 * The turn of the loop.
 */

static void tell_answers(struct zkfs_zk *zk)
{
	struct zkfs_link batch, *link;

	zkfs_list_init(&batch);
	zkfs_outbox_take_answers(&zk->outbox, &batch);
	while ((link = zkfs_list_first(&batch))) {
		struct zkfs_zk_req *req =
			zkfs_list_entry(link, struct zkfs_zk_req, link);

		zkfs_list_remove(link);
		zkfs_call_tell(zk, req, req->verdict);
	}
}

static void expire(struct zkfs_zk *zk, int64_t now)
{
	if (now < zk->outbox.scan_ms)
		return;
	zkfs_outbox_expire(&zk->outbox, now);
	zkfs_call_expire(zk, now);
}

void zkfs_session_prepare(struct zkfs_zk *zk, int *ret_fd, short *ret_events,
			  int64_t *ret_deadline_ms)
{
	int64_t deadline = zk->outbox.scan_ms;

	*ret_fd = zk->fd;
	*ret_events = zk->events;
	deadline = zkfs_clock_earlier(deadline,
				      zk->zh ? zk->interest_ms : zk->reopen_ms);
	deadline = zkfs_clock_earlier(deadline, zkfs_connection_deadline(zk));
	deadline = zkfs_clock_earlier(
		deadline, zkfs_names_deadline(&zk->names, zkfs_clock_ms()));
	if (!zkfs_list_empty(&zk->outbox.answers) || zk->cut ||
	    zkfs_connection_pending(zk) || zkfs_send_ready(zk))
		deadline = 0;
	*ret_deadline_ms = deadline;
}

void zkfs_session_receive(struct zkfs_zk *zk, short revents)
{
	int64_t now = zkfs_clock_ms();

	if (!zk->zh && now >= zk->reopen_ms)
		next_session(zk);
	follow_names(zk, now);
	zkfs_connection_receive(zk, revents);
	zkfs_connection_watch(zk, now);
}

void zkfs_session_send(struct zkfs_zk *zk)
{
	int64_t now = zkfs_clock_ms();

	expire(zk, now);
	tell_answers(zk);
	zkfs_send_pump(zk);
	zkfs_connection_mend(zk, now);
	zkfs_connection_ask(zk, now);
}

/*
 * Opening and closing.
 */

static struct zkfs_zk *zk_free(struct zkfs_zk *zk)
{
	zkfs_watch_fini(&zk->watches);
	zkfs_names_fini(&zk->names);
	free(zk->chroot);
	free(zk->hosts);
	free(zk);
	return NULL;
}

static int zk_new(const struct zkfs_session_config *config,
		  struct zkfs_zk **ret_zk)
{
	const char *chroot = config->chroot ? config->chroot : "";
	struct zkfs_zk *zk = calloc(1, sizeof(*zk));

	if (!zk)
		return -ENOMEM;
	zkfs_list_init(&zk->calls);
	zkfs_list_init(&zk->listeners);
	zkfs_outbox_init(&zk->outbox);
	zk->state = ZKFS_SESSION_CONNECTING;
	zk->since_ms = zkfs_clock_ms();
	zk->connection = 1;
	zk->auth = config->auth;
	zk->tls = config->tls;
	zk->asked_ms = config->timeout_ms;
	zk->timeout_ms = config->timeout_ms;
	zk->chroot_len = strlen(chroot);
	zkfs_connection_none(zk);
	zk->hosts =
		zkfs_hosts_list(config->servers, chroot, pick(), &zk->n_hosts);
	zk->chroot = strdup(chroot);
	if (!zk->hosts || !zk->chroot ||
	    zkfs_names_init(&zk->names, config->hosts, config->servers) ||
	    zkfs_watch_init(&zk->watches,
			    config->watch_budget ? config->watch_budget
						 : ZKFS_WATCH_BUDGET,
			    zk->chroot_len)) {
		zkfs_names_fini(&zk->names);
		free(zk->chroot);
		free(zk->hosts);
		free(zk);
		return -ENOMEM;
	}
	*ret_zk = zk;
	return 0;
}

int zkfs_session_open(const struct zkfs_session_config *config,
		      struct zkfs_zk **ret_zk)
{
	struct zkfs_zk *zk;
	int r;

	/* Below 50 ms the library never connects: two thirds of it are its
	 * limit for that. */
	if (config->timeout_ms < ZKFS_SESSION_TIMEOUT_MIN_MS)
		return -EINVAL;
	r = zk_new(config, &zk);
	if (r < 0)
		return r;
	r = open_handle(zk);
	if (r < 0) {
		(void)zk_free(zk);
		return r;
	}
	*ret_zk = zk;
	return 0;
}

static void drain(struct zkfs_zk *zk, int64_t until_ms)
{
	zkfs_call_drop_reads(zk);
	while (zk->n_calls > 0 || zkfs_outbox_first(&zk->outbox)) {
		int64_t now = zkfs_clock_ms(), deadline;
		struct pollfd pfd;

		if (!zkfs_zk_connected(zk) || now >= until_ms)
			return;
		zkfs_session_prepare(zk, &pfd.fd, &pfd.events, &deadline);
		deadline = zkfs_clock_earlier(deadline, until_ms);
		if (poll(&pfd, 1, deadline > now ? (int)(deadline - now) : 0) <
		    0)
			pfd.revents = 0;
		zkfs_session_receive(zk, pfd.revents);
		zkfs_session_send(zk);
	}
}

struct zkfs_zk *zkfs_session_close(struct zkfs_zk *zk, int drain_ms)
{
	struct zkfs_link *link;

	if (!zk)
		return NULL;
	zk->closing = true;
	drain(zk, zkfs_clock_ms() + drain_ms);
	move(zk, ZKFS_SESSION_CLOSED);
	/* If connected this sends the session's end and waits for the server,
	 * at most 4.5 s; else the session lives on until it times out. */
	close_handle(zk);
	zkfs_outbox_fail(&zk->outbox, ZKFS_OUTBOX_ALL, ZKFS_E_LOST);
	tell_answers(zk);
	while ((link = zkfs_list_first(&zk->listeners)))
		zkfs_list_remove(link);
	return zk_free(zk);
}

const char *zkfs_session_failure(const struct zkfs_zk *zk, bool *ret_final)
{
	unsigned n_final;
	const char *words = zkfs_guard_failure(&n_final);

	*ret_final = n_final >= zk->n_hosts;
	return words;
}

int zkfs_session_secret(const struct zkfs_zk *zk, int64_t *ret_id,
			char ret_passwd[16])
{
	const clientid_t *id;

	if (!zk->zh || zk->generation == 0 || zk->over)
		return -ENOTCONN;
	id = zoo_client_id(zk->zh);
	*ret_id = id->client_id;
	memcpy(ret_passwd, id->passwd, sizeof(id->passwd));
	return 0;
}

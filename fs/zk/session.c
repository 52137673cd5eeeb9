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
 * settle(). Its session events are not enough: a failed send and a failed
 * authentication by SASL give none.
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
#include <sys/socket.h>

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/auth.h"
#include "fs/zk/call.h"
#include "fs/zk/private.h"

/* zookeeper_process() takes one packet a call: so many in one turn. */
#define PACKETS_PER_TURN 64
/* Between two attempts to make a handle, when that itself fails. */
#define REOPEN_MS 1000
/* Between two sessions whose credentials were refused. */
#define REFUSED_MS 30000
/* The connect watchdog never cuts sooner than this. */
#define CONNECT_MIN_MS 100

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

static void add_auths(struct zkfs_zk *zk)
{
	const struct zkfs_auth *auth = zk->auth;

	/* Sent by the library on each connect, before anything else. */
	for (size_t i = 0; auth && i < auth->n_entries; i++) {
		const struct zkfs_auth_entry *entry = &auth->entries[i];
		int rc = zoo_add_auth(zk->zh, entry->scheme, entry->credentials,
				      (int)entry->len, NULL, NULL);

		if (rc != ZOK)
			zkfs_warning("credentials for \"%s\" not taken: %s",
				     entry->scheme, zerror(rc));
	}
}

static void no_connection(struct zkfs_zk *zk)
{
	zk->fd = -1;
	zk->events = 0;
	zk->attempt_ms = ZKFS_NEVER;
	zk->torn = false;
	zk->cut = false;
}

/* Returns 0 or a negative errno. */
static int open_handle(struct zkfs_zk *zk)
{
	assert(!zk->zh);
	no_connection(zk);
	zk->interest_ms = 0;
	zk->n_cuts = 0;
	zoo_set_debug_level(zkfs_log_enabled(ZKFS_LOG_DEBUG)
				    ? ZOO_LOG_LEVEL_INFO
				    : (ZooLogLevel)0);
	errno = 0;
	/* One watcher function and one context for everything: session events
	 * go to each distinct pair, found by linear search. */
	zk->zh = zookeeper_init2(zk->hosts, zkfs_call_watcher, zk->asked_ms,
				 NULL, zk, ZOO_NO_LOG_CLIENTENV, log_line);
	if (!zk->zh)
		return errno ? -errno : -ENOMEM;
	/* Else getaddrinfo() and /dev/urandom on each turn of the loop, and a
	 * session lost without an event when the former fails. */
	(void)zoo_set_servers_resolution_delay(zk->zh, -1);
	add_auths(zk);
	return 0;
}

/* Never from inside a callback of the library. */
static void close_handle(struct zkfs_zk *zk)
{
	zhandle_t *zh = zkfs_steal(&zk->zh);

	if (zh)
		(void)zookeeper_close(zh);
	zkfs_call_abandon(zk);
	no_connection(zk);
}

static void next_session(struct zkfs_zk *zk)
{
	int r;

	if (zk->state != ZKFS_SESSION_CONNECTING)
		move(zk, ZKFS_SESSION_CONNECTING);
	r = open_handle(zk);
	if (r == 0)
		return;
	zk->reopen_ms = zkfs_clock_ms() + REOPEN_MS;
	zkfs_warning("cannot open a session: %s; trying again", strerror(-r));
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
	zk->attempt_ms = ZKFS_NEVER;
	zk->n_cuts = 0;
	if (fresh) {
		zk->generation++;
		zk->session_id = id->client_id;
		zk->over = false;
	}
	zkfs_info("connected to %s, %s session 0x%" PRIx64 ", timeout %d ms",
		  zoo_get_current_server(zk->zh), fresh ? "new" : "same",
		  zk->session_id, zk->timeout_ms);
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
	zkfs_warning("lost the connection, session 0x%" PRIx64 "; reconnecting",
		     zk->session_id);
	/* The library would set all watches again in a single packet, which
	 * the server refuses beyond 1 MiB by closing the connection: for ever.
	 * What they covered must be read anew anyway. */
	zkfs_watch_disconnect(&zk->watches, forget_watch, zk);
	tell_listeners(zk);
}

/* The session is over: what was bound to it is answered, the rest waits. */
static void end_session(struct zkfs_zk *zk, enum zkfs_session_state state)
{
	move(zk, state);
	zk->over = true;
	close_handle(zk);
	zkfs_outbox_fail(&zk->outbox, true, ZKFS_E_EXPIRED);
}

static void entered_expired(struct zkfs_zk *zk)
{
	zkfs_warning("session 0x%" PRIx64 " has expired", zk->session_id);
	end_session(zk, ZKFS_SESSION_EXPIRED);
	next_session(zk);
}

static void entered_refused(struct zkfs_zk *zk)
{
	zkfs_error("the server refuses our credentials; next attempt in %d s",
		   REFUSED_MS / 1000);
	end_session(zk, ZKFS_SESSION_REFUSED);
	zkfs_outbox_fail(&zk->outbox, false, ZKFS_E_AUTHFAILED);
	zk->reopen_ms = zkfs_clock_ms() + REFUSED_MS;
}

/* Follows the library's state. To be called after each call into it that may
 * have changed that, and outside of its callbacks. */
static void settle(struct zkfs_zk *zk)
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
 * The connection.
 */

/* The library has closed its socket: ask it for the next one. */
static void ended(struct zkfs_zk *zk)
{
	no_connection(zk);
	zk->interest_ms = 0;
}

static void process(struct zkfs_zk *zk, int events)
{
	for (int i = 0; i < PACKETS_PER_TURN && zk->fd >= 0; i++) {
		int rc = zookeeper_process(zk->zh, events);

		if (rc != ZOK && rc != ZNOTHING)
			ended(zk);
		settle(zk); /* which may put another handle in place */
		if (rc != ZOK)
			return;
		events = ZOOKEEPER_READ;
	}
}

static void receive(struct zkfs_zk *zk, short revents)
{
	int events = 0;

	if (revents & (POLLIN | POLLERR | POLLHUP))
		events |= ZOOKEEPER_READ;
	if (revents & (POLLOUT | POLLERR | POLLHUP))
		events |= ZOOKEEPER_WRITE;
	if (events && zk->fd >= 0)
		process(zk, events);
}

/* Gives up the connection there is, or the attempt at one. The library notices
 * as it reads, fails what was under way, and goes on to the next server. */
static void cut(struct zkfs_zk *zk)
{
	if (zk->fd >= 0)
		(void)shutdown(zk->fd, SHUT_RDWR);
	zk->cut = false;
	process(zk, ZOOKEEPER_READ | ZOOKEEPER_WRITE);
}

/*
 * A send that fails inside zoo_a*() makes the library close the socket and
 * nothing more (nonblocking_send()): the requests under way stay on its list,
 * the packet that was sent by half stays on its queue, and both meet the next
 * connection. There the rest of that packet, which is a user's data, would be
 * read as requests, and the replies to the first new requests would be taken
 * for those to the old. So the next connection is shut down before it is used:
 * that makes the library clean up.
 */
static void heal(struct zkfs_zk *zk, int64_t now)
{
	int events;
	struct timeval tv;

	settle(zk);
	if (!zk->zh || now < zk->interest_ms)
		return;
	no_connection(zk);
	if (zookeeper_interest(zk->zh, &zk->fd, &events, &tv) == ZOK)
		cut(zk);
	ended(zk);
	settle(zk);
	/* Not even a socket to be had: the library is as it was. */
	if (zk->zh && zoo_state(zk->zh) == ZOO_NOTCONNECTED_STATE) {
		zk->torn = true;
		zk->interest_ms = now + zk->timeout_ms / 60 + 1;
	}
}

/* How long the attempt may take. A server that accepts and never answers (one
 * that is just starting, say) costs the library two thirds of the session
 * timeout; we begin with a sixth, and come up to that only when round after
 * round of all servers has failed, as they may be slow rather than hung. */
static int64_t attempt_limit(const struct zkfs_zk *zk)
{
	unsigned rounds = zk->n_cuts / zk->n_hosts;
	int64_t limit = (int64_t)zk->timeout_ms / 6;

	limit <<= rounds < 2 ? rounds : 2;
	return limit > CONNECT_MIN_MS ? limit : CONNECT_MIN_MS;
}

static int64_t attempt_deadline(const struct zkfs_zk *zk)
{
	return zk->attempt_ms == ZKFS_NEVER
		       ? ZKFS_NEVER
		       : zk->attempt_ms + attempt_limit(zk);
}

static void watch_attempt(struct zkfs_zk *zk, int64_t now)
{
	if (now < attempt_deadline(zk))
		return;
	zkfs_debug("no answer from %s, on to the next server",
		   zoo_get_current_server(zk->zh));
	zk->n_cuts++;
	cut(zk);
}

static int64_t until(int64_t now, const struct timeval *tv)
{
	return now + (int64_t)tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000;
}

static void interest_failed(struct zkfs_zk *zk, int rc, int fd, int64_t now)
{
	if (zoo_state(zk->zh) == ZOO_CONNECTED_STATE) {
		/* A ping could not be sent. It leaves it at that, and would
		 * try again each time it is asked. */
		zk->fd = fd;
		cut(zk);
	} else {
		ended(zk);
	}
	/* -1: no socket to be had, or no address; it does not wait. */
	if (rc == ZSYSTEMERROR)
		zk->interest_ms = now + zk->timeout_ms / 60 + 1;
	settle(zk);
}

/* Asks the library what it waits for. It connects, pings and gives a silent
 * server up in here, and so may call back. */
static void ask_interest(struct zkfs_zk *zk, int64_t now)
{
	int events = 0, fd = -1, rc;
	struct timeval tv = {0};

	/* Asked too early without a socket it skips its back-off, and connects
	 * as often as it is asked. */
	if (!zk->zh || zk->torn || (zk->fd < 0 && now < zk->interest_ms))
		return;
	rc = zookeeper_interest(zk->zh, &fd, &events, &tv);
	if (rc != ZOK) {
		interest_failed(zk, rc, fd, now);
		return;
	}
	zk->interest_ms = until(now, &tv);
	zk->fd = fd;
	zk->events = 0;
	if (events & ZOOKEEPER_READ)
		zk->events |= POLLIN;
	if (events & ZOOKEEPER_WRITE)
		zk->events |= POLLOUT;
	if (fd < 0 || zoo_state(zk->zh) == ZOO_CONNECTED_STATE)
		zk->attempt_ms = ZKFS_NEVER;
	else if (zk->attempt_ms == ZKFS_NEVER)
		zk->attempt_ms = now;
	settle(zk);
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
	deadline = zkfs_clock_earlier(deadline, attempt_deadline(zk));
	if (!zkfs_list_empty(&zk->outbox.answers) || zk->cut ||
	    zkfs_call_ready(zk))
		deadline = 0;
	*ret_deadline_ms = deadline;
}

void zkfs_session_dispatch(struct zkfs_zk *zk, short revents)
{
	int64_t now = zkfs_clock_ms();

	if (!zk->zh && now >= zk->reopen_ms)
		next_session(zk);
	if (zk->zh && revents)
		receive(zk, revents);
	if (zk->zh)
		watch_attempt(zk, now);
	expire(zk, now);
	tell_answers(zk);
	if (zk->zh)
		zkfs_call_pump(zk);
	if (zk->torn)
		heal(zk, now);
	if (zk->cut)
		cut(zk);
	ask_interest(zk, now);
}

/*
 * Opening and closing.
 */

static unsigned count_hosts(const char *servers)
{
	unsigned n = 1;

	for (; *servers; servers++)
		if (*servers == ',')
			n++;
	return n;
}

/* The n-th of a list divided by commas; returns its length. */
static size_t nth_host(const char *servers, unsigned n, const char **ret_host)
{
	for (; n > 0; n--)
		servers = strchr(servers, ',') + 1;
	*ret_host = servers;
	return strcspn(servers, ",");
}

/* The library divides host and port at the last colon and gives the former to
 * getaddrinfo(), which takes no brackets: "[::1]:2181" becomes "::1:2181". */
static void put_host(FILE *out, const char *host, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (host[i] != '[' && host[i] != ']')
			(void)fputc(host[i], out);
}

/*
 * The list for the library. After a failed connect it steps on by two servers
 * (handle_error() and zookeeper_interest() each by one), so that of an even
 * number it reaches only half, and perhaps only dead ones, for ever. An odd
 * number is needed: one of an even number is named twice, picked by chance
 * so that the clients together load all the same.
 */
static char *hosts_for_library(const char *servers, const char *chroot,
			       unsigned *ret_n)
{
	unsigned n = count_hosts(servers), pick = 0;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		const char *host;
		size_t host_len = nth_host(servers, i, &host);

		if (i > 0)
			(void)fputc(',', out);
		put_host(out, host, host_len);
	}
	if (n % 2 == 0) {
		const char *host;
		size_t host_len;

		/* Not random(): the library seeds that one as it likes. */
		(void)!getrandom(&pick, sizeof(pick), GRND_NONBLOCK);
		host_len = nth_host(servers, pick % n, &host);
		(void)fputc(',', out);
		put_host(out, host, host_len);
		n++;
	}
	(void)fputs(chroot, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	*ret_n = n;
	return text;
}

static struct zkfs_zk *zk_free(struct zkfs_zk *zk)
{
	zkfs_watch_fini(&zk->watches);
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
	zk->auth = config->auth;
	zk->asked_ms = config->timeout_ms;
	zk->timeout_ms = config->timeout_ms;
	zk->chroot_len = strlen(chroot);
	no_connection(zk);
	zk->hosts = hosts_for_library(config->servers, chroot, &zk->n_hosts);
	if (!zk->hosts ||
	    zkfs_watch_init(&zk->watches, ZKFS_WATCH_BUDGET, zk->chroot_len)) {
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
		zkfs_session_dispatch(zk, pfd.revents);
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
	zkfs_outbox_fail(&zk->outbox, false, ZKFS_E_LOST);
	tell_answers(zk);
	while ((link = zkfs_list_first(&zk->listeners)))
		zkfs_list_remove(link);
	return zk_free(zk);
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

/* connection: see connection.h. */
#include "fs/zk/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include "fs/base/clock.h"
#include "fs/base/log.h"
#include "fs/zk/guard.h"
#include "fs/zk/private.h"

/* zookeeper_process() takes one packet a call: so many in one turn. */
#define PACKETS_PER_TURN 64
/* The connect watchdog never cuts sooner than this. */
#define CONNECT_MIN_MS 100

void zkfs_connection_none(struct zkfs_zk *zk)
{
	zk->fd = -1;
	zk->events = 0;
	zk->attempt_ms = ZKFS_NEVER;
	zk->torn = false;
	zk->cut = false;
}

static int interest(struct zkfs_zk *zk, int *ret_fd, int *ret_events,
		    struct timeval *ret_tv)
{
	int rc;

	zkfs_guard_connects(true, zk->tls);
	rc = zookeeper_interest(zk->zh, ret_fd, ret_events, ret_tv);
	zkfs_guard_connects(false, NULL);
	return rc;
}

/* The library has closed its socket: ask it for the next one. */
static void ended(struct zkfs_zk *zk)
{
	zkfs_connection_none(zk);
	zk->interest_ms = 0;
}

static void process(struct zkfs_zk *zk, int events)
{
	for (int i = 0; i < PACKETS_PER_TURN && zk->fd >= 0; i++) {
		int rc = zookeeper_process(zk->zh, events);

		if (rc != ZOK && rc != ZNOTHING)
			ended(zk);
		zkfs_session_settle(
			zk); /* which may put another handle in place */
		if (rc != ZOK)
			return;
		events = ZOOKEEPER_READ;
	}
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

/* TLS has this turn. A server that answers is not hung, so that the attempt
 * begins anew: the library limits it as a whole. */
static void secure(struct zkfs_zk *zk, short revents)
{
	int r = zkfs_guard_secure(zk->fd);

	if (revents & POLLIN)
		zk->attempt_ms = zkfs_clock_ms();
	/* Nothing may be read before something was written: the library would
	 * lose the room that it makes for it (prime_connection()). */
	if (r == 0)
		process(zk, ZOOKEEPER_WRITE);
	else if (r != -EAGAIN)
		cut(zk);
}

bool zkfs_connection_pending(const struct zkfs_zk *zk)
{
	return zkfs_guard_pending(zk->fd);
}

void zkfs_connection_receive(struct zkfs_zk *zk, short revents)
{
	int events = 0;

	/* A push has torn it: what poll(2) told may be of the socket before. */
	if (zk->torn)
		return;
	if (revents & POLLOUT && !zkfs_guard_flush(zk->fd)) {
		cut(zk);
		return;
	}
	if (revents & (POLLIN | POLLERR | POLLHUP) ||
	    zkfs_connection_pending(zk))
		events |= ZOOKEEPER_READ;
	if (revents & (POLLOUT | POLLERR | POLLHUP))
		events |= ZOOKEEPER_WRITE;
	if (events && zkfs_guard_securing(zk->fd))
		secure(zk, revents);
	else if (events)
		process(zk, events);
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
static void heal(struct zkfs_zk *zk, int64_t now_ms)
{
	int events;
	struct timeval tv;

	zkfs_session_settle(zk);
	if (!zk->zh || now_ms < zk->interest_ms)
		return;
	zkfs_connection_none(zk);
	if (interest(zk, &zk->fd, &events, &tv) == ZOK)
		cut(zk);
	ended(zk);
	zkfs_session_settle(zk);
	/* Not even a socket to be had: the library is as it was. */
	if (zk->zh && zoo_state(zk->zh) == ZOO_NOTCONNECTED_STATE) {
		zk->torn = true;
		zk->interest_ms = now_ms + zk->timeout_ms / 60 + 1;
	}
}

void zkfs_connection_mend(struct zkfs_zk *zk, int64_t now_ms)
{
	if (zk->torn)
		heal(zk, now_ms);
	if (zk->cut)
		cut(zk);
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

int64_t zkfs_connection_deadline(const struct zkfs_zk *zk)
{
	return zk->attempt_ms == ZKFS_NEVER
		       ? ZKFS_NEVER
		       : zk->attempt_ms + attempt_limit(zk);
}

void zkfs_connection_watch(struct zkfs_zk *zk, int64_t now_ms)
{
	if (!zk->zh || now_ms < zkfs_connection_deadline(zk))
		return;
	zkfs_debug("no answer from %s, on to the next server",
		   zoo_get_current_server(zk->zh));
	zk->n_cuts++;
	zkfs_guard_unanswered(zk->fd);
	cut(zk);
}

static int64_t until(int64_t now_ms, const struct timeval *tv)
{
	return now_ms + (int64_t)tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000;
}

static void interest_failed(struct zkfs_zk *zk, int rc, int fd, int64_t now_ms)
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
		zk->interest_ms = now_ms + zk->timeout_ms / 60 + 1;
	zkfs_session_settle(zk);
}

void zkfs_connection_ask(struct zkfs_zk *zk, int64_t now_ms)
{
	int events = 0, fd = -1, rc;
	struct timeval tv = {0};

	/* Asked too early without a socket it skips its back-off, and connects
	 * as often as it is asked. */
	if (!zk->zh || zk->torn || (zk->fd < 0 && now_ms < zk->interest_ms))
		return;
	rc = interest(zk, &fd, &events, &tv);
	/* At the end of its list of servers the library waits before it begins
	 * anew, and so it does when the last of them had served us until now:
	 * with one server, at each loss. Asked again it does not. */
	if (rc == ZOK && fd < 0 && zk->prompt)
		rc = interest(zk, &fd, &events, &tv);
	zk->prompt = false;
	if (rc != ZOK) {
		interest_failed(zk, rc, fd, now_ms);
		return;
	}
	zk->interest_ms = until(now_ms, &tv);
	zk->fd = fd;
	zk->events = 0;
	if (events & ZOOKEEPER_READ)
		zk->events |= POLLIN;
	if (events & ZOOKEEPER_WRITE)
		zk->events |= POLLOUT;
	zk->events = zkfs_guard_events(fd, zk->events);
	if (fd < 0 || zoo_state(zk->zh) == ZOO_CONNECTED_STATE)
		zk->attempt_ms = ZKFS_NEVER;
	else if (zk->attempt_ms == ZKFS_NEVER)
		zk->attempt_ms = now_ms;
	zkfs_session_settle(zk);
}

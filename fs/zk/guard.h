/*
 * guard: stands between the client library and its socket, and ends the
 * connection when a server says what the library would not survive (fs/zk/
 * packet). To the library that is a connection that has broken, which it
 * handles well.
 *
 * It is there by taking the place of connect(2), send(2), recv(2) and close(2)
 * for the whole program: the dynamic linker prefers the program's own to those
 * of libc. All but the library's connections pass through untouched, as does
 * what the library sends; what it receives it receives a packet at a time.
 *
 * TLS begins and ends here, too (fs/zk/tls): what the library sends and
 * receives is what is inside. Until hands are shaken it is not told that it is
 * connected.
 */
#ifndef ZKFS_ZK_GUARD_H
#define ZKFS_ZK_GUARD_H

#include <stdbool.h>

struct zkfs_tls;

/* Connections that are made from now on, until it is switched off, are the
 * library's. (It connects in zookeeper_interest() only.) `tls`: they are made
 * with TLS; NULL: without. It must outlive them. */
void zkfs_guard_connects(bool on, struct zkfs_tls *tls);

/* Whether a connection is not for the library yet. */
bool zkfs_guard_securing(int fd);
/* Goes on with that, when poll(2) has told something: 0: now it is. -EAGAIN:
 * not yet. Another negative errno: it is of no use, cut it. */
int zkfs_guard_secure(int fd);
/* What to poll for where the library wants `events`. */
short zkfs_guard_events(int fd, short events);
/* There is something for the library to receive of which poll(2) does not
 * tell. */
bool zkfs_guard_pending(int fd);
/* What the library sends goes out together, with zkfs_guard_flush(), which is
 * also due when poll(2) tells of room (fs/zk/channel). False: the connection is
 * to be cut. */
void zkfs_guard_hold(int fd);
bool zkfs_guard_flush(int fd);

/* The connection is about to be cut, as no server answers there. */
void zkfs_guard_unanswered(int fd);
/* Why the last connection ended without a server's greeting, a line that names
 * the server, or NULL where that is not known; and how many, since the last
 * greeting, have ended by what will not change (struct zkfs_tls_end). */
const char *zkfs_guard_failure(unsigned *ret_n_final);

#endif

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
 */
#ifndef ZKFS_ZK_GUARD_H
#define ZKFS_ZK_GUARD_H

#include <stdbool.h>

/* Connections that are made from now on, until it is switched off, are the
 * library's. (It connects in zookeeper_interest() only.) */
void zkfs_guard_connects(bool on);

#endif

/*
 * connection: the socket of the handle: what the library waits for on it, what
 * came, how long a connect may take, and how to get rid of one that is of no
 * use any more. All of these may call back, and may end the session, so that
 * `zk->zh` is another one afterwards, or none.
 */
#ifndef ZKFS_ZK_CONNECTION_H
#define ZKFS_ZK_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

struct zkfs_zk;

/* There is no socket. Calls nobody. */
void zkfs_connection_none(struct zkfs_zk *zk);
/* Poll has reported `revents`; or nothing, while something is pending. */
void zkfs_connection_receive(struct zkfs_zk *zk, short revents);
bool zkfs_connection_pending(const struct zkfs_zk *zk);
/* Gives up a connect that takes too long. */
void zkfs_connection_watch(struct zkfs_zk *zk, int64_t now_ms);
/* When that will be; ZKFS_NEVER if none is under way. */
int64_t zkfs_connection_deadline(const struct zkfs_zk *zk);
/* A send was torn (zk->torn), or the connection is to be given up (zk->cut):
 * does what is needed. */
void zkfs_connection_mend(struct zkfs_zk *zk, int64_t now_ms);
/* Asks the library what it waits for. It connects, pings and gives a silent
 * server up in here. */
void zkfs_connection_ask(struct zkfs_zk *zk, int64_t now_ms);

#endif

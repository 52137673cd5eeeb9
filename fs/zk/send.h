/*
 * send: queued requests become calls of the library.
 */
#ifndef ZKFS_ZK_SEND_H
#define ZKFS_ZK_SEND_H

#include <stdbool.h>

struct zkfs_zk;

/* Whether there is something to hand over, and the library can take it. */
bool zkfs_send_ready(const struct zkfs_zk *zk);
/* Hands over what the library can take. Calls nobody; a send that fails leaves
 * zk->torn. */
void zkfs_send_pump(struct zkfs_zk *zk);

#endif

/*
 * retry: what becomes of a request that the client library has answered. A
 * pure table, so that it can be read and tested as one: the kind of request,
 * the library's code, and whether the request may have reached the server.
 *
 * The library says ZCONNECTIONLOSS, ZOPERATIONTIMEOUT or, when a send failed,
 * ZRUNTIMEINCONSISTENCY for one and the same thing: the link broke and nobody
 * knows what the server did with the request. A read is then sent again; a
 * change is not, since done twice it may do harm (a sequential create makes a
 * second node).
 */
#ifndef ZKFS_ZK_RETRY_H
#define ZKFS_ZK_RETRY_H

#include <stdbool.h>

#include "include/zkfs/error.h"
#include "include/zkfs/zk.h"

enum zkfs_retry {
	ZKFS_RETRY_ANSWER, /* *ret_error is the answer */
	ZKFS_RETRY_AGAIN,  /* send it again: no harm can come of it */
	ZKFS_RETRY_LOST,   /* a change that may or may not have happened */
};

/* `code` is the library's, of a completion or of the call that was to send the
 * request; `sent` is false when that call itself refused it. *ret_error is set
 * in every case (ZKFS_E_LOST for LOST). */
enum zkfs_retry zkfs_retry_decide(enum zkfs_zk_kind kind, int code, bool sent,
				  enum zkfs_error *ret_error);

/* Whether a request of this kind may change the tree. */
bool zkfs_retry_changes(enum zkfs_zk_kind kind);

#endif

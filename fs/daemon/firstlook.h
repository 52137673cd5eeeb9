/*
 * firstlook: the first question to the servers, before there is a mount: is the
 * root there? A chroot that does not exist connects all right and then answers
 * every request with ZNONODE.
 */
#ifndef ZKFS_DAEMON_FIRSTLOOK_H
#define ZKFS_DAEMON_FIRSTLOOK_H

#include <stddef.h>
#include <stdint.h>

#include "include/zkfs/zk.h"

struct zkfs_loop;
struct zkfs_servers;

/* Turns the loop until there is an answer, for `timeo_ms`, until a signal
 * comes, or until TLS has failed with each of the servers. Returns 0, or a
 * negative errno with one line of words. */
int zkfs_firstlook(struct zkfs_loop *loop, const struct zkfs_servers *servers,
		   int64_t timeo_ms, struct zkfs_stat *ret_stat, char *words,
		   size_t words_len);

#endif

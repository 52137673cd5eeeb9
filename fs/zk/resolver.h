/*
 * resolver: names become addresses off the loop, as getaddrinfo() may take as
 * long as it likes. Each question has a thread, which owns nothing but the
 * question and its answer, and takes no signals; one whose asker is gone ends
 * by itself, so that nobody ever waits for a name server.
 */
#ifndef ZKFS_ZK_RESOLVER_H
#define ZKFS_ZK_RESOLVER_H

#include <stdbool.h>

struct zkfs_resolver;

/* For the hosts of a struct zkfs_servers, of which a copy is kept. Returns 0 or
 * -ENOMEM. */
int zkfs_resolver_new(const char *hosts, struct zkfs_resolver **ret_resolver);
/* Never waits; NULL is fine. Returns NULL. */
struct zkfs_resolver *zkfs_resolver_free(struct zkfs_resolver *resolver);

/* Asks, unless the last question is not answered yet: 0, -EALREADY, or why
 * there is no thread. */
int zkfs_resolver_ask(struct zkfs_resolver *resolver);
/* Whether a question waits for its answer. */
bool zkfs_resolver_asking(const struct zkfs_resolver *resolver);
/* Takes an answer if one has come: true, and *ret_numeric is the caller's
 * "ip:port,..." or NULL when nothing was found. */
bool zkfs_resolver_take(struct zkfs_resolver *resolver, char **ret_numeric);

#endif

/*
 * names: servers that were given by name are followed to where their names
 * lead, without a remount. While there is a connection nobody asks: it is good,
 * whatever a name server says. Without one, the names are resolved again after
 * a while, off the loop (resolver.h), and again and again until there is one.
 */
#ifndef ZKFS_ZK_NAMES_H
#define ZKFS_ZK_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/zk/resolver.h"

struct zkfs_names {
	struct zkfs_resolver *resolver; /* NULL: all were given as numbers */
	char *numeric;			/* as they were resolved last */
	int64_t ask_ms;			/* when to ask; NEVER while connected */
};

/* `hosts` as in struct zkfs_servers, or NULL; `numeric` what it was resolved
 * to. Returns 0 or -ENOMEM. */
int zkfs_names_init(struct zkfs_names *names, const char *hosts,
		    const char *numeric);
void zkfs_names_fini(struct zkfs_names *names);

/* The connection is there, or gone. `wait_ms`: how long to try the addresses
 * that are known. */
void zkfs_names_connected(struct zkfs_names *names);
void zkfs_names_lost(struct zkfs_names *names, int64_t now_ms, int64_t wait_ms);

/* Asks when it is time. Whether the addresses are others now: then
 * names->numeric is new. */
bool zkfs_names_tick(struct zkfs_names *names, int64_t now_ms, int64_t wait_ms);
/* When to call that next. */
int64_t zkfs_names_deadline(const struct zkfs_names *names, int64_t now_ms);

/* Whether two lists of addresses are the same but for their order: a name
 * server may turn them about with each answer. */
bool zkfs_names_same(const char *one, const char *other);

#endif

/*
 * servers: the server list of the command line, and how it becomes numeric
 * addresses. The client library would resolve names on every turn of the loop
 * and lose the session silently when that fails (facts/zookeeper.md, section
 * 1).
 */
#ifndef ZKFS_ZK_SERVERS_H
#define ZKFS_ZK_SERVERS_H

#include <stdbool.h>
#include <stddef.h>

#define ZKFS_SERVERS_PORT 2181

struct zkfs_servers {
	char *hosts;  /* as given, without the chroot */
	char *chroot; /* "" or "/a/b" */
};

/* Parses "HOST[:PORT][,HOST[:PORT]...][/CHROOT]"; IPv6 in brackets. Returns 0,
 * -ENOMEM, or -EINVAL with one line of words in `words`. */
int zkfs_servers_parse(const char *text, struct zkfs_servers *ret_servers,
		       char *words, size_t words_len);
void zkfs_servers_fini(struct zkfs_servers *servers);

/* Resolves every host, blocking, to a new "ip:port,ip:port" string in the
 * order given, duplicates dropped. Returns 0, or a negative errno with one
 * line in `words` (a host that does not resolve is an error only if none
 * does). */
int zkfs_servers_resolve(const struct zkfs_servers *servers, char **ret_numeric,
			 char *words, size_t words_len);
/* Whether any of the hosts is given by a name. */
bool zkfs_servers_named(const char *hosts);
/* Whether `is` says so of any of the hosts, which it is given without port and
 * brackets, in their order. */
bool zkfs_servers_any(const char *hosts,
		      bool (*is)(void *ctx, const char *host), void *ctx);
/* Whether any of the numeric addresses accepts a connection within
 * `timeout_ms`, all tried at once. Returns 0 or the last negative errno
 * (-ETIMEDOUT). */
int zkfs_servers_probe(const char *numeric, int timeout_ms);

#endif

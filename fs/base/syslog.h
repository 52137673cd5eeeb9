/*
 * syslog: lines to the system's log, in the form of syslog(3) (RFC 3164), but
 * never waited for: that function waits as long as a logger that hangs leaves
 * its socket full, and whoever calls it has locks to keep.
 *
 * A logger that was started again is found again with the next line.
 */
#ifndef ZKFS_BASE_SYSLOG_H
#define ZKFS_BASE_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>

struct zkfs_syslog {
	const char *path;
	const char *ident;
	int fd; /* -1: none */
};

/* A datagram socket, such as _PATH_LOG (<syslog.h>), that lines come from
 * `ident` to; both are kept, not copied. Whether somebody is there is seen when
 * there is a line. */
void zkfs_syslog_init(struct zkfs_syslog *syslog, const char *path,
		      const char *ident);
void zkfs_syslog_fini(struct zkfs_syslog *syslog);
/* One line of `len` bytes, without its end. `priority` as in syslog(3), with
 * the facility. Returns whether it was taken. */
bool zkfs_syslog_send(struct zkfs_syslog *syslog, int priority,
		      const char *line, size_t len);

#endif

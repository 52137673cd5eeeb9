/*
 * supervisor: what a service manager that started the daemon is told, by
 * datagrams to the socket that it names in NOTIFY_SOCKET: the protocol of
 * sd_notify(3), which systemd promises to keep, without its library.
 */
#ifndef ZKFS_DAEMON_SUPERVISOR_H
#define ZKFS_DAEMON_SUPERVISOR_H

#include <stdbool.h>

#include "fs/base/util.h"

struct zkfs_supervisor {
	int fd;		   /* connected to it; -1: there is none */
	const char *state; /* of the session, as it was told last */
};

#define ZKFS_NO_SUPERVISOR ((struct zkfs_supervisor){.fd = -1})

/* Finds it, and takes NOTIFY_SOCKET out of the environment: what the daemon
 * starts is not to speak for it. Without one, or with one that cannot be
 * reached, the functions below do nothing. */
void zkfs_supervisor_init(struct zkfs_supervisor *supervisor);
void zkfs_supervisor_fini(struct zkfs_supervisor *supervisor);

/* One line for `systemctl status`. Never waits; one that finds no room is
 * dropped. */
zkfs_printf(2,
	    3) void zkfs_supervisor_status(struct zkfs_supervisor *supervisor,
					   const char *format, ...);
/* The mount answers. Waits a second for room, as this is told once. */
void zkfs_supervisor_ready(struct zkfs_supervisor *supervisor);
/* The daemon is about to end. */
void zkfs_supervisor_stopping(struct zkfs_supervisor *supervisor);

#endif

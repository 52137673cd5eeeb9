/*
 * fusectl: ending a FUSE connection from outside. The kernel has a file for
 * each connection; what is written to it answers every request with
 * ECONNABORTED, whoever holds the device open.
 */
#ifndef ZKFS_DAEMON_FUSECTL_H
#define ZKFS_DAEMON_FUSECTL_H

/* Opens that file of the connection with this number (the minor device number
 * of the mount) for zkfs_fusectl_abort(). The descriptor means this connection
 * for good: when it is gone, and another has got its number, an abort does
 * nothing. Holds no mount busy. Returns the caller's descriptor, or a negative
 * errno. */
int zkfs_fusectl_open(unsigned number);
/* Never waits. -1 is fine. */
void zkfs_fusectl_abort(int fd);

#endif

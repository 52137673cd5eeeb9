/*
 * hosts: the server list as the client library wants it. Pure.
 */
#ifndef ZKFS_ZK_HOSTS_H
#define ZKFS_ZK_HOSTS_H

/* From "ip:port,[ip]:port,..." and a chroot ("" or "/a/b") a new string for
 * zookeeper_init(), with an odd number of servers (see hosts.c); `pick`, any
 * number, chooses the one that is named twice. NULL when memory is short;
 * *ret_n is the number of servers in it. */
char *zkfs_hosts_list(const char *servers, const char *chroot, unsigned pick,
		      unsigned *ret_n);

#endif

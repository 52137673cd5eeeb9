/*
 * library: what there is to know of the ZooKeeper client library.
 */
#ifndef ZKFS_ZK_LIBRARY_H
#define ZKFS_ZK_LIBRARY_H

/* The version of its headers: the library itself does not tell. */
const char *zkfs_library_version(void);

#endif

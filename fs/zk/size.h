/*
 * size: how many bytes a request takes on the wire. The server closes the
 * connection on a packet of more than jute.maxbuffer bytes, which cannot be
 * told from a network fault, fails everything else under way, and would be
 * tried again for ever; so the port computes the size first and answers
 * ZKFS_E_TOOBIG itself.
 *
 * The layout is that of zookeeper.jute: a string or buffer is its length in
 * four bytes and its bytes. Checked against a server to the byte.
 */
#ifndef ZKFS_ZK_SIZE_H
#define ZKFS_ZK_SIZE_H

#include <stddef.h>

#include "include/zkfs/zk.h"

/* jute.maxbuffer's default, 0xfffff (BinaryInputArchive): the largest packet.
 */
#define ZKFS_SIZE_MAX 1048575

/* Length of a path as the server sees it. */
size_t zkfs_size_path(const char *path, size_t chroot_len);
/* Bytes of the packet, without its own length; SIZE_MAX when it is absurd. */
size_t zkfs_size_request(const struct zkfs_zk_req *req, size_t chroot_len);
/* Bytes of data that one set of `path` can carry. */
size_t zkfs_size_data_max(const char *path, size_t chroot_len);

#endif

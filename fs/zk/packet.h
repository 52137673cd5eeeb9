/*
 * packet: whether a server's packet is what the client library takes it for.
 *
 * The library trusts lengths and counts: a negative one is copied from or to
 * nowhere, a large one is looped over, and a transaction with another number of
 * results than operations is an assert (zookeeper.c, deserialize_multi();
 * zookeeper.jute.c, the vectors; recordio.c, ia_deserialize_buffer()). So what
 * it is given is looked at before (fs/zk/guard). Pure.
 */
#ifndef ZKFS_ZK_PACKET_H
#define ZKFS_ZK_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest that is taken: a listing of some millions. */
#define ZKFS_PACKET_MAX ((int32_t)128 << 20)

/* What a request asked for, as far as its reply depends on it: of a multi, how
 * many operations, and a hash of their types in their order. */
struct zkfs_packet_request {
	int32_t xid;
	int32_t type;
	uint32_t n_ops;
	uint32_t ops;
};

/* Whether a request for a session is for one that was. */
bool zkfs_packet_renews(const void *packet, size_t len);
/* The reply to it. */
bool zkfs_packet_is_greeting(const void *packet, size_t len, bool renews);
/* Reads what a client sends, without the length; false if it is none. */
bool zkfs_packet_read_request(const void *packet, size_t len,
			      struct zkfs_packet_request *ret_request);
/* The xid of a reply, or of what else the server says; false if it is too short
 * for one. */
bool zkfs_packet_xid(const void *packet, size_t len, int32_t *ret_xid);
/* What is no reply to a request of a user's: xid -1 is an event. */
bool zkfs_packet_is_notice(const void *packet, size_t len);
bool zkfs_packet_is_reply(const void *packet, size_t len,
			  const struct zkfs_packet_request *request);

#endif

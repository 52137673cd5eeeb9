/*
 * channel: the bytes of one connection to a server, plain or within TLS. The
 * client library hands over four bytes of length, then the packet, each by its
 * own send(2), and receives in the same way; each of these wakes the server or
 * costs a system call. So what is sent while the channel is held goes out
 * together, and what has arrived is received together, ahead of who asks for
 * it. Nothing here waits.
 */
#ifndef ZKFS_ZK_CHANNEL_H
#define ZKFS_ZK_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct zkfs_tls_stream;

/* Longer ones are few, and pass by without a copy. */
#define ZKFS_CHANNEL_ROOM ((size_t)16 * 1024)

struct zkfs_channel {
	int fd;
	struct zkfs_tls_stream *stream; /* the caller's; NULL: plain */
	bool held;
	bool failed;  /* to send what it had taken; at its end */
	bool drained; /* the socket gave less than there was room for */
	size_t n_out, at_in, n_in;
	unsigned char out[ZKFS_CHANNEL_ROOM], in[ZKFS_CHANNEL_ROOM];
};

/* Over a connected socket that does not block, which stays the caller's, as
 * does the stream. */
void zkfs_channel_init(struct zkfs_channel *channel, int fd,
		       struct zkfs_tls_stream *stream);

/* As send(2). What it takes it may keep: until zkfs_channel_flush() when it is
 * held, and for as long as the socket takes nothing. It takes nothing more
 * (EAGAIN) before the socket has taken that. */
ssize_t zkfs_channel_send(struct zkfs_channel *channel, const void *buf,
			  size_t size);
/* As recv(2). EAGAIN does not always ask the socket: poll(2) does. */
ssize_t zkfs_channel_recv(struct zkfs_channel *channel, void *buf, size_t size);

void zkfs_channel_hold(struct zkfs_channel *channel);
/* Holds no longer, and sends what was kept. False: that failed, and all that
 * was kept may or may not have arrived; the channel is at its end. */
bool zkfs_channel_flush(struct zkfs_channel *channel);

/* Something is kept: flush when poll(2) tells of room. */
bool zkfs_channel_stalled(const struct zkfs_channel *channel);
/* Bytes, or the end, can be received of which poll(2) does not tell. */
bool zkfs_channel_pending(const struct zkfs_channel *channel);

#endif

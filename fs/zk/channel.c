/* channel: see channel.h. */
#include "fs/zk/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/base/util.h"
#include "fs/zk/tls.h"

void zkfs_channel_init(struct zkfs_channel *channel, int fd,
		       struct zkfs_tls_stream *stream)
{
	channel->fd = fd;
	channel->stream = stream;
	channel->held = channel->failed = channel->drained = false;
	channel->n_out = channel->at_in = channel->n_in = 0;
}

/* Sending */

/* By number: send() and recv() of the whole program are fs/zk/guard's. */
static ssize_t pass_out(const struct zkfs_channel *channel, const void *buf,
			size_t size)
{
	return channel->stream
		       ? zkfs_tls_stream_send(channel->stream, buf, size)
		       : syscall(SYS_sendto, channel->fd, buf, size,
				 MSG_NOSIGNAL, NULL, 0);
}

/* Sends what is kept, as far as it goes. */
static void send_kept(struct zkfs_channel *channel)
{
	size_t done = 0;

	while (done < channel->n_out && !channel->failed) {
		ssize_t n = pass_out(channel, channel->out + done,
				     channel->n_out - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			break;
		else if (n == 0 || errno != EINTR)
			channel->failed = true;
	}
	channel->n_out -= done;
	memmove(channel->out, channel->out + done, channel->n_out);
}

ssize_t zkfs_channel_send(struct zkfs_channel *channel, const void *buf,
			  size_t size)
{
	bool fits = size <= ZKFS_CHANNEL_ROOM - channel->n_out;

	if (channel->n_out > 0 && !(channel->held && fits)) {
		send_kept(channel);
		fits = size <= ZKFS_CHANNEL_ROOM - channel->n_out;
	}
	if (channel->failed) {
		errno = EPIPE;
		return -1;
	}
	if (channel->held && fits) {
		memcpy(channel->out + channel->n_out, buf, size);
		channel->n_out += size;
		return (ssize_t)size;
	}
	if (channel->n_out > 0) {
		errno = EAGAIN;
		return -1;
	}
	return pass_out(channel, buf, size);
}

void zkfs_channel_hold(struct zkfs_channel *channel)
{
	channel->held = true;
}

bool zkfs_channel_flush(struct zkfs_channel *channel)
{
	channel->held = false;
	send_kept(channel);
	return !channel->failed;
}

bool zkfs_channel_stalled(const struct zkfs_channel *channel)
{
	return channel->n_out > 0;
}

/* Receiving */

static ssize_t pass_in(struct zkfs_channel *channel, void *buf, size_t size)
{
	ssize_t n;

	if (channel->stream)
		return zkfs_tls_stream_recv(channel->stream, buf, size);
	if (channel->drained) {
		channel->drained = false;
		errno = EAGAIN;
		return -1;
	}
	n = syscall(SYS_recvfrom, channel->fd, buf, size, 0, NULL, NULL);
	channel->drained = n > 0 && (size_t)n < size;
	return n;
}

ssize_t zkfs_channel_recv(struct zkfs_channel *channel, void *buf, size_t size)
{
	size_t len;
	ssize_t n;

	if (channel->failed)
		return 0;
	if (channel->n_in == 0) {
		if (size >= ZKFS_CHANNEL_ROOM)
			return pass_in(channel, buf, size);
		n = pass_in(channel, channel->in, ZKFS_CHANNEL_ROOM);
		if (n <= 0)
			return n;
		channel->at_in = 0;
		channel->n_in = (size_t)n;
	}
	len = zkfs_min_size(size, channel->n_in);
	memcpy(buf, channel->in + channel->at_in, len);
	channel->at_in += len;
	channel->n_in -= len;
	return (ssize_t)len;
}

bool zkfs_channel_pending(const struct zkfs_channel *channel)
{
	return channel->failed || channel->n_in > 0 ||
	       (channel->stream && zkfs_tls_stream_pending(channel->stream));
}

/*
 * tls: TLS to the servers: whom we trust, who we are, and one stream for each
 * connection. Nothing here waits.
 *
 * It is ours (OpenSSL) and not the client library's, which Debian builds
 * without. Where the library has it (zookeeper_init_ssl), it shakes hands in a
 * loop that a server can keep it in for ever, takes a certificate of any host,
 * needs one of ours, and reads past fs/zk/guard. So the guard ends TLS, on the
 * library's socket, and the library sees a connection like any other.
 *
 * There are two sources for this header: tls.c, and tls_none.c for a build
 * without OpenSSL (meson.build).
 */
#ifndef ZKFS_ZK_TLS_H
#define ZKFS_ZK_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct zkfs_tls;
struct zkfs_tls_stream;

struct zkfs_tls_config {
	const char *cafile;   /* PEM; NULL: those that the system trusts */
	const char *certfile; /* PEM, the chain behind it; NULL: none */
	const char *keyfile;  /* PEM; NULL: it is in certfile */
	/* As in struct zkfs_servers: a server's certificate must be for one of
	 * these names or addresses, whichever of them led there. */
	const char *hosts;
};

/* Whether this build can. */
bool zkfs_tls_available(void);

/* Reads the files. The one with the key must be for its owner alone
 * (fs/zk/secret). Returns 0, or a negative errno (-ENOTSUP: this build cannot)
 * with one line of words that name option and file. */
int zkfs_tls_new(const struct zkfs_tls_config *config,
		 struct zkfs_tls **ret_tls, char *words, size_t words_len);
/* All streams must be gone. NULL is fine. Returns NULL. */
struct zkfs_tls *zkfs_tls_free(struct zkfs_tls *tls);
/* Reads the files again, for streams that are made from now on. When it fails,
 * as zkfs_tls_new(), nothing has changed. */
int zkfs_tls_reload(struct zkfs_tls *tls, const struct zkfs_tls_config *config,
		    char *words, size_t words_len);

/* How a stream came to its end. */
struct zkfs_tls_end {
	/* TLS says so: the certificate is refused, ours is, or the other side
	 * speaks something else. The next attempt would end so, too. */
	bool final;
	char words[192];
};

/* Over a socket that connects or is connected, which stays the caller's, and
 * has to be open when the stream is freed. NULL: no memory. */
struct zkfs_tls_stream *zkfs_tls_stream_new(struct zkfs_tls *tls, int fd);
struct zkfs_tls_stream *zkfs_tls_stream_free(struct zkfs_tls_stream *stream);
/* Goes on with the handshake. Returns 0 when the stream can be used; -EAGAIN
 * with what to poll(2) for; or another negative errno: it is at its end. */
int zkfs_tls_stream_shake(struct zkfs_tls_stream *stream, short *ret_events);
/* As send(2) and recv(2). */
ssize_t zkfs_tls_stream_send(struct zkfs_tls_stream *stream, const void *buf,
			     size_t size);
ssize_t zkfs_tls_stream_recv(struct zkfs_tls_stream *stream, void *buf,
			     size_t size);
/* Bytes can be received that are not in the socket any more: poll(2) does not
 * tell of them. */
bool zkfs_tls_stream_pending(const struct zkfs_tls_stream *stream);
/* Why it has ended; NULL: it has not, or the connection broke under it. */
const struct zkfs_tls_end *
zkfs_tls_stream_end(const struct zkfs_tls_stream *stream);

#endif

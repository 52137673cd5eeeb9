/* tls: see tls.h. A build without it: there is never a stream. */
#include <errno.h>
#include <stdio.h>

#include "fs/base/util.h"
#include "fs/zk/tls.h"

bool zkfs_tls_available(void)
{
	return false;
}

int zkfs_tls_new(const struct zkfs_tls_config *config zkfs_unused,
		 struct zkfs_tls **ret_tls zkfs_unused, char *words,
		 size_t words_len)
{
	(void)snprintf(words, words_len,
		       "option 'tls': this zkfs was built without OpenSSL; "
		       "use a tunnel, as zkfs(8) shows with stunnel");
	return -ENOTSUP;
}

struct zkfs_tls *zkfs_tls_free(struct zkfs_tls *tls zkfs_unused)
{
	return NULL;
}

int zkfs_tls_reload(struct zkfs_tls *tls zkfs_unused,
		    const struct zkfs_tls_config *config zkfs_unused,
		    char *words zkfs_unused, size_t words_len zkfs_unused)
{
	return -ENOTSUP;
}

struct zkfs_tls_stream *zkfs_tls_stream_new(struct zkfs_tls *tls zkfs_unused,
					    int fd zkfs_unused)
{
	return NULL;
}

struct zkfs_tls_stream *
zkfs_tls_stream_free(struct zkfs_tls_stream *stream zkfs_unused)
{
	return NULL;
}

int zkfs_tls_stream_shake(struct zkfs_tls_stream *stream zkfs_unused,
			  short *ret_events zkfs_unused)
{
	return -ENOTSUP;
}

ssize_t zkfs_tls_stream_send(struct zkfs_tls_stream *stream zkfs_unused,
			     const void *buf zkfs_unused,
			     size_t size zkfs_unused)
{
	errno = ENOTSUP;
	return -1;
}

ssize_t zkfs_tls_stream_recv(struct zkfs_tls_stream *stream zkfs_unused,
			     void *buf zkfs_unused, size_t size zkfs_unused)
{
	errno = ENOTSUP;
	return -1;
}

bool zkfs_tls_stream_pending(const struct zkfs_tls_stream *stream zkfs_unused)
{
	return false;
}

const struct zkfs_tls_end *
zkfs_tls_stream_end(const struct zkfs_tls_stream *stream zkfs_unused)
{
	return NULL;
}

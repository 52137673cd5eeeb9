/*
 * tls: see tls.h. With OpenSSL, whose errors are a queue of the thread's: it is
 * emptied before each call that is asked about afterwards.
 */
#include "fs/zk/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/base/util.h"
#include "fs/zk/secret.h"
#include "fs/zk/servers.h"

struct zkfs_tls {
	SSL_CTX *ctx;
	char *hosts;
	bool has_cert; /* of ours */
};

struct zkfs_tls_stream {
	SSL *ssl;
	bool has_cert;
	bool ready;
	bool over;
	struct zkfs_tls_end end; /* if it has words */
};

bool zkfs_tls_available(void)
{
	return true;
}

/*
 * The files.
 */

/* Words for what OpenSSL has just refused. */
static int refuse(const char *option, const char *file, char *words,
		  size_t words_len)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	(void)snprintf(words, words_len, "%s '%s': %s", option, file,
		       reason ? reason : "cannot be read as PEM");
	return -EINVAL;
}

static int refuse_errno(const char *option, const char *file, int error,
			char *words, size_t words_len)
{
	(void)snprintf(words, words_len, "%s '%s': %s", option, file,
		       strerror(error));
	return -error;
}

/* OpenSSL reads them by itself, and its words for a file that is not there are
 * not clear. */
static int check_file(const char *option, const char *file, char *words,
		      size_t words_len)
{
	struct stat st;
	FILE *stream;

	if (stat(file, &st) < 0)
		return refuse_errno(option, file, errno, words, words_len);
	if (!S_ISREG(st.st_mode))
		return refuse_errno(option, file,
				    S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
				    words, words_len);
	stream = fopen(file, "re");
	if (!stream)
		return refuse_errno(option, file, errno, words, words_len);
	(void)fclose(stream);
	return 0;
}

static int load_ca(SSL_CTX *ctx, const char *file, char *words,
		   size_t words_len)
{
	int r;

	if (!file) {
		if (SSL_CTX_set_default_verify_paths(ctx) == 1)
			return 0;
		(void)snprintf(words, words_len,
			       "option 'tls': no certificates of the system's; "
			       "give 'cafile'");
		return -EINVAL;
	}
	r = check_file("cafile", file, words, words_len);
	if (r == 0 && SSL_CTX_load_verify_file(ctx, file) != 1)
		r = refuse("cafile", file, words, words_len);
	return r;
}

/* Nobody can be asked: OpenSSL would ask the terminal. */
static int no_pass_phrase(char *buf zkfs_unused, int size zkfs_unused,
			  int writing zkfs_unused, void *arg)
{
	*(bool *)arg = true;
	return -1;
}

static int use_key(SSL_CTX *ctx, const char *text, size_t len, const char *file,
		   char *words, size_t words_len)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	bool encrypted = false;
	EVP_PKEY *key = NULL;
	int r = 0;

	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase,
					      &encrypted);
	if (encrypted) {
		(void)snprintf(words, words_len,
			       "keyfile '%s': the key has a pass phrase, and "
			       "nobody can be asked for it",
			       file);
		r = -EINVAL;
	} else if (!key || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
		/* A key of another certificate is refused here as well. */
		r = refuse("keyfile", file, words, words_len);
	}
	EVP_PKEY_free(key);
	BIO_free(bio);
	return r;
}

static int load_key(SSL_CTX *ctx, const char *file, char *words,
		    size_t words_len)
{
	char why[128] = "";
	char *text;
	size_t len;
	int r = zkfs_secret_read(file, true, &text, &len, why, sizeof(why));

	if (r < 0) {
		(void)snprintf(words, words_len, "keyfile '%s': %s", file, why);
		return r;
	}
	r = use_key(ctx, text, len, file, words, words_len);
	(void)zkfs_secret_free(text, len);
	return r;
}

static int load_cert(SSL_CTX *ctx, const struct zkfs_tls_config *config,
		     char *words, size_t words_len)
{
	const char *file = config->certfile;
	int r;

	if (!file)
		return 0;
	r = check_file("certfile", file, words, words_len);
	if (r == 0 && SSL_CTX_use_certificate_chain_file(ctx, file) != 1)
		r = refuse("certfile", file, words, words_len);
	if (r == 0)
		r = load_key(ctx, config->keyfile ? config->keyfile : file,
			     words, words_len);
	return r;
}

/*
 * Whom we trust.
 */

/* A name that is an address stands in the certificate as one. */
static bool is_for(void *ctx, const char *host)
{
	int r = X509_check_ip_asc(ctx, host, 0);

	if (r == -2)
		r = X509_check_host(ctx, host, 0, 0, NULL);
	return r == 1;
}

/* In the place of OpenSSL's: it checks one name only. Whoever has a certificate
 * for one of the servers is one of them: which of their names has led to the
 * address is not asked. */
static int verify(X509_STORE_CTX *store, void *arg)
{
	const struct zkfs_tls *tls = arg;
	X509 *cert = X509_STORE_CTX_get0_cert(store);

	if (X509_verify_cert(store) != 1)
		return 0;
	if (zkfs_servers_any(tls->hosts, is_for, cert))
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
	return 0;
}

static int new_context(struct zkfs_tls *tls,
		       const struct zkfs_tls_config *config, SSL_CTX **ret_ctx,
		       char *words, size_t words_len)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int r;

	ERR_clear_error();
	if (!ctx) {
		(void)snprintf(words, words_len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* The library sends the rest of a packet from where it likes. */
	(void)SSL_CTX_set_mode(ctx,
			       SSL_MODE_ENABLE_PARTIAL_WRITE |
				       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, tls);
	r = load_ca(ctx, config->cafile, words, words_len);
	if (r == 0)
		r = load_cert(ctx, config, words, words_len);
	if (r == 0)
		*ret_ctx = ctx;
	else
		SSL_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

int zkfs_tls_new(const struct zkfs_tls_config *config,
		 struct zkfs_tls **ret_tls, char *words, size_t words_len)
{
	struct zkfs_tls *tls = calloc(1, sizeof(*tls));
	int r = -ENOMEM;

	if (tls)
		tls->hosts = strdup(config->hosts);
	if (tls && tls->hosts)
		r = zkfs_tls_reload(tls, config, words, words_len);
	else
		(void)snprintf(words, words_len, "%s", strerror(ENOMEM));
	if (r < 0)
		(void)zkfs_tls_free(tls);
	else
		*ret_tls = tls;
	return r;
}

struct zkfs_tls *zkfs_tls_free(struct zkfs_tls *tls)
{
	if (!tls)
		return NULL;
	SSL_CTX_free(tls->ctx);
	free(tls->hosts);
	free(tls);
	return NULL;
}

int zkfs_tls_reload(struct zkfs_tls *tls, const struct zkfs_tls_config *config,
		    char *words, size_t words_len)
{
	SSL_CTX *ctx = NULL;
	int r = new_context(tls, config, &ctx, words, words_len);

	if (r < 0)
		return r;
	/* Streams have a reference of their own to the old one. */
	SSL_CTX_free(tls->ctx);
	tls->ctx = ctx;
	tls->has_cert = config->certfile;
	return 0;
}

/*
 * Streams.
 */

struct only {
	unsigned n;
	char name[256];
};

static bool note_name(void *ctx, const char *host)
{
	struct only *only = ctx;

	only->n++;
	(void)snprintf(only->name, sizeof(only->name), "%s", host);
	return false;
}

/* Who stands in front of several servers, and asks which one is meant, can be
 * told only if there is just one: of several, it is not known here whose
 * address this is. */
static void name_server(SSL *ssl, const char *hosts)
{
	struct only only = {0};

	(void)zkfs_servers_any(hosts, note_name, &only);
	if (only.n == 1 && zkfs_servers_named(hosts))
		(void)SSL_set_tlsext_host_name(ssl, only.name);
}

struct zkfs_tls_stream *zkfs_tls_stream_new(struct zkfs_tls *tls, int fd)
{
	struct zkfs_tls_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->has_cert = tls->has_cert;
	stream->ssl = SSL_new(tls->ctx);
	if (!stream->ssl || SSL_set_fd(stream->ssl, fd) != 1)
		return zkfs_tls_stream_free(stream);
	name_server(stream->ssl, tls->hosts);
	SSL_set_connect_state(stream->ssl);
	return stream;
}

struct zkfs_tls_stream *zkfs_tls_stream_free(struct zkfs_tls_stream *stream)
{
	if (!stream)
		return NULL;
	/* That this is the end, so that nobody takes it for a cut. */
	if (stream->ready && !stream->over)
		(void)SSL_shutdown(stream->ssl);
	SSL_free(stream->ssl);
	ERR_clear_error();
	free(stream);
	return NULL;
}

const struct zkfs_tls_end *
zkfs_tls_stream_end(const struct zkfs_tls_stream *stream)
{
	return *stream->end.words ? &stream->end : NULL;
}

static int end(struct zkfs_tls_stream *stream, bool final, const char *words)
{
	stream->over = true;
	stream->end.final = final;
	(void)snprintf(stream->end.words, sizeof(stream->end.words), "%s",
		       words);
	return -EPROTO;
}

static int end_by_certificate(struct zkfs_tls_stream *stream)
{
	long why = SSL_get_verify_result(stream->ssl);
	char words[sizeof(stream->end.words)];

	if (why == X509_V_ERR_HOSTNAME_MISMATCH)
		return end(stream, true, "its certificate is for another host");
	(void)snprintf(words, sizeof(words), "its certificate is refused: %s",
		       X509_verify_cert_error_string(why));
	return end(stream, true, words);
}

/* Alerts (RFC 8446, 6) are reasons from 1000 on. */
static bool is_alert(int reason)
{
	return reason >= SSL_AD_REASON_OFFSET &&
	       reason < SSL_AD_REASON_OFFSET + 256;
}

static int end_by_protocol(struct zkfs_tls_stream *stream)
{
	unsigned long error = ERR_peek_error();
	const char *text = ERR_reason_error_string(error);
	int reason = ERR_GET_REASON(error);
	char words[sizeof(stream->end.words)];

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return end_by_certificate(stream);
	/* Once hands are shaken it is as good as any other end: what was cut
	 * off is known by its length. */
	if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING && stream->ready) {
		stream->over = true;
		return 0;
	}
	if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return end(stream, false,
			   "it closes the connection; is that port for TLS?");
	if (reason == SSL_R_WRONG_VERSION_NUMBER)
		return end(stream, true, "what it speaks is not TLS");
	(void)snprintf(words, sizeof(words), "%s%s%s",
		       is_alert(reason) ? "it refuses: " : "",
		       text ? text : "TLS has failed",
		       is_alert(reason) && !stream->has_cert
			       ? "; does it want a certificate (certfile)?"
			       : "");
	return end(stream, true, words);
}

/* What a call with the result `n` has come to: -EAGAIN with what to poll for, 0
 * for the end of the stream, or another negative errno. */
static int outcome(struct zkfs_tls_stream *stream, int n, short *ret_events)
{
	int error = errno;

	switch (SSL_get_error(stream->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		*ret_events = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*ret_events = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		stream->over = true;
		return 0;
	case SSL_ERROR_SSL:
		return end_by_protocol(stream);
	default: /* the socket's own */
		stream->over = true;
		return error > 0 ? -error : -ECONNRESET;
	}
}

static void clear_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

int zkfs_tls_stream_shake(struct zkfs_tls_stream *stream, short *ret_events)
{
	int n, r;

	if (stream->over)
		return -EPROTO;
	if (stream->ready)
		return 0;
	clear_errors();
	n = SSL_do_handshake(stream->ssl);
	if (n == 1) {
		stream->ready = true;
		return 0;
	}
	r = outcome(stream, n, ret_events);
	return r == 0 ? -ECONNRESET : r;
}

ssize_t zkfs_tls_stream_send(struct zkfs_tls_stream *stream, const void *buf,
			     size_t size)
{
	short events;
	size_t n;

	if (!stream->ready || stream->over) {
		errno = EPIPE;
		return -1;
	}
	clear_errors();
	if (SSL_write_ex(stream->ssl, buf, size, &n) == 1)
		return (ssize_t)n;
	errno = -outcome(stream, 0, &events);
	if (errno == 0)
		errno = EPIPE;
	return -1;
}

ssize_t zkfs_tls_stream_recv(struct zkfs_tls_stream *stream, void *buf,
			     size_t size)
{
	short events;
	size_t n;
	int r;

	if (!stream->ready || stream->over)
		return 0;
	clear_errors();
	if (SSL_read_ex(stream->ssl, buf, size, &n) == 1)
		return (ssize_t)n;
	r = outcome(stream, 0, &events);
	errno = -r;
	return r == 0 ? 0 : -1;
}

bool zkfs_tls_stream_pending(const struct zkfs_tls_stream *stream)
{
	return stream->ready && !stream->over && SSL_pending(stream->ssl) > 0;
}

/*
 * secret: see secret.h. The file is opened first and looked at afterwards,
 * through the descriptor, so that nobody can put another one in its place
 * between the two; O_NONBLOCK is for a FIFO of that name, on which open would
 * wait.
 */
#include "fs/zk/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/util.h"

/* More than any sensible file of credentials. */
#define FILE_MAX (64 * 1024)

static int fail(int r, const char *what, char *words, size_t words_len)
{
	if (what)
		(void)snprintf(words, words_len, "%s", what);
	else
		(void)snprintf(words, words_len, "%s", strerror(-r));
	return r;
}

static int check(int fd, size_t *ret_size, char *words, size_t words_len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, NULL, words, words_len);
	if (!S_ISREG(st.st_mode))
		return fail(-EINVAL, "not a regular file", words, words_len);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return fail(-EPERM,
			    "belongs to another user, and has to be of who "
			    "mounts or of root (chown)",
			    words, words_len);
	if (st.st_mode & 077)
		return fail(-EPERM,
			    "may be read by others than its owner (chmod 600)",
			    words, words_len);
	if (st.st_size > FILE_MAX)
		return fail(-EFBIG, "too large", words, words_len);
	*ret_size = (size_t)st.st_size;
	return 0;
}

/* At most `size` bytes, and a NUL. Returns the count or a negative errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return (ssize_t)len;
}

int zkfs_secret_read(const char *file, bool follow, char **ret_text,
		     size_t *ret_len, char *words, size_t words_len)
{
	zkfs_autoclose int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
						   (follow ? 0 : O_NOFOLLOW));
	size_t size = 0;
	ssize_t len;
	char *text;
	int r;

	if (fd < 0)
		return fail(-errno, NULL, words, words_len);
	r = check(fd, &size, words, words_len);
	if (r < 0)
		return r;
	text = malloc(size + 1);
	if (!text)
		return fail(-ENOMEM, NULL, words, words_len);
	len = read_all(fd, text, size);
	if (len < 0) {
		(void)zkfs_secret_free(text, size);
		return fail((int)len, NULL, words, words_len);
	}
	*ret_text = text;
	*ret_len = (size_t)len;
	return 0;
}

char *zkfs_secret_free(char *text, size_t len)
{
	if (text)
		explicit_bzero(text, len);
	free(text);
	return NULL;
}

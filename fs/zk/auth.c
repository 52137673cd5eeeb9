/*
 * auth: see auth.h. The file is opened first and looked at afterwards, through
 * the descriptor, so that nobody can put another one in its place between the
 * two; O_NONBLOCK is for a FIFO of that name, on which open would wait.
 */
#include "fs/zk/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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
		return fail(-EPERM, "belongs to another user", words,
			    words_len);
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

static int add(struct zkfs_auth *auth, const char *scheme, size_t scheme_len,
	       const char *credentials)
{
	struct zkfs_auth_entry *entries = reallocarray(
		auth->entries, auth->n_entries + 1, sizeof(*auth->entries));
	struct zkfs_auth_entry *entry;

	if (!entries)
		return -ENOMEM;
	auth->entries = entries;
	entry = &entries[auth->n_entries++];
	entry->scheme = strndup(scheme, scheme_len);
	entry->credentials = strdup(credentials);
	entry->len = strlen(credentials);
	return entry->scheme && entry->credentials ? 0 : -ENOMEM;
}

/* One line, without its end. Empty lines and comments are nothing. */
static int parse_line(struct zkfs_auth *auth, char *line, size_t number,
		      char *words, size_t words_len)
{
	const char *scheme = line + strspn(line, " \t");
	size_t scheme_len = strcspn(scheme, " \t");
	const char *credentials = scheme + scheme_len;

	if (*scheme == '\0' || *scheme == '#')
		return 0;
	credentials += strspn(credentials, " \t");
	/* The line itself is not shown: it is a secret. */
	if (*credentials == '\0') {
		(void)snprintf(words, words_len,
			       "line %zu is not SCHEME CREDENTIALS", number);
		return -EINVAL;
	}
	/* The library reads no answer of a scheme that it knows to be wrong,
	 * and the server closes the connection for ever: tell it here. */
	if (scheme_len == strlen("digest") &&
	    memcmp(scheme, "digest", scheme_len) == 0 &&
	    !strchr(credentials, ':')) {
		(void)snprintf(words, words_len,
			       "line %zu: digest is USER:PASSWORD", number);
		return -EINVAL;
	}
	if (add(auth, scheme, scheme_len, credentials) < 0)
		return fail(-ENOMEM, NULL, words, words_len);
	return 0;
}

static int parse(struct zkfs_auth *auth, char *text, size_t len, char *words,
		 size_t words_len)
{
	size_t number = 0;
	char *line = text;

	if (memchr(text, '\0', len))
		return fail(-EINVAL, "contains a NUL byte", words, words_len);
	while (line) {
		char *end = strchr(line, '\n');
		int r;

		if (end)
			*end++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		r = parse_line(auth, line, ++number, words, words_len);
		if (r < 0)
			return r;
		line = end;
	}
	return 0;
}

static int load(const char *file, struct zkfs_auth *ret_auth, char *words,
		size_t words_len)
{
	zkfs_autoclose int fd =
		open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct zkfs_auth auth = {0};
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
	if (len < 0)
		r = fail((int)len, NULL, words, words_len);
	else
		r = parse(&auth, text, (size_t)len, words, words_len);
	explicit_bzero(text, size);
	free(text);
	if (r < 0)
		zkfs_auth_fini(&auth);
	else
		*ret_auth = auth;
	return r;
}

int zkfs_auth_load(const char *file, struct zkfs_auth *ret_auth, char *words,
		   size_t words_len)
{
	char why[128] = "";
	int r = load(file, ret_auth, why, sizeof(why));

	if (r < 0)
		(void)snprintf(words, words_len, "authfile '%s': %s", file,
			       why);
	return r;
}

bool zkfs_auth_has(const struct zkfs_auth *auth,
		   const struct zkfs_auth_entry *entry)
{
	for (size_t i = 0; i < auth->n_entries; i++)
		if (strcmp(auth->entries[i].scheme, entry->scheme) == 0 &&
		    strcmp(auth->entries[i].credentials, entry->credentials) ==
			    0)
			return true;
	return false;
}

static bool has_scheme(const struct zkfs_auth *auth, const char *scheme)
{
	for (size_t i = 0; i < auth->n_entries; i++)
		if (strcmp(auth->entries[i].scheme, scheme) == 0)
			return true;
	return false;
}

bool zkfs_auth_may_follow(const struct zkfs_auth *auth,
			  const struct zkfs_auth *old, char *words,
			  size_t words_len)
{
	for (size_t i = 0; i < auth->n_entries; i++) {
		const char *scheme = auth->entries[i].scheme;

		if (strcmp(scheme, "digest") == 0 || has_scheme(old, scheme))
			continue;
		(void)snprintf(words, words_len,
			       "the scheme '%.64s' is new; mount again for it",
			       scheme);
		return false;
	}
	return true;
}

void zkfs_auth_fini(struct zkfs_auth *auth)
{
	for (size_t i = 0; i < auth->n_entries; i++) {
		struct zkfs_auth_entry *entry = &auth->entries[i];

		if (entry->credentials)
			explicit_bzero(entry->credentials, entry->len);
		free(entry->credentials);
		free(entry->scheme);
	}
	free(auth->entries);
	*auth = (struct zkfs_auth){0};
}

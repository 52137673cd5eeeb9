/* auth: see auth.h. */
#include "fs/zk/auth.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "fs/zk/secret.h"

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
	if (add(auth, scheme, scheme_len, credentials) < 0) {
		(void)snprintf(words, words_len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	return 0;
}

static int parse(struct zkfs_auth *auth, char *text, size_t len, char *words,
		 size_t words_len)
{
	size_t number = 0;
	char *line = text;

	if (memchr(text, '\0', len)) {
		(void)snprintf(words, words_len, "contains a NUL byte");
		return -EINVAL;
	}
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
	struct zkfs_auth auth = {0};
	char *text;
	size_t len;
	int r = zkfs_secret_read(file, false, &text, &len, words, words_len);

	if (r < 0)
		return r;
	r = parse(&auth, text, len, words, words_len);
	(void)zkfs_secret_free(text, len);
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

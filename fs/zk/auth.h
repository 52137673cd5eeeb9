/*
 * auth: the credentials of -o authfile=. One a line, "SCHEME CREDENTIALS", of
 * which digest ("digest user:password") is the usual; '#' begins a comment. A
 * secret never stands on a command line, in the mount table or in the log.
 */
#ifndef ZKFS_ZK_AUTH_H
#define ZKFS_ZK_AUTH_H

#include <stdbool.h>
#include <stddef.h>

struct zkfs_auth_entry {
	char *scheme;
	char *credentials;
	size_t len;
};

struct zkfs_auth {
	struct zkfs_auth_entry *entries;
	size_t n_entries;
};

/* Reads the file: O_NOFOLLOW, a regular file of the caller's (or root's) that
 * nobody else may read (mode & 077 == 0). Returns 0, or a negative errno with
 * one line of words. */
int zkfs_auth_load(const char *file, struct zkfs_auth *ret_auth, char *words,
		   size_t words_len);
bool zkfs_auth_has(const struct zkfs_auth *auth,
		   const struct zkfs_auth_entry *entry);
/* Whether a session that has `old` may be given `auth`: it has no scheme but
 * digest that is not in `old`. Else words say which. */
bool zkfs_auth_may_follow(const struct zkfs_auth *auth,
			  const struct zkfs_auth *old, char *words,
			  size_t words_len);
/* Wipes (explicit_bzero) and frees. */
void zkfs_auth_fini(struct zkfs_auth *auth);

#endif

/*
 * secret: a file that is for its owner alone: credentials, a private key.
 */
#ifndef ZKFS_ZK_SECRET_H
#define ZKFS_ZK_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Reads a regular file of the caller's (or root's) that nobody else has any
 * access to (mode & 077 == 0), and no larger than 64 KiB. `follow`: it may be a
 * symbolic link; what is looked at is what it leads to. Returns 0 and the text
 * with a NUL behind it, the caller's to wipe, or a negative errno with a few
 * words that do not name the file. */
int zkfs_secret_read(const char *file, bool follow, char **ret_text,
		     size_t *ret_len, char *words, size_t words_len);
/* Wipes (explicit_bzero) and frees; NULL is fine. Returns NULL. */
char *zkfs_secret_free(char *text, size_t len);

#endif

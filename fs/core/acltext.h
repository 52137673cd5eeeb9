/*
 * acltext: an access control list as text, in the form of ZooKeeper's own
 * shell: entries SCHEME:ID:PERMISSIONS with commas between them, as in
 *
 *	world:anyone:r,digest:bob:HASH:cdrwa,auth::cdrwa
 *
 * PERMISSIONS are letters: c (create children), d (delete children), r (read),
 * w (write), a (administer, which is to set this list). An ID may have colons
 * in it. Beyond what the shell can say, a comma or a backslash in an ID, as
 * certificates' names have them, stands behind a backslash.
 *
 * The other form is that of the port (fs/zk/acl.h): each entry is its
 * permissions (an int32_t), its scheme and its id, both with their NUL.
 */
#ifndef ZKFS_CORE_ACLTEXT_H
#define ZKFS_CORE_ACLTEXT_H

#include <stdbool.h>
#include <stddef.h>

struct zkfs_text;

/* Reads it. *ret_bytes is the caller's to free. Returns 0, -EINVAL for what is
 * not such a text or grants nobody anything, or -ENOMEM. */
int zkfs_acltext_parse(const char *text, size_t len, char **ret_bytes,
		       size_t *ret_len);
/* Prints one; -ENOMEM shows in the text. */
void zkfs_acltext_print(struct zkfs_text *text, const void *bytes, size_t len);

/* Whether an entry is of that scheme. */
bool zkfs_acltext_has_scheme(const void *bytes, size_t len, const char *scheme);

#endif

/* acl: see acl.h. */
#include "fs/zk/acl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INT 4

/* Who may read an ACL but not administer it is shown "user:x" for a password
 * (FinalRequestProcessor, getACL); a true one is never so short. */
static bool is_hidden(const struct Id *id)
{
	size_t len = strlen(id->id);

	return strcmp(id->scheme, "digest") == 0 && len >= 2 &&
	       strcmp(id->id + len - 2, ":x") == 0;
}

static size_t packed_size(const struct ACL *entry)
{
	return sizeof(entry->perms) + strlen(entry->id.scheme) + 1 +
	       strlen(entry->id.id) + 1;
}

static char *pack_string(char *at, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(at, text, len);
	return at + len;
}

int zkfs_acl_pack(const struct ACL_vector *acl, char **ret_bytes,
		  size_t *ret_len)
{
	size_t len = 0;
	char *bytes, *at;

	for (int32_t i = 0; i < acl->count; i++) {
		if (is_hidden(&acl->data[i].id))
			return -EACCES;
		len += packed_size(&acl->data[i]);
	}
	bytes = malloc(len + 1);
	if (!bytes)
		return -ENOMEM;
	at = bytes;
	for (int32_t i = 0; i < acl->count; i++) {
		const struct ACL *entry = &acl->data[i];

		memcpy(at, &entry->perms, sizeof(entry->perms));
		at = pack_string(at + sizeof(entry->perms), entry->id.scheme);
		at = pack_string(at, entry->id.id);
	}
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

/* Reads one entry and moves on to the next. False at the end. */
static bool next_entry(const char **at, const char *end, struct ACL *ret_entry)
{
	if (*at >= end)
		return false;
	memcpy(&ret_entry->perms, *at, sizeof(ret_entry->perms));
	*at += sizeof(ret_entry->perms);
	/* The library's type has no const; it only reads. */
	ret_entry->id.scheme = (char *)(uintptr_t)*at;
	*at += strlen(*at) + 1;
	ret_entry->id.id = (char *)(uintptr_t)*at;
	*at += strlen(*at) + 1;
	return true;
}

size_t zkfs_acl_count(const void *bytes, size_t len)
{
	const char *at = bytes, *end = at + len;
	struct ACL entry;
	size_t n = 0;

	while (next_entry(&at, end, &entry))
		n++;
	return n;
}

size_t zkfs_acl_size(const void *bytes, size_t len)
{
	const char *at = bytes, *end = at + len;
	struct ACL entry;
	size_t size = INT;

	while (next_entry(&at, end, &entry))
		size += INT + INT + strlen(entry.id.scheme) + INT +
			strlen(entry.id.id);
	return size;
}

void zkfs_acl_view(const void *bytes, size_t len, struct ACL *entries)
{
	const char *at = bytes, *end = at + len;

	while (next_entry(&at, end, entries))
		entries++;
}

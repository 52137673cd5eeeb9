/*
 * xattrs: see xattrs.h. One table says each attribute's name and how its value
 * is got; the list for listxattr(2) is written beside it, and a test compares
 * the two.
 */
#include "fs/core/xattrs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/base/util.h"

#define PREFIX "user.zk."

enum form {
	FORM_INT32,
	FORM_INT64,
	FORM_HEX, /* as ZooKeeper's tools print zxids and session ids */
	FORM_PATH,
};

struct xattr {
	const char *name; /* without PREFIX */
	enum form form;
	size_t offset; /* of the field of struct zkfs_stat */
};

#define FIELD(field) offsetof(struct zkfs_stat, field)

static const struct xattr xattrs[] = {
	{"version", FORM_INT32, FIELD(version)},
	{"cversion", FORM_INT32, FIELD(cversion)},
	{"aversion", FORM_INT32, FIELD(aversion)},
	{"czxid", FORM_HEX, FIELD(czxid)},
	{"mzxid", FORM_HEX, FIELD(mzxid)},
	{"pzxid", FORM_HEX, FIELD(pzxid)},
	{"ctime", FORM_INT64, FIELD(ctime_ms)},
	{"mtime", FORM_INT64, FIELD(mtime_ms)},
	{"ephemeralOwner", FORM_HEX, FIELD(ephemeral_owner)},
	{"dataLength", FORM_INT32, FIELD(data_length)},
	{"numChildren", FORM_INT32, FIELD(num_children)},
	{"path", FORM_PATH, 0},
};

/* clang-format off */
static const char list[] =
	PREFIX "version\0"
	PREFIX "cversion\0"
	PREFIX "aversion\0"
	PREFIX "czxid\0"
	PREFIX "mzxid\0"
	PREFIX "pzxid\0"
	PREFIX "ctime\0"
	PREFIX "mtime\0"
	PREFIX "ephemeralOwner\0"
	PREFIX "dataLength\0"
	PREFIX "numChildren\0"
	PREFIX "path";
/* clang-format on */

/* The longest of the numbers and its NUL: -2^63. */
#define NUMBER_BYTES 24

const char *zkfs_xattrs_list(size_t *ret_len)
{
	*ret_len = sizeof(list); /* the last name's NUL is the literal's own */
	return list;
}

static const struct xattr *find(const char *name)
{
	size_t prefix = strlen(PREFIX);

	if (strncmp(name, PREFIX, prefix) != 0)
		return NULL;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(xattrs); i++) {
		if (strcmp(name + prefix, xattrs[i].name) == 0)
			return &xattrs[i];
	}
	return NULL;
}

bool zkfs_xattrs_known(const char *name)
{
	return find(name) != NULL;
}

static int32_t int32_of(const struct zkfs_stat *stat, size_t offset)
{
	int32_t value;

	memcpy(&value, (const char *)stat + offset, sizeof(value));
	return value;
}

static int64_t int64_of(const struct zkfs_stat *stat, size_t offset)
{
	int64_t value;

	memcpy(&value, (const char *)stat + offset, sizeof(value));
	return value;
}

static void print_number(const struct xattr *xattr,
			 const struct zkfs_stat *stat, char text[NUMBER_BYTES])
{
	int n = 0;

	switch (xattr->form) {
	case FORM_INT32:
		n = snprintf(text, NUMBER_BYTES, "%" PRId32,
			     int32_of(stat, xattr->offset));
		break;
	case FORM_INT64:
		n = snprintf(text, NUMBER_BYTES, "%" PRId64,
			     int64_of(stat, xattr->offset));
		break;
	case FORM_HEX:
		n = snprintf(text, NUMBER_BYTES, "0x%" PRIx64,
			     (uint64_t)int64_of(stat, xattr->offset));
		break;
	case FORM_PATH:
		assert(0);
	}
	assert(n > 0 && n < NUMBER_BYTES);
}

ssize_t zkfs_xattrs_get(const char *name, const char *path,
			const struct zkfs_stat *stat, char *buf, size_t len)
{
	const struct xattr *xattr = find(name);
	char number[NUMBER_BYTES];
	const char *value = path;
	size_t value_len;

	if (!xattr)
		return -ENODATA;
	if (xattr->form != FORM_PATH) {
		print_number(xattr, stat, number);
		value = number;
	}
	value_len = strlen(value);
	if (value_len > len)
		return -ERANGE;
	memcpy(buf, value, value_len);
	return (ssize_t)value_len;
}

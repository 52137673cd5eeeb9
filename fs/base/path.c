/*
 * path: see include/zkfs/path.h. The set of refused characters is that of
 * ZooKeeper's PathUtils.validatePath(), which sees UTF-16 units: a character
 * outside the basic plane is a pair of surrogates there, and bytes that are
 * no UTF-8 have become U+FFFD.
 */
#include "include/zkfs/path.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What decode() yields for bytes that are no character of the basic plane:
 * itself a character that is refused. */
#define REPLACEMENT 0xfffd

static bool continues(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Takes one character off the front of `s`, which has `len` > 0 bytes.
 * Returns its number and stores its size. */
static uint32_t decode(const unsigned char *s, size_t len, size_t *ret_size)
{
	uint32_t c;

	*ret_size = 1;
	if (s[0] < 0x80)
		return s[0];
	if ((s[0] & 0xe0) == 0xc0 && len >= 2 && continues(s[1])) {
		*ret_size = 2;
		c = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
		return c >= 0x80 ? c : REPLACEMENT; /* overlong */
	}
	if ((s[0] & 0xf0) == 0xe0 && len >= 3 && continues(s[1]) &&
	    continues(s[2])) {
		*ret_size = 3;
		c = (uint32_t)(s[0] & 0x0f) << 12 |
		    (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
		return c >= 0x800 ? c : REPLACEMENT;
	}
	return REPLACEMENT;
}

static bool refused(uint32_t c)
{
	return c <= 0x1f || (c >= 0x7f && c <= 0x9f) ||
	       (c >= 0xd800 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xffff);
}

static bool is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.');
}

static bool component_valid(const char *name, size_t len)
{
	size_t size;

	if (len == 0 || is_dots(name, len))
		return false;
	for (size_t i = 0; i < len; i += size) {
		uint32_t c =
			decode((const unsigned char *)name + i, len - i, &size);

		if (c == '/' || refused(c))
			return false;
	}
	return true;
}

bool zkfs_path_name_valid(const char *name)
{
	return component_valid(name, strlen(name));
}

bool zkfs_path_valid(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (!component_valid(path, len))
			return false;
		path += len;
	}
	return true;
}

char *zkfs_path_join(const char *dir, const char *name)
{
	size_t dir_len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
	size_t name_len = strlen(name);
	char *path = malloc(dir_len + 1 + name_len + 1);

	if (!path)
		return NULL;
	memcpy(path, dir, dir_len);
	path[dir_len] = '/';
	memcpy(path + dir_len + 1, name, name_len + 1);
	return path;
}

const char *zkfs_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *zkfs_path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

char *zkfs_path_escape(const char *path)
{
	char *name = malloc(3 * strlen(path) + 1), *to = name;

	if (!name)
		return NULL;
	for (; *path; path++) {
		if (*path == '%' || *path == '/')
			to += sprintf(to, "%%%02X", (unsigned char)*path);
		else
			*to++ = *path;
	}
	*to = '\0';
	return name;
}

bool zkfs_path_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path[0] == '/';
	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

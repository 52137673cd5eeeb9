/*
 * path: znode paths and names. What the server refuses as a name was measured
 * (facts/zookeeper.md, section 2) and is refused here first, since one bad path
 * in a multi aborts the C client.
 *
 * A path is absolute, "/" or "/a/b", without a trailing slash; it does not
 * include the chroot.
 */
#ifndef ZKFS_PATH_H
#define ZKFS_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* The longest name the kernel takes (NAME_MAX), in bytes. */
#define ZKFS_NAME_MAX 255

/* Whether ZooKeeper takes `name` as one component: not empty, not "." or "..",
 * no '/', valid UTF-8, none of U+0001-1F, U+007F-9F, U+D800-F8FF, U+FFF0-FFFF,
 * and nothing outside the basic plane. */
bool zkfs_path_name_valid(const char *name);
/* Whether `path` is absolute and each component is valid; "/" is. */
bool zkfs_path_valid(const char *path);

/* A new string "dir/name" ("/name" when dir is "/"), to be freed by the
 * caller, or NULL when memory is short. */
char *zkfs_path_join(const char *dir, const char *name);
/* The last component, inside `path` ("" for "/"). */
const char *zkfs_path_base(const char *path);
/* A new string with everything before the last component ("/" for "/a" and
 * "/"), or NULL when memory is short. */
char *zkfs_path_dir(const char *path);
/* A new string, one name for a whole path: '%' and '/' as %25 and %2F. NULL
 * when memory is short. */
char *zkfs_path_escape(const char *path);
/* Whether `path` is `dir` or lies below it. */
bool zkfs_path_within(const char *path, const char *dir);

#endif

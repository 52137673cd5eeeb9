/*
 * attr: what a znode looks like to stat(2), derived from its Stat alone.
 *
 * The type rule (the one place where it stands): a znode with children is a
 * directory; without children it is a directory when it is persistent, empty
 * and was never written, else a regular file. An ephemeral is always a file.
 * (Every common client creates its directories empty: facts/zookeeper.md, 6.)
 */
#ifndef ZKFS_CORE_ATTR_H
#define ZKFS_CORE_ATTR_H

#include <stdbool.h>
#include <sys/stat.h>

#include "include/zkfs/zk.h"

enum zkfs_type {
	ZKFS_TYPE_DIR,
	ZKFS_TYPE_FILE,
	ZKFS_TYPE_DATA,	       /* the data of a znode that is a directory */
	ZKFS_TYPE_ENTRY,       /* a contender in a lock: shown like a file */
	ZKFS_TYPE_LOCKDIR,     /* one that mkdir made: an empty directory */
	ZKFS_TYPE_CONTROL_DIR, /* the mount's own (ops/control) */
	ZKFS_TYPE_CONTROL_FILE,
};

#define ZKFS_BLKSIZE (1 << 20) /* so that tools write a file in one go */
/* readdir(3) reads that much at least (glibc: 32 KiB): small pieces, so that
 * the rest of a listing is fetched while the first entries are used. */
#define ZKFS_DIR_BLKSIZE 4096

struct zkfs_attr_style {
	uid_t uid;
	gid_t gid;
	mode_t fmask; /* bits taken from 0666 */
	mode_t dmask; /* bits taken from 0777 */
};

/* DIR or FILE; the root ("/", czxid 0) is always a directory: `root`. */
enum zkfs_type zkfs_attr_type(const struct zkfs_stat *stat, bool root);

/* Whether it is a name in a lock: no znode has it. */
bool zkfs_attr_in_lock(enum zkfs_type type);
/* Whether it is the control directory or in it: no znode, and read-only. */
bool zkfs_attr_is_control(enum zkfs_type type);

/* A hash of path, czxid and type in 63 bits, never 0 or 1; that of DATA has
 * the top bit set, so that tools that copy in inode order (cp, tar) make a
 * directory's children before its data. The root's is 1. */
ino_t zkfs_attr_ino(const char *path, int64_t czxid, enum zkfs_type type);

/* Fills all of struct stat. Files: mtime and ctime are ZooKeeper's mtime with
 * the data version folded into the nanoseconds below a millisecond;
 * directories: ctime/mtime in milliseconds with cversion folded in the same
 * way, so that every change of a child list moves them. nlink is 1. */
void zkfs_attr_fill(const struct zkfs_attr_style *style, const char *path,
		    enum zkfs_type type, const struct zkfs_stat *stat,
		    struct stat *ret_st);

#endif

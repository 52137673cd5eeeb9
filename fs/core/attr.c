/*
 * attr: see attr.h.
 *
 * Times. ZooKeeper counts milliseconds, and tools that compare mtimes (make,
 * rsync, an editor's "changed on disk") must see each of several writes in one
 * millisecond. So a counter that grows with each change is folded into the
 * nanoseconds below: the data version, or for a directory cversion, which
 * counts creations and deletions of children. It wraps at a million, and two
 * versions that far apart are not of one millisecond.
 *
 * A directory has no time of its last change: Stat has pzxid for that, which
 * is no clock. Its mtime is its data's, moved on by cversion; that it differs
 * after each change is what the kernel needs to drop its listing.
 */
#include "fs/core/attr.h"

#include <string.h>

#include "fs/base/hash.h"

#define MS_PER_S  1000
#define NS_PER_MS 1000000

#define ROOT_INO 1
#define DATA_BIT (UINT64_C(1) << 63)

enum zkfs_type zkfs_attr_type(const struct zkfs_stat *stat, bool root)
{
	if (root || stat->num_children > 0)
		return ZKFS_TYPE_DIR;
	if (stat->ephemeral_owner != 0)
		return ZKFS_TYPE_FILE;
	if (stat->data_length == 0 && stat->version == 0)
		return ZKFS_TYPE_DIR;
	return ZKFS_TYPE_FILE;
}

bool zkfs_attr_in_lock(enum zkfs_type type)
{
	return type == ZKFS_TYPE_ENTRY || type == ZKFS_TYPE_LOCKDIR;
}

bool zkfs_attr_is_control(enum zkfs_type type)
{
	return type == ZKFS_TYPE_CONTROL_DIR || type == ZKFS_TYPE_CONTROL_FILE;
}

ino_t zkfs_attr_ino(const char *path, int64_t czxid, enum zkfs_type type)
{
	uint64_t ino;

	if (type == ZKFS_TYPE_DIR && strcmp(path, "/") == 0)
		return ROOT_INO;
	ino = zkfs_hash_bytes(0, path, strlen(path));
	ino = zkfs_hash_u64(ino, (uint64_t)czxid);
	ino = zkfs_hash_u64(ino, type);
	ino &= ~DATA_BIT;
	/* 0 is "no inode" to readdir(3), 1 is the root. */
	if (ino <= ROOT_INO)
		ino += ROOT_INO + 1;
	return type == ZKFS_TYPE_DATA ? ino | DATA_BIT : ino;
}

/* tv_nsec is never negative, for a time before 1970 either, where C's % is. */
static struct timespec moment(int64_t ms, int32_t counter)
{
	int64_t s = ms / MS_PER_S;
	int64_t rest = ms % MS_PER_S;

	if (rest < 0) {
		rest += MS_PER_S;
		s--;
	}
	return (struct timespec){
		.tv_sec = s,
		.tv_nsec = rest * NS_PER_MS + (uint32_t)counter % NS_PER_MS,
	};
}

static bool is_dir(enum zkfs_type type)
{
	return type == ZKFS_TYPE_DIR || type == ZKFS_TYPE_LOCKDIR ||
	       type == ZKFS_TYPE_CONTROL_DIR;
}

static mode_t mode(const struct zkfs_attr_style *style, enum zkfs_type type)
{
	mode_t write = zkfs_attr_is_control(type) ? 0222 : 0;

	if (is_dir(type))
		return S_IFDIR | (0777 & ~style->dmask & ~write);
	return S_IFREG | (0666 & ~style->fmask & ~write);
}

void zkfs_attr_fill(const struct zkfs_attr_style *style, const char *path,
		    enum zkfs_type type, const struct zkfs_stat *stat,
		    struct stat *ret_st)
{
	bool dir = is_dir(type);
	off_t size = dir || stat->data_length < 0 ? 0 : stat->data_length;
	struct timespec when =
		moment(stat->mtime_ms, dir ? stat->cversion : stat->version);

	*ret_st = (struct stat){
		.st_ino = zkfs_attr_ino(path, stat->czxid, type),
		.st_mode = mode(style, type),
		.st_nlink = 1,
		.st_uid = style->uid,
		.st_gid = style->gid,
		.st_size = size,
		.st_blksize = dir ? ZKFS_DIR_BLKSIZE : ZKFS_BLKSIZE,
		.st_blocks = (size + 511) / 512,
		.st_atim = when,
		.st_mtim = when,
		.st_ctim = when,
	};
}

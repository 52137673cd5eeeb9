/*
 * limits: how much of what a mount gives away, as one table: options, --help,
 * the status and the manual follow it, and tests hold them together. (What is
 * cached has budgets of its own, which are never an error: cache_nodes,
 * cache_data, watch_paths.)
 */
#ifndef ZKFS_CORE_LIMITS_H
#define ZKFS_CORE_LIMITS_H

#include <errno.h>
#include <stddef.h>

/*
 * X(name, option, kind, default, errno, help)
 *
 * The name is that of the field; kind is `count` or `bytes`; help is the line
 * of --help. A user is the one who makes the call, also where the mount is
 * one user's: root is another.
 *
 * Why these errnos: ENFILE, EMFILE and ENOMEM are what open(2) says of the same
 * on any system; ENOLCK is what flock(2) and fcntl(2) say. Data that does not
 * fit is ENOMEM, not ENOSPC: it is this host's memory, and nothing on the
 * server is full.
 */
#define ZKFS_LIMITS(X)                                                         \
	X(open, "open_max", count, 65536, ENFILE,                              \
	  "  open_max=N               open files, directories and locks in\n"  \
	  "                           all (65536)\n")                          \
	X(open_user, "open_user_max", count, 32768, EMFILE,                    \
	  "  open_user_max=N          the same of one user (32768)\n")         \
	X(locks, "locks_max", count, 65536, ENOLCK,                            \
	  "  locks_max=N              locks held and waited for in all\n"      \
	  "                           (65536)\n")                              \
	X(locks_user, "locks_user_max", count, 16384, ENOLCK,                  \
	  "  locks_user_max=N         the same of one user (16384)\n")         \
	X(data, "data_max", bytes, (size_t)1 << 30, ENOMEM,                    \
	  "  data_max=BYTES           memory of what is open: data read and\n" \
	  "                           written, listings, in all (1G)\n")       \
	X(data_user, "data_user_max", bytes, (size_t)512 << 20, ENOMEM,        \
	  "  data_user_max=BYTES      the same of one user (512M)\n")          \
	X(listing, "listing_max", bytes, (size_t)64 << 20, EFBIG,              \
	  "  listing_max=BYTES        names in one directory (64M)\n")         \
	X(path, "path_max", bytes, 64 << 10, ENAMETOOLONG,                     \
	  "  path_max=BYTES           longest path in the mount (64K)\n")

struct zkfs_limits {
#define ZKFS_LIMIT_FIELD_(name, option, kind, number, error, help) size_t name;
	ZKFS_LIMITS(ZKFS_LIMIT_FIELD_)
#undef ZKFS_LIMIT_FIELD_
};

/* An initialiser with the defaults. */
#define ZKFS_LIMIT_DEFAULT_(name_, option, kind, number, error, help)          \
	.name_ = (number),
#define ZKFS_LIMITS_DEFAULT                                                    \
	{                                                                      \
		ZKFS_LIMITS(ZKFS_LIMIT_DEFAULT_)                               \
	}

/* An entry of the table by number, for who goes through all of it. */
enum zkfs_limit {
#define ZKFS_LIMIT_ENUM_(name, option, kind, number, error, help)              \
	ZKFS_LIMIT_##name,
	ZKFS_LIMITS(ZKFS_LIMIT_ENUM_)
#undef ZKFS_LIMIT_ENUM_
	_ZKFS_LIMIT_N
};

const char *zkfs_limit_option(enum zkfs_limit limit);
/* What is answered when it is reached: a negative errno. */
int zkfs_limit_error(enum zkfs_limit limit);
size_t zkfs_limit_number(const struct zkfs_limits *limits,
			 enum zkfs_limit limit);

#endif

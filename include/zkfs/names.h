/*
 * names: what a contender is called on the wire, and how a child of a lock is
 * read back. The families of names and the reason for each stand in
 * facts/locks.md, sections 3, 4 and 12; in short, each family of clients counts
 * only its own kind of name, so that one contender creates, in one
 * transaction, one name of every kind:
 *
 *   exclusive  _c_<uuid>-<host>.<pid>.<LABEL>-lock-   Curator's mutex, Go, ...
 *              _c_<uuid>-kazoo__lock__                kazoo
 *              _c_<uuid>-__WRIT__                     Curator's read-write lock
 *   shared     _c_<uuid>-__READ__, _c_<uuid>-kazoo__rlock__
 *
 * All are ephemeral and sequential. The first is the primary: its czxid is the
 * token and its data the contender's description.
 */
#ifndef ZKFS_NAMES_H
#define ZKFS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZKFS_NAMES_MAX	 3 /* names of one contender */
#define ZKFS_NAMES_BYTES 512
#define ZKFS_UUID_BYTES	 37 /* 36 characters and the NUL */
#define ZKFS_LABEL_MAX	 128

enum zkfs_lock_mode {
	ZKFS_LOCK_EXCLUSIVE,
	ZKFS_LOCK_SHARED,
};

/* -o locknames= */
enum zkfs_name_family {
	ZKFS_FAMILY_CURATOR = 1,
	ZKFS_FAMILY_KAZOO = 2,
	ZKFS_FAMILY_CURATOR_RW = 4,
	ZKFS_FAMILY_ALL = 7,
};

/* A UUID (RFC 4122 shape, version 8) that holds the session id and 58 bits of
 * `random`, so that a contender shows its owner and a lost create can be found
 * again. */
void zkfs_names_uuid(char uuid[ZKFS_UUID_BYTES], int64_t session_id,
		     uint64_t random);

/* Whether a user may call a contender so: a valid znode name of at most
 * ZKFS_LABEL_MAX bytes that is no virtual file (does not begin with '.') and
 * contains none of "__READ__", "__WRIT__", "lock-", "__lock__", "__rlock__". */
bool zkfs_names_label_valid(const char *label);

/* Fills `names` with the prefixes (without digits) of one contender, the
 * primary first, and returns their number. `host` has every byte outside
 * [A-Za-z0-9-] replaced by '-', and is cut at 64 bytes. */
size_t zkfs_names_build(char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES],
			enum zkfs_lock_mode mode, unsigned families,
			const char *uuid, const char *host, long pid,
			const char *label);

/* One child of a lock, taken apart. Pointers go into the name given. */
struct zkfs_name_parts {
	int64_t sequence; /* may be negative: facts/locks.md, section 6 */
	enum zkfs_lock_mode mode;
	const char *group; /* bytes all names of one contender share, or the
			    * whole name for clients with one name */
	size_t group_len;
	bool ours; /* in zkfs's own form: host, pid and label are set */
	const char *host;
	size_t host_len;
	long pid;
	const char *label;
	size_t label_len;
	enum zkfs_name_family family; /* 0: none of the three */
};

/* Returns false for a child without a trailing sequence number (-?[0-9]{10}),
 * which is no contender. */
bool zkfs_names_parse(const char *name, struct zkfs_name_parts *ret_parts);

#endif

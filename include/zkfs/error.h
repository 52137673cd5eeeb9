/*
 * error: what a ZooKeeper server, or the way to it, can answer, as one table:
 * our name, the protocol's code, the errno a system call shows, and words.
 * The codes are those of ZooKeeper's KeeperException.Code; the table stands
 * here without the client's header so that the core, the simulation and tests
 * can use it.
 */
#ifndef ZKFS_ERROR_H
#define ZKFS_ERROR_H

#include <errno.h>

/* X(name, protocol code, errno, words) */
#define ZKFS_ERRORS(X)                                                         \
	X(OK, 0, 0, "success")                                                 \
	X(NONODE, -101, ENOENT, "no such znode")                               \
	X(NOAUTH, -102, EACCES, "not permitted by the znode's ACL")            \
	X(BADVERSION, -103, ESTALE, "the znode has another version")           \
	X(NOCHILDREN, -108, EPERM, "an ephemeral znode has no children")       \
	X(NODEEXISTS, -110, EEXIST, "the znode exists")                        \
	X(NOTEMPTY, -111, ENOTEMPTY, "the znode has children")                 \
	X(EXPIRED, -112, EIO, "the session has expired")                       \
	X(INVALIDACL, -114, EINVAL, "invalid ACL")                             \
	X(AUTHFAILED, -115, EACCES, "authentication failed")                   \
	X(QUOTA, -125, EDQUOT, "quota exceeded")                               \
	X(BADARGUMENTS, -8, EINVAL, "not a name or value ZooKeeper takes")     \
	X(UNIMPLEMENTED, -6, EOPNOTSUPP, "the server does not offer this")     \
	X(ROLLEDBACK, -2, EIO, "undone, as another part failed")               \
	X(TOOBIG, -9001, EFBIG, "more than one request can carry")             \
	X(TIMEDOUT, -9002, ETIMEDOUT, "no server answered in time")            \
	X(LOST, -9003, EIO, "the reply was lost; the outcome is unknown")      \
	X(NOMEM, -9004, ENOMEM, "out of memory")                               \
	X(OTHER, -9005, EIO, "an unexpected answer from the server")           \
	X(UNSENT, -9006, EIO, "not sent before the connection was lost")

enum zkfs_error {
#define ZKFS_ERROR_ENUM_(name, code, err, words) ZKFS_E_##name,
	ZKFS_ERRORS(ZKFS_ERROR_ENUM_)
#undef ZKFS_ERROR_ENUM_
	_ZKFS_ERROR_N
};

/* The table's entry for a protocol code; ZKFS_E_OTHER for one not in it. */
enum zkfs_error zkfs_error_from_protocol(int code);
/* The other way round. Those of ours no server and no library has. */
int zkfs_error_to_protocol(enum zkfs_error error);
/* 0 for OK, otherwise a negative errno. */
int zkfs_error_to_errno(enum zkfs_error error);
/* A few words, never NULL. */
const char *zkfs_error_words(enum zkfs_error error);

#endif

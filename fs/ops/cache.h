/*
 * cache: what is kept of the tree under live watches (core/cover), so that
 * unchanged nodes are answered without asking the server, or by the kernel
 * without asking us. One struct zkfs_cached beside each node that was looked
 * up; the least recently used are let go.
 *
 * How an operation uses it: if zkfs_cache_has_attr(), or zkfs_cache_data(), it
 * answers at once. Else it lets zkfs_cache_ask() choose the request, which
 * then arms a watch, and hands the reply to zkfs_cache_answered(). Either way
 * zkfs_cache_attr_timeout() says how long the kernel may keep the answer.
 */
#ifndef ZKFS_OPS_CACHE_H
#define ZKFS_OPS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/base/buf.h"
#include "fs/core/cover.h"
#include "fs/core/tree.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;

/* A file with more data is not fetched by a look-up, and not kept. */
#define ZKFS_CACHE_DATA_MAX ((int32_t)65536)

struct zkfs_cache_limits {
	size_t nodes; /* 0: nothing is cached */
	size_t bytes; /* of data */
};

enum zkfs_cache_expiry {
	ZKFS_CACHE_UNTOLD,
	ZKFS_CACHE_TOLD,      /* all names at once */
	ZKFS_CACHE_TELL_EACH, /* the kernel knows no such thing */
};

struct zkfs_cache {
	struct zkfs_cache_limits limits;
	struct zkfs_link cached; /* least recently used first */
	size_t n_nodes;
	size_t n_bytes;
	enum zkfs_cache_expiry expiry; /* since the connection was lost */
	int64_t lost_ms;	       /* when the connection was, last */
	int64_t uncovered_until_ms; /* the kernel keeps what no watch covers */
	uint64_t hits;
	uint64_t misses;
};

/* A request that arms a watch; embedded by who sends it. */
struct zkfs_cache_ask {
	struct zkfs_cached *cached; /* NULL: it arms none */
	struct zkfs_cover_ask ask;
};

void zkfs_cache_init(struct zkfs_fs *fs,
		     const struct zkfs_cache_limits *limits);
/* Lets everything go; the kernel is not told. */
void zkfs_cache_fini(struct zkfs_fs *fs);

/* The attributes are current: node->stat is true. */
bool zkfs_cache_has_attr(struct zkfs_fs *fs, struct zkfs_node *node);
/* The data is current; the version in node->stat is its. NULL: not known. */
struct zkfs_buf *zkfs_cache_data(struct zkfs_fs *fs, struct zkfs_node *node);
/* The version in node->stat is current. */
bool zkfs_cache_has_version(const struct zkfs_node *node);
/* The same of a file that this mount has not committed yet. */
bool zkfs_cache_watches_version(const struct zkfs_node *node);
/* The directory's children are as they were when they were last listed. */
bool zkfs_cache_has_children(const struct zkfs_node *node);
/* They were listed just now: the kernel may keep that. */
void zkfs_cache_listed(struct zkfs_node *node);
/* With -o stale, without a connection: for how many seconds what is shown of
 * the node may have been otherwise. -1: it is current, or is not shown. */
int64_t zkfs_cache_stale_s(const struct zkfs_fs *fs,
			   const struct zkfs_node *node);

/* Fills kind and watch of a request about `node`; NULL: what is not known yet.
 * To be followed by _answered() or _given_up(). */
void zkfs_cache_ask(struct zkfs_fs *fs, struct zkfs_cache_ask *ask,
		    struct zkfs_zk_req *req, struct zkfs_node *node,
		    bool want_data);
/* As above, for a list of the node's children. */
void zkfs_cache_ask_children(struct zkfs_fs *fs, struct zkfs_cache_ask *ask,
			     struct zkfs_zk_req *req, struct zkfs_node *node);
/* It was answered, without an error, and this is the node it is about, whose
 * Stat has been noted (zkfs_tree_saw). */
void zkfs_cache_answered(struct zkfs_fs *fs, struct zkfs_cache_ask *ask,
			 const struct zkfs_zk_req *req,
			 const struct zkfs_zk_reply *reply,
			 struct zkfs_node *node);
/* It was answered with an error, or about something else, or not at all.
 * Harmless after _answered(), and on a zeroed ask. */
void zkfs_cache_given_up(struct zkfs_fs *fs, struct zkfs_cache_ask *ask);
/* Keeps data of the version in node->stat. */
void zkfs_cache_keep(struct zkfs_fs *fs, struct zkfs_node *node,
		     struct zkfs_buf *data);

/* A change that this mount makes to the node's name has ended. */
void zkfs_cache_settled(struct zkfs_fs *fs, struct zkfs_node *node);
/* The connection came or went. */
void zkfs_cache_session(struct zkfs_fs *fs);
/* The connection is gone, and all names are stale: whether the kernel could be
 * told so in one go (else name by name). */
bool zkfs_cache_names_expired(struct zkfs_fs *fs);

/* A barrier: what the kernel was given before, it asks for again. */
void zkfs_cache_barrier(struct zkfs_fs *fs, struct zkfs_node *dir);

/* How long the kernel may keep what a watch covers, in seconds: it is told when
 * that ends. As long as the session would live without us: a daemon that is
 * stopped or killed tells nobody, and the kernel answers from what it has. */
double zkfs_cache_timeout(const struct zkfs_fs *fs);
/* That, and it is noted that the kernel has to be told; or `otherwise` where no
 * watch covers the answer. */
double zkfs_cache_attr_timeout(struct zkfs_fs *fs, struct zkfs_node *node,
			       double otherwise);
double zkfs_cache_name_timeout(struct zkfs_fs *fs, struct zkfs_node *node,
			       double otherwise);

#endif

/*
 * absent: names that are known not to exist, each under a live watch that its
 * creation fires, so that asking for them again costs nothing: shells and
 * linkers search paths, programs wait for a file to come.
 *
 * A name is watched from the second time on that it is not found.
 */
#ifndef ZKFS_OPS_ABSENT_H
#define ZKFS_OPS_ABSENT_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/base/hash.h"
#include "fs/core/tree.h"
#include "include/zkfs/zk.h"

struct zkfs_fs;
struct zkfs_absent;

struct zkfs_absents {
	struct zkfs_hash by_name;
	struct zkfs_link used; /* least recently used first */
	size_t n;
	size_t max; /* 0: none is kept */
};

/* Returns 0 or -ENOMEM. */
int zkfs_absents_init(struct zkfs_fs *fs, size_t max);
void zkfs_absents_fini(struct zkfs_fs *fs);

/* Whether it is known that there is no such name. */
bool zkfs_absent_known(struct zkfs_fs *fs, const struct zkfs_node *parent,
		       const char *name);
/* The kernel is given that to keep, and told when it ends. */
void zkfs_absent_promise(struct zkfs_fs *fs, const struct zkfs_node *parent,
			 const char *name);

/* Gives an EXISTS the watch, if the name was not found before. What is returned
 * is to be handed to _answered(); NULL: it has none. */
struct zkfs_absent *zkfs_absent_ask(struct zkfs_fs *fs,
				    const struct zkfs_node *parent,
				    const char *name, struct zkfs_zk_req *req);
/* `found` nothing: it was answered so, with the watch. NULL is fine. */
void zkfs_absent_answered(struct zkfs_fs *fs, struct zkfs_absent *absent,
			  bool missing);
/* The name was looked up without the watch, and is not there. */
void zkfs_absent_note(struct zkfs_fs *fs, struct zkfs_node *parent,
		      const char *name);

/* This mount is about to make the name. Returns whether the kernel relies on
 * its absence: it learns better from the answer, and must be told if there is
 * none (zkfs_notify_entry). */
bool zkfs_absent_forget(struct zkfs_fs *fs, const struct zkfs_node *parent,
			const char *name);
/* There is a connection again: what was shown without one (-o stale) ends. */
void zkfs_absent_found(struct zkfs_fs *fs);
/* The directory, or one above it, has another path now. */
void zkfs_absent_moved(struct zkfs_fs *fs, const struct zkfs_node *dir);

#endif

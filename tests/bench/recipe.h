/*
 * recipe: the lock recipe on a bare client, as lean as it can be: the list is
 * asked for right behind the names, and once.
 */
#ifndef ZKFS_BENCH_RECIPE_H
#define ZKFS_BENCH_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/bench/client.h"

#define RECIPE_PATH 512
/* The names of one contender, as a mount writes them. */
#define RECIPE_NAMES 3

struct recipe {
	struct client client;
	const char *dir;
	size_t n_names; /* 1: Curator's only */
	char made[RECIPE_NAMES][RECIPE_PATH];
	char *before; /* the nearest name before ours, or NULL */
	size_t n_listed;
	bool before_went;
};

/* With a session of its own; `dir` is there and stays valid. */
void recipe_init(struct recipe *recipe, const char *address, const char *dir,
		 size_t n_names);
void recipe_fini(struct recipe *recipe);

/* Joins and waits. As there are never more than two contenders, the lock is
 * ours when the one before us has gone. */
void recipe_acquire(struct recipe *recipe);
void recipe_release(struct recipe *recipe);
/* How many names there are, of all contenders. */
size_t recipe_count(struct recipe *recipe);

#endif

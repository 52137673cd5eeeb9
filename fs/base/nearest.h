/*
 * nearest: which known word somebody has most likely meant by a misspelt one.
 */
#ifndef ZKFS_BASE_NEAREST_H
#define ZKFS_BASE_NEAREST_H

#include <stddef.h>

struct zkfs_nearest {
	const char *word;  /* that was misspelt */
	const char *found; /* the nearest so far, or NULL: none is near */
	size_t distance;   /* of it */
};

/* Asks about one known word, which is kept as a pointer. Of several that are
 * equally near the first stays. Near is what differs in few letters: left out,
 * added, changed, or swapped with their neighbour. */
void zkfs_nearest_try(struct zkfs_nearest *nearest, const char *known);

#endif

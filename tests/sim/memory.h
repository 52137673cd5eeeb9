/*
 * memory: allocation that does not fail, for simulations: one that is short of
 * memory ends.
 */
#ifndef ZKFS_SIM_MEMORY_H
#define ZKFS_SIM_MEMORY_H

#include <stdlib.h>
#include <string.h>

static inline void *sim_zalloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

static inline void *sim_memdup(const void *data, size_t len)
{
	char *p = sim_zalloc(len + 1);

	if (len > 0)
		memcpy(p, data, len);
	return p;
}

static inline char *sim_strdup(const char *text)
{
	return sim_memdup(text, strlen(text));
}

#endif

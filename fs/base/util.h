/*
 * util: the small things every file of zkfs uses: cleanup attributes,
 * ownership hand-over, container_of.
 */
#ifndef ZKFS_BASE_UTIL_H
#define ZKFS_BASE_UTIL_H

#include <stddef.h>
#include <stdlib.h>

#define ZKFS_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define zkfs_container_of(ptr, type, member)                                   \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Frees the variable's pointer with free(3) when its scope ends. */
#define zkfs_autofree __attribute__((cleanup(zkfs_cleanup_free)))
/* Closes the variable's descriptor, if it is >= 0, when its scope ends. */
#define zkfs_autoclose	  __attribute__((cleanup(zkfs_cleanup_close)))
#define zkfs_printf(f, a) __attribute__((format(printf, f, a)))
#define zkfs_unused	  __attribute__((unused))

/* Hands a pointer on: yields its value and leaves NULL behind. */
#define zkfs_steal(ptr)                                                        \
	(__extension__({                                                       \
		__typeof__(*(ptr)) stolen_ = *(ptr);                           \
		*(ptr) = NULL;                                                 \
		stolen_;                                                       \
	}))

static inline void zkfs_cleanup_free(void *ptr)
{
	free(*(void **)ptr);
}

void zkfs_cleanup_close(int *fd);

static inline size_t zkfs_min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t zkfs_max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif

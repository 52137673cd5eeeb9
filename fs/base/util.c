/*
 * util: the parts that are no inline functions.
 */
#include "fs/base/util.h"

#include <errno.h>
#include <unistd.h>

/* errno is kept: a cleanup runs between a failure and whoever reads it. */
void zkfs_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

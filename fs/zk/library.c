/*
 * library: see library.h.
 */
#include "fs/zk/library.h"

#include <zookeeper/zookeeper_version.h>

const char *zkfs_library_version(void)
{
	return ZOO_VERSION;
}

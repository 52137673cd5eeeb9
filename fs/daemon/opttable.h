/*
 * opttable: the mount options: which there are. Its source has the text of
 * --help (opts.h), too.
 */
#ifndef ZKFS_DAEMON_OPTTABLE_H
#define ZKFS_DAEMON_OPTTABLE_H

#include "fs/daemon/optvalue.h"

/* Sets what the option `name` stands for. `value` is what came behind '=', or
 * NULL. Returns 0, or -EINVAL/-ENOMEM with words in the parser. */
int zkfs_opttable_set(struct zkfs_opts_parser *p, const char *name,
		      const char *value);
#endif

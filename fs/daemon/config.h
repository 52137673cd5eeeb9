/*
 * config: --dump-config: how this zkfs was built, for scripts: lines of
 * KEY=VALUE, which are documented in zkfs(8) and do not change their names.
 */
#ifndef ZKFS_DAEMON_CONFIG_H
#define ZKFS_DAEMON_CONFIG_H

#include <stdio.h>

struct zkfs_opts;

/* `opts` are those of a command line without options: the defaults. */
void zkfs_config_print(FILE *out, const struct zkfs_opts *opts);

#endif

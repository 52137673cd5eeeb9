/*
 * config: see config.h. The paths come from the build.
 */
#include "fs/daemon/config.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>

#include "fs/core/limits.h"
#include "fs/daemon/opts.h"
#include "fs/zk/library.h"
#include "fs/zk/tls.h"

static void print_options(FILE *out)
{
	const char *name;
	bool value;

	(void)fputs("options=", out);
	for (size_t i = 0; (name = zkfs_opts_name(i, &value)); i++)
		(void)fprintf(out, "%s%s%s", i == 0 ? "" : " ", name,
			      value ? "=" : "");
	(void)fputc('\n', out);
}

static void print_defaults(FILE *out, const struct zkfs_opts *opts)
{
	(void)fprintf(out,
		      "default_session_timeout=%g\n"
		      "default_timeo=%g\n"
		      "default_cache_nodes=%zu\n"
		      "default_cache_data=%zu\n"
		      "default_watch_paths=%zu\n"
		      "default_dataname=%s\n"
		      "default_ctlname=%s\n"
		      "default_lockroot=%s\n"
		      "default_inotify=%s\n",
		      opts->session_timeout_ms / 1000.0,
		      opts->timeo_ms / 1000.0, opts->cache_nodes,
		      opts->cache_data, opts->watch_paths, opts->dataname,
		      opts->ctlname, opts->lockroots[0],
		      opts->inotify == ZKFS_OPTS_INOTIFY_OFF ? "no" : "yes");
	for (int i = 0; i < _ZKFS_LIMIT_N; i++)
		(void)fprintf(
			out, "default_%s=%zu\n",
			zkfs_limit_option((enum zkfs_limit)i),
			zkfs_limit_number(&opts->limits, (enum zkfs_limit)i));
}

void zkfs_config_print(FILE *out, const struct zkfs_opts *opts)
{
	(void)fprintf(out,
		      "version=" ZKFS_VERSION "\n"
		      "fuse_version=%s\n"
		      "fuse_interface=%d\n"
		      "zookeeper_version=%s\n"
		      "tls=%s\n"
		      "bindir=" ZKFS_BINDIR "\n"
		      "sbindir=" ZKFS_SBINDIR "\n"
		      "mandir=" ZKFS_MANDIR "\n"
		      "sysconfdir=" ZKFS_SYSCONFDIR "\n",
		      fuse_pkgversion(), FUSE_USE_VERSION,
		      zkfs_library_version(),
		      zkfs_tls_available() ? "yes" : "no");
	print_options(out);
	print_defaults(out, opts);
}

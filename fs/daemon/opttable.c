/*
 * opttable: a mount option is a line of OPTIONS, which names it, says how its
 * value is read and where it goes, and is its line of --help, or one of the
 * limits (core/limits). What only other filesystems or mount(8) care for is a
 * second list, of names.
 */
#include "fs/daemon/opttable.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "fs/base/nearest.h"
#include "fs/base/util.h"
#include "fs/core/limits.h"

/* X(name, setter, field, value, line of help); "" stays unsaid */
#define OPTIONS(X)                                                                \
	X("uid", zkfs_optvalue_uid, opts.uid, ZKFS_OPTS_NEEDS_VALUE,              \
	  "  uid=USER                 owner of all files (you)\n")                \
	X("gid", zkfs_optvalue_gid, opts.gid, ZKFS_OPTS_NEEDS_VALUE,              \
	  "  gid=GROUP                group of all files (yours)\n")              \
	X("umask", zkfs_optvalue_mode, umask, ZKFS_OPTS_NEEDS_VALUE,              \
	  "  umask=MODE               permission bits taken away, octal\n"        \
	  "                           (that of the process)\n")                   \
	X("fmask", zkfs_optvalue_mode, opts.fmask, ZKFS_OPTS_NEEDS_VALUE,         \
	  "  fmask=MODE               the same for files (umask)\n")              \
	X("dmask", zkfs_optvalue_mode, opts.dmask, ZKFS_OPTS_NEEDS_VALUE,         \
	  "  dmask=MODE               the same for directories (umask)\n")        \
	X("ro", zkfs_optvalue_true, opts.ro, ZKFS_OPTS_NO_VALUE,                  \
	  "  ro                       nothing can be changed\n")                  \
	X("rw", zkfs_optvalue_false, opts.ro, ZKFS_OPTS_NO_VALUE, "")             \
	X("sync", zkfs_optvalue_true, opts.sync, ZKFS_OPTS_NO_VALUE,              \
	  "  sync                     every write(2) is a commit\n")              \
	X("async", zkfs_optvalue_false, opts.sync, ZKFS_OPTS_NO_VALUE, "")        \
	X("sync_open", zkfs_optvalue_true, opts.sync_open, ZKFS_OPTS_NO_VALUE,    \
	  "  sync_open                each open sees what any client did\n"       \
	  "                           before\n")                                  \
	X("stale", zkfs_optvalue_true, opts.stale, ZKFS_OPTS_NO_VALUE,            \
	  "  stale                    without a server show what was known\n")    \
	X("strict", zkfs_optvalue_true, opts.strict, ZKFS_OPTS_NO_VALUE,          \
	  "  strict                   chmod, chown and explicit times fail\n")    \
	X("noexec", zkfs_optvalue_true, opts.noexec, ZKFS_OPTS_NO_VALUE,          \
	  "  noexec                   no program in it can be run\n")             \
	X("exec", zkfs_optvalue_false, opts.noexec, ZKFS_OPTS_NO_VALUE, "")       \
	X("allow_other", zkfs_optvalue_true, opts.allow_other,                    \
	  ZKFS_OPTS_NO_VALUE,                                                     \
	  "  allow_other              let other users in; switches\n"             \
	  "                           default_permissions on\n")                  \
	X("default_permissions", zkfs_optvalue_true, opts.default_permissions,    \
	  ZKFS_OPTS_NO_VALUE,                                                     \
	  "  default_permissions      the kernel checks owner and mode\n")        \
	X("auto_unmount", zkfs_optvalue_true, opts.auto_unmount,                  \
	  ZKFS_OPTS_NO_VALUE,                                                     \
	  "  auto_unmount             unmount when the daemon dies\n")            \
	X("noinotify", zkfs_optvalue_no_inotify, opts.inotify,                    \
	  ZKFS_OPTS_NO_VALUE,                                                     \
	  "  noinotify                inotify does not tell of changes made\n"    \
	  "                           elsewhere\n")                               \
	X("inotify", zkfs_optvalue_inotify, opts.inotify, ZKFS_OPTS_NO_VALUE,     \
	  "  inotify                  it does, whether somebody is seen to\n"     \
	  "                           watch or not\n")                            \
	X("timeo", zkfs_optvalue_timeo, opts.timeo_ms, ZKFS_OPTS_NEEDS_VALUE,     \
	  "  timeo=SECONDS            how long requests wait for a server\n"      \
	  "                           (session_timeout)\n")                       \
	X("hard", zkfs_optvalue_true, opts.hard, ZKFS_OPTS_NO_VALUE,              \
	  "  hard                     they wait for ever, unless they keep\n"     \
	  "                           others waiting, too\n")                     \
	X("soft", zkfs_optvalue_false, opts.hard, ZKFS_OPTS_NO_VALUE, "")         \
	X("session_timeout", zkfs_optvalue_session_timeout,                       \
	  opts.session_timeout_ms, ZKFS_OPTS_NEEDS_VALUE,                         \
	  "  session_timeout=SECONDS  asked of the server (10)\n")                \
	X("cache_nodes", zkfs_optvalue_count, opts.cache_nodes,                   \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  cache_nodes=N            nodes that are kept under watches\n"        \
	  "                           (100000); 0: none\n")                       \
	X("cache_data", zkfs_optvalue_bytes, opts.cache_data,                     \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  cache_data=BYTES         file data that is kept: K, M, G (64M)\n")   \
	X("watch_paths", zkfs_optvalue_bytes, opts.watch_paths,                   \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  watch_paths=BYTES        paths that are watched (8M)\n")             \
	X("dataname", zkfs_optvalue_filename, opts.dataname,                      \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  dataname=NAME            the file that is a directory's data\n"      \
	  "                           (.data)\n")                                 \
	X("ctlname", zkfs_optvalue_ctlname, opts.ctlname,                         \
	  ZKFS_OPTS_OPTIONAL_VALUE,                                               \
	  "  ctlname=NAME             the directory of status and metrics,\n"     \
	  "                           empty: none (.zkfs)\n")                     \
	X("lockroot", zkfs_optvalue_lockroot, opts.lockroots,                     \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  lockroot=PATH            a directory of locks; may be repeated\n"    \
	  "                           (/locks)\n")                                \
	X("locknames", zkfs_optvalue_locknames, opts.locknames,                   \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  locknames=KIND[:KIND]    clients to exclude: curator, kazoo,\n"      \
	  "                           curator-rw or all (all)\n")                 \
	X("authfile", zkfs_optvalue_file, opts.authfile,                          \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  authfile=FILE            credentials, lines of SCHEME SECRET;\n"     \
	  "                           a file that only you can read\n")           \
	X("tls", zkfs_optvalue_true, opts.tls, ZKFS_OPTS_NO_VALUE,                \
	  "  tls                      TLS to the servers\n")                      \
	X("cafile", zkfs_optvalue_file, opts.cafile, ZKFS_OPTS_NEEDS_VALUE,       \
	  "  cafile=FILE              who vouches for the servers, PEM (those\n"  \
	  "                           that the system trusts)\n")                 \
	X("certfile", zkfs_optvalue_file, opts.certfile,                          \
	  ZKFS_OPTS_NEEDS_VALUE,                                                  \
	  "  certfile=FILE            our certificate, PEM\n")                    \
	X("keyfile", zkfs_optvalue_file, opts.keyfile, ZKFS_OPTS_NEEDS_VALUE,     \
	  "  keyfile=FILE             its key, PEM, a file that only you can\n"   \
	  "                           read (certfile)\n")                         \
	X("acl", zkfs_optvalue_acl, opts.acl, ZKFS_OPTS_NEEDS_VALUE,              \
	  "  acl=ENTRY[\\,ENTRY...]    ACL of what is created, as zkCli has it\n" \
	  "                           (world:anyone:cdrwa)\n")                    \
	X("remount", zkfs_optvalue_remount, opts, ZKFS_OPTS_NO_VALUE, "")

/* What mount(8), fstab and /sbin/mount.* hand on, and what has no meaning
 * here: there are no devices, set-id or executable files and no access times,
 * and when to mount is decided by whoever started us. */
static const struct ignored {
	const char *name;
	enum zkfs_opts_value value;
} ignored[] = {
	{"_netdev", ZKFS_OPTS_NO_VALUE},
	{"atime", ZKFS_OPTS_NO_VALUE},
	{"auto", ZKFS_OPTS_NO_VALUE},
	{"comment", ZKFS_OPTS_OPTIONAL_VALUE},
	{"defaults", ZKFS_OPTS_NO_VALUE},
	{"dev", ZKFS_OPTS_NO_VALUE},
	{"diratime", ZKFS_OPTS_NO_VALUE},
	{"dirsync", ZKFS_OPTS_NO_VALUE},
	{"group", ZKFS_OPTS_OPTIONAL_VALUE},
	{"iversion", ZKFS_OPTS_NO_VALUE},
	{"lazytime", ZKFS_OPTS_NO_VALUE},
	{"loud", ZKFS_OPTS_NO_VALUE},
	{"mand", ZKFS_OPTS_NO_VALUE},
	{"noatime", ZKFS_OPTS_NO_VALUE},
	{"noauto", ZKFS_OPTS_NO_VALUE},
	{"nodev", ZKFS_OPTS_NO_VALUE},
	{"nodiratime", ZKFS_OPTS_NO_VALUE},
	{"nofail", ZKFS_OPTS_NO_VALUE},
	{"noiversion", ZKFS_OPTS_NO_VALUE},
	{"nolazytime", ZKFS_OPTS_NO_VALUE},
	{"nomand", ZKFS_OPTS_NO_VALUE},
	{"norelatime", ZKFS_OPTS_NO_VALUE},
	{"nostrictatime", ZKFS_OPTS_NO_VALUE},
	{"nosuid", ZKFS_OPTS_NO_VALUE},
	{"nouser", ZKFS_OPTS_NO_VALUE},
	{"owner", ZKFS_OPTS_OPTIONAL_VALUE},
	{"relatime", ZKFS_OPTS_NO_VALUE},
	{"silent", ZKFS_OPTS_NO_VALUE},
	{"strictatime", ZKFS_OPTS_NO_VALUE},
	{"suid", ZKFS_OPTS_NO_VALUE},
	{"user", ZKFS_OPTS_OPTIONAL_VALUE},
	{"users", ZKFS_OPTS_OPTIONAL_VALUE},
};

static const struct zkfs_opts_spec specs[] = {
#define SPEC(name_, set_, field_, value_, help_)                               \
	{                                                                      \
		.name = (name_),                                               \
		.set = (set_),                                                 \
		.offset = offsetof(struct zkfs_opts_parser, field_),           \
		.value = (value_),                                             \
	},
#define LIMIT_SPEC(limit_, name_, kind_, number_, error_, help_)               \
	SPEC(name_, zkfs_optvalue_limit_##kind_, opts.limits.limit_,           \
	     ZKFS_OPTS_NEEDS_VALUE, help_)
	ZKFS_LIMITS(LIMIT_SPEC)
#undef LIMIT_SPEC
		OPTIONS(SPEC)
#undef SPEC
};

static int check_value(struct zkfs_opts_parser *p, const char *name,
		       enum zkfs_opts_value kind, const char *value)
{
	if (kind == ZKFS_OPTS_NO_VALUE && value)
		return zkfs_optvalue_fail(p, "option '%s' takes no value",
					  name);
	if (kind == ZKFS_OPTS_NEEDS_VALUE && (!value || *value == '\0'))
		return zkfs_optvalue_fail(p, "option '%s' needs a value", name);
	return 0;
}

/* x-systemd.automount and the like: comments for other programs (mount(8)). */
static bool is_comment(const char *name)
{
	return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0;
}

static int refuse_unknown(struct zkfs_opts_parser *p, const char *name)
{
	struct zkfs_nearest nearest = {.word = name};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(specs); i++)
		zkfs_nearest_try(&nearest, specs[i].name);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(ignored); i++)
		zkfs_nearest_try(&nearest, ignored[i].name);
	if (nearest.found)
		return zkfs_optvalue_fail(
			p, "unknown option '%s'; did you mean '%s'?", name,
			nearest.found);
	return zkfs_optvalue_fail(
		p, "unknown option '%s'; 'zkfs --help' lists all", name);
}

int zkfs_opttable_set(struct zkfs_opts_parser *p, const char *name,
		      const char *value)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(specs); i++) {
		int r;

		if (strcmp(specs[i].name, name) != 0)
			continue;
		r = check_value(p, name, specs[i].value, value);
		return r < 0 ? r : specs[i].set(p, &specs[i], value);
	}
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(ignored); i++)
		if (strcmp(ignored[i].name, name) == 0)
			return check_value(p, name, ignored[i].value, value);
	if (is_comment(name) || p->sloppy)
		return 0;
	return refuse_unknown(p, name);
}

const char *zkfs_opts_name(size_t i, bool *ret_needs_value)
{
	/* The last one is only there to be refused. */
	if (i >= ZKFS_ARRAY_SIZE(specs) - 1)
		return NULL;
	assert(specs[i].set != zkfs_optvalue_remount);
	*ret_needs_value = specs[i].value != ZKFS_OPTS_NO_VALUE;
	return specs[i].name;
}

#define HELP(name_, set_, field_, value_, help_)		 help_
#define LIMIT_HELP(limit_, name_, kind_, number_, error_, help_) help_
#define HELP_ON_OPTIONS						 OPTIONS(HELP) ZKFS_LIMITS(LIMIT_HELP)

const char *zkfs_opts_help(void)
{
	return "Usage: zkfs [-o OPTIONS] [-f] [-d] SOURCE MOUNTPOINT\n"
	       "Mounts a ZooKeeper tree as a directory.\n"
	       "\n"
	       "SOURCE is HOST:PORT[,HOST:PORT...][/CHROOT].\n"
	       "\n"
	       "  -o OPTIONS     mount options, see below\n"
	       "  -f             stay in the foreground\n"
	       "  -d             trace every request; implies -f\n"
	       "  -s             ignore unknown mount options\n"
	       "  -h, --help     show this and end\n"
	       "  -V, --version  show the version and end\n"
	       "  --dump-config  show how it was built, for scripts, and end\n"
	       "\n"
	       "Mount options, separated by commas (a default stands in "
	       "parentheses):\n" HELP_ON_OPTIONS "\n"
	       "Generic mount options that mean nothing here, such as nofail\n"
	       "or noatime, are accepted and ignored.\n"
	       "\n"
	       "The whole manual: man zkfs\n";
}

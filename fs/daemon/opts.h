/*
 * opts: the command line: zkfs [-o OPTIONS] [-f] [-d] SOURCE MOUNTPOINT, in
 * the order mount(8) and fstab use too (SOURCE MOUNTPOINT -o ...). Generic
 * mount options are accepted and ignored; an unknown one is an error that names
 * it, and the one that was meant, unless -s stands in front.
 */
#ifndef ZKFS_DAEMON_OPTS_H
#define ZKFS_DAEMON_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fs/core/limits.h"

enum zkfs_opts_command {
	ZKFS_OPTS_MOUNT,
	ZKFS_OPTS_HELP,
	ZKFS_OPTS_VERSION,
	ZKFS_OPTS_DUMP_CONFIG,
};

enum zkfs_opts_inotify {
	ZKFS_OPTS_INOTIFY_WATCHED, /* of what somebody watches */
	ZKFS_OPTS_INOTIFY_ALL,	   /* of all that the kernel knows */
	ZKFS_OPTS_INOTIFY_OFF,
};

struct zkfs_opts {
	enum zkfs_opts_command command;
	char *source;	  /* HOST:PORT[,...][/CHROOT] */
	char *mountpoint; /* as given */
	bool foreground;  /* -f */
	bool debug;	  /* -d; implies -f */

	uid_t uid; /* owner shown: default geteuid(), getegid() */
	gid_t gid;
	mode_t fmask; /* default: umask= if given, else the process's umask */
	mode_t dmask;
	bool ro;
	bool sync;	/* every write commits */
	bool stale;	/* show what is known without a connection, too */
	bool sync_open; /* an open sees what any client did before */
	bool strict;	/* chmod, chown, explicit times answer EPERM */
	bool noexec;	/* as in fstab; `user` brings it along (mount(8)) */
	bool allow_other;
	enum zkfs_opts_inotify inotify; /* what others change is told to it */
	bool default_permissions;	/* also switched on by allow_other */
	bool auto_unmount;
	size_t cache_nodes;	   /* cache_nodes=N; default 100000 */
	size_t cache_data;	   /* cache_data=BYTES; default 64 MiB */
	size_t watch_paths;	   /* watch_paths=BYTES; default 8 MiB */
	struct zkfs_limits limits; /* see there */
	int timeo_ms;		   /* timeo=SECONDS (decimals allowed); default:
				    * session_timeout */
	bool hard;		/* what may wait for ever does; default: soft */
	int session_timeout_ms; /* session_timeout=SECONDS; default 10 s, at
				 * least 0.5 s (facts/zookeeper.md, section 1)
				 */
	char *dataname;		/* default ".data" */
	char *ctlname;		/* default ".zkfs"; "": none */
	char **lockroots; /* lockroot=PATH, repeatable; default "/locks" */
	size_t n_lockroots;
	unsigned locknames; /* enum zkfs_name_family; locknames=curator:kazoo:
			     * curator-rw or "all" */
	char *authfile;	    /* or NULL; absolute, as are the other files */
	bool tls;
	char *cafile; /* of tls: each may be NULL, see fs/zk/tls.h */
	char *certfile;
	char *keyfile;
	/* acl=ENTRY[,ENTRY...], as the port has it, for what is created; and
	 * the same for contenders, which everybody may read. NULL: open. */
	char *acl, *contender_acl;
	size_t acl_len, contender_acl_len;
};

/* Returns 0, or -EINVAL/-ENOMEM with one line of words that names the culprit
 * and does not begin with the program's name. argv is not changed. */
int zkfs_opts_parse(int argc, char *const *argv, struct zkfs_opts *ret_opts,
		    char *words, size_t words_len);
void zkfs_opts_fini(struct zkfs_opts *opts);
/* The text of --help. */
const char *zkfs_opts_help(void);
/* The name of the i-th mount option that means something, or NULL behind the
 * last; and whether it has a value. */
const char *zkfs_opts_name(size_t i, bool *ret_needs_value);

#endif

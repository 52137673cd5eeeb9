/*
 * optvalue: how the value of a mount option is read and where it goes. Each
 * setter reads one kind of value; which option has which is opttable's.
 *
 * Everything is read into a `struct zkfs_opts_parser`, so that the caller's
 * options are filled at the very end, when nothing can fail any more.
 */
#ifndef ZKFS_DAEMON_OPTVALUE_H
#define ZKFS_DAEMON_OPTVALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fs/base/util.h"
#include "fs/daemon/opts.h"

struct zkfs_opts_parser {
	struct zkfs_opts opts;
	mode_t umask;
	bool sloppy; /* unknown options are ignored */
	char *words; /* of what failed */
	size_t words_len;
};

enum zkfs_opts_value {
	ZKFS_OPTS_NO_VALUE,
	ZKFS_OPTS_OPTIONAL_VALUE,
	ZKFS_OPTS_NEEDS_VALUE,
};

struct zkfs_opts_spec;

/* 0, or -EINVAL/-ENOMEM with words that name the option and the value. */
typedef int zkfs_opts_setter(struct zkfs_opts_parser *p,
			     const struct zkfs_opts_spec *spec,
			     const char *value);

struct zkfs_opts_spec {
	const char *name;
	zkfs_opts_setter *set;
	size_t offset; /* of the field in struct zkfs_opts_parser */
	enum zkfs_opts_value value;
};

zkfs_opts_setter zkfs_optvalue_true;
zkfs_opts_setter zkfs_optvalue_false;
zkfs_opts_setter zkfs_optvalue_inotify;
zkfs_opts_setter zkfs_optvalue_no_inotify;
/* Made absolute: it may be read again, from another directory. */
zkfs_opts_setter zkfs_optvalue_file;
zkfs_opts_setter zkfs_optvalue_uid;
zkfs_opts_setter zkfs_optvalue_gid;
zkfs_opts_setter zkfs_optvalue_mode;
zkfs_opts_setter zkfs_optvalue_bytes;
zkfs_opts_setter zkfs_optvalue_count;
/* Of a limit, and so not 0. */
zkfs_opts_setter zkfs_optvalue_limit_count;
zkfs_opts_setter zkfs_optvalue_limit_bytes;
zkfs_opts_setter zkfs_optvalue_timeo;
zkfs_opts_setter zkfs_optvalue_session_timeout;
zkfs_opts_setter zkfs_optvalue_filename;
zkfs_opts_setter zkfs_optvalue_ctlname;
zkfs_opts_setter zkfs_optvalue_lockroot;
zkfs_opts_setter zkfs_optvalue_locknames;
zkfs_opts_setter zkfs_optvalue_acl;
zkfs_opts_setter zkfs_optvalue_remount;

/* -EINVAL, with these words. */
zkfs_printf(2, 3) int zkfs_optvalue_fail(struct zkfs_opts_parser *p,
					 const char *format, ...);
int zkfs_optvalue_nomem(struct zkfs_opts_parser *p);
/* Stores a copy of `value`, in place of what a duplicate left there. */
int zkfs_optvalue_store(struct zkfs_opts_parser *p, char **at,
			const char *value);
/* Takes `root` over. */
int zkfs_optvalue_add_lockroot(struct zkfs_opts_parser *p, char *root);

#endif

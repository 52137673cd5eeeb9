/*
 * helper: zkfs as the helper of mount(8): /sbin/mount.zkfs and
 * /sbin/mount.fuse.zkfs are links to it. Its name tells it what its caller
 * means, as the two command lines do not agree: mount(8) calls
 *
 *     mount.TYPE SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]
 *
 * where -f is "fake" and not "foreground", and takes the exit status for its
 * own.
 */
#ifndef ZKFS_DAEMON_HELPER_H
#define ZKFS_DAEMON_HELPER_H

#include <stdbool.h>
#include <stddef.h>

struct zkfs_opts;

struct zkfs_helper {
	bool active;  /* zkfs was called as the helper */
	bool fake;    /* -f: all but the mount */
	bool verbose; /* -v: say what was done */
	bool sloppy;  /* -s: unknown mount options are ignored */
	/* The command line for zkfs_opts_parse(): without what was for us.
	 * Words of main()'s, in an array of our own if active. */
	int argc;
	char **argv;
	const char *namespace; /* -N: a pid, or the path of one; or NULL */
};

enum zkfs_helper_end {
	ZKFS_HELPER_OK,
	ZKFS_HELPER_MISUSED, /* the command line is wrong */
	ZKFS_HELPER_FAILED,
};

/* Looks at the name in argv[0], and takes out what only mount(8) says. Returns
 * 0, or -EINVAL or -ENOMEM with one line of words. */
int zkfs_helper_parse(int argc, char **argv, struct zkfs_helper *ret_helper,
		      char *words, size_t words_len);
void zkfs_helper_fini(struct zkfs_helper *helper);

/* Goes to the mount namespace of -N, if there is one. As above. */
int zkfs_helper_enter(const struct zkfs_helper *helper, char *words,
		      size_t words_len);
/* What -f does: looks at what can be looked at here, asks no server, and
 * changes nothing. As above. */
int zkfs_helper_fake(const struct zkfs_opts *opts, char *words,
		     size_t words_len);

/* The exit status; `error` is the negative errno of a failure. */
int zkfs_helper_status(const struct zkfs_helper *helper,
		       enum zkfs_helper_end end, int error);

#endif

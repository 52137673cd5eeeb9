/*
 * opts: the command line: arguments, and what follows from the options when
 * all are known. The options themselves are opttable's.
 */
#include "fs/daemon/opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/util.h"
#include "fs/core/acltext.h"
#include "fs/daemon/opttable.h"
#include "include/zkfs/names.h"

#define DEFAULT_CACHE_NODES	   100000
#define DEFAULT_CACHE_DATA	   ((size_t)64 << 20)
#define DEFAULT_WATCH_PATHS	   ((size_t)8 << 20)
#define DEFAULT_SESSION_TIMEOUT_MS 10000

/* A mode that was not given. */
#define UNSET ((mode_t)-1)

/* Takes one option off the front of *rest, in place: ends it with a NUL and
 * removes the backslashes, by which a value holds a comma, as in libfuse. */
static char *take_option(char **rest)
{
	char *option = *rest;
	char *to = option;
	char *from = option;

	while (*from != '\0' && *from != ',') {
		if (*from == '\\' && from[1] != '\0')
			from++;
		*to++ = *from++;
	}
	*rest = *from == ',' ? from + 1 : from;
	*to = '\0';
	return option;
}

static int parse_options(struct zkfs_opts_parser *p, const char *text)
{
	zkfs_autofree char *copy = strdup(text);
	char *rest = copy;

	if (!copy)
		return zkfs_optvalue_nomem(p);
	while (*rest != '\0') {
		char *name = take_option(&rest);
		char *value = strchr(name, '=');
		int r;

		if (*name == '\0')
			continue;
		if (value)
			*value++ = '\0';
		r = zkfs_opttable_set(p, name, value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_operand(struct zkfs_opts_parser *p, const char *arg)
{
	if (!p->opts.source) {
		if (*arg == '\0')
			return zkfs_optvalue_fail(p, "the source is empty");
		/* Behind "--" only; most likely a slip, and no host. */
		if (*arg == '-')
			return zkfs_optvalue_fail(
				p, "source '%s' begins with '-'", arg);
		return zkfs_optvalue_store(p, &p->opts.source, arg);
	}
	if (!p->opts.mountpoint) {
		if (*arg == '\0')
			return zkfs_optvalue_fail(p,
						  "the mount point is empty");
		return zkfs_optvalue_store(p, &p->opts.mountpoint, arg);
	}
	return zkfs_optvalue_fail(
		p, "unexpected argument '%s'; see 'zkfs --help'", arg);
}

static int parse_letter(struct zkfs_opts_parser *p, char letter)
{
	switch (letter) {
	case 'd':
		p->opts.debug = true;
		p->opts.foreground = true;
		return 0;
	case 'f':
		p->opts.foreground = true;
		return 0;
	case 'h':
		p->opts.command = ZKFS_OPTS_HELP;
		return 0;
	case 'V':
		p->opts.command = ZKFS_OPTS_VERSION;
		return 0;
	case 's': /* mount(8): be sloppy */
		p->sloppy = true;
		return 0;
	case 'n': /* mount(8): do not write mtab */
	case 'v': /* mount(8): be verbose */
		return 0;
	default:
		return zkfs_optvalue_fail(
			p, "unknown option '-%c'; see 'zkfs --help'", letter);
	}
}

/* One argument of short options, "-f", "-fd", "-oOPTIONS". `next` is the
 * argument behind it or NULL; *ret_used tells whether -o took it. */
static int parse_letters(struct zkfs_opts_parser *p, const char *arg,
			 const char *next, bool *ret_used)
{
	*ret_used = false;
	for (const char *at = arg + 1; *at != '\0'; at++) {
		int r;

		if (*at == 'o' && at[1] != '\0')
			return parse_options(p, at + 1);
		if (*at == 'o') {
			if (!next)
				return zkfs_optvalue_fail(
					p, "option '-o' needs a value");
			*ret_used = true;
			return parse_options(p, next);
		}
		r = parse_letter(p, *at);
		if (r < 0 || p->opts.command != ZKFS_OPTS_MOUNT)
			return r;
	}
	return 0;
}

static int parse_long(struct zkfs_opts_parser *p, const char *arg)
{
	if (strcmp(arg, "--help") == 0)
		return parse_letter(p, 'h');
	if (strcmp(arg, "--version") == 0)
		return parse_letter(p, 'V');
	if (strcmp(arg, "--dump-config") == 0) {
		p->opts.command = ZKFS_OPTS_DUMP_CONFIG;
		return 0;
	}
	return zkfs_optvalue_fail(p, "unknown option '%s'; see 'zkfs --help'",
				  arg);
}

/* Stops at --help and the like, which ask for nothing else to be right. */
static int parse_args(struct zkfs_opts_parser *p, int argc, char *const *argv)
{
	bool operands_only = false;

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		bool used = false;
		int r;

		if (operands_only || arg[0] != '-' || arg[1] == '\0') {
			r = parse_operand(p, arg);
		} else if (strcmp(arg, "--") == 0) {
			operands_only = true;
			continue;
		} else if (arg[1] == '-') {
			r = parse_long(p, arg);
		} else {
			const char *next = i + 1 < argc ? argv[i + 1] : NULL;

			r = parse_letters(p, arg, next, &used);
		}
		if (r < 0 || p->opts.command != ZKFS_OPTS_MOUNT)
			return r;
		i += used;
	}
	return 0;
}

/* umask(2) can only be read by setting it. */
static mode_t process_umask(void)
{
	mode_t mask = umask(077);

	(void)umask(mask);
	return mask;
}

static int add_default_strings(struct zkfs_opts_parser *p)
{
	char *root;

	if (!p->opts.dataname &&
	    zkfs_optvalue_store(p, &p->opts.dataname, ".data") < 0)
		return -ENOMEM;
	if (!p->opts.ctlname &&
	    zkfs_optvalue_store(p, &p->opts.ctlname, ".zkfs") < 0)
		return -ENOMEM;
	if (strcmp(p->opts.ctlname, p->opts.dataname) == 0)
		return zkfs_optvalue_fail(
			p, "options 'ctlname' and 'dataname' are the same");
	if (p->opts.n_lockroots > 0)
		return 0;
	root = strdup("/locks");
	return root ? zkfs_optvalue_add_lockroot(p, root)
		    : zkfs_optvalue_nomem(p);
}

/* Nothing that was given to be safer is left out in silence. */
static int check_tls(struct zkfs_opts_parser *p)
{
	const struct zkfs_opts *opts = &p->opts;
	const char *name = opts->cafile	    ? "cafile"
			   : opts->certfile ? "certfile"
			   : opts->keyfile  ? "keyfile"
					    : NULL;

	if (name && !opts->tls)
		return zkfs_optvalue_fail(
			p, "option '%s' is of use with 'tls' only", name);
	if (opts->keyfile && !opts->certfile)
		return zkfs_optvalue_fail(p,
					  "option 'keyfile' needs 'certfile'");
	return 0;
}

/* What was left open follows from what was given, in whatever order. */
static int complete(struct zkfs_opts_parser *p)
{
	struct zkfs_opts *opts = &p->opts;

	if (p->umask == UNSET)
		p->umask = process_umask();
	if (opts->fmask == UNSET)
		opts->fmask = p->umask;
	if (opts->dmask == UNSET)
		opts->dmask = p->umask;
	if (opts->allow_other)
		opts->default_permissions = true;
	if (opts->timeo_ms == 0)
		opts->timeo_ms = opts->session_timeout_ms;
	if (opts->command == ZKFS_OPTS_MOUNT && !opts->mountpoint)
		return zkfs_optvalue_fail(
			p, "a source and a mount point are needed; "
			   "see 'zkfs --help'");
	/* The server would refuse each create, for a reason that is ours. */
	if (opts->acl && !opts->authfile &&
	    zkfs_acltext_has_scheme(opts->acl, opts->acl_len, "auth"))
		return zkfs_optvalue_fail(p, "option 'acl': 'auth' is who "
					     "'authfile' says, and there is "
					     "none");
	if (check_tls(p) < 0)
		return -EINVAL;
	return add_default_strings(p);
}

int zkfs_opts_parse(int argc, char *const *argv, struct zkfs_opts *ret_opts,
		    char *words, size_t words_len)
{
	struct zkfs_opts_parser parser = {
		.opts =
			{
				.uid = geteuid(),
				.gid = getegid(),
				.fmask = UNSET,
				.dmask = UNSET,
				.session_timeout_ms =
					DEFAULT_SESSION_TIMEOUT_MS,
				.locknames = ZKFS_FAMILY_ALL,
				.cache_nodes = DEFAULT_CACHE_NODES,
				.cache_data = DEFAULT_CACHE_DATA,
				.watch_paths = DEFAULT_WATCH_PATHS,
				.limits = ZKFS_LIMITS_DEFAULT,
			},
		.umask = UNSET,
		.words = words,
		.words_len = words_len,
	};
	int r = parse_args(&parser, argc, argv);

	if (r == 0)
		r = complete(&parser);
	if (r < 0) {
		zkfs_opts_fini(&parser.opts);
		return r;
	}
	*ret_opts = parser.opts;
	return 0;
}

void zkfs_opts_fini(struct zkfs_opts *opts)
{
	for (size_t i = 0; i < opts->n_lockroots; i++)
		free(opts->lockroots[i]);
	free(opts->lockroots);
	free(opts->source);
	free(opts->mountpoint);
	free(opts->dataname);
	free(opts->ctlname);
	free(opts->authfile);
	free(opts->cafile);
	free(opts->certfile);
	free(opts->keyfile);
	free(opts->acl);
	free(opts->contender_acl);
	*opts = (struct zkfs_opts){0};
}

/*
 * opts: the command line, driven by one table: a mount option is a line of
 * OPTIONS, which names it, says how its value is read and where it goes, and
 * is its line of --help. What only other filesystems or mount(8) care for is
 * a second list, of names.
 *
 * Everything is read into a `struct parser`; the caller's structure is filled
 * at the very end, when nothing can fail any more.
 */
#include "fs/daemon/opts.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/util.h"
#include "include/zkfs/names.h"
#include "include/zkfs/path.h"

#define BYTES_MAX		   ((unsigned long long)1 << 40)
#define DEFAULT_CACHE_NODES	   100000
#define DEFAULT_CACHE_DATA	   ((size_t)64 << 20)
#define DEFAULT_WATCH_PATHS	   ((size_t)8 << 20)
#define DEFAULT_SESSION_TIMEOUT_MS 10000
/* Below this the client cannot tell a slow connect from a dead server. */
#define MIN_SESSION_TIMEOUT_MS 500
#define MIN_TIMEO_MS	       1
#define MAX_SECONDS	       86400

/* A mode that was not given. */
#define UNSET ((mode_t)-1)

struct parser {
	struct zkfs_opts opts;
	mode_t umask;
	char *words;
	size_t words_len;
};

enum value {
	NO_VALUE,
	OPTIONAL_VALUE,
	NEEDS_VALUE,
};

struct spec {
	const char *name;
	int (*set)(struct parser *p, const struct spec *spec,
		   const char *value);
	size_t offset; /* of the field in struct parser */
	enum value value;
};

/* X(name, setter, field, value, line of help); "" stays unsaid */
#define OPTIONS(X)                                                                \
	X("uid", set_uid, opts.uid, NEEDS_VALUE,                                  \
	  "  uid=USER                 owner of all files (you)\n")                \
	X("gid", set_gid, opts.gid, NEEDS_VALUE,                                  \
	  "  gid=GROUP                group of all files (yours)\n")              \
	X("umask", set_mode, umask, NEEDS_VALUE,                                  \
	  "  umask=MODE               permission bits taken away, octal\n"        \
	  "                           (that of the process)\n")                   \
	X("fmask", set_mode, opts.fmask, NEEDS_VALUE,                             \
	  "  fmask=MODE               the same for files (umask)\n")              \
	X("dmask", set_mode, opts.dmask, NEEDS_VALUE,                             \
	  "  dmask=MODE               the same for directories (umask)\n")        \
	X("ro", set_true, opts.ro, NO_VALUE,                                      \
	  "  ro                       nothing can be changed\n")                  \
	X("rw", set_false, opts.ro, NO_VALUE, "")                                 \
	X("sync", set_true, opts.sync, NO_VALUE,                                  \
	  "  sync                     every write(2) is a commit\n")              \
	X("async", set_false, opts.sync, NO_VALUE, "")                            \
	X("sync_open", set_true, opts.sync_open, NO_VALUE,                        \
	  "  sync_open                each open sees what any client did\n"       \
	  "                           before\n")                                  \
	X("strict", set_true, opts.strict, NO_VALUE,                              \
	  "  strict                   chmod, chown and explicit times fail\n")    \
	X("allow_other", set_true, opts.allow_other, NO_VALUE,                    \
	  "  allow_other              let other users in; switches\n"             \
	  "                           default_permissions on\n")                  \
	X("default_permissions", set_true, opts.default_permissions, NO_VALUE,    \
	  "  default_permissions      the kernel checks owner and mode\n")        \
	X("auto_unmount", set_true, opts.auto_unmount, NO_VALUE,                  \
	  "  auto_unmount             unmount when the daemon dies\n")            \
	X("inotify", set_true, opts.inotify, NO_VALUE,                            \
	  "  inotify                  inotify tells of changes made elsewhere\n") \
	X("noinotify", set_false, opts.inotify, NO_VALUE, "")                     \
	X("timeo", set_timeo, opts.timeo_ms, NEEDS_VALUE,                         \
	  "  timeo=SECONDS            how long requests wait for a server\n"      \
	  "                           (session_timeout)\n")                       \
	X("session_timeout", set_session_timeout, opts.session_timeout_ms,        \
	  NEEDS_VALUE,                                                            \
	  "  session_timeout=SECONDS  asked of the server (10)\n")                \
	X("cache_nodes", set_count, opts.cache_nodes, NEEDS_VALUE,                \
	  "  cache_nodes=N            nodes that are kept under watches\n"        \
	  "                           (100000); 0: none\n")                       \
	X("cache_data", set_bytes, opts.cache_data, NEEDS_VALUE,                  \
	  "  cache_data=BYTES         file data that is kept: K, M, G (64M)\n")   \
	X("watch_paths", set_bytes, opts.watch_paths, NEEDS_VALUE,                \
	  "  watch_paths=BYTES        paths that are watched (8M)\n")             \
	X("dataname", set_filename, opts.dataname, NEEDS_VALUE,                   \
	  "  dataname=NAME            the file that is a directory's data\n"      \
	  "                           (.data)\n")                                 \
	X("ctlname", set_ctlname, opts.ctlname, OPTIONAL_VALUE,                   \
	  "  ctlname=NAME             the directory of status and metrics,\n"     \
	  "                           empty: none (.zkfs)\n")                     \
	X("lockroot", set_lockroot, opts.lockroots, NEEDS_VALUE,                  \
	  "  lockroot=PATH            a directory of locks; may be repeated\n"    \
	  "                           (/locks)\n")                                \
	X("locknames", set_locknames, opts.locknames, NEEDS_VALUE,                \
	  "  locknames=KIND[:KIND]    clients to exclude: curator, kazoo,\n"      \
	  "                           curator-rw or all (all)\n")                 \
	X("authfile", set_string, opts.authfile, NEEDS_VALUE,                     \
	  "  authfile=FILE            credentials, lines of SCHEME SECRET;\n"     \
	  "                           a file that only you can read\n")           \
	X("remount", refuse_remount, opts, NO_VALUE, "")

/* What mount(8), fstab and /sbin/mount.* hand on, and what has no meaning
 * here: there are no devices, set-id or executable files and no access times,
 * and when to mount is decided by whoever started us. */
static const struct ignored {
	const char *name;
	enum value value;
} ignored[] = {
	{"_netdev", NO_VALUE},	     {"atime", NO_VALUE},
	{"auto", NO_VALUE},	     {"comment", OPTIONAL_VALUE},
	{"defaults", NO_VALUE},	     {"dev", NO_VALUE},
	{"diratime", NO_VALUE},	     {"dirsync", NO_VALUE},
	{"exec", NO_VALUE},	     {"group", OPTIONAL_VALUE},
	{"iversion", NO_VALUE},	     {"lazytime", NO_VALUE},
	{"loud", NO_VALUE},	     {"mand", NO_VALUE},
	{"noatime", NO_VALUE},	     {"noauto", NO_VALUE},
	{"nodev", NO_VALUE},	     {"nodiratime", NO_VALUE},
	{"noexec", NO_VALUE},	     {"nofail", NO_VALUE},
	{"noiversion", NO_VALUE},    {"nolazytime", NO_VALUE},
	{"nomand", NO_VALUE},	     {"norelatime", NO_VALUE},
	{"nostrictatime", NO_VALUE}, {"nosuid", NO_VALUE},
	{"nouser", NO_VALUE},	     {"owner", OPTIONAL_VALUE},
	{"relatime", NO_VALUE},	     {"silent", NO_VALUE},
	{"strictatime", NO_VALUE},   {"suid", NO_VALUE},
	{"user", OPTIONAL_VALUE},    {"users", OPTIONAL_VALUE},
};

static const struct {
	const char *name;
	unsigned family;
} families[] = {
	{"curator", ZKFS_FAMILY_CURATOR},
	{"kazoo", ZKFS_FAMILY_KAZOO},
	{"curator-rw", ZKFS_FAMILY_CURATOR_RW},
	{"all", ZKFS_FAMILY_ALL},
};

zkfs_printf(2, 3) static int fail(struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(p->words, p->words_len, format, args);
	va_end(args);
	return -EINVAL;
}

static int fail_nomem(struct parser *p)
{
	(void)fail(p, "out of memory");
	return -ENOMEM;
}

static void *field(struct parser *p, const struct spec *spec)
{
	return (char *)p + spec->offset;
}

/* Stores a copy of `value`, in place of what a duplicate left there. */
static int store(struct parser *p, char **at, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return fail_nomem(p);
	free(*at);
	*at = copy;
	return 0;
}

static int set_true(struct parser *p, const struct spec *spec,
		    zkfs_unused const char *value)
{
	*(bool *)field(p, spec) = true;
	return 0;
}

static int set_false(struct parser *p, const struct spec *spec,
		     zkfs_unused const char *value)
{
	*(bool *)field(p, spec) = false;
	return 0;
}

static int set_string(struct parser *p, const struct spec *spec,
		      const char *value)
{
	return store(p, field(p, spec), value);
}

/* A decimal number that can be an id: -1 means "no change" to chown(2). */
static bool read_id(const char *text, uint32_t *ret_id)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || number >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)number;
	return true;
}

static int set_uid(struct parser *p, const struct spec *spec, const char *value)
{
	const struct passwd *entry;
	uint32_t id;

	if (!read_id(value, &id)) {
		entry = getpwnam(value);
		if (!entry)
			return fail(p, "option '%s': there is no user '%s'",
				    spec->name, value);
		id = entry->pw_uid;
	}
	*(uid_t *)field(p, spec) = id;
	return 0;
}

static int set_gid(struct parser *p, const struct spec *spec, const char *value)
{
	const struct group *entry;
	uint32_t id;

	if (!read_id(value, &id)) {
		entry = getgrnam(value);
		if (!entry)
			return fail(p, "option '%s': there is no group '%s'",
				    spec->name, value);
		id = entry->gr_gid;
	}
	*(gid_t *)field(p, spec) = id;
	return 0;
}

static int set_mode(struct parser *p, const struct spec *spec,
		    const char *value)
{
	size_t len = strlen(value);

	if (len > 4 || strspn(value, "01234567") != len ||
	    strtoul(value, NULL, 8) > 0777)
		return fail(p, "option '%s': '%s' is not an octal mode",
			    spec->name, value);
	*(mode_t *)field(p, spec) = (mode_t)strtoul(value, NULL, 8);
	return 0;
}

/* Reads "4096", "64K", "1G". */
static bool read_bytes(const char *text, size_t *ret_bytes)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	char *end;
	unsigned long long bytes;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	bytes = strtoull(text, &end, 10);
	if (errno || bytes > BYTES_MAX)
		return false;
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		bytes <<= 10 * (suffix - suffixes + 1);
		end++;
	}
	*ret_bytes = (size_t)bytes;
	return *end == '\0' && bytes <= BYTES_MAX;
}

static int set_bytes(struct parser *p, const struct spec *spec,
		     const char *value)
{
	if (!read_bytes(value, field(p, spec)))
		return fail(p,
			    "option '%s': '%s' is not a number of bytes up to "
			    "1024G, as 4096, 64K, 64M or 1G",
			    spec->name, value);
	return 0;
}

static int set_count(struct parser *p, const struct spec *spec,
		     const char *value)
{
	size_t len = strspn(value, "0123456789");

	if (len == 0 || len > 9 || value[len])
		return fail(p, "option '%s': '%s' is not a number", spec->name,
			    value);
	*(size_t *)field(p, spec) = strtoul(value, NULL, 10);
	return 0;
}

/* Reads "12", "0.5", "12.25"; not what strtod(3) takes besides, nor what it
 * makes of a locale. Digits below the millisecond are dropped. A number past
 * `max` s yields a larger one. */
static bool read_seconds(const char *text, int64_t max, int64_t *ret_ms)
{
	int64_t ms = 0;
	int64_t unit = 1000;

	if (!isdigit((unsigned char)text[0]))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (ms <= max * 1000)
			ms = ms * 10 + (*text - '0') * unit;
	if (*text == '.' && !isdigit((unsigned char)text[1]))
		return false;
	if (*text == '.')
		text++;
	for (; isdigit((unsigned char)*text); text++) {
		unit /= 10;
		ms += (*text - '0') * unit;
	}
	*ret_ms = ms;
	return *text == '\0';
}

static int set_seconds(struct parser *p, const struct spec *spec,
		       const char *value, int min_ms)
{
	int64_t ms;

	if (!read_seconds(value, MAX_SECONDS, &ms))
		return fail(p, "option '%s': '%s' is not a number of seconds",
			    spec->name, value);
	if (ms < min_ms || ms > (int64_t)MAX_SECONDS * 1000)
		return fail(p,
			    "option '%s': '%s' is not between %g and %d "
			    "seconds",
			    spec->name, value, min_ms / 1000.0, MAX_SECONDS);
	*(int *)field(p, spec) = (int)ms;
	return 0;
}

static int set_timeo(struct parser *p, const struct spec *spec,
		     const char *value)
{
	return set_seconds(p, spec, value, MIN_TIMEO_MS);
}

static int set_session_timeout(struct parser *p, const struct spec *spec,
			       const char *value)
{
	return set_seconds(p, spec, value, MIN_SESSION_TIMEOUT_MS);
}

static int set_filename(struct parser *p, const struct spec *spec,
			const char *value)
{
	if (!zkfs_path_name_valid(value) || strlen(value) > ZKFS_NAME_MAX)
		return fail(p, "option '%s': '%s' is not a file name",
			    spec->name, value);
	return store(p, field(p, spec), value);
}

/* An empty name is one that no file has. */
static int set_ctlname(struct parser *p, const struct spec *spec,
		       const char *value)
{
	if (!value || *value == '\0')
		return store(p, field(p, spec), "");
	return set_filename(p, spec, value);
}

static bool has_lockroot(const struct zkfs_opts *opts, const char *root)
{
	for (size_t i = 0; i < opts->n_lockroots; i++)
		if (strcmp(opts->lockroots[i], root) == 0)
			return true;
	return false;
}

/* Takes `root` over. */
static int add_lockroot(struct parser *p, char *root)
{
	struct zkfs_opts *opts = &p->opts;
	char **larger = reallocarray(opts->lockroots, opts->n_lockroots + 1,
				     sizeof(char *));

	if (!larger) {
		free(root);
		return fail_nomem(p);
	}
	opts->lockroots = larger;
	opts->lockroots[opts->n_lockroots++] = root;
	return 0;
}

static int set_lockroot(struct parser *p, const struct spec *spec,
			const char *value)
{
	size_t len = strlen(value);
	zkfs_autofree char *root = NULL;

	while (len > 1 && value[len - 1] == '/')
		len--;
	root = strndup(value, len);
	if (!root)
		return fail_nomem(p);
	if (!zkfs_path_valid(root))
		return fail(p,
			    "option '%s': '%s' is not an absolute path "
			    "of a znode",
			    spec->name, value);
	if (has_lockroot(&p->opts, root))
		return 0;
	return add_lockroot(p, zkfs_steal(&root));
}

/* The family called by the first `len` bytes of `name`, or 0. */
static unsigned find_family(const char *name, size_t len)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(families); i++)
		if (strlen(families[i].name) == len &&
		    memcmp(families[i].name, name, len) == 0)
			return families[i].family;
	return 0;
}

static int set_locknames(struct parser *p, const struct spec *spec,
			 const char *value)
{
	unsigned all = 0;

	for (const char *at = value;; at++) {
		size_t len = strcspn(at, ":");
		unsigned family = find_family(at, len);

		if (!family)
			return fail(p,
				    "option '%s': '%.*s' is not one of "
				    "curator, kazoo, curator-rw, all",
				    spec->name, (int)zkfs_min_size(len, 64),
				    at);
		all |= family;
		at += len;
		if (*at == '\0')
			break;
	}
	*(unsigned *)field(p, spec) = all;
	return 0;
}

static int refuse_remount(struct parser *p, const struct spec *spec,
			  zkfs_unused const char *value)
{
	return fail(p,
		    "option '%s': the options of a mounted tree cannot be "
		    "changed; unmount it first",
		    spec->name);
}

static const struct spec specs[] = {
#define SPEC(name_, set_, field_, value_, help_)                               \
	{                                                                      \
		.name = (name_),                                               \
		.set = (set_),                                                 \
		.offset = offsetof(struct parser, field_),                     \
		.value = (value_),                                             \
	},
	OPTIONS(SPEC)
#undef SPEC
};

static int check_value(struct parser *p, const char *name, enum value kind,
		       const char *value)
{
	if (kind == NO_VALUE && value)
		return fail(p, "option '%s' takes no value", name);
	if (kind == NEEDS_VALUE && (!value || *value == '\0'))
		return fail(p, "option '%s' needs a value", name);
	return 0;
}

/* x-systemd.automount and the like: comments for other programs (mount(8)). */
static bool is_comment(const char *name)
{
	return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0;
}

static int set_option(struct parser *p, const char *name, const char *value)
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
	if (is_comment(name))
		return 0;
	return fail(p, "unknown option '%s'", name);
}

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

static int parse_options(struct parser *p, const char *text)
{
	zkfs_autofree char *copy = strdup(text);
	char *rest = copy;

	if (!copy)
		return fail_nomem(p);
	while (*rest != '\0') {
		char *name = take_option(&rest);
		char *value = strchr(name, '=');
		int r;

		if (*name == '\0')
			continue;
		if (value)
			*value++ = '\0';
		r = set_option(p, name, value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_operand(struct parser *p, const char *arg)
{
	if (!p->opts.source) {
		if (*arg == '\0')
			return fail(p, "the source is empty");
		/* Behind "--" only; most likely a slip, and no host. */
		if (*arg == '-')
			return fail(p, "source '%s' begins with '-'", arg);
		return store(p, &p->opts.source, arg);
	}
	if (!p->opts.mountpoint) {
		if (*arg == '\0')
			return fail(p, "the mount point is empty");
		return store(p, &p->opts.mountpoint, arg);
	}
	return fail(p, "unexpected argument '%s'", arg);
}

static int parse_letter(struct parser *p, char letter)
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
	case 'n': /* mount(8): do not write mtab */
	case 's': /* mount(8): be sloppy; libfuse: one thread */
	case 'v': /* mount(8): be verbose */
		return 0;
	default:
		return fail(p, "unknown option '-%c'", letter);
	}
}

/* One argument of short options, "-f", "-fd", "-oOPTIONS". `next` is the
 * argument behind it or NULL; *ret_used tells whether -o took it. */
static int parse_letters(struct parser *p, const char *arg, const char *next,
			 bool *ret_used)
{
	*ret_used = false;
	for (const char *at = arg + 1; *at != '\0'; at++) {
		int r;

		if (*at == 'o' && at[1] != '\0')
			return parse_options(p, at + 1);
		if (*at == 'o') {
			if (!next)
				return fail(p, "option '-o' needs a value");
			*ret_used = true;
			return parse_options(p, next);
		}
		r = parse_letter(p, *at);
		if (r < 0 || p->opts.command != ZKFS_OPTS_MOUNT)
			return r;
	}
	return 0;
}

static int parse_long(struct parser *p, const char *arg)
{
	if (strcmp(arg, "--help") == 0)
		return parse_letter(p, 'h');
	if (strcmp(arg, "--version") == 0)
		return parse_letter(p, 'V');
	return fail(p, "unknown option '%s'", arg);
}

/* Stops at --help and --version, which ask for nothing else to be right. */
static int parse_args(struct parser *p, int argc, char *const *argv)
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

static int add_default_strings(struct parser *p)
{
	char *root;

	if (!p->opts.dataname && store(p, &p->opts.dataname, ".data") < 0)
		return -ENOMEM;
	if (!p->opts.ctlname && store(p, &p->opts.ctlname, ".zkfs") < 0)
		return -ENOMEM;
	if (strcmp(p->opts.ctlname, p->opts.dataname) == 0)
		return fail(p, "options 'ctlname' and 'dataname' are the same");
	if (p->opts.n_lockroots > 0)
		return 0;
	root = strdup("/locks");
	return root ? add_lockroot(p, root) : fail_nomem(p);
}

/* What was left open follows from what was given, in whatever order. */
static int complete(struct parser *p)
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
		return fail(p, "a source and a mount point are needed; "
			       "see 'zkfs --help'");
	return add_default_strings(p);
}

int zkfs_opts_parse(int argc, char *const *argv, struct zkfs_opts *ret_opts,
		    char *words, size_t words_len)
{
	struct parser parser = {
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
	*opts = (struct zkfs_opts){0};
}

#define HELP(name_, set_, field_, value_, help_) help_
#define HELP_ON_OPTIONS				 OPTIONS(HELP)

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
	       "  -h, --help     show this and end\n"
	       "  -V, --version  show the version and end\n"
	       "\n"
	       "Mount options, separated by commas (a default stands in "
	       "parentheses):\n" HELP_ON_OPTIONS "\n"
	       "Generic mount options that mean nothing here, such as nofail\n"
	       "or noatime, are accepted and ignored.\n";
}

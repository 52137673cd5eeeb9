/*
 * helper: see helper.h. The flags are those of mount(8), "EXTERNAL HELPERS",
 * the statuses those of its "EXIT STATUS".
 */
#include "fs/daemon/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/base/util.h"
#include "fs/daemon/opts.h"
#include "fs/zk/auth.h"
#include "fs/zk/servers.h"
#include "fs/zk/tls.h"

#define NAME_PREFIX    "mount."
#define STATUS_FAILED  1
#define STATUS_MISUSED 2
/* mount(8) */
#define MOUNT_MISUSED	  1
#define MOUNT_SYSTEM	  2
#define MOUNT_INTERRUPTED 8
#define MOUNT_FAILED	  32

static bool is_helper(const char *argv0)
{
	const char *base = argv0 ? strrchr(argv0, '/') : NULL;

	base = base ? base + 1 : argv0;
	return base && strncmp(base, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
}

static void keep(struct zkfs_helper *helper, char *arg)
{
	helper->argv[helper->argc++] = arg;
}

zkfs_printf(3, 4) static int fail(char *words, size_t words_len,
				  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(words, words_len, format, args);
	va_end(args);
	return -EINVAL;
}

/* -o, -t or -N with its value. */
static void take_value(struct zkfs_helper *helper, char letter, char *value)
{
	static char flag[] = "-o";

	/* Which of our names was called is all the same. */
	if (letter == 't')
		return;
	if (letter == 'N') {
		helper->namespace = value;
		return;
	}
	keep(helper, flag);
	keep(helper, value);
}

/* One argument of letters; `next` is the one behind it, or NULL, and *ret_used
 * tells whether it was a value. */
static int take_letters(struct zkfs_helper *helper, char *arg, char *next,
			bool *ret_used, char *words, size_t words_len)
{
	for (char *at = arg + 1; *at; at++) {
		char *value = at[1] ? at + 1 : next;

		if (strchr("otN", *at)) {
			if (!value)
				return fail(words, words_len,
					    "option '-%c' needs a value", *at);
			*ret_used = value == next;
			take_value(helper, *at, value);
			return 0;
		}
		if (*at == 'f')
			helper->fake = true;
		else if (*at == 'v')
			helper->verbose = true;
		else if (*at == 's')
			helper->sloppy = true;
		else if (*at != 'n') /* there is no mtab to be left alone */
			return fail(words, words_len, "unknown option '-%c'",
				    *at);
	}
	return 0;
}

/* -h, -V and -d are the same for both, on their own. */
static bool is_for_zkfs(const char *arg)
{
	return arg[0] != '-' || arg[1] == '\0' || arg[1] == '-' ||
	       (strchr("hVd", arg[1]) && arg[2] == '\0');
}

static int take_args(struct zkfs_helper *helper, int argc, char **argv,
		     char *words, size_t words_len)
{
	static char sloppy[] = "-s";
	bool operands_only = false;

	keep(helper, argv[0]);
	for (int i = 1; i < argc; i++) {
		bool used = false;
		int error;

		if (strcmp(argv[i], "--") == 0)
			operands_only = true;
		if (operands_only || is_for_zkfs(argv[i])) {
			keep(helper, argv[i]);
			continue;
		}
		error = take_letters(helper, argv[i], argv[i + 1], &used, words,
				     words_len);
		if (error)
			return error;
		i += used;
	}
	/* In front of all that it is about. */
	if (helper->sloppy) {
		memmove(helper->argv + 2, helper->argv + 1,
			(size_t)(helper->argc - 1) * sizeof(char *));
		helper->argv[1] = sloppy;
		helper->argc++;
	}
	return 0;
}

int zkfs_helper_parse(int argc, char **argv, struct zkfs_helper *ret_helper,
		      char *words, size_t words_len)
{
	struct zkfs_helper helper = {.active = true};
	int error;

	if (!is_helper(argv[0])) {
		*ret_helper = (struct zkfs_helper){.argc = argc, .argv = argv};
		return 0;
	}
	/* What lists processes is to find zkfs, whoever has called it. */
	(void)prctl(PR_SET_NAME, "zkfs");
	/* "-oro" is two words to us; "-s" and the NULL are two more. */
	helper.argv = calloc((size_t)argc * 2 + 2, sizeof(char *));
	if (!helper.argv) {
		(void)fail(words, words_len, "out of memory");
		return -ENOMEM;
	}
	error = take_args(&helper, argc, argv, words, words_len);
	if (error)
		zkfs_helper_fini(&helper);
	/* For the exit status, also of a failure. */
	*ret_helper = helper;
	return error;
}

void zkfs_helper_fini(struct zkfs_helper *helper)
{
	if (helper->active)
		free(helper->argv);
	helper->argv = NULL;
	helper->argc = 0;
}

int zkfs_helper_enter(const struct zkfs_helper *helper, char *words,
		      size_t words_len)
{
	zkfs_autoclose int fd = -1;
	char path[64];
	const char *name = helper->namespace;
	int error;

	if (!name)
		return 0;
	if (name[strspn(name, "0123456789")] == '\0') {
		(void)snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", name);
		name = path;
	}
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && setns(fd, CLONE_NEWNS) == 0)
		return 0;
	error = -errno;
	(void)snprintf(words, words_len, "mount namespace '%s': %s",
		       helper->namespace, strerror(-error));
	return error;
}

/* A mount may be there, alive, dead or hanging: it is not looked into. */
static int check_directory(const char *path, char *words, size_t words_len)
{
	struct statx sx;
	int error = 0;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &sx) < 0)
		error = errno == ENOTCONN ? 0 : -errno;
	else if (!S_ISDIR(sx.stx_mode))
		error = -ENOTDIR;
	if (error)
		(void)snprintf(words, words_len, "mount point '%s': %s%s", path,
			       strerror(-error),
			       error == -ENOENT ? "; create it first" : "");
	return error;
}

int zkfs_helper_fake(const struct zkfs_opts *opts, char *words,
		     size_t words_len)
{
	struct zkfs_servers servers = {0};
	struct zkfs_auth auth = {0};
	struct zkfs_tls *tls = NULL;
	int error =
		zkfs_servers_parse(opts->source, &servers, words, words_len);

	if (!error)
		error = check_directory(opts->mountpoint, words, words_len);
	if (!error && opts->authfile)
		error = zkfs_auth_load(opts->authfile, &auth, words, words_len);
	if (!error && opts->tls)
		error = zkfs_tls_new(
			&(struct zkfs_tls_config){.cafile = opts->cafile,
						  .certfile = opts->certfile,
						  .keyfile = opts->keyfile,
						  .hosts = servers.hosts},
			&tls, words, words_len);
	(void)zkfs_tls_free(tls);
	zkfs_auth_fini(&auth);
	zkfs_servers_fini(&servers);
	return error;
}

int zkfs_helper_status(const struct zkfs_helper *helper,
		       enum zkfs_helper_end end, int error)
{
	if (end == ZKFS_HELPER_OK)
		return EXIT_SUCCESS;
	if (!helper->active)
		return end == ZKFS_HELPER_MISUSED ? STATUS_MISUSED
						  : STATUS_FAILED;
	if (error == -ENOMEM)
		return MOUNT_SYSTEM;
	if (end == ZKFS_HELPER_MISUSED)
		return MOUNT_MISUSED;
	return error == -EINTR ? MOUNT_INTERRUPTED : MOUNT_FAILED;
}

/*
 * zkfs-lock [-ns] [-w SECONDS] [-E STATUS] LOCK COMMAND [ARG...]
 *
 * Runs COMMAND under a lock of the cluster, and ends it when the lock is lost:
 * before somebody else gets it. The options are flock(1)'s.
 *
 *   take --> job                       take.c: opens and locks LOCK
 *             |-- guard (a process)    job.c: runs COMMAND, signals, the end
 *             '-- COMMAND              guard.c: watches the lock
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <paths.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "fs/base/clock.h"
#include "fs/tools/job.h"
#include "fs/tools/take.h"
#include "fs/tools/tool.h"

struct lock {
	struct zkfs_take take;
	int busy_status;
	char **command;
	char *shell[4]; /* the command of -c */
};

static const char usage[] =
	"usage: zkfs-lock [-nsv] [-w SECONDS] [-E STATUS] LOCK [--] COMMAND "
	"[ARG...]\n"
	"       zkfs-lock [-nsv] [-w SECONDS] [-E STATUS] LOCK -c COMMAND\n";

static const char help[] =
	"\n"
	"Runs COMMAND while it holds LOCK: the directory of a lock on a zkfs\n"
	"mount (made if it is not there), or any regular file of the mount.\n"
	"Ends COMMAND if the lock is lost (status 75).\n"
	"\n"
	"  -x, -e, --exclusive  nobody else (default)\n"
	"  -s, --shared         others that say so too\n"
	"  -n, --nonblock       do not wait\n"
	"  -w, --timeout=SECONDS  do not wait any longer\n"
	"  -E, --conflict-exit-code=STATUS  when it was not taken; default 1\n"
	"  -c, --command=COMMAND  a line for the shell\n"
	"  -v, --verbose        say when it is taken\n"
	"  -h, --help           show this\n"
	"  -V, --version        show the version\n"
	"\n"
	"COMMAND gets the fencing token in ZKFS_LOCK_TOKEN.\n";

/* What parse() returns when the command line was fine. */
#define GO_ON (-1)

static int misused(const char *what)
{
	zkfs_tool_misused(what);
	return EX_USAGE;
}

/* 0 does not wait at all, as with flock(1). */
static int parse_seconds(const char *text, struct zkfs_take *take)
{
	double seconds;
	char *end;

	errno = 0;
	seconds = strtod(text, &end);
	/* Not true of a NaN either. */
	if (errno || end == text || *end || !(seconds >= 0 && seconds <= 1e9)) {
		warnx("not a number of seconds: %s", text);
		return EX_USAGE;
	}
	take->wait_ms = (int64_t)(seconds * 1000);
	if (take->wait_ms == 0)
		take->nonblock = true;
	return 0;
}

static int parse_status(const char *text, int *ret_status)
{
	unsigned long status;
	char *end;

	errno = 0;
	status = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || status > 255) {
		warnx("not an exit status: %s", text);
		return EX_USAGE;
	}
	*ret_status = (int)status;
	return 0;
}

static int parse_option(struct lock *lock, int c)
{
	switch (c) {
	case 'e':
	case 'x':
		lock->take.shared = false;
		return 0;
	case 's':
		lock->take.shared = true;
		return 0;
	case 'n':
		lock->take.nonblock = true;
		return 0;
	case 'w':
		return parse_seconds(optarg, &lock->take);
	case 'E':
		return parse_status(optarg, &lock->busy_status);
	case 'v':
		lock->take.verbose = true;
		return 0;
	case 'h':
		(void)printf("%s%s", usage, help);
		exit(EXIT_SUCCESS);
	case 'V':
		(void)puts("zkfs-lock " ZKFS_VERSION);
		exit(EXIT_SUCCESS);
	}
	return EX_USAGE;
}

/* What follows LOCK. */
static int parse_command(struct lock *lock, char **args)
{
	static char default_shell[] = _PATH_BSHELL, flag[] = "-c";
	char *shell = getenv("SHELL");
	bool line = args[0] && (strcmp(args[0], "-c") == 0 ||
				strcmp(args[0], "--command") == 0);

	if (args[0] && strcmp(args[0], "--") == 0)
		args++;
	if (!args[0])
		return misused("a command is needed");
	if (line && (!args[1] || args[2]))
		return misused("-c takes one argument, a line for the shell");
	lock->command = args;
	if (!line)
		return GO_ON;
	lock->shell[0] = shell && *shell ? shell : default_shell;
	lock->shell[1] = flag;
	lock->shell[2] = args[1];
	lock->command = lock->shell;
	return GO_ON;
}

/* Returns GO_ON, or an exit status. */
static int parse(struct lock *lock, int argc, char **argv)
{
	static const struct option options[] = {
		{"exclusive", no_argument, NULL, 'x'},
		{"shared", no_argument, NULL, 's'},
		{"nonblock", no_argument, NULL, 'n'},
		{"nb", no_argument, NULL, 'n'},
		{"timeout", required_argument, NULL, 'w'},
		{"wait", required_argument, NULL, 'w'},
		{"conflict-exit-code", required_argument, NULL, 'E'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:exsnw:E:vhV", options, NULL)) !=
	       -1) {
		int status = parse_option(lock, c);

		if (c == '?' || c == ':')
			zkfs_tool_bad_option(c, argv);
		if (status)
			return status;
	}
	if (optind >= argc)
		return misused("a lock and a command are needed");
	lock->take.path = argv[optind];
	return parse_command(lock, argv + optind + 1);
}

int main(int argc, char **argv)
{
	struct lock lock = {
		.take = {.wait_ms = ZKFS_NEVER},
		.busy_status = EXIT_FAILURE,
	};
	struct zkfs_taken taken;
	int status = parse(&lock, argc, argv);

	if (status != GO_ON)
		return status;
	if (zkfs_tool_fill_std_fds() < 0)
		return EX_OSERR;
	status = zkfs_take(&lock.take, &taken);
	if (status == ZKFS_TAKE_BUSY)
		return lock.busy_status;
	if (status)
		return status;
	if (setenv("ZKFS_LOCK_TOKEN", taken.token, 1) < 0) {
		warn("setenv");
		return EX_OSERR;
	}
	return zkfs_job_run(lock.take.path, lock.command, &taken);
}

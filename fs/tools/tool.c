/*
 * tool: see tool.h.
 */
#include "fs/tools/tool.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int zkfs_tool_fill_std_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			int error = errno;

			warn("/dev/null");
			return -error;
		}
		if (fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	(void)close(fd);
	return 0;
}

static const char *own_name(void)
{
	return program_invocation_short_name;
}

void zkfs_tool_bad_option(int answer, char *const *argv)
{
	char letter[] = {'-', (char)optopt, '\0'};
	const char *word = argv[optind - 1];
	bool is_long = strncmp(word, "--", 2) == 0;

	/* A short one may stand in the middle of a word that is not done. */
	if (answer == ':')
		warnx("option '%s' needs a value; see '%s --help'",
		      is_long ? word : letter, own_name());
	else if (optopt && is_long)
		warnx("option '%.*s' takes no value; see '%s --help'",
		      (int)strcspn(word, "="), word, own_name());
	else
		warnx("unknown option '%s'; see '%s --help'",
		      optopt ? letter : word, own_name());
}

void zkfs_tool_misused(const char *what)
{
	warnx("%s; see '%s --help'", what, own_name());
}

int zkfs_tool_wait_status(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return 128 + WTERMSIG(status);
}

int zkfs_tool_exec_status(int error)
{
	switch (error) {
	case ENOENT:
		return 127;
	case EACCES:
	case ENOEXEC:
		return 126;
	}
	return EXIT_FAILURE;
}

/*
 * main: the command line, and the way to the background.
 *
 * Everything happens in one process (serve.h), but for small ones that stand
 * beside it (watchdog.h, emitter.h). Unless -f, it is the child of the one that
 * was started: that one waits until the mount answers, or prints nothing more
 * and exits with the child's status, whose error line has been seen by then.
 * Nothing is connected or started before the fork, so nothing is lost by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/daemon/config.h"
#include "fs/daemon/helper.h"
#include "fs/daemon/opts.h"
#include "fs/daemon/serve.h"

#define WORDS 512

struct command {
	struct zkfs_opts opts;
	struct zkfs_helper helper;
	char **argv;
	char words[WORDS];
};

static int wait_for_child(pid_t pid, int fd)
{
	int status;
	ssize_t n;
	char byte;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_SUCCESS;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

/* What whoever started us has open is not for us to keep: a lock file, a pipe
 * that somebody waits for the end of (daemon(7), "SysV Daemons", step 1). */
static void close_inherited(int keep)
{
	if (keep > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)keep - 1, 0);
	(void)close_range((unsigned)keep + 1, UINT_MAX, 0);
}

static int serve_in_background(struct command *command)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		zkfs_error("cannot go to the background: %s; nothing is "
			   "mounted on '%s'",
			   strerror(errno), command->opts.mountpoint);
		return zkfs_helper_status(&command->helper, ZKFS_HELPER_FAILED,
					  -ENOMEM);
	}
	if (pid > 0) {
		(void)close(fds[1]);
		return wait_for_child(pid, fds[0]);
	}
	close_inherited(fds[1]);
	/* A mount that succeeds says nothing to who typed it. */
	if (!command->helper.verbose)
		zkfs_log_set_level(ZKFS_LOG_WARNING);
	return zkfs_serve(&command->opts, &command->helper, command->argv,
			  fds[1]);
}

/* Were one of the three closed, the next file opened would take its place, and
 * be written to as if it were the terminal. */
static void fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

static int fake(struct command *command)
{
	int error = zkfs_helper_enter(&command->helper, command->words, WORDS);

	if (!error)
		error = zkfs_helper_fake(&command->opts, command->words, WORDS);
	if (error) {
		zkfs_error("%s", command->words);
		return zkfs_helper_status(&command->helper, ZKFS_HELPER_FAILED,
					  error);
	}
	if (command->helper.verbose)
		zkfs_info("%s would be mounted on %s", command->opts.source,
			  command->opts.mountpoint);
	return EXIT_SUCCESS;
}

static int mount_as_told(struct command *command)
{
	if (command->helper.fake)
		return fake(command);
	if (command->opts.foreground)
		return zkfs_serve(&command->opts, &command->helper,
				  command->argv, -1);
	return serve_in_background(command);
}

int main(int argc, char **argv)
{
	struct command command = {.argv = argv};
	int error, status = EXIT_SUCCESS;

	fill_standard();
	error = zkfs_helper_parse(argc, argv, &command.helper, command.words,
				  WORDS);
	if (!error)
		error = zkfs_opts_parse(command.helper.argc,
					command.helper.argv, &command.opts,
					command.words, WORDS);
	if (error) {
		zkfs_error("%s", command.words);
		zkfs_helper_fini(&command.helper);
		return zkfs_helper_status(&command.helper, ZKFS_HELPER_MISUSED,
					  error);
	}
	if (command.opts.debug)
		zkfs_log_set_level(ZKFS_LOG_DEBUG);
	switch (command.opts.command) {
	case ZKFS_OPTS_HELP:
		(void)fputs(zkfs_opts_help(), stdout);
		break;
	case ZKFS_OPTS_VERSION:
		(void)printf("zkfs %s\n", ZKFS_VERSION);
		break;
	case ZKFS_OPTS_DUMP_CONFIG:
		zkfs_config_print(stdout, &command.opts);
		break;
	case ZKFS_OPTS_MOUNT:
		status = mount_as_told(&command);
		break;
	}
	zkfs_opts_fini(&command.opts);
	zkfs_helper_fini(&command.helper);
	return status;
}

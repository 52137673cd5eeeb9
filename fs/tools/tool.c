/*
 * tool: see tool.h.
 */
#include "fs/tools/tool.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

/*
 * child: see child.h.
 */
#include "fs/daemon/child.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void close_between(int from, int to)
{
	if (from + 1 < to)
		(void)close_range((unsigned)from + 1, (unsigned)to - 1, 0);
}

/* The arguments are one piece of memory, which the kernel shows as it stands
 * (proc_pid_cmdline(5)). */
void zkfs_child_set_title(char **argv, const char *name, const char *path)
{
	char *end = argv[0];

	(void)prctl(PR_SET_NAME, name);
	if (!end)
		return;
	for (char **arg = argv; *arg; arg++)
		if (*arg + strlen(*arg) + 1 > end)
			end = *arg + strlen(*arg) + 1;
	memset(argv[0], 0, (size_t)(end - argv[0]));
	(void)snprintf(argv[0], (size_t)(end - argv[0]), "%s %s", name, path);
}

void zkfs_child_detach(int a, int b)
{
	(void)setsid();
	(void)chdir("/");
	close_between(-1, a < b ? a : b);
	close_between(a < b ? a : b, a < b ? b : a);
	close_between(a < b ? b : a, INT_MAX);
}

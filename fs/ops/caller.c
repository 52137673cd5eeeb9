/*
 * caller: see caller.h. Reading procfs in the loop is fine where it never
 * waits: `status` and `comm` do not. `stat` does, for as long as the process is
 * in execve(2) (fs/proc/array.c, do_task_stat(): exec_update_lock), and there
 * it may be waiting for us: for the FLUSH of a descriptor that is closed on
 * exec.
 */
#include "fs/ops/caller.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/base/util.h"

#define FLAGS_FIELD	9
#define EXIT_CODE_FIELD 52
#define FLAG_EXITING	0x4 /* PF_EXITING in linux/sched.h */

static bool read_proc(pid_t tid, const char *file, char *buf, size_t size)
{
	zkfs_autoclose int fd = -1;
	char path[64];
	ssize_t n;

	if (tid <= 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* The n-th field of a stat line, counted from 1; the second, the command in
 * parentheses, may hold blanks, so that counting starts behind it. */
static const char *stat_field(const char *line, int field)
{
	const char *at = strrchr(line, ')');
	int n = 2;

	for (; at && n < field; n++) {
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	return at;
}

static const char *status_value(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? at + strlen(key) : NULL;
}

bool zkfs_caller_killed(pid_t tid)
{
	const char *flags, *exit_code;
	char line[8192];

	/* Who exits gives up its memory before its files (do_exit()); who has
	 * memory does not exit, and may be in execve(). */
	if (!read_proc(tid, "status", line, sizeof(line)) ||
	    status_value(line, "\nVmSize:") ||
	    !read_proc(tid, "stat", line, sizeof(line)))
		return false;
	flags = stat_field(line, FLAGS_FIELD);
	exit_code = stat_field(line, EXIT_CODE_FIELD);
	if (!flags || !exit_code)
		return false;
	return (strtoul(flags, NULL, 10) & FLAG_EXITING) &&
	       (strtoul(exit_code, NULL, 10) & 0x7f);
}

bool zkfs_caller_dying(pid_t tid)
{
	const char *pending;
	char status[8192];

	if (!read_proc(tid, "status", status, sizeof(status)))
		return tid > 0; /* gone already */
	pending = status_value(status, "\nSigPnd:");
	return pending &&
	       (strtoull(pending, NULL, 16) & (1ULL << (SIGKILL - 1)));
}

void zkfs_caller_comm(pid_t tid, char comm[ZKFS_COMM_BYTES])
{
	if (!read_proc(tid, "comm", comm, ZKFS_COMM_BYTES)) {
		memcpy(comm, "?", 2);
		return;
	}
	for (char *c = comm; *c; c++) {
		if (*c == '\n')
			*c = '\0';
		else if (!isgraph((unsigned char)*c))
			*c = '_';
		if (!*c)
			break;
	}
}

pid_t zkfs_caller_process(pid_t tid)
{
	const char *tgid;
	char status[8192];

	if (!read_proc(tid, "status", status, sizeof(status)))
		return tid;
	tgid = status_value(status, "\nTgid:");
	return tgid ? (pid_t)strtol(tgid, NULL, 10) : tid;
}

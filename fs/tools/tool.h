/*
 * tool: what the programs beside the mount have in common: the descriptors 0 to
 * 2, and the exit statuses that shells know.
 */
#ifndef ZKFS_TOOLS_TOOL_H
#define ZKFS_TOOLS_TOOL_H

/* Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed: the
 * next file that is opened would get that number. 0, or a negative errno that
 * was reported. */
int zkfs_tool_fill_std_fds(void);

/* What a shell shows of a status of waitpid(2): the exit status, or 128 and the
 * signal. */
int zkfs_tool_wait_status(int status);
/* What a shell shows of a command that cannot be run, from execve(2)'s errno.
 */
int zkfs_tool_exec_status(int error);

/* Says in one line what getopt_long(3) has refused, with `answer`, '?' or ':'.
 * `opterr` must be 0, and ':' the first of the option string, behind "+". */
void zkfs_tool_bad_option(int answer, char *const *argv);
/* Says in one line that the command line is wrong, and where to look. */
void zkfs_tool_misused(const char *what);

#endif

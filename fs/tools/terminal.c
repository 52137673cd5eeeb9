/*
 * terminal: see terminal.h.
 */
#include "fs/tools/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

void zkfs_terminal_open(struct zkfs_terminal *terminal)
{
	terminal->fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	terminal->is_asked = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool zkfs_terminal_is_ours(const struct zkfs_terminal *terminal)
{
	return terminal->fd >= 0 && tcgetpgrp(terminal->fd) == getpgrp();
}

void zkfs_terminal_give(const struct zkfs_terminal *terminal, pid_t group)
{
	if (terminal->is_asked && zkfs_terminal_is_ours(terminal))
		(void)tcsetpgrp(terminal->fd, group);
}

void zkfs_terminal_take_back(const struct zkfs_terminal *terminal, pid_t group)
{
	if (terminal->fd >= 0 && tcgetpgrp(terminal->fd) == group)
		(void)tcsetpgrp(terminal->fd, getpgrp());
}

void zkfs_terminal_stop_us(int sig)
{
	sigset_t one, old;

	(void)sigemptyset(&one);
	(void)sigaddset(&one, sig);
	(void)kill(0, sig);
	(void)sigprocmask(SIG_UNBLOCK, &one, &old);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}

/*
 * terminal: the terminal between zkfs-lock and its job, which is a process
 * group of its own: only the one in the foreground may use it, and gets ^C.
 *
 * A job that reads and writes the terminal gets it at once. One that has a
 * pipe or a file there gets it when it asks, that is when it is stopped by
 * SIGTTIN or SIGTTOU: in `zkfs-lock LOCK make | less` it is for less. (sudo
 * does the same; see its exec_pty.c.) As long as zkfs-lock has it, ^C and ^Z
 * come to zkfs-lock, which passes them on.
 *
 * SIGTTOU has to be blocked or ignored.
 */
#ifndef ZKFS_TOOLS_TERMINAL_H
#define ZKFS_TOOLS_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

struct zkfs_terminal {
	int fd;	       /* -1: there is none */
	bool is_asked; /* for by the job, or is its from the beginning */
};

void zkfs_terminal_open(struct zkfs_terminal *terminal);
/* Whether it is ours to give. */
bool zkfs_terminal_is_ours(const struct zkfs_terminal *terminal);
/* Gives it to a process group that has asked for it, if it is ours. */
void zkfs_terminal_give(const struct zkfs_terminal *terminal, pid_t group);
/* Takes it back, if that group has it. */
void zkfs_terminal_take_back(const struct zkfs_terminal *terminal, pid_t group);
/* Stops us and all who are in the foreground or background with us, as the
 * terminal would with `sig`, so that the shell sees it; returns when we are
 * continued. */
void zkfs_terminal_stop_us(int sig);

#endif

/*
 * child: what the small processes beside the daemon (watchdog, emitter) have in
 * common. Both are forked from it and go on in its program.
 */
#ifndef ZKFS_DAEMON_CHILD_H
#define ZKFS_DAEMON_CHILD_H

/* In the child: who lists processes sees `name` and `path`. `argv` is main()'s,
 * which is written over. */
void zkfs_child_set_title(char **argv, const char *name, const char *path);
/* In the child: away from the terminal and the daemon's process group, and from
 * all its descriptors but these two (one may be -1). What ends those finds the
 * child alive, and nobody who waits for the end of a pipe of the daemon's waits
 * for the child. */
void zkfs_child_detach(int a, int b);

#endif

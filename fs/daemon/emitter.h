/*
 * emitter: a small process that repeats what others have done as system calls
 * on the mount, so that inotify(7) tells of it. What it is told, and how its
 * requests are answered, is in ops/emit.
 *
 * A process of its own, for it waits in the kernel like any user of the mount:
 * a thread of the daemon that did would keep its descriptors open when it is
 * killed (see watchdog.h).
 */
#ifndef ZKFS_DAEMON_EMITTER_H
#define ZKFS_DAEMON_EMITTER_H

#include <stdbool.h>
#include <sys/types.h>

struct zkfs_emitter {
	pid_t pid; /* 0: none */
	int fd;	   /* the daemon's end of its socket; -1: none */
};

#define ZKFS_NO_EMITTER ((struct zkfs_emitter){.fd = -1})

/* Forks it. It works on what is mounted at `path` as long as that has this
 * device number, and on nothing else; between two events it keeps nothing of
 * the mount busy. To be called before there are threads, and from the main one:
 * it dies with that. `scan`: it looks for who watches what, and says so
 * (watchers.h). `argv` as in watchdog.h. 0 or a negative errno. */
int zkfs_emitter_start(struct zkfs_emitter *emitter, dev_t device, char **argv,
		       const char *path, bool scan);
/* It has died: says so. */
void zkfs_emitter_died(struct zkfs_emitter *emitter);
/* Ends it, and does not wait: it may be stuck in a request of the mount, until
 * that ends. Fine if there is none. */
void zkfs_emitter_stop(struct zkfs_emitter *emitter);

#endif

/*
 * notifier: the thread that tells the kernel which names have changed.
 *
 * To drop a name the kernel takes the lock of its directory, and waits for it
 * in the write that asks for this (fuse_reverse_inval_entry). Who holds that
 * lock waits for the answer to a request of his own: one that the loop has to
 * give. So the loop must not wait there, and this thread is the only other one.
 *
 *	loop:   push ---> queue ---> thread: write(/dev/fuse) --> the kernel
 *	         never waits                  waits for directories
 *
 * The thread touches its queue and that descriptor, and nothing else: no log,
 * no tree, no libfuse (which would print what fails).
 *
 * The end, in this order, for the same reason: close, then all requests are
 * answered, then wait for the thread. Requests that are not even read any more
 * may hold a directory, too; only an abort of the connection answers those.
 */
#ifndef ZKFS_OPS_NOTIFIER_H
#define ZKFS_OPS_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>

/* How many names wait at most. */
#define ZKFS_NOTIFIER_NAMES_MAX 262144

struct zkfs_notifier;

struct zkfs_notifier_counts {
	uint64_t queued;  /* now, with the one that is being told */
	uint64_t sent;	  /* told, also of what the kernel did not have */
	uint64_t dropped; /* not told: no room, or closed */
	bool telling;	  /* one is with the kernel now */
};

/* Starts the thread. `fd` is the FUSE device, the caller's, and must stay open
 * until zkfs_notifier_free(). 0 or a negative errno. */
int zkfs_notifier_new(int fd, struct zkfs_notifier **ret_notifier);
/* Ends, if need be waits for the thread, and frees; returns NULL. NULL is fine.
 */
struct zkfs_notifier *zkfs_notifier_free(struct zkfs_notifier *notifier);

/* Queues a name (copied) of the directory with this node id; names are told in
 * this order. Never waits for the kernel. -ENOMEM: there is no room for it. */
int zkfs_notifier_push(struct zkfs_notifier *notifier, uint64_t parent,
		       const char *name);
/* Tells the kernel at once that whatever it keeps of names is to be asked for
 * again; takes no lock there. -EOPNOTSUPP: it cannot (Linux 6.16 can). */
int zkfs_notifier_expire_all(struct zkfs_notifier *notifier);
void zkfs_notifier_count(struct zkfs_notifier *notifier,
			 struct zkfs_notifier_counts *ret_counts);

/* Forgets what is queued and takes no more; the thread ends when it is through
 * with the one it is at. */
void zkfs_notifier_close(struct zkfs_notifier *notifier);
/* After that: waits for the thread's end. False when it has not come in
 * `limit_ms`: it waits for a directory. */
bool zkfs_notifier_wait(struct zkfs_notifier *notifier, int limit_ms);

#endif

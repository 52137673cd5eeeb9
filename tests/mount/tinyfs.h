/*
 * tinyfs: a filesystem of a directory `d` with a file `f` in it, both cached by
 * the kernel for ever, served by a process of its own with a notifier and,
 * if wished, a watchdog. It does what it is told.
 *
 * `mkdir d/held` is not answered; so the kernel holds `d`, and a notifier that
 * tells of a name in it is stuck.
 */
#ifndef ZKFS_TESTS_TINYFS_H
#define ZKFS_TESTS_TINYFS_H

#include <stdbool.h>
#include <sys/types.h>

#include "fs/ops/notifier.h"

#define TINYFS_BURST_NAMES 1000

struct tinyfs {
	char dir[64]; /* where it is mounted */
	pid_t pid;
	int orders;
	int abort_fd; /* the test's own */
};

enum tinyfs_order {
	TINYFS_COUNT,	/* nothing more than what is always answered */
	TINYFS_CHANGED, /* tell the kernel that `f` has changed */
	TINYFS_BURST,	/* so, as many times as above */
	TINYFS_ALL,	/* tell it that all names have */
	TINYFS_ANSWER,	/* answer what is held, with EEXIST */
	TINYFS_END,	/* the orderly end */
};

struct tinyfs_report {
	int result;	  /* of TINYFS_ALL */
	unsigned lookups; /* of `f`, since the start */
	bool holds;
	struct zkfs_notifier_counts counts;
};

/* Mounts. 0 or -1. */
int tinyfs_start(struct tinyfs *tiny, bool with_watchdog);
/* Whatever state it is in; nothing is left of it. */
void tinyfs_stop(struct tinyfs *tiny);
/* Asserts that it is answered. */
struct tinyfs_report tinyfs_order(const struct tinyfs *tiny,
				  enum tinyfs_order order);

#endif

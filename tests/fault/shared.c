/*
 * shared: lets the n-th allocation of a running daemon fail, when the test says
 * so. They share the file that is named by ZKFS_FAULT:
 *
 *	word 0	counts down to the one that fails, when it is above 0
 *	word 1	how many have failed; the test sets it back
 *	word 2	how many there were
 *	word 3	where the last that has failed was called for: the distance from
 *		the start of the program, for addr2line(1)
 *
 * Processes that the daemon forks share it too. Without the variable nothing
 * fails.
 */
#include <err.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fault/wrap.h"

struct shared {
	atomic_int_least64_t countdown;
	atomic_int_least64_t failed;
	atomic_int_least64_t called;
	atomic_int_least64_t place;
};

extern const char __executable_start[];

static struct shared *shared;

static __attribute__((constructor)) void find_shared(void)
{
	const char *name = getenv("ZKFS_FAULT");
	void *map;
	int fd;

	if (!name)
		return;
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "%s", name);
	map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	if (map == MAP_FAILED)
		err(EXIT_FAILURE, "%s", name);
	(void)close(fd);
	shared = map;
}

bool fault_is_now(const void *caller)
{
	if (!shared)
		return false;
	atomic_fetch_add(&shared->called, 1);
	if (atomic_load(&shared->countdown) <= 0 ||
	    atomic_fetch_sub(&shared->countdown, 1) != 1)
		return false;
	atomic_store(&shared->place,
		     (intptr_t)caller - (intptr_t)__executable_start);
	atomic_fetch_add(&shared->failed, 1);
	return true;
}

/*
 * clock: readings of CLOCK_BOOTTIME.
 */
#include "fs/base/clock.h"

#include <assert.h>
#include <time.h>

static struct timespec now(void)
{
	struct timespec ts;
	int r = clock_gettime(CLOCK_BOOTTIME, &ts);

	/* Fails for an unknown clock or a bad pointer only, and Linux has had
	 * this clock since 2.6.39 (clock_gettime(2)). */
	assert(r == 0);
	(void)r;
	return ts;
}

int64_t zkfs_clock_ms(void)
{
	struct timespec ts = now();

	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t zkfs_clock_us(void)
{
	struct timespec ts = now();

	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

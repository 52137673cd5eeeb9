/*
 * clock: readings of CLOCK_BOOTTIME, and of the calendar.
 */
#include "fs/base/clock.h"

#include <assert.h>
#include <time.h>

static struct timespec now(clockid_t clock)
{
	struct timespec ts;
	int r = clock_gettime(clock, &ts);

	/* Fails for an unknown clock or a bad pointer only, and Linux has had
	 * this clock since 2.6.39 (clock_gettime(2)). */
	assert(r == 0);
	(void)r;
	return ts;
}

int64_t zkfs_clock_ms(void)
{
	struct timespec ts = now(CLOCK_BOOTTIME);

	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t zkfs_clock_us(void)
{
	struct timespec ts = now(CLOCK_BOOTTIME);

	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t zkfs_clock_unix_ms(void)
{
	struct timespec ts = now(CLOCK_REALTIME);

	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

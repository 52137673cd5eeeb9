/*
 * clock: the one clock of the daemon, CLOCK_BOOTTIME, which goes on while the
 * machine sleeps, as the server's does (facts: a lease measured on
 * CLOCK_MONOTONIC outlives a suspend). The core never reads it: time is an
 * argument there.
 */
#ifndef ZKFS_BASE_CLOCK_H
#define ZKFS_BASE_CLOCK_H

#include <stdint.h>

/* No time at all: later than every other. */
#define ZKFS_NEVER INT64_MAX

/* Milliseconds since boot, suspended time included. */
int64_t zkfs_clock_ms(void);
/* Microseconds of the same clock, for traces. */
int64_t zkfs_clock_us(void);

/* Milliseconds since 1970, as the calendar goes: to show, not to measure. */
int64_t zkfs_clock_unix_ms(void);

static inline int64_t zkfs_clock_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

#endif

/*
 * histogram: how often something took how long, in fixed buckets: no
 * allocation, a few comparisons to add one. All histograms have the same
 * bounds, from what the daemon answers by itself (50 us) to what one waits for
 * a lock (10 min), so that they can be laid over one another.
 */
#ifndef ZKFS_HISTOGRAM_H
#define ZKFS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Upper bounds in microseconds, each included in its bucket. */
#define ZKFS_HISTOGRAM_BOUNDS                                                  \
	50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,      \
		250000, 500000, 1000000, 2500000, 10000000, 60000000,          \
		600000000
#define ZKFS_HISTOGRAM_N_BOUNDS 18

struct zkfs_histogram {
	/* Those in this bucket alone; the last has what is above all bounds. */
	uint64_t buckets[ZKFS_HISTOGRAM_N_BOUNDS + 1];
	uint64_t sum_us;
};

/* Adds one; a negative time, of a clock that was set back, counts as 0. */
void zkfs_histogram_add(struct zkfs_histogram *histogram, int64_t us);
/* How many were added. */
uint64_t zkfs_histogram_count(const struct zkfs_histogram *histogram);
/* The upper bound of a bucket other than the last. */
int64_t zkfs_histogram_bound_us(size_t bucket);

#endif

/*
 * histogram: see include/zkfs/histogram.h.
 */
#include "include/zkfs/histogram.h"

#include <assert.h>

#include "fs/base/util.h"

static const int64_t bounds[] = {ZKFS_HISTOGRAM_BOUNDS};

_Static_assert(ZKFS_ARRAY_SIZE(bounds) == ZKFS_HISTOGRAM_N_BOUNDS,
	       "the number of bounds");

void zkfs_histogram_add(struct zkfs_histogram *histogram, int64_t us)
{
	size_t i = 0;

	/* From below: most are short. */
	while (i < ZKFS_HISTOGRAM_N_BOUNDS && us > bounds[i])
		i++;
	histogram->buckets[i]++;
	if (us > 0)
		histogram->sum_us += (uint64_t)us;
}

uint64_t zkfs_histogram_count(const struct zkfs_histogram *histogram)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= ZKFS_HISTOGRAM_N_BOUNDS; i++)
		n += histogram->buckets[i];
	return n;
}

int64_t zkfs_histogram_bound_us(size_t bucket)
{
	assert(bucket < ZKFS_HISTOGRAM_N_BOUNDS);
	return bounds[bucket];
}

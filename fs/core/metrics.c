/*
 * metrics: see metrics.h.
 */
#include "fs/core/metrics.h"

#include <assert.h>

const char *zkfs_op_name(enum zkfs_op_kind kind)
{
	static const char *const names[_ZKFS_OP_KIND_N] = {
#define NAME(name) #name,
		ZKFS_OP_KINDS(NAME)
#undef NAME
	};

	assert((size_t)kind < _ZKFS_OP_KIND_N);
	return names[kind];
}

void zkfs_metrics_answered(struct zkfs_metrics *metrics, enum zkfs_op_kind kind,
			   int64_t us, int error)
{
	struct zkfs_op_metrics *op = &metrics->ops[kind];

	assert(error <= 0);
	zkfs_histogram_add(&op->latency, us);
	if (error)
		op->errors[error >= -ZKFS_METRICS_ERRNO_MAX ? -error : 0]++;
}

/*
 * limits: look-ups in the table of limits.h.
 */
#include "fs/core/limits.h"

#include <assert.h>

static const struct entry {
	const char *option;
	int error;
	size_t offset;
} entries[_ZKFS_LIMIT_N] = {
#define ENTRY(name, option_, kind, number, error_, help)                       \
	[ZKFS_LIMIT_##name] = {                                                \
		.option = (option_),                                           \
		.error = -(error_),                                            \
		.offset = offsetof(struct zkfs_limits, name),                  \
	},
	ZKFS_LIMITS(ENTRY)
#undef ENTRY
};

static const struct entry *entry(enum zkfs_limit limit)
{
	assert((size_t)limit < _ZKFS_LIMIT_N);
	return &entries[limit];
}

const char *zkfs_limit_option(enum zkfs_limit limit)
{
	return entry(limit)->option;
}

int zkfs_limit_error(enum zkfs_limit limit)
{
	return entry(limit)->error;
}

size_t zkfs_limit_number(const struct zkfs_limits *limits,
			 enum zkfs_limit limit)
{
	const char *at = (const char *)limits + entry(limit)->offset;

	return *(const size_t *)(const void *)at;
}

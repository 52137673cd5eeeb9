/*
 * error: look-ups in the table of include/zkfs/error.h.
 */
#include "include/zkfs/error.h"

#include <assert.h>
#include <stddef.h>

struct entry {
	int code;
	int err;
	const char *words;
};

static const struct entry entries[_ZKFS_ERROR_N] = {
#define ENTRY(name, code_, err_, words_)                                       \
	[ZKFS_E_##name] = {.code = (code_), .err = (err_), .words = (words_)},
	ZKFS_ERRORS(ENTRY)
#undef ENTRY
};

static const struct entry *entry(enum zkfs_error error)
{
	assert((size_t)error < _ZKFS_ERROR_N);
	return &entries[error];
}

enum zkfs_error zkfs_error_from_protocol(int code)
{
	for (size_t i = 0; i < _ZKFS_ERROR_N; i++)
		if (entries[i].code == code)
			return (enum zkfs_error)i;
	return ZKFS_E_OTHER;
}

int zkfs_error_to_protocol(enum zkfs_error error)
{
	return entry(error)->code;
}

int zkfs_error_to_errno(enum zkfs_error error)
{
	return -entry(error)->err;
}

const char *zkfs_error_words(enum zkfs_error error)
{
	return entry(error)->words;
}

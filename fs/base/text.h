/*
 * text: a string that grows as it is printed to. Who prints need not look for
 * errors: when memory is short the text has failed, takes no more, and is
 * asked once at its end.
 */
#ifndef ZKFS_BASE_TEXT_H
#define ZKFS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/base/util.h"

struct zkfs_text {
	char *data; /* NUL-terminated; NULL while nothing was printed */
	size_t len;
	size_t cap;
	bool failed;
};

/* A zeroed one is empty. */
void zkfs_text_fini(struct zkfs_text *text);

zkfs_printf(2, 3) void zkfs_text_printf(struct zkfs_text *text,
					const char *format, ...);
/* Adds what may be anything as one word of one line: blanks, controls and
 * backslashes as \ooo, as in /proc/mounts. */
void zkfs_text_word(struct zkfs_text *text, const char *word);

#endif

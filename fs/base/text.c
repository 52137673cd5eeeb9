/*
 * text: see text.h.
 */
#include "fs/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAP 1024

void zkfs_text_fini(struct zkfs_text *text)
{
	free(text->data);
	*text = (struct zkfs_text){0};
}

/* Room for `len` bytes more and the NUL. */
static bool reserve(struct zkfs_text *text, size_t len)
{
	size_t cap = text->cap ? text->cap : FIRST_CAP;
	char *larger;

	while (cap - text->len <= len)
		cap *= 2;
	if (cap == text->cap)
		return true;
	larger = realloc(text->data, cap);
	if (!larger) {
		text->failed = true;
		return false;
	}
	text->data = larger;
	text->cap = cap;
	return true;
}

void zkfs_text_printf(struct zkfs_text *text, const char *format, ...)
{
	va_list args;
	int len;

	if (text->failed)
		return;
	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !reserve(text, (size_t)len)) {
		text->failed = true;
		return;
	}
	va_start(args, format);
	(void)vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
	va_end(args);
	text->len += (size_t)len;
}

void zkfs_text_word(struct zkfs_text *text, const char *word)
{
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;

		if (c > ' ' && c != 0x7f && c != '\\')
			zkfs_text_printf(text, "%c", c);
		else
			zkfs_text_printf(text, "\\%03o", c);
	}
}

/*
 * fuzz: what the fuzz targets share. A target is a fuzz_*.c with libFuzzer's
 * entry point. With -Dfuzz=true (clang) it is built as a fuzzer; always it is
 * built with fuzz_main.c, which feeds it the files named, or bytes by chance,
 * so that the targets are tests like others and do not rot.
 *
 * An input that is used up goes on with zeroes.
 */
#ifndef ZKFS_TESTS_FUZZ_H
#define ZKFS_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct fuzz_input {
	const uint8_t *data;
	size_t len;
};

#define fuzz_must(condition)                                                   \
	do {                                                                   \
		if (!(condition)) {                                            \
			(void)fprintf(stderr, "%s:%d: violated: %s\n",         \
				      __FILE__, __LINE__, #condition);         \
			abort();                                               \
		}                                                              \
	} while (0)

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 8 | fuzz_u8(in);
	return value;
}

/* RFC 3629, section 4; surrogates and what is past U+10FFFF are none. */
static inline bool fuzz_is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned n = *at < 0x80	  ? 0
			     : *at < 0xc2 ? 4
			     : *at < 0xe0 ? 1
			     : *at < 0xf0 ? 2
			     : *at < 0xf5 ? 3
					  : 4;
		unsigned first = *at++;

		if (n == 4 || (first == 0xe0 && *at < 0xa0) ||
		    (first == 0xed && *at > 0x9f) ||
		    (first == 0xf0 && *at < 0x90) ||
		    (first == 0xf4 && *at > 0x8f))
			return false;
		for (; n > 0; n--)
			if ((*at++ & 0xc0) != 0x80)
				return false;
	}
	return true;
}

#endif

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

#endif

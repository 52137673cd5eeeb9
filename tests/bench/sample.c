/* sample: see sample.h. */
#include "tests/bench/sample.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

int64_t sample_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void *sample_share(size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			/* cppcheck-suppress invalidFunctionArg */
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

void sample_init(struct sample *sample, size_t room)
{
	*sample = (struct sample){.room = room};
	sample->ns = calloc(room, sizeof(*sample->ns));
	if (!sample->ns)
		err(1, "calloc");
}

void sample_fini(struct sample *sample)
{
	free(sample->ns);
	*sample = (struct sample){0};
}

void sample_add_ns(struct sample *sample, int64_t ns)
{
	if (sample->n == sample->room)
		errx(1, "more than %zu samples", sample->room);
	sample->ns[sample->n++] = ns;
}

void sample_add(struct sample *sample, int64_t since)
{
	sample_add_ns(sample, sample_now() - since);
}

static int compare(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

void sample_print(struct sample *sample)
{
	int64_t low, high;

	if (sample->n == 0)
		errx(1, "nothing was measured");
	qsort(sample->ns, sample->n, sizeof(*sample->ns), compare);
	low = sample->ns[(sample->n - 1) / 2];
	high = sample->ns[sample->n / 2];
	(void)printf("%.2f\n", (double)(low + high) / 2000);
}

size_t sample_count(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || n == 0 ||
	    n > 1000000)
		errx(2, "not a count: '%s'", text);
	return n;
}

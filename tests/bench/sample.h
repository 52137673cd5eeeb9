/*
 * sample: durations of one operation, measured one after the other, and their
 * median. The median and not the mean: one turn of the scheduler or of the
 * server's garbage collector must not count.
 */
#ifndef ZKFS_BENCH_SAMPLE_H
#define ZKFS_BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct sample {
	int64_t *ns;
	size_t n, room;
};

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t sample_now(void);
/* Zeroes that the processes made from now on share. */
void *sample_share(size_t len);
/* Room for that many; ends the program when there is no memory. */
void sample_init(struct sample *sample, size_t room);
void sample_fini(struct sample *sample);
/* One more duration: from `since` to now. */
void sample_add(struct sample *sample, int64_t since);
void sample_add_ns(struct sample *sample, int64_t ns);
/* Prints the median in microseconds and a newline. */
void sample_print(struct sample *sample);
/* A positive number from the command line, or the end of the program. */
size_t sample_count(const char *text);

#endif

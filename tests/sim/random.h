/*
 * random: the one source of chance in a simulation, so that a seed replays a
 * run. splitmix64 (Steele, Lea, Flood 2014): one word of state, any seed.
 */
#ifndef ZKFS_SIM_RANDOM_H
#define ZKFS_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
	uint64_t state;
};

static inline uint64_t sim_random_u64(struct sim_random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 ... n - 1; 0 for n == 0. */
static inline uint32_t sim_random_below(struct sim_random *random, uint32_t n)
{
	return (uint32_t)(((sim_random_u64(random) >> 32) * n) >> 32);
}

/* True with a probability of n in 10,000. */
static inline bool sim_random_chance(struct sim_random *random, uint32_t n)
{
	return sim_random_below(random, 10000) < n;
}

#endif

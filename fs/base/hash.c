/*
 * hash: buckets of singly linked members. A bucket is chosen by the low bits
 * of the hash, which is why the hash functions below mix to the last bit.
 */
#include "fs/base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define MIN_BUCKETS 16

/* FNV-1a, 64 bits: the offset basis and the prime of
 * draft-eastlake-fnv, section 5. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x00000100000001b3)

static struct zkfs_hash_link **bucket(const struct zkfs_hash *table,
				      uint64_t hash)
{
	assert(table->n_buckets > 0);
	return &table->buckets[hash & (table->n_buckets - 1)];
}

static void push(struct zkfs_hash *table, struct zkfs_hash_link *link)
{
	struct zkfs_hash_link **head = bucket(table, link->hash);

	link->next = *head;
	*head = link;
}

int zkfs_hash_init(struct zkfs_hash *table)
{
	struct zkfs_hash_link **buckets =
		calloc(MIN_BUCKETS, sizeof(struct zkfs_hash_link *));

	if (!buckets)
		return -ENOMEM;
	*table = (struct zkfs_hash){
		.buckets = buckets,
		.n_buckets = MIN_BUCKETS,
	};
	return 0;
}

void zkfs_hash_fini(struct zkfs_hash *table)
{
	assert(table->n == 0);
	free(table->buckets);
	*table = (struct zkfs_hash){0};
}

/* Doubles the buckets; when memory is short the chains grow instead. */
static void grow(struct zkfs_hash *table)
{
	struct zkfs_hash old = *table;
	struct zkfs_hash_link **buckets;

	buckets = calloc(old.n_buckets * 2, sizeof(struct zkfs_hash_link *));
	if (!buckets)
		return;
	table->buckets = buckets;
	table->n_buckets = old.n_buckets * 2;
	for (size_t i = 0; i < old.n_buckets; i++) {
		struct zkfs_hash_link *it = old.buckets[i];

		while (it) {
			struct zkfs_hash_link *next = it->next;

			push(table, it);
			it = next;
		}
	}
	free(old.buckets);
}

void zkfs_hash_add(struct zkfs_hash *table, struct zkfs_hash_link *link,
		   uint64_t hash)
{
	if (table->n >= table->n_buckets)
		grow(table);
	link->hash = hash;
	push(table, link);
	table->n++;
}

void zkfs_hash_remove(struct zkfs_hash *table, struct zkfs_hash_link *link)
{
	struct zkfs_hash_link **at = bucket(table, link->hash);

	while (*at != link) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = link->next;
	link->next = NULL;
	table->n--;
}

/* The first link from `it` on, in its chain, that has this hash. */
static struct zkfs_hash_link *scan(struct zkfs_hash_link *it, uint64_t hash)
{
	while (it && it->hash != hash)
		it = it->next;
	return it;
}

struct zkfs_hash_link *zkfs_hash_find(const struct zkfs_hash *table,
				      uint64_t hash)
{
	return scan(*bucket(table, hash), hash);
}

struct zkfs_hash_link *zkfs_hash_find_next(const struct zkfs_hash_link *link)
{
	return scan(link->next, link->hash);
}

struct zkfs_hash_link *zkfs_hash_next(const struct zkfs_hash *table,
				      const struct zkfs_hash_link *it)
{
	size_t i = 0;

	if (it && it->next)
		return it->next;
	if (it)
		i = (it->hash & (table->n_buckets - 1)) + 1;
	for (; i < table->n_buckets; i++)
		if (table->buckets[i])
			return table->buckets[i];
	return NULL;
}

/* The finaliser of MurmurHash3 (fmix64): each bit of the input reaches each
 * bit of the output, which FNV-1a alone does not do for its last bytes. */
static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}

uint64_t zkfs_hash_bytes(uint64_t seed, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	uint64_t h = FNV_BASIS ^ seed;

	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * FNV_PRIME;
	return mix(h);
}

/* The bytes are taken by value, lowest first, so that the result does not
 * depend on the machine. */
uint64_t zkfs_hash_u64(uint64_t seed, uint64_t value)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	return zkfs_hash_bytes(seed, bytes, sizeof(bytes));
}

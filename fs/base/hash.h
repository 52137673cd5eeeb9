/*
 * hash: an intrusive hash table with chaining that grows by doubling. The
 * caller embeds `struct zkfs_hash_link`, computes the hash of its key with
 * zkfs_hash_bytes() or zkfs_hash_u64(), and compares keys itself, so that
 * one table serves every kind of key.
 *
 * Memory: the table owns its buckets only. Members must be removed before
 * they are freed. Hash values are not stable between runs of the program
 * (zkfs_hash_u64 and zkfs_hash_bytes are, and may be shown to users).
 */
#ifndef ZKFS_BASE_HASH_H
#define ZKFS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct zkfs_hash_link {
	struct zkfs_hash_link *next; /* in its bucket */
	uint64_t hash;
};

struct zkfs_hash {
	struct zkfs_hash_link **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;	  /* members */
};

/* Returns 0 or -ENOMEM. */
int zkfs_hash_init(struct zkfs_hash *table);
/* Frees the buckets; the table must be empty. Fine on a zeroed table. */
void zkfs_hash_fini(struct zkfs_hash *table);

/* Cannot fail: when the table cannot grow it gets slower instead. */
void zkfs_hash_add(struct zkfs_hash *table, struct zkfs_hash_link *link,
		   uint64_t hash);
/* Removes a member; a link that is not in the table is a bug. */
void zkfs_hash_remove(struct zkfs_hash *table, struct zkfs_hash_link *link);

/* The first member with this hash, or NULL; the caller compares its key. */
struct zkfs_hash_link *zkfs_hash_find(const struct zkfs_hash *table,
				      uint64_t hash);
/* The next member with the same hash, or NULL. */
struct zkfs_hash_link *zkfs_hash_find_next(const struct zkfs_hash_link *link);

/* Iteration in no order: first(NULL) starts; the body may remove only `it`
 * and only when it has fetched the next before. */
struct zkfs_hash_link *zkfs_hash_next(const struct zkfs_hash *table,
				      const struct zkfs_hash_link *it);

/* FNV-1a, mixed; `seed` chains calls (start with 0). */
uint64_t zkfs_hash_bytes(uint64_t seed, const void *data, size_t len);
uint64_t zkfs_hash_u64(uint64_t seed, uint64_t value);

#endif

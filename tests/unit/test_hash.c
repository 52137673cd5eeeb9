/*
 * hash: members are found, walked and removed through growth, collisions and
 * a lack of memory; the hash functions stay what they are.
 */
#include "fs/base/hash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/util.h"

#define N_ITEMS 1000

struct item {
	struct zkfs_hash_link link;
	unsigned key;
	unsigned seen;
};

static struct item items[N_ITEMS];

static int setup(void **state)
{
	struct zkfs_hash *table = calloc(1, sizeof(*table));

	if (!table || zkfs_hash_init(table) < 0)
		return -1;
	for (unsigned i = 0; i < N_ITEMS; i++)
		items[i] = (struct item){.key = i};
	*state = table;
	return 0;
}

static int teardown(void **state)
{
	struct zkfs_hash *table = *state;
	struct zkfs_hash_link *it;

	while ((it = zkfs_hash_next(table, NULL)))
		zkfs_hash_remove(table, it);
	zkfs_hash_fini(table);
	free(table);
	return 0;
}

static struct item *item_of(struct zkfs_hash_link *link)
{
	return zkfs_container_of(link, struct item, link);
}

static struct item *find(struct zkfs_hash *table, unsigned key, uint64_t hash)
{
	struct zkfs_hash_link *it = zkfs_hash_find(table, hash);

	while (it && item_of(it)->key != key)
		it = zkfs_hash_find_next(it);
	return it ? item_of(it) : NULL;
}

static void add_all(struct zkfs_hash *table)
{
	for (unsigned i = 0; i < N_ITEMS; i++)
		zkfs_hash_add(table, &items[i].link, zkfs_hash_u64(0, i));
}

static void test_empty(void **state)
{
	struct zkfs_hash *table = *state;

	assert_null(zkfs_hash_find(table, 0));
	assert_null(zkfs_hash_next(table, NULL));
}

static void test_finds_all_through_growth(void **state)
{
	struct zkfs_hash *table = *state;

	add_all(table);
	assert_int_equal(table->n, N_ITEMS);
	assert_true(table->n_buckets >= N_ITEMS);
	for (unsigned i = 0; i < N_ITEMS; i++)
		assert_ptr_equal(find(table, i, zkfs_hash_u64(0, i)),
				 &items[i]);
	assert_null(zkfs_hash_find(table, zkfs_hash_u64(0, N_ITEMS)));
}

static void test_same_hash_is_told_apart_by_key(void **state)
{
	struct zkfs_hash *table = *state;

	for (unsigned i = 0; i < 100; i++)
		zkfs_hash_add(table, &items[i].link, i % 2 ? 7 : 7 + 16);
	for (unsigned i = 0; i < 100; i++) {
		assert_ptr_equal(find(table, i, i % 2 ? 7 : 7 + 16), &items[i]);
		assert_null(find(table, i, i % 2 ? 7 + 16 : 7));
	}
}

static void test_removed_is_gone_and_others_stay(void **state)
{
	struct zkfs_hash *table = *state;

	add_all(table);
	for (unsigned i = 0; i < N_ITEMS; i += 3)
		zkfs_hash_remove(table, &items[i].link);
	for (unsigned i = 0; i < N_ITEMS; i++)
		assert_ptr_equal(find(table, i, zkfs_hash_u64(0, i)),
				 i % 3 == 0 ? NULL : &items[i]);
	/* A removed member may be added again. */
	zkfs_hash_add(table, &items[0].link, 1);
	assert_ptr_equal(find(table, 0, 1), &items[0]);
}

static void test_walk_meets_each_once(void **state)
{
	struct zkfs_hash *table = *state;
	struct zkfs_hash_link *it = NULL;
	unsigned n = 0;

	add_all(table);
	while ((it = zkfs_hash_next(table, it))) {
		item_of(it)->seen++;
		n++;
	}
	assert_int_equal(n, N_ITEMS);
	for (unsigned i = 0; i < N_ITEMS; i++)
		assert_int_equal(items[i].seen, 1);
}

static void test_walk_may_remove_the_current(void **state)
{
	struct zkfs_hash *table = *state;
	struct zkfs_hash_link *it, *next;
	unsigned n = 0;

	add_all(table);
	for (it = zkfs_hash_next(table, NULL); it; it = next) {
		next = zkfs_hash_next(table, it);
		zkfs_hash_remove(table, it);
		n++;
	}
	assert_int_equal(n, N_ITEMS);
	assert_int_equal(table->n, 0);
}

static void test_init_without_memory(void **state)
{
	struct zkfs_hash table = {.n = 42};

	fault_arm(1);
	assert_int_equal(zkfs_hash_init(&table), -ENOMEM);
	assert_true(fault_disarm());
	assert_int_equal(table.n, 42);
}

static void test_add_without_memory_only_gets_slower(void **state)
{
	struct zkfs_hash *table = *state;
	size_t n_buckets = table->n_buckets;
	unsigned i;

	for (i = 0; i < n_buckets; i++)
		zkfs_hash_add(table, &items[i].link, zkfs_hash_u64(0, i));
	assert_int_equal(table->n_buckets, n_buckets);
	fault_arm(1);
	zkfs_hash_add(table, &items[i].link, zkfs_hash_u64(0, i));
	assert_true(fault_disarm());
	assert_int_equal(table->n_buckets, n_buckets);
	for (i = 0; i <= n_buckets; i++)
		assert_ptr_equal(find(table, i, zkfs_hash_u64(0, i)),
				 &items[i]);
	/* The next one grows it after all. */
	zkfs_hash_add(table, &items[i].link, zkfs_hash_u64(0, i));
	assert_true(table->n_buckets > n_buckets);
}

static void test_fini_of_zeroed(void **state)
{
	struct zkfs_hash table = {0};

	zkfs_hash_fini(&table);
	assert_null(table.buckets);
}

/* Inode numbers are made of these: they must not change with a new version.
 * The values were computed apart from the code, by FNV-1a and fmix64 in
 * Python. */
static void test_values_are_fixed(void **state)
{
	assert_true(zkfs_hash_bytes(0, NULL, 0) ==
		    UINT64_C(0xefd01f60ba992926));
	assert_true(zkfs_hash_bytes(0, "a", 1) == UINT64_C(0x82a2a958a9bece5b));
	assert_true(zkfs_hash_bytes(5, "/app/conf", 9) ==
		    UINT64_C(0xbb1986a6be4005b7));
	assert_true(zkfs_hash_u64(0, 0) == UINT64_C(0x7bd3144f29c0cc9e));
	assert_true(zkfs_hash_u64(7, UINT64_C(0x0102030405060708)) ==
		    UINT64_C(0xfc621a7e6c683d7f));
}

static void test_seed_chains(void **state)
{
	uint64_t ab = zkfs_hash_bytes(zkfs_hash_bytes(0, "a", 1), "b", 1);
	uint64_t ba = zkfs_hash_bytes(zkfs_hash_bytes(0, "b", 1), "a", 1);

	assert_true(ab != ba);
	assert_true(zkfs_hash_u64(1, 5) != zkfs_hash_u64(2, 5));
}

/* Buckets are chosen by the low bits: consecutive keys must spread. */
static void test_low_bits_spread(void **state)
{
	unsigned counts[64] = {0};

	for (uint64_t i = 0; i < 6400; i++)
		counts[zkfs_hash_u64(0, i << 32) % 64]++;
	for (unsigned i = 0; i < 64; i++)
		assert_in_range(counts[i], 50, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_empty),
		TEST(test_finds_all_through_growth),
		TEST(test_same_hash_is_told_apart_by_key),
		TEST(test_removed_is_gone_and_others_stay),
		TEST(test_walk_meets_each_once),
		TEST(test_walk_may_remove_the_current),
		TEST(test_add_without_memory_only_gets_slower),
#undef TEST
		cmocka_unit_test(test_init_without_memory),
		cmocka_unit_test(test_fini_of_zeroed),
		cmocka_unit_test(test_values_are_fixed),
		cmocka_unit_test(test_seed_chains),
		cmocka_unit_test(test_low_bits_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

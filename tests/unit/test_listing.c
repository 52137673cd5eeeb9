/*
 * listing: the places of entries: the same in each snapshot, in order, one for
 * each, and from any number on the rest is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/ops/listing.h"

#define N     100
#define BYTES 8

struct names {
	char text[N][BYTES];
	struct zkfs_listed entries[N];
	struct zkfs_listing listing;
};

/* All names whose number is not a multiple of `skip`. */
static void make(struct names *names, size_t skip)
{
	names->listing = (struct zkfs_listing){.entries = names->entries};
	for (size_t i = 0; i < N; i++) {
		(void)snprintf(names->text[i], BYTES, "n%zu", i);
		if (skip && i % skip == 0)
			continue;
		names->entries[names->listing.n++] = (struct zkfs_listed){
			.name = names->text[i],
			.place = zkfs_listing_place(names->text[i]),
		};
	}
	zkfs_listing_sort(names->entries, names->listing.n);
}

static void test_in_order(void **state)
{
	struct names names;

	(void)state;
	make(&names, 0);
	assert_true(names.entries[0].place > 2); /* "." and ".." */
	/* Whatever else is listed. */
	for (size_t i = 0; i < N; i++)
		assert_int_equal(names.entries[i].place,
				 zkfs_listing_place(names.entries[i].name));
	for (size_t i = 1; i < N; i++)
		assert_true(names.entries[i - 1].place <
			    names.entries[i].place);
}

static void test_after(void **state)
{
	struct names names;

	(void)state;
	make(&names, 0);
	assert_int_equal(zkfs_listing_after(&names.listing, 0), 0);
	for (size_t i = 0; i < N; i++) {
		int64_t place = names.entries[i].place;

		assert_int_equal(zkfs_listing_after(&names.listing, place),
				 i + 1);
		assert_int_equal(zkfs_listing_after(&names.listing, place - 1),
				 i);
	}
	assert_int_equal(zkfs_listing_after(&names.listing, INT64_MAX), N);
	names.listing.n = 0;
	assert_int_equal(zkfs_listing_after(&names.listing, 0), 0);
}

/* Read up to each entry of one snapshot, and from there in one of which every
 * third name is gone. */
static void test_two_snapshots(void **state)
{
	struct names all, fewer;

	(void)state;
	make(&all, 0);
	make(&fewer, 3);
	for (size_t i = 0; i < N; i++) {
		size_t j = zkfs_listing_after(&fewer.listing,
					      all.entries[i].place);

		if (j > 0)
			assert_true(fewer.entries[j - 1].place <=
				    all.entries[i].place);
		if (j < fewer.listing.n)
			assert_true(fewer.entries[j].place >
				    all.entries[i].place);
	}
}

static void test_same_place(void **state)
{
	static const char order[] = "dbcae";
	struct zkfs_listed entries[5];
	char names[5][BYTES];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		(void)snprintf(names[i], BYTES, "%c", order[i]);
		entries[i] = (struct zkfs_listed){
			.name = names[i],
			.place = i == 4 ? 8 : 7,
		};
	}
	zkfs_listing_sort(entries, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(entries[i].name[0], 'a' + (int)i);
		assert_int_equal(entries[i].place, 7 + (int)i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_two_snapshots),
		cmocka_unit_test(test_same_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_attr: the type rule as a table, inode numbers, and times that move with
 * each version.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/base/util.h"
#include "fs/core/attr.h"

static const struct zkfs_attr_style style = {
	.uid = 1000,
	.gid = 1001,
	.fmask = 0022,
	.dmask = 0027,
};

static const struct {
	const char *who;
	int32_t num_children;
	int64_t ephemeral_owner;
	int32_t data_length;
	int32_t version;
	enum zkfs_type type;
} rule[] = {
	{"made empty: Kafka, Solr, HBase, kazoo, Curator, ClickHouse", 0, 0, 0,
	 0, ZKFS_TYPE_DIR},
	{"the same with children", 3, 0, 0, 0, ZKFS_TYPE_DIR},
	{"made by a mount: create and set of nothing", 0, 0, 0, 1,
	 ZKFS_TYPE_FILE},
	{"emptied by a set", 0, 0, 0, 9, ZKFS_TYPE_FILE},
	{"emptied 2^32 sets ago", 0, 0, 0, INT32_MIN, ZKFS_TYPE_FILE},
	{"made with data", 0, 0, 5, 0, ZKFS_TYPE_FILE},
	{"set", 0, 0, 5, 3, ZKFS_TYPE_FILE},
	{"data and children: Kafka's topics", 2, 0, 5, 0, ZKFS_TYPE_DIR},
	{"data, versions and children", 1, 0, 5, 8, ZKFS_TYPE_DIR},
	{"emptied, with children", 1, 0, 0, 8, ZKFS_TYPE_DIR},
	{"ephemeral, empty", 0, 0x1000a, 0, 0, ZKFS_TYPE_FILE},
	{"ephemeral, empty, set", 0, 0x1000a, 0, 1, ZKFS_TYPE_FILE},
	{"ephemeral, data", 0, 0x1000a, 5, 0, ZKFS_TYPE_FILE},
	{"ephemeral of a session with its highest bit set", 0, INT64_MIN, 0, 0,
	 ZKFS_TYPE_FILE},
};

static void test_type_rule(void **state)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rule); i++) {
		struct zkfs_stat stat = {
			.num_children = rule[i].num_children,
			.ephemeral_owner = rule[i].ephemeral_owner,
			.data_length = rule[i].data_length,
			.version = rule[i].version,
		};

		print_message("# %s\n", rule[i].who);
		assert_int_equal(zkfs_attr_type(&stat, false), rule[i].type);
		assert_int_equal(zkfs_attr_type(&stat, true), ZKFS_TYPE_DIR);
	}
}

/* It is written into archives and compared across mounts and versions of this
 * program, so that the numbers themselves must not change. */
static void test_ino_is_stable(void **state)
{
	assert_int_equal(zkfs_attr_ino("/", 0, ZKFS_TYPE_DIR), 1);
	assert_int_equal(zkfs_attr_ino("/app/conf", 0x1a, ZKFS_TYPE_FILE),
			 UINT64_C(0xabf25691c30f904));
	assert_int_equal(zkfs_attr_ino("/app/conf", 0x1a, ZKFS_TYPE_DIR),
			 UINT64_C(0x6961498c53fd340));
	assert_int_equal(zkfs_attr_ino("/app/conf", 0x1a, ZKFS_TYPE_DATA),
			 UINT64_C(0xcd19287c430db70a));
}

static int compare_ino(const void *a, const void *b)
{
	ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

	return (x > y) - (x < y);
}

static void test_ino_tells_apart(void **state)
{
	static const char *const paths[] = {"/", "/a", "/b", "/ab", "/a/b"};
	enum zkfs_type types[] = {ZKFS_TYPE_DIR, ZKFS_TYPE_FILE, ZKFS_TYPE_DATA,
				  ZKFS_TYPE_LOCKDIR};
	ino_t inos[ZKFS_ARRAY_SIZE(paths) * ZKFS_ARRAY_SIZE(types) * 100];
	size_t n = 0;

	for (size_t p = 0; p < ZKFS_ARRAY_SIZE(paths); p++) {
		for (size_t t = 0; t < ZKFS_ARRAY_SIZE(types); t++) {
			/* The root is always the one directory. */
			if (p == 0 && types[t] == ZKFS_TYPE_DIR)
				continue;
			for (int64_t czxid = 0; czxid < 100; czxid++)
				inos[n++] = zkfs_attr_ino(paths[p], czxid,
							  types[t]);
		}
	}
	qsort(inos, n, sizeof(inos[0]), compare_ino);
	assert_true(inos[0] > 1);
	for (size_t i = 1; i < n; i++)
		assert_true(inos[i - 1] < inos[i]);
}

static void test_ino_of_data_is_last(void **state)
{
	ino_t top = (ino_t)1 << 63;

	for (int64_t czxid = 1; czxid < 1000; czxid++) {
		assert_false(zkfs_attr_ino("/d", czxid, ZKFS_TYPE_DIR) & top);
		assert_false(zkfs_attr_ino("/d", czxid, ZKFS_TYPE_FILE) & top);
		assert_true(zkfs_attr_ino("/d", czxid, ZKFS_TYPE_DATA) & top);
	}
}

static struct stat fill(enum zkfs_type type, const struct zkfs_stat *stat)
{
	struct stat st;

	memset(&st, 0xff, sizeof(st));
	zkfs_attr_fill(&style, "/app/conf", type, stat, &st);
	return st;
}

static void test_fill_file(void **state)
{
	struct zkfs_stat stat = {.czxid = 0x1a,
				 .ctime_ms = 1600000000000,
				 .mtime_ms = 1700000000123,
				 .version = 7,
				 .cversion = 99,
				 .data_length = 1025};
	struct stat st = fill(ZKFS_TYPE_FILE, &stat);

	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_ino,
			 zkfs_attr_ino("/app/conf", 0x1a, ZKFS_TYPE_FILE));
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 1001);
	assert_int_equal(st.st_size, 1025);
	assert_int_equal(st.st_blocks, 3);
	assert_int_equal(st.st_blksize, 1 << 20);
	assert_int_equal(st.st_rdev, 0);
	assert_int_equal(st.st_mtim.tv_sec, 1700000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123000007);
	assert_memory_equal(&st.st_ctim, &st.st_mtim, sizeof(st.st_mtim));
	assert_memory_equal(&st.st_atim, &st.st_mtim, sizeof(st.st_mtim));
}

static void test_fill_dir_and_data(void **state)
{
	struct zkfs_stat stat = {.mtime_ms = 1700000000123,
				 .version = 7,
				 .cversion = 99,
				 .num_children = 5,
				 .data_length = 1025};
	struct stat st = fill(ZKFS_TYPE_DIR, &stat);

	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mtim.tv_nsec, 123000099);

	st = fill(ZKFS_TYPE_LOCKDIR, &stat);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_size, 0);

	st = fill(ZKFS_TYPE_DATA, &stat);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_size, 1025);
	assert_int_equal(st.st_mtim.tv_nsec, 123000007);
}

/* Nobody can write to them, whatever the mount's modes are. */
static void test_fill_control(void **state)
{
	struct zkfs_stat stat = {.mtime_ms = 1700000000123};
	struct stat st = fill(ZKFS_TYPE_CONTROL_DIR, &stat);

	(void)state;
	assert_int_equal(st.st_mode, S_IFDIR | 0550);
	st = fill(ZKFS_TYPE_CONTROL_FILE, &stat);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_int_equal(st.st_size, 0);
	assert_true(zkfs_attr_is_control(ZKFS_TYPE_CONTROL_DIR));
	assert_true(zkfs_attr_is_control(ZKFS_TYPE_CONTROL_FILE));
	assert_false(zkfs_attr_is_control(ZKFS_TYPE_DIR));
	assert_false(zkfs_attr_is_control(ZKFS_TYPE_ENTRY));
}

static int compare_time(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

/* Every version within one millisecond is later than the one before, and
 * earlier than the next millisecond. */
static void test_versions_move_mtime(void **state)
{
	static const enum zkfs_type types[] = {ZKFS_TYPE_FILE, ZKFS_TYPE_DIR,
					       ZKFS_TYPE_DATA};

	for (size_t t = 0; t < ZKFS_ARRAY_SIZE(types); t++) {
		struct zkfs_stat stat = {.mtime_ms = 1700000000999};
		struct stat last = fill(types[t], &stat), next;

		stat.mtime_ms++;
		next = fill(types[t], &stat);
		stat.mtime_ms--;
		for (int32_t v = 1; v < 1000000; v += 1 + v / 64) {
			struct stat st;

			stat.version = v;
			stat.cversion = v;
			st = fill(types[t], &stat);
			assert_int_equal(
				compare_time(&last.st_mtim, &st.st_mtim), -1);
			assert_int_equal(
				compare_time(&st.st_mtim, &next.st_mtim), -1);
			last = st;
		}
	}
}

/* What no server should send makes no time that the kernel would refuse. */
static void test_odd_stats(void **state)
{
	static const int64_t times[] = {0,     -1,	  -1000,
					-1001, INT64_MIN, INT64_MAX};
	static const int32_t counts[] = {0, -1, INT32_MIN, INT32_MAX, 1000000};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(times); i++) {
		for (size_t j = 0; j < ZKFS_ARRAY_SIZE(counts); j++) {
			struct zkfs_stat stat = {.mtime_ms = times[i],
						 .version = counts[j],
						 .data_length = counts[j]};
			struct stat st = fill(ZKFS_TYPE_FILE, &stat);

			assert_in_range(st.st_mtim.tv_nsec, 0, 999999999);
			assert_true(st.st_size >= 0);
		}
	}
	struct zkfs_stat before = {.mtime_ms = -1, .version = 2};

	assert_int_equal(fill(ZKFS_TYPE_FILE, &before).st_mtim.tv_sec, -1);
	assert_int_equal(fill(ZKFS_TYPE_FILE, &before).st_mtim.tv_nsec,
			 999000002);
}

static void test_masks(void **state)
{
	struct zkfs_attr_style open = {0},
			       shut = {.fmask = 0777, .dmask = 0777};
	struct zkfs_stat stat = {.version = 1};
	struct stat st;

	zkfs_attr_fill(&open, "/f", ZKFS_TYPE_FILE, &stat, &st);
	assert_int_equal(st.st_mode, S_IFREG | 0666);
	zkfs_attr_fill(&open, "/f", ZKFS_TYPE_DIR, &stat, &st);
	assert_int_equal(st.st_mode, S_IFDIR | 0777);
	zkfs_attr_fill(&shut, "/f", ZKFS_TYPE_FILE, &stat, &st);
	assert_int_equal(st.st_mode, S_IFREG);
	zkfs_attr_fill(&shut, "/f", ZKFS_TYPE_DIR, &stat, &st);
	assert_int_equal(st.st_mode, S_IFDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type_rule),
		cmocka_unit_test(test_ino_is_stable),
		cmocka_unit_test(test_ino_tells_apart),
		cmocka_unit_test(test_ino_of_data_is_last),
		cmocka_unit_test(test_fill_file),
		cmocka_unit_test(test_fill_dir_and_data),
		cmocka_unit_test(test_fill_control),
		cmocka_unit_test(test_versions_move_mtime),
		cmocka_unit_test(test_odd_stats),
		cmocka_unit_test(test_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * path: the names a server refuses are refused, the others are not, and
 * paths are put together and taken apart.
 */
#include "include/zkfs/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

static void test_names_taken(void **state)
{
	static const char *const names[] = {
		"a",
		"...",
		".x",
		"x.",
		"a..b",
		" ",
		"a b",
		":*?\"<>|\\",
		"zookeeper",
		"\xc2\xa0",	/* U+00A0, the first after the C1 controls */
		"\xc3\xa9",	/* e with an acute */
		"\xed\x9f\xbf", /* U+D7FF, the last before the surrogates */
		"\xe4\xb8\xad", /* CJK */
		"\xef\xa4\x80", /* U+F900, the first after private use */
		"\xef\xbf\xaf", /* U+FFEF */
		"~",		/* U+007E */
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!zkfs_path_name_valid(names[i]))
			fail_msg("'%s' was refused", names[i]);
}

static void test_names_refused(void **state)
{
	static const char *const names[] = {
		"",
		".",
		"..",
		"/",
		"a/b",
		"a/",
		"\x01",
		"a\nb",
		"\x1f",
		"\x7f",
		"\xc2\x80",	    /* U+0080 */
		"\xc2\x9f",	    /* U+009F */
		"\xed\xa0\x80",	    /* U+D800, a surrogate */
		"\xee\x80\x80",	    /* U+E000, private use */
		"\xef\xa3\xbf",	    /* U+F8FF */
		"\xef\xbf\xb0",	    /* U+FFF0 */
		"\xef\xbf\xbd",	    /* U+FFFD */
		"\xef\xbf\xbf",	    /* U+FFFF */
		"\xf0\x9f\x98\x80", /* an emoji, outside the basic plane */
		"\x80",		    /* a continuation alone */
		"\xc3",		    /* cut off */
		"a\xe4\xb8",	    /* cut off */
		"\xe4\xb8z",	    /* broken off */
		"\xc3(",
		"\xc0\xaf",	/* an overlong '/' */
		"\xe0\x80\xaf", /* another */
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xf8\x88\x80\x80\x80",
		"\xff",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (zkfs_path_name_valid(names[i]))
			fail_msg("name %zu, '%s', was taken", i, names[i]);
}

static bool expect_refused(unsigned c)
{
	return c <= 0x1f || c == '/' || c == '.' || (c >= 0x7f && c <= 0x9f) ||
	       (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}

/* Each character of the basic plane, encoded by the textbook. */
static void test_whole_basic_plane(void **state)
{
	for (unsigned c = 1; c <= 0xffff; c++) {
		char name[4] = {0};

		if (c < 0x80) {
			name[0] = (char)c;
		} else if (c < 0x800) {
			name[0] = (char)(0xc0 | c >> 6);
			name[1] = (char)(0x80 | (c & 0x3f));
		} else {
			name[0] = (char)(0xe0 | c >> 12);
			name[1] = (char)(0x80 | (c >> 6 & 0x3f));
			name[2] = (char)(0x80 | (c & 0x3f));
		}
		if (zkfs_path_name_valid(name) == expect_refused(c))
			fail_msg("U+%04X", c);
	}
}

static void test_long_names_are_for_the_server(void **state)
{
	char name[ZKFS_NAME_MAX + 10];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_true(zkfs_path_name_valid(name));
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		bool valid;
	} cases[] = {
		{"/", true},	   {"/a", true},       {"/a/b", true},
		{"/a/.b/c", true}, {"", false},	       {"a", false},
		{"a/b", false},	   {"//", false},      {"/a/", false},
		{"/a//b", false},  {"//a", false},     {"/.", false},
		{"/a/..", false},  {"/a/./b", false},  {"/../a", false},
		{"/a\n", false},   {"/\xff/b", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (zkfs_path_valid(cases[i].path) != cases[i].valid)
			fail_msg("'%s'", cases[i].path);
}

static void assert_join(const char *dir, const char *name, const char *want)
{
	char *path = zkfs_path_join(dir, name);

	assert_non_null(path);
	assert_string_equal(path, want);
	free(path);
}

static void test_join(void **state)
{
	assert_join("/", "a", "/a");
	assert_join("/a", "b", "/a/b");
	assert_join("/a/b", "c.d", "/a/b/c.d");
	assert_join("/a", "", "/a/");
}

static void assert_split(const char *path, const char *dir, const char *base)
{
	char *got = zkfs_path_dir(path);

	assert_non_null(got);
	assert_string_equal(got, dir);
	assert_string_equal(zkfs_path_base(path), base);
	free(got);
}

static void test_split(void **state)
{
	assert_split("/", "/", "");
	assert_split("/a", "/", "a");
	assert_split("/a/b", "/a", "b");
	assert_split("/a/b/c", "/a/b", "c");
}

static void test_base_lies_in_the_path(void **state)
{
	const char *path = "/a/bc";

	assert_ptr_equal(zkfs_path_base(path), path + 3);
}

static void test_within(void **state)
{
	assert_true(zkfs_path_within("/", "/"));
	assert_true(zkfs_path_within("/a", "/"));
	assert_true(zkfs_path_within("/a", "/a"));
	assert_true(zkfs_path_within("/a/b", "/a"));
	assert_true(zkfs_path_within("/a/b/c", "/a/b"));
	assert_false(zkfs_path_within("/", "/a"));
	assert_false(zkfs_path_within("/ab", "/a"));
	assert_false(zkfs_path_within("/a", "/a/b"));
	assert_false(zkfs_path_within("/b/a", "/a"));
}

static void test_without_memory(void **state)
{
	fault_arm(1);
	assert_null(zkfs_path_join("/a", "b"));
	fault_arm(1);
	assert_null(zkfs_path_dir("/a/b"));
	fault_arm(1);
	assert_null(zkfs_path_dir("/a"));
	assert_true(fault_disarm());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_taken),
		cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_whole_basic_plane),
		cmocka_unit_test(test_long_names_are_for_the_server),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_base_lies_in_the_path),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

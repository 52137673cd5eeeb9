/*
 * helper: what mount(8)'s flags mean, what is left for zkfs, and the exit
 * statuses that mount(8) hands on.
 */
#include "fs/daemon/helper.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/util.h"
#include "fs/daemon/opts.h"

#define MAX_ARGS 16

struct line {
	char *argv[MAX_ARGS];
	int argc;
};

/* A line of words set apart by blanks. `text` is cut up. */
static struct line split(char *text)
{
	struct line line = {.argc = 0};
	char *save = NULL, *word;

	for (word = strtok_r(text, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		assert_true(line.argc < MAX_ARGS - 1);
		line.argv[line.argc++] = word;
	}
	return line;
}

/* What is left of the command line, put together again. */
static struct zkfs_helper parse(const char *text, const char *want_left)
{
	zkfs_autofree char *copy = strdup(text);
	struct zkfs_helper helper;
	char words[128] = "", left[256] = "";
	size_t len = 0;
	struct line line;

	assert_non_null(copy);
	line = split(copy);
	if (zkfs_helper_parse(line.argc, line.argv, &helper, words,
			      sizeof(words)) != 0)
		fail_msg("'%s' is refused: %s", text, words);
	for (int i = 1; i < helper.argc; i++)
		len += (size_t)snprintf(left + len, sizeof(left) - len, "%s%s",
					i > 1 ? " " : "", helper.argv[i]);
	assert_string_equal(left, want_left);
	zkfs_helper_fini(&helper);
	return helper;
}

static void test_by_name(void **state)
{
	(void)state;
	assert_true(parse("mount.zkfs", "").active);
	assert_true(parse("/sbin/mount.fuse.zkfs h /m", "h /m").active);
	assert_false(parse("zkfs h /m", "h /m").active);
	assert_false(parse("/mount.d/zkfs h /m", "h /m").active);
	/* zkfs itself keeps what is its own: -f is the foreground. */
	assert_false(parse("zkfs -f -n -t x", "-f -n -t x").fake);
}

static void test_flags(void **state)
{
	struct zkfs_helper helper;

	(void)state;
	helper = parse("mount.zkfs h /m -n -v -f -t fuse.zkfs -o ro,x=1",
		       "h /m -o ro,x=1");
	assert_true(helper.fake);
	assert_true(helper.verbose);
	assert_false(helper.sloppy);
	helper = parse("mount.zkfs h /m -nv -oro", "h /m -o ro");
	assert_false(helper.fake);
	assert_true(helper.verbose);
	/* In front of what it is about. */
	helper = parse("mount.zkfs h /m -o bogus -sss", "-s h /m -o bogus");
	assert_true(helper.sloppy);
	(void)parse("mount.zkfs -no ro h /m", "-o ro h /m");
	(void)parse("mount.zkfs -ntzkfs h /m", "h /m");
	(void)parse("mount.zkfs -- -n /m", "-- -n /m");
	(void)parse("mount.zkfs --help", "--help");
	(void)parse("mount.zkfs -h", "-h");
	(void)parse("mount.zkfs -V", "-V");
	(void)parse("mount.zkfs -d h /m", "-d h /m");
}

/* The most words that so many arguments can become. */
static void test_room(void **state)
{
	(void)state;
	(void)parse("mount.zkfs -oa -ob -oc -sod -oe",
		    "-s -o a -o b -o c -o d -o e");
}

static void test_namespace(void **state)
{
	char text[] = "mount.zkfs h /m -N /run/ns -o ro", words[128];
	struct zkfs_helper helper;
	struct line line = split(text);

	(void)state;
	assert_int_equal(zkfs_helper_parse(line.argc, line.argv, &helper, words,
					   sizeof(words)),
			 0);
	assert_string_equal(helper.namespace, "/run/ns");
	assert_int_equal(zkfs_helper_enter(&helper, words, sizeof(words)),
			 -ENOENT);
	assert_string_equal(words, "mount namespace '/run/ns': No such file or "
				   "directory");
	helper.namespace = "999999999";
	assert_int_equal(zkfs_helper_enter(&helper, words, sizeof(words)),
			 -ENOENT);
	zkfs_helper_fini(&helper);
}

static void assert_refused(const char *text, const char *want)
{
	zkfs_autofree char *copy = strdup(text);
	struct zkfs_helper helper;
	char words[128] = "";
	struct line line;

	assert_non_null(copy);
	line = split(copy);
	assert_int_equal(zkfs_helper_parse(line.argc, line.argv, &helper, words,
					   sizeof(words)),
			 -EINVAL);
	assert_string_equal(words, want);
	assert_true(helper.active);
}

static void test_refused(void **state)
{
	(void)state;
	assert_refused("mount.zkfs h /m -o", "option '-o' needs a value");
	assert_refused("mount.zkfs h /m -N", "option '-N' needs a value");
	assert_refused("mount.zkfs h /m -t", "option '-t' needs a value");
	assert_refused("mount.zkfs h /m -nx", "unknown option '-x'");
	assert_refused("mount.zkfs h /m -w", "unknown option '-w'");
}

static void test_no_memory(void **state)
{
	char text[] = "mount.zkfs h /m", words[128] = "";
	struct zkfs_helper helper;
	struct line line = split(text);
	int error;

	(void)state;
	fault_arm(1);
	error = zkfs_helper_parse(line.argc, line.argv, &helper, words,
				  sizeof(words));
	assert_true(fault_disarm());
	assert_int_equal(error, -ENOMEM);
	assert_string_equal(words, "out of memory");
	assert_int_equal(
		zkfs_helper_status(&helper, ZKFS_HELPER_MISUSED, error), 2);
}

static void test_statuses(void **state)
{
	const struct zkfs_helper plain = {0}, helper = {.active = true};

	(void)state;
	assert_int_equal(zkfs_helper_status(&plain, ZKFS_HELPER_OK, 0), 0);
	assert_int_equal(
		zkfs_helper_status(&plain, ZKFS_HELPER_MISUSED, -EINVAL), 2);
	assert_int_equal(zkfs_helper_status(&plain, ZKFS_HELPER_FAILED, -EINTR),
			 1);
	/* mount(8), "EXIT STATUS" */
	assert_int_equal(zkfs_helper_status(&helper, ZKFS_HELPER_OK, 0), 0);
	assert_int_equal(
		zkfs_helper_status(&helper, ZKFS_HELPER_MISUSED, -EINVAL), 1);
	assert_int_equal(
		zkfs_helper_status(&helper, ZKFS_HELPER_FAILED, -ENOMEM), 2);
	assert_int_equal(
		zkfs_helper_status(&helper, ZKFS_HELPER_FAILED, -EINTR), 8);
	assert_int_equal(
		zkfs_helper_status(&helper, ZKFS_HELPER_FAILED, -ENOENT), 32);
}

static void assert_fake(const char *source, const char *dir, const char *want)
{
	zkfs_autofree char *source_copy = strdup(source);
	zkfs_autofree char *dir_copy = strdup(dir);
	const struct zkfs_opts opts = {.source = source_copy,
				       .mountpoint = dir_copy};
	char words[128] = "";
	int error = zkfs_helper_fake(&opts, words, sizeof(words));

	assert_string_equal(words, want);
	assert_int_equal(error < 0, *want != '\0');
}

static void test_fake(void **state)
{
	(void)state;
	/* It need not be there: no server is asked. */
	assert_fake("no-such-host.invalid:1/a", "/", "");
	assert_fake("h", "/none",
		    "mount point '/none': No such file or directory; "
		    "create it first");
	assert_fake("h", "/dev/null",
		    "mount point '/dev/null': Not a directory");
	assert_fake("h:0", "/", "invalid port in \"h:0\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_fake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

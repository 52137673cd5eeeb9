/*
 * nearest: what is taken for a slip of what, and what is not.
 */
#include "fs/base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/base/util.h"

static const char *nearest(const char *word)
{
	static const char *const known[] = {
		"ro",	 "rw",	     "sync",	  "async",
		"uid",	 "gid",	     "umask",	  "fmask",
		"timeo", "lockroot", "locknames", "session_timeout",
	};
	struct zkfs_nearest nearest = {.word = word};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(known); i++)
		zkfs_nearest_try(&nearest, known[i]);
	return nearest.found;
}

static void test_slips(void **state)
{
	(void)state;
	/* left out, added, changed, swapped */
	assert_string_equal(nearest("lockrot"), "lockroot");
	assert_string_equal(nearest("lockrooot"), "lockroot");
	assert_string_equal(nearest("lockr0ot"), "lockroot");
	assert_string_equal(nearest("lokcroot"), "lockroot");
	assert_string_equal(nearest("udi"), "uid");
	assert_string_equal(nearest("sesion_tmeout"), "session_timeout");
	assert_string_equal(nearest("timeout"), "timeo");
	assert_string_equal(nearest("session-timeout"), "session_timeout");
}

static void test_the_first_of_equals(void **state)
{
	(void)state;
	assert_string_equal(nearest("xid"), "uid");
	assert_string_equal(nearest("mmask"), "umask");
	assert_string_equal(nearest("fmask"), "fmask");
}

static void test_strangers(void **state)
{
	char word[100];

	(void)state;
	assert_null(nearest(""));
	assert_null(nearest("x"));
	assert_null(nearest("bogus"));
	assert_null(nearest("rx")); /* half of it is wrong */
	assert_null(nearest("locks_for_all"));
	/* Any length is borne. */
	for (size_t n = 0; n < sizeof(word); n++) {
		memset(word, 'u', n);
		word[n] = '\0';
		assert_null(nearest(word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_the_first_of_equals),
		cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * text: what was printed stands there whole, however long it becomes; without
 * memory it has failed and stays so.
 */
#include "fs/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

static void test_empty(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	zkfs_text_printf(&text, "%s", "");
	assert_int_equal(text.len, 0);
	assert_false(text.failed);
	zkfs_text_fini(&text);
	zkfs_text_fini(&text);
}

static void test_pieces(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	zkfs_text_printf(&text, "a%d", 1);
	zkfs_text_printf(&text, "%s\n", "b");
	assert_string_equal(text.data, "a1b\n");
	assert_int_equal(text.len, 4);
	zkfs_text_fini(&text);
}

/* Pieces of every length, so that each place of the end in the memory there is
 * comes up. */
static void test_growth(void **state)
{
	char piece[100], expected[5000]; /* 0 + 1 + ... + 99 and the NUL */
	struct zkfs_text text = {0};
	size_t len = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(piece); n++) {
		memset(piece, 'a' + (int)(n % 26), n);
		piece[n] = '\0';
		memcpy(expected + len, piece, n + 1);
		len += n;
		zkfs_text_printf(&text, "%s", piece);
		assert_int_equal(text.len, len);
		assert_true(text.len < text.cap);
	}
	assert_string_equal(text.data, expected);
	zkfs_text_fini(&text);
}

static void test_large_piece(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	zkfs_text_printf(&text, "%*d", 1000000, 7);
	assert_int_equal(text.len, 1000000);
	assert_int_equal(text.data[999999], '7');
	assert_int_equal(text.data[1000000], '\0');
	zkfs_text_fini(&text);
}

static void test_word(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	zkfs_text_word(&text, "/locks/a b\n\\c\t\x7f\xc3\xa4~");
	assert_string_equal(text.data,
			    "/locks/a\\040b\\012\\134c\\011\\177\xc3\xa4~");
	zkfs_text_fini(&text);
}

static void test_without_memory(void **state)
{
	struct zkfs_text text = {0};

	(void)state;
	fault_arm(1);
	zkfs_text_printf(&text, "lost");
	assert_true(fault_disarm());
	assert_true(text.failed);
	zkfs_text_printf(&text, "late");
	assert_true(text.failed);
	assert_int_equal(text.len, 0);
	zkfs_text_fini(&text);

	zkfs_text_printf(&text, "kept");
	fault_arm(1);
	zkfs_text_printf(&text, "%*d", 5000, 7);
	assert_true(fault_disarm());
	assert_true(text.failed);
	assert_string_equal(text.data, "kept");
	zkfs_text_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_large_piece),
		cmocka_unit_test(test_word),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

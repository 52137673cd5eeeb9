/*
 * acltext: what zkCli takes is taken and shown as it shows it, there and back
 * again; what is not a list of entries is refused.
 */
#include "fs/core/acltext.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/text.h"
#include "fs/base/util.h"

static void assert_shown(const char *given, const char *shown)
{
	zkfs_autofree char *bytes = NULL;
	struct zkfs_text text = {0};
	size_t len = 0;

	if (zkfs_acltext_parse(given, strlen(given), &bytes, &len) != 0)
		fail_msg("refused: %s", given);
	zkfs_acltext_print(&text, bytes, len);
	assert_string_equal(text.data, shown);
	zkfs_text_fini(&text);
}

static void test_as_zkcli_shows_it(void **state)
{
	(void)state;
	assert_shown("world:anyone:cdrwa", "world:anyone:cdrwa");
	assert_shown("world:anyone:awrdc", "world:anyone:cdrwa");
	assert_shown("world:anyone:rr", "world:anyone:r");
	assert_shown("auth::cdrwa", "auth::cdrwa");
	assert_shown("ip:10.0.0.0/8:r,digest:bob:ab+/c=:cdrwa",
		     "ip:10.0.0.0/8:r,digest:bob:ab+/c=:cdrwa");
	assert_shown("ip:::1:r", "ip:::1:r");
	/* What the shell cannot say. */
	assert_shown("x509:CN=a\\,O=b\\\\:r", "x509:CN=a\\,O=b\\\\:r");
	assert_shown("x509:CN\\=a:r", "x509:CN=a:r");
	/* A colon needs none: the last one counts. */
	assert_shown("sasl:a\\:b:r", "sasl:a:b:r");
}

static void test_packed(void **state)
{
	static const char expected[] =
		"\x01\0\0\0world\0anyone\0\x1f\0\0\0digest\0me:ab==";
	static const char given[] = "world:anyone:r,digest:me:ab==:cdrwa";
	zkfs_autofree char *bytes = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(zkfs_acltext_parse(given, strlen(given), &bytes, &len),
			 0);
	assert_int_equal(len, sizeof(expected));
	assert_memory_equal(bytes, expected, len);
	assert_true(zkfs_acltext_has_scheme(bytes, len, "digest"));
	assert_false(zkfs_acltext_has_scheme(bytes, len, "auth"));
	assert_false(zkfs_acltext_has_scheme(bytes, len, "anyone"));
}

static void test_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		",",
		"world",
		"world:anyone",
		":anyone:r",
		"world:anyone:",
		"world:anyone:x",
		"world:anyone:r\n",
		"world:anyone:r,",
		",world:anyone:r",
		"world:anyone:r,,world:anyone:r",
		"world:anyone:R",
		"world:anyone:r\\",
	};
	zkfs_autofree char *bytes = NULL;
	size_t len = 7;

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(wrong); i++)
		if (zkfs_acltext_parse(wrong[i], strlen(wrong[i]), &bytes,
				       &len) != -EINVAL)
			fail_msg("taken: %s", wrong[i]);
	assert_int_equal(zkfs_acltext_parse("a:b\0:r", 6, &bytes, &len),
			 -EINVAL);
	assert_null(bytes);
	assert_int_equal(len, 7);
}

static void test_without_memory(void **state)
{
	zkfs_autofree char *bytes = NULL;
	size_t len = 0;

	(void)state;
	fault_arm(1);
	assert_int_equal(zkfs_acltext_parse("a:b:r", 5, &bytes, &len), -ENOMEM);
	assert_true(fault_disarm());
	assert_null(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_zkcli_shows_it),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

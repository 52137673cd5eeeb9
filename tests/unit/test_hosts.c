/* hosts: an odd number of servers, brackets gone, the chroot at the end. */
#include "fs/zk/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/base/util.h"

static void test_lists(void **state)
{
	static const struct {
		const char *servers, *chroot;
		unsigned pick;
		const char *list;
		unsigned n;
	} rows[] = {
		{"1.2.3.4:1", "", 0, "1.2.3.4:1", 1},
		{"1.2.3.4:1", "/a/b", 7, "1.2.3.4:1/a/b", 1},
		{"a:1,b:2", "", 0, "a:1,b:2,a:1", 3},
		{"a:1,b:2", "/x", 1, "a:1,b:2,b:2/x", 3},
		{"a:1,b:2", "", UINT32_MAX, "a:1,b:2,b:2", 3},
		{"a:1,b:2,c:3", "", 1, "a:1,b:2,c:3", 3},
		{"a:1,b:2,c:3,d:4", "", 6, "a:1,b:2,c:3,d:4,c:3", 5},
		{"[::1]:1", "", 0, "::1:1", 1},
		{"[::1]:1,1.2.3.4:5", "/c", 0, "::1:1,1.2.3.4:5,::1:1/c", 3},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		unsigned n = 0;
		char *list = zkfs_hosts_list(rows[i].servers, rows[i].chroot,
					     rows[i].pick, &n);

		assert_string_equal(list, rows[i].list);
		assert_int_equal(n, rows[i].n);
		free(list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * auth: which files are taken, what is read from them, and that nothing of a
 * secret stands in the words for one that is refused.
 */
#include "fs/zk/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/util.h"

static char dir[] = "/tmp/zkfs-auth-XXXXXX";
static char file[sizeof(dir) + 8];
static char link_name[sizeof(dir) + 8];

static int setup_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(file, sizeof(file), "%s/auth", dir);
	(void)snprintf(link_name, sizeof(link_name), "%s/link", dir);
	return 0;
}

static int teardown_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void write_file(const void *data, size_t len, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static int teardown_file(void **state)
{
	(void)state;
	(void)unlink(link_name);
	return unlink(file);
}

static int load(struct zkfs_auth *ret_auth, char *words, size_t words_len)
{
	char prefix[200];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix),
				      "authfile '%s': ", file);
	int r;

	memset(words, 0, words_len);
	r = zkfs_auth_load(file, ret_auth, words, words_len);
	/* The words say which file; the tests are about the rest. */
	if (r < 0) {
		assert_memory_equal(words, prefix, len);
		memmove(words, words + len, words_len - len);
	}
	return r;
}

static void assert_refused(int r, const char *want)
{
	struct zkfs_auth auth = {.n_entries = 99};
	char words[200];

	assert_int_equal(load(&auth, words, sizeof(words)), r);
	assert_string_equal(words, want);
	assert_null(strstr(words, "sesame"));
	assert_int_equal(auth.n_entries, 99);
}

static void test_entries(void **state)
{
	static const char text[] = "# who we are\n"
				   "\n"
				   "digest bob:open sesame\r\n"
				   "  ip\t10.0.0.1\n"
				   "x509 cn=a b";
	struct zkfs_auth auth;
	char words[200];

	(void)state;
	write_file(text, sizeof(text) - 1, 0600);
	assert_int_equal(load(&auth, words, sizeof(words)), 0);
	assert_int_equal(auth.n_entries, 3);
	assert_string_equal(auth.entries[0].scheme, "digest");
	assert_string_equal(auth.entries[0].credentials, "bob:open sesame");
	assert_int_equal(auth.entries[0].len, strlen("bob:open sesame"));
	assert_string_equal(auth.entries[1].scheme, "ip");
	assert_string_equal(auth.entries[1].credentials, "10.0.0.1");
	assert_string_equal(auth.entries[2].credentials, "cn=a b");
	zkfs_auth_fini(&auth);
	assert_int_equal(auth.n_entries, 0);
	zkfs_auth_fini(&auth); /* harmless */
}

static void test_empty_file(void **state)
{
	struct zkfs_auth auth = {.n_entries = 99};
	char words[200];

	(void)state;
	write_file("", 0, 0400);
	assert_int_equal(load(&auth, words, sizeof(words)), 0);
	assert_int_equal(auth.n_entries, 0);
}

static void test_modes(void **state)
{
	static const mode_t bad[] = {0640, 0604, 0610, 0620, 0601, 0602, 0666};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(bad); i++) {
		write_file("digest a:sesame\n", 16, bad[i]);
		assert_refused(-EPERM, "may be read by others than its owner "
				       "(chmod 600)");
	}
}

static void test_other_kinds_of_files(void **state)
{
	(void)state;
	write_file("digest a:sesame\n", 16, 0600);
	assert_int_equal(rename(file, link_name), 0);
	assert_refused(-ENOENT, strerror(ENOENT));
	assert_int_equal(symlink("link", file), 0);
	assert_refused(-ELOOP, strerror(ELOOP));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_refused(-EINVAL, "not a regular file");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_refused(-EINVAL, "not a regular file");
	assert_int_equal(rmdir(file), 0);
	write_file("", 0, 0600); /* for the teardown */
}

static void test_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	write_file("digest a:sesame\n", 16, 0600);
	assert_int_equal(chown(file, 12345, (gid_t)-1), 0);
	assert_refused(-EPERM, "belongs to another user, and has to be of who "
			       "mounts or of root (chown)");
}

static void test_bad_lines(void **state)
{
	(void)state;
	write_file("\ndigest\n", 8, 0600);
	assert_refused(-EINVAL, "line 2 is not SCHEME CREDENTIALS");
	write_file("#\n#\n  sesame  \n", 15, 0600);
	assert_refused(-EINVAL, "line 3 is not SCHEME CREDENTIALS");
	write_file("digest sesame\n", 14, 0600);
	assert_refused(-EINVAL, "line 1: digest is USER:PASSWORD");
	write_file("digest a:b\0sesame", 17, 0600);
	assert_refused(-EINVAL, "contains a NUL byte");
}

static void test_size(void **state)
{
	char *text = malloc(64 * 1024 + 1);
	struct zkfs_auth auth;
	char words[200];

	(void)state;
	assert_non_null(text);
	memset(text, '#', 64 * 1024 + 1);
	write_file(text, 64 * 1024, 0600);
	assert_int_equal(load(&auth, words, sizeof(words)), 0);
	write_file(text, 64 * 1024 + 1, 0600);
	assert_refused(-EFBIG, "too large");
	free(text);
}

static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	write_file("digest a:b\ndigest c:d\n", 22, 0600);
	for (n = 1;; n++) {
		struct zkfs_auth auth;
		char words[200];
		int r;

		fault_arm(n);
		r = load(&auth, words, sizeof(words));
		if (!fault_disarm()) {
			assert_int_equal(r, 0);
			zkfs_auth_fini(&auth);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_string_equal(words, strerror(ENOMEM));
	}
	assert_true(n > 5);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_entries), TEST(test_empty_file),
		TEST(test_modes),   TEST(test_other_kinds_of_files),
		TEST(test_owner),   TEST(test_bad_lines),
		TEST(test_size),    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, setup_dir, teardown_dir);
}

/*
 * fuzz_auth: what stands in an authfile. What is taken has a scheme and
 * credentials, and the words about what is not show nothing of it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs/zk/auth.h"
#include "tests/fuzz/fuzz.h"

#define WORDS 256

/* One file for all inputs, which only we may read. */
static const char *file_with(const uint8_t *data, size_t len)
{
	static const char other[] = "/tmp/zkfs-fuzz-auth.XXXXXX";
	static char name[] = "/dev/shm/zkfs-fuzz-auth.XXXXXX";
	static int fd = -1;

	if (fd < 0) {
		fd = mkstemp(name);
		if (fd < 0) { /* no memory for it to be in */
			memcpy(name, other, sizeof(other));
			fd = mkstemp(name);
		}
		fuzz_must(fd >= 0);
	}
	fuzz_must(ftruncate(fd, 0) == 0);
	fuzz_must(pwrite(fd, data, len, 0) == (ssize_t)len);
	return name;
}

static void forget_file(void)
{
	(void)unlink(file_with(NULL, 0));
}

static void check_entry(const struct zkfs_auth_entry *entry)
{
	fuzz_must(*entry->scheme && *entry->scheme != '#');
	fuzz_must(!strpbrk(entry->scheme, " \t\n"));
	fuzz_must(strlen(entry->credentials) == entry->len && entry->len > 0);
	fuzz_must(!strchr(entry->credentials, '\n'));
	fuzz_must(strcmp(entry->scheme, "digest") != 0 ||
		  strchr(entry->credentials, ':'));
}

/* A fixed set of words, and a number. */
static void check_words(const char *words, const char *name, int r)
{
	static const char *const known[] = {
		"contains a NUL byte", " is not SCHEME CREDENTIALS",
		": digest is USER:PASSWORD", "too large"};

	fuzz_must(r == -EINVAL || r == -EFBIG);
	fuzz_must(strncmp(words, "authfile '", 10) == 0 &&
		  strncmp(words + 10, name, strlen(name)) == 0);
	words += 10 + strlen(name) + strlen("': ");
	if (strncmp(words, "line ", 5) == 0)
		words += 5 + strspn(words + 5, "0123456789");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(words, known[i]) == 0)
			return;
	fuzz_must(!"known words");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool first = true;
	const char *name = file_with(data, len);
	struct zkfs_auth auth = {0};
	char words[WORDS] = "";
	int r = zkfs_auth_load(name, &auth, words, WORDS);

	if (first)
		fuzz_must(atexit(forget_file) == 0);
	first = false;
	if (r < 0) {
		fuzz_must(auth.n_entries == 0);
		check_words(words, name, r);
		return 0;
	}
	for (size_t i = 0; i < auth.n_entries; i++) {
		check_entry(&auth.entries[i]);
		fuzz_must(zkfs_auth_has(&auth, &auth.entries[i]));
	}
	fuzz_must(zkfs_auth_may_follow(&auth, &auth, words, WORDS));
	zkfs_auth_fini(&auth);
	return 0;
}

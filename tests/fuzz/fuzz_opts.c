/*
 * fuzz_opts: the command line. The arguments are what stands between NULs. What
 * is taken can be mounted with, what is not says why in one line, and a number
 * of bytes is the number that was written.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "fs/daemon/opts.h"
#include "include/zkfs/path.h"
#include "tests/fuzz/fuzz.h"

#define ARGS_MAX 12
#define BYTES	 4096
#define WORDS	 512

static char program[] = "zkfs";

static void check_mount(const struct zkfs_opts *opts)
{
	fuzz_must(opts->source && *opts->source && *opts->source != '-');
	fuzz_must(opts->mountpoint && *opts->mountpoint);
	fuzz_must(zkfs_path_name_valid(opts->dataname));
	fuzz_must(!*opts->ctlname || zkfs_path_name_valid(opts->ctlname));
	fuzz_must(strcmp(opts->ctlname, opts->dataname) != 0);
	fuzz_must(opts->n_lockroots > 0);
	for (size_t i = 0; i < opts->n_lockroots; i++)
		fuzz_must(zkfs_path_valid(opts->lockroots[i]));
	fuzz_must(opts->timeo_ms > 0 && opts->session_timeout_ms >= 500);
	fuzz_must(opts->fmask <= 0777 && opts->dmask <= 0777);
	fuzz_must(opts->locknames != 0);
	fuzz_must(!opts->acl == !opts->contender_acl);
	fuzz_must(!opts->allow_other || opts->default_permissions);
}

static void check_args(int argc, char **argv)
{
	char words[WORDS] = "";
	struct zkfs_opts opts;
	int r = zkfs_opts_parse(argc, argv, &opts, words, WORDS);

	fuzz_must(strlen(words) < WORDS);
	if (r < 0) {
		fuzz_must(r == -EINVAL && *words);
		return;
	}
	fuzz_must(r == 0);
	if (opts.command == ZKFS_OPTS_MOUNT)
		check_mount(&opts);
	zkfs_opts_fini(&opts);
	fuzz_must(!opts.source && !opts.lockroots);
}

/* "12K", by other means: exact as far as any limit goes. */
static bool count_bytes(const char *text, double *ret_bytes)
{
	static const char suffixes[] = "KMG";
	double bytes = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		bytes = bytes * 10 + (*at - '0');
	if (at == text)
		return false;
	if (*at && strchr(suffixes, *at)) {
		for (const char *suffix = strchr(suffixes, *at);
		     suffix >= suffixes; suffix--)
			bytes *= 1024;
		at++;
	}
	*ret_bytes = bytes;
	return *at == '\0';
}

static void check_bytes(const char *text)
{
	static char source[] = "h", mountpoint[] = "/m";
	char option[BYTES + 32], words[WORDS];
	char *argv[] = {program, option, source, mountpoint};
	double bytes;
	struct zkfs_opts opts;
	bool good = count_bytes(text, &bytes) && bytes <= (double)(1ULL << 40);

	if (strpbrk(text, ",\\"))
		return;
	(void)snprintf(option, sizeof(option), "-ocache_data=%s", text);
	if (zkfs_opts_parse(4, argv, &opts, words, WORDS) < 0) {
		fuzz_must(!good);
		return;
	}
	fuzz_must(good && opts.cache_data == (size_t)bytes);
	zkfs_opts_fini(&opts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[BYTES + 1], *argv[ARGS_MAX + 2] = {program};
	int argc = 1;

	if (len > BYTES)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	for (size_t at = 0; at < len && argc <= ARGS_MAX;
	     at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	check_args(argc, argv);
	check_bytes(text);
	return 0;
}

/*
 * fuzz_servers: HOST:PORT[,HOST:PORT...][/CHROOT]. What is taken is taken apart
 * into what it was put together from, and makes a list as the client library
 * wants it: of an odd number, and without brackets. No name is looked up.
 */
#include <errno.h>
#include <string.h>

#include "fs/zk/hosts.h"
#include "fs/zk/servers.h"
#include "include/zkfs/path.h"
#include "tests/fuzz/fuzz.h"

#define BYTES 2048
#define WORDS 256

static unsigned count(const char *hosts, char c)
{
	unsigned n = 0;

	for (; *hosts; hosts++)
		n += *hosts == c;
	return n;
}

static void check_list(const struct zkfs_servers *servers, unsigned pick)
{
	unsigned n = count(servers->hosts, ',') + 1, n_listed = 0;
	char *list = zkfs_hosts_list(servers->hosts, servers->chroot, pick,
				     &n_listed);
	size_t len = strlen(servers->chroot);

	fuzz_must(list);
	fuzz_must(n_listed % 2 == 1 && n_listed >= n && n_listed <= n + 1);
	fuzz_must(strlen(list) >= len &&
		  strcmp(list + strlen(list) - len, servers->chroot) == 0);
	list[strlen(list) - len] = '\0';
	fuzz_must(count(list, ',') + 1 == n_listed);
	fuzz_must(!strpbrk(list, "[]/"));
	free(list);
}

static void check(const char *text, unsigned pick)
{
	struct zkfs_servers servers, again;
	char words[WORDS] = "", whole[BYTES + 2];
	int r = zkfs_servers_parse(text, &servers, words, WORDS);

	if (r < 0) {
		fuzz_must(r == -EINVAL && *words && strlen(words) < WORDS);
		return;
	}
	fuzz_must(!strpbrk(servers.hosts, "/ \t\n"));
	fuzz_must(!*servers.chroot || (zkfs_path_valid(servers.chroot) &&
				       strcmp(servers.chroot, "/") != 0));
	(void)zkfs_servers_named(servers.hosts);
	check_list(&servers, pick);
	(void)snprintf(whole, sizeof(whole), "%s%s", servers.hosts,
		       servers.chroot);
	fuzz_must(strncmp(whole, text, strlen(whole)) == 0);
	fuzz_must(zkfs_servers_parse(whole, &again, words, WORDS) == 0);
	fuzz_must(strcmp(again.hosts, servers.hosts) == 0);
	fuzz_must(strcmp(again.chroot, servers.chroot) == 0);
	zkfs_servers_fini(&again);
	zkfs_servers_fini(&servers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {.data = data, .len = len};
	unsigned pick = fuzz_u8(&in);
	char text[BYTES + 1];

	if (in.len > BYTES)
		return 0;
	memcpy(text, in.data, in.len);
	text[in.len] = '\0';
	check(text, pick);
	return 0;
}

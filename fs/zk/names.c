/* names: see names.h. */
#include "fs/zk/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/servers.h"

/* Between two questions, at least. */
#define ASK_MS_MIN 500
/* Between two looks whether there is an answer. */
#define LOOK_MS 20

int zkfs_names_init(struct zkfs_names *names, const char *hosts,
		    const char *numeric)
{
	int r = 0;

	*names = (struct zkfs_names){.ask_ms = ZKFS_NEVER};
	names->numeric = strdup(numeric);
	if (!names->numeric)
		return -ENOMEM;
	if (hosts && zkfs_servers_named(hosts))
		r = zkfs_resolver_new(hosts, &names->resolver);
	if (r < 0)
		zkfs_names_fini(names);
	return r;
}

void zkfs_names_fini(struct zkfs_names *names)
{
	names->resolver = zkfs_resolver_free(names->resolver);
	free(names->numeric);
	names->numeric = NULL;
}

static int64_t pause_ms(int64_t wait_ms)
{
	return wait_ms > ASK_MS_MIN ? wait_ms : ASK_MS_MIN;
}

void zkfs_names_connected(struct zkfs_names *names)
{
	names->ask_ms = ZKFS_NEVER;
}

void zkfs_names_lost(struct zkfs_names *names, int64_t now_ms, int64_t wait_ms)
{
	if (names->resolver && names->ask_ms == ZKFS_NEVER)
		names->ask_ms = now_ms + pause_ms(wait_ms);
}

static bool has(const char *list, const char *address, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, address, len) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static bool has_all(const char *list, const char *wanted)
{
	while (*wanted) {
		size_t n = strcspn(wanted, ",");

		if (!has(list, wanted, n))
			return false;
		wanted += n + (wanted[n] == ',');
	}
	return true;
}

bool zkfs_names_same(const char *one, const char *other)
{
	return has_all(one, other) && has_all(other, one);
}

bool zkfs_names_tick(struct zkfs_names *names, int64_t now_ms, int64_t wait_ms)
{
	zkfs_autofree char *numeric = NULL;

	if (!names->resolver)
		return false;
	if (now_ms >= names->ask_ms) {
		(void)zkfs_resolver_ask(names->resolver);
		names->ask_ms = now_ms + pause_ms(wait_ms);
	}
	if (!zkfs_resolver_take(names->resolver, &numeric) || !numeric)
		return false;
	/* It came too late: there is a connection. */
	if (names->ask_ms == ZKFS_NEVER ||
	    zkfs_names_same(numeric, names->numeric))
		return false;
	zkfs_info("the servers have other addresses now: %s; trying those",
		  numeric);
	free(names->numeric);
	names->numeric = zkfs_steal(&numeric);
	return true;
}

int64_t zkfs_names_deadline(const struct zkfs_names *names, int64_t now_ms)
{
	if (names->resolver && zkfs_resolver_asking(names->resolver))
		return zkfs_clock_earlier(names->ask_ms, now_ms + LOOK_MS);
	return names->ask_ms;
}

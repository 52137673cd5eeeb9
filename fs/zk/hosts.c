/*
 * hosts: see hosts.h.
 *
 * After a failed connect the library steps on by two servers: handle_error()
 * and zookeeper_interest() each by one. So of an even number of servers it
 * reaches only half, which may all be dead, and stays with them for ever. With
 * an odd number it reaches all of them; so one of an even number is named
 * twice, and which one is left to chance, so that all clients together load
 * the servers evenly.
 */
#include "fs/zk/hosts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned count(const char *servers)
{
	unsigned n = 1;

	for (; *servers; servers++)
		if (*servers == ',')
			n++;
	return n;
}

/* Writes the n-th of the list. The library divides host and port at the last
 * colon and gives the former to getaddrinfo(), which takes no brackets: what
 * is "[::1]:2181" to us is "::1:2181" to it. */
static void put_nth(FILE *out, const char *servers, unsigned n)
{
	for (; n > 0; n--)
		servers = strchr(servers, ',') + 1;
	for (; *servers != '\0' && *servers != ','; servers++)
		if (*servers != '[' && *servers != ']')
			(void)fputc(*servers, out);
}

char *zkfs_hosts_list(const char *servers, const char *chroot, unsigned pick,
		      unsigned *ret_n)
{
	unsigned n = count(servers), n_odd = n | 1;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	assert(n > 0);
	for (unsigned i = 0; i < n_odd; i++) {
		if (i > 0)
			(void)fputc(',', out);
		put_nth(out, servers, i < n ? i : pick % n);
	}
	(void)fputs(chroot, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	*ret_n = n_odd;
	return text;
}

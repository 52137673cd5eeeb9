/*
 * servers: what of a command line is a server list, what it becomes in
 * numbers, and whether anybody answers there.
 */
#include "fs/zk/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/clock.h"
#include "fs/base/util.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text, *hosts, *chroot;
	} rows[] = {
		{"a", "a", ""},
		{"a:1", "a:1", ""},
		{"a:65535", "a:65535", ""},
		{"a/", "a", ""},
		{"a:1/b", "a:1", "/b"},
		{"a:1/b/c//", "a:1", "/b/c"},
		{"a,b:2,c/x", "a,b:2,c", "/x"},
		{"zk-1.example.org:2181,10.0.0.1",
		 "zk-1.example.org:2181,"
		 "10.0.0.1",
		 ""},
		{"[::1]", "[::1]", ""},
		{"[::1]:2182/x", "[::1]:2182", "/x"},
		{"[fe80::1%eth0]:1,a_b", "[fe80::1%eth0]:1,a_b", ""},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		struct zkfs_servers servers;
		char words[200] = "";

		if (zkfs_servers_parse(rows[i].text, &servers, words,
				       sizeof(words)) != 0)
			fail_msg("\"%s\": %s", rows[i].text, words);
		assert_string_equal(servers.hosts, rows[i].hosts);
		assert_string_equal(servers.chroot, rows[i].chroot);
		zkfs_servers_fini(&servers);
		zkfs_servers_fini(&servers); /* harmless */
	}
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{"", "empty host name in \"\""},
		{"/a", "empty host name in \"\""},
		{",a", "empty host name in \"\""},
		{"a,,b", "empty host name in \"\""},
		{"a,", "empty host name in \"\""},
		{":2181", "empty host name in \":2181\""},
		{"a:", "invalid port in \"a:\""},
		{"a:0", "invalid port in \"a:0\""},
		{"a:65536", "invalid port in \"a:65536\""},
		{"a:111111", "invalid port in \"a:111111\""},
		{"a:2181x", "invalid port in \"a:2181x\""},
		{"a:+1", "invalid port in \"a:+1\""},
		{"a b", "not a host name in \"a b\""},
		{"user@a", "not a host name in \"user@a\""},
		{"::1", "empty host name in \"::1\""},
		{"fe80::1", "invalid port in \"fe80::1\""},
		{"[::1", "no IPv6 address in \"[::1\""},
		{"[]", "no IPv6 address in \"[]\""},
		{"[1.2.3.4]", "no IPv6 address in \"[1.2.3.4]\""},
		{"[::1]x", "not a host name in \"[::1]x\""},
		{"[::1]:", "invalid port in \"[::1]:\""},
		{"a//b", "not a znode's path in \"//b\""},
		{"a/b/../c", "not a znode's path in \"/b/../c\""},
		{"a/\x01", "not a znode's path in \"/\x01\""},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		struct zkfs_servers servers = {.hosts = NULL};
		char words[200] = "";

		assert_int_equal(zkfs_servers_parse(rows[i].text, &servers,
						    words, sizeof(words)),
				 -EINVAL);
		assert_string_equal(words, rows[i].words);
		assert_null(servers.hosts);
	}
}

static void test_long_host_name(void **state)
{
	struct zkfs_servers servers;
	char text[300], words[400] = "";

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(
		zkfs_servers_parse(text, &servers, words, sizeof(words)),
		-EINVAL);
	text[255] = '\0';
	assert_int_equal(
		zkfs_servers_parse(text, &servers, words, sizeof(words)), 0);
	zkfs_servers_fini(&servers);
}

/* Resolves a list; the result is to be freed. */
static int resolve(const char *text, char **ret_numeric, char *words,
		   size_t words_len)
{
	struct zkfs_servers servers;
	int r = zkfs_servers_parse(text, &servers, words, words_len);

	assert_int_equal(r, 0);
	r = zkfs_servers_resolve(&servers, ret_numeric, words, words_len);
	zkfs_servers_fini(&servers);
	return r;
}

static void test_resolve(void **state)
{
	static const struct {
		const char *text, *numeric;
	} rows[] = {
		{"127.0.0.1", "127.0.0.1:2181"},
		{"127.0.0.1:7,10.1.2.3/x", "127.0.0.1:7,10.1.2.3:2181"},
		{"[::1]:7,[0:0::1]:7,[::1]", "[::1]:7,[::1]:2181"},
		{"10.0.0.1:21,10.0.0.1:2,10.0.0.1:21",
		 "10.0.0.1:21,10.0.0.1:2"},
		/* One that does not resolve (RFC 6761) among others. */
		{"no.such.host.invalid,10.0.0.1:3", "10.0.0.1:3"},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		char words[200] = "", *numeric;

		assert_int_equal(
			resolve(rows[i].text, &numeric, words, sizeof(words)),
			0);
		assert_string_equal(numeric, rows[i].numeric);
		free(numeric);
	}
}

static void test_resolve_nobody(void **state)
{
	char words[200] = "", *numeric = NULL;

	(void)state;
	assert_true(resolve("no.such.host.invalid", &numeric, words,
			    sizeof(words)) < 0);
	assert_null(numeric);
	assert_non_null(
		strstr(words, "cannot resolve \"no.such.host.invalid\": "));
}

static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		struct zkfs_servers servers;
		char words[200] = "", *numeric = NULL;
		int r;

		fault_arm(n);
		r = zkfs_servers_parse("127.0.0.1,10.0.0.1/a", &servers, words,
				       sizeof(words));
		if (r == 0) {
			r = zkfs_servers_resolve(&servers, &numeric, words,
						 sizeof(words));
			zkfs_servers_fini(&servers);
		}
		if (!fault_disarm()) {
			assert_int_equal(r, 0);
			free(numeric);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_string_equal(words, strerror(ENOMEM));
	}
	assert_true(n > 4);
}

/* A socket on a free port of the loopback; it listens if `backlog` > 0. */
static int make_port(int backlog, unsigned *ret_port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	if (backlog > 0)
		assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static void test_probe(void **state)
{
	unsigned open_port, closed_port;
	int open_fd = make_port(8, &open_port);
	int closed_fd = make_port(0, &closed_port);
	char text[100];

	(void)state;
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", open_port);
	assert_int_equal(zkfs_servers_probe(text, 5000), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u,127.0.0.1:%u",
		       closed_port, open_port);
	assert_int_equal(zkfs_servers_probe(text, 5000), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u,127.0.0.1:%u",
		       closed_port, closed_port);
	assert_int_equal(zkfs_servers_probe(text, 5000), -ECONNREFUSED);
	close(open_fd);
	close(closed_fd);
}

/* A listener whose queue is full lets connects hang (listen(2)). */
static void test_probe_gives_up(void **state)
{
	unsigned port;
	int fd = make_port(1, &port), filler[4];
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int64_t start;
	char text[100];

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(filler); i++) {
		filler[i] = socket(
			AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&addr,
			      sizeof(addr));
	}
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	start = zkfs_clock_ms();
	assert_int_equal(zkfs_servers_probe(text, 200), -ETIMEDOUT);
	assert_true(zkfs_clock_ms() - start >= 200);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(filler); i++)
		close(filler[i]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_long_host_name),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_resolve_nobody),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probe_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * supervisor: the datagrams as sd_notify(3) describes them, to a socket of
 * either kind, and that a supervisor who is gone or does not listen holds
 * nobody up.
 */
#include "fs/daemon/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/base/log.h"
#include "fs/base/util.h"

struct listener {
	char dir[32];
	char name[64]; /* for NOTIFY_SOCKET */
	int fd;
};

static void listen_at(struct listener *listener, char kind)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);

	(void)strcpy(listener->dir, "/tmp/zkfs-unit.XXXXXX");
	assert_non_null(mkdtemp(listener->dir));
	(void)snprintf(listener->name, sizeof(listener->name), "%c%s/s", kind,
		       listener->dir + 1);
	assert_true(strlen(listener->name) < sizeof(address.sun_path));
	memcpy(address.sun_path, listener->name, strlen(listener->name) + 1);
	if (kind == '@') {
		address.sun_path[0] = '\0';
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				  strlen(listener->name));
	}
	listener->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(listener->fd >= 0);
	assert_int_equal(bind(listener->fd, (struct sockaddr *)&address, len),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", listener->name, 1), 0);
}

static void end(struct listener *listener)
{
	char path[64];

	(void)close(listener->fd);
	(void)snprintf(path, sizeof(path), "%s/s", listener->dir);
	(void)unlink(path);
	(void)rmdir(listener->dir);
}

static void assert_told(struct listener *listener, const char *want)
{
	char text[1024];
	ssize_t n = recv(listener->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

static void talk(char kind)
{
	struct listener listener;
	struct zkfs_supervisor supervisor;
	char ready[64];

	listen_at(&listener, kind);
	zkfs_supervisor_init(&supervisor);
	assert_true(supervisor.fd >= 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	zkfs_supervisor_status(&supervisor, "%s to %d\nMAINPID=1", "connected",
			       1);
	assert_told(&listener, "STATUS=connected to 1?MAINPID=1");
	zkfs_supervisor_ready(&supervisor);
	(void)snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%d",
		       (int)getpid());
	assert_told(&listener, ready);
	zkfs_supervisor_stopping(&supervisor);
	assert_told(&listener, "STOPPING=1\nSTATUS=unmounting");
	zkfs_supervisor_fini(&supervisor);
	end(&listener);
}

static void test_path(void **state)
{
	(void)state;
	talk('/');
}

static void test_abstract(void **state)
{
	(void)state;
	talk('@');
}

static void test_a_long_line_is_cut(void **state)
{
	struct listener listener;
	struct zkfs_supervisor supervisor;
	char line[2000] = "", got[2000];
	ssize_t n;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	listen_at(&listener, '/');
	zkfs_supervisor_init(&supervisor);
	zkfs_supervisor_status(&supervisor, "%s", line);
	n = recv(listener.fd, got, sizeof(got), MSG_DONTWAIT);
	assert_int_equal(n, 511);
	zkfs_supervisor_fini(&supervisor);
	end(&listener);
}

/* Nobody reads: more than the socket holds. An alarm ends what waits. */
static void test_a_deaf_one(void **state)
{
	struct listener listener;
	struct zkfs_supervisor supervisor;

	(void)state;
	listen_at(&listener, '/');
	zkfs_supervisor_init(&supervisor);
	for (int i = 0; i < 5000; i++)
		zkfs_supervisor_status(&supervisor, "%d", i);
	zkfs_supervisor_ready(&supervisor);
	zkfs_supervisor_fini(&supervisor);
	end(&listener);
}

static void test_one_that_has_gone(void **state)
{
	struct listener listener;
	struct zkfs_supervisor supervisor;

	(void)state;
	listen_at(&listener, '/');
	zkfs_supervisor_init(&supervisor);
	end(&listener);
	zkfs_supervisor_ready(&supervisor);
	zkfs_supervisor_stopping(&supervisor);
	zkfs_supervisor_fini(&supervisor);
}

static void test_none(void **state)
{
	static const char *const names[] = {
		"", "/", "@", "vsock:2:1", "none", "/no/such/socket"};
	char too_long[200] = "/";
	struct zkfs_supervisor supervisor;

	(void)state;
	memset(too_long + 1, 'x', sizeof(too_long) - 2);
	too_long[sizeof(too_long) - 1] = '\0';
	zkfs_log_set_level(ZKFS_LOG_ERROR);
	(void)unsetenv("NOTIFY_SOCKET");
	zkfs_supervisor_init(&supervisor);
	assert_int_equal(supervisor.fd, -1);
	for (size_t i = 0; i <= ZKFS_ARRAY_SIZE(names); i++) {
		const char *name =
			i < ZKFS_ARRAY_SIZE(names) ? names[i] : too_long;

		assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
		zkfs_supervisor_init(&supervisor);
		assert_int_equal(supervisor.fd, -1);
		zkfs_supervisor_status(&supervisor, "x");
		zkfs_supervisor_ready(&supervisor);
		zkfs_supervisor_fini(&supervisor);
	}
}

static int setup(void **state)
{
	(void)state;
	(void)alarm(30);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_abstract),
		cmocka_unit_test(test_a_long_line_is_cut),
		cmocka_unit_test(test_a_deaf_one),
		cmocka_unit_test(test_one_that_has_gone),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

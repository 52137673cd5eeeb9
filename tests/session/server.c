/*
 * server: see server.h. Ready is an answer to "srvr": "ruok" answers before
 * the data is loaded, and a connection that comes in between may never be
 * answered (ZOOKEEPER-5051), so each try is given up soon.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"

#define READY_MS 20000
#define TRY_MS	 300
#define PAUSE_MS 10

int tcp_socket(int backlog, unsigned *ret_port)
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

static void write_config(const struct server *server)
{
	char file[96];
	FILE *out;

	(void)snprintf(file, sizeof(file), "%s/zoo.cfg", server->dir);
	out = fopen(file, "we");
	assert_non_null(out);
	(void)fprintf(out,
		      "dataDir=%s\n"
		      "clientPortAddress=127.0.0.1\n"
		      "clientPort=%u\n"
		      "tickTime=200\n"
		      "minSessionTimeout=500\n"
		      "maxSessionTimeout=60000\n"
		      "admin.enableServer=false\n"
		      "4lw.commands.whitelist=*\n"
		      "maxClientCnxns=0\n",
		      server->dir, server->port);
	assert_int_equal(fclose(out), 0);
}

static void run_java(const struct server *server, pid_t parent)
{
	char file[96];
	const char *argv[] = {
		"java",
		"-XX:+UseSerialGC",
		"-XX:TieredStopAtLevel=1",
		"-Xshare:auto",
		"-Xmx512m",
		"-Dzookeeper.forceSync=no",
		"-cp",
		"/usr/share/java/zookeeper.jar",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain",
		file,
		NULL,
	};
	int log;

	(void)snprintf(file, sizeof(file), "%s/log", server->dir);
	log = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	/* It must not outlive the test, whatever becomes of that. */
	if (log < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    getppid() != parent)
		_exit(126);
	(void)dup2(log, STDOUT_FILENO);
	(void)dup2(log, STDERR_FILENO);
	(void)snprintf(file, sizeof(file), "%s/zoo.cfg", server->dir);
	execvp(argv[0], (char **)(uintptr_t)argv);
	_exit(127);
}

/* Sends a four-letter word; whether what comes back has `want` in it, within
 * TRY_MS. */
static bool ask_word(const struct server *server, const char *word,
		     const char *want, char *text, size_t size)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)server->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	zkfs_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t end = zkfs_clock_ms() + TRY_MS;
	size_t len = 0;

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    send(fd, word, 4, MSG_NOSIGNAL) != 4)
		return false;
	while (len < size - 1) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int64_t left = end - zkfs_clock_ms();
		ssize_t n;

		if (left <= 0 || poll(&pfd, 1, (int)left) <= 0)
			break;
		n = read(fd, text + len, size - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return strstr(text, want) != NULL;
}

static bool serves(const struct server *server)
{
	char text[2048];

	return ask_word(server, "srvr", "Mode:", text, sizeof(text));
}

unsigned server_watches(const struct server *server)
{
	static const char want[] = "Total watches:";
	char text[2048];
	int64_t end = zkfs_clock_ms() + READY_MS;

	while (!ask_word(server, "wchs", want, text, sizeof(text)))
		assert_true(zkfs_clock_ms() < end);
	return (unsigned)strtoul(strstr(text, want) + strlen(want), NULL, 10);
}

void server_start(struct server *server, unsigned port)
{
	int64_t end = zkfs_clock_ms() + READY_MS;
	pid_t parent = getpid();

	assert_int_equal(server->pid, 0);
	if (port != 0)
		server->port = port;
	(void)snprintf(server->address, sizeof(server->address), "127.0.0.1:%u",
		       server->port);
	write_config(server);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		run_java(server, parent);
	while (!serves(server)) {
		if (waitpid(server->pid, NULL, WNOHANG) != 0)
			fail_msg("the server ended; see %s/log", server->dir);
		if (zkfs_clock_ms() >= end)
			fail_msg("no server; see %s/log", server->dir);
		/* A port that is not open yet has no event to wait for. */
		(void)poll(NULL, 0, PAUSE_MS);
	}
}

void server_make(struct server *server)
{
	unsigned port;
	int fd = tcp_socket(0, &port);

	*server = (struct server){.dir = "/tmp/zkfs-session-XXXXXX"};
	assert_non_null(mkdtemp(server->dir));
	close(fd);
	server_start(server, port);
}

void server_kill(struct server *server)
{
	if (server->pid == 0)
		return;
	assert_int_equal(kill(server->pid, SIGKILL), 0);
	assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
	server->pid = 0;
}

void server_stop(struct server *server)
{
	int status;

	assert_int_equal(kill(server->pid, SIGSTOP), 0);
	/* All its threads stand still only when this returns. */
	assert_int_equal(waitpid(server->pid, &status, WUNTRACED), server->pid);
	assert_true(WIFSTOPPED(status));
}

void server_continue(struct server *server)
{
	assert_int_equal(kill(server->pid, SIGCONT), 0);
}

void server_destroy(struct server *server)
{
	pid_t pid;

	server_kill(server);
	if (server->dir[0] == '\0')
		return;
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", server->dir, (char *)NULL);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

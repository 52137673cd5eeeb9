/*
 * outage: writes one thing again and again, one write after the other, and
 * tells how long the longest time between two that were answered was.
 *
 *	bench-outage file FILE                 on a mount, each write synced
 *	bench-outage bare HOSTS PATH TIMEOUT   by the library and nothing else
 *
 * Says "ready" after the first write. SIGUSR1 begins a new measurement, SIGTERM
 * ends it: the longest gap in milliseconds, the present one included, is
 * printed. A write that fails is tried again at once; to a bare client that is
 * all there is to do, as it does not ask whether it was done.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zookeeper/zookeeper.h>

static volatile sig_atomic_t begins, ends;
static double last, longest;
static bool said;

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void on_signal(int number)
{
	if (number == SIGUSR1)
		begins = 1;
	else
		ends = 1;
}

static void note_gap(void)
{
	double t = now();

	if (last > 0 && t - last > longest)
		longest = t - last;
	last = t;
}

static void answered(void)
{
	note_gap();
	if (begins) {
		begins = 0;
		longest = 0;
	}
	if (!said) {
		said = true;
		(void)puts("ready");
		(void)fflush(stdout);
	}
}

static void breathe(void)
{
	(void)poll(NULL, 0, 1);
}

/* On a mount. */

static bool write_file(const char *path, int *fd, unsigned n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%010u", n);

	if (*fd < 0)
		*fd = open(path, O_WRONLY);
	if (*fd < 0)
		return false;
	if (pwrite(*fd, text, (size_t)len, 0) == len && fsync(*fd) == 0)
		return true;
	/* What was not sent in time is still to be stored: again. */
	if (errno != ETIMEDOUT) {
		(void)close(*fd);
		*fd = -1;
	}
	return false;
}

static void run_file(const char *path)
{
	unsigned n = 0;
	int fd = -1;

	while (!ends) {
		if (write_file(path, &fd, n++))
			answered();
		breathe();
	}
}

/* By the library. */

static bool done, well;

static void on_stat(int rc, const struct Stat *stat, const void *ctx)
{
	(void)stat;
	(void)ctx;
	done = true;
	well = rc == ZOK;
}

static void on_event(zhandle_t *zh, int type, int state, const char *path,
		     void *ctx)
{
	(void)path;
	(void)ctx;
	if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE)
		warnx("connected to %s", zoo_get_current_server(zh));
}

static void turn(zhandle_t *zh)
{
	int fd = -1, interest = 0, events = 0;
	struct timeval tv = {0};
	struct pollfd pfd;
	int rc = zookeeper_interest(zh, &fd, &interest, &tv);

	pfd = (struct pollfd){.fd = rc == ZOK ? fd : -1};
	if (interest & ZOOKEEPER_READ)
		pfd.events |= POLLIN;
	if (interest & ZOOKEEPER_WRITE)
		pfd.events |= POLLOUT;
	if (poll(&pfd, 1, (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000)) <
	    0)
		return;
	if (pfd.revents & (POLLIN | POLLERR | POLLHUP))
		events |= ZOOKEEPER_READ;
	if (pfd.revents & (POLLOUT | POLLERR | POLLHUP))
		events |= ZOOKEEPER_WRITE;
	while (zookeeper_process(zh, events) == ZOK)
		events = ZOOKEEPER_READ;
}

static void run_bare(const char *hosts, const char *path, int timeout_ms)
{
	unsigned n = 0;
	zhandle_t *zh;

	zoo_set_debug_level((ZooLogLevel)0);
	zh = zookeeper_init2(hosts, on_event, timeout_ms, NULL, NULL,
			     ZOO_NO_LOG_CLIENTENV, NULL);
	if (!zh)
		err(1, "zookeeper_init2");
	(void)zoo_set_servers_resolution_delay(zh, -1);
	while (!ends) {
		char text[16];
		int len = snprintf(text, sizeof(text), "%010u", n++);

		done = false;
		if (zoo_state(zh) != ZOO_CONNECTED_STATE ||
		    zoo_aset(zh, path, text, len, -1, on_stat, NULL) != ZOK) {
			turn(zh);
			continue;
		}
		while (!done && !ends)
			turn(zh);
		if (done && well)
			answered();
		breathe();
	}
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = on_signal};

	(void)sigaction(SIGUSR1, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	if (argc == 3 && strcmp(argv[1], "file") == 0)
		run_file(argv[2]);
	else if (argc == 5 && strcmp(argv[1], "bare") == 0)
		run_bare(argv[2], argv[3], atoi(argv[4]));
	else
		errx(2, "usage: file FILE | bare HOSTS PATH TIMEOUT_MS");
	note_gap();
	(void)printf("%.1f\n", longest);
	return 0;
}

/*
 * change: how soon a reader has the new data that another client has written,
 * counted from the writer's request.
 *
 *   change ADDRESS PATH N         the reader is a bare client that has a watch
 *                                 on the znode, and gets it when that fires
 *   change ADDRESS PATH N FILE    the reader waits in poll(2) for FILE, the
 *                                 same znode on a mount, then opens and reads
 *   change -i ADDRESS PATH N FILE it waits for inotify(7) to tell of FILE, as
 *                                 inotifywait does, and counts until then
 *
 *   -c MS   so long is nothing done between two changes (2)
 *
 * The writer is a bare client in another process. Prints the median of N
 * changes in microseconds. One more is made before, and made again until it is
 * seen: a mount finds out only after a while that it is watched.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/client.h"
#include "tests/bench/sample.h"

#define DATA_LEN 64
#define LIMIT_MS 10000
/* What a daemon does behind an answer is done by then. */
#define CALM_MS 2
/* The first change is made once more after that. */
#define AGAIN_MS    100
#define EVENT_BYTES 4096

struct reader {
	struct client client;
	const char *path;
	const char *file; /* or NULL */
	int fd;		  /* what is waited for, of a file */
	bool inotify;
	bool fired;
	int64_t told_at; /* of inotify's last event */
	char data[DATA_LEN + 1];
};

static struct reader *from(const void *data)
{
	return (struct reader *)(uintptr_t)data;
}

static void on_event(zhandle_t *zh __attribute__((unused)),
		     int type __attribute__((unused)),
		     int state __attribute__((unused)),
		     const char *path __attribute__((unused)), void *ctx)
{
	from(ctx)->fired = true;
}

static void on_data(int rc, const char *value, int len,
		    const struct Stat *stat __attribute__((unused)),
		    const void *data)
{
	struct reader *reader = from(data);
	size_t n = rc == ZOK && len > 0 ? (size_t)len : 0;

	n = n < DATA_LEN ? n : DATA_LEN;
	memcpy(reader->data, value, n);
	reader->data[n] = '\0';
	client_answered(&reader->client, rc);
}

static void get(struct reader *reader)
{
	struct client *client = &reader->client;

	reader->fired = false;
	client_sent(client, zoo_awget(client->zh, reader->path, on_event,
				      reader, on_data, reader));
	client_wait(client, 0);
}

static void close_or_die(const struct reader *reader, int fd)
{
	if (close(fd) < 0)
		err(1, "close %s", reader->file);
}

static void read_file(struct reader *reader)
{
	int fd = open(reader->file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		err(1, "open %s", reader->file);
	n = read(fd, reader->data, DATA_LEN);
	if (n < 0)
		err(1, "read %s", reader->file);
	reader->data[n] = '\0';
	if (reader->inotify)
		close_or_die(reader, fd);
	else
		reader->fd = fd;
}

static void watch_file(struct reader *reader)
{
	reader->fd = inotify_init1(IN_CLOEXEC);
	if (reader->fd < 0 ||
	    inotify_add_watch(reader->fd, reader->file, IN_MODIFY) < 0)
		err(1, "inotify of %s", reader->file);
}

static void await_event(struct reader *reader)
{
	struct pollfd pfd = {.fd = reader->fd, .events = POLLIN};
	char events[EVENT_BYTES];

	if (poll(&pfd, 1, LIMIT_MS) != 1)
		errx(1, "inotify does not tell of %s", reader->file);
	if (read(reader->fd, events, sizeof(events)) <= 0)
		err(1, "inotify of %s", reader->file);
	reader->told_at = sample_now();
}

/* As of an attribute of sysfs. */
static void await_change(struct reader *reader)
{
	struct pollfd pfd = {.fd = reader->fd, .events = POLLPRI};

	if (poll(&pfd, 1, LIMIT_MS) != 1 || !(pfd.revents & POLLPRI))
		errx(1, "no change of %s", reader->file);
	close_or_die(reader, reader->fd);
}

/* Waits until there is something new, and has it. */
static void read_next(struct reader *reader)
{
	char old[sizeof(reader->data)];

	memcpy(old, reader->data, sizeof(old));
	while (strcmp(old, reader->data) == 0) {
		if (reader->file) {
			if (reader->inotify)
				await_event(reader);
			else
				await_change(reader);
			read_file(reader);
			continue;
		}
		while (!reader->fired)
			client_turn(&reader->client);
		get(reader);
	}
}

static void run_reader(struct reader *reader, const char *address, size_t n,
		       int64_t *seen_at, int tell)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (reader->inotify)
		watch_file(reader);
	if (reader->file) {
		read_file(reader);
	} else {
		client_open(&reader->client, address, NULL, NULL);
		get(reader);
	}
	for (size_t i = 0; i <= n; i++) {
		if (write(tell, "", 1) != 1)
			err(1, "the writer is gone");
		read_next(reader);
		*seen_at = reader->inotify ? reader->told_at : sample_now();
	}
	if (write(tell, "", 1) != 1)
		err(1, "the writer is gone");
	if (!reader->file)
		client_close(&reader->client);
	_exit(0);
}

static void hear(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		errx(1, "the reader is gone");
}

static void set(struct client *client, const char *path, size_t i)
{
	char data[DATA_LEN] = "";

	(void)snprintf(data, sizeof(data), "%d %zu", (int)getpid(), i);
	client_sent(client, zoo_aset(client->zh, path, data, sizeof(data), -1,
				     client_on_stat, client));
	client_wait(client, 0);
}

static void set_until_seen(struct client *client, const char *path, int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	for (int ms = 0; ms < LIMIT_MS; ms += AGAIN_MS) {
		set(client, path, 0);
		if (poll(&pfd, 1, AGAIN_MS) == 1)
			break;
	}
	hear(fd);
}

static void run_writer(const char *address, const char *path, size_t n,
		       int calm_ms, const int64_t *seen_at, int fd)
{
	struct client client;
	struct sample sample;

	client_open(&client, address, NULL, NULL);
	sample_init(&sample, n);
	hear(fd);
	set_until_seen(&client, path, fd);
	for (size_t i = 1; i <= n; i++) {
		int64_t since;

		(void)poll(NULL, 0, calm_ms);
		since = sample_now();
		set(&client, path, i);
		hear(fd);
		sample_add_ns(&sample, *seen_at - since);
	}
	sample_print(&sample);
	sample_fini(&sample);
	client_close(&client);
}

int main(int argc, char **argv)
{
	struct reader reader = {.fd = -1};
	int calm_ms = CALM_MS, option, fds[2];
	int64_t *seen_at;
	size_t n;

	while ((option = getopt(argc, argv, "ic:")) != -1) {
		if (option == 'i')
			reader.inotify = true;
		else if (option == 'c')
			calm_ms = (int)sample_count(optarg);
		else
			argc = 0;
	}
	argc -= optind - 1;
	argv += optind - 1;
	if (argc != 5 && (argc != 4 || reader.inotify))
		errx(2, "usage: change [-c MS] [-i] ADDRESS PATH N [FILE]");
	reader.path = argv[2];
	reader.file = argc == 5 ? argv[4] : NULL;
	n = sample_count(argv[3]);
	seen_at = sample_share(sizeof(*seen_at));
	if (pipe2(fds, O_CLOEXEC) < 0)
		err(1, "pipe");
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		(void)close(fds[0]);
		run_reader(&reader, argv[1], n, seen_at, fds[1]);
	}
	(void)close(fds[1]);
	run_writer(argv[1], argv[2], n, calm_ms, seen_at, fds[0]);
	return 0;
}

/*
 * change: how soon a reader has the new data that another client has written,
 * counted from the writer's request.
 *
 *   change ADDRESS PATH N         the reader is a bare client that has a watch
 *                                 on the znode, and gets it when that fires
 *   change ADDRESS PATH N FILE    the reader waits in poll(2) for FILE, the
 *                                 same znode on a mount, then opens and reads
 *
 * The writer is a bare client in another process. Prints the median of N
 * changes in microseconds.
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
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/client.h"
#include "tests/bench/sample.h"

#define DATA_LEN 64
#define LIMIT_MS 10000
/* What a daemon does behind an answer is done by then. */
#define CALM_MS 2

struct reader {
	struct client client;
	const char *path;
	const char *file; /* or NULL */
	int fd;
	bool fired;
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

static void read_file(struct reader *reader)
{
	ssize_t n;

	reader->fd = open(reader->file, O_RDONLY | O_CLOEXEC);
	if (reader->fd < 0)
		err(1, "open %s", reader->file);
	n = read(reader->fd, reader->data, DATA_LEN);
	if (n < 0)
		err(1, "read %s", reader->file);
	reader->data[n] = '\0';
}

/* As of an attribute of sysfs. */
static void await_change(struct reader *reader)
{
	struct pollfd pfd = {.fd = reader->fd, .events = POLLPRI};

	if (poll(&pfd, 1, LIMIT_MS) != 1 || !(pfd.revents & POLLPRI))
		errx(1, "no change of %s", reader->file);
	if (close(reader->fd) < 0)
		err(1, "close %s", reader->file);
}

/* Waits until there is something new, and has it. */
static void read_next(struct reader *reader)
{
	char old[sizeof(reader->data)];

	memcpy(old, reader->data, sizeof(old));
	while (strcmp(old, reader->data) == 0) {
		if (reader->file) {
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
	if (reader->file) {
		read_file(reader);
	} else {
		client_open(&reader->client, address, NULL, NULL);
		get(reader);
	}
	for (size_t i = 0; i < n; i++) {
		if (write(tell, "", 1) != 1)
			err(1, "the writer is gone");
		read_next(reader);
		*seen_at = sample_now();
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

static void run_writer(const char *address, const char *path, size_t n,
		       const int64_t *seen_at, int fd)
{
	struct client client;
	struct sample sample;
	char data[DATA_LEN];

	client_open(&client, address, NULL, NULL);
	sample_init(&sample, n);
	hear(fd);
	for (size_t i = 0; i < n; i++) {
		int64_t since;

		(void)poll(NULL, 0, CALM_MS);
		(void)snprintf(data, sizeof(data), "%d %zu", (int)getpid(), i);
		since = sample_now();
		client_sent(&client,
			    zoo_aset(client.zh, path, data, sizeof(data), -1,
				     client_on_stat, &client));
		client_wait(&client, 0);
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
	int64_t *seen_at;
	int fds[2];
	size_t n;

	if (argc != 4 && argc != 5)
		errx(2, "usage: change ADDRESS PATH N [FILE]");
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
	run_writer(argv[1], argv[2], n, seen_at, fds[0]);
	return 0;
}

/*
 * bare: the floor. A client of libzookeeper_st with nothing around it: one
 * session, one poll loop, no name resolution in the loop (a numeric address
 * and a resolution delay of -1), no cache, no check. What it needs for an
 * operation is what the library and the server need; the rest of what a mount
 * takes is the price of being a filesystem.
 *
 *   bare ADDRESS get PATH N      median of N reads, one after the other, in us
 *   bare ADDRESS set PATH N      the same of N writes of 64 bytes
 *   bare ADDRESS lock DIR N      the same of N acquire-and-release cycles of
 *                                the lock recipe on a free lock
 *   bare ADDRESS exists DIR      one `exists` for each child of DIR, 256 at a
 *                                time in flight; in us for all of them
 *   bare ADDRESS make DIR N LEN  makes DIR and N children 000000, 000001, ...
 *                                of LEN bytes; prints nothing
 */
#include <err.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "tests/bench/sample.h"

#define SESSION_MS 10000
#define WINDOW	   256
#define DATA_LEN   64
#define DATA_MAX   1024
#define PATH_BYTES 512
/* The names of one contender, as a mount writes them. */
#define NAMES 3

struct bench {
	zhandle_t *zh;
	size_t in_flight;
	size_t done;
	int error; /* the first that was not expected */
	char **children;
	size_t n_children;
};

static void answered(struct bench *bench, int rc)
{
	bench->in_flight--;
	bench->done++;
	if (rc != ZOK && bench->error == ZOK)
		bench->error = rc;
}

static struct bench *from(const void *data)
{
	/* The library passes its context as const; it is ours. */
	return (struct bench *)(uintptr_t)data;
}

static void on_data(int rc, const char *value __attribute__((unused)),
		    int len __attribute__((unused)),
		    const struct Stat *stat __attribute__((unused)),
		    const void *data)
{
	answered(from(data), rc);
}

static void on_stat(int rc, const struct Stat *stat __attribute__((unused)),
		    const void *data)
{
	answered(from(data), rc);
}

static void on_string(int rc, const char *value __attribute__((unused)),
		      const void *data)
{
	answered(from(data), rc == ZNODEEXISTS ? ZOK : rc);
}

static void on_void(int rc, const void *data)
{
	answered(from(data), rc);
}

static void on_children(int rc, const struct String_vector *names,
			const void *data)
{
	struct bench *bench = from(data);
	size_t n = rc == ZOK ? (size_t)names->count : 0;

	bench->children = calloc(n + 1, sizeof(char *));
	if (!bench->children)
		err(1, "calloc");
	for (size_t i = 0; i < n; i++) {
		bench->children[i] = strdup(names->data[i]);
		if (!bench->children[i])
			err(1, "strdup");
	}
	bench->n_children = n;
	answered(bench, rc);
}

static void on_list(int rc,
		    const struct String_vector *names __attribute__((unused)),
		    const void *data)
{
	answered(from(data), rc);
}

static void on_event(zhandle_t *zh __attribute__((unused)),
		     int type __attribute__((unused)),
		     int state __attribute__((unused)),
		     const char *path __attribute__((unused)),
		     void *ctx __attribute__((unused)))
{
}

static int timeout_of(const struct timeval *tv)
{
	return (int)(tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000);
}

/* Waits for the socket and takes all packets that are there. */
static void turn(struct bench *bench)
{
	int fd = -1, interest = 0, events = 0, rc;
	struct timeval tv = {0};
	struct pollfd pfd;

	rc = zookeeper_interest(bench->zh, &fd, &interest, &tv);
	if (rc != ZOK)
		errx(1, "zookeeper_interest: %s", zerror(rc));
	pfd = (struct pollfd){.fd = fd};
	if (interest & ZOOKEEPER_READ)
		pfd.events |= POLLIN;
	if (interest & ZOOKEEPER_WRITE)
		pfd.events |= POLLOUT;
	if (poll(&pfd, 1, timeout_of(&tv)) < 0)
		err(1, "poll");
	if (pfd.revents & (POLLIN | POLLERR | POLLHUP))
		events |= ZOOKEEPER_READ;
	if (pfd.revents & (POLLOUT | POLLERR | POLLHUP))
		events |= ZOOKEEPER_WRITE;
	do {
		rc = zookeeper_process(bench->zh, events);
		events = ZOOKEEPER_READ;
	} while (rc == ZOK);
	if (rc != ZNOTHING)
		errx(1, "zookeeper_process: %s", zerror(rc));
}

/* Waits until at most so many requests are unanswered. */
static void wait_for(struct bench *bench, size_t in_flight)
{
	while (bench->in_flight > in_flight)
		turn(bench);
	if (bench->error != ZOK)
		errx(1, "the server says: %s", zerror(bench->error));
}

static void sent(struct bench *bench, int rc)
{
	if (rc != ZOK)
		errx(1, "not sent: %s", zerror(rc));
	bench->in_flight++;
}

static void connect_to(struct bench *bench, const char *address)
{
	int64_t end = sample_now() + (int64_t)SESSION_MS * 1000000;

	zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
	bench->zh =
		zookeeper_init(address, on_event, SESSION_MS, NULL, NULL, 0);
	if (!bench->zh)
		err(1, "zookeeper_init");
	(void)zoo_set_servers_resolution_delay(bench->zh, -1);
	while (zoo_state(bench->zh) != ZOO_CONNECTED_STATE) {
		if (sample_now() > end)
			errx(1, "no session with %s", address);
		turn(bench);
	}
}

static void run_get(struct bench *bench, const char *path, size_t n)
{
	struct sample sample;

	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		sent(bench, zoo_aget(bench->zh, path, 0, on_data, bench));
		wait_for(bench, 0);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
}

static void run_set(struct bench *bench, const char *path, size_t n)
{
	char data[DATA_LEN];
	struct sample sample;

	memset(data, 'x', sizeof(data));
	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		sent(bench, zoo_aset(bench->zh, path, data, sizeof(data), -1,
				     on_stat, bench));
		wait_for(bench, 0);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
}

/* As sample_count(), but 0 is one. */
static size_t count_or_none(const char *text)
{
	return strcmp(text, "0") == 0 ? 0 : sample_count(text);
}

/* Joins with all names in one transaction, lists the queue, leaves: two round
 * trips, as the list is sent right behind the join. */
static void lock_cycle(struct bench *bench, const char *dir)
{
	static const char *const names[NAMES] = {"_c_bench-lock-",
						 "_c_bench-kazoo__lock__",
						 "_c_bench-__WRIT__"};
	char paths[NAMES][PATH_BYTES], made[NAMES][PATH_BYTES];
	zoo_op_result_t results[NAMES];
	zoo_op_t ops[NAMES];

	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(paths[i], PATH_BYTES, "%s/%s", dir, names[i]);
		zoo_create_op_init(
			&ops[i], paths[i], "", 0, &ZOO_OPEN_ACL_UNSAFE,
			ZOO_EPHEMERAL | ZOO_SEQUENCE, made[i], PATH_BYTES);
	}
	sent(bench, zoo_amulti(bench->zh, NAMES, ops, results, on_void, bench));
	sent(bench, zoo_aget_children(bench->zh, dir, 0, on_list, bench));
	wait_for(bench, 0);
	for (int i = 0; i < NAMES; i++)
		zoo_delete_op_init(&ops[i], made[i], -1);
	sent(bench, zoo_amulti(bench->zh, NAMES, ops, results, on_void, bench));
	wait_for(bench, 0);
}

static void run_lock(struct bench *bench, const char *dir, size_t n)
{
	struct sample sample;

	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		lock_cycle(bench, dir);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
}

static void list(struct bench *bench, const char *dir)
{
	sent(bench, zoo_aget_children(bench->zh, dir, 0, on_children, bench));
	wait_for(bench, 0);
}

static void run_exists(struct bench *bench, const char *dir)
{
	struct sample sample;
	int64_t since;

	sample_init(&sample, 1);
	list(bench, dir);
	since = sample_now();
	for (size_t i = 0; i < bench->n_children; i++) {
		char path[PATH_BYTES];

		(void)snprintf(path, sizeof(path), "%s/%s", dir,
			       bench->children[i]);
		sent(bench, zoo_aexists(bench->zh, path, 0, on_stat, bench));
		wait_for(bench, WINDOW - 1);
	}
	wait_for(bench, 0);
	sample_add(&sample, since);
	sample_print(&sample);
	sample_fini(&sample);
	for (size_t i = 0; i < bench->n_children; i++)
		free(bench->children[i]);
	free(bench->children);
}

static void run_make(struct bench *bench, const char *dir, size_t n, size_t len)
{
	char data[DATA_MAX];

	memset(data, 'x', sizeof(data));
	sent(bench, zoo_acreate(bench->zh, dir, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0,
				on_string, bench));
	for (size_t i = 0; i < n; i++) {
		char path[PATH_BYTES];

		(void)snprintf(path, sizeof(path), "%s/%06zu",
			       strcmp(dir, "/") == 0 ? "" : dir, i);
		sent(bench,
		     zoo_acreate(bench->zh, path, data, (int)len,
				 &ZOO_OPEN_ACL_UNSAFE, 0, on_string, bench));
		wait_for(bench, WINDOW - 1);
	}
	wait_for(bench, 0);
}

static void run(struct bench *bench, const char *what, const char *path,
		char **args, int n_args)
{
	if (strcmp(what, "get") == 0 && n_args == 1)
		run_get(bench, path, sample_count(args[0]));
	else if (strcmp(what, "set") == 0 && n_args == 1)
		run_set(bench, path, sample_count(args[0]));
	else if (strcmp(what, "lock") == 0 && n_args == 1)
		run_lock(bench, path, sample_count(args[0]));
	else if (strcmp(what, "exists") == 0 && n_args == 0)
		run_exists(bench, path);
	else if (strcmp(what, "make") == 0 && n_args == 2)
		run_make(bench, path, count_or_none(args[0]),
			 count_or_none(args[1]));
	else
		errx(2, "unknown request '%s' with %d arguments", what, n_args);
}

int main(int argc, char **argv)
{
	struct bench bench = {.error = ZOK};

	if (argc < 4)
		errx(2,
		     "usage: bare ADDRESS get|set|lock|exists|make PATH ...");
	connect_to(&bench, argv[1]);
	run(&bench, argv[2], argv[3], argv + 4, argc - 4);
	(void)zookeeper_close(bench.zh);
	return 0;
}

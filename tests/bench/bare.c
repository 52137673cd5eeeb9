/*
 * bare: the floor: what a client needs that has nothing around it (client.h).
 * The rest of what a mount takes is the price of being a filesystem.
 *
 *   bare ADDRESS get PATH N      median of N reads, one after the other, in us
 *   bare ADDRESS cpu PATH N      processor time of one of them, in us
 *   bare ADDRESS set PATH N      the same of N writes of 64 bytes
 *   bare ADDRESS list PATH N     the same of N lists of children
 *   bare ADDRESS lock DIR NAMES N
 *                                the same of N acquire-and-release cycles of
 *                                the lock recipe on a free lock
 *   bare ADDRESS exists DIR      one `exists` for each child of DIR, 256 at a
 *                                time in flight; in us for all of them
 *   bare ADDRESS watch DIR       both watches on each child of DIR; prints how
 *                                many bytes of memory they have taken a child
 *   bare ADDRESS make DIR N LEN  makes DIR and N children 000000, 000001, ...
 *                                of LEN bytes; prints nothing
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/client.h"
#include "tests/bench/recipe.h"
#include "tests/bench/sample.h"

#define WINDOW	   256
#define DATA_LEN   64
#define DATA_MAX   1024
#define PATH_BYTES 512

struct children {
	struct client *client;
	char **names;
	size_t n;
};

static void on_children(int rc, const struct String_vector *names,
			const void *data)
{
	struct children *children = (struct children *)(uintptr_t)data;

	children->n = rc == ZOK ? (size_t)names->count : 0;
	children->names = calloc(children->n + 1, sizeof(char *));
	if (!children->names)
		err(1, "calloc");
	for (size_t i = 0; i < children->n; i++) {
		children->names[i] = strdup(names->data[i]);
		if (!children->names[i])
			err(1, "strdup");
	}
	client_answered(children->client, rc);
}

static void children_get(struct children *children, struct client *client,
			 const char *dir)
{
	*children = (struct children){.client = client};
	client_sent(client, zoo_aget_children(client->zh, dir, 0, on_children,
					      children));
	client_wait(client, 0);
}

static void children_free(struct children *children)
{
	for (size_t i = 0; i < children->n; i++)
		free(children->names[i]);
	free(children->names);
}

static void child_path(const char *dir, const char *name, char path[PATH_BYTES])
{
	(void)snprintf(path, PATH_BYTES, "%s/%s",
		       strcmp(dir, "/") == 0 ? "" : dir, name);
}

static void run_get(struct client *client, const char *path, size_t n)
{
	struct sample sample;

	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		client_sent(client, zoo_aget(client->zh, path, 0,
					     client_on_data, client));
		client_wait(client, 0);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
}

static void run_set(struct client *client, const char *path, size_t n)
{
	char data[DATA_LEN];
	struct sample sample;

	memset(data, 'x', sizeof(data));
	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		client_sent(client,
			    zoo_aset(client->zh, path, data, sizeof(data), -1,
				     client_on_stat, client));
		client_wait(client, 0);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
}

static void run_list(struct client *client, const char *path, size_t n)
{
	struct sample sample;

	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		client_sent(client, zoo_aget_children(client->zh, path, 0,
						      client_on_list, client));
		client_wait(client, 0);
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

static void run_lock(const char *address, const char *dir, size_t n_names,
		     size_t n)
{
	struct recipe recipe;
	struct sample sample;

	recipe_init(&recipe, address, dir, n_names);
	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		recipe_acquire(&recipe);
		recipe_release(&recipe);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
	recipe_fini(&recipe);
}

static void run_exists(struct client *client, const char *dir)
{
	struct children children;
	struct sample sample;
	int64_t since;

	sample_init(&sample, 1);
	children_get(&children, client, dir);
	since = sample_now();
	for (size_t i = 0; i < children.n; i++) {
		char path[PATH_BYTES];

		child_path(dir, children.names[i], path);
		client_sent(client, zoo_aexists(client->zh, path, 0,
						client_on_stat, client));
		client_wait(client, WINDOW - 1);
	}
	client_wait(client, 0);
	sample_add(&sample, since);
	sample_print(&sample);
	sample_fini(&sample);
	children_free(&children);
}

/* Resident memory, in bytes. */
static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		err(1, "/proc/self/statm");
	(void)fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static void on_watch(zhandle_t *zh __attribute__((unused)),
		     int type __attribute__((unused)),
		     int state __attribute__((unused)),
		     const char *path __attribute__((unused)),
		     void *ctx __attribute__((unused)))
{
}

static void run_watch(struct client *client, const char *dir)
{
	struct children children;
	long before;

	children_get(&children, client, dir);
	if (children.n == 0)
		errx(1, "%s has no children", dir);
	before = resident();
	for (size_t i = 0; i < children.n; i++) {
		char path[PATH_BYTES];

		child_path(dir, children.names[i], path);
		client_sent(client, zoo_awget(client->zh, path, on_watch,
					      client, client_on_data, client));
		client_wait(client, WINDOW - 1);
		client_sent(client,
			    zoo_awget_children(client->zh, path, on_watch,
					       client, client_on_list, client));
		client_wait(client, WINDOW - 1);
	}
	client_wait(client, 0);
	(void)printf("%.0f\n",
		     (double)(resident() - before) / (double)children.n);
	children_free(&children);
}

static void run_make(struct client *client, const char *dir, size_t n,
		     size_t len)
{
	char data[DATA_MAX];

	memset(data, 'x', sizeof(data));
	client_sent(client,
		    zoo_acreate(client->zh, dir, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0,
				client_on_made, client));
	for (size_t i = 0; i < n; i++) {
		char path[PATH_BYTES], name[32];

		(void)snprintf(name, sizeof(name), "%06zu", i);
		child_path(dir, name, path);
		client_sent(client, zoo_acreate(client->zh, path, data,
						(int)len, &ZOO_OPEN_ACL_UNSAFE,
						0, client_on_made, client));
		client_wait(client, WINDOW - 1);
	}
	client_wait(client, 0);
}

static double processor_us(void)
{
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void run_cpu(struct client *client, const char *path, size_t n)
{
	double before = processor_us();

	for (size_t i = 0; i < n; i++) {
		client_sent(client, zoo_aget(client->zh, path, 0,
					     client_on_data, client));
		client_wait(client, 0);
	}
	(void)printf("%.2f\n", (processor_us() - before) / (double)n);
}

static const struct {
	const char *name;
	void (*run)(struct client *client, const char *path, size_t n);
} series[] = {
	{"get", run_get},
	{"cpu", run_cpu},
	{"set", run_set},
	{"list", run_list},
};

static void run(struct client *client, const char *what, const char *path,
		char **args, int n_args)
{
	for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
		if (n_args != 1 || strcmp(what, series[i].name) != 0)
			continue;
		series[i].run(client, path, sample_count(args[0]));
		return;
	}
	if (strcmp(what, "exists") == 0 && n_args == 0)
		run_exists(client, path);
	else if (strcmp(what, "watch") == 0 && n_args == 0)
		run_watch(client, path);
	else if (strcmp(what, "make") == 0 && n_args == 2)
		run_make(client, path, count_or_none(args[0]),
			 count_or_none(args[1]));
	else
		errx(2, "unknown request '%s' with %d arguments", what, n_args);
}

int main(int argc, char **argv)
{
	struct client client;

	if (argc < 4)
		errx(2, "usage: bare ADDRESS "
			"get|cpu|set|list|lock|exists|watch|make PATH ...");
	if (argc == 6 && strcmp(argv[2], "lock") == 0) {
		run_lock(argv[1], argv[3], sample_count(argv[4]),
			 sample_count(argv[5]));
		return 0;
	}
	client_open(&client, argv[1], NULL, NULL);
	run(&client, argv[2], argv[3], argv + 4, argc - 4);
	client_close(&client);
	return 0;
}

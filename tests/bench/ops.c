/*
 * ops: what a program does on the mount, measured from its side. Each
 * operation takes a name that it has not touched before (PREFIX and six
 * digits; FROM is the first, counted from 1), so that nothing is in any cache;
 * or, with "again", the same name N times.
 *
 *   ops again ask PATH N          one FUSE request that asks no server: the
 *                                 price of the way into the daemon and back
 *   ops read PREFIX FROM N        open, read to the end, close
 *   ops overwrite PREFIX FROM N   open with O_TRUNC, write 64 bytes, close
 *   ops append PREFIX FROM N      open with O_APPEND, write 64 bytes, close
 *   ops lock PREFIX FROM N        open for writing (the lock is free), close
 *   ops stat PREFIX FROM N        stat
 *   ops cat PREFIX FROM N         the whole of a `cat NAME`
 *   ops ls DIR                    the whole of an `ls -l DIR`
 *   ops find DIR                  the whole of a `find DIR -size 0`, which
 *                                 looks at each file
 *   ops again stat PATH N         stat of a file that is there
 *   ops again absent PATH N       stat of a file that is not there
 *   ops again read PATH N         open, read to the end, close
 *   ops again once PATH N         open, read(2), close
 *   ops again try PATH N          open with O_NONBLOCK of a lock that another
 *                                 has
 *
 * Each prints the median in microseconds.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/bench/sample.h"

#define DATA_LEN   64
#define PATH_BYTES 4096

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0666);

	if (fd < 0)
		err(1, "open %s", path);
	return fd;
}

static void close_or_die(const char *path, int fd)
{
	if (close(fd) < 0)
		err(1, "close %s", path);
}

static void read_file(const char *path)
{
	char buf[4096];
	int fd = open_or_die(path, O_RDONLY);
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		len += (size_t)n;
	if (n < 0)
		err(1, "read %s", path);
	if (len == 0)
		errx(1, "%s is empty", path);
	close_or_die(path, fd);
}

/* As who knows from fstat(2), or from the format, that this is all. */
static void read_file_once(const char *path)
{
	char buf[4096];
	int fd = open_or_die(path, O_RDONLY);

	if (read(fd, buf, sizeof(buf)) <= 0)
		errx(1, "%s cannot be read, or is empty", path);
	close_or_die(path, fd);
}

static void write_file(const char *path, int flags)
{
	char data[DATA_LEN];
	int fd = open_or_die(path, O_WRONLY | flags);

	memset(data, 'y', sizeof(data));
	if (write(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
		err(1, "write %s", path);
	close_or_die(path, fd);
}

static void overwrite_file(const char *path)
{
	write_file(path, O_TRUNC);
}

static void append_to_file(const char *path)
{
	write_file(path, O_APPEND);
}

static void take_lock(const char *path)
{
	close_or_die(path, open_or_die(path, O_WRONLY | O_CREAT));
}

static void stat_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		err(1, "stat %s", path);
}

static void stat_absent(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 || errno != ENOENT)
		err(1, "stat %s", path);
}

static void try_lock(const char *path)
{
	if (open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666) >=
		    0 ||
	    errno != EAGAIN)
		err(1, "open %s", path);
}

/* Runs a command, its output thrown away. */
static void run(char *const *argv)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status, error;

	if (posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO,
					     "/dev/null", O_WRONLY, 0) != 0)
		errx(1, "posix_spawn_file_actions");
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (error)
		errx(1, "%s: %s", argv[0], strerror(error));
	(void)posix_spawn_file_actions_destroy(&actions);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(1, "%s has failed", argv[0]);
}

static void cat_file(const char *path)
{
	char cat[] = "cat", name[PATH_BYTES];
	char *argv[] = {cat, name, NULL};

	(void)snprintf(name, sizeof(name), "%s", path);
	run(argv);
}

static void list_dir(const char *path)
{
	char ls[] = "ls", flag[] = "-l", name[PATH_BYTES];
	char *argv[] = {ls, flag, name, NULL};

	(void)snprintf(name, sizeof(name), "%s", path);
	run(argv);
}

static void find_files(const char *path)
{
	char find[] = "find", test[] = "-size", size[] = "0", name[PATH_BYTES];
	char *argv[] = {find, name, test, size, NULL};

	(void)snprintf(name, sizeof(name), "%s", path);
	run(argv);
}

/* An attribute of a name space that is not ours is answered from nothing, and
 * the kernel keeps no attributes. */
static void ask_daemon(const char *path)
{
	if (getxattr(path, "user.nothing", NULL, 0) >= 0 || errno != ENODATA)
		err(1, "getxattr %s", path);
}

static void measure_one(void (*op)(const char *path), const char *path,
			size_t n)
{
	struct sample sample;

	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		int64_t since = sample_now();

		op(path);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
}

static void measure(void (*op)(const char *path), const char *prefix,
		    size_t first, size_t n)
{
	struct sample sample;

	sample_init(&sample, n);
	for (size_t i = 0; i < n; i++) {
		char path[PATH_BYTES];
		int64_t since;

		(void)snprintf(path, sizeof(path), "%s%06zu", prefix,
			       first + i);
		since = sample_now();
		op(path);
		sample_add(&sample, since);
	}
	sample_print(&sample);
	sample_fini(&sample);
}

struct op {
	const char *name;
	void (*op)(const char *path);
};

static const struct op series[] = {
	{"read", read_file},	    {"overwrite", overwrite_file},
	{"append", append_to_file}, {"lock", take_lock},
	{"stat", stat_file},	    {"cat", cat_file},
};

static const struct op repeated[] = {
	{"ask", ask_daemon}, {"stat", stat_file},      {"absent", stat_absent},
	{"read", read_file}, {"once", read_file_once}, {"try", try_lock},
};

static const struct op single[] = {
	{"ls", list_dir},
	{"find", find_files},
};

static void (*find_op(const struct op *ops, size_t n,
		      const char *name))(const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ops[i].name, name) == 0)
			return ops[i].op;
	errx(2, "unknown operation '%s'", name);
}

#define FIND_OP(ops, name) find_op(ops, sizeof(ops) / sizeof((ops)[0]), name)

int main(int argc, char **argv)
{
	/* Counted from 1 on the command line: 0 is no count. */
	if (argc == 5 && strcmp(argv[1], "again") == 0)
		measure_one(FIND_OP(repeated, argv[2]), argv[3],
			    sample_count(argv[4]));
	else if (argc == 5)
		measure(FIND_OP(series, argv[1]), argv[2],
			sample_count(argv[3]) - 1, sample_count(argv[4]));
	else if (argc == 3)
		measure_one(FIND_OP(single, argv[1]), argv[2], 1);
	else
		errx(2, "usage: ops OPERATION PREFIX FROM N | "
			"ops again OPERATION PATH N | ops ls|find DIR");
	return 0;
}

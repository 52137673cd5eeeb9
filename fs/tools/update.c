/*
 * zkfs-update [-r TRIES] FILE COMMAND [ARG...]
 *
 * Reads FILE, filters it through COMMAND, and writes the result back on the
 * version that was read. It uses nothing but the file: on a zkfs mount one
 * descriptor stands for one version from open to close, and ftruncate, write
 * and fsync on it answer ESTALE when the znode has moved on; then nothing was
 * written, and the whole is done again with what FILE holds now. Anywhere else
 * it is a filter that edits in place.
 *
 *   open --> read --> COMMAND --> ftruncate, write, fsync, close --> done
 *    ^                                 |
 *    '---- wait a random while <-------' ESTALE
 *
 * Of many that try at once on the same version one succeeds, so that somebody
 * always gets on. The waits grow, and are random so that those who met once do
 * not meet again (200 contenders reach the longest wait after seven tries, and
 * are then few at a time).
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/util.h"
#include "fs/tools/tool.h"

/* What attempt() and its steps return beside an exit status. */
#define CONFLICT (-1)

#define WAIT_FIRST_MS 10
#define WAIT_MAX_MS   1000

/* More than any server is set up to take; a command that runs wild ends here
 * and not when memory does. */
#define BYTES_MAX (64u << 20)
#define CHUNK	  (64u << 10)

struct bytes {
	char *data;
	size_t len;
	size_t cap;
};

struct update {
	const char *file;
	char **command;
	unsigned long tries;  /* 0: no limit */
	sigset_t set_default; /* what we ignore and COMMAND does not */
};

/* A conversation with COMMAND. */
struct filter {
	const struct bytes *input;
	struct bytes *output;
	size_t fed; /* bytes of the input that it has taken */
	int in;	    /* our end of its stdin, -1 when closed */
	int out;    /* our end of its stdout, likewise */
};

static void bytes_fini(struct bytes *bytes)
{
	free(bytes->data);
}

#define autobytes __attribute__((cleanup(bytes_fini)))

/* Makes room for a chunk more. */
static int bytes_reserve(struct bytes *bytes)
{
	size_t cap = bytes->cap ? bytes->cap * 2 : CHUNK * 2;
	char *data;

	if (bytes->cap - bytes->len >= CHUNK)
		return 0;
	if (bytes->len > BYTES_MAX)
		return -EFBIG;
	data = realloc(bytes->data, cap);
	if (!data)
		return -ENOMEM;
	bytes->data = data;
	bytes->cap = cap;
	return 0;
}

/* Reads once. Returns the count, 0 at the end, or a negative errno; -EAGAIN
 * when it was interrupted or there is nothing yet. */
static ssize_t bytes_read(struct bytes *bytes, int fd)
{
	ssize_t n;
	int r = bytes_reserve(bytes);

	if (r < 0)
		return r;
	n = read(fd, bytes->data + bytes->len, CHUNK);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	bytes->len += (size_t)n;
	return n;
}

static bool bytes_equal(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* Reports a failure of the file, unless it is a conflict. */
static int failed(const struct update *update, int error)
{
	if (error == ESTALE)
		return CONFLICT;
	if (error == EIO || error == ETIMEDOUT)
		warnx("%s: %s; it may have been written", update->file,
		      strerror(error));
	else
		warnx("%s: %s", update->file, strerror(error));
	return EXIT_FAILURE;
}

/*
 * COMMAND
 */

static void close_end(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* COMMAND need not read its input to the end, or at all: EPIPE. */
static void feed(struct filter *filter)
{
	const struct bytes *input = filter->input;
	ssize_t n = 0;

	if (filter->fed < input->len)
		n = write(filter->in, input->data + filter->fed,
			  input->len - filter->fed);
	if (n > 0)
		filter->fed += (size_t)n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || filter->fed == input->len)
		close_end(&filter->in);
}

static int collect(struct filter *filter)
{
	ssize_t n = bytes_read(filter->output, filter->out);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		close_end(&filter->out);
	return n < 0 ? (int)n : 0;
}

/* Feeds and collects at the same time: either pipe may be full while COMMAND
 * waits for the other. Returns 0 or a negative errno. */
static int converse(struct filter *filter)
{
	while (filter->in >= 0 || filter->out >= 0) {
		struct pollfd fds[] = {
			{.fd = filter->in, .events = POLLOUT},
			{.fd = filter->out, .events = POLLIN},
		};

		if (poll(fds, ZKFS_ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[0].revents)
			feed(filter);
		if (fds[1].revents) {
			int r = collect(filter);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* A pipe whose end `ours` (0 to read, 1 to write) does not block. */
static int make_pipe(int fds[2], int ours)
{
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int spawn(const struct update *update, int in, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int error;

	error = posix_spawn_file_actions_init(&actions);
	if (error)
		return error;
	error = posix_spawnattr_init(&attr);
	if (error) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return error;
	}
	(void)posix_spawnattr_setsigdefault(&attr, &update->set_default);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, out,
							 STDOUT_FILENO);
	if (!error)
		error = posix_spawnp(ret_pid, update->command[0], &actions,
				     &attr, update->command, environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Returns its exit status, as a shell shows it. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			warn("waitpid");
			return EXIT_FAILURE;
		}
	}
	return zkfs_tool_wait_status(status);
}

/* Talks to the running COMMAND and returns its exit status. */
static int attend(const struct update *update, struct filter *filter, pid_t pid)
{
	int r = converse(filter);
	int status;

	/* Should it still write it gets a SIGPIPE, and does not hang. */
	close_end(&filter->in);
	close_end(&filter->out);
	status = wait_for(pid);
	if (r < 0) {
		warnx("output of %s: %s", update->command[0], strerror(-r));
		return EXIT_FAILURE;
	}
	return status;
}

/* Runs COMMAND on the input; returns its exit status, as a shell would when
 * it cannot be run. */
static int run(const struct update *update, const struct bytes *input,
	       struct bytes *output)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	struct filter filter = {.input = input, .output = output};
	pid_t pid = -1;
	int error;

	error = -make_pipe(in, 1);
	if (!error)
		error = -make_pipe(out, 0);
	if (!error)
		error = spawn(update, in[0], out[1], &pid);
	close_end(&in[0]);
	close_end(&out[1]);
	filter.in = in[1];
	filter.out = out[0];
	if (!error)
		return attend(update, &filter, pid);
	close_end(&filter.in);
	close_end(&filter.out);
	warnx("%s: %s", update->command[0], strerror(error));
	return zkfs_tool_exec_status(error);
}

/*
 * FILE
 */

static int read_file(const struct update *update, int fd, struct bytes *input)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return failed(update, errno);
	if (!S_ISREG(st.st_mode)) {
		warnx("%s: not a regular file", update->file);
		return EXIT_FAILURE;
	}
	do {
		n = bytes_read(input, fd);
	} while (n > 0 || n == -EAGAIN);
	return n < 0 ? failed(update, (int)-n) : 0;
}

/* Returns 0 or an errno. */
static int write_all(int fd, const struct bytes *bytes)
{
	size_t off = 0;

	while (off < bytes->len) {
		ssize_t n = pwrite(fd, bytes->data + off, bytes->len - off,
				   (off_t)off);

		if (n < 0 && errno != EINTR)
			return errno;
		if (n > 0)
			off += (size_t)n;
	}
	return 0;
}

static int retry_fsync(int fd)
{
	while (fsync(fd) < 0) {
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

/* On a mount with -o sync each call here is a commit of its own: so the file
 * is not emptied first, and not truncated at all unless it gets shorter. */
static int write_file(const struct update *update, int fd,
		      const struct bytes *input, const struct bytes *output)
{
	int error = 0;

	if (output->len < input->len && ftruncate(fd, (off_t)output->len) < 0)
		error = errno;
	if (!error)
		error = write_all(fd, output);
	if (!error)
		error = retry_fsync(fd);
	return error ? failed(update, error) : 0;
}

/* One cycle on an open file. */
static int filter_file(const struct update *update, int fd)
{
	autobytes struct bytes input = {0}, output = {0};
	int status = read_file(update, fd, &input);

	if (status)
		return status;
	status = run(update, &input, &output);
	if (status)
		return status;
	/* Nothing to say: no new version, no event for those who watch. */
	if (bytes_equal(&input, &output))
		return 0;
	return write_file(update, fd, &input, &output);
}

/* Returns an exit status, or CONFLICT. */
static int attempt(const struct update *update)
{
	int status, fd;

	do {
		fd = open(update->file, O_RDWR | O_CLOEXEC | O_NOCTTY);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return failed(update, errno);
	status = filter_file(update, fd);
	if (close(fd) < 0 && errno != EINTR && status == 0)
		status = failed(update, errno);
	return status;
}

/*
 * Tries
 */

static uint64_t random_below(uint64_t n)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(bits)) {
		struct timespec now;

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		bits = (uint64_t)now.tv_nsec * (uint64_t)getpid();
	}
	return bits % n;
}

/* Any time up to the longest: "full jitter", which needs the fewest tries of
 * all the ways to spread contenders. */
static void back_off(unsigned long try)
{
	uint64_t ms = WAIT_MAX_MS;
	uint64_t us;

	if (try < 7)
		ms = (uint64_t)WAIT_FIRST_MS << (try - 1);
	us = random_below(ms * 1000);
	(void)nanosleep(
		&(struct timespec){.tv_sec = (time_t)(us / 1000000),
				   .tv_nsec = (long)(us % 1000000) * 1000},
		NULL);
}

static int announce_try(unsigned long try)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lu", try);
	if (setenv("ZKFS_UPDATE_TRY", text, 1) == 0)
		return 0;
	warn("setenv");
	return EXIT_FAILURE;
}

static int keep_trying(const struct update *update)
{
	for (unsigned long try = 1;; try++) {
		int status = announce_try(try);

		if (!status)
			status = attempt(update);
		if (status != CONFLICT)
			return status;
		if (try == update->tries) {
			warnx("%s: still in conflict after %lu tries",
			      update->file, try);
			return EX_TEMPFAIL;
		}
		back_off(try);
	}
}

/* A command that does not read its input must not end us; and we were perhaps
 * started with SIGPIPE ignored, which is then for COMMAND to know. */
static void ignore_sigpipe(struct update *update)
{
	struct sigaction old, new = {.sa_handler = SIG_IGN};

	(void)sigemptyset(&update->set_default);
	(void)sigaction(SIGPIPE, &new, &old);
	if (old.sa_handler == SIG_DFL)
		(void)sigaddset(&update->set_default, SIGPIPE);
	/* Ignored, it would make waitpid() forget the status. */
	(void)signal(SIGCHLD, SIG_DFL);
}

/*
 * The command line
 */

static const char usage[] =
	"usage: zkfs-update [-r TRIES] FILE COMMAND [ARG...]\n";

static const char help[] =
	"\n"
	"Filters FILE through COMMAND and writes the result back, unless FILE\n"
	"was changed meanwhile: then waits a moment and does it all again.\n"
	"\n"
	"  -r, --tries=TRIES  give up after so many conflicts (status 75);\n"
	"                     default: never\n"
	"  -h, --help         show this\n"
	"  -V, --version      show the version\n"
	"\n"
	"COMMAND gets FILE on its stdin and the number of the try in\n"
	"ZKFS_UPDATE_TRY. When it fails nothing is written, and its exit\n"
	"status is that of zkfs-update.\n";

static int parse_tries(const char *text, unsigned long *ret_tries)
{
	unsigned long tries;
	char *end;

	errno = 0;
	tries = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || tries == 0) {
		warnx("not a number of tries: %s", text);
		return EXIT_FAILURE;
	}
	*ret_tries = tries;
	return 0;
}

/* Returns -1 when the command line was fine, else an exit status. */
static int parse(struct update *update, int argc, char **argv)
{
	static const struct option options[] = {
		{"tries", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:r:hV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			if (parse_tries(optarg, &update->tries))
				return EXIT_FAILURE;
			break;
		case 'h':
			(void)printf("%s%s", usage, help);
			return EXIT_SUCCESS;
		case 'V':
			(void)puts("zkfs-update " ZKFS_VERSION);
			return EXIT_SUCCESS;
		default:
			zkfs_tool_bad_option(c, argv);
			return EXIT_FAILURE;
		}
	}
	if (argc - optind < 2) {
		zkfs_tool_misused("a file and a command are needed");
		return EXIT_FAILURE;
	}
	update->file = argv[optind];
	update->command = argv + optind + 1;
	return -1;
}

int main(int argc, char **argv)
{
	struct update update = {0};
	int status = parse(&update, argc, argv);

	if (status >= 0)
		return status;
	if (zkfs_tool_fill_std_fds() < 0)
		return EXIT_FAILURE;
	ignore_sigpipe(&update);
	return keep_trying(&update);
}

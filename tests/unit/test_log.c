/*
 * log: what a line looks like, which lines there are, and that no reader of
 * them, dead, slow or absent, ends the program or holds it up. stderr is a
 * pipe here for as long as a test captures it.
 */
#include "fs/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

struct capture {
	int saved; /* the true stderr */
	int reader;
};

static void capture_begin(struct capture *capture)
{
	int fds[2];

	capture->saved = dup(STDERR_FILENO);
	assert_true(capture->saved >= 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	(void)close(fds[1]);
	capture->reader = fds[0];
}

/* Ends the capture; `text` is what the pipe held. */
static void capture_end(struct capture *capture, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	(void)dup2(capture->saved, STDERR_FILENO);
	(void)close(capture->saved);
	while (len < size - 1 &&
	       (n = read(capture->reader, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(capture->reader);
}

static int setup(void **state)
{
	zkfs_log_set_level(ZKFS_LOG_INFO);
	/* A log that blocks is a failure, not a hang. */
	(void)alarm(30);
	return 0;
}

static void test_line(void **state)
{
	struct capture capture;
	char text[256];

	capture_begin(&capture);
	zkfs_error("'%s': %d", "name", 5);
	zkfs_warning("second");
	zkfs_info("%s", "");
	capture_end(&capture, text, sizeof(text));
	assert_string_equal(text, "zkfs: 'name': 5\nzkfs: second\nzkfs: \n");
}

static void test_level(void **state)
{
	struct capture capture;
	char text[256];

	capture_begin(&capture);
	zkfs_debug("not said");
	zkfs_log_set_level(ZKFS_LOG_ERROR);
	zkfs_warning("not said");
	zkfs_error("error");
	zkfs_log_set_level(ZKFS_LOG_DEBUG);
	zkfs_debug("debug");
	capture_end(&capture, text, sizeof(text));
	assert_string_equal(text, "zkfs: error\nzkfs: debug\n");
	zkfs_log_set_level(ZKFS_LOG_WARNING);
	assert_true(zkfs_log_enabled(ZKFS_LOG_ERROR));
	assert_true(zkfs_log_enabled(ZKFS_LOG_WARNING));
	assert_false(zkfs_log_enabled(ZKFS_LOG_INFO));
}

/* Names come from elsewhere: they make no lines and move no cursor. */
static void test_control_characters(void **state)
{
	struct capture capture;
	char text[256];

	capture_begin(&capture);
	zkfs_info("a%sb", "\nzkfs: all is well\r\x1b[2J\x7f\xc3\xa9");
	capture_end(&capture, text, sizeof(text));
	assert_string_equal(text, "zkfs: a?zkfs: all is well??[2J?\xc3\xa9"
				  "b\n");
}

static void test_errno(void **state)
{
	struct capture capture;
	char text[256];
	int after;

	capture_begin(&capture);
	errno = ENOENT;
	zkfs_info("%s", strerror(errno));
	after = errno;
	capture_end(&capture, text, sizeof(text));
	assert_int_equal(after, ENOENT);
	assert_string_equal(text, "zkfs: No such file or directory\n");
}

static void test_long_line_is_cut(void **state)
{
	static char words[3 * PIPE_BUF];
	static char text[4 * PIPE_BUF];
	struct capture capture;
	size_t len;

	memset(words, 'x', sizeof(words) - 1);
	capture_begin(&capture);
	zkfs_info("%s", words);
	zkfs_info("next");
	capture_end(&capture, text, sizeof(text));
	len = strcspn(text, "\n") + 1;
	assert_in_range(len, PIPE_BUF - 10, PIPE_BUF);
	assert_string_equal(text + len, "zkfs: next\n");
}

static void test_full_pipe_does_not_block(void **state)
{
	static char text[1 << 20];
	struct capture capture;
	size_t n_lines = 0;

	capture_begin(&capture);
	for (int i = 0; i < 20000; i++)
		zkfs_info("line");
	capture_end(&capture, text, sizeof(text));
	for (const char *at = text; *at != '\0'; at += strlen("zkfs: line\n")) {
		assert_memory_equal(at, "zkfs: line\n", 11);
		n_lines++;
	}
	assert_in_range(n_lines, 1000, 19999);
}

static void test_reader_is_gone(void **state)
{
	struct capture capture;
	char text[16];
	sigset_t pending;

	(void)signal(SIGPIPE, SIG_DFL);
	capture_begin(&capture);
	(void)close(capture.reader);
	zkfs_error("nobody reads this");
	(void)sigpending(&pending);
	capture.reader = -1;
	capture_end(&capture, text, sizeof(text));
	assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

static void test_stderr_is_closed(void **state)
{
	int saved = dup(STDERR_FILENO);

	(void)close(STDERR_FILENO);
	errno = 0;
	zkfs_error("nobody reads this");
	assert_int_equal(errno, 0);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
}

/* A full disk takes nothing, and is told apart from one that does. */
static void test_full_disk(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int saved = dup(STDERR_FILENO);
	unsigned long before = zkfs_log_dropped();
	struct capture capture;
	char text[256];

	assert_true(full >= 0);
	/* Of what was dropped before nothing is owed then. */
	capture_begin(&capture);
	zkfs_info("zero");
	capture_end(&capture, text, sizeof(text));
	(void)dup2(full, STDERR_FILENO);
	errno = 0;
	zkfs_info("one");
	zkfs_info("two");
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	(void)close(full);
	assert_int_equal(errno, 0);
	assert_int_equal(zkfs_log_dropped() - before, 2);
	capture_begin(&capture);
	zkfs_info("three");
	zkfs_info("four");
	capture_end(&capture, text, sizeof(text));
	assert_string_equal(text, "zkfs: lines of the log that nobody took, "
				  "before this: 2\n"
				  "zkfs: three\nzkfs: four\n");
	assert_int_equal(zkfs_log_dropped() - before, 2);
}

/* A line that a limit has cut has its end in front of the next one. */
static void test_cut_line(void **state)
{
	static const char file[] = "/tmp/zkfs-test-log.XXXXXX";
	struct rlimit old, limit;
	char name[sizeof(file)], text[256];
	int saved = dup(STDERR_FILENO), fd;
	ssize_t n;

	memcpy(name, file, sizeof(file));
	fd = mkostemp(name, O_CLOEXEC | O_APPEND);
	assert_true(fd >= 0);
	(void)unlink(name);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){.rlim_cur = 8, .rlim_max = old.rlim_max};
	(void)dup2(fd, STDERR_FILENO);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	zkfs_info("is cut");
	zkfs_info("does not fit");
	(void)setrlimit(RLIMIT_FSIZE, &old);
	zkfs_info("fits");
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	(void)close(fd);
	assert_string_equal(text, "zkfs: is\n"
				  "zkfs: lines of the log that nobody took, "
				  "before this: 2\nzkfs: fits\n");
}

/* The system's log, as a test has it: abstract names are not for it. */
static struct sockaddr_un logger_address = {.sun_family = AF_UNIX};

static int logger_new(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	(void)unlink(logger_address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&logger_address,
			      sizeof(logger_address)),
			 0);
	return fd;
}

/* "<30>Nov 26 15:04:05 zkfs-test[123]: words": returns the words. */
static const char *logger_take(int fd, char text[512], int *ret_priority)
{
	ssize_t n = recv(fd, text, 511, 0);
	char month[4], ident[32];
	int day, hour, minute, second, pid, skip = 0;

	if (n < 0)
		return NULL;
	text[n] = '\0';
	assert_int_equal(sscanf(text, "<%d>%3s %2d %2d:%2d:%2d %9[^[][%d]: %n",
				ret_priority, month, &day, &hour, &minute,
				&second, ident, &pid, &skip),
			 8);
	assert_string_equal(ident, "zkfs-test");
	assert_int_equal(pid, getpid());
	return text + skip;
}

static void test_syslog(void **state)
{
	static const struct {
		enum zkfs_log_level level;
		int priority;
	} cases[] = {
		{ZKFS_LOG_ERROR, LOG_ERR},
		{ZKFS_LOG_WARNING, LOG_WARNING},
		{ZKFS_LOG_INFO, LOG_INFO},
		{ZKFS_LOG_DEBUG, LOG_DEBUG},
	};
	struct capture capture;
	char text[512];
	int fd = logger_new(), priority;

	zkfs_log_set_level(ZKFS_LOG_DEBUG);
	capture_begin(&capture);
	zkfs_log_use_syslog(logger_address.sun_path, "zkfs-test");
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(cases); i++) {
		zkfs_log(cases[i].level, "100%% of '%s'\n", "it");
		assert_string_equal(logger_take(fd, text, &priority),
				    "100% of 'it'?");
		assert_int_equal(priority, cases[i].priority | LOG_DAEMON);
	}
	capture_end(&capture, text, sizeof(text));
	assert_string_equal(text, "");
	(void)close(fd);
}

/* A logger that hangs with its socket full. syslog(3) would wait. */
static void test_syslog_hangs(void **state)
{
	unsigned long before = zkfs_log_dropped(), n = 0, lost;
	char text[512], notice[128];
	int fd = logger_new(), priority;
	const char *line;

	while (zkfs_log_dropped() == before && n < 100000) {
		zkfs_info("line");
		n++;
	}
	assert_in_range(n, 2, 99999);
	zkfs_info("line");
	lost = zkfs_log_dropped() - before;
	assert_int_equal(lost, 2);
	while ((line = logger_take(fd, text, &priority)))
		assert_string_equal(line, "line");
	zkfs_info("again");
	(void)snprintf(notice, sizeof(notice),
		       "lines of the log that nobody took, before this: %lu",
		       lost);
	assert_string_equal(logger_take(fd, text, &priority), notice);
	assert_string_equal(logger_take(fd, text, &priority), "again");
	(void)close(fd);
}

/* The last test: there is no way back to stderr. */
static void test_syslog_comes_and_goes(void **state)
{
	char text[512];
	int fd, priority;

	(void)unlink(logger_address.sun_path);
	zkfs_info("nobody takes this");
	fd = logger_new();
	zkfs_info("one");
	assert_non_null(logger_take(fd, text, &priority)); /* the notice */
	assert_string_equal(logger_take(fd, text, &priority), "one");
	(void)close(fd);
	fd = logger_new();
	zkfs_info("two");
	assert_string_equal(logger_take(fd, text, &priority), "two");
	(void)close(fd);
	(void)unlink(logger_address.sun_path);
}

int main(void)
{
	static char dir[] = "/tmp/zkfs-test-log.XXXXXX";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_line, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_control_characters, setup),
		cmocka_unit_test_setup(test_errno, setup),
		cmocka_unit_test_setup(test_long_line_is_cut, setup),
		cmocka_unit_test_setup(test_full_pipe_does_not_block, setup),
		cmocka_unit_test_setup(test_reader_is_gone, setup),
		cmocka_unit_test_setup(test_stderr_is_closed, setup),
		cmocka_unit_test_setup(test_full_disk, setup),
		cmocka_unit_test_setup(test_cut_line, setup),
		cmocka_unit_test_setup(test_syslog, setup),
		cmocka_unit_test_setup(test_syslog_hangs, setup),
		cmocka_unit_test_setup(test_syslog_comes_and_goes, setup),
	};

	int failed;

	if (!mkdtemp(dir))
		return EXIT_FAILURE;
	(void)snprintf(logger_address.sun_path, sizeof(logger_address.sun_path),
		       "%s/log", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(logger_address.sun_path);
	(void)rmdir(dir);
	return failed;
}

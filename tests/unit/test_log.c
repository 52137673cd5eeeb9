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
#include <string.h>
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

/* What the last line handed to syslog(3) was; the linker brings it here. */
static struct {
	const char *ident;
	int facility;
	int priority;
	char line[256];
} sent;

void __wrap_openlog(const char *ident, int option, int facility);
zkfs_printf(2, 3) void __wrap_syslog(int priority, const char *format, ...);

void __wrap_openlog(const char *ident, int option, int facility)
{
	sent.ident = ident;
	sent.facility = facility;
}

void __wrap_syslog(int priority, const char *format, ...)
{
	va_list args;

	sent.priority = priority;
	va_start(args, format);
	(void)vsnprintf(sent.line, sizeof(sent.line), format, args);
	va_end(args);
}

/* The last test: there is no way back to stderr. */
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
	char text[256];

	zkfs_log_set_level(ZKFS_LOG_DEBUG);
	capture_begin(&capture);
	zkfs_log_use_syslog("zkfs-test");
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(cases); i++) {
		zkfs_log(cases[i].level, "100%% of '%s'\n", "it");
		assert_int_equal(sent.priority, cases[i].priority);
		assert_string_equal(sent.line, "100% of 'it'?");
	}
	capture_end(&capture, text, sizeof(text));
	assert_string_equal(text, "");
	assert_string_equal(sent.ident, "zkfs-test");
	assert_int_equal(sent.facility, LOG_DAEMON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_line, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_control_characters, setup),
		cmocka_unit_test_setup(test_errno, setup),
		cmocka_unit_test_setup(test_long_line_is_cut, setup),
		cmocka_unit_test_setup(test_full_pipe_does_not_block, setup),
		cmocka_unit_test_setup(test_reader_is_gone, setup),
		cmocka_unit_test_setup(test_stderr_is_closed, setup),
		cmocka_unit_test_setup(test_syslog, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * tinyfs: see tinyfs.h.
 */
#include "tinyfs.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/daemon/fusectl.h"
#include "fs/daemon/watchdog.h"

#define FOR_EVER     1e6
#define END_LIMIT_MS 100

enum {
	INO_DIR = 2,
	INO_FILE = 3,
};

struct served {
	struct fuse_session *session;
	struct fuse_buf buf;
	struct zkfs_notifier *notifier;
	fuse_req_t held;
	int abort_fd;
	unsigned lookups;
	bool mounted;
};

static struct stat attr_of(fuse_ino_t ino)
{
	return (struct stat){.st_ino = ino,
			     .st_mode = ino == INO_FILE ? S_IFREG | 0644
							: S_IFDIR | 0755,
			     .st_nlink = 1};
}

static void on_init(void *arg, struct fuse_conn_info *conn)
{
	struct served *served = arg;

	(void)conn;
	served->mounted = true;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct served *served = fuse_req_userdata(req);
	struct fuse_entry_param entry = {.attr_timeout = FOR_EVER,
					 .entry_timeout = FOR_EVER};

	if (parent == FUSE_ROOT_ID && strcmp(name, "d") == 0) {
		entry.ino = INO_DIR;
	} else if (parent == INO_DIR && strcmp(name, "f") == 0) {
		entry.ino = INO_FILE;
		served->lookups++;
	} else {
		(void)fuse_reply_err(req, ENOENT);
		return;
	}
	entry.attr = attr_of(entry.ino);
	(void)fuse_reply_entry(req, &entry);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *info)
{
	struct stat attr = attr_of(ino);

	(void)info;
	(void)fuse_reply_attr(req, &attr, FOR_EVER);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	struct served *served = fuse_req_userdata(req);

	(void)parent;
	(void)mode;
	if (strcmp(name, "held") == 0)
		served->held = req;
	else
		(void)fuse_reply_err(req, EEXIST);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.getattr = on_getattr,
	.mkdir = on_mkdir,
};

static void change(struct served *served, int times)
{
	for (int i = 0; i < times; i++)
		(void)zkfs_notifier_push(served->notifier, INO_DIR, "f");
}

/* As the daemon ends, but that what is held stays so. */
static _Noreturn void end(struct served *served)
{
	zkfs_notifier_close(served->notifier);
	if (!zkfs_notifier_wait(served->notifier, END_LIMIT_MS))
		zkfs_fusectl_abort(served->abort_fd);
	(void)zkfs_notifier_free(served->notifier);
	_exit(EXIT_SUCCESS);
}

static int obey(struct served *served, enum tinyfs_order order)
{
	switch (order) {
	case TINYFS_COUNT:
		break;
	case TINYFS_CHANGED:
		change(served, 1);
		break;
	case TINYFS_BURST:
		change(served, TINYFS_BURST_NAMES);
		break;
	case TINYFS_ALL:
		return zkfs_notifier_expire_all(served->notifier);
	case TINYFS_ANSWER:
		(void)fuse_reply_err(served->held, EEXIST);
		served->held = NULL;
		break;
	case TINYFS_END:
		end(served);
	}
	return 0;
}

static void take_order(struct served *served, int orders)
{
	struct tinyfs_report report = {0};
	enum tinyfs_order order;

	/* The test is over, by whatever end. */
	if (recv(orders, &order, sizeof(order), 0) != sizeof(order))
		_exit(EXIT_FAILURE);
	report.result = obey(served, order);
	report.lookups = served->lookups;
	report.holds = served->held != NULL;
	zkfs_notifier_count(served->notifier, &report.counts);
	(void)send(orders, &report, sizeof(report), 0);
}

static void take_request(struct served *served)
{
	if (fuse_session_receive_buf(served->session, &served->buf) > 0)
		fuse_session_process_buf(served->session, &served->buf);
}

/* Asks nothing of the mount, which nobody serves as yet. */
static unsigned number_of(const char *dir)
{
	struct statx stx;

	if (statx(AT_FDCWD, dir, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE, &stx) < 0)
		_exit(EXIT_FAILURE);
	return stx.stx_dev_minor;
}

static int mount_it(struct served *served, const char *dir)
{
	char *argv[] = {(char *)"tinyfs", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	served->session = fuse_session_new(&args, &operations,
					   sizeof(operations), served);
	if (!served->session)
		return -1;
	return fuse_session_mount(served->session, dir);
}

static _Noreturn void serve(const struct tinyfs *tiny, int orders,
			    bool with_watchdog)
{
	/* Where the watchdog's title goes. */
	static char title[] = "tinyfs-in-a-test-with-a-long-name-at-the-mount";
	char *argv[] = {title, NULL};
	struct zkfs_watchdog watchdog = ZKFS_NO_WATCHDOG;
	struct served served = {.abort_fd = -1};
	bool told = false;

	(void)prctl(PR_SET_DUMPABLE, 0);
	if (mount_it(&served, tiny->dir) < 0)
		_exit(EXIT_FAILURE);
	served.abort_fd = zkfs_fusectl_open(number_of(tiny->dir));
	if (served.abort_fd < 0)
		_exit(EXIT_FAILURE);
	if (with_watchdog &&
	    zkfs_watchdog_start(&watchdog, served.abort_fd, argv, tiny->dir,
				NULL, NULL) < 0)
		_exit(EXIT_FAILURE);
	if (zkfs_notifier_new(fuse_session_fd(served.session),
			      &served.notifier) < 0)
		_exit(EXIT_FAILURE);
	for (;;) {
		struct pollfd fds[] = {
			{.fd = fuse_session_fd(served.session),
			 .events = POLLIN},
			{.fd = orders, .events = POLLIN},
		};

		(void)poll(fds, 2, -1);
		if (fds[0].revents & POLLIN)
			take_request(&served);
		if (fds[1].revents)
			take_order(&served, orders);
		if (served.mounted && !told)
			told = send(orders, "", 1, 0) == 1;
	}
}

int tinyfs_start(struct tinyfs *tiny, bool with_watchdog)
{
	struct stat st;
	int fds[2];
	char byte;

	*tiny = (struct tinyfs){
		.dir = "/tmp/zkfs-tinyfs.XXXXXX", .orders = -1, .abort_fd = -1};
	if (!mkdtemp(tiny->dir) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	tiny->pid = fork();
	if (tiny->pid == 0) {
		(void)close(fds[0]);
		serve(tiny, fds[1], with_watchdog);
	}
	(void)close(fds[1]);
	tiny->orders = fds[0];
	if (tiny->pid < 0 || recv(fds[0], &byte, 1, 0) != 1 ||
	    stat(tiny->dir, &st) < 0)
		return -1;
	tiny->abort_fd = zkfs_fusectl_open(minor(st.st_dev));
	return tiny->abort_fd < 0 ? -1 : 0;
}

void tinyfs_stop(struct tinyfs *tiny)
{
	zkfs_fusectl_abort(tiny->abort_fd);
	if (tiny->pid > 0) {
		(void)kill(tiny->pid, SIGKILL);
		(void)waitpid(tiny->pid, NULL, 0);
	}
	if (tiny->abort_fd >= 0)
		(void)close(tiny->abort_fd);
	if (tiny->orders >= 0)
		(void)close(tiny->orders);
	(void)umount2(tiny->dir, MNT_DETACH);
	(void)rmdir(tiny->dir);
}

struct tinyfs_report tinyfs_order(const struct tinyfs *tiny,
				  enum tinyfs_order order)
{
	struct tinyfs_report report;

	assert_int_equal(send(tiny->orders, &order, sizeof(order), 0),
			 sizeof(order));
	assert_int_equal(recv(tiny->orders, &report, sizeof(report), 0),
			 sizeof(report));
	return report;
}

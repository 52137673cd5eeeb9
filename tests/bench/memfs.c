/*
 * memfs: the least that a filesystem in user space can be: one directory of N
 * files of 1 KiB (000000, 000001, ...) in memory, of which the kernel may keep
 * everything for ever, and that names which are not there are not. As on a
 * mount of zkfs there is no page cache (direct_io), and no request at a close
 * that others wait for (noflush).
 *
 *   memfs N MOUNTPOINT    in the foreground, until it is unmounted
 */
#define FUSE_USE_VERSION 314
#include <err.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/bench/sample.h"

#define DATA_LEN 1024
#define FOR_EVER 1e9
#define NAME_LEN 6

static struct {
	size_t n;
	char data[DATA_LEN];
} memfs;

/* The files have the numbers behind the root's. */
static void fill_stat(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){.st_ino = ino, .st_nlink = 1};
	if (ino == FUSE_ROOT_ID) {
		st->st_mode = S_IFDIR | 0755;
		return;
	}
	st->st_mode = S_IFREG | 0644;
	st->st_size = DATA_LEN;
}

static fuse_ino_t find_file(const char *name)
{
	char *end;
	unsigned long i = strtoul(name, &end, 10);

	if (strlen(name) != NAME_LEN || *end || i >= memfs.n)
		return 0;
	return FUSE_ROOT_ID + 1 + i;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent __attribute__((unused)),
		      const char *name)
{
	struct fuse_entry_param entry = {
		.ino = find_file(name),
		.attr_timeout = FOR_EVER,
		.entry_timeout = FOR_EVER,
	};

	if (entry.ino)
		fill_stat(entry.ino, &entry.attr);
	(void)fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi __attribute__((unused)))
{
	struct stat st;

	fill_stat(ino, &st);
	(void)fuse_reply_attr(req, &st, FOR_EVER);
}

static void op_open(fuse_req_t req, fuse_ino_t ino __attribute__((unused)),
		    struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fi->noflush = 1;
	(void)fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino __attribute__((unused)),
		    size_t size, off_t off,
		    struct fuse_file_info *fi __attribute__((unused)))
{
	size_t len = off < DATA_LEN ? DATA_LEN - (size_t)off : 0;

	(void)fuse_reply_buf(req, memfs.data + (DATA_LEN - len),
			     len < size ? len : size);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
};

int main(int argc, char **argv)
{
	char *fuse_argv[] = {argv[0], NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, fuse_argv);
	struct fuse_session *session;
	int rc;

	if (argc != 3)
		errx(2, "usage: memfs N MOUNTPOINT");
	memfs.n = sample_count(argv[1]);
	memset(memfs.data, 'x', sizeof(memfs.data));
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_set_signal_handlers(session) != 0 ||
	    fuse_session_mount(session, argv[2]) != 0)
		errx(1, "no mount at %s", argv[2]);
	rc = fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return rc ? 1 : 0;
}

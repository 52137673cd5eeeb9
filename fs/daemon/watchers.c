/*
 * watchers: see watchers.h.
 */
#include "fs/daemon/watchers.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/base/util.h"

/* What the descriptor's link says. */
#define INOTIFY "anon_inode:inotify"
/* The kernel's own dev_t: MKDEV(), linux/kdev_t.h. */
#define MINOR_BITS 20
/* FILEID_INO64_GEN of linux/exportfs.h: the id's upper and lower half, and the
 * generation; the same with the parent's is FILEID_INO64_GEN_PARENT. */
#define HANDLE_DIGITS 16

static void add(struct zkfs_watchers *watchers, uint64_t id)
{
	if (watchers->n == watchers->room) {
		size_t room = watchers->room ? watchers->room * 2 : 64;
		uint64_t *ids = NULL;

		if (room <= ZKFS_WATCHERS_MAX)
			ids = reallocarray(watchers->ids, room, sizeof(*ids));
		if (!ids)
			return;
		watchers->ids = ids;
		watchers->room = room;
	}
	watchers->ids[watchers->n++] = id;
}

/* The handle's bytes, two digits each, are two numbers of 32 bits in this
 * machine's order. */
static bool parse_handle(const char *digits, uint64_t *ret_id)
{
	uint8_t bytes[HANDLE_DIGITS / 2];
	uint32_t halves[2];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		const char two[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
		char *end;

		bytes[i] = (uint8_t)strtoul(two, &end, 16);
		if (end != two + 2)
			return false;
	}
	memcpy(halves, bytes, sizeof(halves));
	*ret_id = (uint64_t)halves[0] << 32 | halves[1];
	return true;
}

static void take_line(struct zkfs_watchers *watchers, const char *line,
		      unsigned long device)
{
	const char *sdev = strstr(line, " sdev:");
	const char *handle = strstr(line, " f_handle:");
	uint64_t id;

	if (strncmp(line, "inotify ", strlen("inotify ")) != 0 || !sdev ||
	    strtoul(sdev + strlen(" sdev:"), NULL, 16) != device)
		return;
	if (handle && parse_handle(handle + strlen(" f_handle:"), &id))
		add(watchers, id);
	else
		watchers->unknown = true;
}

static void scan_descriptor(struct zkfs_watchers *watchers, int fds,
			    const char *name, unsigned long device)
{
	char path[64];
	zkfs_autofree char *line = NULL;
	size_t room = 0;
	FILE *info;
	int fd;

	(void)snprintf(path, sizeof(path), "../fdinfo/%.16s", name);
	fd = openat(fds, path, O_RDONLY | O_CLOEXEC);
	info = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!info) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while (getline(&line, &room, info) > 0)
		take_line(watchers, line, device);
	(void)fclose(info);
}

static void scan_process(struct zkfs_watchers *watchers, int proc,
			 const char *pid, unsigned long device)
{
	char path[64], link[sizeof(INOTIFY)];
	const struct dirent *entry;
	DIR *dir = NULL;
	int fds;

	(void)snprintf(path, sizeof(path), "%.16s/fd", pid);
	fds = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds >= 0)
		dir = fdopendir(fds);
	if (!dir) {
		if (fds >= 0)
			(void)close(fds);
		return;
	}
	while ((entry = readdir(dir))) {
		ssize_t n = readlinkat(fds, entry->d_name, link, sizeof(link));

		if (n == (ssize_t)strlen(INOTIFY) &&
		    memcmp(link, INOTIFY, (size_t)n) == 0)
			scan_descriptor(watchers, fds, entry->d_name, device);
	}
	(void)closedir(dir);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void sort(struct zkfs_watchers *watchers)
{
	size_t n = 0;

	if (watchers->n == 0)
		return;
	qsort(watchers->ids, watchers->n, sizeof(*watchers->ids), compare);
	for (size_t i = 0; i < watchers->n; i++)
		if (n == 0 || watchers->ids[n - 1] != watchers->ids[i])
			watchers->ids[n++] = watchers->ids[i];
	watchers->n = n;
}

void zkfs_watchers_scan(struct zkfs_watchers *watchers, dev_t device)
{
	unsigned long sdev =
		(unsigned long)major(device) << MINOR_BITS | minor(device);
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	watchers->n = 0;
	watchers->unknown = false;
	if (!proc)
		return;
	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			scan_process(watchers, dirfd(proc), entry->d_name,
				     sdev);
	(void)closedir(proc);
	sort(watchers);
}

bool zkfs_watchers_equal(const struct zkfs_watchers *a,
			 const struct zkfs_watchers *b)
{
	return a->n == b->n && a->unknown == b->unknown &&
	       (a->n == 0 ||
		memcmp(a->ids, b->ids, a->n * sizeof(*a->ids)) == 0);
}

void zkfs_watchers_fini(struct zkfs_watchers *watchers)
{
	free(watchers->ids);
	*watchers = (struct zkfs_watchers){0};
}
